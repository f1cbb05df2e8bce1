"""The study of notebook 05, by one process or by several workers, on any machine that reaches its storage."""

import multiprocessing
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import optuna
from optuna.trial import FrozenTrial

from ..config import Experiment, Settings
from ..training.checkpoint import clear_states
from ..training.fit import History
from ..training.search import START, finished_trials, open_study, search
from ..util.errors import TrainingDivergedError, UserError
from .rows import get_row
from .run import result_key, run
from .workspace import Workspace, open_workspace


def fine_tune_study(workspace: Workspace, experiment: Experiment, alone: bool = True) -> optuna.Study:
    """The hyperparameter study, run or gone on with.

    The trials replace some fields of `experiment` and are as long as the profile says. The only worker's study repeats
    for the same seed; workers that are not `alone` print their trials.
    """
    base = replace(experiment, epochs=workspace.profile.trial_epochs)

    def train(found: dict[str, Any], callbacks: list) -> History:
        tried = replace(base, **found)
        try:
            return run(workspace, tried, callbacks=callbacks).history
        except (optuna.TrialPruned, TrainingDivergedError):  # it is not gone on with
            clear_states(workspace.store.place(result_key(workspace, tried)) / "training")
            raise

    return search(train, *_study(workspace, base), base.seed if alone else None, None if alone else _report)


def search_with_workers(settings: Settings, workers: int) -> optuna.Study:
    """Runs a study to its end with so many processes on this machine, and returns it as notebook 05 opens it.

    Workers, here and elsewhere, meet where the setting `studies` says, and print the trials they have finished.

    Raises:
        UserError: if all workers end before the study does.
    """
    if workers < 1:
        raise UserError(f"workers={workers} should be 1 or more.")
    workspace = open_workspace(settings)
    workspace.pixels(workspace.start)  # made once, before the workers want it
    experiment = replace(workspace.start, **get_row("05_fine_tune").changes(workspace.profile))
    study = open_study(*_study(workspace, replace(experiment, epochs=workspace.profile.trial_epochs)))
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_work, args=(settings, experiment), daemon=True) for _ in range(workers)]
    for process in processes:
        process.start()
    try:
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.terminate()
    if (finished := len(finished_trials(study))) < workspace.profile.trials:
        raise UserError(
            f"All workers ended after {finished} of {workspace.profile.trials} trials; their messages stand above. "
            "The same command goes on."
        )
    return study


def _study(workspace: Workspace, base: Experiment) -> tuple[str, int, str, dict[str, Any]]:
    """A study's storage, by default an SQLite file beside the results; its number of trials, name and first trial.

    It is named by everything that its trials depend on, so that workers meet in the same one only if they may.
    """
    folder = workspace.folder / "studies"
    folder.mkdir(parents=True, exist_ok=True)
    storage = workspace.settings.studies or f"sqlite:///{quote(str(folder / 'studies.db'))}"
    first = {**START, **workspace.profile.first_trial}
    return storage, workspace.profile.trials, f"fine-tune-{result_key(workspace, base)}", first


def _work(settings: Settings, experiment: Experiment) -> None:
    fine_tune_study(open_workspace(settings), experiment, alone=False)


def _report(study: optuna.Study, trial: FrozenTrial) -> None:
    values = (f"{name} {value:{'.3g' if isinstance(value, float) else ''}}" for name, value in trial.params.items())
    loss = f"validation loss {trial.value:.4f}; " if trial.value is not None else ""
    print(f"trial {trial.number}: {loss}{', '.join(values)} ({trial.state.name.lower()})", flush=True)
