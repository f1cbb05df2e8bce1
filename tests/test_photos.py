"""Photos of all kinds: read, searched for faces, cut like UTKFace's crops, predicted, annotated."""

import os
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from utkface_mt.cli import main
from utkface_mt.util.errors import UserError
from utkface_mt.util.files import read_json
from utkface_mt.faces.model import FaceModel, load_model
from utkface_mt.faces.detect import ALIGNMENT, LANDMARKS, crop_landmarks, cut_face
from utkface_mt.faces.annotate import annotate, write_annotated
from utkface_mt.faces.detect import find_faces
from utkface_mt.drawn_faces.photo import WALL, drawn_photo
from tools.margins import MARGINS
from utkface_mt.faces.predict import COLUMNS, NO_FACE, NOT_READ, predict_files
from utkface_mt.faces.read import LONGEST_SIDE, list_photos, read_photo


def _rows(box: tuple[float, float, float, float]) -> pd.DataFrame:
    answer = {"face": 1, "age": 34.2, "age_low": 22.0, "age_high": 46.0, "gender": "Male", "probability_female": 0.03}
    return pd.DataFrame([answer | dict(zip(("left", "top", "right", "bottom"), box, strict=True))])


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder such as people have: turned, huge, from a phone, empty, broken."""
    folder = tmp_path_factory.mktemp("photos")
    three = drawn_photo(3, (1200, 800))
    three.save(folder / "three.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned a quarter clockwise
    three.rotate(90, expand=True).save(folder / "turned.jpg", exif=exif)
    pillow_heif.from_pillow(three).save(folder / "phone.heic")
    drawn_photo(1, (400, 400)).rotate(25, fillcolor=WALL).save(folder / "tilted.png")
    drawn_photo(2, (9000, 6000), 1500).save(folder / "huge.jpg", quality=60)
    Image.new("RGB", (300, 300), "navy").save(folder / "wall.png")
    Image.new("RGB", (3, 3)).save(folder / "tiny.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    (folder / "empty.png").touch()
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_model()


def test_photos_are_read_upright_in_rgb_and_not_larger_than_needed(photos: Path, tmp_path: Path):
    three = np.asarray(drawn_photo(3, (1200, 800)), float)
    for name in ("three.jpg", "turned.jpg", "phone.heic"):
        picture = read_photo(photos / name)
        assert (picture.mode, picture.size) == ("RGB", (1200, 800))
        assert np.abs(np.asarray(picture, float) - three).mean() < 4, name
    assert max(read_photo(photos / "huge.jpg").size) <= LONGEST_SIDE
    clear = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    clear.convert("LA").save(tmp_path / "grey.png")
    Image.new("P", (20, 20)).save(tmp_path / "palette.gif", transparency=0)
    for name in ("clear.png", "grey.png", "palette.gif"):
        assert read_photo(tmp_path / name).getpixel((5, 5)) == (255, 255, 255), name
    Image.new("CMYK", (20, 20)).save(tmp_path / "print.jpg")
    assert read_photo(tmp_path / "print.jpg").mode == "RGB"


def test_what_cannot_be_read_is_told_why(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    os.mkfifo(tmp_path / "pipe.jpg")
    cut = (photos / "three.jpg").read_bytes()[:2000]
    (tmp_path / "cut.jpg").write_bytes(cut)
    (tmp_path / "cut.heic").write_bytes((photos / "phone.heic").read_bytes()[:400])
    cases = {
        photos / "broken.jpg": "no picture of a kind that can be read",
        photos / "empty.png": "the file is empty",
        tmp_path / "pipe.jpg": "it is no file",
        tmp_path / "cut.jpg": "truncated",
        tmp_path / "cut.heic": "cannot be read|no picture|Invalid|invalid",
        tmp_path / "none.jpg": "No such file",
    }
    for path, reason in cases.items():
        with pytest.raises(UserError, match=f"{path.name}: .*({reason})"):
            read_photo(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UserError, match="too many pixels"):
        read_photo(photos / "three.jpg")


def test_a_folder_stands_for_its_pictures_and_a_path_that_is_not_there_is_named(photos: Path, tmp_path: Path):
    assert [path.name for path in list_photos(photos)] == sorted(
        path.name for path in photos.iterdir() if path.name != "notes.txt"
    )
    with pytest.raises(UserError, match="nowhere does not exist"):
        list_photos(tmp_path / "nowhere")
    with pytest.raises(UserError, match="holds no picture"):
        list_photos(tmp_path)
    with pytest.raises(UserError, match="holds no picture"):
        list_photos(photos, leave_out=photos)


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


def test_labels_stay_inside_the_picture_and_copies_never_replace_photos(tmp_path: Path):
    photo = Image.new("RGB", (300, 200), "white")
    for box in ((-20, -10, 60, 60), (250, 150, 299, 199), (0, 0, 299, 199)):
        drawn = np.asarray(annotate(photo, _rows(box)))
        assert (drawn != 255).any()
    nothing = annotate(photo, _rows((0, 0, 50, 50)).assign(face=0))
    assert np.array_equal(np.asarray(nothing), np.asarray(photo))
    (tmp_path / "album").mkdir()
    file = tmp_path / "album" / "photo.webp"
    photo.save(file)
    rows, out, taken = _rows((10, 10, 50, 50)), tmp_path / "out", set()
    assert write_annotated(file, rows, [tmp_path], out, taken) == out / "album" / "photo.webp.png"
    photo.save(tmp_path / "photo.png")
    photo.save(tmp_path / "album" / "photo.png")
    names = [tmp_path / "photo.png", tmp_path / "album" / "photo.png"]  # of one name, and given one by one
    copies = [write_annotated(name, rows, names, out, taken) for name in names]
    assert copies == [out / "photo.png", out / "photo-2.png"]
    assert write_annotated(names[0], rows, names, out, set()) == out / "photo.png"  # of an earlier call: renewed
    for folder in (tmp_path, tmp_path / "album"):  # its own place; that of another photo
        with pytest.raises(UserError, match="another folder"):
            write_annotated(tmp_path / "photo.png", rows, [tmp_path], folder, set())


@pytest.mark.slow
def test_drawn_faces_are_found_upright_and_in_order_of_size(photos: Path):
    faces = find_faces(read_photo(photos / "three.jpg"))
    assert len(faces) == 3
    assert all(face.crop.size == (200, 200) for face in faces)
    areas = [(face.box[2] - face.box[0]) * (face.box[3] - face.box[1]) for face in faces]
    assert areas == sorted(areas, reverse=True)
    (tilted,) = find_faces(read_photo(photos / "tilted.png"))
    eyes = tilted.landmarks[1] - tilted.landmarks[0]
    assert abs(np.degrees(np.arctan2(eyes[1], eyes[0]))) > 15
    wall = Image.new("RGB", (400, 400), WALL)
    wall.paste(tilted.crop, (100, 100))
    (upright,) = find_faces(wall)  # found again in its crop, which shows it as UTKFace would
    eyes = upright.landmarks[1] - upright.landmarks[0]
    assert abs(np.degrees(np.arctan2(eyes[1], eyes[0]))) < 10
    assert np.abs(upright.landmarks - 100 - crop_landmarks()).mean() < 8
    assert find_faces(Image.new("RGB", (5, 5))) == []


@pytest.mark.slow
def test_a_weights_file_among_the_photos_is_not_opened(tmp_path: Path):
    for name in ("pnet", "rnet", "onet"):
        joblib.dump(_Trap(), tmp_path / f"{name}.lz4")
    drawn_photo().save(tmp_path / "three.png")
    asked = [sys.executable, "-m", "utkface_mt", "predict", "three.png"]
    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert not (tmp_path / "sprung").exists()
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("three.png") == 3


class _Trap:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> tuple:
        return Path.touch, (Path("sprung"),)


@pytest.mark.slow
def test_small_faces_are_found_and_those_too_small_have_a_row(model: FaceModel, tmp_path: Path):
    drawn_photo(4, side=70).save(tmp_path / "small.png")
    drawn_photo(4, side=6).save(tmp_path / "specks.png")
    found = predict_files([tmp_path], model).groupby("file")["face"].max()
    assert found[str(tmp_path / "small.png")] >= 3
    assert found[str(tmp_path / "specks.png")] == 0


@pytest.mark.slow
def test_every_file_gets_its_rows_whatever_it_is_like(photos: Path, model: FaceModel, tmp_path: Path):
    seen = []
    table = predict_files([photos], model, progress=lambda done, total: seen.append((done, total)))
    assert list(table.columns)[: len(COLUMNS)] == list(COLUMNS)
    counts = table.groupby("file")["face"].max().rename(lambda path: Path(path).name)
    assert counts.to_dict() == {
        **dict.fromkeys(("three.jpg", "turned.jpg", "phone.heic"), 3),
        **{"huge.jpg": 2, "tilted.png": 1},
        **dict.fromkeys(("wall.png", "tiny.png", "broken.jpg", "empty.png"), 0),
    }
    missing = table[table["face"] == 0]
    missing = missing.set_index(missing["file"].map(lambda path: Path(path).name))
    assert missing.loc[["wall.png", "tiny.png"], "gender"].eq(NO_FACE).all()
    assert missing.loc[["broken.jpg", "empty.png"], "gender"].eq(NOT_READ).all()
    assert missing["note"].str.len().gt(0).all()
    assert table.loc[table["face"] > 0, ["age", "age_low", "age_high", "probability_female"]].notna().all(axis=None)
    assert seen == [(done, 9) for done in range(1, 10)]
    ages = {
        name: table.loc[table["file"].str.endswith(name), "age"].sort_values() for name in ("three.jpg", "turned.jpg")
    }
    assert np.abs(ages["three.jpg"].to_numpy() - ages["turned.jpg"].to_numpy()).max() < 5


@pytest.mark.slow
def test_several_processes_find_what_one_finds(photos: Path, model: FaceModel):
    files = [photos / name for name in ("three.jpg", "broken.jpg", "tilted.png", "wall.png")]
    alone, together = predict_files(files, model), predict_files(files, model, jobs=2)
    pd.testing.assert_frame_equal(alone, together, rtol=1e-4)


@pytest.mark.slow
def test_the_command_writes_table_and_copies_and_says_what_is_missing(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    names = [str(photos / name) for name in ("three.jpg", "wall.png", "broken.jpg")]
    table, copies = tmp_path / "faces.csv", tmp_path / "copies"
    assert main(["predict", *names, "--csv", str(table), "--annotate", str(copies)]) == 0
    written = pd.read_csv(table)
    assert list(written.columns) == list(COLUMNS)
    assert len(written) == 5
    printed = capsys.readouterr()
    assert "broken.jpg: it is no picture" in printed.err
    assert "No face was found in 1 of 3 files" in printed.err
    assert {path.name for path in copies.iterdir()} == {"three.jpg", "wall.png"}
    with Image.open(copies / "three.jpg") as copy:
        assert np.abs(np.asarray(copy, float) - np.asarray(drawn_photo(3, (1200, 800)), float)).max() > 100
    assert main(["predict", names[2]]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "0"], "--jobs 0: it should be 1 or more"),
        (["--confidence", "2"], "--confidence 2: it should lie between 0 and 1"),
        (["--csv", "three.jpg"], "cannot take the place of a picture"),
        (["--csv", "."], "cannot take the place of a folder"),
        (["--annotate", "notes.txt"], "it should be a folder, and is a file"),
        (["--aligned", "--annotate", "copies"], "fills its picture"),
        ([""], "One of the paths is empty"),
    ],
)
def test_what_could_not_end_well_is_refused_before_anything_is_done(
    arguments: list[str], message: str, photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.chdir(photos)
    before = {path: path.read_bytes() for path in photos.iterdir() if path.is_file()}
    assert main(["predict", "three.jpg", *arguments]) == 1
    assert message in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in photos.iterdir()}


def test_how_photos_are_cut_was_measured():
    measured = read_json(ALIGNMENT)
    assert set(measured["landmarks"]) == set(LANDMARKS)
    assert measured["found"] > 0.9 * measured["faces"] > 1000
    validation = measured["validation"]
    differences = {row["margin"]: row["age_mae_difference"] for row in validation["margins"]}
    assert set(differences) == set(MARGINS)
    assert differences[0.0][1] <= 0 <= differences[0.0][2]  # finding and cutting again: no difference can be told
    assert min(row[0] for row in differences.values()) > differences[0.0][1]  # nor is another margin better
