"""Intervals cover what they promise, and temperature scaling mends a network that is too sure of itself."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from utkface_mt.evaluation.calibration import AgeInterval, FaceInterval, GenderCalibration, calibration_error
from utkface_mt.model.age import YEARS, prior


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


def distributions(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ages, how far answers are off, and distributions over years that are too sure of themselves."""
    rng = np.random.default_rng(seed)
    ages = rng.integers(1, 90, count)
    spread = 1 + ages / 8
    centres = ages + rng.normal(0, spread)
    shares = np.exp(-0.5 * ((YEARS - centres[:, None]) / (0.6 * spread[:, None])) ** 2) + 1e-9
    return ages, spread, shares / shares.sum(axis=1, keepdims=True)


def test_intervals_of_a_faces_own_width_cover_what_they_promise_and_follow_the_distribution():
    training = prior(np.random.default_rng(9).integers(1, 90, 5000))
    covered = []
    for seed in range(10):
        ages, spread, shares = distributions(1500, seed)
        interval = FaceInterval.fit(shares[:500], ages[:500], training)
        low, high = interval.ends(shares[500:])
        covered.append(((low <= ages[500:]) & (ages[500:] <= high)).mean())
        assert np.corrcoef(high - low, spread[500:])[0, 1] > 0.95
    assert 0.885 < np.mean(covered) < 0.915
    assert np.isinf(FaceInterval.fit(shares[:5], ages[:5], training).stretch)


def test_what_is_rare_among_training_faces_is_given_more_room():
    rare_old = prior(np.concatenate([np.full(900, 30), np.full(20, 70)]))
    shares = np.full((1, len(YEARS)), 1e-9)
    shares[0, 28:33], shares[0, 68:73] = 0.184, 0.016  # between two ages, mostly for the frequent one
    even = FaceInterval(np.full(len(YEARS), 1 / len(YEARS)), 0.0)
    assert FaceInterval(rare_old, 0.0).ends(shares)[1] > 60 > even.ends(shares)[1]


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


def test_labels_that_contradict_the_network_turn_no_answer_round():
    table = pd.DataFrame({"gender_true": [0, 1] * 20, "probability_female": [0.95, 0.05] * 20})
    assert GenderCalibration.fit(table).slope == 1
