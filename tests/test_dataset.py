"""Fetching, indexing and clustering: what a dataset may be, and what is found in it."""

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from utkface_mt.data import fetch as fetching
from utkface_mt.data.dataset import Dataset, data_report, open_dataset
from utkface_mt.data.duplicates import cluster_faces, near_duplicate_pairs, perceptual_hashes
from utkface_mt.data.fetch import fetch
from utkface_mt.util.errors import UserError
from utkface_mt.util.files import file_digest

NAME = "30_1_2_20170116174525125.jpg.chip.jpg"


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: file_digest(path) for path in folder.rglob("*.jpg")}


def _face(seed: int = 0, size: tuple[int, int] = (200, 200), mode: str = "RGB", form: str = "JPEG") -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).resize(size).convert(mode).save(stream, form)
    return stream.getvalue()


def test_the_planted_defects_are_found(dataset: Dataset):
    report = data_report(dataset)
    assert report["files"] == 160 + 18
    assert sorted(entry["reason"].split(" ")[0] for entry in report["quarantined"]) == ["age", *["the"] * 5]
    assert report["byte_identical_groups"] == 6
    assert report["conflicting_age_groups"] == 3
    assert report["conflicting_gender_groups"] == 1
    assert report["near_duplicate_clusters"] == 12


def test_raw_data_are_never_changed(faces_folder: Path, dataset: Dataset):
    before = _digests(faces_folder)
    open_dataset(str(faces_folder), dataset.storage.parent)
    assert _digests(faces_folder) == before


def test_a_second_opening_reads_what_the_first_wrote(faces_folder: Path, dataset: Dataset):
    table = dataset.storage / "faces.csv.gz"
    written = table.stat().st_mtime_ns
    again = open_dataset(str(faces_folder), dataset.storage.parent)
    assert table.stat().st_mtime_ns == written
    assert again.faces.equals(dataset.faces)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archives_give_the_same_dataset_as_the_folder(kind: str, faces_folder: Path, dataset: Dataset, tmp_path: Path):
    form = {"zip": "zip", "tar.gz": "gztar"}[kind]
    archive = shutil.make_archive(str(tmp_path / "faces"), form, faces_folder.parent, faces_folder.name)
    opened = open_dataset(archive, tmp_path / "storage")
    assert opened.fingerprint == dataset.fingerprint


def test_the_nested_kaggle_download_counts_each_face_once(faces_folder: Path, dataset: Dataset, tmp_path: Path):
    for place in ("UTKFace", "crop_part1", "utkface_aligned_cropped/UTKFace"):
        shutil.copytree(faces_folder, tmp_path / "kaggle" / place)
    opened = open_dataset(str(tmp_path / "kaggle"), tmp_path / "storage")
    assert opened.fingerprint == dataset.fingerprint
    assert len(opened.faces) == len(dataset.faces)


def test_same_name_with_another_picture_is_not_guessed(tmp_path: Path):
    for place, seed in (("a", 0), ("b", 1)):
        (tmp_path / "faces" / place).mkdir(parents=True)
        (tmp_path / "faces" / place / NAME).write_bytes(_face(seed))
    opened = open_dataset(str(tmp_path / "faces"), tmp_path / "storage")
    assert opened.faces["path"].tolist() == [f"a/{NAME}"]
    assert "same name" in opened.quarantined["problem"].iloc[0]


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda folder: folder / "nowhere", "There is no dataset at"),
        (lambda folder: folder, "holds no .jpg"),
        (lambda folder: _write(folder / "notes.txt", b"text"), "neither a folder nor"),
        (lambda folder: _write(folder / "cut.zip", _zipped()[:-30]), "damaged"),
        (lambda folder: _write(folder / "empty.zip", _zipped("readme.txt")), "holds no .jpg"),
        (lambda folder: _write(folder / "sub" / "selfie.jpg", _face()).parent, "usable UTKFace crop"),
    ],
)
def test_wrong_sources_are_named(prepare, message: str, tmp_path: Path):
    folder = tmp_path / "given"
    folder.mkdir()
    with pytest.raises(UserError, match=message):
        open_dataset(str(prepare(folder)), tmp_path / "storage")


def _write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def _zipped(name: str = NAME) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as container:
        container.writestr(name, _face())
    return stream.getvalue()


def test_a_failed_download_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    import kagglehub

    def no_network(name: str) -> str:
        raise ConnectionError(f"cannot reach the host of {name}")

    monkeypatch.setattr(kagglehub, "dataset_download", no_network)
    with pytest.raises(UserError, match="give the path of the .zip"):
        fetch("kaggle", tmp_path)


def test_a_download_that_is_not_whole_is_refused_and_a_whole_one_taken(
    faces_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    import kagglehub

    monkeypatch.setattr(kagglehub, "dataset_download", lambda name: str(faces_folder))
    with pytest.raises(UserError, match=r"is not whole: it holds 17\d pictures"):
        fetch("kaggle", tmp_path)
    monkeypatch.setattr(fetching, "FEWEST_ON_KAGGLE", 170)
    assert fetch("kaggle", tmp_path) == faces_folder


@settings(max_examples=25)
@given(st.integers(2, 40), st.integers(0, 10), st.integers(0, 10**6))
def test_twins_are_found_whatever_the_order(count: int, twins: int, seed: int):
    rng, twins = np.random.default_rng(seed), min(count, twins)
    small = rng.integers(0, 255, (count, 6, 6), np.uint8)
    base = np.stack([np.asarray(Image.fromarray(picture).resize((32, 32))) for picture in small])
    noisy = np.clip(base[:twins].astype(int) + rng.integers(-2, 3, (twins, 32, 32)), 0, 255).astype(np.uint8)
    greys = np.concatenate([base, noisy])
    found = {tuple(sorted(pair)) for pair in near_duplicate_pairs(greys).tolist()}
    assert found == {(number, count + number) for number in range(twins)}
    order = rng.permutation(len(greys))
    digests = pd.Series([str(number) for number in range(len(greys))])
    straight, shuffled = cluster_faces(digests, greys), cluster_faces(digests[order], greys[order])
    together = straight[order][:, None] == straight[order][None]
    assert np.array_equal(together, shuffled[:, None] == shuffled[None])


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(-20, 55))
def test_hash_ignores_brightness(seed: int, brighter: int):
    greys = np.random.default_rng(seed).integers(20, 200, (5, 32, 32))
    hashes = [perceptual_hashes(pictures.astype(np.uint8)) for pictures in (greys, greys + brighter)]
    assert np.bitwise_count(hashes[0] ^ hashes[1]).max() <= 2  # bits: the lowest frequency, and whose rank it takes


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=12))
def test_identical_files_are_one_cluster(digests: list[str]):
    greys = np.random.default_rng(0).integers(0, 255, (len(digests), 32, 32)).astype(np.uint8)
    clusters = cluster_faces(pd.Series(digests), greys)
    for one, first in zip(digests, clusters, strict=True):
        assert all((one == two) == (first == second) for two, second in zip(digests, clusters, strict=True))
