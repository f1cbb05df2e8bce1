"""Suspicious labels: planted ones come first, small children are uncertain and not suspicious."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utkface_mt.evaluation.suspicion import add_suspicion, most_suspicious_first, reasons, suspicion_counts


@pytest.fixture(scope="module")
def faces() -> pd.DataFrame:
    """Answers to 2,000 adults, who are told apart well, and to 400 children of 2 years, who are not."""
    rng = np.random.default_rng(0)
    age = np.concatenate([rng.integers(20, 60, 2000), np.full(400, 2)])
    gender = rng.integers(0, 2, len(age))
    clear = np.where(age < 5, 0.4, 3.0)
    odds = (2 * gender - 1) * clear + rng.normal(0, 1, len(age)) * np.where(age < 5, 1.5, 1.0)
    predicted = np.clip(age + rng.normal(0, 4, len(age)), 1, 116)
    answers = {"age_predicted": predicted, "age_low": predicted - 8, "age_high": predicted + 8}
    female = 1 / (1 + np.exp(-odds))
    return pd.DataFrame(
        {"age": age, "gender": gender, "cluster": np.arange(len(age)), **answers, "probability_female": female}
    )


def test_planted_wrong_labels_come_first(faces: pd.DataFrame):
    planted = list(range(20))
    wrong = faces.copy()
    wrong.loc[planted, "probability_female"] = np.where(wrong.loc[planted, "gender"] == 1, 0.999, 0.001)
    wrong.loc[planted, "gender"] = 1 - wrong.loc[planted, "gender"]
    wrong.loc[100, "age"] = 110
    ranked = most_suspicious_first(add_suspicion(wrong))
    assert set(planted) <= set(ranked.index[:60])
    assert ranked["age_suspicion"].idxmax() == 100
    assert 100 in ranked.index[:2]


def test_small_children_are_uncertain_and_not_suspicious(faces: pd.DataFrame):
    found = add_suspicion(faces)
    children = found[faces["age"] == 2]
    contradicted = (children["probability_female"] >= 0.5) != (children["gender"] == 1)
    sure = contradicted & ((children["probability_female"] - 0.5).abs() > 0.4)
    assert contradicted.mean() > 0.25
    assert sure.any()  # the model is wrong about many of them, and about some it is sure of itself
    assert children["gender_suspicion"].max() < 0.9


@given(st.integers(1, 116), st.floats(1, 100), st.floats(0.5, 40))
def test_an_age_is_suspicious_by_its_distance_from_the_interval_in_half_widths(age: int, centre: float, half: float):
    one = {"age": [age], "gender": [0], "cluster": [0], "probability_female": [0.2], "age_predicted": [centre]}
    found = add_suspicion(pd.DataFrame({**one, "age_low": centre - half, "age_high": centre + half}))
    assert found["age_suspicion"][0] == pytest.approx(max(0, abs(age - centre) / half - 1), abs=1e-4)


def test_near_duplicates_that_contradict_each_other_are_marked(faces: pd.DataFrame):
    pairs = faces.head(8).assign(cluster=[0, 0, 1, 1, 2, 2, 3, 3])
    pairs["age"] = [20, 26, 30, 30, 40, 45, 20, 60]
    pairs["gender"] = [0, 0, 0, 1, 1, 1, 0, 1]
    assert add_suspicion(pairs)["twins"].tolist() == ["age"] * 2 + ["gender"] * 2 + [""] * 2 + ["age and gender"] * 2
    three = faces.head(3).assign(cluster=0, gender=0, age=[20, 25, 26])  # 25 is near enough to both
    assert add_suspicion(three)["twins"].tolist() == ["age", "", "age"]


def test_reasons_say_what_the_counts_count(faces: pd.DataFrame):
    wrong = faces.copy()
    wrong.loc[:30, "age"] = 100
    wrong.loc[5:15, "cluster"] = 0
    found = add_suspicion(wrong)
    counts, told = suspicion_counts(found), found.apply(reasons, axis=1)
    assert counts["faces"] == len(found)
    assert counts["suspicious_ages"] == told.str.contains("years, the model says").sum() >= 31
    assert counts["suspicious_genders"] == told.str.contains("the other with").sum()
    assert counts["contradicted_by_near_duplicates"] == told.str.contains("near-duplicate").sum() == 12
