"""Answers: to many faces or a few, in the order asked for, averaged over a picture and its mirror image."""

import numpy as np
import pytest

from utkface_mt.model.predict import HEADS, compiled, compute_features, mean_answers
from utkface_mt.util.backend import keras

PICTURES = np.random.default_rng(0).integers(0, 255, (70, 8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A network that sees the difference between a picture and its mirror image."""
    keras.utils.set_random_seed(0)
    picture = keras.Input((8, 8, 3))
    pixels = keras.layers.Flatten(name="features")(picture / 255)
    return keras.Model(picture, {name: keras.layers.Dense(1, "sigmoid", name=name)(pixels) for name in HEADS})


def test_answers_keep_the_order_asked_for_and_flipping_gives_the_mean_of_both(network: keras.Model):
    rows = np.array([69, 0, 3])
    expected = compiled(network)(PICTURES[rows].astype(np.float32))
    plain, mirrored = (mean_answers(network, pictures, rows) for pictures in (PICTURES, PICTURES[:, :, ::-1]))
    both = mean_answers(network, PICTURES, rows, flip=True)
    for name in HEADS:
        assert np.allclose(plain[name], expected[name], atol=1e-5)
        assert np.allclose(both[name], (plain[name] + mirrored[name]) / 2, atol=1e-5)
    assert not np.allclose(plain["age"], mirrored["age"], atol=1e-2)


def test_features_are_those_of_every_picture_in_order(network: keras.Model):
    extractor = keras.Model(network.inputs, network.get_layer("features").output)
    features = compute_features(extractor, PICTURES)
    assert np.allclose(features, PICTURES.reshape(70, -1) / 255, atol=1e-6)
