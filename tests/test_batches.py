"""Pictures and batches: padded as published, repeatable, labels in step with pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from utkface_mt.util.backend import tf
from utkface_mt.data.batches import AUGMENT_DRAWS, AgeScale, epoch_draws, prediction_batches, training_batches
from utkface_mt.data.dataset import Dataset
from utkface_mt.data.pixels import open_pixels, prepare_picture
from utkface_mt.data.augment import STRENGTHS, Strength, augment_pictures, get_augment

STILL = Strength(turn=0, shift=0, zoom=0, brightness=0, contrast=0, saturation=0, erase=0)


@given(st.lists(st.integers(1, 116), min_size=1, max_size=50), st.lists(st.floats(1, 116), min_size=1, max_size=20))
def test_ages_come_back_from_standard_units(training: list[int], ages: list[float]):
    scale = AgeScale.fit(np.array(training))
    there = scale.scaled(np.array(ages))
    assert there.dtype == np.float32
    assert np.allclose(scale.years(there), ages, rtol=1e-5, atol=1e-4)
    own = scale.scaled(np.array(training))
    assert abs(own.mean()) < 1e-4
    assert own.std() == pytest.approx(1, abs=1e-3) or len(set(training)) == 1


def _coded(count: int = 23, size: int = 16) -> tuple[np.ndarray, dict, dict]:
    """Pictures whose every pixel is the face's number, with targets that repeat it."""
    numbers = np.arange(count)
    pictures = np.broadcast_to(numbers[:, None, None, None], (count, size, size, 3)).astype(np.uint8).copy()
    targets = {name: numbers[:, None].astype(np.float32) for name in ("age", "gender")}
    weights = {name: np.full(count, 1.0, np.float32) + numbers.astype(np.float32) for name in ("age", "gender")}
    return pictures, targets, weights


def _collect(**options) -> list[tuple]:
    pictures, targets, weights = _coded()
    rows = np.arange(len(pictures))
    batches = training_batches(pictures, rows, targets, weights, batch_size=5, **options)
    return [tuple(tf.nest.map_structure(lambda value: value.numpy(), batch)) for batch in batches]


def test_padding_is_black_and_the_crop_stays_as_it_is():
    crop = np.random.default_rng(0).integers(1, 255, (200, 200, 3), np.uint8)
    padded = prepare_picture(Image.fromarray(crop), 224).copy()
    assert np.array_equal(padded[12:212, 12:212], crop)
    padded[12:212, 12:212] = 0
    assert not padded.any()
    assert prepare_picture(Image.fromarray(crop).convert("L"), 96).shape == (96, 96, 3)


def test_pixels_are_made_once_and_in_the_order_of_the_faces(dataset: Dataset):
    faces = dataset.faces.head(12)
    pixels = open_pixels(dataset, faces, 32)
    assert isinstance(pixels, np.memmap)
    assert pixels.shape == (12, 32, 32, 3)
    other = open_pixels(dataset, faces.iloc[::-1], 32)
    assert np.array_equal(pixels, other[::-1])
    with pytest.raises(ValueError, match="read-only"):
        pixels[0] = 0


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


@pytest.mark.parametrize("strength", STRENGTHS)
def test_augmentation_is_the_same_eagerly_and_inside_tf_data(strength: str):
    pictures = np.random.default_rng(0).uniform(0, 255, (4, 24, 24, 3)).astype(np.float32)
    draws = epoch_draws(4, 0, 0)
    eager = get_augment(strength)(pictures, draws).numpy()
    dataset = tf.data.Dataset.from_tensors((pictures, draws)).map(get_augment(strength), num_parallel_calls=2)
    assert np.allclose(eager, next(dataset.as_numpy_iterator()), atol=1e-3)
    assert eager.shape == pictures.shape
    assert eager.min() >= 0
    assert eager.max() <= 255
    assert not np.allclose(eager, pictures, atol=10)


def test_a_picture_changes_in_the_same_way_whatever_batch_it_is_in():
    pictures = np.random.default_rng(0).uniform(0, 255, (6, 24, 24, 3)).astype(np.float32)
    draws = epoch_draws(6, 0, 0)
    together = get_augment("strong")(pictures, draws).numpy()
    alone = get_augment("strong")(pictures[4:5], draws[4:5]).numpy()
    assert np.allclose(together[4:5], alone, atol=1e-3)


def test_no_strength_leaves_the_picture_or_its_mirror_image():
    pictures = np.random.default_rng(0).uniform(0, 255, (40, 17, 17, 3)).astype(np.float32)
    draws = epoch_draws(40, 0, 0)
    changed = augment_pictures(pictures, draws, STILL).numpy()
    mirrored = draws[:, 2] < 0.5
    assert np.allclose(changed[~mirrored], pictures[~mirrored], atol=0.05)
    assert np.allclose(changed[mirrored], pictures[mirrored][:, :, ::-1], atol=0.05)
    assert 5 < mirrored.sum() < 35


def test_draws_are_uniform_and_differ_between_faces_and_epochs():
    draws = epoch_draws(2000, 0, 0)
    assert draws.shape == (2000, AUGMENT_DRAWS)
    assert abs(draws.mean() - 0.5) < 0.01
    assert not np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws, epoch_draws(2000, 0, 1))


def test_standardised_ages_come_back_as_years():
    ages = np.array([1, 26, 26, 70, 116])
    scale = AgeScale.fit(ages)
    assert abs(scale.scaled(ages).mean()) < 1e-6
    assert np.allclose(scale.years(scale.scaled(ages)), ages, atol=1e-4)
    assert AgeScale.fit(np.array([30, 30])).deviation > 0
