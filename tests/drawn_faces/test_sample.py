"""The drawn sample: repeatable, whole or not there, proportional, with the defects it promises."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from utkface_mt.drawn_faces import draw_face, sample, sample_traits
from utkface_mt.drawn_faces.sample import AGE_GROUPS, draw_batch, sample_labels, write_sample

COUNT = 40
NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_(\d{17})\.jpg\.chip\.jpg")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a folder with a small sample."""
    return write_sample(tmp_path_factory.mktemp("drawn") / "sample", COUNT, seed=3)


def _parsed(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Return age, gender and race code of all files with a complete name and a possible age."""
    matches = {path: NAME.fullmatch(path.name) for path in folder.iterdir()}
    labels = {path: tuple(int(match[group]) for group in (1, 2, 3)) for path, match in matches.items() if match}
    return {path: label for path, label in labels.items() if label[0] <= 116}


def _readable(path: Path) -> bool:
    """Return whether a picture can be decoded."""
    try:
        with Image.open(path) as image:
            image.load()
    except OSError:
        return False
    return True


def test_same_seed_gives_the_same_bytes(folder, tmp_path):
    """Two runs with one seed agree in every byte, and another seed gives other faces."""
    contents = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = write_sample(tmp_path / "again", COUNT, seed=3)
    other = write_sample(tmp_path / "other", COUNT, seed=4)
    assert {path.name: path.read_bytes() for path in again.iterdir()} == contents
    assert not {path.read_bytes() for path in other.iterdir()} & set(contents.values())


def test_counts_and_names(folder):
    """The folder holds the faces, four files with a wrong name, and unique timestamps."""
    names = [path.name for path in folder.iterdir()]
    assert len(names) == COUNT + 18
    assert sum(NAME.fullmatch(name) is None for name in names) == 3
    assert sum(name.startswith("999_") for name in names) == 1
    timestamps = {re.search(r"\d{17}", name)[0] for name in names}
    assert len(timestamps) == len(names)
    labels = sample_labels(COUNT, 3)
    assert set(labels) <= set(_parsed(folder).values())


def test_broken_pictures(folder):
    """One picture is cut in half, one has another size, and all others are 200 x 200 in colour."""
    paths = sorted(folder.iterdir())
    readable = [path for path in paths if _readable(path)]
    assert len(paths) - len(readable) == 1
    sizes = []
    for path in readable:
        with Image.open(path) as image:
            assert image.mode == "RGB"
            sizes.append(image.size)
    assert sizes.count((150, 180)) == 1
    assert sizes.count((200, 200)) == len(sizes) - 1


def test_duplicates(folder):
    """Six copies are exact, with four conflicts of labels, and six near-duplicates are close but not equal."""
    seen, pairs, near = {}, [], 0
    labels = _parsed(folder)
    for path in sorted(labels, key=lambda path: path.name.split("_")[3]):
        data = path.read_bytes()
        if data in seen:
            pairs.append((labels[seen[data]], labels[path]))
        seen.setdefault(data, path)
    assert len(pairs) == 6
    assert sum(first[0] != second[0] for first, second in pairs) == 3
    assert sum(first[1] != second[1] for first, second in pairs) == 1
    small = {}
    for path in filter(_readable, seen.values()):
        with Image.open(path) as image:
            small[path] = np.asarray(image.convert("RGB").resize((16, 16)), dtype=float) / 255
    paths = list(small)
    for index, path in enumerate(paths):
        near += sum(np.abs(small[path] - small[other]).mean() < 0.03 for other in paths[index + 1 :])
    assert near == 6


def test_existing_folder_is_left_alone(tmp_path):
    """A folder that exists is returned as it is."""
    (tmp_path / "sample").mkdir()
    assert write_sample(tmp_path / "sample", COUNT) == tmp_path / "sample"
    assert not list((tmp_path / "sample").iterdir())


def test_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    """When the writing stops half-way, neither the folder nor a temporary one remains."""

    def stopping(count: int, seed: int):
        yield from [(f"{number}.jpg", b"face") for number in range(5)]
        assert len(list(next(tmp_path.iterdir()).iterdir())) == 5
        raise KeyboardInterrupt

    monkeypatch.setattr(sample, "_files", stopping)
    with pytest.raises(KeyboardInterrupt):
        write_sample(tmp_path / "sample", COUNT)
    assert not list(tmp_path.iterdir())


def test_too_small_a_sample_is_refused(tmp_path):
    """There must be enough faces to copy."""
    with pytest.raises(ValueError, match="at least 12"):
        write_sample(tmp_path / "sample", 11)


@pytest.mark.parametrize("seed", [0, 1])
def test_labels_are_proportional(seed):
    """Age groups by gender, and race codes, have the promised shares, and 26 is the most frequent age."""
    labels = np.array(sample_labels(600, seed))
    for first, last, share in AGE_GROUPS:
        inside = (labels[:, 0] >= first) & (labels[:, 0] <= last)
        for gender, part in ((0, 0.52), (1, 0.48)):
            assert abs((inside & (labels[:, 1] == gender)).sum() - 600 * share * part) < 1
    assert np.abs(np.bincount(labels[:, 2], minlength=5) - 600 * np.array([0.43, 0.19, 0.14, 0.17, 0.07])).max() < 1
    assert np.bincount(labels[:, 0]).argmax() == 26
    assert labels[:, 0].max() > 85


def test_batch_matches_its_targets():
    """A batch has the promised shapes, is reproducible, and shares no face with the sample of its seed."""
    images, targets = draw_batch(6, seed=3)
    again, _ = draw_batch(6, seed=3)
    assert images.shape == (6, 200, 200, 3)
    assert images.dtype == np.uint8
    assert targets.shape == (6, 35)
    assert np.abs(targets).max() <= 1.001
    assert (images == again).all()
    label = sample_labels(6, 3)[0]
    assert (images[0] != np.asarray(draw_face(sample_traits(*label, np.random.default_rng([3, 0]))))).any()
