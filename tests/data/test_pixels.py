"""Pictures as one array: padded as published, made once, in the order of the faces, and only where there is room."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from utkface_mt.data.dataset import Dataset
from utkface_mt.data.index import _small_grey
from utkface_mt.data.pixels import open_pixels, prepare_picture, read_picture
from utkface_mt.util.errors import UserError


def test_padding_is_black_and_the_crop_stays_as_it_is():
    crop = np.random.default_rng(0).integers(1, 255, (200, 200, 3), np.uint8)
    padded = prepare_picture(Image.fromarray(crop), 224).copy()
    assert np.array_equal(padded[12:212, 12:212], crop)
    padded[12:212, 12:212] = 0
    assert not padded.any()
    assert prepare_picture(Image.fromarray(crop).convert("L"), 96).shape == (96, 96, 3)


def test_cutting_the_padding_off_leaves_the_crop():
    crop = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    assert np.abs(prepare_picture(Image.fromarray(crop), 200, 12 / 224).astype(int) - crop).max() <= 1


def test_a_crop_of_16_bits_or_with_transparent_parts_is_seen_as_people_see_it(tmp_path: Path):
    grey = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    deep.save(tmp_path / "deep.png")
    expected = prepare_picture(Image.fromarray(grey), 128)
    assert np.array_equal(prepare_picture(read_picture(tmp_path, "deep.png"), 128), expected)
    assert np.array_equal(prepare_picture(deep, 128), expected)
    Image.fromarray((grey * (4095 / 255)).round().astype(np.uint16)).save(tmp_path / "camera.tif")  # 12 bits of 16
    for camera in (read_picture(tmp_path, "camera.tif"), Image.open(tmp_path / "camera.tif").copy()):
        assert np.abs(prepare_picture(camera, 128).astype(int) - expected).max() <= 1
    for below in (grey.astype(np.float32) / 127.5 - 1, grey.astype(np.int32) - 128):
        with pytest.raises(UserError, match="numbers below nought"):
            prepare_picture(Image.fromarray(below), 128)
    glass = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    glass.save(tmp_path / "glass.png")
    assert np.asarray(read_picture(tmp_path, "glass.png")).min() == 255
    assert _small_grey((tmp_path / "glass.png").read_bytes()).min() == 255


def test_pixels_are_made_once_and_in_the_order_of_the_faces(dataset: Dataset):
    faces = dataset.faces.head(12)
    pixels = open_pixels(dataset, faces, 32)
    assert isinstance(pixels, np.memmap)
    assert pixels.shape == (12, 32, 32, 3)
    other = open_pixels(dataset, faces.iloc[::-1], 32)
    assert np.array_equal(pixels, other[::-1])
    cut = open_pixels(dataset, faces, 32, 0.05)
    third = read_picture(dataset.folder, faces["path"].iloc[3])
    assert np.array_equal(cut[3], prepare_picture(third, 32, 0.05))
    with pytest.raises(ValueError, match="read-only"):
        pixels[0] = 0


def test_a_disk_without_room_is_told_before_anything_is_written(dataset: Dataset, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(UserError, match=r"need 0.0 GB at 36 pixels.*0.0 GB free.*UTKFACE_MT_RUNS"):
        open_pixels(dataset, dataset.faces, 36)
    assert not list(dataset.storage.glob("pixels-36-*"))


def test_a_place_that_cannot_be_written_to_is_named(dataset: Dataset, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="Cannot write to"):
        open_pixels(replace(dataset, storage=tmp_path / "file" / "storage"), dataset.faces, 32)
