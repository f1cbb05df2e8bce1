"""A study shared by workers: no trial twice, a killed worker's trial picked up, any storage."""

import multiprocessing
import os
import signal
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from rich.console import Console

from utkface_mt.config import Experiment
from utkface_mt.util.errors import TrainingDivergedError, UserError
from utkface_mt.experiments.ladder import fine_tune_study, row_experiment
from utkface_mt.experiments.study import search_with_workers
from utkface_mt.training.search import START, best_experiment, open_study, search
from utkface_mt.training.search import finished_trials, open_storage, running_trials
from utkface_mt.experiments.workspace import open_workspace

BASE = Experiment(epochs=1)
TRIALS = 8
SPAWN = multiprocessing.get_context("spawn")


def _work(storage: str, folder: Path, endless: bool = False) -> None:
    """A worker whose trials take a moment and leave a line each; an endless one never finishes its first."""

    def objective(experiment: Experiment, callbacks: list) -> list[dict]:
        with open(folder / f"{os.getpid()}.txt", "a") as log:
            log.write(f"{experiment.learning_rate}\n")
        time.sleep(3600 if endless else 0.2)
        return [{"val_loss": experiment.learning_rate}]

    search(BASE, objective, storage, TRIALS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite:///{}.db", "journal:{}.log"])
def test_two_workers_share_a_study_and_a_killed_ones_trial_is_run_by_the_other(kind: str, tmp_path: Path):
    storage = kind.format(tmp_path / "study")
    study = open_study(storage, TRIALS, "fine_tune")
    lost = SPAWN.Process(target=_work, args=(storage, tmp_path, True))
    lost.start()
    while not [trial for trial in running_trials(study) if trial.params]:
        assert lost.is_alive()
        time.sleep(0.05)
    workers = [SPAWN.Process(target=_work, args=(storage, tmp_path)) for _ in range(2)]
    for worker in workers:
        worker.start()
    while len(finished_trials(study)) < 2:
        time.sleep(0.05)
    os.kill(lost.pid, signal.SIGKILL)
    for worker in (lost, *workers):
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]

    finished = finished_trials(study)
    assert TRIALS <= len(finished) <= TRIALS + 1
    assert not running_trials(study)
    abandoned = study.get_trials(states=(optuna.trial.TrialState.FAIL,))
    assert [trial.user_attrs["worker"]["process"] for trial in abandoned] == [lost.pid]
    points = Counter(trial.params["learning_rate"] for trial in finished)
    assert set(points.values()) == {1}
    assert points[abandoned[0].params["learning_rate"]] == 1
    runs = [line for worker in workers for line in (tmp_path / f"{worker.pid}.txt").read_text().split()]
    assert Counter(map(float, runs)) == points
    assert best_experiment(study, BASE).learning_rate == min(points)


@pytest.mark.slow
def test_the_command_gives_the_study_that_the_notebook_opens(faces_folder: Path, runs: Path):
    options = {"data": str(faces_folder), "epochs": 1, "trials": 2}
    console = Console(record=True, width=200)
    study = search_with_workers(options, 2, "", console)
    workspace = open_workspace(**options)
    notebooks = fine_tune_study(workspace, row_experiment(workspace, "03_baseline"))
    assert [trial.params for trial in notebooks.trials] == [trial.params for trial in study.trials]
    assert len(finished_trials(notebooks)) >= 2
    assert "validation loss" in console.export_text()


def test_a_diverging_trial_is_pruned_and_the_study_goes_on(tmp_path: Path):
    def objective(experiment: Experiment, callbacks: list) -> list[dict]:
        if experiment == replace(BASE, **START):
            raise TrainingDivergedError("the loss is not a number")
        return [{"val_loss": 1.0}]

    study = search(BASE, objective, f"sqlite:///{tmp_path / 'study.db'}", 3, seed=0)
    assert [trial.state.name for trial in study.trials] == ["PRUNED", "COMPLETE", "COMPLETE"]


def test_a_storage_that_cannot_be_opened_is_named_without_its_password():
    for url in ("studies.db", "postgresql://me:secret@nowhere.invalid/studies"):
        with pytest.raises(UserError, match="cannot be opened") as caught:
            open_storage(url)
        assert "secret" not in str(caught.value)


def test_workers_are_counted_from_one():
    with pytest.raises(UserError, match="workers=0"):
        search_with_workers({}, 0, "", Console())
