"""Locks: one process at a time, whoever is refused is told by whom, and a dead process holds nothing."""

import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from utkface_mt.util import locks
from utkface_mt.util.errors import UserError
from utkface_mt.util.locks import RUNNER, await_workers, holding, left_behind, lock_path

HOLD = """
import sys, time
from pathlib import Path
from utkface_mt.util.locks import holding, join_run
{enter}
    print("held", flush=True)
    time.sleep(60)
"""


def _holder(enter: str, **environment: str) -> subprocess.Popen:
    """A process that holds a lock until it is killed."""
    code = HOLD.format(enter=enter)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    assert process.stdout.readline() == "held\n"
    return process


def _kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_a_second_holder_is_refused_and_told_by_whom_until_the_first_is_killed(tmp_path: Path):
    path = tmp_path / "run.lock"
    process = _holder(f"with holding(Path({str(path)!r}), 'running the notebooks'):")
    try:
        refused = rf"Process {process.pid} has been running the notebooks since 20.*UTKFACE_MT_RUNS"
        with pytest.raises(UserError, match=refused), holding(path, "something else"):
            pass
        assert left_behind(path) == ""
    finally:
        _kill(process)
    assert left_behind(path).startswith(f"Process {process.pid} has been running the notebooks")
    described = path.with_suffix(".json")
    own = described.read_text()
    described.write_text(own.replace(f'"{platform.node()}"', '"elsewhere"'))
    assert left_behind(path) == ""  # of a process on another machine nobody can say
    described.write_text("[]")
    assert left_behind(path) == ""
    described.write_text(own)
    with holding(path, "taking over"):
        pass
    assert left_behind(path) == ""


def test_whoever_waits_is_told_for_whom_and_goes_on_when_the_lock_is_free(tmp_path: Path):
    path, told = tmp_path / "training.lock", []
    process = _holder(f"with holding(Path({str(path)!r}), 'training'):")

    def waiting(message: str) -> None:
        told.append(message)
        _kill(process)

    with holding(path, "training", waiting=waiting):
        pass
    assert told[0].startswith(f"Process {process.pid} has been training")


def test_a_kernel_that_outlives_its_runner_is_waited_for_and_named(tmp_path: Path):
    folder = tmp_path / "sample"
    process = _holder(f"join_run(Path({str(folder)!r}))\nif True:", **{RUNNER: "sample"})
    try:
        started = time.monotonic()
        with pytest.raises(UserError, match=rf"still works in sample \(process {process.pid}\)"):
            await_workers(folder, seconds=1)
        assert 0.9 < time.monotonic() - started < 20
    finally:
        _kill(process)
    await_workers(folder, seconds=10)
    await_workers(folder, seconds=0)


def test_a_notebook_that_a_person_opens_is_nobodys_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(RUNNER, raising=False)
    locks.join_run(tmp_path / "sample")
    assert not (tmp_path / "locks").exists()


def test_a_place_where_no_lock_can_be_is_named(tmp_path: Path):
    (tmp_path / "locks").write_text("in the way")
    path = lock_path(tmp_path / "sample")
    with pytest.raises(UserError, match=r"Cannot write to .*locks.*UTKFACE_MT_RUNS"), holding(path, "working"):
        pass


def test_an_error_inside_gives_the_lock_back(tmp_path: Path):
    path = lock_path(tmp_path / "sample")
    with pytest.raises(ZeroDivisionError), holding(path, "failing"):
        raise ZeroDivisionError
    with holding(path, "working"):
        pass
