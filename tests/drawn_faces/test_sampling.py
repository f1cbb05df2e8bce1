"""Drawn faces: age and gender show, the race code changes colours only, other traits tell nothing of the labels."""

from dataclasses import asdict

import numpy as np
import pytest

from utkface_mt.drawn_faces import draw_face, nuisance_targets, sample_traits
from utkface_mt.drawn_faces.photo import GAP, WALL, drawn_photo
from utkface_mt.drawn_faces.sample import sample_labels


def _traits(age: int, gender: int, race: int, index: int):
    """Return the traits of a face of the tests."""
    return sample_traits(age, gender, race, np.random.default_rng([5, index]))


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
    assert targets.shape == (1500, 29)
    assert targets.dtype == np.float32
    assert np.isfinite(targets).all()
    assert np.abs(targets).max() <= 1.001
    assert targets.std(axis=0).min() > 0.1
    for label in (labels[:, 0], labels[:, 1]):
        correlations = [np.corrcoef(label, column)[0, 1] for column in targets.T]
        assert np.abs(correlations).max() < 0.15


def test_a_drawn_photo_holds_its_faces_side_by_side():
    photo = np.asarray(drawn_photo(faces=3, side=200))
    walls = (photo == WALL).all(axis=(0, 2))
    edges = np.flatnonzero(np.diff(walls.astype(int)))
    assert len(edges) == 6
    assert np.diff(edges)[1::2].tolist() == [GAP, GAP]
