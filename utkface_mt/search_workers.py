"""The study of notebook 05 with several workers: processes here, and on any machine that reaches the storage."""

import multiprocessing
import time
from typing import Any

import optuna
from rich.console import Console

from .errors import UserError
from .ladder import fine_tune_study, row_experiment, study_name, study_storage
from .training.search import POLL_SECONDS, open_study
from .training.studies import finished_trials
from .workspace import Workspace, open_workspace


def search_with_workers(options: dict[str, Any], workers: int, storage: str, console: Console) -> optuna.Study:
    """Runs the study of a workspace to its end.

    Args:
        options: for `open_workspace`.
        workers: processes to start on this machine.
        storage: as for `utkface_mt.training.studies.open_storage`; empty for the run's own SQLite file.
        console: where finished trials are reported.

    Returns:
        The study, as notebook 05 opens it.

    Raises:
        UserError: if all workers end before the study does.
    """
    if workers < 1:
        raise UserError(f"workers={workers} should be 1 or more.")
    workspace = open_workspace(**options)
    storage = storage or study_storage(workspace)
    workspace.pixels(workspace.start)  # made once, before the workers want it
    study = _study(workspace, storage)
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_work, args=(options, storage), daemon=True) for _ in range(workers)]
    for process in processes:
        process.start()
    try:
        _watch(study, workspace.profile.trials, processes, console)
    finally:
        for process in processes:
            process.join() if len(finished_trials(study)) >= workspace.profile.trials else process.terminate()
    return study


def _study(workspace: Workspace, storage: str) -> optuna.Study:
    baseline = row_experiment(workspace, "03_baseline")
    return open_study(storage, workspace.profile.trials, study_name(workspace, baseline))


def _work(options: dict[str, Any], storage: str) -> None:
    """What a worker process does."""
    workspace = open_workspace(**options)
    fine_tune_study(workspace, row_experiment(workspace, "03_baseline"), storage, alone=False)


def _watch(study: optuna.Study, trials: int, processes: list, console: Console) -> None:
    """Reports each finished trial until there are enough, or no worker is left."""
    reported = 0
    while True:
        alive = any(process.is_alive() for process in processes)
        finished = finished_trials(study)
        for trial in sorted(finished, key=lambda trial: trial.datetime_complete)[reported:]:
            console.print(f"trial {trial.number}: {_told(trial)} ({trial.state.name.lower()})")
        reported = len(finished)
        if reported >= trials:
            return
        if not alive:
            raise UserError(
                f"All workers ended after {reported} of {trials} trials; their messages stand above. "
                "The same command goes on."
            )
        time.sleep(POLL_SECONDS)


def _told(trial: optuna.trial.FrozenTrial) -> str:
    values = ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in trial.params.items()
    )
    return f"validation loss {trial.value:.4f}; {values}" if trial.value is not None else values
