"""The hyperparameter study: what is searched, how trials are cut short, where the study is kept."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from optuna_integration import KerasPruningCallback

from ..backend import keras
from ..config import Experiment
from ..errors import UserError
from .fit import History

MONITOR = "val_loss"
Objective = Callable[[Experiment, list[keras.callbacks.Callback]], History]


def suggest(trial: optuna.Trial) -> dict[str, Any]:
    """Draws one point of the search space, as fields of `Experiment`."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 3e-5, 1e-3, log=True),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "batch_size": trial.suggest_categorical("batch_size", [16, 32, 64]),
        "optimizer": trial.suggest_categorical("optimizer", ["adam", "adamw"]),
        "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True),
        "fine_tune": trial.suggest_categorical("fine_tune", [0.3, 0.6, 1.0]),
    }


START = {  # the first trial: a plain fine-tune that is known to work, so that the study never ends below it
    "learning_rate": 2e-4,
    "dropout": 0.2,
    "batch_size": 32,
    "optimizer": "adam",
    "weight_decay": 1e-5,
    "fine_tune": 1.0,
}


def search(base: Experiment, objective: Objective, storage: Path, trials: int) -> optuna.Study:
    """Runs a study up to `trials` finished trials, going on with one that was stopped.

    The objective is the lowest validation loss of a trial; the test set plays no part. Trials are drawn by the
    tree-structured Parzen estimator and cut short by the median pruner.

    Args:
        base: the experiment whose fields the trials replace.
        objective: trains one experiment with further callbacks and returns its history.
        storage: SQLite file that holds the study.
        trials: how many trials are to be finished in all.

    Returns:
        The study; `best_experiment` reads its result.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name="fine_tune",
        storage=f"sqlite:///{storage}",
        direction="minimize",
        sampler=optuna.samplers.TPESampler(seed=base.seed, n_startup_trials=max(2, trials // 3)),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=1),
        load_if_exists=True,
    )
    if not study.trials:
        study.enqueue_trial(START)

    def run_trial(trial: optuna.Trial) -> float:
        pruning = KerasPruningCallback(trial, MONITOR)
        history = objective(replace(base, **suggest(trial)), [pruning])
        return min(epoch[MONITOR] for epoch in history)

    _fail_stopped_trials(study)
    while (left := trials - len(finished_trials(study))) > 0:
        study.optimize(run_trial, n_trials=left)
    return study


def finished_trials(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials that ran to their end or were pruned."""
    return study.get_trials(states=(optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED))


def best_experiment(study: optuna.Study, base: Experiment) -> Experiment:
    """The base with the best trial's values.

    Raises:
        UserError: if no trial was completed.
    """
    if not study.get_trials(states=(optuna.trial.TrialState.COMPLETE,)):
        raise UserError("The study has no completed trial. Run notebook 05 again; it goes on with the study.")
    return replace(base, **study.best_params)


def _fail_stopped_trials(study: optuna.Study) -> None:
    """Marks trials that a killed process left running as failed, and queues their points again."""
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.enqueue_trial(trial.params)
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
