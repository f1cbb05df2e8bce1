"""The bundled model's answers: their form, whoever asks and however often, and what is refused."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from utkface_mt.cli import main
from utkface_mt.data.dataset import Dataset
from utkface_mt.data.pixels import read_picture
from utkface_mt.evaluation.calibration import FaceInterval, GenderCalibration
from utkface_mt.faces import model as models
from utkface_mt.faces.model import ANSWERS, PARTS, FaceModel, evaluate, load_model
from utkface_mt.model.age import AgeHead
from utkface_mt.model.network import build_network
from utkface_mt.model.weights import BUNDLED_MODEL
from utkface_mt.util.errors import UserError
from utkface_mt.util.files import read_json


@pytest.fixture(scope="session")
def crops(dataset: Dataset) -> list[Image.Image]:
    return [read_picture(dataset.folder, path) for path in dataset.faces["path"][:20]]


def test_a_table_has_a_row_a_face_and_the_interval_holds_the_age(model: FaceModel, crops: list[Image.Image]):
    table = model.predict(crops)
    assert tuple(table.columns) == ANSWERS
    assert len(table) == len(crops)
    assert ((table["age_low"] <= table["age"]) & (table["age"] <= table["age_high"])).all()
    assert table["age"].between(1, 116).all()
    assert ((table["gender"] == "Female") == (table["probability_female"] >= 0.5)).all()
    assert tuple(model.predict([]).columns) == ANSWERS


def test_many_faces_in_threads_are_answered_as_one_is(crops: list[Image.Image]):
    head = AgeHead("distribution", "median")
    network = build_network(head, width=0.35, image_size=64, normalisation="trainable")
    model = FaceModel(network, head, 64, 0.05, True, FaceInterval([1 / 117] * 117, 0.1), GenderCalibration(0.8))
    alone = [model.answers([crop])[0].age for crop in crops[:3]]
    with ThreadPoolExecutor(4) as pool:
        for answers in pool.map(model.answers, [crops * 2] * 8):  # enough to be compiled on the way
            assert np.allclose([answer.age for answer in answers[:3]], alone, atol=1e-3)
    assert model._called.fast
    assert np.isclose(model.age_probabilities(crops[0]).sum(), 1)
    assert model.prepare(crops[0]).shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("photo.jpg", "given was 'photo.jpg'"),
        (Path("photo.jpg"), "given was"),
        (Image.new("RGB", (200, 200)), "given was <PIL"),
        (None, "given was None"),
        (["photo.jpg"], "one of them is 'photo.jpg'"),
        (np.zeros((200, 200, 3), np.uint8), r"one of them is an array of uint8 \[200, 3\]"),
        ([np.zeros((200, 200, 3))], r"one of them is an array of float64 \[200, 200, 3\]"),
        ([np.zeros((200, 200, 4), np.uint8)], r"one of them is an array of uint8 \[200, 200, 4\]"),
        ([np.zeros((200, 200, 3), np.uint16)], "one of them is an array of uint16"),
        ([Image.new("RGB", (200, 150))], "200 x 150"),
    ],
)
def test_what_is_no_list_of_aligned_faces_is_refused_with_what_is_wanted(given, said: str, model: FaceModel):
    with pytest.raises(UserError, match=said):
        model.predict(given)


def test_a_damaged_model_is_refused(tmp_path: Path):
    copy = shutil.copytree(BUNDLED_MODEL, tmp_path / "model")
    (copy / "heads.weights.h5").write_bytes(b"not weights")
    with pytest.raises(UserError, match=r"heads.weights.h5 is missing or damaged"):
        load_model(copy)
    (copy / "model.json").unlink()
    with pytest.raises(UserError, match=r"model.json is missing"):
        load_model(str(copy))


def test_the_bundled_weights_are_small_and_fit_plain_keras(model: FaceModel):
    from utkface_mt.util.backend import keras

    described = read_json(BUNDLED_MODEL / "model.json")["experiment"]
    shape = (described["image_size"], described["image_size"], 3)
    plain = keras.applications.MobileNetV2(shape, alpha=described["width"], include_top=False, weights=None)
    plain.load_weights(BUNDLED_MODEL / "backbone.weights.h5")
    for ours, theirs in zip(model.network.get_layer("backbone").weights, plain.weights, strict=True):
        assert np.array_equal(ours.numpy(), theirs.numpy())
    assert sum((BUNDLED_MODEL / f"{part}.weights.h5").stat().st_size for part in PARTS) < 6_000_000
    assert (BUNDLED_MODEL / "LICENSE").exists()
    kinds = set()
    with h5py.File(BUNDLED_MODEL / "heads.weights.h5") as file:
        file.visititems(lambda _, item: kinds.add(item.dtype) if isinstance(item, h5py.Dataset) else None)
    assert kinds == {np.dtype(np.float16)}


def test_evaluation_reports_every_race(
    dataset: Dataset, model: FaceModel, monkeypatch: pytest.MonkeyPatch, runs: Path, capsys: pytest.CaptureFixture
):
    report = evaluate(dataset, model)
    assert report["n"] == len(dataset.faces) == sum(part["n"] for part in report["by_race"].values())
    weighted = sum(part["n"] * part["age_mae"] for part in report["by_race"].values()) / report["n"]
    assert report["age_mae"] == pytest.approx(weighted)
    assert set(report) == {"n", "age_mae", "age_rmse", "gender_accuracy", "gender_f1_weighted", "by_race"}
    monkeypatch.setattr(models, "load_model", lambda: model)
    assert main(["evaluate", str(dataset.folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["age_mae"] == pytest.approx(report["age_mae"], abs=1e-3)
