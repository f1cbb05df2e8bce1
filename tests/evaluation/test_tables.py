"""Reports count what they say."""

from collections.abc import Callable

import pytest

from utkface_mt.data.labels import AGE_GROUPS, age_group
from utkface_mt.evaluation.metrics import score
from utkface_mt.evaluation.tables import age_error_grid, gender_report


def test_reports_count_what_they_say(predictions: Callable):
    table = predictions(400)
    report = gender_report(table)
    assert report.loc["Male", "support"] == (table["gender_true"] == 0).sum()
    assert report.loc["accuracy", "f1-score"] == pytest.approx(score(table)["gender_accuracy"])
    grid = age_error_grid(table)
    assert tuple(grid.index) == AGE_GROUPS
    children = table[(age_group(table["age_true"]) == "5-12") & (table["gender_true"] == 1)]
    assert grid.loc["5-12", "Female"] == pytest.approx(score(children)["age_mae"])
