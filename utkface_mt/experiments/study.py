"""The study of notebook 05, by one process or by several workers, on any machine that reaches its storage."""

import multiprocessing
import time
from dataclasses import replace
from typing import Any

import optuna
from rich.console import Console

from ..config import Experiment, Settings
from ..training.fit import History
from ..training.search import POLL_SECONDS, finished_trials, open_study, search
from ..util.errors import UserError
from .rows import get_row
from .run import run
from .workspace import Workspace, open_workspace


def fine_tune_study(workspace: Workspace, experiment: Experiment, alone: bool = True) -> optuna.Study:
    """The hyperparameter study, run or gone on with.

    Args:
        workspace: the run.
        experiment: what is to be fine-tuned; the trials replace some of its fields and are as long as the profile says.
        alone: whether this is the only worker; then the study repeats for the same seed.
    """
    base = replace(experiment, epochs=workspace.profile.trial_epochs)

    def train(found: dict[str, Any], callbacks: list) -> History:
        return run(workspace, replace(base, **found), callbacks=callbacks).history

    return search(train, *_study(workspace, base), base.seed if alone else None)


def search_with_workers(settings: Settings, workers: int, console: Console) -> optuna.Study:
    """Runs the study of a workspace to its end.

    Args:
        settings: of the run; `studies` says where the workers meet.
        workers: processes to start on this machine.
        console: where finished trials are reported.

    Returns:
        The study, as notebook 05 opens it.

    Raises:
        UserError: if all workers end before the study does.
    """
    if workers < 1:
        raise UserError(f"workers={workers} should be 1 or more.")
    workspace = open_workspace(settings)
    workspace.pixels(workspace.start)  # made once, before the workers want it
    base = replace(_experiment(workspace), epochs=workspace.profile.trial_epochs)
    study = open_study(*_study(workspace, base))
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_work, args=(settings,), daemon=True) for _ in range(workers)]
    for process in processes:
        process.start()
    try:
        _watch(study, workspace.profile.trials, processes, console)
    finally:
        for process in processes:
            process.join() if len(finished_trials(study)) >= workspace.profile.trials else process.terminate()
    return study


def _experiment(workspace: Workspace) -> Experiment:
    return replace(workspace.start, **get_row("05_fine_tune").changes(workspace.profile))


def _study(workspace: Workspace, base: Experiment) -> tuple[str, int, str]:
    """A study's storage, by default an SQLite file beside the results; how many trials it has; and its name.

    It is named by everything that its trials depend on, so that workers meet in the same one only if they may.
    """
    folder = workspace.folder / "studies"
    folder.mkdir(parents=True, exist_ok=True)
    storage = workspace.settings.studies or f"sqlite:///{folder / 'studies.db'}"
    return storage, workspace.profile.trials, f"fine-tune-{workspace.key(base)}"


def _work(settings: Settings) -> None:
    """What a worker process does."""
    workspace = open_workspace(settings)
    fine_tune_study(workspace, _experiment(workspace), alone=False)


def _watch(study: optuna.Study, trials: int, processes: list, console: Console) -> None:
    """Reports each finished trial until there are enough, or no worker is left."""
    reported = 0
    while reported < trials:
        alive = any(process.is_alive() for process in processes)
        finished = finished_trials(study)
        for trial in sorted(finished, key=lambda trial: trial.datetime_complete)[reported:]:
            short = (f"{value:.3g}" if isinstance(value, float) else value for value in trial.params.values())
            values = (f"{name} {value}" for name, value in zip(trial.params, short, strict=True))
            loss = f"validation loss {trial.value:.4f}; " if trial.value is not None else ""
            console.print(f"trial {trial.number}: {loss}{', '.join(values)} ({trial.state.name.lower()})")
        reported = len(finished)
        if reported < trials and not alive:
            raise UserError(
                f"All workers ended after {reported} of {trials} trials; their messages stand above. "
                "The same command goes on."
            )
        time.sleep(POLL_SECONDS)
