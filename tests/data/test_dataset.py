"""A dataset opened: what is found in it, the same from folder, archive or nested download, and never changed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from utkface_mt.data.dataset import Dataset, data_report, open_dataset
from utkface_mt.util.files import file_digest


def test_the_planted_defects_are_found(dataset: Dataset):
    report = data_report(dataset)
    assert report["files"] == 160 + 18
    assert sorted(entry["reason"].split(" ")[0] for entry in report["quarantined"]) == ["age", *["the"] * 5]
    assert report["byte_identical_groups"] == 6
    assert report["conflicting_age_groups"] == 3
    assert report["conflicting_gender_groups"] == 1
    assert report["near_duplicate_clusters"] == 12


def test_a_second_opening_reads_what_the_first_wrote_and_raw_data_are_never_changed(
    faces_folder: Path, dataset: Dataset
):
    before = {path.name: file_digest(path) for path in faces_folder.iterdir()}
    (table,) = dataset.storage.parent.glob("listings/*/faces.csv.gz")
    written = table.stat().st_mtime_ns
    again = open_dataset(str(faces_folder), dataset.storage.parent)
    assert table.stat().st_mtime_ns == written
    assert again.faces.equals(dataset.faces)
    assert {path.name: file_digest(path) for path in faces_folder.iterdir()} == before


def test_the_same_faces_in_two_layouts_are_both_read_from_where_they_lie(faces_folder: Path, tmp_path: Path):
    nested, storage = tmp_path / "nested", tmp_path / "storage"
    shutil.copytree(faces_folder, nested / "part1")
    first = open_dataset(str(faces_folder), storage)
    for source in (nested, faces_folder):
        opened = open_dataset(str(source), storage)
        assert opened.fingerprint == first.fingerprint
        for path in (*opened.faces["path"], *opened.quarantined["path"]):
            assert (source / path).exists() or (source / path).is_symlink()


def test_a_folder_that_has_changed_is_read_anew(folder: Path, picture: Callable, tmp_path: Path):
    found = [open_dataset(str(folder), tmp_path / "storage")]
    more = folder / "30_1_2_20170109150557335.jpg.chip.jpg"
    for content in (picture(2), picture(3)):
        more.write_bytes(content.ljust(50_000, b"\0"))  # of one size, and of one date, as `cp -p` may leave them
        os.utime(more, ns=(0, 0))
        found.append(open_dataset(str(folder), tmp_path / "storage"))
    more.unlink()
    found.append(open_dataset(str(folder), tmp_path / "storage"))
    assert [len(opened.faces) for opened in found] == [1, 2, 2, 1]
    assert len({opened.fingerprint for opened in found}) == 3
    assert found[0].fingerprint == found[-1].fingerprint


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archives_give_the_same_dataset_as_the_folder(kind: str, faces_folder: Path, dataset: Dataset, tmp_path: Path):
    form = {"zip": "zip", "tar.gz": "gztar"}[kind]
    archive = shutil.make_archive(str(tmp_path / "faces"), form, faces_folder.parent, faces_folder.name)
    assert open_dataset(archive, tmp_path / "storage").fingerprint == dataset.fingerprint


def test_the_nested_kaggle_download_counts_each_face_once(faces_folder: Path, dataset: Dataset, tmp_path: Path):
    for place in ("UTKFace", "crop_part1", "utkface_aligned_cropped/UTKFace"):
        shutil.copytree(faces_folder, tmp_path / "kaggle" / place)
    opened = open_dataset(str(tmp_path / "kaggle"), tmp_path / "storage")
    assert opened.fingerprint == dataset.fingerprint
    assert len(opened.faces) == len(dataset.faces)
