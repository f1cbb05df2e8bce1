"""What was measured on UTKFace: scores follow from the committed predictions, and no face stands on two sides."""

import pandas as pd
import pytest

from utkface_mt.config import REFERENCE
from utkface_mt.data.labels import parse_name
from utkface_mt.evaluation.metrics import score
from utkface_mt.evaluation.suspicion import suspicious
from utkface_mt.experiments.reference import (
    measured_entries,
    measured_predictions,
    measured_result,
    measured_results,
    measured_split,
    measured_table,
    predictions_file,
    published_labels,
    published_rows,
)
from utkface_mt.experiments.rows import ROWS
from utkface_mt.util.errors import UserError

PROFILES = sorted({entry["profile"] for entry in measured_entries()})


@pytest.fixture(scope="module")
def split() -> pd.DataFrame:
    return measured_split()


@pytest.mark.parametrize("profile", PROFILES)
def test_scores_can_be_recomputed_from_the_predictions(profile: str, split: pd.DataFrame):
    files = set(split.loc[split["part"] == "test", "file"])
    for result in measured_results(profile):
        table = measured_predictions(result)
        assert len(table) == result.n_test
        assert score(table) == pytest.approx(result.test, abs=2e-6)
        assert set(table["file"]) == files


def test_no_face_stands_on_two_sides(split: pd.DataFrame):
    assert split["file"].is_unique
    assert (split.groupby("cluster")["part"].nunique() == 1).all()
    assert (split.groupby("sha256")["part"].nunique() == 1).all()


def test_the_published_labels_are_those_of_all_faces_and_every_look_is_at_one_of_them(split: pd.DataFrame):
    labels = published_labels()
    assert sorted(labels["file"]) == sorted(split["file"])
    parsed = pd.DataFrame([parse_name(file) for file in labels["file"]], columns=["age", "gender", "race"])
    assert parsed.equals(labels[["age", "gender", "race"]])
    for ranking in ("gender_suspicion", "age_suspicion"):
        assert set(labels.nlargest(50, ranking)["file"]) <= set(labels["file"].head(200))
    assert labels["gender_suspicion"].between(0, 1).all()
    assert 0 < suspicious(labels).sum() < len(labels) / 10
    looked = pd.read_csv(REFERENCE / "labels_looked_at.csv")
    assert looked["file"].is_unique
    assert set(looked["file"]) <= set(labels["file"])
    assert set(looked["verdict"]) == {"wrong", "right", "cannot say"}


def test_no_two_rows_share_a_predictions_file():
    files = [predictions_file(result) for profile in PROFILES for result in measured_results(profile)]
    assert len(files) > 5
    assert len(set(files)) == len(files)


def test_exactly_one_row_a_notebook_is_its_final_one():
    for profile in PROFILES:
        rows = pd.DataFrame([entry for entry in measured_entries() if entry["profile"] == profile])
        assert (rows.groupby("notebook")["final"].sum() == 1).all()


def test_the_table_shows_measured_beside_published_and_leaves_out_what_was_not_measured():
    names = [row.name for row in ROWS]
    table = measured_table(*names, profile="cpu")
    assert table.shape[1] == len({entry["experiment"] for entry in measured_entries() if entry["profile"] == "cpu"})
    baseline = table[ROWS[1].title]
    assert baseline["age MAE"].startswith(f"{measured_result('03_baseline', 'cpu').test['age_mae']:.2f} [")
    assert baseline["published age MAE"] == f"{published_rows()['03_baseline']['age_mae']:.2f}"
    with pytest.raises(UserError, match="no row '99_none'"):
        measured_result("99_none")


def test_the_command_of_a_row_names_its_seed():
    for entry in measured_entries():
        assert (f"--seed {entry['seed']}" in entry["command"]) == (entry["seed"] != 0), entry["command"]
