"""Where a study is kept, and whose trials it holds: any number of workers may share one.

A worker is a process. Each trial says which worker runs it, so that a trial whose worker is gone can be queued again:
at once where the worker ran on this machine; in a database also when a worker elsewhere gave no sign of life for
`GRACE_SECONDS`. A journal file knows no such signs: there, a trial lost on another machine waits for that machine.
"""

import datetime
import os
import platform
import warnings
from pathlib import Path

import optuna
import psutil
import sqlalchemy.exc
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from ..errors import UserError

HEARTBEAT_SECONDS = 60
GRACE_SECONDS = 300
JOURNAL = "journal:"
_STARTING = datetime.timedelta(seconds=60)  # how long a trial may run before it says whose it is


def open_storage(url: str) -> optuna.storages.BaseStorage:
    """Opens the storage of studies.

    Args:
        url: `sqlite:///FILE` (workers of one machine), `journal:FILE` (a file on a shared disk), or the URL of a
            database that SQLAlchemy reaches, such as `postgresql://USER@HOST/NAME`.

    Raises:
        UserError: if it cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        if url.startswith(JOURNAL):
            path = Path(url.removeprefix(JOURNAL)).expanduser()
            path.parent.mkdir(parents=True, exist_ok=True)
            return JournalStorage(JournalFileBackend(str(path)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # heartbeats
            return RDBStorage(
                url,
                heartbeat_interval=HEARTBEAT_SECONDS,
                grace_period=GRACE_SECONDS,
                heartbeat_stale_trial_callback=lambda study, trial: study.enqueue_trial(trial.params),
            )
    except (ValueError, OSError, ImportError, sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        raise UserError(
            f"The study storage {url.split('@')[-1]!r} cannot be opened ({str(error).splitlines()[0]}). Give "
            f"sqlite:///FILE, {JOURNAL}FILE, or the URL of a database whose driver is installed."
        ) from error


def finished_trials(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that ran to their end or were pruned."""
    return study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))


def running_trials(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that workers are running."""
    return study.get_trials(states=(TrialState.RUNNING,))


def sign(trial: optuna.Trial) -> None:
    """Writes into a trial that this process runs it."""
    worker = {"host": platform.node(), "process": os.getpid(), "started": psutil.Process().create_time()}
    trial.set_user_attr("worker", worker)


def requeue_orphans(study: optuna.Study) -> int:
    """Marks the trials of this machine's dead workers as failed and queues their points again.

    To be called between trials: one that this very process seems to be running was interrupted.

    Returns:
        How many there were.
    """
    count = 0
    for trial in running_trials(study):
        if not _is_orphan(trial):
            continue
        try:
            study.tell(trial.number, state=TrialState.FAIL)
        except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
            continue  # another worker was faster
        study.enqueue_trial(trial.params)
        count += 1
    return count


def _is_orphan(trial: FrozenTrial) -> bool:
    worker = trial.user_attrs.get("worker")
    if worker is None:
        return datetime.datetime.now() - trial.datetime_start > _STARTING
    if worker["host"] != platform.node():
        return False
    if worker["process"] == os.getpid():
        return True
    try:
        return abs(psutil.Process(worker["process"]).create_time() - worker["started"]) > 1
    except psutil.NoSuchProcess:
        return True
