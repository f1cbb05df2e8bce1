"""Folding: frozen normalisation done inside the convolutions gives the predictions and gradients of plain Keras."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from utkface_mt.model.backbones import build_backbone
from utkface_mt.model.folding import BatchNormalization, ZeroPadding2D, freeze_statistics
from utkface_mt.util.backend import keras, tf

PICTURES = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)


@pytest.fixture
def double_precision() -> Iterator[None]:
    """Networks are built in float64: what still differs is no rounding, however much a random network amplifies it."""
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy("float32")


def _assert_equal(values: np.ndarray, expected: np.ndarray, what: str) -> None:
    """Equal up to the rounding of float64, measured against the largest value."""
    assert values.dtype == expected.dtype == np.float64, what
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-10 * np.abs(expected).max(), err_msg=what)


def _disturbed(backbone: keras.Model) -> keras.Model:
    """Gives scales, offsets and statistics values that are not the trivial ones of a new network."""
    rng = np.random.default_rng(1)
    for variable in backbone.variables:
        if variable.path.split("/")[-1] in ("gamma", "beta", "moving_mean", "moving_variance", "bias"):
            variable.assign(variable + rng.uniform(0, 0.3, variable.shape))
    return backbone


def _gradients(model: keras.Model) -> dict[str, np.ndarray]:
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(PICTURES, training=False) ** 2)
    variables = model.trainable_variables
    return {
        variable.path: gradient.numpy()
        for variable, gradient in zip(
            variables, tape.gradient(loss, [variable.value for variable in variables]), strict=True
        )
    }


@pytest.mark.parametrize(
    ("name", "normalisations", "paddings"),
    [
        ("mobilenet_v2", 52, 4),
        ("mobilenet_v3_small", 34, 4),
        pytest.param("efficientnet_v2_b0", 59, 0, marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("double_precision")
def test_folded_and_plain_backbones_agree_in_predictions_and_gradients(name: str, normalisations: int, paddings: int):
    plain = _disturbed(build_backbone(name, 0.35, 64, "none"))
    folded = freeze_statistics(plain)
    assert sum(isinstance(layer, BatchNormalization) and layer.folded for layer in folded.layers) == normalisations
    assert sum(isinstance(layer, ZeroPadding2D) and layer.folded for layer in folded.layers) == paddings
    _assert_equal(folded(PICTURES, training=False).numpy(), plain(PICTURES, training=False).numpy(), "predictions")
    plain_gradients, gradients = _gradients(plain), _gradients(folded)
    assert list(plain_gradients) == list(gradients)
    for path, gradient in gradients.items():
        _assert_equal(gradient, plain_gradients[path], path)


@pytest.mark.usefixtures("double_precision")
def test_normalisation_that_no_convolution_precedes_stays_and_is_still_frozen():
    plain = _disturbed(build_backbone("resnet50_v2", 1.0, 64, "none"))
    folded = freeze_statistics(plain)
    kinds = [layer.folded for layer in folded.layers if isinstance(layer, BatchNormalization)]
    assert any(kinds)
    assert not all(kinds)
    _assert_equal(folded(PICTURES, training=True).numpy(), plain(PICTURES, training=False).numpy(), "predictions")


@pytest.mark.slow
def test_a_saved_folded_model_loads_and_predicts_the_same(tmp_path: Path):
    folded = freeze_statistics(_disturbed(build_backbone("mobilenet_v2", 0.35, 64, "none")))
    folded.save(tmp_path / "backbone.keras")
    loaded = keras.models.load_model(tmp_path / "backbone.keras")
    expected = folded(PICTURES).numpy()
    assert np.allclose(loaded(PICTURES), expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.slow
def test_a_network_for_any_size_equals_the_networks_of_each_size(tmp_path: Path):
    free = freeze_statistics(_disturbed(build_backbone("mobilenet_v2", 0.35, None, "none")))
    free.save_weights(tmp_path / "backbone.weights.h5")
    for size in (32, 64):
        fixed = build_backbone("mobilenet_v2", 0.35, size, "none")
        fixed.load_weights(tmp_path / "backbone.weights.h5")
        pictures = PICTURES[:, :size, :size]
        assert np.allclose(free(pictures), fixed(pictures, training=False), atol=1e-5)
