"""Fitting a network: the same code for pictures and for the features of a frozen backbone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..backend import keras, tf
from ..config import Experiment
from ..data.batches import AgeScale, epoch_order, training_batches
from ..model.augment import get_augment
from ..model.losses import SoftLabels, loss_weights, sample_weights, targets, task_losses
from ..model.network import start_from_prior
from .checkpoint import Checkpoints
from .guards import StopBadTraining, check_labels
from .schedule import build_optimizer, plateau_callback

History = list[dict[str, float]]


@dataclass(frozen=True)
class TrainingData:
    """What is learnt from and what decides when to stop.

    Attributes:
        source: pictures uint8 `[n, size, size, 3]` or features float32 `[n, d]`.
        train: positions of the training faces in `source`.
        validation: positions of the validation faces.
        ages: in years, `[n]`.
        genders: codes, `[n]`.
        scale: the training ages' mean and deviation.
        files: the names of the faces in `source`, for messages.
        soft: soft labels of the training faces, in the order of `train`, or None.
    """

    source: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    ages: np.ndarray
    genders: np.ndarray
    scale: AgeScale
    files: Sequence[str]
    soft: SoftLabels | None = None


def fit(
    model: keras.Model,
    data: TrainingData,
    experiment: Experiment,
    folder: Path,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> History:
    """Trains a model, going on from the last finished epoch if `folder` holds one, and loads the best weights.

    The state of the last epochs stays in `folder`: whoever has put the result away removes it with `clear_states`.

    Args:
        model: with the outputs `age` and `gender`.
        data: as above; its `source` fits the model's input.
        experiment: says everything else.
        folder: for checkpoints; one training run has one folder.
        callbacks: further Keras callbacks, such as a pruner's.

    Returns:
        One dictionary an epoch: losses, their parts, learning rate at its end, seconds.

    Raises:
        TrainingDivergedError: if the loss stops being a number.
        UserError: if labels are out of range, or nothing is learnt.
    """
    faces = np.concatenate([data.train, data.validation])
    check_labels(data.ages[faces], data.genders[faces], [data.files[row] for row in faces])
    start_from_prior(model, experiment, data.ages[data.train])
    steps = -(-len(data.train) // experiment.batch_size)
    model.compile(
        optimizer=build_optimizer(experiment, steps),
        loss=task_losses(experiment),
        loss_weights=loss_weights(experiment),
        metrics={"gender": [keras.metrics.BinaryAccuracy(name="accuracy")]},
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)
    plateau = plateau_callback(experiment) if experiment.scheduler == "plateau" else None
    checkpoints = Checkpoints(folder, experiment.patience, plateau)
    start = checkpoints.restore(model)
    guard = StopBadTraining(lambda epoch, batch: _files_of(data, experiment, epoch, batch))
    if start < experiment.epochs and not checkpoints.finished:
        model.fit(
            _batches(data, experiment, start),
            epochs=experiment.epochs,
            initial_epoch=start,
            steps_per_epoch=steps,
            validation_data=_validation_batches(data, experiment),
            callbacks=[guard, *([plateau] if plateau else []), checkpoints, *callbacks],
            shuffle=False,  # the batches come in their order already
            verbose=0,
        )
    checkpoints.load_best(model)
    return checkpoints.history


def _files_of(data: TrainingData, experiment: Experiment, epoch: int, batch: int) -> list[str]:
    """The names of the faces in one batch."""
    order = epoch_order(len(data.train), experiment.seed, epoch)
    members = order[batch * experiment.batch_size : (batch + 1) * experiment.batch_size]
    return [data.files[row] for row in data.train[members]]


def _batches(data: TrainingData, experiment: Experiment, start: int) -> tf.data.Dataset:
    rows = data.train
    return training_batches(
        data.source,
        rows,
        targets(data.ages[rows], data.genders[rows], experiment, data.scale, data.soft),
        sample_weights(data.genders[rows], experiment),
        batch_size=experiment.batch_size,
        epochs=experiment.epochs,
        seed=experiment.seed,
        start_epoch=start,
        augment=get_augment(experiment.augment),
        first_size=experiment.first_size,
        first_epochs=experiment.first_epochs,
    )


def _validation_batches(data: TrainingData, experiment: Experiment) -> tf.data.Dataset:
    """The validation faces once, unchanged and unweighted, in batches of a fixed size."""
    rows = data.validation
    expected = targets(data.ages[rows], data.genders[rows], experiment, data.scale)
    even = {name: np.ones(len(rows), np.float32) for name in expected}
    return training_batches(data.source, rows, expected, even, batch_size=64, epochs=1, seed=0)
