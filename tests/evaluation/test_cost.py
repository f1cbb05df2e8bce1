"""Costs: multiply-adds counted by hand on a small model, and every candidate has a row."""

import numpy as np

from utkface_mt.evaluation.cost import CANDIDATES, comparison, multiply_adds
from utkface_mt.util.backend import keras


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


def test_every_candidate_has_a_row_that_says_where_its_figures_come_from():
    table = comparison({}, {"MobileNetV2 1.0": {"age_mae": 9.0, "gender_accuracy": 0.8}})
    assert set(table.index) == set(CANDIDATES)
    assert table["mega_multiply_adds"].is_monotonic_increasing
    assert table.loc["MobileNetV2 1.0", "probe"] == "measured"
    assert np.isnan(table.loc["MobileNetV2 0.35", "age_mae"])
    assert table["source"].str.startswith("reference").all()
