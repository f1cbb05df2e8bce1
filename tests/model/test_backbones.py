"""Backbones: weights are those that were asked for, and never silently random."""

from pathlib import Path

import numpy as np
import pytest

from utkface_mt.model.backbones import BACKBONES, build_backbone
from utkface_mt.model.weights import bundled_path
from utkface_mt.util.backend import keras
from utkface_mt.util.errors import UserError


def test_the_bundled_weights_load_and_are_small():
    bundled = build_backbone("mobilenet_v2", 0.35, 96, "bundled")
    random = build_backbone("mobilenet_v2", 0.35, 96, "none")
    assert not np.allclose(bundled.get_weights()[0], random.get_weights()[0])
    assert all(np.isfinite(weight).all() for weight in bundled.get_weights())
    assert bundled_path("mobilenet_v2", 0.35).stat().st_size < 1_500_000


def test_weights_are_never_silently_random(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UserError, match="No weights are bundled"):
        build_backbone("mobilenet_v2", 0.5, 32, "bundled")
    with pytest.raises(UserError, match="give that file's path"):
        build_backbone("mobilenet_v2", 0.35, 32, "gone.weights.h5@0123456789ab")

    def no_network(*args, **kwargs):
        raise OSError("URL fetch failure")

    monkeypatch.setattr("keras.src.applications.mobilenet_v2.file_utils.get_file", no_network)
    with pytest.raises(UserError, match=r"could not be downloaded .*Check the network"):
        build_backbone("mobilenet_v2", 1.0, 128, "imagenet")


def test_a_download_cut_short_is_told_and_what_to_delete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    half = tmp_path / "half.h5"
    half.write_bytes(bundled_path("mobilenet_v2", 1.0).read_bytes()[:100_000])
    monkeypatch.setattr("keras.src.applications.mobilenet_v2.file_utils.get_file", lambda *_, **__: str(half))
    with pytest.raises(UserError, match=r"downloaded or read .*delete a half download in ~/\.keras/models"):
        build_backbone("mobilenet_v2", 1.0, 128, "imagenet")


def test_every_backbone_is_one_of_keras_and_an_unknown_one_is_refused():
    assert all(hasattr(keras.applications, backbone.constructor) for backbone in BACKBONES.values())
    with pytest.raises(UserError, match="no backbone 'vgg'"):
        build_backbone("vgg", 1.0, 96, "none")
