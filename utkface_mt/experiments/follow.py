"""What the workers after the first do: they train what it trains, write nothing, and end when its run does."""

import os
import sys

from ..config import Experiment, Settings
from ..training.workers import lost, naming_the_lost, orders, read_cluster
from ..util.errors import TrainingDivergedError
from ..util.locks import left_behind, lock_path
from .run import train_with_others
from .workspace import open_workspace

FOLLOWED = "UTKFACE_MT_FOLLOWED"  # set once a first notebook has been followed


def follow(settings: Settings) -> int:
    """Takes part in all training of the first worker's run, a notebook at a time, until the run has ended.

    TensorFlow joins a cluster once in a process, and each notebook is a process of its own: after a notebook this
    process starts itself again.

    Raises:
        UserError: if the first worker or another one is lost, or is about to do something else than this one.
    """
    cluster, lock = read_cluster(), lock_path(settings.runs_folder / settings.profile)
    if FOLLOWED in os.environ:
        if left_behind(lock):
            raise lost(0)
        if not lock.with_suffix(".json").exists():  # which says who holds it
            print("The first worker's run has ended.")
            return 0
    print(f"{cluster.name(cluster.rank)} follows {cluster.name(0)}.", flush=True)
    with naming_the_lost():
        workspace = open_workspace(settings)
        for number, experiment in enumerate(orders(), start=1):
            print(f"Training {number} of this notebook ...", flush=True)
            try:
                train_with_others(workspace, Experiment.from_dict(experiment))
            except TrainingDivergedError as error:  # as on the first worker, which may go on with another trial
                print(error, flush=True)
    os.environ[FOLLOWED] = "1"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
