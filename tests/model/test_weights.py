"""Weights files: numbers only. What could run code, or fetch from elsewhere, is refused with a reason."""

import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from utkface_mt.model.backbones import build_backbone
from utkface_mt.model.weights import weights_identity
from utkface_mt.util.backend import keras
from utkface_mt.util.errors import UserError

WIDTH, SIZE = 0.35, 32


class Attack:
    """Unpickling it makes a folder."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self):
        return os.mkdir, (str(self.place),)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "backbone.weights.h5"
    build_backbone("mobilenet_v2", WIDTH, SIZE, "none").save_weights(path)
    return path


def _copy(weights: Path, tmp_path: Path) -> Path:
    path = tmp_path / "copy.weights.h5"
    path.write_bytes(weights.read_bytes())
    return path


def test_a_weights_file_is_known_by_name_and_content_and_must_fit(weights: Path):
    identity = weights_identity(str(weights))
    assert identity.startswith("backbone.weights.h5@")
    assert str(weights.parent) not in identity
    loaded = build_backbone("mobilenet_v2", WIDTH, SIZE, identity, weights)
    with h5py.File(weights) as file:
        assert np.array_equal(loaded.get_weights()[0], file["layers/conv2d/vars/0"])
    with pytest.raises(UserError, match=r"does not fit MobileNetV2 at width 0.5 .*Give weights of that network"):
        build_backbone("mobilenet_v2", 0.5, SIZE, identity, weights)


@pytest.mark.parametrize("weights", ["nowhere.weights.h5", "imagnet", "model.h5"])
def test_unknown_weights_are_refused(weights: str):
    with pytest.raises(UserError, match="weights="):
        weights_identity(weights)


def test_a_pickle_is_refused_and_not_opened(tmp_path: Path):
    for name in ("model.pkl", "model.weights.h5"):
        (tmp_path / name).write_bytes(pickle.dumps(Attack(tmp_path / "ran")))
        with pytest.raises(UserError, match="can run code"):
            weights_identity(str(tmp_path / name))
    assert not (tmp_path / "ran").exists()


def test_a_keras_model_with_a_lambda_is_refused_by_whatever_name(tmp_path: Path):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: x * 2)(inputs))
    model.save(tmp_path / "model.keras")
    (tmp_path / "model.keras").rename(tmp_path / "renamed.weights.h5")
    model.save(tmp_path / "model.keras")
    for name, reason in (("model.keras", "does not end in .weights.h5"), ("renamed.weights.h5", "no HDF5 file")):
        with pytest.raises(UserError, match=rf"{name} .*{reason}.*can run code"):
            weights_identity(str(tmp_path / name))


@pytest.mark.filterwarnings("ignore:.*HDF5 file")
def test_a_whole_model_in_the_old_format_is_refused(tmp_path: Path):
    inputs = keras.Input((2,))
    keras.Model(inputs, keras.layers.Dense(1)(inputs)).save(tmp_path / "model.h5")
    (tmp_path / "model.h5").rename(tmp_path / "model.weights.h5")
    with pytest.raises(UserError, match="a whole model in the old format"):
        weights_identity(str(tmp_path / "model.weights.h5"))


def test_weights_that_point_to_other_files_are_refused(weights: Path, tmp_path: Path):
    secret = tmp_path / "secret.txt"
    secret.write_bytes(b"s" * 64)
    linked, outside = _copy(weights, tmp_path), tmp_path / "outside.weights.h5"
    with h5py.File(linked, "a") as file:
        file["layers/elsewhere"] = h5py.ExternalLink(str(weights), "/layers")
    with h5py.File(outside, "w") as file:
        file.create_dataset("layers/vars/0", (8,), np.float64, external=[(str(secret), 0, 64)])
    for path in (linked, outside):
        with pytest.raises(UserError, match="from another file"):
            weights_identity(str(path))


def test_weights_that_are_no_numbers_are_refused(weights: Path, tmp_path: Path):
    path = _copy(weights, tmp_path)
    with h5py.File(path, "a") as file:
        found = []
        file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
        file[found[0]][...] = np.nan
    with pytest.raises(UserError, match=r"copy.weights.h5 holds values that are no numbers, first in "):
        build_backbone("mobilenet_v2", WIDTH, SIZE, weights_identity(str(path)), path)


def test_a_truncated_file_is_refused(weights: Path, tmp_path: Path):
    path = _copy(weights, tmp_path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(UserError, match="no HDF5 file of weights, or it is damaged"):
        weights_identity(str(path))
