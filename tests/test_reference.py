"""What a run measured: collected, read back, reproduced, bundled and used."""

import json
import os
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from utkface_mt.experiments import reference as learning
from tools import figures as measured_figures
from tools import reproduce as reproducing
from tools.bundle import bundle
from utkface_mt.cli import main
from tools.collect import collect
from utkface_mt.util.errors import UserError
from utkface_mt.evaluation.metrics import score
from utkface_mt.experiments.run import predict_part, run, run_constant
from utkface_mt.util.files import read_json
from utkface_mt.faces.model import PARTS, evaluate, load_model
from utkface_mt.experiments.ladder import baseline_experiment
from utkface_mt.experiments.reference import verdict
from utkface_mt.experiments.reference import (
    PUBLIC_COLUMNS,
    REFERENCE,
    measured_entries,
    measured_predictions,
    measured_results,
    measured_rows,
    predictions_file,
)
from utkface_mt.model.weights import BUNDLED_MODEL
from utkface_mt.faces.predict import predict_files
from utkface_mt.experiments.results import Result
from utkface_mt.experiments.workspace import write_manifest


@pytest.fixture
def reference(workspace, tmp_path: Path) -> Path:
    """A reference collected from a run with two rows, and one of them repeated with another seed."""
    run_constant(workspace)
    result = run(workspace, baseline_experiment(workspace), row="03_baseline")
    write_manifest(workspace)
    again = replace(workspace, folder=workspace.folder.with_name("reproduced"))
    run(again, replace(result.experiment, seed=1), row="03_baseline", repeat=True)
    collect(workspace.folder, again.folder, tmp_path / "reference")
    return tmp_path / "reference"


def test_a_collected_row_can_be_recomputed_from_its_predictions(workspace, reference: Path):
    entries = measured_entries(reference)
    assert [(entry["experiment"], entry["seed"], entry["repeat"]) for entry in entries] == [
        ("00_constant", 0, False),
        ("03_baseline", 0, False),
        ("03_baseline", 1, True),
    ]
    assert [entry["final"] for entry in entries] == [False, True, False]
    table = pd.read_csv(reference / "predictions" / "03_baseline.csv.gz")
    assert tuple(table.columns) == PUBLIC_COLUMNS
    assert score(table) == pytest.approx({name: entries[1][name] for name in score(table)}, abs=1e-6)
    result = Result.from_table_row(entries[1], [])
    joined = measured_predictions(result, reference=reference)
    original = workspace.store.predictions(workspace.store.row("03_baseline"), "test")
    pd.testing.assert_frame_equal(joined, original)


def test_a_collected_row_says_how_it_differs_from_the_row_before(reference: Path):
    constant, baseline, repeat = measured_entries(reference)
    difference, low, high = baseline["difference"]["age_mae"]
    assert baseline["difference"]["to"] == "00_constant"
    assert difference == pytest.approx(baseline["age_mae"] - constant["age_mae"], abs=1e-5)
    assert low <= difference <= high
    assert "difference" not in constant
    assert "difference" not in repeat


def test_collecting_keeps_rows_that_this_run_does_not_have(workspace, reference: Path, tmp_path: Path):
    lone = replace(workspace, folder=tmp_path / "later")
    run_constant(lone)
    write_manifest(lone)
    before = measured_entries(reference)
    collect(lone.folder, tmp_path / "nothing", reference)
    after = measured_entries(reference)
    assert [entry["experiment"] for entry in after] == [entry["experiment"] for entry in before]
    assert after[1:] == before[1:]
    with pytest.raises(UserError, match="There is no row in"):
        collect(tmp_path / "empty", tmp_path / "nothing", reference)


@pytest.mark.slow
def test_a_row_trained_again_gives_the_same_figures(workspace, monkeypatch: pytest.MonkeyPatch):
    result = run(workspace, baseline_experiment(workspace), row="03_baseline")
    predictions = workspace.store.predictions(result, "test")
    monkeypatch.setattr(reproducing, "measured_result", lambda row: result)
    monkeypatch.setattr(reproducing, "measured_predictions", lambda row: predictions)
    monkeypatch.setattr(reproducing, "FOLDER", "trained-anew")
    again, table = reproducing.reproduce(workspace, "03_baseline", seed=0)
    assert again.repeat
    assert table["within"].all()
    assert np.abs(table["difference"]).max() < 0.02
    text = reproducing.describe(table)
    assert "inside its interval" in text
    assert "OUTSIDE" not in text
    worse = predictions.assign(age=predictions["age"] + 30)
    table = reproducing.compare(result, replace(again, test=score(worse)), worse)
    assert "OUTSIDE" in reproducing.describe(table)


def test_a_verdict_does_not_call_noise_a_gain():
    assert verdict([-0.2, -0.5, 0.1], -1, "years").endswith("no difference can be told")
    assert verdict([-0.2, -0.3, -0.1], -1, "years").endswith("better")
    assert verdict([-0.02, -0.03, -0.01], 1, "points", 100) == "-2.00 points [-3.00, -1.00]: worse"


def test_no_two_rows_share_a_predictions_file():
    files = [predictions_file(result) for result in measured_results()]
    assert len(files) > 5
    assert len(set(files)) == len(files)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("06_sample_weights", "no difference can be told"),
        ("07_augmentation", "no difference can be told"),
        ("08_scheduler", "better"),
        ("09_loss_weights", "no difference can be told"),
    ],
)
def test_what_the_notebooks_say_in_words_is_what_was_measured(row: str, said: str):
    """Where this fails, "What we learned" of the row's notebook has to be written anew."""
    difference = measured_rows()[row]["difference"]
    assert verdict(difference["age_mae"], -1, "years").endswith(said)
    assert verdict(difference["gender_accuracy"], 1, "points", 100).endswith(said)


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("model")


@pytest.fixture
def bundled(workspace, model_folder: Path) -> Path:
    result = run(workspace, replace(baseline_experiment(workspace), flip_average=True, crop=0.05), row="03_baseline")
    if not (model_folder / "model.json").exists():
        scores = bundle(workspace, result, model_folder)
        assert scores.loc["age_mae"].diff().abs().max() < 0.05
    return model_folder


@pytest.mark.slow
def test_a_bundled_model_predicts_what_the_trained_network_predicts(workspace, bundled: Path):
    model = load_model(bundled)
    faces = workspace.part("test")
    expected = predict_part(workspace, model.network, model.experiment, "test")
    files = [workspace.dataset.folder / path for path in faces["path"]]
    table = predict_files(files, model, aligned=True)
    assert np.allclose(table["age"], expected["age"], atol=1e-3)
    assert ((table["gender"] == "Female") == (expected["probability_female"] >= 0.5)).all()
    assert (table["age_low"] <= table["age"]).all()
    assert (table["age"] <= table["age_high"]).all()


@pytest.mark.slow
def test_bundled_weights_are_half_precision_and_fit_plain_keras(bundled: Path):
    from utkface_mt.util.backend import keras

    described = read_json(bundled / "model.json")["experiment"]
    shape = (described["image_size"], described["image_size"], 3)
    plain = keras.applications.MobileNetV2(shape, alpha=described["width"], include_top=False, weights=None)
    plain.load_weights(bundled / "backbone.weights.h5")
    for ours, theirs in zip(load_model(bundled).network.get_layer("backbone").weights, plain.weights, strict=True):
        assert np.array_equal(ours.numpy(), theirs.numpy())
    kinds = set()
    with h5py.File(bundled / "heads.weights.h5") as file:
        file.visititems(lambda _, item: kinds.add(item.dtype) if isinstance(item, h5py.Dataset) else None)
    assert kinds == {np.dtype(np.float16)}


@pytest.mark.slow
def test_a_damaged_model_is_refused(bundled: Path, tmp_path: Path):
    copy = tmp_path / "model"
    copy.mkdir()
    for file in bundled.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "heads.weights.h5").write_bytes(b"not weights")
    with pytest.raises(UserError, match=r"heads.weights.h5 is missing or damaged"):
        load_model(copy)
    (copy / "model.json").unlink()
    with pytest.raises(UserError, match=r"model.json is missing"):
        load_model(copy)


@pytest.mark.slow
def test_evaluation_reports_every_race_and_agrees_with_the_scores(workspace, bundled: Path):
    model = load_model(bundled)
    report = evaluate(workspace.dataset, model)
    assert report["n"] == len(workspace.dataset.faces) == sum(part["n"] for part in report["by_race"].values())
    weighted = sum(part["n"] * part["age_mae"] for part in report["by_race"].values()) / report["n"]
    assert report["age_mae"] == pytest.approx(weighted)
    assert set(report) == {"n", "age_mae", "age_rmse", "gender_accuracy", "gender_f1_weighted", "by_race"}
    json.dumps(report)


@pytest.mark.slow
def test_crops_that_cannot_be_predicted_have_a_row_that_says_so(bundled: Path, tmp_path: Path):
    model = load_model(bundled)
    Image.new("RGB", (200, 150)).save(tmp_path / "oblong.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    os.mkfifo(tmp_path / "pipe.jpg")
    Image.new("L", (100, 100), 128).save(tmp_path / "small.png")
    table = predict_files([tmp_path], model, aligned=True)
    assert table["face"].tolist() == [0, 0, 0, 1]
    for note, reason in zip(table["note"], ("it is no picture", "200 x 150", "it is no file", ""), strict=True):
        assert reason in note
    with pytest.raises(UserError, match="does not exist"):
        predict_files([tmp_path / "none"], model)
    with pytest.raises(UserError, match="200 x 150"):
        model.predict([Image.open(tmp_path / "oblong.png")])
    assert len(model.predict([Image.new("L", (100, 100), 128), np.full((200, 200, 3), 128, np.uint8)])) == 2
    assert model.predict([]).empty


def test_the_command_line_names_a_row_that_the_reference_lacks(
    workspace, faces_folder: Path, capsys: pytest.CaptureFixture
):
    assert main(["reproduce", "99_none", "--data", str(faces_folder), "--weights", "none"]) == 1
    assert "has no row '99_none'" in capsys.readouterr().err
    assert main(["collect", "--profile", "full"]) == 1
    assert "Run the notebooks first" in capsys.readouterr().err


def test_what_the_notebooks_say_of_the_real_run_is_read_from_the_reference():
    entries = {entry["experiment"]: entry for entry in measured_entries() if not entry["repeat"]}
    said = learning.learned("03_baseline")
    assert f"{entries['03_baseline']['age_mae']:.2f} years" in said
    assert "better" in said
    split = pd.read_csv(REFERENCE / "split.csv.gz")
    assert f"{(split['part'] == 'test').sum():,} test" in learning.learned_about_split()
    assert "stand on two sides: 0" in learning.learned_about_split()
    assert "686 files" in learning.learned_about_data()
    assert learning.learned("not a row").startswith("- On UTKFace: not measured yet")


def test_scores_in_the_reference_can_be_recomputed_from_its_predictions():
    for result in measured_results():
        table = measured_predictions(result)
        assert len(table) == result.n_test
        assert score(table) == pytest.approx(result.test, abs=2e-6)
        assert set(table["file"]) == set(_test_files())


def _test_files() -> pd.Series:
    split = pd.read_csv(REFERENCE / "split.csv.gz")
    return split.loc[split["part"] == "test", "file"]


def test_no_face_of_the_reference_stands_on_two_sides():
    split = pd.read_csv(REFERENCE / "split.csv.gz")
    assert split["file"].is_unique
    assert (split.groupby("cluster")["part"].nunique() == 1).all()
    assert (split.groupby("sha256")["part"].nunique() == 1).all()


@pytest.mark.slow
def test_every_figure_of_the_reference_can_be_drawn_and_is_the_one_in_images(tmp_path: Path):
    drawn = measured_figures.draw(tmp_path)
    images = Path(__file__).parents[1] / "images"
    assert {"ladder.png", "age_error.png", "coverage.png"} <= {path.name for path in drawn}
    for path in drawn:
        with Image.open(path) as new, Image.open(images / path.name) as committed:
            assert new.size == committed.size, path.name
            difference = np.abs(np.asarray(new.convert("L"), float) - np.asarray(committed.convert("L"), float))
            assert difference.mean() < 2, path.name


@pytest.mark.slow
def test_the_model_in_the_box_is_small_and_answers_on_the_command_line(
    faces_folder: Path, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    described = read_json(BUNDLED_MODEL / "model.json")
    assert sum((BUNDLED_MODEL / f"{part}.weights.h5").stat().st_size for part in PARTS) < 6_000_000
    assert described["experiment"] == next(
        entry["configuration"] for entry in measured_entries() if entry["experiment"] == described["row"]
    )
    assert (BUNDLED_MODEL / "LICENSE").exists()
    assert main(["evaluate", str(faces_folder), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["n"] == sum(part["n"] for part in report["by_race"].values())
    assert 0 < report["age_mae"] < 60
    picture = next(path for path in sorted(faces_folder.rglob("*.jpg")) if path.stat().st_size > 1000)
    table = tmp_path / "ages.csv"
    assert main(["predict", "--aligned", str(picture), "--csv", str(table)]) == 0
    columns = ["file", "face", "age", "age_low", "age_high", "gender", "probability_female"]
    assert list(pd.read_csv(table).columns) == columns
    assert picture.name in capsys.readouterr().out
