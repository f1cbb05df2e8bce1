"""The exported graph gives the model's answers in every format, from raw crops."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools.exports import open_exported
from utkface_mt.cli import main
from utkface_mt.config import REFERENCE
from utkface_mt.data.pixels import prepare_picture
from utkface_mt.drawn_faces import draw_face, sample_traits
from utkface_mt.evaluation.calibration import FaceInterval, GenderCalibration
from utkface_mt.faces.export import PRECISIONS, SUFFIXES, CropsToPictures, export_model, exported_graph
from utkface_mt.faces.model import FaceModel
from utkface_mt.faces.quantise import required_ranges
from utkface_mt.model.age import AgeHead
from utkface_mt.model.network import build_network
from utkface_mt.util.errors import UserError
from utkface_mt.util.files import read_json

CHOICES = [(to, name) for to, names in PRECISIONS.items() for name in names]
TOLERANCES = {"float32": (0.05, 1e-3), "float16": (0.5, 0.03), "int8": (3.0, 0.2)}  # years, probability


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    generator = np.random.default_rng(3)
    faces = [sample_traits(age, age % 2, age % 5, generator) for age in (2, 15, 31, 48, 77)]
    return np.stack([np.asarray(draw_face(traits).convert("RGB")) for traits in faces])


@pytest.mark.parametrize(("size", "crop"), [(96, 0.0), (128, 0.0536), (160, 0.1), (224, 0.0)])
def test_crops_are_prepared_as_everywhere_else(crops: np.ndarray, size: int, crop: float):
    made = np.asarray(CropsToPictures(size, crop)(crops))
    expected = np.stack([prepare_picture(Image.fromarray(face), size, crop) for face in crops]).astype(float)
    assert np.abs(made - expected).max() <= 1
    assert (made != expected).mean() < 0.01  # where Pillow's whole numbers fall on the other side of a half


@pytest.mark.parametrize(
    ("head", "crop", "flip"),
    [
        (AgeHead("distribution", "mean"), 0.0, True),
        (AgeHead("distribution", "median"), 0.05, True),
    ],
)
def test_the_graph_answers_as_the_model_does_whatever_its_heads(
    crops: np.ndarray, head: AgeHead, crop: float, flip: bool
):
    network = build_network(head, width=0.35, image_size=64, normalisation="trainable")
    model = FaceModel(network, head, 64, crop, flip, FaceInterval([1 / 117] * 117, 0.1), GenderCalibration(0.8))
    expected = model.predict(list(crops))
    answers = exported_graph(model)(crops)
    assert np.allclose(answers["age"], expected["age"], atol=0.02)
    assert np.allclose(answers["probability_female"], expected["probability_female"], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("to", "name"), CHOICES)
def test_every_format_and_precision_gives_the_models_answers(
    to: str, name: str, crops: np.ndarray, model: FaceModel, tmp_path: Path
):
    path = export_model(to, tmp_path / f"model{SUFFIXES[to]}", name)
    run = open_exported(path)
    expected = model.predict(list(crops))
    answers = run(crops)
    years, probability = TOLERANCES[name]
    assert set(answers) == {"age", "probability_female"}
    whole = np.max if name == "float32" else np.median  # a distribution with two hills can tip over by rounding
    assert whole(np.abs(answers["age"] - expected["age"])) < years
    assert whole(np.abs(answers["probability_female"] - expected["probability_female"])) < probability
    alone = run(crops[:1])
    assert alone["age"].shape == (1,)
    assert alone["age"][0] == pytest.approx(answers["age"][0], abs=0.05 if name == "float32" else 1.0)


@pytest.mark.slow
def test_the_command_exports_below_three_megabytes_with_its_licence(tmp_path: Path, capsys: pytest.CaptureFixture):
    out = tmp_path / "any name"
    for _ in range(2):  # an earlier export is replaced
        assert main(["export", "--to", "litert", "--precision", "int8", "--out", str(out)]) == 0
    assert out.stat().st_size <= 3_000_000
    assert "non-commercial" in capsys.readouterr().out
    assert "non-commercial" in (tmp_path / "any name.LICENSE.txt").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--to", "litert", "--out", "thesis.tflite"], "is no earlier export"),
        (["--to", "saved-model", "--precision", "int8", "--out", "model"], "saved-model can be written in float32"),
        (["--to", "saved-model", "--out", "."], "is a folder that exists already"),
        (["--to", "saved-model", "--out", "earlier.tflite"], "is no earlier export"),  # of one file, no folder
        (["--to", "onnx", "--out", "thesis.tflite/model.onnx"], "cannot be written"),
    ],
)
def test_an_export_takes_nobodys_place_and_says_so_at_once(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.chdir(tmp_path)
    Path("thesis.tflite").write_text("years of work")
    for name in ("earlier.tflite", "earlier.tflite.LICENSE.txt"):
        Path(name).touch()
    assert main(["export", *options]) == 1
    assert said in capsys.readouterr().err
    assert Path("thesis.tflite").read_text() == "years of work"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("to", "precision", "package"), [("litert", "float16", "ai_edge_quantizer"), ("onnx", "int8", "onnxruntime")]
)
def test_a_missing_package_is_named_whatever_needs_it(
    to: str,
    precision: str,
    package: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
):
    for name in [package, *(name for name in sys.modules if name.startswith(f"{package}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    assert main(["export", "--to", to, "--precision", precision, "--out", str(tmp_path / "model")]) == 1
    assert f"Exporting to {to} needs more packages" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_int8_is_refused_where_the_ranges_belong_to_other_weights(tmp_path: Path):
    for name in ("backbone.weights.h5", "heads.weights.h5"):
        (tmp_path / name).write_bytes(name.encode())
    with pytest.raises(UserError, match="ranges of this model's activations were not measured for onnx"):
        required_ranges("onnx", tmp_path)


def test_what_exports_cost_was_measured_for_all_of_them():
    report = read_json(REFERENCE / "exports.json")
    assert [(row["format"], row["precision"]) for row in report["rows"]] == CHOICES
    for row in report["rows"]:
        if row["precision"] == "float32":
            assert abs(row["age_mae"] - report["keras"]["age_mae"]) < 0.001
            assert row["age_max_difference"] < 0.2
        else:
            assert abs(row["age_mae_difference"][0]) < {"float16": 0.02, "int8": 0.1}[row["precision"]]
        if row["precision"] == "int8":
            assert row["bytes"] <= 3_000_000
