"""Augmentation: a function of picture and draws alone, within the range of pictures, and nothing without strength."""

from dataclasses import replace

import numpy as np
import pytest

from utkface_mt.data.augment import STRENGTHS, Strength, augment_pictures, get_augment
from utkface_mt.data.batches import AUGMENT_DRAWS, epoch_draws
from utkface_mt.util.backend import tf

STILL = Strength(turn=0, shift=0, zoom=0, brightness=0, contrast=0, saturation=0, erase=0)


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


def test_wear_takes_colour_colours_and_detail_as_often_as_it_says():
    picture = np.random.default_rng(0).uniform(0, 255, (1, 24, 24, 3)).astype(np.float32)
    draws = np.tile(np.float32(0.5), (1000, AUGMENT_DRAWS))
    draws[:, 14:] = epoch_draws(1000, 0, 0)[:, 14:]
    draws[:, 16:18] = 0  # four steps, not dithered
    for change, share in (("grey", 0.15), ("few", 0.2), ("small", 0.3)):
        worn = augment_pictures(np.repeat(picture, 1000, 0), draws, replace(STILL, **{change: share})).numpy()
        changed = np.abs(worn - picture).max(axis=(1, 2, 3)) > 1
        assert changed.mean() == pytest.approx(share, abs=0.04)
        assert getattr(STRENGTHS["worn"], change) == share
        first, second = worn[changed][0], picture[0]
        if change == "grey":
            assert np.ptp(first, axis=2).max() < 0.1
        elif change == "few":
            assert len(np.unique(first)) <= 5
        else:
            assert np.abs(np.diff(first, axis=1)).mean() < np.abs(np.diff(second, axis=1)).mean() / 2
