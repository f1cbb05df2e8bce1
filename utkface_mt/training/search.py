"""The hyperparameter study: what is searched, how a trial is run and cut short, who wins."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna_integration import KerasPruningCallback

from ..backend import keras
from ..config import Experiment
from ..errors import TrainingDivergedError, UserError
from .fit import History
from .studies import finished_trials, open_storage, requeue_orphans, running_trials, sign

MONITOR = "val_loss"
POLL_SECONDS = 1.0  # between looks at whether another worker has finished the last trial, or died
Objective = Callable[[Experiment, list[keras.callbacks.Callback]], History]


SPACE = {
    "learning_rate": FloatDistribution(3e-5, 1e-3, log=True),
    "dropout": FloatDistribution(0.0, 0.5),
    "batch_size": CategoricalDistribution([16, 32, 64]),
    "optimizer": CategoricalDistribution(["adam", "adamw"]),
    "weight_decay": FloatDistribution(1e-6, 1e-2, log=True),
    "fine_tune": CategoricalDistribution([0.3, 0.6, 1.0]),
}


def suggest(trial: optuna.Trial) -> dict[str, Any]:
    """Draws one point of `SPACE`, as fields of `Experiment`."""
    drawn = {}
    for name, kind in SPACE.items():
        if isinstance(kind, CategoricalDistribution):
            drawn[name] = trial.suggest_categorical(name, kind.choices)
        else:
            drawn[name] = trial.suggest_float(name, kind.low, kind.high, log=kind.log)
    return drawn


START = {  # the first trial: a plain fine-tune that is known to work, so that the study never ends below it
    "learning_rate": 2e-4,
    "dropout": 0.2,
    "batch_size": 32,
    "optimizer": "adam",
    "weight_decay": 1e-5,
    "fine_tune": 1.0,
}


def search(
    base: Experiment, objective: Objective, storage: str, trials: int, name: str = "fine_tune", seed: int | None = None
) -> optuna.Study:
    """Works on a study until it has `trials` finished trials, going on with what is there.

    The objective is the lowest validation loss of a trial; the test set plays no part. Trials are drawn by the
    tree-structured Parzen estimator and cut short by the median pruner. Other workers may call this at the same
    time with the same storage and name; each trial is run by one of them.

    Args:
        base: the experiment whose fields the trials replace.
        objective: trains one experiment with further callbacks and returns its history.
        storage: as for `open_storage`.
        trials: how many trials are to be finished in all; several workers may finish one or two more.
        name: the study's.
        seed: of the sampler. Workers that share a study give none, so that they draw different trials.

    Returns:
        The study; `best_experiment` reads its result.
    """
    study = open_study(storage, trials, name, seed)

    def run_trial(trial: optuna.Trial) -> float:
        sign(trial)
        pruning = KerasPruningCallback(trial, MONITOR)
        try:
            history = objective(replace(base, **suggest(trial)), [pruning])
        except TrainingDivergedError as error:
            raise optuna.TrialPruned(str(error)) from error
        except KeyboardInterrupt:
            study.enqueue_trial(trial.params)  # Optuna marks it as failed
            raise
        return min(epoch[MONITOR] for epoch in history)

    while (finished := len(finished_trials(study))) < trials:
        requeue_orphans(study)
        if finished + len(running_trials(study)) < trials:
            study.optimize(run_trial, n_trials=1)
        else:
            time.sleep(POLL_SECONDS)
    return study


def open_study(storage: str, trials: int, name: str, seed: int | None = None) -> optuna.Study:
    """Opens a study, or founds it with `START` as its first trial.

    Args:
        storage: as for `open_storage`.
        trials: how many are planned; the first third is drawn at random.
        name: the study's.
        seed: of the sampler.
    """
    study = optuna.create_study(
        study_name=name,
        storage=open_storage(storage),
        direction="minimize",
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=max(2, trials // 3)),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=1),
        load_if_exists=True,
    )
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(START)
    return study


def best_experiment(study: optuna.Study, base: Experiment) -> Experiment:
    """The base with the best trial's values.

    Raises:
        UserError: if no trial was completed.
    """
    if not study.get_trials(states=(optuna.trial.TrialState.COMPLETE,)):
        raise UserError("The study has no completed trial. Run notebook 05 again; it goes on with the study.")
    return replace(base, **study.best_params)
