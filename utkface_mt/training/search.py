"""The hyperparameter study: what is searched, how a trial is run and cut short, where it is kept, who wins.

Any number of workers may share a study. A worker is a process. Each trial says which worker runs it, so that a trial
whose worker is gone can be queued again: at once where the worker ran on this machine; in a database also when a
worker elsewhere gave no sign of life for `GRACE_SECONDS`. A journal file knows no such signs: there, a trial lost on
another machine waits for that machine.
"""

import contextlib
import datetime
import os
import platform
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
import psutil
import sqlalchemy
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from ..util.backend import keras
from ..util.errors import TrainingDivergedError, UserError
from .fit import History

POLL_SECONDS = 1.0  # between looks at whether another worker has finished the last trial, or died
HEARTBEAT_SECONDS = 60
GRACE_SECONDS = 300
JOURNAL = "journal:"
STARTING = datetime.timedelta(seconds=60)  # how long a trial may run before it says whose it is


def suggest(trial: optuna.Trial) -> dict[str, Any]:
    """Draws the hyperparameters of a trial, as fields of `Experiment`."""
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


def search(
    objective: Callable[[dict[str, Any], list[keras.callbacks.Callback]], History],
    storage: str,
    trials: int,
    name: str = "fine_tune",
    first: Mapping[str, Any] = START,
    seed: int | None = None,
    report: Callable[[optuna.Study, FrozenTrial], None] | None = None,
) -> optuna.Study:
    """Works on a study until it has `trials` finished trials, going on with what is there.

    A trial is judged by its lowest validation loss; the test set plays no part. A new study tries `first` first. The
    objective trains with hyperparameters, as `suggest` draws them, and further callbacks; `report` is called with the
    study and each trial that this worker has finished.

    Other workers may call this at the same time with the same storage (as for `open_storage`) and name; each trial is
    run by one of them, and each but one may finish one more. They give no seed of the sampler, so that they draw
    different trials.
    """
    study = open_study(storage, trials, name, first, seed)

    def run_trial(trial: optuna.Trial) -> float:
        from optuna_integration import KerasPruningCallback  # after `backend`, which imports TensorFlow quietly

        # `_ident` counts from the start of the machine: unlike a time of day, it stays as it is when the clock steps
        worker = {"host": platform.node(), "process": os.getpid(), "started": psutil.Process()._ident[1]}
        trial.set_user_attr("worker", worker)
        try:
            history = objective(suggest(trial), [KerasPruningCallback(trial, "val_loss")])
        except TrainingDivergedError as error:
            raise optuna.TrialPruned(str(error)) from error
        except (optuna.TrialPruned, optuna.exceptions.UpdateFinishedTrialError):  # or it was taken for lost
            raise
        except BaseException:  # interrupted, or a worker lost, a disk full: Optuna marks it as failed
            _queue_again(study, trial)
            raise
        return min(epoch["val_loss"] for epoch in history)

    while (finished := len(finished_trials(study))) < trials or study.get_trials(states=(TrialState.WAITING,)):
        _requeue_orphans(study)
        states = [trial.state for trial in study.get_trials(deepcopy=False)]
        if TrialState.WAITING in states or finished + states.count(TrialState.RUNNING) < trials:
            study.optimize(run_trial, n_trials=1, callbacks=[report] if report else None)
        else:
            time.sleep(POLL_SECONDS)
    return study


def open_study(storage: str, trials: int, name: str, first: Mapping[str, Any], seed: int | None = None) -> optuna.Study:
    """Opens a study, or founds it with `first` as its first trial; the arguments are those of `search`.

    A third of the `trials` is drawn at random, the others by the tree-structured Parzen estimator; the median pruner
    cuts them short.
    """
    study = optuna.create_study(
        study_name=name,
        storage=open_storage(storage),
        direction="minimize",
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=max(2, trials // 3)),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=1),
        load_if_exists=True,
    )
    if not (known := study.get_trials(deepcopy=False)):
        study.enqueue_trial(dict(first))
    elif len(known) > 1:
        study.sampler.reseed_rng()  # or it would draw again what it has drawn
    return study


def best_parameters(study: optuna.Study) -> dict[str, Any]:
    """The best trial's hyperparameters.

    Raises:
        UserError: if no trial was completed.
    """
    if not study.get_trials(states=(TrialState.COMPLETE,)):
        cut = len(study.get_trials(states=(TrialState.PRUNED,)))
        raise UserError(f"The study has no completed trial; {cut} were pruned or diverged. Go on with more --trials.")
    return study.best_params


def open_storage(url: str, tries: int = 3) -> optuna.storages.BaseStorage:
    """Opens the storage of studies: `sqlite:///FILE` for the workers of one machine, `journal:FILE` on a shared disk.

    Or the URL of a database that SQLAlchemy reaches, such as `postgresql://USER@HOST/NAME`.

    Raises:
        UserError: if it cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # heartbeats
    try:
        if url.startswith(JOURNAL):
            path = Path(url.removeprefix(JOURNAL)).expanduser()
            path.parent.mkdir(parents=True, exist_ok=True)
            return JournalStorage(JournalFileBackend(str(path)))
        storage = RDBStorage(
            url,
            {"connect_args": {"timeout": HEARTBEAT_SECONDS}} if url.startswith("sqlite") else None,
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=GRACE_SECONDS,
            heartbeat_stale_trial_callback=_queue_again,
        )
        if storage.engine.name == "sqlite":  # it has no lock on a row, so that two workers could take the same trial
            sqlalchemy.event.listen(storage.engine, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE"))
        return storage
    except (ValueError, OSError, ImportError, sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        if tries > 1 and isinstance(error, sqlalchemy.exc.SQLAlchemyError):  # another worker was making its tables
            time.sleep(POLL_SECONDS)
            return open_storage(url, tries - 1)
        raise UserError(
            f"The study storage {url.split('@')[-1]!r} cannot be opened ({str(error).splitlines()[0]}). Give "
            f"sqlite:///FILE, {JOURNAL}FILE, or the URL of a database whose driver is installed."
        ) from error


def finished_trials(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that ran to their end or were pruned."""
    return study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))


def _requeue_orphans(study: optuna.Study) -> None:
    """Marks the trials of this machine's dead workers as failed and queues their points again.

    To be called between trials: one that this very process seems to be running was interrupted.
    """
    optuna.storages.fail_stale_trials(study)  # `optimize` does so too, but it is not called while all trials run
    for trial in filter(_is_orphan, study.get_trials(states=(TrialState.RUNNING,))):
        with contextlib.suppress(ValueError, optuna.exceptions.UpdateFinishedTrialError):  # another worker was faster
            study.tell(trial.number, state=TrialState.FAIL)
            _queue_again(study, trial)


def _queue_again(study: optuna.Study, trial: optuna.Trial | FrozenTrial) -> None:
    """Queues a trial's point, drawn or only told to it, with its losses: training goes on, and is pruned by them."""
    old = study.get_trials(deepcopy=False)[trial.number]
    point = {"fixed_params": {**old.system_attrs.get("fixed_params", {}), **trial.params}}
    losses = old.intermediate_values
    study.add_trial(create_trial(state=TrialState.WAITING, system_attrs=point, intermediate_values=losses))


def _is_orphan(trial: FrozenTrial) -> bool:
    worker = trial.user_attrs.get("worker")
    if worker is None:
        return datetime.datetime.now() - trial.datetime_start > STARTING
    if worker["host"] != platform.node() or worker["process"] == os.getpid():
        return worker["host"] == platform.node()
    try:
        process = psutil.Process(worker["process"])
        return process.status() == psutil.STATUS_ZOMBIE or process._ident[1] != worker["started"]
    except psutil.NoSuchProcess:
        return True
