"""Bad pictures are found before training, named with a reason, and what is no file is never read."""

import os
import struct
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from utkface_mt.data.dataset import open_dataset
from utkface_mt.data.index import build_index, list_pictures
from utkface_mt.data.pixels import open_pixels
from utkface_mt.util.errors import UserError

NAME = "30_1_2_20170116174525125.jpg.chip.jpg"
GOOD = "31_0_3_20170116174525126.jpg.chip.jpg"
TRIES = 400  # damaged pictures


def _png_that_claims(width: int, height: int) -> bytes:
    """A few bytes that declare a picture of any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def _problem(folder: Path) -> str:
    """What is wrong with the one file that is not used."""
    opened = open_dataset(str(folder), folder.parent / "storage")
    assert opened.faces["file"].tolist() == [GOOD]
    assert len(opened.quarantined) == 1
    return opened.quarantined["problem"].iloc[0]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda picture: b"", "empty"),
        (lambda picture: b"hello", "no JPEG or PNG"),
        (lambda picture: picture()[:900], "truncated"),
        (lambda picture: picture(size=(1, 1)), "1 x 1 pixels"),
        (lambda picture: picture(size=(300, 200)), "300 x 200 pixels"),
        (lambda picture: picture(form="GIF"), "no JPEG or PNG"),
        (lambda picture: picture(form="WEBP"), "no JPEG or PNG"),
        (lambda picture: _png_that_claims(20_000, 20_000), "far more pixels"),
        (lambda picture: _png_that_claims(200, 200), "truncated or damaged"),
        (lambda picture: b"\xff\xd8\xff" * 7_000_000, "21 MB, too many"),
        (lambda picture: picture(form="PNG", exif=b"Exif\0\0II*\0"), "requires a buffer"),
    ],
    ids=["empty", "text", "cut", "tiny", "oblong", "GIF", "WEBP", "a bomb", "a PNG without end", "huge", "EXIF cut"],
)
def test_unusable_pictures_are_quarantined_with_a_reason(make: Callable, reason: str, folder: Path, picture: Callable):
    (folder / NAME).write_bytes(make(picture))
    assert reason in _problem(folder)


def test_different_files_of_one_defective_name_are_all_listed(folder: Path, picture: Callable):
    pictures = [picture(form="PNG"), picture(form="PNG", mode="L"), picture(form="PNG"), b"", b""]
    for number, data in enumerate(pictures):
        (folder / str(number)).mkdir()
        (folder / str(number) / "thirty_1_2.jpg").write_bytes(data)
    opened = open_dataset(str(folder), folder.parent / "storage")
    assert opened.quarantined["path"].tolist() == [f"{number}/thirty_1_2.jpg" for number in (0, 1, 3, 4)]  # 2 is a copy


@pytest.mark.parametrize(
    ("mode", "form"), [("L", "JPEG"), ("CMYK", "JPEG"), ("RGBA", "PNG"), ("P", "PNG"), ("1", "PNG")]
)
def test_other_colour_modes_are_usable(mode: str, form: str, folder: Path, picture: Callable):
    (folder / NAME).write_bytes(picture(mode=mode, form=form))
    opened = open_dataset(str(folder), folder.parent / "storage")
    assert len(opened.faces) == 2
    assert open_pixels(opened, opened.faces, 64).shape == (2, 64, 64, 3)


def test_a_picture_that_exif_says_is_turned_is_seen_upright(folder: Path, picture: Callable):
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    (folder / NAME).write_bytes(picture(form="PNG"))
    (folder / NAME.replace("30_", "32_")).write_bytes(picture(form="PNG", exif=exif))
    opened = open_dataset(str(folder), folder.parent / "storage")
    pixels = dict(zip(opened.faces["age"], open_pixels(opened, opened.faces, 224), strict=True))
    assert np.array_equal(pixels[32], pixels[30][::-1, ::-1])


def test_exif_that_is_damaged_elsewhere_does_not_hide_how_a_picture_is_turned(folder: Path, picture: Callable):
    directory = struct.pack("<HHHIHHHHII", 2, 0x112, 3, 1, 3, 0, 0x11A, 2, 3, int.from_bytes(b"72\0\0", "little"))
    for age, exif in ((30, b""), (32, b"Exif\0\0II*\0\x08\0\0\0" + directory + bytes(4))):  # the resolution is a text
        (folder / NAME.replace("30_", f"{age}_")).write_bytes(picture(form="PNG", exif=exif))
    opened = open_dataset(str(folder), folder.parent / "storage")
    pixels = dict(zip(opened.faces["age"], open_pixels(opened, opened.faces, 224), strict=True))
    assert np.array_equal(pixels[32], pixels[30][::-1, ::-1])


def test_whatever_bytes_a_picture_has_it_is_used_or_listed(folder: Path, picture: Callable):
    rng, exif = np.random.default_rng(0), Image.Exif()
    exif.update({0x10F: "maker", 0x112: 6, 0x11A: 72.0, 0x128: 2, 0x131: "program", 0x213: 1})
    exif.get_ifd(0x8769).update({0x829A: 0.01, 0x9000: b"0230", 0xA002: 200})
    whole = [picture(form="PNG"), picture(form="JPEG", exif=exif), picture(form="PNG", exif=exif)]
    for number in range(TRIES):
        data = bytearray(whole[number % len(whole)])
        for place in rng.integers(0, min(len(data), 300), 3):
            data[place] = rng.integers(256)
        (folder / f"{number % 99 + 1}_1_2_{20170116000000000 + number}.jpg").write_bytes(data)
    opened = open_dataset(str(folder), folder.parent / "storage")
    assert len(opened.faces) + len(opened.quarantined) == TRIES + 1
    assert len(opened.quarantined) > TRIES / 10


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.symlink_to(path), "cannot be read"),
        (lambda path: path.symlink_to("nowhere.jpg"), "cannot be read"),
        (lambda path: path.symlink_to("x" * 300), "cannot be read"),
        (lambda path: path.symlink_to("/dev/zero"), "no file"),
        (os.mkfifo, "no file"),
    ],
    ids=["a link to itself", "a link to nothing", "a link to no name", "a device", "a pipe"],
)
def test_what_is_no_file_is_never_read(make: Callable, reason: str, folder: Path):
    make(folder / NAME)
    assert reason in _problem(folder)


def test_a_folder_that_cannot_be_read_is_named():
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as name:  # one that all may enter
        os.chmod(name, 0o755)
        closed = Path(name, "closed")
        closed.mkdir(mode=0o700)
        if user == 0:
            os.seteuid(65534)  # root may read anything
        else:
            closed.chmod(0)
        try:
            with pytest.raises(UserError, match=r"closed cannot be read \(Permission denied\)"):
                list_pictures(Path(name))
        finally:
            os.seteuid(user)
            closed.chmod(0o700)


def test_a_loop_of_folders_is_not_followed(folder: Path):
    (folder / "inner").mkdir()
    (folder / "inner" / "again").symlink_to(folder)
    assert len(open_dataset(str(folder), folder.parent / "storage").faces) == 1


@pytest.mark.parametrize("place", [b"caf\xe9_1_2_20170116174525125.jpg", b"caf\xe9/" + NAME.encode()])
def test_a_name_that_is_not_utf8_is_reported(place: bytes, folder: Path, picture: Callable):
    path = os.path.join(os.fsencode(folder), place)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(picture())
    assert _problem(folder)


def test_what_lies_in_a_folder_of_another_encoding_does_not_take_its_copy_along(folder: Path):
    other = os.path.join(os.fsencode(folder), b"caf\xe9")  # sorted before `copy`
    os.mkdir(other)
    (folder / "copy").mkdir()
    (folder / GOOD).replace(folder / "copy" / GOOD)
    with open(os.path.join(other, GOOD.encode()), "wb") as stream:
        stream.write((folder / "copy" / GOOD).read_bytes())
    assert "not UTF-8" in _problem(folder)


def test_names_may_hold_any_end_of_a_line(folder: Path, picture: Callable):
    for number, place in enumerate(("a\rb", "c\nd", "e\r\nf", "g\u2028h", 'i"j,k')):
        (folder / place).mkdir()
        (folder / place / NAME.replace("30_", f"{40 + number}_")).write_bytes(picture())
    (folder / "bad\r.jpg").write_bytes(b"hello")
    opened = open_dataset(str(folder), folder.parent / "storage")
    assert sorted(opened.faces["age"]) == [31, 40, 41, 42, 43, 44]
    assert opened.quarantined["path"].tolist() == ["bad\r.jpg"]
    assert len(open_pixels(opened, opened.faces, 64)) == 6


def test_the_same_name_with_another_picture_is_not_guessed(folder: Path, picture: Callable):
    (folder / "z").mkdir()
    (folder / "z" / GOOD).write_bytes(picture(2))
    assert "same name" in _problem(folder)


def test_a_damaged_copy_does_not_take_the_good_one_along(folder: Path, picture: Callable):
    (folder / "z").mkdir()
    (folder / "z" / GOOD).write_bytes((folder / GOOD).read_bytes())
    (folder / GOOD).write_bytes(picture()[:500])
    table, _ = build_index(folder, [GOOD, f"z/{GOOD}"])
    assert [bool(problem) for problem in table.sort_values("path")["problem"]] == [True, False]


@pytest.mark.slow
def test_a_large_folder_without_pictures_is_refused_soon(tmp_path: Path):
    for number in range(100_000):
        os.mknod(tmp_path / f"{number}.txt")
    started = time.monotonic()
    with pytest.raises(UserError, match="holds no .jpg"):
        open_dataset(str(tmp_path), tmp_path / "storage")
    assert time.monotonic() - started < 10
