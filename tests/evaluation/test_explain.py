"""Explanations find a cause that was planted, the same one each time."""

import numpy as np
import pytest

from utkface_mt.evaluation.explain import grad_cam, lime_attribution
from utkface_mt.model.age import AgeHead
from utkface_mt.util.backend import keras


@pytest.fixture(scope="module")
def bright_corner() -> keras.Model:
    """A network whose every answer depends on the brightness of the upper left quarter alone."""
    inputs = keras.Input((32, 32, 3))
    mask = np.zeros((1, 32, 32, 1), np.float32)
    mask[:, :16, :16] = 1 / 40
    picture = keras.Input((32, 32, 3))
    backbone = keras.Model(picture, keras.layers.AveragePooling2D(4)(picture * mask), name="backbone")
    features = keras.layers.GlobalAveragePooling2D(name="features")(backbone(inputs))
    age = keras.layers.Dense(1, kernel_initializer="ones", name="age")(features)
    gender = keras.layers.Dense(1, activation="sigmoid", kernel_initializer="ones", name="gender")(features)
    return keras.Model(inputs, {"age": age, "gender": gender})


@pytest.mark.parametrize("task", ["age", "gender"])
def test_explanations_find_the_planted_cause(task: str, bright_corner: keras.Model):
    picture = np.kron(np.random.default_rng(0).integers(100, 255, (4, 4, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    options = {"age_head": AgeHead("regression", "mean", 40, 20), "samples": 200}
    lime = lime_attribution(bright_corner, picture, task, seed=0, **options)
    heat = grad_cam(bright_corner, picture[None], task, options["age_head"])[0]
    if task == "gender":  # what speaks for one class alone leaves nothing for the other
        assert not grad_cam(bright_corner, picture[None], "male", options["age_head"]).any()
    for attribution in (lime, heat):
        assert attribution.shape == (32, 32)
        assert np.abs(attribution[:14, :14]).mean() > 5 * np.abs(attribution[20:, 20:]).mean()
    assert np.array_equal(lime, lime_attribution(bright_corner, picture, task, seed=0, **options))


@pytest.mark.parametrize("task", ["gender", "male"])
@pytest.mark.parametrize("sure", [-40, 40])
def test_of_a_sure_answer_too_there_is_a_map(task: str, sure: float, bright_corner: keras.Model):
    """Far from one half a probability hardly changes, and its log-odds change as everywhere."""
    sign, layer = 1 if task == "gender" else -1, bright_corner.get_layer("gender")
    before, picture = layer.get_weights(), np.full((1, 32, 32, 3), 200, np.uint8)
    try:
        layer.set_weights([sign * before[0], before[1] + sure])
        assert grad_cam(bright_corner, picture, task, AgeHead())[0, :14, :14].min() > 0
    finally:
        layer.set_weights(before)


def test_maps_of_many_faces_are_those_of_each(bright_corner: keras.Model):
    pictures = np.random.default_rng(0).integers(0, 255, (40, 32, 32, 3), np.uint8)
    heats = grad_cam(bright_corner, pictures, "age", AgeHead())
    parts = [grad_cam(bright_corner, part, "age", AgeHead()) for part in (pictures[:32], pictures[32:])]
    assert np.allclose(heats, np.concatenate(parts), atol=1e-5)
    assert heats.max() <= 1
