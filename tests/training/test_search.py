"""Studies: they go on where they stopped, are shared by workers, and pick up the trial of a worker that was killed."""

import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from utkface_mt.training.search import (
    START,
    best_parameters,
    finished_trials,
    open_storage,
    open_study,
    search,
)
from utkface_mt.util.errors import TrainingDivergedError, UserError

TRIALS = 8


def _storage(folder: Path) -> str:
    return f"sqlite:///{folder / 'study.db'}"


def _loss(found: dict[str, Any]) -> float:
    return abs(np.log10(found["learning_rate"]) + 3) + found["dropout"]


def test_a_study_starts_from_the_default_and_its_best_trial_wins(tmp_path: Path):
    calls = []

    def objective(found: dict[str, Any], callbacks: list) -> list[dict]:
        calls.append(found)
        assert [type(callback).__name__ for callback in callbacks] == ["KerasPruningCallback"]
        return [{"loss": 0.0, "val_loss": _loss(found)}, {"loss": 0.0, "val_loss": _loss(found) + 1}]

    study = search(objective, _storage(tmp_path), trials=6)
    assert len(calls) == 6
    assert calls[0] == START
    assert best_parameters(study) == min(calls, key=_loss)
    assert study.best_value == min(map(_loss, calls))


def test_the_same_seed_draws_the_same_trials_and_another_differs(tmp_path: Path):
    drawn = []
    for number, seed in enumerate((0, 0, 1)):
        (tmp_path / str(number)).mkdir()
        study = search(lambda found, _: [{"val_loss": _loss(found)}], _storage(tmp_path / str(number)), 4, seed=seed)
        drawn.append([trial.params for trial in study.trials])
    assert drawn[0] == drawn[1] != drawn[2]
    for trials in (5, 6, 7, 8):  # a study that is gone on with, each time by a sampler that starts anew
        study = search(lambda found, _: [{"val_loss": 1.0}], _storage(tmp_path / "2"), trials, seed=1)
    assert len({str(trial.params) for trial in study.trials}) == 8


@pytest.mark.parametrize("error", [KeyboardInterrupt, UserError("Worker 1 was lost."), OSError("no room")])
def test_an_interrupted_study_goes_on_and_the_stopped_trial_is_run_again(tmp_path: Path, error: BaseException):
    count = 0

    def stopping(found: dict[str, Any], callbacks: list) -> list[dict]:
        nonlocal count
        count += 1
        if count == 3:  # as training does that is stopped in its third epoch, and goes on there
            callbacks[0]._trial.report(0.5, 0)
            callbacks[0]._trial.report(0.25, 1)
            raise error
        return [{"val_loss": _loss(found)}]

    with pytest.raises(error if isinstance(error, type) else type(error)):
        search(stopping, _storage(tmp_path), trials=4)
    study = search(stopping, _storage(tmp_path), trials=4)
    assert len(finished_trials(study)) == 4
    failed = study.get_trials(states=(optuna.trial.TrialState.FAIL,))
    assert len(failed) == 1
    again = next(trial for trial in finished_trials(study) if trial.params == failed[0].params)
    assert again.intermediate_values == {0: 0.5, 1: 0.25}  # what it is pruned by, the epochs before the stop included
    assert failed[0].params in [trial.params for trial in finished_trials(study)]


def test_a_worker_lost_before_it_drew_a_point_leaves_it_to_another(tmp_path: Path):
    with pytest.warns(UserWarning, match="Heartbeat"):
        lost = open_study(_storage(tmp_path), 3, "fine_tune", START).ask()
    lost.set_user_attr("worker", {"host": platform.node(), "process": os.getpid(), "started": 0})
    tried = []
    search(lambda found, _: tried.append(found) or [{"val_loss": 1.0}], _storage(tmp_path), 3)
    assert START in tried


def test_a_diverging_trial_is_pruned_and_the_study_goes_on(tmp_path: Path):
    def objective(found: dict[str, Any], callbacks: list) -> list[dict]:
        if found == START:
            raise TrainingDivergedError("the loss is not a number")
        return [{"val_loss": 1.0}]

    study = search(objective, _storage(tmp_path), 3, seed=0)
    assert [trial.state.name for trial in study.trials] == ["PRUNED", "COMPLETE", "COMPLETE"]
    empty = open_study(_storage(tmp_path), 3, "another", START)
    with pytest.raises(UserError, match="no completed trial; 0 were pruned"):
        best_parameters(empty)

    def diverging(found: dict[str, Any], callbacks: list) -> list[dict]:
        raise TrainingDivergedError("the loss is not a number")

    with pytest.raises(UserError, match=r"no completed trial; 2 were pruned or diverged. .* more --trials"):
        best_parameters(search(diverging, _storage(tmp_path), 2, name="third", seed=0))


def test_a_storage_that_cannot_be_opened_is_named_without_its_password():
    for url in ("studies.db", "postgresql://me:secret@nowhere.invalid/studies"):
        with pytest.raises(UserError, match="cannot be opened") as caught:
            open_storage(url)
        assert "secret" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
@pytest.mark.parametrize("kind", ["sqlite:///{}.db", "journal:{}.log"])
def test_workers_that_ask_at_the_same_time_are_given_different_trials(kind: str, tmp_path: Path):
    storage = kind.format(tmp_path / "study")
    study = open_study(storage, TRIALS, "fine_tune", START)
    for dropout in np.linspace(0, 0.5, 23):
        study.enqueue_trial(START | {"dropout": dropout})
    together = threading.Barrier(4)

    def ask_six_times(_: int) -> list[int]:
        mine = open_study(storage, TRIALS, "fine_tune", START)
        together.wait()
        return [mine.ask().number for _ in range(6)]

    with ThreadPoolExecutor(4) as workers:
        asked = [number for numbers in workers.map(ask_six_times, range(4)) for number in numbers]
    assert sorted(asked) == list(range(24))


def test_workers_that_found_a_study_at_the_same_time_all_open_it(tmp_path: Path):
    together = threading.Barrier(4)

    def found(_: int) -> optuna.Study:
        together.wait()
        return open_study(_storage(tmp_path), TRIALS, "fine_tune", START)

    with ThreadPoolExecutor(4) as workers:
        assert len(list(workers.map(found, range(4)))) == 4


def test_the_trial_of_a_worker_that_was_killed_and_not_waited_for_is_run_again(tmp_path: Path):
    study = open_study(_storage(tmp_path), 2, "fine_tune", START)
    worker = _worker(_storage(tmp_path), tmp_path / "lost.txt", 3600)
    _wait_for((tmp_path / "lost.txt").exists)
    worker.kill()  # and it stays a zombie, since nobody asks how it ended
    found = []
    search(lambda drawn, _: found.append(drawn) or [{"val_loss": _loss(drawn)}], _storage(tmp_path), 2)
    assert START in found
    assert [trial.state.name for trial in study.trials].count("FAIL") == 1
    worker.wait()


def test_a_study_is_not_over_while_a_point_waits(tmp_path: Path):
    study = search(lambda drawn, _: [{"val_loss": _loss(drawn)}], _storage(tmp_path), 2)
    study.enqueue_trial(START | {"dropout": 0.4})
    found = []
    search(lambda drawn, _: found.append(drawn) or [{"val_loss": _loss(drawn)}], _storage(tmp_path), 2)
    assert [drawn["dropout"] for drawn in found] == [0.4]


def _work(storage: str, log: Path, seconds: float) -> None:
    """A worker whose trials take a while and leave a line each."""

    def objective(found: dict[str, Any], callbacks: list) -> list[dict]:
        with log.open("a") as lines:
            lines.write(f"{found['learning_rate']}\n")
        time.sleep(seconds)
        return [{"val_loss": found["learning_rate"]}]

    search(objective, storage, TRIALS)


def _worker(storage: str, log: Path, seconds: float) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, __file__, storage, str(log), str(seconds)])


def _wait_for(condition: Callable[[], object]) -> None:
    ends = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite:///{}.db", "journal:{}.log"])
def test_two_workers_share_a_study_and_a_killed_ones_trial_is_run_by_the_other(kind: str, tmp_path: Path):
    storage = kind.format(tmp_path / "study")
    study = open_study(storage, TRIALS, "fine_tune", START)
    lost = _worker(storage, tmp_path / "lost.txt", 3600)
    _wait_for((tmp_path / "lost.txt").exists)
    workers = [_worker(storage, tmp_path / f"{name}.txt", 0.2) for name in ("one", "two")]
    _wait_for(lambda: len(finished_trials(study)) >= 2)
    os.kill(lost.pid, signal.SIGKILL)
    assert lost.wait() == -signal.SIGKILL
    assert [worker.wait() for worker in workers] == [0, 0]

    finished = finished_trials(study)
    assert TRIALS <= len(finished) <= TRIALS + 1
    assert not study.get_trials(states=(optuna.trial.TrialState.RUNNING,))
    abandoned = study.get_trials(states=(optuna.trial.TrialState.FAIL,))
    assert [trial.user_attrs["worker"]["process"] for trial in abandoned] == [lost.pid]
    points = Counter(trial.params["learning_rate"] for trial in finished)
    assert set(points.values()) == {1}
    assert points[abandoned[0].params["learning_rate"]] == 1
    runs = [line for name in ("one", "two") for line in (tmp_path / f"{name}.txt").read_text().split()]
    assert Counter(map(float, runs)) == points
    assert best_parameters(study)["learning_rate"] == min(points)


if __name__ == "__main__":
    _work(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
