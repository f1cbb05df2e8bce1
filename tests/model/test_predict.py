"""Answers: to many faces or a few, in the order asked for, averaged over a picture and its mirror image."""

import numpy as np
import pytest

from utkface_mt.model.predict import HEADS, answers, compute_features, mean_answers
from utkface_mt.util.backend import keras

PICTURES = np.random.default_rng(0).integers(0, 255, (70, 8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A network that sees the difference between a picture and its mirror image."""
    keras.utils.set_random_seed(0)
    picture = keras.Input((8, 8, 3))
    pixels = keras.layers.Flatten(name="features")(picture / 255)
    return keras.Model(picture, {name: keras.layers.Dense(1, "sigmoid", name=name)(pixels) for name in HEADS})


def test_a_few_pictures_get_the_answers_of_many_and_flipping_gives_the_mean_of_both(network: keras.Model):
    rows = np.array([69, 0, 3])
    for flip in (False, True):
        many = mean_answers(network, PICTURES, np.arange(70), flip)
        few = answers(network, PICTURES[rows], flip)
        for name in HEADS:
            assert np.allclose(many[name][rows], few[name], atol=1e-5)
            assert np.allclose(mean_answers(network, PICTURES, rows, flip)[name], few[name], atol=1e-5)
    plain, mirrored = (answers(network, pictures) for pictures in (PICTURES, PICTURES[:, :, ::-1]))
    both = answers(network, PICTURES, flip=True)
    assert not np.allclose(plain["age"], mirrored["age"], atol=1e-2)
    assert np.allclose(both["age"], (plain["age"] + mirrored["age"]) / 2, atol=1e-5)


def test_features_are_those_of_every_picture_in_order(network: keras.Model):
    extractor = keras.Model(network.inputs, network.get_layer("features").output)
    features = compute_features(extractor, PICTURES)
    assert np.allclose(features, PICTURES.reshape(70, -1) / 255, atol=1e-6)
