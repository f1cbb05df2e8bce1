"""From arrays to batches: tf.data pipelines whose order and changes are functions of (seed, epoch, index).

Because nothing depends on what ran before, a resumed run sees the same batches as one that was never stopped, and
parallel reading cannot change them.
"""

import functools
from collections.abc import Callable, Mapping

import numpy as np

from ..util.backend import tf

AUGMENT_DRAWS = 24  # uniform numbers drawn for each face and epoch
COUNTED = "counted"  # where several workers share batches, the name under which weights hold what `share_of` gives

Augment = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order in which an epoch visits `count` faces: int64 `[count]`, a function of its arguments alone."""
    return np.random.default_rng([seed, epoch, 0]).permutation(count)


def epoch_draws(count: int, seed: int, epoch: int) -> np.ndarray:
    """Uniform numbers for the augmentation: float32 `[count, AUGMENT_DRAWS]`, a row a face."""
    return np.random.default_rng([seed, epoch, 1]).random((count, AUGMENT_DRAWS), np.float32)


def share_of(batch: np.ndarray, rank: int, workers: int) -> tuple[np.ndarray, np.ndarray]:
    """The part of a batch that one of several workers trains on: each `workers`-th face from `rank` on.

    Every part has the same size: one that comes out short is filled with faces that do not count.

    Returns:
        The faces, and how much each counts, float32: zero for what fills, and for all others what makes the mean over
        the workers of the weighted means over their parts the weighted mean over `batch`.
    """
    own, size = batch[rank::workers], -(-len(batch) // workers)
    counted = np.zeros(size, np.float32)
    counted[: len(own)] = size * workers / len(batch)
    return np.concatenate([own, batch[: size - len(own)]]), counted


def training_batches(
    source: np.ndarray,
    rows: np.ndarray,
    targets: Mapping[str, np.ndarray],
    weights: Mapping[str, np.ndarray],
    *,
    batch_size: int,
    epochs: int,
    seed: int,
    start_epoch: int = 0,
    augment: Augment | None = None,
    first_size: int = 0,
    first_epochs: int = 0,
    rank: int = 0,
    workers: int = 1,
) -> tf.data.Dataset:
    """One long dataset over all epochs from `start_epoch` on; an epoch has `ceil(len(rows) / batch_size)` batches.

    `source` holds pictures uint8 `[n, size, size, 3]` or features float32 `[n, d]`, perhaps memory-mapped, and `rows`
    are the positions of the training faces in it. In the order of `rows` there are, for each output, the targets
    `[len(rows), d]` and the weight of each face in its loss `[len(rows)]`.

    The seed is that of order and augmentation; `augment` changes float32 pictures given their uniform draws. In the
    first `first_epochs` pictures are shrunk to a side of `first_size`. Of several workers each gets its `share_of`
    every batch; the last batch of an epoch may have fewer faces. A batch is (inputs float32, targets, weights); for
    several workers the weights have `COUNTED` among them.
    """
    counted = {COUNTED: np.ones(len(rows), np.float32)} if workers > 1 else {}
    wanted = (dict(targets), {**weights, **counted})
    labels, shares = tf.nest.flatten(wanted[0]), tf.nest.flatten(wanted[1])
    arrays = [*labels, *shares]
    kinds = [tf.as_dtype(source.dtype)] + [tf.float32] * (1 + len(arrays))
    draws_of = functools.lru_cache(maxsize=2)(functools.partial(epoch_draws, len(rows), seed))  # two epochs may overlap

    def load(epoch: np.ndarray, members: np.ndarray) -> list[np.ndarray]:
        members, counted = share_of(members, rank, workers)
        draws = draws_of(int(epoch))[members] if augment else np.zeros((len(members), 0), np.float32)
        parts = [*(array[members] for array in labels), *(array[members] * counted for array in shares)]
        return [np.asarray(source[rows[members]]), draws, *parts]

    def batch(epoch: tf.Tensor, members: tf.Tensor) -> tuple:
        inputs, draws, *parts = tf.numpy_function(load, [epoch, members], kinds, stateful=False)
        inputs = tf.cast(tf.ensure_shape(inputs, (None, *source.shape[1:])), tf.float32)
        if augment:
            inputs = augment(inputs, tf.ensure_shape(draws, (None, AUGMENT_DRAWS)))
        if first_epochs:
            small = (first_size, first_size)
            inputs = tf.cond(epoch < first_epochs, lambda: tf.image.resize(inputs, small, "area"), lambda: inputs)
            inputs = tf.ensure_shape(inputs, (None, None, None, 3))
        parts = [tf.ensure_shape(part, (None, *array.shape[1:])) for part, array in zip(parts, arrays, strict=True)]
        return (inputs, *tf.nest.pack_sequence_as(wanted, parts))

    def epoch_batches(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.numpy_function(lambda number: epoch_order(len(rows), seed, int(number)), [epoch], tf.int64)
        members = tf.data.Dataset.from_tensor_slices(tf.ensure_shape(order, (len(rows),))).batch(batch_size)
        return members.map(lambda group: (epoch, group))

    dataset = tf.data.Dataset.range(start_epoch, epochs).flat_map(epoch_batches)
    dataset = dataset.map(batch, num_parallel_calls=2, deterministic=True).prefetch(2)
    batches = -(-len(rows) // batch_size) * (epochs - start_epoch)
    return _untuned(dataset.apply(tf.data.experimental.assert_cardinality(batches)))


def prediction_batches(
    source: np.ndarray, rows: np.ndarray, *, batch_size: int = 64, flip: bool = False
) -> tf.data.Dataset:
    """Batches for prediction, float32 `[batch, ...]` in the order of `rows`; with `flip` the mirror images."""

    def batch(members: tf.Tensor) -> tf.Tensor:
        kind = tf.as_dtype(source.dtype)
        inputs = tf.numpy_function(lambda places: np.asarray(source[places]), [members], kind, stateful=False)
        inputs = tf.cast(tf.ensure_shape(inputs, (None, *source.shape[1:])), tf.float32)
        return tf.reverse(inputs, axis=[2]) if flip else inputs

    members = tf.data.Dataset.from_tensor_slices(np.asarray(rows, np.int64)).batch(batch_size)
    return _untuned(members.map(batch, num_parallel_calls=2, deterministic=True).prefetch(2))


def _untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Switches tf.data's tuning off, which has nothing to tune here.

    Its thread is joined when an iterator goes, and sleeps in periods that double: each pass over the data could end
    with a pause of nearly its own length (seen with TensorFlow 2.21).
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
