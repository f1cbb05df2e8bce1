"""Soft labels: what networks say of training faces that they were not trained on.

A label of UTKFace is one annotator's guess, and some are plainly wrong. Networks trained on the other folds do not
know a face's label, so that where they contradict it with confidence, a blend of both is closer to the truth than the
label alone. It also says what a single label cannot: which other answers would have been nearly as good (Hinton,
Vinyals and Dean, 2015; out-of-fold predictions as in Wolpert's stacking, 1992).
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.model_selection import GroupKFold

from ..backend import keras
from ..config import Experiment
from ..files import replacing
from ..model.losses import SoftLabels
from ..model.network import YEARS
from .answers import mean_answers
from .checkpoint import clear_states
from .fit import TrainingData, fit


def soft_labels(
    data: TrainingData,
    clusters: np.ndarray,
    experiment: Experiment,
    build: Callable[[], keras.Model],
    folder: Path,
) -> SoftLabels:
    """Trains a teacher on all folds but one, for each fold, and predicts the fold with it.

    Each fold's answers are kept as they are finished; a call that was stopped goes on with the next.

    Args:
        data: what the student is to be trained on.
        clusters: near-duplicate cluster of each face in `data.source`; a cluster is never divided.
        experiment: the teachers'.
        build: makes an untrained network.
        folder: for checkpoints and answers.

    Returns:
        Soft labels in the order of `data.train`; each face's come from the one teacher that did not see it.
    """
    faces = len(data.train)
    soft = SoftLabels(np.zeros((faces, len(YEARS)), np.float32), np.zeros(faces, np.float32))
    folds = GroupKFold(experiment.soft_folds, shuffle=True, random_state=0).split(
        data.train, groups=clusters[data.train]
    )
    for number, (seen, held_out) in enumerate(folds):
        path = folder / f"fold-{number}.npz"
        if not path.exists():
            teacher = build()
            fit(teacher, replace(data, train=data.train[seen], soft=None), experiment, folder / f"fold-{number}")
            answers = mean_answers(teacher, data.source, data.train[held_out], flip=True)
            with replacing(path) as temporary:
                np.savez(temporary, age=answers["age"], gender=answers["gender"][:, 0])
            clear_states(folder / f"fold-{number}")
        with np.load(path) as saved:
            soft.age[held_out], soft.gender[held_out] = saved["age"], saved["gender"]
    return soft
