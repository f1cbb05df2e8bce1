"""Fitting a network: the same code for pictures and for the features of a frozen backbone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data.augment import get_augment
from ..data.batches import epoch_order, training_batches
from ..model.age import AgeHead
from ..model.losses import loss_weights, sample_weights, targets, task_losses, track_losses
from ..util.backend import keras, tf
from .checkpoint import Checkpoints
from .guards import StopBadTraining, check_labels
from .optimizer import plateau_callback
from .workers import InStep, WorkerModel, sharing

History = list[dict[str, float]]


@dataclass(frozen=True)
class TrainingData:
    """What is learnt from and what decides when to stop."""

    source: np.ndarray  # pictures uint8 `[n, size, size, 3]` or features float32 `[n, d]`
    train: np.ndarray  # positions of the training faces in `source`
    validation: np.ndarray  # positions of the validation faces
    ages: np.ndarray  # in years, `[n]`
    genders: np.ndarray  # codes, `[n]`
    files: Sequence[str]  # the names of the faces in `source`, for messages


def fit(
    model: keras.Model,
    data: TrainingData,
    age_head: AgeHead,
    optimizer: keras.optimizers.Optimizer,
    folder: Path,
    *,
    epochs: int,
    batch_size: int = 32,
    patience: int = 5,
    plateau: bool = False,
    gender_share: float = 0.5,
    weights: str = "none",
    augment: str = "none",
    first_size: int = 0,
    first_epochs: int = 0,
    seed: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> History:
    """Trains a model, going on from the last finished epoch if `folder` holds one, and loads the best weights.

    The state of the last epochs stays in `folder`, of which each training run has its own: whoever has put the result
    away removes it with `clear_states`. The model has the outputs `age`, whose targets, loss and start `age_head`
    knows, and `gender`. `Experiment` describes the options, where `weights` is called `sample_weights`; with `plateau`
    the learning rate falls when the validation loss stalls.

    The history has a dictionary an epoch: losses, their parts, learning rate at its end, seconds.

    Raises:
        TrainingDivergedError: if the loss stops being a number.
        UserError: if labels are out of range, or nothing is learnt.
    """
    faces = np.concatenate([data.train, data.validation])
    check_labels(data.ages[faces], data.genders[faces], [data.files[row] for row in faces])
    age_head.start(model, data.ages[data.train])
    cluster = sharing()
    rank, workers = (cluster.rank, len(cluster.addresses)) if cluster else (0, 1)
    plain, model = model, WorkerModel(model.input, model.output) if cluster else model
    measured = {"gender": [keras.metrics.BinaryAccuracy(name="accuracy")]}
    model.compile(
        optimizer=optimizer,
        loss=task_losses(age_head),
        loss_weights=loss_weights(gender_share),
        **{"weighted_metrics" if cluster else "metrics": measured},  # `WorkerModel` weighs with the faces that count
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)
    if not tf.distribute.has_strategy():  # under a strategy Keras does it itself
        track_losses(model, targets(data.ages[:1], data.genders[:1], age_head))
    reducing = plateau_callback(patience) if plateau else None
    checkpoints = Checkpoints(folder, patience, reducing, writing=rank == 0)
    start = checkpoints.restore(model)
    together = InStep(cluster)
    together.start(start)
    if start < epochs and not checkpoints.finished:

        def files_of(epoch: int, batch: int) -> list[str]:
            members = epoch_order(len(data.train), seed, epoch)[batch * batch_size : (batch + 1) * batch_size]
            return [data.files[row] for row in data.train[members]]

        def batches_of(rows: np.ndarray, weights: str, **options: Any) -> Any:
            wanted = targets(data.ages[rows], data.genders[rows], age_head), sample_weights(data.genders[rows], weights)
            batches = training_batches(data.source, rows, *wanted, rank=rank, workers=workers, **options)
            here = model.distribute_strategy
            return here.distribute_datasets_from_function(lambda _: batches) if cluster else batches

        changes = {"augment": get_augment(augment), "first_size": first_size, "first_epochs": first_epochs}
        order = {"batch_size": batch_size, "epochs": epochs, "seed": seed, "start_epoch": start}
        own = [StopBadTraining(files_of), *([reducing] if reducing else []), checkpoints]
        with together.training():
            model.fit(
                batches_of(data.train, weights, **order, **changes),
                epochs=epochs,
                initial_epoch=start,
                steps_per_epoch=-(-len(data.train) // batch_size),
                validation_data=batches_of(data.validation, "none", batch_size=64, epochs=1, seed=0),
                callbacks=[*own, *callbacks, together],
                shuffle=False,  # the batches come in their order already
                verbose=0,
            )
    if rank == 0:
        checkpoints.load_best(plain)
    return checkpoints.history
