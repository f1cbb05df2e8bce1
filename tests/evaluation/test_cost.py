"""Costs: multiply-adds counted by hand on a small model, and every candidate was measured."""

from utkface_mt.config import REFERENCE
from utkface_mt.evaluation.cost import CANDIDATES, multiply_adds
from utkface_mt.util.backend import keras
from utkface_mt.util.files import read_json


def test_multiply_adds_are_those_counted_by_hand():
    layers = keras.layers
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, padding="same")])
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            inner,
            keras.layers.DepthwiseConv2D(3, 2),
            keras.layers.Flatten(),
            keras.layers.Dense(5),
        ]
    )
    assert multiply_adds(model) == 8 * 8 * 4 * 27 + 3 * 3 * 4 * 9 + 3 * 3 * 4 * 5


def test_the_cost_of_every_candidate_is_in_the_reference():
    assert list(read_json(REFERENCE / "backbones.json")) == list(CANDIDATES)
