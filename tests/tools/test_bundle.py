"""A trained row as the model in the package."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from tools.bundle import bundle, save_halved
from utkface_mt.evaluation.calibration import GenderCalibration
from utkface_mt.faces.model import load_model
from utkface_mt.util.backend import keras
from utkface_mt.util.errors import UserError
from utkface_mt.util.files import read_json

if TYPE_CHECKING:
    from utkface_mt.experiments.workspace import Workspace


def small_model() -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    features = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(inputs))
    return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(features)))


def test_halved_weights_are_float16_in_the_file_and_load_as_rounded(tmp_path: Path):
    model, path = small_model(), tmp_path / "new" / "model.weights.h5"
    save_halved(model, path)
    kinds = set()
    with h5py.File(path) as file:
        file.visititems(lambda _, item: kinds.add(item.dtype) if isinstance(item, h5py.Dataset) else None)
    assert kinds == {np.dtype(np.float16)}
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    other = small_model()
    other.load_weights(path)
    for loaded, weight in zip(other.get_weights(), model.get_weights(), strict=True):
        assert loaded.dtype == np.float32
        assert np.array_equal(loaded, weight.astype(np.float16).astype(np.float32))


@pytest.mark.slow
@pytest.mark.parametrize("all_faces", [False, True])
def test_a_bundled_row_answers_as_its_rounded_network_and_fits_plain_keras(
    workspace: "Workspace", tmp_path: Path, all_faces: bool, monkeypatch: pytest.MonkeyPatch
):
    from utkface_mt.data.pixels import read_picture
    from utkface_mt.evaluation.metrics import score
    from utkface_mt.experiments.derive import row_experiment
    from utkface_mt.experiments.run import load_network, predict_part, run

    experiment = replace(
        row_experiment(workspace, "03_baseline"), flip_average=True, crop=0.05, age_head="distribution"
    )
    workspace = replace(workspace, folder=tmp_path / "run")
    result = run(workspace, experiment, row="03_baseline")
    scores = bundle(workspace, result, tmp_path / "model", all_faces)
    assert scores.loc["age_mae"].diff().abs().max() < 0.05
    described = read_json(tmp_path / "model" / "model.json")
    assert described["profile"] == "sample"
    assert described["faces"] == len(workspace.faces if all_faces else workspace.part("train"))
    aside = workspace.store.predictions(result, "calibration")  # of the row, and of no test face
    assert described["calibration_slope"] == pytest.approx(GenderCalibration.fit(aside).slope, rel=1e-3)
    model, faces = load_model(tmp_path / "model"), workspace.part("test")
    pictures = [read_picture(workspace.dataset.folder, path) for path in faces["path"]]
    answers = model.predict(pictures)
    expected = predict_part(workspace, model.network, experiment, "test")
    assert np.allclose(answers["age"], expected["age"], atol=1e-2)
    calibrated = model.calibration.probability(expected["probability_female"])
    assert np.allclose(answers["probability_female"], calibrated, atol=1e-3)
    measured = replace(model, network=load_network(workspace, result)).predict(pictures)
    if all_faces:  # which the row has not learnt
        assert score(expected)["age_mae"] < result.test["age_mae"]
    else:
        assert score(expected)["age_mae"] == pytest.approx(result.test["age_mae"], abs=0.05)
    inside = (measured["age_low"] <= faces["age"].to_numpy()) & (faces["age"].to_numpy() <= measured["age_high"])
    told = described["interval_on_test"]["all"]
    assert told["covered"] == pytest.approx(inside.mean(), abs=1e-3)
    assert told["width"] == pytest.approx((measured["age_high"] - measured["age_low"]).mean(), abs=0.05)
    size = experiment.image_size
    plain = keras.applications.MobileNetV2((size, size, 3), alpha=experiment.width, include_top=False, weights=None)
    plain.load_weights(tmp_path / "model" / "backbone.weights.h5")
    for ours, theirs in zip(model.network.get_layer("backbone").weights, plain.weights, strict=True):
        assert np.array_equal(ours.numpy(), theirs.numpy())
    (tmp_path / "model" / "heads.weights.h5").write_bytes(b"another model's")
    monkeypatch.setattr("tools.bundle.LARGEST", 1000)
    with pytest.raises(UserError, match=r"The weights take .* at most 0 MB"):
        bundle(workspace, result, tmp_path / "model", all_faces)
    assert (tmp_path / "model" / "heads.weights.h5").read_bytes() == b"another model's"
