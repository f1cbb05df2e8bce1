"""Intervals cover what they promise, and temperature scaling mends a network that is too sure of itself."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from utkface_mt.evaluation.calibration import AgeInterval, GenderCalibration, calibration_error


def test_conformal_intervals_cover_what_they_promise(predictions: Callable):
    measured = []
    for seed in range(40):
        table = predictions(1200, seed)
        interval = AgeInterval.fit(table.iloc[:200])
        measured.append(interval.covered(table.iloc[200:]).mean())
    assert 0.895 < np.mean(measured) < 0.92
    calibration, test = predictions(500, 1), predictions(2000, 2)
    promised = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    made = {coverage: AgeInterval.fit(calibration, coverage) for coverage in promised}
    widths = [interval.half_width for interval in made.values()]
    assert widths == sorted(widths)
    assert max(abs(interval.covered(test).mean() - coverage) for coverage, interval in made.items()) < 0.06


def test_too_few_faces_give_no_false_promise(predictions: Callable):
    assert np.isinf(AgeInterval.fit(predictions(5)).half_width)


def test_temperature_scaling_mends_overconfidence():
    rng = np.random.default_rng(0)
    honest = rng.uniform(0.02, 0.98, 6000)
    truth = (rng.random(6000) < honest).astype(int)
    odds = 3 * np.log(honest / (1 - honest))
    table = pd.DataFrame({"gender_true": truth, "probability_female": 1 / (1 + np.exp(-odds))})
    scaling = GenderCalibration.fit(table.iloc[:3000])
    assert scaling.slope == pytest.approx(1 / 3, rel=0.1)
    raw, mended = table["probability_female"].iloc[3000:], scaling.probability(table["probability_female"].iloc[3000:])
    assert calibration_error(mended, table["gender_true"].iloc[3000:]) < 0.03
    assert calibration_error(raw, table["gender_true"].iloc[3000:]) > 0.1
    assert ((raw >= 0.5) == (mended >= 0.5)).all()
