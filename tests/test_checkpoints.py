"""Checkpoints as folders: complete or not at all, the latest two, each file as it was written."""

import pytest

from prefrl.runs.checkpoints import MANIFEST, checkpoints, read_manifest, write_checkpoint


def write(folder):
    (folder / "weights").write_bytes(b"12")
    return {"rounds": 3}


def test_a_manifest_comes_back_with_the_hash_of_every_file(tmp_path):
    manifest = read_manifest(write_checkpoint(tmp_path, 5, write))
    assert list(manifest) == ["rounds", "sha256"]
    assert manifest["rounds"] == 3
    assert list(manifest["sha256"]) == ["weights"]


def test_the_latest_two_are_kept_oldest_first(tmp_path):
    for step in (5, 1000, 20):
        write_checkpoint(tmp_path, step, write)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-000000000020", "step-000000001000"]


def test_one_that_fails_leaves_the_others_and_is_none(tmp_path):
    def fail(folder):
        write(folder)
        raise OSError("disk full")

    first = write_checkpoint(tmp_path, 5, write)
    with pytest.raises(OSError, match="disk full"):
        write_checkpoint(tmp_path, 6, fail)
    assert checkpoints(tmp_path) == [first]
    assert write_checkpoint(tmp_path, 6, write) == checkpoints(tmp_path)[1]


@pytest.mark.parametrize("name, said", [("weights", "weights is not what was saved"), (MANIFEST, "Expecting value")])
def test_a_file_that_was_damaged_is_named(tmp_path, name, said):
    checkpoint = write_checkpoint(tmp_path, 5, write)
    (checkpoint / name).write_bytes(b"")
    with pytest.raises(ValueError, match=said):
        read_manifest(checkpoint)


def test_a_file_that_is_gone_is_an_error(tmp_path):
    checkpoint = write_checkpoint(tmp_path, 5, write)
    (checkpoint / "weights").unlink()
    with pytest.raises(FileNotFoundError):
        read_manifest(checkpoint)
