"""Tests of the drawn sample and of the faces in it."""

import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from utkface_mt.drawn_faces import APPEARANCE_NAMES, NUISANCE_NAMES, draw_face, nuisance_targets, sample_traits
from utkface_mt.drawn_faces.sample import AGE_GROUPS, DEFECTS, draw_batch, sample_labels, write_sample

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


def _traits(age: int, gender: int, race: int, index: int):
    """Return the traits of a face of the tests."""
    return sample_traits(age, gender, race, np.random.default_rng([5, index]))


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
    assert len(names) == COUNT + DEFECTS
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


def test_interrupted_write_leaves_nothing(tmp_path):
    """When the writing stops half-way, neither the folder nor a temporary one remains."""
    calls = []

    def progress(done: int, total: int) -> None:
        calls.append((done, total))
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sample(tmp_path / "sample", COUNT, progress=progress)
    assert calls == [(done, COUNT + DEFECTS) for done in range(1, 6)]
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


def test_young_and_old_faces_differ():
    """The signs of age grow with the age, and show in the picture."""
    young, old = ([_traits(age, index % 2, 0, index) for index in range(30)] for age in (22, 80))
    for sign in ("forehead_lines", "crows_feet", "folds", "eye_bags", "sag", "grey", "nose_size"):
        assert np.mean([getattr(one, sign) for one in old]) > np.mean([getattr(one, sign) for one in young]) + 0.1
    babies = [_traits(1, 0, 0, index) for index in range(30)]
    assert max(one.growth for one in babies) < min(one.growth for one in young)
    pictures = [np.asarray(draw_face(one[0]), dtype=float) for one in (babies, young, old)]
    assert np.abs(pictures[0] - pictures[1]).mean() > 3
    assert np.abs(pictures[1] - pictures[2]).mean() > 3


def test_gender_shows_in_adults_and_hardly_in_small_children():
    """Hair is longer in most women than in most men, with exceptions, and similar in small children."""

    def lashes(age: int) -> tuple[np.ndarray, np.ndarray]:
        return tuple(np.array([_traits(age, gender, 0, index).lashes for index in range(150)]) for gender in (0, 1))

    (men, women), (boys, girls) = lashes(30), lashes(2)
    assert women.mean() - men.mean() > 3 * (girls.mean() - boys.mean()) > 0
    assert men.max() > women.min()


@pytest.mark.parametrize("age", [1, 30, 70])
def test_race_code_changes_only_skin_and_hair_colour(age):
    """With the same random numbers all traits but skin and hair tone are equal for the five codes."""
    for index in range(20):
        faces = [asdict(_traits(age, index % 2, race, index)) for race in range(5)]
        changed = {name for name in faces[0] if len({face[name] for face in faces}) > 1}
        assert changed <= {"skin_tone", "hair_tone"}
    assert changed


def test_skin_tones_overlap_between_race_codes():
    """Every pair of race codes shares a range of skin tones."""
    tones = [[_traits(30, 0, race, 100 * race + index).skin_tone for index in range(100)] for race in range(5)]
    for first in tones:
        for second in tones:
            assert np.quantile(first, 0.98) > np.quantile(second, 0.02)


def test_labels_out_of_range_are_refused():
    """Ages, genders and race codes that do not exist raise an error."""
    for labels in ((-1, 0, 0), (999, 0, 0), (30, 2, 0), (30, 0, 5)):
        with pytest.raises(ValueError, match="no such labels"):
            sample_traits(*labels, np.random.default_rng(0))


def test_nuisance_targets_say_nothing_about_age_or_gender():
    """The nuisance targets are finite, in range, and uncorrelated with the labels."""
    labels = np.array(sample_labels(1500, 2))
    targets = np.array([nuisance_targets(_traits(*label, index)) for index, label in enumerate(labels.tolist())])
    assert targets.shape == (1500, len(NUISANCE_NAMES))
    assert targets.dtype == np.float32
    assert np.isfinite(targets).all()
    assert np.abs(targets).max() <= 1.001
    assert targets.std(axis=0).min() > 0.1
    for label in (labels[:, 0], labels[:, 1]):
        correlations = [np.corrcoef(label, column)[0, 1] for column in targets.T]
        assert np.abs(correlations).max() < 0.15


def test_batch_matches_its_targets():
    """A batch has the promised shapes, is reproducible, and shares no face with the sample of its seed."""
    images, targets = draw_batch(6, seed=3)
    again, _ = draw_batch(6, seed=3)
    assert images.shape == (6, 200, 200, 3)
    assert images.dtype == np.uint8
    assert targets.shape == (6, len(NUISANCE_NAMES) + len(APPEARANCE_NAMES))
    assert np.abs(targets).max() <= 1.001
    assert (images == again).all()
    label = sample_labels(6, 3)[0]
    assert (images[0] != np.asarray(draw_face(sample_traits(*label, np.random.default_rng([3, 0]))))).any()
