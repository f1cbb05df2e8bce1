"""Faces are found whichever way up, and cut so that they lie as UTKFace's do."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mtcnn.utils.bboxes import smart_nms_from_bboxes
from PIL import Image, ImageDraw

import utkface_mt
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


def test_no_face_is_given_of_which_the_detector_is_less_sure_than_asked(astronaut: Image.Image):
    (face,) = find_faces(astronaut)
    assert find_faces(astronaut, confidence=(1 + face.confidence) / 2) == []
    deep = Image.fromarray(np.asarray(astronaut.convert("L"), np.uint16) * 257)
    assert len(find_faces(deep)) == 1


def test_the_astronaut_answers_as_in_the_first_version(astronaut: Image.Image, model: FaceModel):
    (face,) = find_faces(astronaut)
    assert face.box == (182, 64, 265, 171)
    answer = model.answers([face.crop])[0]
    assert answer.age == pytest.approx(34.578, abs=0.01)
    assert (answer.age_low, answer.age_high) == pytest.approx((15.82, 51.51), abs=0.05)
    assert answer.probability_female == pytest.approx(0.515, abs=0.005)


def test_a_face_that_fills_its_photo_is_found_and_one_cut_off_by_the_edge_is_marked(
    astronaut: Image.Image, model: FaceModel
):
    for room, size in ((40, 1), (8, 1), (40, 8), (8, 8)):
        close = astronaut.crop((182 - room, 64 - room, 265 + room, 171 + room))
        (face,) = find_faces(close.resize((close.width * size, close.height * size)))
        assert not face.at_edge
        assert model.answers([face.crop])[0].age == pytest.approx(34.58, abs=5)
    for place in ((215, 0, 512, 512), (0, 95, 512, 512), (0, 0, 250, 512), (0, 0, 512, 160)):
        for turn in (0, 90):
            (face,) = find_faces(astronaut.crop(place).rotate(turn, expand=True))
            assert face.at_edge, place


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


@pytest.mark.slow
def test_in_a_hundred_pictures_without_people_two_faces_are_found_at_most():
    from skimage import data
    from sklearn.datasets import load_sample_images

    named = (
        "brick",
        "cat",
        "clock",
        "coffee",
        "coins",
        "grass",
        "gravel",
        "horse",
        "hubble_deep_field",
        "moon",
        "page",
    )
    shipped = [getattr(data, name)() for name in (*named, "retina", "rocket", "text", "immunohistochemistry")]
    pictures = [*map(Image.fromarray, shipped), *map(Image.fromarray, load_sample_images().images)]
    assert len(pictures) == 17
    pictures += [_nobody(seed) for seed in range(83)]
    assert sum(bool(find_faces(picture)) for picture in pictures) <= 2


def _nobody(seed: int) -> Image.Image:
    """Clouds, noise, discs, blocks, lines, or windows in fronts."""
    generator = np.random.default_rng(seed)
    kind, (width, height) = seed % 5, (640, 480)
    if kind < 2:
        grain = generator.integers(
            0, 256, (480, 640, 3) if kind else (*generator.integers(3, 40, 2), 3), dtype=np.uint8
        )
        return Image.fromarray(grain).resize((width, height), Image.Resampling.BICUBIC)
    picture = Image.new("RGB", (width, height), tuple(generator.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    for _ in range(60):
        (x, y), size = generator.integers(0, (width, height)).tolist(), int(generator.integers(5, 90))
        colour = tuple(generator.integers(0, 256, 3).tolist())
        if kind == 2:  # discs with a light and a bar, like plates, fruit, wheels
            draw.ellipse([x - size, y - size, x + size, y + size], fill=colour, outline="black")
            draw.ellipse([x - size / 2, y - size / 2, x - size / 4, y - size / 4], fill="white")
            draw.rectangle([x - size / 2, y + size / 2, x + size / 2, y + 0.7 * size], fill="black")
        elif kind == 3:
            x, y = x // 60 * 60, y // 80 * 80  # windows
            draw.rectangle([x, y, x + 25, y + 35], fill=colour, outline="black", width=3)
        else:
            draw.line([x, y, *generator.integers(0, width, 2).tolist()], fill=colour, width=1 + size // 8)
    return picture


@pytest.mark.slow
def test_every_face_of_a_photographed_crowd_is_found_in_bounded_memory(astronaut: Image.Image, tmp_path: Path):
    face = astronaut.crop((140, 30, 310, 200)).resize((50, 50))
    crowd = Image.new("RGB", (1600, 1600))
    for number in range(1024):
        shown = face if number % 3 else face.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        crowd.paste(shown, (number % 32 * 50, number // 32 * 50))
    crowd.save(tmp_path / "crowd.png")
    code = (
        "import sys; from utkface_mt.cli import main; main(['predict', sys.argv[1], '--csv', sys.argv[2]])\n"
        "sys.platform == 'linux' and print(*(line for line in open('/proc/self/status') if 'VmHWM' in line))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "crowd.png"), str(tmp_path / "faces.csv")]
    environment = {**os.environ, "PYTHONPATH": str(Path(utkface_mt.__file__).parents[1])}
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert (tmp_path / "faces.csv").read_text().count("\n") == 1025
    if sys.platform == "linux":
        assert int(printed.split("VmHWM:")[1].split()[0]) < 1_500_000  # kB


def test_how_photos_are_cut_was_measured():
    measured = read_json(ALIGNMENT)
    assert set(measured["landmarks"]) == set(LANDMARKS)
    assert measured["found"] > 0.9 * measured["faces"] > 1000
    differences = {row["margin"]: row["age_mae_difference"] for row in measured["validation"]["margins"]}
    assert differences[0.0][1] <= 0 <= differences[0.0][2]  # finding and cutting again: no difference can be told
    assert min(row[0] for row in differences.values()) > differences[0.0][1]  # nor is another margin better
