"""The study by command: the one that notebook 05 opens, of valid experiments, by one worker at least."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from utkface_mt.config import Experiment, Settings
from utkface_mt.experiments.results import Result
from utkface_mt.experiments.run import result_key
from utkface_mt.experiments.search_workers import _study, fine_tune_study, search_with_workers
from utkface_mt.experiments.workspace import Workspace, open_workspace
from utkface_mt.training.search import START, open_study, suggest
from utkface_mt.util.errors import UserError


@pytest.mark.slow
def test_the_command_gives_the_study_that_the_notebook_opens(
    workspace: Workspace, predictions: Callable, tmp_path: Path, capfd: pytest.CaptureFixture
):
    """The first trial is kept beforehand as if it had been trained: the worker, a process of its own, finds it."""
    settings = replace(workspace.settings, epochs=1, trials=1, runs=str(tmp_path))
    opened = open_workspace(settings)
    first = {**START, **opened.profile.first_trial}
    trial = replace(opened.start, **first)
    key = result_key(opened, trial)
    opened.store.save_predictions(key, "validation", predictions(5.0))
    opened.store.save(Result(key, trial, "sample", [{"val_loss": 0.25}], 1.0))
    study = search_with_workers(settings, 1)
    assert study.best_value == 0.25
    notebooks = fine_tune_study(opened, replace(opened.start, fine_tune=1.0))
    assert [trial.params for trial in notebooks.trials] == [trial.params for trial in study.trials] == [first]
    assert "trial 0: validation loss 0.2500" in capfd.readouterr().out


@pytest.mark.slow
def test_a_pruned_trial_leaves_no_states_behind(workspace: Workspace, tmp_path: Path):
    """Two finished trials, better than any can be, have the third one pruned; each of its states has 5 to 80 MB.

    The folder has a name that means something else in an address.
    """
    settings = replace(workspace.settings, epochs=2, trials=3, runs=str(tmp_path / "50%20 a?b{c}"))
    opened = open_workspace(settings)
    experiment = replace(opened.start, fine_tune=1.0)
    study = open_study(*_study(opened, replace(experiment, epochs=opened.profile.trial_epochs)))
    drawn = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    suggest(drawn)
    for _ in range(2):
        losses = {"value": 0.0, "intermediate_values": {0: 0.0, 1: 0.0}}
        study.add_trial(create_trial(params=drawn.params, distributions=drawn.distributions, **losses))
    study = fine_tune_study(opened, experiment)
    assert [trial.state for trial in study.trials].count(TrialState.PRUNED) == 1
    assert list(tmp_path.rglob("training/history.json"))
    assert not list(tmp_path.rglob("epoch-*.npz"))
    assert (opened.folder / "studies" / "studies.db").exists()


def test_workers_are_counted_from_one():
    with pytest.raises(UserError, match="workers=0"):
        search_with_workers(Settings(), 0)


def test_every_searched_value_makes_a_valid_experiment():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        assert Experiment(**suggest(study.ask())).batch_size in (16, 32, 64)
    assert Experiment(**START).fine_tune == 1.0
