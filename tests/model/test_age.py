"""Ages: the scale and its inverse, targets and their decoding, the loss, and where an untrained head starts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utkface_mt.data.labels import OLDEST, YOUNGEST
from utkface_mt.model.age import YEARS, AgeHead
from utkface_mt.model.network import build_heads

AGES = st.integers(YOUNGEST, OLDEST)


@given(st.lists(AGES, min_size=1, max_size=50), st.lists(AGES, min_size=1, max_size=20))
def test_ages_come_back_from_standard_units(training: list[int], ages: list[int]):
    head = AgeHead.fit(np.array(training))
    targets = head.targets(np.array(ages))
    assert targets.dtype == np.float32
    assert targets.shape == (len(ages), 1)
    if len(set(training)) > 1:
        assert np.allclose(head.years(targets), ages, atol=1e-3)
        own = head.targets(np.array(training))
        assert own.mean() == pytest.approx(0, abs=1e-4)
        assert own.std() == pytest.approx(1, abs=1e-3)


@given(st.lists(AGES, min_size=1, max_size=20), st.sampled_from(["mean", "median"]))
def test_a_perfect_distribution_is_decoded_to_the_labels(ages: list[int], decoding: str):
    head = AgeHead("distribution", decoding)
    assert np.allclose(head.years(np.eye(len(YEARS))[ages]), ages, atol=1e-6)


@given(AGES)
def test_the_target_of_a_distribution_is_a_bell_around_the_age(age: int):
    target = AgeHead("distribution").targets(np.array([age]))[0]
    assert target[0] == age
    assert target[1:].sum() == pytest.approx(1, abs=1e-5)
    assert YEARS[np.argmax(target[1:])] == age


@given(st.integers(0, 10**6), st.floats(0.1, 30))
def test_half_of_a_distribution_lies_below_its_median_and_the_mean_is_the_expected_age(seed: int, peaked: float):
    shares = np.random.default_rng(seed).random((1, len(YEARS))) ** peaked + 1e-9
    distribution = shares / shares.sum()
    median = AgeHead("distribution", "median").years(distribution)[0]
    below = np.clip(median - (YEARS - 0.5), 0, 1) @ distribution[0]
    if YOUNGEST < median < OLDEST:
        assert below == pytest.approx(0.5, abs=1e-9)
    expected = np.clip(distribution[0] @ YEARS, YOUNGEST, OLDEST)
    assert AgeHead("distribution").years(distribution)[0] == pytest.approx(expected)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_no_answer_is_outside_the_ages_there_are(outputs: list[float]):
    years = AgeHead("regression", "mean", 33, 20).years(np.array(outputs)[:, None])
    assert years.min() >= YOUNGEST
    assert years.max() <= OLDEST


def test_the_distributions_loss_is_least_at_the_true_age_and_grows_with_the_error():
    head = AgeHead("distribution")
    target = head.targets(np.array([30]))
    answers = [head.targets(np.array([year]))[:, 1:] for year in (30, 33, 60)]
    losses = [float(head.loss()(target, answer)) for answer in answers]
    assert losses[0] == pytest.approx(0, abs=1e-3)
    assert losses[0] < losses[1] < losses[2]


def test_an_untrained_distribution_answers_like_the_training_ages():
    ages = np.random.default_rng(0).integers(20, 40, 500)
    head = AgeHead.fit(ages, "distribution")
    heads = build_heads(4, head)
    head.start(heads, ages)
    answer = heads(np.zeros((1, 4), np.float32))["age"].numpy()
    assert head.years(answer)[0] == pytest.approx(ages.mean(), abs=6)
    assert answer[0, 20:40].sum() > 0.75
