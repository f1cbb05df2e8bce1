"""Scores against scikit-learn, intervals against theory, and what always answering the same is worth."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, root_mean_squared_error

from utkface_mt.data.labels import gender_name, race_name
from utkface_mt.evaluation.metrics import by_group, intervals, paired_difference, score


@settings(max_examples=25)
@given(count=st.integers(2, 60), seed=st.integers(0, 1000))
def test_scores_agree_with_scikit_learn(count: int, seed: int, predictions: Callable):
    table = predictions(count, seed)
    guess = (table["probability_female"] >= 0.5).astype(int)
    expected = {
        "age_mae": mean_absolute_error(table["age_true"], table["age"]),
        "age_rmse": root_mean_squared_error(table["age_true"], table["age"]),
        "age_within_5": ((table["age"] - table["age_true"]).abs() <= 5).mean(),
        "gender_accuracy": accuracy_score(table["gender_true"], guess),
        "gender_f1_weighted": f1_score(table["gender_true"], guess, average="weighted"),
    }
    assert score(table) == pytest.approx(expected)


def test_intervals_cover_the_score_and_have_the_width_theory_gives(predictions: Callable):
    table = predictions(4000).assign(cluster=np.arange(4000))
    low, high = intervals(table)["age_mae"]
    error = (table["age"] - table["age_true"]).abs()
    assert low < error.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * error.std() / np.sqrt(4000), rel=0.1)


def test_copies_in_one_cluster_do_not_narrow_the_interval(predictions: Callable):
    table = predictions(300).assign(cluster=np.arange(300))
    tripled = pd.concat([table] * 3, ignore_index=True)
    (low, high), (low_3, high_3) = intervals(table)["age_mae"], intervals(tripled)["age_mae"]
    assert high_3 - low_3 == pytest.approx(high - low, rel=0.1)


def test_a_paired_difference_is_known_better_than_two_scores(predictions: Callable):
    first = predictions(800)
    second = first.assign(age=first["age_true"] + 0.9 * (first["age"] - first["age_true"]))
    row = paired_difference(first, second.sample(frac=1, random_state=0)).loc["age_mae"]
    assert row["high"] < 0
    assert row["difference"] == pytest.approx(-0.1 * score(first)["age_mae"])
    low, high = intervals(first)["age_mae"]
    assert row["high"] - row["low"] < (high - low) / 2
    for one, other in ((first, second.iloc[1:]), (first.iloc[1:], second)):
        with pytest.raises(ValueError, match="not of the same files"):
            paired_difference(one, other)


def test_groups_are_scored_by_themselves(predictions: Callable):
    table = predictions(600)
    groups = by_group(table, race_name(table["race"]).rename("race"))
    white = table[table["race"] == 0]
    assert groups.loc["White", "n"] == len(white)
    assert groups.loc["White", "age_mae"] == pytest.approx(score(white)["age_mae"])
    assert (groups["age_mae_low"] <= groups["age_mae"]).all()
    both = by_group(
        table, [race_name(table["race"]).rename("race"), gender_name(table["gender_true"]).rename("gender")]
    )
    assert both["n"].sum() == len(table)
    assert both.index.names == ["race", "gender"]
