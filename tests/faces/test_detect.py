"""Faces are found whichever way up, and cut so that they lie as UTKFace's do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mtcnn.utils.bboxes import smart_nms_from_bboxes
from PIL import Image

from utkface_mt.drawn_faces.photo import WALL, drawn_photo
from utkface_mt.faces.detect import ALIGNMENT, LANDMARKS, crop_landmarks, cut_face, find_faces, without_overlaps
from utkface_mt.faces.model import FaceModel
from utkface_mt.util.errors import UserError
from utkface_mt.util.files import read_json


@given(
    turn=st.floats(-3.1, 3.1), scale=st.floats(0.3, 8), x=st.floats(200, 800), y=st.floats(200, 800),
    margin=st.floats(-0.2, 0.3),
)  # fmt: skip
def test_a_face_is_cut_so_that_its_landmarks_lie_where_utkface_has_them(turn, scale, x, y, margin):
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    landmarks = (crop_landmarks() - 100) @ rotation.T * scale + (x, y)
    photo = Image.new("RGB", (1000, 1000), "black")
    dot = max(3.0, 3 * scale)
    for px, py in landmarks[:2]:  # both eyes
        photo.paste((255, 255, 255), (int(px - dot), int(py - dot), int(px + dot), int(py + dot)))
    crop = np.asarray(cut_face(photo, landmarks, margin).convert("L"), float)
    assert crop.shape == (200, 200)
    for (px, py), there in zip((crop_landmarks()[:2] - 100) / (1 + 2 * margin) + 100, landmarks[:2], strict=True):
        if (there > dot).all() and (there < 1000 - dot).all():
            assert crop[int(py), int(px)] > 128


@given(seed=st.integers(0, 1000), method=st.sampled_from(["union", "min"]), sort=st.booleans())
def test_overlaps_go_as_the_detectors_own_rule_has_it(seed: int, method: str, sort: bool):
    generator = np.random.default_rng(seed)
    corners = generator.uniform(0, 100, (60, 2))
    sizes = generator.uniform(5, 60, (60, 2))
    boxes = np.column_stack([np.zeros(60), corners, corners + sizes, generator.permutation(60) / 60])
    expected = smart_nms_from_bboxes(boxes, threshold=0.5, method=method, initial_sort=sort)
    assert np.array_equal(without_overlaps(boxes, 0.5, method, sort), expected)


def test_a_face_gives_the_same_age_whichever_way_up(astronaut: Image.Image, model: FaceModel):
    for turn in (0, 90, 180, 270):
        (face,) = find_faces(astronaut.rotate(-turn, expand=True))
        assert face.turn == turn
        left, top, right, bottom = face.box
        assert 60 < right - left < 130
        assert 60 < bottom - top < 130
        assert model.answers([face.crop])[0].age == pytest.approx(34.58, abs=5)


def test_the_astronaut_answers_as_in_the_first_version(astronaut: Image.Image, model: FaceModel):
    (face,) = find_faces(astronaut)
    assert face.box == (182, 64, 265, 171)
    assert model.answers([face.crop])[0].age == pytest.approx(34.578, abs=0.01)


def test_drawn_faces_are_found_upright_and_in_order_of_size():
    faces = find_faces(drawn_photo(3, (1200, 800)))
    assert len(faces) == 3
    assert all(face.crop.size == (200, 200) for face in faces)
    areas = [(face.box[2] - face.box[0]) * (face.box[3] - face.box[1]) for face in faces]
    assert areas == sorted(areas, reverse=True)
    (tilted,) = find_faces(drawn_photo(1, (400, 400)).rotate(25, fillcolor=WALL))
    eyes = tilted.landmarks[1] - tilted.landmarks[0]
    assert abs(np.degrees(np.arctan2(eyes[1], eyes[0]))) > 15
    wall = Image.new("RGB", (400, 400), WALL)
    wall.paste(tilted.crop, (100, 100))
    (upright,) = find_faces(wall)  # found again in its crop, which shows it as UTKFace would
    eyes = upright.landmarks[1] - upright.landmarks[0]
    assert abs(np.degrees(np.arctan2(eyes[1], eyes[0]))) < 10
    assert np.abs(upright.landmarks - 100 - crop_landmarks()).mean() < 8


def test_where_there_is_no_face_none_is_found():
    from skimage import data

    for name in ("brick", "grass", "gravel", "coins", "coffee", "rocket"):
        assert find_faces(Image.fromarray(getattr(data, name)())) == [], name
    assert find_faces(Image.new("RGB", (5, 5))) == []
    with pytest.raises(UserError, match="No face was found, and 1 should be there"):
        find_faces(Image.new("RGB", (300, 300), "navy"), at_least=1)
    with pytest.raises(UserError, match="should be a PIL picture"):
        find_faces("photo.jpg")


def test_how_photos_are_cut_was_measured():
    measured = read_json(ALIGNMENT)
    assert set(measured["landmarks"]) == set(LANDMARKS)
    assert measured["found"] > 0.9 * measured["faces"] > 1000
    differences = {row["margin"]: row["age_mae_difference"] for row in measured["validation"]["margins"]}
    assert differences[0.0][1] <= 0 <= differences[0.0][2]  # finding and cutting again: no difference can be told
    assert min(row[0] for row in differences.values()) > differences[0.0][1]  # nor is another margin better
