"""Scores against scikit-learn, intervals against theory, conformal coverage, explanations that find planted causes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, root_mean_squared_error

from utkface_mt.util.backend import keras, tf
from utkface_mt.config import Experiment
from utkface_mt.data.batches import AgeScale
from utkface_mt.evaluation.calibration import AgeInterval, GenderCalibration, calibration_error, coverage_table, reliability_table
from utkface_mt.evaluation.explain import average_grad_cam, grad_cam, lime_attribution, mean_face
from utkface_mt.evaluation.metrics import by_group, intervals, mean_interval, paired_difference, score
from utkface_mt.evaluation.reports import age_error_grid, confident_mistakes, gender_report, race_report, worst_mistakes
from utkface_mt.data.labels import AGE_GROUPS, age_group, race_name


def _predictions(count: int = 500, seed: int = 0, noise: float = 6.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    truth, gender = rng.integers(1, 90, count), rng.integers(0, 2, count)
    return pd.DataFrame(
        {
            "file": [f"{number}.jpg" for number in range(count)],
            "cluster": np.arange(count) // 2,
            "race": rng.integers(0, 5, count),
            "age_true": truth,
            "age": truth + rng.normal(0, noise, count),
            "gender_true": gender,
            "probability_female": np.clip(gender * 0.6 + 0.2 + rng.normal(0, 0.3, count), 0, 1),
        }
    )


@settings(max_examples=25)
@given(st.integers(2, 60), st.integers(0, 1000))
def test_scores_agree_with_scikit_learn(count: int, seed: int):
    table = _predictions(count, seed)
    guess = (table["probability_female"] >= 0.5).astype(int)
    expected = {
        "age_mae": mean_absolute_error(table["age_true"], table["age"]),
        "age_rmse": root_mean_squared_error(table["age_true"], table["age"]),
        "age_within_5": ((table["age"] - table["age_true"]).abs() <= 5).mean(),
        "gender_accuracy": accuracy_score(table["gender_true"], guess),
        "gender_f1_weighted": f1_score(table["gender_true"], guess, average="weighted"),
    }
    assert score(table) == pytest.approx(expected)


def test_intervals_cover_the_score_and_have_the_width_theory_gives():
    table = _predictions(4000).assign(cluster=np.arange(4000))
    low, high = intervals(table)["age_mae"]
    error = (table["age"] - table["age_true"]).abs()
    assert low < error.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * error.std() / np.sqrt(4000), rel=0.1)
    assert mean_interval(error, table["cluster"])[1:] == pytest.approx((low, high), rel=0.01)


def test_copies_in_one_cluster_do_not_narrow_the_interval():
    table = _predictions(300).assign(cluster=np.arange(300))
    tripled = pd.concat([table] * 3, ignore_index=True)
    (low, high), (low_3, high_3) = intervals(table)["age_mae"], intervals(tripled)["age_mae"]
    assert high_3 - low_3 == pytest.approx(high - low, rel=0.1)


def test_a_paired_difference_is_known_better_than_two_scores():
    first = _predictions(800)
    second = first.assign(age=first["age_true"] + 0.9 * (first["age"] - first["age_true"]))
    row = paired_difference(first, second.sample(frac=1, random_state=0)).loc["age_mae"]
    assert row["high"] < 0
    assert row["difference"] == pytest.approx(-0.1 * score(first)["age_mae"])
    low, high = intervals(first)["age_mae"]
    assert row["high"] - row["low"] < (high - low) / 2
    with pytest.raises(ValueError, match="not of the same files"):
        paired_difference(first, second.iloc[1:])


def test_groups_are_scored_by_themselves():
    table = _predictions(600)
    groups = by_group(table, race_name(table["race"]).rename("race"))
    white = table[table["race"] == 0]
    assert groups.loc["White", "n"] == len(white)
    assert groups.loc["White", "age_mae"] == pytest.approx(score(white)["age_mae"])
    assert (groups["age_mae_low"] <= groups["age_mae"]).all()
    reported, gap = race_report(table)
    assert reported["age_mae"].to_numpy() == pytest.approx(groups["age_mae"].to_numpy())
    assert gap["age_mae"] == pytest.approx(groups["age_mae"].max() - groups["age_mae"].min())


def test_reports_count_what_they_say():
    table = _predictions(400)
    report = gender_report(table)
    assert report.loc["Male", "support"] == (table["gender_true"] == 0).sum()
    assert report.loc["accuracy", "f1-score"] == pytest.approx(score(table)["gender_accuracy"])
    grid = age_error_grid(table)
    assert tuple(grid.index) == AGE_GROUPS
    children = table[(age_group(table["age_true"]) == "5-12") & (table["gender_true"] == 1)]
    assert grid.loc["5-12", "Female"] == pytest.approx(score(children)["age_mae"])
    assert worst_mistakes(table, 5)["age_error"].is_monotonic_decreasing
    wrong = confident_mistakes(table, 5)
    assert ((wrong["probability_female"] >= 0.5).astype(int) != wrong["gender_true"]).all()


@pytest.mark.parametrize(
    ("age", "group"), [(1, "1-4"), (4, "1-4"), (5, "5-12"), (19, "13-19"), (70, "70+"), (116, "70+")]
)
def test_age_groups_have_the_stated_edges(age: int, group: str):
    assert age_group(pd.Series([age])).iloc[0] == group


def test_conformal_intervals_cover_what_they_promise():
    measured = []
    for seed in range(40):
        table = _predictions(1200, seed)
        interval = AgeInterval.fit(table.iloc[:200])
        measured.append(interval.covered(table.iloc[200:]).mean())
    assert 0.895 < np.mean(measured) < 0.92
    table = coverage_table(_predictions(500, 1), _predictions(2000, 2))
    assert table["half_width"].is_monotonic_increasing
    assert (table["measured"] - table["nominal"]).abs().max() < 0.06


def test_too_few_faces_give_no_false_promise():
    assert np.isinf(AgeInterval.fit(_predictions(5)).half_width)


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
    assert reliability_table(mended, table["gender_true"].iloc[3000:])["n"].sum() == 3000
    assert ((raw >= 0.5) == (mended >= 0.5)).all()


@pytest.fixture(scope="module")
def bright_corner() -> keras.Model:
    """A network whose every answer depends on the brightness of the upper left quarter alone."""
    inputs = keras.Input((32, 32, 3))
    mask = np.zeros((1, 32, 32, 1), np.float32)
    mask[:, :16, :16] = 1 / 40
    picture = keras.Input((32, 32, 3))
    backbone = keras.Model(picture, keras.layers.AveragePooling2D(4)(picture * mask), name="backbone")
    features = keras.layers.GlobalAveragePooling2D(name="features")(backbone(inputs))
    age = keras.layers.Dense(1, kernel_initializer="ones", name="age")(features)
    gender = keras.layers.Dense(1, activation="sigmoid", kernel_initializer="ones", name="gender")(features)
    return keras.Model(inputs, {"age": age, "gender": gender})


@pytest.mark.parametrize("task", ["age", "gender"])
def test_explanations_find_the_planted_cause(task: str, bright_corner: keras.Model):
    picture = np.kron(np.random.default_rng(0).integers(100, 255, (4, 4, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    options = {"experiment": Experiment(), "scale": AgeScale(40, 20), "samples": 200}
    lime = lime_attribution(bright_corner, picture, task, seed=0, **options)
    heat = grad_cam(bright_corner, picture[None], task, Experiment())[0]
    for attribution in (lime, heat):
        assert attribution.shape == (32, 32)
        assert np.abs(attribution[:14, :14]).mean() > 5 * np.abs(attribution[20:, 20:]).mean()
    assert np.array_equal(lime, lime_attribution(bright_corner, picture, task, seed=0, **options))


def test_averages_over_faces(bright_corner: keras.Model):
    pictures = np.random.default_rng(0).integers(0, 255, (40, 32, 32, 3), np.uint8)
    average = average_grad_cam(bright_corner, pictures, "age", Experiment())
    assert np.allclose(average, grad_cam(bright_corner, pictures, "age", Experiment()).mean(axis=0), atol=1e-5)
    assert mean_face(pictures).shape == (32, 32, 3)
    assert tf.reduce_max(average) <= 1
