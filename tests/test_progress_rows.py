"""progress.csv: the same columns in the same order, and files of older versions are read and go on."""

from pathlib import Path

import pytest

from prefrl.runs.progress import COLUMNS, ProgressRow, append_row, read_rows

COMMITTED = sorted((Path(__file__).parents[1] / "results").rglob("curve.csv"))

ROW = ProgressRow(
    step=2048, true_return=-1234.5678, learned_return=0.5, labels=30, train_loss=0.4, heldout_loss=None,
    train_accuracy=0.9, heldout_accuracy=None, l2=1e-4, games=0, score=None, game_steps=None, seconds=12.0,
    cpu_seconds=24.25,
)  # fmt: skip


def test_columns_are_in_this_order():
    assert ",".join(COLUMNS) == (
        "step,true_return,learned_return,labels,train_loss,heldout_loss,train_accuracy,heldout_accuracy,l2,games,"
        "score,game_steps,seconds,cpu_seconds"
    )


def test_a_row_has_six_digits_and_empty_cells(tmp_path):
    append_row(tmp_path / "progress.csv", ROW)
    append_row(tmp_path / "progress.csv", ProgressRow(step=4096))
    lines = (tmp_path / "progress.csv").read_text().splitlines()
    assert lines == [",".join(COLUMNS), "2048,-1234.57,0.5,30,0.4,,0.9,,0.0001,0,,,12,24.25", "4096" + "," * 13]


def test_rows_come_back(tmp_path):
    append_row(tmp_path / "progress.csv", ROW)
    (read,) = read_rows(tmp_path / "progress.csv")
    assert read == ProgressRow(**vars(ROW) | {"true_return": -1234.57})
    assert all(isinstance(value, int) for value in (read.step, read.labels, read.games))


def test_a_file_of_an_older_version_keeps_its_columns(tmp_path):
    path = tmp_path / "progress.csv"
    path.write_text("step,true_return,odd\n1000,1.5,x\n")
    append_row(path, ROW)
    assert path.read_text().splitlines() == ["step,true_return,odd", "1000,1.5,x", "2048,-1234.57,"]
    assert read_rows(path) == [ProgressRow(step=1000, true_return=1.5), ProgressRow(step=2048, true_return=-1234.57)]


@pytest.mark.parametrize(
    "line, rows",
    [
        ("400,1.5", [ProgressRow(step=400, true_return=1.5)]),
        ("400,-", [ProgressRow(step=400)]),
        ("400,nan,inf,3", [ProgressRow(step=400, labels=3)]),
        ("4e+06,,,700", [ProgressRow(step=4_000_000, labels=700)]),
        ("q,1.5", []),
        (",1.5", []),
    ],
)
def test_a_cell_that_is_no_number_is_none_and_a_row_needs_a_step(tmp_path, line, rows):
    (tmp_path / "progress.csv").write_text(f"{','.join(COLUMNS)}\n{line}")
    assert read_rows(tmp_path / "progress.csv") == rows


def test_without_a_file_there_are_no_rows(tmp_path):
    assert read_rows(tmp_path / "progress.csv") == []


def test_what_was_not_measured_since_is_as_it_was():
    later = ProgressRow(step=4096, labels=0, true_return=None, score=3.0).filled_from(ROW)
    assert later == ProgressRow(**vars(ROW) | {"step": 4096, "labels": 0, "score": 3.0})


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: "/".join(path.parts[-4:-1]))
def test_committed_curves_are_read(path):
    rows = read_rows(path)
    assert len(rows) == len(path.read_text().splitlines()) - 1
    assert rows[-1].step > 0
    assert rows[-1].seconds
