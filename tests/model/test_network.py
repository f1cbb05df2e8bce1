"""The network: what it answers, which of its layers learn, and that its heads work alone as they do inside it."""

from pathlib import Path

import numpy as np
import pytest

from utkface_mt.model.age import YEARS, AgeHead
from utkface_mt.model.network import build_heads, build_network, copy_heads, feature_model, heads_of
from utkface_mt.util.backend import keras

PICTURES = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)


def _network(kind: str = "regression", **options) -> keras.Model:
    return build_network(AgeHead(kind), width=0.35, image_size=32, **options)


@pytest.fixture(scope="module")
def frozen() -> keras.Model:
    """A network whose backbone is frozen."""
    return _network("distribution", fine_tune=0.0)


@pytest.fixture(scope="module")
def learning() -> keras.Model:
    """A network all of whose layers learn."""
    return _network()


@pytest.fixture(scope="module")
def plain() -> keras.Model:
    """The same with Keras' own normalisation."""
    return _network(normalisation="trainable", seed=1)


def test_outputs_are_named_and_in_range(frozen: keras.Model, learning: keras.Model):
    output = learning(PICTURES)
    assert output["age"].shape == output["gender"].shape == (3, 1)
    assert 0 < float(np.min(output["gender"])) <= float(np.max(output["gender"])) < 1
    distribution = frozen(PICTURES)["age"]
    assert distribution.shape == (3, len(YEARS))
    assert np.allclose(np.sum(distribution, axis=1), 1, atol=1e-5)


def test_layers_learn_from_the_output_on(frozen: keras.Model, learning: keras.Model):
    assert {weight.path.split("/")[0] for weight in frozen.trainable_weights} == {"age", "gender"}
    part = _network(fine_tune=0.3)
    layers = part.get_layer("backbone").layers
    assert not layers[1].trainable
    assert layers[-1].trainable
    counts = [len(network.trainable_weights) for network in (frozen, part, learning)]
    assert counts[0] < counts[1] < counts[2]


def test_normalisation_statistics_change_only_if_asked(learning: keras.Model, plain: keras.Model):
    for network, changes in ((learning, False), (plain, True)):
        variables = [variable for variable in network.variables if "moving_mean" in variable.path]
        before = [variable.numpy() for variable in variables]
        network(PICTURES, training=True)
        changed = any(not np.array_equal(old, new.numpy()) for old, new in zip(before, variables, strict=True))
        assert changed is changes


def test_weights_fit_the_network_with_plain_keras_normalisation_and_both_predict_the_same(
    learning: keras.Model, plain: keras.Model, tmp_path: Path
):
    learning.save_weights(tmp_path / "network.weights.h5")
    plain.load_weights(tmp_path / "network.weights.h5")
    assert np.allclose(learning(PICTURES)["age"], plain(PICTURES, training=False)["age"], atol=1e-5)
    assert type(plain.get_layer("backbone").layers[2]) is keras.layers.BatchNormalization


def test_heads_trained_on_features_predict_the_same_inside_the_network(frozen: keras.Model):
    heads = build_heads(1280, AgeHead("distribution"), seed=3)
    copy_heads(heads, frozen)
    features = feature_model(frozen)({"picture": PICTURES})
    for alone in (heads, heads_of(frozen)):
        for name, answer in alone(features).items():
            assert np.allclose(answer, frozen(PICTURES)[name], atol=1e-4)


def test_the_seed_decides_the_heads_first_weights():
    first, again, other = (build_heads(8, AgeHead(), seed=seed).get_weights()[0] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
