"""A table keeps what was finished, takes nobody's place, and holds every name."""

import csv
import os
import re
import time
from pathlib import Path

import pytest
from PIL import Image

from utkface_mt.faces.table import GrowingTable, as_text, check_table, escaped
from utkface_mt.util.errors import UserError

COLUMNS = ["file", "face", "age"]


def _row(file: str, face: int = 1) -> dict:
    return {"file": file, "face": face, "age": 30.25, "note": "not a column"}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Three files in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        Path(f"{name}.jpg").touch()
    return [Path(f"{name}.jpg") for name in "abc"]


def test_a_table_appears_when_it_is_whole_and_goes_on_with_what_was_finished(files: list[Path], tmp_path: Path):
    target = tmp_path / "faces.csv"
    table = GrowingTable(target, COLUMNS, [], files)
    table.add([_row("a.jpg", 1), _row("a.jpg", 2)])
    table.add([_row("b.jpg")])
    table.stream.write("c.jp")  # cut off
    table.stream.flush()
    assert not target.exists()
    again = GrowingTable(target, COLUMNS, [], files)
    assert [(row["file"], row["face"], row["age"]) for row in again.rows] == [
        ("a.jpg", "1", "30.25"),
        ("a.jpg", "2", "30.25"),
        ("b.jpg", "1", "30.25"),
    ]
    assert GrowingTable(target, COLUMNS, ["other options"], files).rows == []
    again.add([_row("c.jpg")])
    again.close()
    assert target.read_text().splitlines() == [
        "file,face,age", "a.jpg,1,30.25", "a.jpg,2,30.25", "b.jpg,1,30.25", "c.jpg,1,30.25"
    ]  # fmt: skip
    assert not again.part.exists()
    assert again.rows[0]["note"] == "not a column"  # of the table, but told at the end
    table = GrowingTable(target, COLUMNS, [], files)
    table.add([_row("a.jpg")])
    table.add([_row("b.jpg")])
    assert GrowingTable(target, COLUMNS, [], []).rows == []


def test_files_that_changed_or_went_or_were_cut_off_are_looked_at_again(files: list[Path]):
    table = GrowingTable(Path("faces.csv"), COLUMNS, [], files)
    for name in ("a.jpg", "b.jpg", "b.jpg", "c.jpg"):
        table.add([_row(name)])
    time.sleep(0.01)
    Path("a.jpg").write_text("another picture")
    table.add([_row("c.jpg")])  # later than that
    table.stream.write("c.")  # cut off within a name
    table.stream.flush()
    kept = GrowingTable(Path("faces.csv"), COLUMNS, [], files).rows
    assert [row["file"] for row in kept] == ["b.jpg", "b.jpg"]
    Path("b.jpg").unlink()
    assert GrowingTable(Path("faces.csv"), COLUMNS, [], files).rows == []


def test_rows_below_a_folder_are_kept_where_the_last_name_is_cut_off_at_it(files: list[Path]):
    Path("folder").mkdir()
    inside = [Path("folder/d.jpg"), Path("folder/e.jpg")]
    for file in inside:
        file.touch()
    table = GrowingTable(Path("faces.csv"), COLUMNS, [], [*files, *inside])
    for name in ("a.jpg", "folder/d.jpg", "folder/e.jpg"):
        table.add([_row(name)])
    table.stream.write("folder/")
    table.stream.flush()
    kept = GrowingTable(Path("faces.csv"), COLUMNS, [], [*files, *inside]).rows
    assert [row["file"] for row in kept] == ["a.jpg", "folder/d.jpg"]


def test_two_calls_with_one_table_do_not_lose_rows_in_silence(files: list[Path]):
    first = GrowingTable(Path("faces.csv"), COLUMNS, [], files)
    second = GrowingTable(Path("faces.csv"), COLUMNS, [], files)
    for call in (lambda: first.add([_row("a.jpg")]), first.close):  # the first is told at once
        with pytest.raises(UserError, match="at the same time"):
            call()
    second.add([_row("a.jpg")])
    second.close()
    assert Path("faces.csv").read_text().splitlines() == ["file,face,age", "a.jpg,1,30.25"]


def test_every_file_name_can_be_written_and_read_back(tmp_path: Path):
    names = [os.fsdecode(b"caf\xe9.jpg"), 'quote".jpg', "comma,.jpg", "new\nline.jpg", "雪.jpg", "=1+1.jpg"]
    names += [r"caf\udce9.jpg", r"caf\\udce9.jpg", os.fsdecode(b"caf\\\xe9.jpg"), r"c:\photos\one.jpg"]
    table = GrowingTable(tmp_path / "faces.csv", COLUMNS, [], [])
    for name in names:
        table.add([_row(name)])
    table.close()
    with (tmp_path / "faces.csv").open(encoding="utf-8", newline="") as stream:
        written = [row["file"] for row in csv.DictReader(stream)]
    assert written == [escaped(name) for name in names]
    escapes = re.compile(r"\\(?:udc(..)|(\\))")
    letters = [
        escapes.sub(lambda match: match[2] or chr(0xDC00 + int(match[1], 16)), name) if r"\udc" in name else name
        for name in written
    ]
    assert letters == names


def test_a_table_takes_nobodys_place(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    for place, said in (("photo.jpg", "picture"), (".", "folder"), ("pipe", "folder, pipe")):
        with pytest.raises(UserError, match=f"take the place of a {said}"):
            check_table(tmp_path / place, COLUMNS)
    Image.new("RGB", (9, 9)).save(tmp_path / "IMG.JPG_large", "JPEG")
    with pytest.raises(UserError, match="take the place of a picture"):
        check_table(tmp_path / "IMG.JPG_large", COLUMNS, force=True)
    foreign = tmp_path / "addresses.csv"
    foreign.write_text("name,street\n")
    with pytest.raises(UserError, match="holds no such table"):
        check_table(foreign, COLUMNS)
    check_table(foreign, COLUMNS, force=True)
    assert foreign.read_text() == "name,street\n"
    (tmp_path / "own.csv").write_text("file,face,age,gender\n")
    check_table(tmp_path / "own.csv", COLUMNS)
    for place in (foreign / "below.csv", tmp_path / ("x" * 252 + ".csv")):
        with pytest.raises(UserError, match="cannot be written"):
            check_table(place, COLUMNS)


@pytest.mark.parametrize("name", ["link.csv", "x" * 251 + ".csv", "顔" * 80 + ".csv"])
def test_a_table_has_any_name_and_stays_where_a_link_leads(name: str, files: list[Path], tmp_path: Path):
    target = tmp_path / name
    if name == "link.csv":
        (tmp_path / "real.csv").write_text("file,face,age\n")
        target.symlink_to("real.csv")
    check_table(target, COLUMNS)
    table = GrowingTable(target, COLUMNS, [], files)
    table.add([_row("a.jpg")])
    table.close()
    assert target.is_symlink() == (name == "link.csv")
    assert target.read_text().splitlines() == ["file,face,age", "a.jpg,1,30.25"]


def test_people_see_age_with_interval_and_gender_with_probability():
    answer = {"age": 36.29, "age_low": 24.6, "age_high": 48.0, "gender": "Female", "probability_female": 0.823}
    text = as_text(
        [
            {"file": "new\nline.jpg", "face": 1, **answer, "note": "turned by 180 degrees"},
            {"file": "wall.png", "face": "0", "gender": "no face found", "age": "", "note": ""},
        ]
    )
    assert text.splitlines() == [
        "file           face  age           gender         note",
        r"new\nline.jpg  1     36.3 (25-48)  Female 82 %    turned by 180 degrees",
        "wall.png                           no face found",
    ]
