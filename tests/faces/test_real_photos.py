"""What is promised of photographs of people: measured outside the repository, and again where `FACES` names some."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.faces.real_photos import crops, portraits, turned
from utkface_mt.config import REFERENCE
from utkface_mt.drawn_faces.sample import draw_batch
from utkface_mt.faces.detect import crop_landmarks, find_faces
from utkface_mt.faces.model import FaceModel
from utkface_mt.util.files import read_json

FOLDER = os.environ.get("FACES", "")


def _check_portraits(measured: dict) -> None:
    assert measured["one_face"] == measured["photos"] >= 100
    assert measured["deviation"] < 2.5
    assert measured["same_gender"] > 0.97
    assert measured["groups"][0]["gender_accuracy"] > 0.9


def test_what_was_measured_keeps_the_promise_and_names_nobody():
    measured = read_json(REFERENCE / "elsewhere.json")
    _check_portraits(measured["london"])
    for report in measured.values():
        rows = {row["group"]: row for row in report["groups"]}
        assert rows["all"]["n"] == report["photos"] == rows["Male"]["n"] + rows["Female"]["n"]
        assert rows["all"]["age_mae_low"] < rows["all"]["age_mae"] < rows["all"]["age_mae_high"]
    assert ".jpg" not in (REFERENCE / "elsewhere.json").read_text()


def test_portraits_are_scored_and_their_steadiness_measured(astronaut: Image.Image, model: FaceModel, tmp_path: Path):
    folder = tmp_path / "set"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        astronaut.save(folder / name)
    labels = {"file": ["a.png", "b.png"], "age": [36, 24], "gender": [1, 0]}
    pd.DataFrame(labels).to_csv(tmp_path / "set.csv", index=False)
    measured = portraits(folder, model)
    assert measured["one_face"] == measured["photos"] == 2
    assert 0 < measured["deviation"] < 5
    assert 0.5 <= measured["same_gender"] <= 1
    assert 0 < measured["wider_moves"] < 10
    rows = {row["group"]: row for row in measured["groups"]}
    answer = model.answers([find_faces(astronaut)[0].crop])[0]
    assert rows["30-39, Female"]["age_mae"] == pytest.approx(36 - answer.age, abs=1e-3)
    assert rows["20-29, Male"]["covered"] == (answer.age_low <= 24 <= answer.age_high)
    assert rows["all"]["gender_accuracy"] == 0.5


def test_crops_are_scored_by_decade_gender_and_turn(model: FaceModel, tmp_path: Path):
    drawn, _ = draw_batch(6, seed=0)
    for number, face in enumerate(drawn):
        Image.fromarray(face).save(tmp_path / f"{20 + 5 * number}_{number % 2}_2_2019000000000000{number}.jpg")
    measured = crops(tmp_path, model)
    assert measured["photos"] == 6
    rows = {row["group"]: row for row in measured["groups"]}
    assert rows["all"]["n"] == rows["from 20"]["n"] == 6
    assert sum(row["n"] for group, row in rows.items() if group.startswith("turned")) == measured["found"] > 0


def test_a_face_that_looks_ahead_is_not_turned_and_its_nose_tells_how_far_it_is():
    marks = crop_landmarks().copy()
    assert turned(marks) < 5
    marks[2] = marks[:2].mean(axis=0) + 0.45 * (marks[1] - marks[0]) + (0, 40)
    assert turned(marks) == pytest.approx(45, abs=1)
    rolled = marks @ np.array([[0, 1], [-1, 0]])
    assert turned(rolled) == pytest.approx(turned(marks), abs=0.1)


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER, reason="FACES names no folder of photographs, each of one adult, beside FOLDER.csv")
def test_each_photograph_shows_one_face_whose_answer_is_steady(model: FaceModel):
    _check_portraits(portraits(Path(FOLDER), model))
