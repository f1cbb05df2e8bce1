"""A run on two workers: one runs the notebooks, one follows; what one process has trained is found by both."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOLERANCE = 1e-4  # relative, as docs/several_machines.md says


def start(runs: Path, faces: Path, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "utkface_mt", "run", "--only", "03", "--data", str(faces), "--runs", str(runs)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([*command, "--epochs", "2", *more], cwd=ROOT, env=environment, **streams)


def start_two(workers: str, *given: Path | str) -> list[subprocess.Popen]:
    return [start(*given, "--workers", workers, "--rank", str(rank)) for rank in (0, 1)]


def baseline_row(runs: Path) -> dict:
    rows = json.loads((runs / "sample" / "results.json").read_text())
    return next(row for row in rows if row["experiment"] == "03_baseline")


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
    processes = start_two(workers, runs, faces_folder)
    first, second = (process.communicate(timeout=400)[0] for process in processes)
    assert [process.returncode for process in processes] == [0, 0], first + second
    assert "follows Worker 0" in second
    assert second.splitlines()[-1] == "The first worker's run has ended."
    row = baseline_row(runs)
    assert row["replicas"] == 2
    assert len(row["validation"]) > 0
    assert "127.0.0.1" not in row["command"]


@pytest.mark.slow
def test_a_worker_that_would_do_something_else_is_refused(workers: str, faces_folder: Path, tmp_path: Path):
    given = tmp_path / "runs", faces_folder, "--workers", workers
    processes = [start(*given, "--rank", str(rank), "--seed", str(rank)) for rank in (0, 1)]
    first, second = (process.communicate(timeout=400)[0] for process in processes)
    assert [process.returncode for process in processes] == [1, 1]
    for printed in (first, second):
        assert "has another experiment than worker 0. Nothing was trained." in " ".join(printed.split())


@pytest.mark.slow
def test_a_run_that_has_lost_a_worker_names_it_and_ends_after_another_start_where_one_process_does(
    workers: str, faces_folder: Path, tmp_path: Path
):
    alone, runs, long = tmp_path / "alone", tmp_path / "runs", ("--epochs", "8")
    undisturbed = start(alone, faces_folder, *long)
    first, second = start_two(workers, runs, faces_folder, *long)
    ends = time.monotonic() + 300
    while not list(runs.rglob("training/epoch-0002.npz")):
        assert time.monotonic() < ends
        assert first.poll() is second.poll() is None
        time.sleep(0.01)
    second.send_signal(signal.SIGKILL)
    printed, _ = first.communicate(timeout=60)
    assert first.returncode == 1
    assert f"Worker 1 ({workers.split(',')[1]}) was lost. Start all workers again" in " ".join(printed.split()), printed
    assert not (runs / "sample" / "results.json").exists()
    for process in [*start_two(workers, runs, faces_folder, *long), undisturbed]:
        printed, _ = process.communicate(timeout=400)
        assert process.returncode == 0, printed
    row, expected = baseline_row(runs), baseline_row(alone)
    for scores, whole in ((row["validation"], expected["validation"]), (row["age_mae"], expected["age_mae"])):
        assert scores == pytest.approx(whole, rel=TOLERANCE)
    history, whole = (json.loads(next(folder.rglob("history.json")).read_text()) for folder in (runs, alone))
    assert len(history) == len(whole) == 8
    assert [epoch["val_loss"] for epoch in history] == pytest.approx([epoch["val_loss"] for epoch in whole], TOLERANCE)
