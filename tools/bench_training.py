"""Training and predicting: plain Keras against this package, and both against what the machine can do at most."""

import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from timeit import timeit
from typing import Any

import numpy as np

from utkface_mt.data.augment import get_augment
from utkface_mt.data.batches import training_batches
from utkface_mt.data.pixels import PADDED_SIZE
from utkface_mt.evaluation.cost import multiply_adds
from utkface_mt.model.age import AgeHead
from utkface_mt.model.losses import loss_weights, sample_weights, targets, task_losses
from utkface_mt.model.network import build_heads, build_network, feature_model
from utkface_mt.model.predict import compiled, compute_features
from utkface_mt.training.fit import TrainingData, fit
from utkface_mt.training.optimizer import build_optimizer
from utkface_mt.training.strategy import get_strategy
from utkface_mt.training.workers import name_workers
from utkface_mt.util.backend import keras, tf

BATCH = 32
BASELINE_EPOCHS = 10
DROPOUT = 0.2


def alternate(ways: Mapping[str, Callable[[], float | None]], turns: int) -> dict[str, list[float]]:
    """The seconds of ways that take turns, again and again; a first turn (compiling, reading) is not counted.

    A way that returns a number has taken its own time.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            measured = way()
            if turn:
                seconds[name].append(time.perf_counter() - started if measured is None else measured)
    return seconds


class Faces:
    """Random pictures (or features, in their place) with labels: what they show makes no difference to the time."""

    def __init__(self, count: int, size: int) -> None:
        """Makes `count` pictures of `size` x `size` pixels."""
        rng = np.random.default_rng(0)
        self.source = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
        ages, genders = rng.integers(1, 100, count), rng.integers(0, 2, count)
        self.head = AgeHead.fit(ages)
        self.targets, self.weights = targets(ages, genders, self.head), sample_weights(genders, "none")
        self.losses = {"loss": task_losses(self.head), "loss_weights": loss_weights(0.5)}  # as in `training.fit`
        self.arrays = self.source.astype(np.float32), self.targets  # what plain Keras is given

    def batches(self, epochs: int = 1, augment: str = "none") -> tf.data.Dataset:
        """The package's training batches of all faces."""
        rows, change = np.arange(len(self.source)), get_augment(augment)
        options = {"batch_size": BATCH, "epochs": epochs, "seed": 0, "augment": change}
        return training_batches(self.source, rows, self.targets, self.weights, **options)


def plain_network(size: int, width: float, trainable: bool = True) -> keras.Model:
    """What the Keras documentation shows: the application, a pooling, the outputs; pictures scaled by a layer."""
    backbone = keras.applications.MobileNetV2((size, size, 3), alpha=width, include_top=False, weights=None)
    backbone.trainable = trainable
    inputs = keras.Input((size, size, 3))
    pixels = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    features = keras.layers.GlobalAveragePooling2D()(backbone(pixels))
    age = keras.layers.Dense(1, name="age")(features)
    gender = keras.layers.Dense(1, activation="sigmoid", name="gender")(features)
    network = keras.Model(inputs, {"age": age, "gender": gender})
    network.compile("adam", loss={"age": "mse", "gender": "binary_crossentropy"})
    return network


def _fit_seconds(network: keras.Model, *data: Any, **options: Any) -> float:
    """Seconds of a fit's steps but the first, which waits for the input to start.

    What clears away after a fit on arrays sometimes pauses for as long as the fit took, which would flatter us.
    """
    marks: list[float] = []
    clock = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: marks.append(time.perf_counter()))
    network.fit(*data, verbose=0, callbacks=[clock], **options)
    return marks[-1] - marks[0]


def measure_training(size: int, width: float, steps: int, turns: int) -> tuple[dict[str, list[float]], int]:
    """Fine-tuning all layers: seconds of the ways for `steps` steps in a turn, and a picture's multiply-adds.

    `plain` and `step` train on the same in-memory arrays; `train` is our way with the input and the augmentation that
    share its processor, `input` the delivery of these batches alone.
    """
    faces, in_order = Faces((steps + 1) * BATCH, size), {"batch_size": BATCH, "shuffle": False}
    arrays, plain = faces.arrays, plain_network(size, width)
    ours = build_network(faces.head, width=width, image_size=size, dropout=DROPOUT)
    ours.compile(build_optimizer("adam", 1e-3), **faces.losses)
    augmented = functools.partial(faces.batches, augment="standard")
    ways = {
        "plain": lambda: _fit_seconds(plain, *arrays, **in_order),
        "step": lambda: _fit_seconds(ours, *arrays, **in_order),
        "train": lambda: _fit_seconds(ours, augmented(), steps_per_epoch=steps + 1, shuffle=False),
        "input": lambda: _exhaust(augmented(), skip=1),
    }
    return alternate(ways, turns), multiply_adds(ours)


def measure_scaling(size: int, width: float, steps: int) -> tuple[dict[str, dict[str, list[float]]], float]:
    """Seconds a face on one core, and of two processes with a core each: with the same batch, and with twice that.

    With them come the bytes that each of the two sends in a step.
    """
    two, found = "127.0.0.1:29510,127.0.0.1:29511", {}
    for name, workers, batch in (("one", "", BATCH), ("strong", two, BATCH), ("weak", two, 2 * BATCH)):
        with tempfile.TemporaryDirectory() as folder:
            call = f"share_training({folder!r}, {workers!r}, {width}, {size}, {steps}, {batch}, rank=%d)"
            code = f"from {__name__} import share_training; {call}"
            starting = [[sys.executable, "-c", code % rank] for rank in range(1 + bool(workers))]
            processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for command in starting]
            printed = [process.communicate()[0] for process in processes]
        seconds, sent = np.transpose(json.loads(printed[0].splitlines()[-1]))
        found[name] = (seconds / batch).tolist()
    return {kind: {"plain": found["one"], "ours": found[kind]} for kind in ("strong", "weak")}, np.median(sent) / 2


def share_training(folder: str, workers: str, width: float, size: int, steps: int, batch: int, rank: int) -> None:
    """One of those processes: prints of its steps but the first two the seconds and the bytes on the loopback."""
    os.sched_setaffinity(0, {rank})
    name_workers(workers, rank)
    faces, marks = Faces(batch * steps, size), []
    clock = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: marks.append(_now_and_sent()))
    rows = np.arange(batch * steps)
    data = TrainingData(faces.source, rows, rows[:2], 1 + rows % 99, rows % 2, rows)
    with get_strategy("multiworker" if workers else "auto").scope():
        network, adam = build_network(faces.head, width=width, image_size=size), build_optimizer("adam", 1e-3)
        fit(network, data, faces.head, adam, Path(folder), epochs=1, batch_size=batch, callbacks=[clock])
    print(json.dumps(np.diff(marks[1:], axis=0).tolist()))


def _now_and_sent() -> tuple[float, int]:
    """The time, and the bytes that this machine has sent to itself (0 where the system does not count them)."""
    count = Path("/sys/class/net/lo/statistics/tx_bytes")
    return time.perf_counter(), int(count.read_text()) if count.exists() else 0


def measure_limit(turns: int) -> dict[str, float]:
    """GMAC/s of the two plainest operations a network is made of; the fastest turn counts: a limit is asked for."""
    rng = np.random.default_rng(0)
    shapes = ((2048, 2048), (32, 64, 64, 64), (3, 3, 64, 64))
    square, pictures, kernel = (tf.constant(rng.random(shape, np.float32)) for shape in shapes)
    work = {"matrix_product": 2048**3, "convolution": 32 * 64 * 64 * 64 * 9 * 64}
    ways = {
        "matrix_product": tf.function(lambda: tf.reduce_max(square @ square)),
        "convolution": tf.function(lambda: tf.reduce_max(tf.nn.conv2d(pictures, kernel, 1, "SAME"))),
    }
    seconds = alternate({name: lambda way=way: way().numpy() and None for name, way in ways.items()}, turns)
    return {name: work[name] / min(seconds[name]) / 1e9 for name in ways}


def measure_frozen_baseline(size: int, width: float, count: int, turns: int) -> dict[str, list[float]]:
    """Ten epochs with a frozen backbone: every picture through it in every epoch, or once."""
    faces, by_feature = Faces(count, size), Faces(count, 1)
    arrays, plain = faces.arrays, plain_network(size, width, trainable=False)
    extractor = feature_model(build_network(faces.head, width=width, image_size=size, fine_tune=0.0))
    heads = build_heads(extractor.output_shape[-1], faces.head, dropout=DROPOUT)
    heads.compile(build_optimizer("adam", 1e-3), **faces.losses)
    long = {"epochs": BASELINE_EPOCHS, "steps_per_epoch": -(-count // BATCH)}

    def through_features() -> None:
        by_feature.source = compute_features(extractor, faces.source)
        heads.fit(by_feature.batches(BASELINE_EPOCHS), shuffle=False, verbose=0, **long)

    ways = {"plain": lambda: _fit_seconds(plain, *arrays, batch_size=BATCH, epochs=BASELINE_EPOCHS)}
    return alternate({**ways, "ours": through_features}, turns)


def measure_single_inference(size: int, width: float, calls: int, turns: int) -> dict[str, list[float]]:
    """Predicting pictures one at a time."""
    plain = plain_network(size, width)
    call = compiled(build_network(AgeHead(), width=width, image_size=size))
    picture, _ = Faces(1, size).arrays
    ways = {
        "plain": lambda: timeit(lambda: plain.predict(picture, verbose=0), number=calls),
        "ours": lambda: timeit(lambda: call(picture)["age"].numpy(), number=calls),
    }
    return alternate(ways, turns)


def measure_cached_input(folder: Path, pixels: np.ndarray, turns: int) -> dict[str, list[float]]:
    """An epoch's pictures: decoded from their files, as in the plain way every epoch is, or from the decoded array."""
    size, faces = pixels.shape[1], Faces(len(pixels), 1)
    faces.source = pixels

    def read(file: tf.Tensor) -> tf.Tensor:
        picture = tf.io.decode_jpeg(tf.io.read_file(file), channels=3)
        padded = tf.image.resize_with_crop_or_pad(picture, PADDED_SIZE, PADDED_SIZE)
        return tf.image.resize(padded, (size, size))

    files = tf.data.Dataset.from_tensor_slices(sorted(str(path) for path in folder.iterdir()))
    decoded = files.map(read, num_parallel_calls=os.cpu_count()).batch(BATCH).prefetch(2)
    ways = {"plain": lambda: _exhaust(decoded), "ours": lambda: _exhaust(faces.batches())}
    return alternate(ways, turns)


def _exhaust(dataset: tf.data.Dataset, skip: int = 0) -> float:
    """Seconds until the last batch has come, counted from when `skip` batches had."""
    marks = [time.perf_counter()]
    marks += [time.perf_counter() for _ in dataset]
    return marks[-1] - marks[skip]
