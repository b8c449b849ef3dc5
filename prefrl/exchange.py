"""Comparisons to and from Parquet.

Two forms. *Answers* hold everything, a row an answer, withdrawn ones and repeats too, and can be read back:
arrays as bytes with their dtype and shape, exact. *Preferences* are for others to learn from: what was chosen and
what was rejected, as nested lists of numbers, for `datasets.load_dataset("parquet", data_files=...)`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from prefrl.core.errors import PrefrlError
from prefrl.core.registry import unknown
from prefrl.queries import KINDS, Answer, Query, Record, Remarks, usual_kind
from prefrl.segments import Segment
from prefrl.store import PreferenceStore

AT_ONCE = 100  # rows whose segments are in memory together
FORM, VERSION = b"prefrl.answers", b"2"  # in the metadata of the file
READABLE = (b"1", VERSION)  # 1 has neither kinds of labelers nor orders shown nor remarks


def export_answers(store: PreferenceStore, path: Path) -> int:
    """Writes every answer with its segments, in the order in which the queries were asked; returns how many.

    Raises:
        PrefrlError: the name does not end in .parquet, nothing can be written there, or pyarrow is not installed.
    """
    pa = _pyarrow()
    schema = _answers_schema(pa)

    def table(batch: list[tuple[Query, Record]]) -> Any:
        return pa.Table.from_pylist([_answer_row(query, record) for query, record in batch], schema=schema)

    return _write(path, schema, map(table, _batches(store, store.records())))


def import_answers(store: PreferenceStore, path: Path) -> int:
    """Adds the answers of a file that `export_answers` wrote; returns how many were added or withdrawn.

    The whole file is checked before anything is added, and all of it is added or nothing. What the store has stays as
    it is, but for what was withdrawn elsewhere since it was imported; the same file again changes nothing.

    Raises:
        PrefrlError: as in `check_answers`; or segments that cannot be trained on together with those of the store, or a
            labeler answered otherwise there.
    """
    given = check_answers(path)
    if given is not None and (asked := store.asked()):
        _check_alike(path, store.query(asked[0]).segments[0], given)
    return store.take_over(_read(path))


def check_answers(path: Path) -> Segment | None:
    """Reads a file that `export_answers` wrote and adds nothing; returns one of its segments, if it has any.

    Raises:
        PrefrlError: no such file, a damaged one, or one of another form; or its segments cannot be trained on together.
    """
    segments = (segment for batch in _read(path) for query, _ in batch for segment in query.segments)
    if (first := next(segments, None)) is not None:
        for segment in segments:
            _check_alike(path, first, segment)
    return first


def export_preferences(store: PreferenceStore, path: Path) -> int:
    """Writes what was chosen and what was rejected, a row each; returns how many.

    Of ties, skips, repeats and withdrawn answers there are none. A ranking gives a row for each pair that is no tie.

    Raises:
        PrefrlError: nothing was preferred, segments of several environments, or as in `export_answers`.
    """
    pa = _pyarrow()
    preferred = [
        record
        for record in store.records()
        if record.withdrawn_at is None and not record.repeat and len(set(record.answer.ranks or ())) > 1
    ]
    if not preferred:
        raise PrefrlError("no answer in this store prefers one segment to another; there is nothing to export")
    example = store.query(preferred[0].query_id).segments[0]
    schema = _preferences_schema(pa, example)

    def table(batch: list[tuple[Query, Record]]) -> Any:
        records, chosen, rejected = zip(*_pairs(batch), strict=True)
        if strange := {segment.env_id for segment in chosen + rejected} - {example.env_id}:
            raise PrefrlError(f"a file has one environment; this store has {', '.join([example.env_id, *strange])}")
        columns = {
            "env_id": [segment.env_id for segment in chosen],
            "labeler": [record.labeler for record in records],
            "query_id": [record.query_id for record in records],
            "chosen": _structs(pa, chosen),
            "rejected": _structs(pa, rejected),
        }
        return pa.table(columns, schema=schema)

    return _write(path, schema, map(table, _batches(store, preferred)))


def _batches(store: PreferenceStore, records: Sequence[Record]) -> Iterator[list[tuple[Query, Record]]]:
    """Records with their queries, in the order of asking, a few at a time."""
    position = {query_id: number for number, query_id in enumerate(store.asked())}
    ordered = sorted(records, key=lambda record: position[record.query_id])
    for start in range(0, len(ordered), AT_ONCE):
        batch = ordered[start : start + AT_ONCE]
        queries = store.queries([record.query_id for record in batch])
        yield [(queries[record.query_id], record) for record in batch]


def _pairs(batch: Iterable[tuple[Query, Record]]) -> Iterator[tuple[Record, Segment, Segment]]:
    for query, record in batch:
        ranked = zip(query.segments, record.answer.ranks or (), strict=True)
        for (better, rank), (worse, other) in itertools.permutations(ranked, 2):
            if rank < other:
                yield record, better, worse


def _write(path: Path, schema: Any, tables: Iterable[Any]) -> int:
    """Writes the file completely or not at all; returns the number of rows."""
    if path.suffix != ".parquet":
        raise PrefrlError(f"cannot write {path}: comparisons are written as Parquet, to a name that ends in .parquet")
    if not path.parent.is_dir():
        raise PrefrlError(f"cannot write {path}: there is no folder {path.parent}")
    pa, draft, rows = _pyarrow(), path.with_suffix(".part"), 0
    try:
        with pa.parquet.ParquetWriter(draft, schema, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table)
                rows += table.num_rows
        draft.replace(path)
    except OSError as error:  # it names the draft
        raise PrefrlError(f"cannot write {path}: {os.strerror(error.errno) if error.errno else error}") from error
    finally:
        draft.unlink(missing_ok=True)
    return rows


def _answers_schema(pa: ModuleType) -> Any:
    array = pa.struct({"name": pa.string(), "dtype": pa.string(), "shape": pa.list_(pa.int64()), "data": pa.binary()})
    segment = pa.struct({"env_id": pa.string(), "arrays": pa.list_(array)})
    fields = {
        "query_id": pa.string(),
        "step": pa.int64(),
        "nonce": pa.int64(),
        "segments": pa.list_(segment),
        "ranks": pa.list_(pa.int64()),  # null: cannot be compared
        "labeler": pa.string(),
        "swapped": pa.bool_(),
        "repeat": pa.bool_(),
        "seconds": pa.float64(),
        "answered_at": pa.float64(),
        "withdrawn_at": pa.float64(),
        "shown": pa.list_(pa.int64()),  # null: as `swapped` says
        "kind": pa.string(),  # of the labeler
        "strength": pa.float64(),
        "rating": pa.list_(pa.float64()),
        "note": pa.string(),
        "flag": pa.bool_(),
    }
    return pa.schema(fields, metadata={FORM: VERSION})


def _answer_row(query: Query, record: Record) -> dict[str, Any]:
    return {
        "query_id": query.id,
        "step": query.step,
        "nonce": query.nonce,
        "segments": [
            {"env_id": segment.env_id, "arrays": [_as_bytes(name, array) for name, array in segment.arrays().items()]}
            for segment in query.segments
        ],
        "ranks": record.answer.ranks,
        "labeler": record.labeler,
        "swapped": record.swapped,
        "repeat": record.repeat,
        "seconds": record.seconds,
        "answered_at": record.answered_at,
        "withdrawn_at": record.withdrawn_at,
        "shown": record.shown,
        "kind": record.kind,
        **vars(record.remarks),
    }


def _as_bytes(name: str, array: np.ndarray) -> dict[str, Any]:
    return {"name": name, "dtype": array.dtype.str, "shape": array.shape, "data": array.tobytes()}


def _read(path: Path) -> Iterator[list[tuple[Query, Record]]]:
    """The answers of a file, a few at a time, each checked."""
    pa, before = _pyarrow(), 0
    with _explained(path), pa.parquet.ParquetFile(path) as file:
        if (file.schema_arrow.metadata or {}).get(FORM) not in READABLE:
            raise PrefrlError("it is not of the form that exported answers have")
        for batch in file.iter_batches(batch_size=AT_ONCE):
            checked = []
            for number, row in enumerate(batch.to_pylist(), 1):
                try:
                    checked.append(_checked(row))
                except (ValueError, TypeError, KeyError, AttributeError) as error:
                    raise PrefrlError(f"row {before + number} is damaged: {error}") from error
            before += len(checked)
            yield checked


def _checked(row: dict[str, Any]) -> tuple[Query, Record]:
    query = Query(tuple(map(_to_segment, row["segments"])), row["step"], row["nonce"])
    if query.id != row["query_id"]:
        raise PrefrlError(f"its segments are not those of query {row['query_id']}")
    ranks = _tuple(row["ranks"])
    if ranks is not None and (len(ranks) != len(query.segments) or min(ranks) < 0):
        raise PrefrlError(f"{list(ranks)} are no ranks of {len(query.segments)} segments")
    if not row["labeler"]:
        raise PrefrlError("it has no labeler")
    kept = ("query_id", "step", "labeler", "swapped", "repeat", "seconds", "answered_at", "withdrawn_at")
    needed = ("swapped", "repeat", "answered_at")
    if empty := [name for name in needed if row[name] is None]:
        raise PrefrlError(f"it has no {empty[0]}")
    record = Record(answer=Answer(ranks), **{name: row[name] for name in kept}, **_of_version_2(row))
    num_segments = len(query.segments)
    if record.shown is not None and sorted(record.shown) != list(range(num_segments)):
        raise PrefrlError(f"{list(record.shown)} is no order of {num_segments} segments")
    if record.remarks.rating is not None and len(record.remarks.rating) != num_segments:
        raise PrefrlError(f"{list(record.remarks.rating)} are no ratings of {num_segments} segments")
    return query, record


def _of_version_2(row: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record that files of version 1 do not have."""
    kind = row.get("kind") or usual_kind(row["labeler"])
    if kind not in KINDS:
        raise PrefrlError(unknown("kind of labeler", kind, KINDS))
    remarks = Remarks(row.get("strength"), _tuple(row.get("rating")), row.get("note"), bool(row.get("flag")))
    return {"kind": kind, "shown": _tuple(row.get("shown")), "remarks": remarks}


def _tuple(numbers: list[Any] | None) -> tuple[Any, ...] | None:
    return None if numbers is None else tuple(numbers)


def _to_segment(found: dict[str, Any]) -> Segment:
    arrays = {
        each["name"]: np.frombuffer(each["data"], np.dtype(each["dtype"])).reshape(each["shape"])
        for each in found["arrays"]
    }
    return Segment.from_arrays(found["env_id"], arrays)


def _check_alike(path: Path, kept: Segment, given: Segment) -> None:
    if (has := _kind(given)) != (wanted := _kind(kept)):
        raise PrefrlError(
            f"cannot import {path}: segments of {has} cannot be trained on together with those of {wanted}"
        )


def _kind(segment: Segment) -> str:
    """Describes what segments must have in common to be trained on together.

    Neither oracle rewards, which a segment has only where they differ from the true ones, nor render states: recorded
    screens are packed as small as each segment's allow.
    """
    arrays = (f"{name} {array.dtype}{[*array.shape[1:]] or ''}" for name, array in _named(segment).items())
    return f"{segment.env_id} ({len(segment)} steps; {', '.join(arrays)})"


def _preferences_schema(pa: ModuleType, example: Segment) -> Any:
    segment = pa.struct({name: _nested_type(pa, array) for name, array in _named(example).items()})
    fields = {"env_id": pa.string(), "labeler": pa.string(), "query_id": pa.string()}
    return pa.schema(fields | {"chosen": segment, "rejected": segment})


def _nested_type(pa: ModuleType, array: np.ndarray) -> Any:
    kind = pa.from_numpy_dtype(array.dtype)
    for _ in array.shape:
        kind = pa.list_(kind)
    return kind


def _structs(pa: ModuleType, segments: Sequence[Segment]) -> Any:
    """[N] segments as one Arrow column."""
    named = [_named(segment) for segment in segments]
    return pa.StructArray.from_arrays([_nested(pa, [each[name] for each in named]) for name in named[0]], [*named[0]])


def _nested(pa: ModuleType, arrays: Sequence[np.ndarray]) -> Any:
    """[N] arrays [T, ...] as one Arrow column of nested lists, with no Python object a number."""
    if len(shapes := {array.shape[1:] for array in arrays}) > 1:
        raise PrefrlError(f"steps of one environment have one shape, this store has {sorted(shapes)}")
    column = pa.array(np.concatenate([array.reshape(-1) for array in arrays]))
    for size in reversed(arrays[0].shape[1:]):
        column = pa.ListArray.from_arrays(np.arange(0, len(column) + 1, size, dtype=np.int32), column)
    return pa.ListArray.from_arrays(np.cumsum([0, *map(len, arrays)], dtype=np.int32), column)


def _named(segment: Segment) -> dict[str, np.ndarray]:
    """observations (or observations.<key>) and actions: what a reward model may see."""
    arrays = segment.arrays()
    shown = {name: array for name, array in arrays.items() if name == "actions" or name.split(".")[0] == "obs"}
    return {name.replace("obs", "observations", 1): array for name, array in shown.items()}


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise PrefrlError(f"no file {path}") from error
    except (ValueError, OSError) as error:  # pyarrow's own are of these kinds
        raise PrefrlError(f"cannot read {path}: {' '.join(str(error).split())}") from error


def _pyarrow() -> ModuleType:
    try:
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise PrefrlError("Parquet needs pyarrow, which is not installed; pip install 'prefrl[parquet]'") from error
    return pyarrow
