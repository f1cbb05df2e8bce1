"""Figures of training show the history."""

import pytest

from utkface_mt.config import Experiment
from utkface_mt.experiments.results import Result
from utkface_mt.plots.training import learning_curves

NAMES = ("loss", "age_loss", "gender_loss", "val_loss", "val_age_loss", "val_gender_loss")
HISTORY = [{name: epoch + number / 10 for number, name in enumerate(NAMES)} for epoch in (3, 2, 1)]


@pytest.mark.parametrize("runs", [1, 2, 7])
def test_every_run_has_its_curves(runs: int):
    results = {str(number): Result("key", Experiment(), "sample", HISTORY, 1.0) for number in range(runs)}
    figure = learning_curves(results)
    for axes, name in zip(figure.axes, ("loss", "age_loss", "gender_loss"), strict=True):
        curves = [list(line.get_ydata()) for line in axes.lines if len(line.get_ydata())]
        for part in (name, f"val_{name}"):
            assert curves.count([epoch[part] for epoch in HISTORY]) == runs
