"""Every file gets its rows whatever it is like, and what was finished is kept."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import utkface_mt
from utkface_mt.cli import main
from utkface_mt.drawn_faces.photo import drawn_photo
from utkface_mt.faces import predict
from utkface_mt.faces.annotate import annotate
from utkface_mt.faces.detect import find_faces
from utkface_mt.faces.model import FaceModel
from utkface_mt.faces.predict import COLUMNS, DETAILS, NO_FACE, NOT_READ, describe_faces
from utkface_mt.faces.read import list_photos
from utkface_mt.util.errors import UserError

HEAVY = {"optuna", "lime", "seaborn", "matplotlib", "sklearn", "skimage", "scipy", "pandas", "papermill"}


def predict_files(paths: str | Path | list[Path], model: FaceModel, aligned: bool = False) -> pd.DataFrame:
    rows = [row for _, found in predict.predict_rows(list_photos(paths), model, aligned) for row in found]
    return pd.DataFrame(rows, columns=[*COLUMNS, *DETAILS])


@pytest.fixture(scope="module")
def table(photos: Path, model: FaceModel) -> pd.DataFrame:
    table = predict_files(str(photos), model)
    return table.assign(file=table["file"].map(lambda path: Path(path).name))


def test_every_file_gets_its_rows_whatever_it_is_like(table: pd.DataFrame):
    assert list(table.columns) == [*COLUMNS, *DETAILS]
    assert table.groupby("file")["face"].max().to_dict() == {
        **dict.fromkeys(("three.jpg", "turned.jpg", "phone.heic", "phone.jpg"), 3),
        **{"huge.jpg": 2, "tilted.png": 1},
        **dict.fromkeys(("wall.png", "tiny.png", "broken.jpg", "empty.png"), 0),
    }
    missing = table[table["face"] == 0].set_index("file")
    assert missing.loc[["wall.png", "tiny.png"], "gender"].eq(NO_FACE).all()
    assert missing.loc[["broken.jpg", "empty.png"], "gender"].eq(NOT_READ).all()
    assert missing["note"].str.len().gt(0).all()
    assert table.loc[table["face"] > 0, ["age", "age_low", "age_high", "probability_female"]].notna().all(axis=None)
    ages = {name: table.loc[table["file"] == name, "age"].sort_values() for name in ("three.jpg", "turned.jpg")}
    assert np.abs(ages["three.jpg"].to_numpy() - ages["turned.jpg"].to_numpy()).max() < 5


def test_boxes_are_in_pixels_of_the_file(table: pd.DataFrame):
    boxes = table[table["file"] == "huge.jpg"]
    assert (boxes["right"] - boxes["left"]).between(400, 1500).all()  # a drawing of 1,500 pixels in a photo of 9,000
    assert boxes["bottom"].between(2250, 3750).all()


def test_aligned_pictures_need_no_face_to_be_found(model: FaceModel, tmp_path: Path):
    Image.new("RGB", (200, 150)).save(tmp_path / "oblong.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    os.mkfifo(tmp_path / "pipe.jpg")
    drawn_photo(4, side=200).resize((100, 100)).save(tmp_path / "small.png")
    table = predict_files([tmp_path, tmp_path / "small.png"], model, aligned=True)
    assert table["face"].tolist() == [0, 0, 0, 1]
    assert table["right"].iloc[-1] == 100
    assert table["age"].iloc[-1] == pytest.approx(
        model.predict([Image.open(tmp_path / "small.png")])["age"][0], abs=1e-3
    )
    for note, reason in zip(table["note"], ("it is no picture", "200 x 150", "it is no file", ""), strict=True):
        assert reason in note
    with pytest.raises(UserError, match="does not exist"):
        predict_files(tmp_path / "none", model)


def test_a_small_face_is_marked_and_one_too_small_is_not_found(model: FaceModel, tmp_path: Path):
    drawn_photo(4, side=44).save(tmp_path / "small.png")
    drawn_photo(4, side=6).save(tmp_path / "specks.png")
    table = predict_files(tmp_path, model)
    small = table[table["file"].str.endswith("small.png")]
    assert small["face"].max() >= 2
    assert small["note"].str.startswith("small, ").all()
    assert table["face"].iloc[-1] == 0


def test_a_face_in_few_colours_is_found_and_marked(astronaut: Image.Image, model: FaceModel, tmp_path: Path):
    astronaut.convert("1").save(tmp_path / "dots.png")
    astronaut.quantize(64).save(tmp_path / "palette.gif")
    rows = predict_files(tmp_path, model)
    assert rows["age"].between(20, 60).all(), rows
    assert rows["note"].str.contains("few colours").all(), rows


def test_rows_of_a_photo_can_be_drawn(model: FaceModel):
    photo = drawn_photo(2)
    faces = find_faces(photo)
    rows = describe_faces(faces, model.predict([face.crop for face in faces]))
    assert rows["face"].tolist() == [1, 2]
    assert np.any(np.asarray(annotate(photo, rows)) != np.asarray(photo))


@pytest.fixture
def loaded(model: FaceModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saves the command from loading the model again."""
    monkeypatch.setattr("utkface_mt.faces.model.load_model", lambda: model)


@pytest.mark.usefixtures("loaded")
def test_the_command_writes_table_and_copies_and_says_what_is_missing(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    names = [str(photos / name) for name in ("three.jpg", "wall.png", "broken.jpg")]
    table, copies = tmp_path / "faces.csv", tmp_path / "copies"
    assert main(["predict", *names, "--csv", str(table), "--annotate", str(copies)]) == 3
    written = pd.read_csv(table)
    assert list(written.columns) == list(COLUMNS)
    assert len(written) == 5
    printed = capsys.readouterr()
    assert "broken.jpg: it is no picture" in printed.err
    assert "No face was found in 1 of 3 files" in printed.err
    assert {path.name for path in copies.iterdir()} == {"three.jpg", "wall.png"}
    with Image.open(copies / "three.jpg") as copy:
        assert np.abs(np.asarray(copy, float) - np.asarray(drawn_photo(3, (1200, 800)), float)).max() > 100
    assert main(["predict", names[0], "--json", "--csv", str(table)]) == 0  # an earlier table is replaced
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["face"] for line in lines] == [1, 2, 3]
    assert lines[0]["age"] == pytest.approx(pd.read_csv(table)["age"][0])


@pytest.mark.usefixtures("loaded")
def test_the_bar_on_a_screen_takes_no_line_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    Image.new("RGB", (200, 200), "grey").save(tmp_path / "a.png")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["predict", "--aligned", "--json", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["face"] == 1
    assert "Looking at photos" in printed.err


@pytest.mark.usefixtures("loaded")
def test_an_interrupted_call_keeps_its_rows_and_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    for name in "abcde":
        Image.new("RGB", (200, 200), "grey").save(tmp_path / f"{name}.png")
    table = tmp_path / "out" / "faces.csv"
    command = ["predict", "--aligned", str(tmp_path), "--csv", str(table)]
    answers = predict.predict_rows

    def interrupted(files, *options):
        for number, found in enumerate(answers(files, *options)):
            if number == 3:
                raise KeyboardInterrupt
            yield found

    monkeypatch.setattr(predict, "predict_rows", interrupted)
    assert main(command) == 130
    assert not table.exists()
    assert "holds the rows of 3 of 5 files" in capsys.readouterr().err
    monkeypatch.setattr(predict, "predict_rows", answers)
    assert main([*command[:2], str(tmp_path / "e.png"), *command[3:]]) == 0
    assert [Path(file).name for file in pd.read_csv(table)["file"]] == ["e.png"]  # and no row of other photos
    asked = []
    monkeypatch.setattr(
        predict, "predict_rows", lambda files, *options: asked.extend(files) or answers(files, *options)
    )
    capsys.readouterr()
    assert main([*command, "--json"]) == 0
    printed = capsys.readouterr()
    assert [Path(json.loads(line)["file"]).name for line in printed.out.splitlines()] == ["c.png", "d.png", "e.png"]
    assert "holds 2 files: their lines are not printed again" in printed.err
    assert [path.name for path in asked] == ["c.png", "d.png", "e.png"]  # the last kept might have been cut off
    assert [Path(file).name for file in pd.read_csv(table)["file"]] == [f"{name}.png" for name in "abcde"]
    assert list(table.parent.iterdir()) == [table]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--confidence", "2"], "--confidence 2: it should lie between 0 and 1"),
        (["--csv", "three.jpg"], "cannot take the place of a picture"),
        (["--csv", ""], "One of the paths is empty"),
        (["--annotate", ""], "One of the paths is empty"),
        (["--csv", "."], "cannot take the place of a folder"),
        (["--csv", "notes.txt"], "holds no such table"),
        (["--csv", "notes.txt/faces.csv"], "cannot be written"),
        (["--annotate", "notes.txt"], "cannot be written"),
        (["--annotate", "notes.txt/copies"], "cannot be written"),
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


def _started(code: str, folder: Path, **environment: str) -> subprocess.Popen:
    """Python on `code`, with the package from this checkout."""
    path = {**os.environ, "PYTHONPATH": str(Path(utkface_mt.__file__).parents[1]), **environment}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=path, text=True, **pipes)


def test_one_photo_is_predicted_without_what_only_training_needs(astronaut: Image.Image, tmp_path: Path):
    astronaut.save(tmp_path / "astronaut.png")
    code = (
        "import sys, utkface_mt; light = 'numpy' not in sys.modules\n"
        "from utkface_mt.cli import main\n"
        "code = main(['predict', 'astronaut.png'])\n"
        "print(light, code, *sys.modules)"
    )
    done = _started(code, tmp_path)
    *_, last = done.communicate()[0].splitlines()
    light, code, *modules = last.split()
    assert (light, code) == ("True", "0")
    assert not HEAVY & set(modules)
    assert not [name for name in modules if name.startswith(("utkface_mt.training", "utkface_mt.experiments"))]


def test_a_weights_file_among_the_photos_is_not_opened(tmp_path: Path):
    for name in ("pnet", "rnet", "onet"):
        joblib.dump(_Trap(), tmp_path / f"{name}.lz4")
    drawn_photo().save(tmp_path / "three.png")
    # nor does a program without standard error stumble
    code = "import sys; sys.stderr = None; from utkface_mt.cli import main; sys.exit(main(['predict', 'three.png']))"
    done = _started(code, tmp_path)
    printed, _ = done.communicate()
    assert not (tmp_path / "sprung").exists()
    assert done.returncode == 0
    assert printed.count("three.png") == 3


class _Trap:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> tuple:
        return Path.touch, (Path("sprung"),)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("redirected", "codes"),
    [
        ("--csv faces.csv >&- 2>&-", "0"),  # both closed: nothing that is opened later is taken for them
        ("--csv faces.csv <&- >&- 2>&-", "0"),
        ("--json --csv faces.csv | true", "1 0"),  # nobody reads what is printed
        ("--csv faces.csv > /dev/full", "1"),
    ],
)
def test_a_program_without_a_screen_works_or_says_so_in_one_sentence(
    redirected: str, codes: str, astronaut: Image.Image, tmp_path: Path
):
    for number in range(3):
        astronaut.save(tmp_path / f"{number}.png")
    folder = tmp_path / "out"
    folder.mkdir()
    predict = f"{sys.executable} -m utkface_mt predict .. {redirected}; echo ${{PIPESTATUS[*]}} > codes"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(utkface_mt.__file__).parents[1])}  # no HOME
    done = subprocess.run(["bash", "-c", predict], cwd=folder, env=environment, capture_output=True, text=True)
    assert (folder / "codes").read_text().split() == codes.split()
    assert "Traceback" not in done.stderr
    (table,) = folder.glob("*.csv")
    assert table.read_text().startswith("file,face,age,")
    assert set(table.read_text().count(name) for name in ("0.png", "1.png", "2.png")) <= {0, 1}
    if codes == "0":
        assert pd.read_csv(table)["age"].round().tolist() == [35, 35, 35]


@pytest.mark.slow
def test_two_start_at_once_for_the_first_time_or_without_a_place_for_caches(astronaut: Image.Image, tmp_path: Path):
    astronaut.save(tmp_path / "astronaut.png")
    code = "import sys; from utkface_mt.cli import main; sys.exit(main(['predict', 'astronaut.png']))"
    for home in ("home", "astronaut.png"):  # the latter is no folder
        for done in [_started(code, tmp_path, HOME=str(tmp_path / home)) for _ in range(2)]:
            printed, said = done.communicate()
            assert done.returncode == 0, said
            assert "astronaut.png  1" in printed


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])  # by a terminal, and by what stops a container
def test_an_interrupted_process_keeps_the_rows(astronaut: Image.Image, tmp_path: Path, sent: signal.Signals):
    for number in range(400):
        astronaut.save(tmp_path / f"{number:03}.png")
    code = (
        "import signal, sys; from utkface_mt.cli import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); "  # in the background a shell has it ignored
        "sys.exit(main(['predict', '.', '--csv', '../faces.csv']))"
    )
    (tmp_path / "in").mkdir()
    done = _started(code, tmp_path)
    while not any(part.read_text().count("\n") > 20 for part in tmp_path.parent.glob("faces.part-*.csv")):
        time.sleep(0.2)
        assert done.poll() is None
    done.send_signal(sent)
    _, said = done.communicate()
    assert done.returncode == 130
    assert "the same command goes on from there" in said
    for part in tmp_path.parent.glob("faces.part-*.csv"):
        assert part.read_text().count("\n") > 20
        part.unlink()
