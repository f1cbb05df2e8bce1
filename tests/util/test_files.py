"""Files are written whole or not at all: on a full disk, in a read-only folder, with a file in the way."""

import json
import os
import resource
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from utkface_mt.util import files
from utkface_mt.util.errors import UserError
from utkface_mt.util.files import digest, read_json, replacing, write_json


@contextmanager
def no_room() -> Iterator[None]:
    """No file may grow beyond some kilobytes, as on a full disk; around one write, for pytest's log is a file too."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_told_and_the_old_file_stays(tmp_path: Path):
    path = tmp_path / "results.json"
    write_json(path, ["old"])
    with pytest.raises(UserError, match=r"Cannot write to .*Make room there"), no_room():
        write_json(path, ["new"] * 10_000)
    assert read_json(path) == ["old"]
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


def test_a_checkpoint_that_does_not_fit_is_told_and_the_one_before_stays(tmp_path: Path):
    path = tmp_path / "epoch-0001.npz"
    path.write_bytes(b"old")
    with pytest.raises(UserError, match="Cannot write"), no_room(), replacing(path) as temporary:
        np.savez(temporary, np.zeros(100_000))
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["epoch-0001.npz"]


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder that this process may not write to; root, who may write anywhere, becomes somebody else."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        yield Path(name)
        os.seteuid(user)
        os.chmod(name, 0o700)


def test_a_read_only_folder_is_told(read_only: Path):
    for folder in (read_only, read_only / "runs" / "below"):
        with pytest.raises(UserError, match=r"Cannot write to .*make it writable.*UTKFACE_MT_RUNS"):
            write_json(folder / "results.json", [])
    assert not list(read_only.iterdir())


def test_a_file_where_a_folder_should_be_is_told(tmp_path: Path):
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(UserError, match=r"Cannot write to .*runs"):
        write_json(tmp_path / "runs" / "results.json", [])
    assert (tmp_path / "runs").read_text() == "in the way"


def test_an_error_while_writing_is_passed_on_and_leaves_nothing(tmp_path: Path):
    def half() -> None:
        with replacing(tmp_path / "folder") as temporary:
            (temporary / "half").mkdir(parents=True)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "scores.json", float("nan"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("before", [True, False])
def test_a_folder_that_is_there_is_kept(tmp_path: Path, before: bool):
    if before:
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "mine.txt").write_text("kept")
    with replacing(tmp_path / "folder") as temporary:
        temporary.mkdir()
        (temporary / "other.txt").write_text("another process was faster")
        if not before:
            (tmp_path / "folder").mkdir()
            (tmp_path / "folder" / "mine.txt").write_text("kept")
    assert (tmp_path / "folder" / "mine.txt").read_text() == "kept"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("content", [b'{"age": ', b'"\xff"'])
def test_damaged_json_is_named_with_what_to_do(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "half.json").write_bytes(content)
    with pytest.raises(UserError, match=r"half.json is not valid JSON .* Delete it"):
        read_json(tmp_path / "half.json")
    with pytest.raises(UserError, match="not valid JSON .* Restore it"):
        read_json(tmp_path / "half.json", "Restore it.")
    monkeypatch.setattr(files, "__file__", str(tmp_path / "util" / "files.py"))  # as if it came with the package
    with pytest.raises(UserError, match="not valid JSON .* Install the package again"):
        read_json(tmp_path / "half.json")


@pytest.mark.parametrize("letter", ["a", "ä", "顔"])
def test_a_name_may_be_as_long_as_the_disk_allows(tmp_path: Path, letter: str):
    path = tmp_path / (letter * (250 // len(letter.encode())) + ".json")
    write_json(path, ["kept"])
    assert read_json(path) == ["kept"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_digest_is_that_of_the_content_whatever_the_order_of_keys():
    assert digest({"a": 1, "b": [2, 3]}) == digest(json.loads('{"b": [2, 3], "a": 1}'))
    assert digest({"a": 1, "b": [2, 3]}) != digest({"a": 1, "b": [3, 2]})
