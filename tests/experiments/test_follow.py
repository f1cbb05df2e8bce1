"""A run on two workers: one runs the notebooks, one follows; what one process has trained is found by both."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def start(workers: str, rank: int, runs: Path, faces: Path, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "utkface_mt", "run", "--workers", workers, "--rank", str(rank), "--epochs", "2"]
    command += ["--data", str(faces), "--runs", str(runs), *more]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, **streams)


@pytest.fixture
def workers() -> str:
    """Addresses that are free."""
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in listening]
    for one in listening:
        one.close()
    return ",".join(addresses)


@pytest.mark.slow
def test_two_workers_train_a_row_and_the_first_alone_writes(workers: str, faces_folder: Path, tmp_path: Path):
    runs = tmp_path / "runs"
    processes = [start(workers, rank, runs, faces_folder, "--only", "03") for rank in (0, 1)]
    first, second = (process.communicate(timeout=400)[0] for process in processes)
    assert [process.returncode for process in processes] == [0, 0], first + second
    assert "follows Worker 0" in second
    assert second.splitlines()[-1] == "The first worker's run has ended."
    rows = json.loads((runs / "sample" / "results.json").read_text())
    row = next(row for row in rows if row["experiment"] == "03_baseline")
    assert row["replicas"] == 2
    assert len(row["validation"]) > 0
    assert "127.0.0.1" not in row["command"]


@pytest.mark.slow
def test_a_worker_that_would_do_something_else_is_refused(workers: str, faces_folder: Path, tmp_path: Path):
    processes = [
        start(workers, rank, tmp_path / "runs", faces_folder, "--only", "03", "--seed", str(rank)) for rank in (0, 1)
    ]
    first, second = (process.communicate(timeout=400)[0] for process in processes)
    assert [process.returncode for process in processes] == [1, 1]
    for printed in (first, second):
        assert "has another experiment than worker 0. Nothing was trained." in " ".join(printed.split())
