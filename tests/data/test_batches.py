"""Batches: every face once an epoch with its own label, the same again for the same seed, epoch and face."""

import numpy as np
import pytest

from utkface_mt.data.augment import get_augment
from utkface_mt.data.batches import AUGMENT_DRAWS, epoch_draws, prediction_batches, training_batches
from utkface_mt.util.backend import tf


def _coded(count: int = 23, size: int = 16) -> tuple[np.ndarray, dict, dict]:
    """Pictures whose every pixel is the face's number, with targets that repeat it."""
    numbers = np.arange(count)
    pictures = np.broadcast_to(numbers[:, None, None, None], (count, size, size, 3)).astype(np.uint8).copy()
    targets = {name: numbers[:, None].astype(np.float32) for name in ("age", "gender")}
    weights = {name: np.full(count, 1.0, np.float32) + numbers.astype(np.float32) for name in ("age", "gender")}
    return pictures, targets, weights


def _collect(**options) -> list[tuple]:
    pictures, targets, weights = _coded()
    rows = np.random.default_rng(1).permutation(40)[: len(pictures)]  # where the faces lie among others
    source = np.zeros((40, *pictures.shape[1:]), np.uint8)
    source[rows] = pictures
    batches = training_batches(source, rows, targets, weights, batch_size=5, **options)
    return [tuple(tf.nest.map_structure(lambda value: value.numpy(), batch)) for batch in batches]


def test_every_epoch_shows_every_face_once_with_its_own_label_and_weight():
    batches = _collect(epochs=3, seed=1)
    assert len(batches) == 3 * 5
    orders = []
    for epoch in range(3):
        seen = batches[5 * epoch : 5 * epoch + 5]
        numbers = np.concatenate([pictures[:, 0, 0, 0] for pictures, _, _ in seen])
        assert sorted(numbers) == list(range(23))
        assert np.array_equal(numbers, np.concatenate([targets["age"][:, 0] for _, targets, _ in seen]))
        assert np.array_equal(numbers + 1, np.concatenate([weights["gender"] for _, _, weights in seen]))
        orders.append(numbers)
    assert not np.array_equal(orders[0], orders[1])


@pytest.mark.parametrize("augment", ["none", "strong"])
def test_batches_from_a_later_epoch_equal_those_of_an_unbroken_run(augment: str):
    whole = _collect(epochs=3, seed=4, augment=get_augment(augment))
    resumed = _collect(epochs=3, seed=4, start_epoch=2, augment=get_augment(augment))
    for (expected, *_), (found, *_) in zip(whole[10:], resumed, strict=True):
        assert np.array_equal(expected, found)


def test_another_seed_gives_another_order():
    assert not np.array_equal(_collect(epochs=1, seed=0)[0][0], _collect(epochs=1, seed=1)[0][0])


def test_prediction_batches_keep_order_and_flip_mirrors():
    pictures = np.random.default_rng(0).integers(0, 255, (7, 16, 16, 3), np.uint8)
    rows = np.array([5, 0, 3])
    plain = np.concatenate(list(prediction_batches(pictures, rows, batch_size=2).as_numpy_iterator()))
    flipped = np.concatenate(list(prediction_batches(pictures, rows, batch_size=2, flip=True).as_numpy_iterator()))
    assert np.array_equal(plain, pictures[rows])
    assert np.array_equal(flipped, pictures[rows][:, :, ::-1])


def test_pictures_are_small_in_the_first_epochs_only():
    batches = _collect(epochs=3, seed=1, first_size=8, first_epochs=2)
    assert [pictures.shape[1] for pictures, *_ in batches] == [8] * 10 + [16] * 5
    assert all(np.array_equal(pictures[:, 0, 0, 0], targets["age"][:, 0]) for pictures, targets, _ in batches)


def test_draws_are_uniform_and_differ_between_faces_and_epochs():
    draws = epoch_draws(2000, 0, 0)
    assert draws.shape == (2000, AUGMENT_DRAWS)
    assert abs(draws.mean() - 0.5) < 0.01
    assert not np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws, epoch_draws(2000, 0, 1))
