"""Figures of training show the history, and what augmentation makes of a picture."""

import numpy as np
import pytest

from utkface_mt.config import Experiment
from utkface_mt.experiments.results import Result
from utkface_mt.plots.training import augmentation_grid, learning_curves, learning_rates

NAMES = ("loss", "age_loss", "gender_loss", "val_loss", "val_age_loss", "val_gender_loss", "learning_rate")
HISTORY = [{name: epoch + number / 10 for number, name in enumerate(NAMES)} for epoch in (3, 2, 1)]


@pytest.mark.parametrize("runs", [1, 2, 7])
def test_every_run_has_its_curves(runs: int):
    results = {str(number): Result("key", Experiment(), "sample", HISTORY, 1.0) for number in range(runs)}
    figure = learning_curves(results)
    for axes, name in zip(figure.axes, ("loss", "age_loss", "gender_loss"), strict=True):
        curves = [list(line.get_ydata()) for line in axes.lines if len(line.get_ydata())]
        for part in (name, f"val_{name}"):
            assert curves.count([epoch[part] for epoch in HISTORY]) == runs
    rates = learning_rates(results).axes[0].lines
    assert [list(line.get_ydata()) for line in rates] == [[epoch["learning_rate"] for epoch in HISTORY]] * runs


def test_the_original_stands_before_what_augmentation_makes_of_it():
    picture = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    shown = [axes.images[0].get_array() for axes in augmentation_grid(picture, columns=4).axes if axes.images]
    assert len(shown) == 8
    same = [bool(np.array_equal(other, picture)) for other in shown]
    assert same == [True, False, False, False] * 2
