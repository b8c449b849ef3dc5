"""What a report reads from a run's folder."""

import json

from test_report import make_run

from prefrl.report.record import read_run


def test_labels_of_the_concluding_round_count(tmp_path):
    """No row of the progress comes after it."""
    path = make_run(tmp_path / "run", labels=900)
    summary = json.loads((path / "summary.json").read_text()) | {"labels_answered": 897}
    (path / "summary.json").write_text(json.dumps(summary))
    assert read_run(path).labels == 897
