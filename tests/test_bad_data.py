"""Bad data is found before training and named; an archive can neither escape nor exhaust."""

import io
import os
import shutil
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from utkface_mt.data import fetch as fetching
from utkface_mt.data.dataset import open_dataset
from utkface_mt.data.fetch import fetch
from utkface_mt.data.pixels import open_pixels
from utkface_mt.util.errors import UserError

NAME = "30_1_2_20170116174525125.jpg.chip.jpg"
GOOD = "31_0_3_20170116174525126.jpg.chip.jpg"


def _face(seed: int = 0, size: tuple[int, int] = (200, 200), mode: str = "RGB", form: str = "JPEG", **options) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).resize(size).convert(mode).save(stream, form, **options)
    return stream.getvalue()


def _png_that_claims(width: int, height: int) -> bytes:
    """A few bytes that declare a picture of any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset of one good face."""
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / GOOD).write_bytes(_face(1))
    return tmp_path / "faces"


def _problem(folder: Path) -> str:
    """What is wrong with the one file that is not used."""
    opened = open_dataset(str(folder), folder.parent / "storage")
    assert opened.faces["file"].tolist() == [GOOD]
    assert len(opened.quarantined) == 1
    return opened.quarantined["problem"].iloc[0]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello", "no JPEG or PNG"),
        (_face()[:900], "truncated"),
        (_face(size=(1, 1)), "1 x 1 pixels"),
        (_face(size=(300, 200)), "300 x 200 pixels"),
        (_face(form="GIF"), "no JPEG or PNG"),
        (_face(form="WEBP"), "no JPEG or PNG"),
        (_png_that_claims(20_000, 20_000), "far more pixels"),
        (_png_that_claims(200, 200), "truncated or damaged"),
        (b"\xff\xd8\xff" * 7_000_000, "21 MB, too many"),
    ],
)
def test_unusable_pictures_are_quarantined_with_a_reason(data: bytes, reason: str, folder: Path):
    (folder / NAME).write_bytes(data)
    assert reason in _problem(folder)


@pytest.mark.parametrize(
    ("mode", "form"), [("L", "JPEG"), ("CMYK", "JPEG"), ("RGBA", "PNG"), ("P", "PNG"), ("1", "PNG")]
)
def test_other_colour_modes_are_usable(mode: str, form: str, folder: Path):
    (folder / NAME).write_bytes(_face(mode=mode, form=form))
    opened = open_dataset(str(folder), folder.parent / "storage")
    assert len(opened.faces) == 2
    assert open_pixels(opened, opened.faces, 64).shape == (2, 64, 64, 3)


def test_a_picture_that_exif_says_is_turned_is_seen_upright(folder: Path):
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    straight, turned = _face(form="PNG"), _face(form="PNG", exif=exif)
    (folder / NAME).write_bytes(straight)
    (folder / NAME.replace("30_", "32_")).write_bytes(turned)
    opened = open_dataset(str(folder), folder.parent / "storage")
    pixels = dict(zip(opened.faces["age"], open_pixels(opened, opened.faces, 224), strict=True))
    assert np.array_equal(pixels[32], pixels[30][::-1, ::-1])


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.symlink_to(path), "cannot be read"),
        (lambda path: path.symlink_to("nowhere.jpg"), "cannot be read"),
        (lambda path: path.symlink_to("/dev/zero"), "no file"),
        (os.mkfifo, "no file"),
    ],
    ids=["a link to itself", "a link to nothing", "a device", "a pipe"],
)
def test_what_is_no_file_is_never_read(make: Callable, reason: str, folder: Path):
    make(folder / NAME)
    assert reason in _problem(folder)


def test_a_loop_of_folders_is_not_followed(folder: Path):
    (folder / "inner").mkdir()
    (folder / "inner" / "again").symlink_to(folder)
    assert len(open_dataset(str(folder), folder.parent / "storage").faces) == 1


@pytest.mark.parametrize("place", [b"caf\xe9_1_2_20170116174525125.jpg", b"caf\xe9/" + NAME.encode()])
def test_a_name_that_is_not_utf8_is_reported(place: bytes, folder: Path):
    path = os.path.join(os.fsencode(folder), place)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(_face())
    assert _problem(folder)


@pytest.mark.slow
def test_a_large_folder_without_pictures_is_refused_soon(tmp_path: Path):
    for number in range(100_000):
        os.mknod(tmp_path / f"{number}.txt")
    started = time.monotonic()
    with pytest.raises(UserError, match="holds no .jpg"):
        open_dataset(str(tmp_path), tmp_path / "storage")
    assert time.monotonic() - started < 10


def _archive(path: Path, *members: tuple[str | tarfile.TarInfo | zipfile.ZipInfo, bytes]) -> Path:
    """A .zip or a .tar.gz with any members."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as container:
            for name, data in members:
                container.writestr(name, data)
        return path
    with tarfile.open(path, "w:gz") as container:
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data)
            container.addfile(info, io.BytesIO(data))
    return path


def _refused(archive: Path, message: str) -> None:
    """It is refused, and nothing of it is left anywhere."""
    before = set(archive.parent.rglob("*"))
    with pytest.raises(UserError, match=message):
        fetch(str(archive), archive.parent / "storage")
    assert set(archive.parent.rglob("*")) - before <= {archive.parent / "storage"}


@pytest.mark.parametrize(
    "member", ["../out.jpg", "/out.jpg", "a/../../out.jpg", "C:/out.jpg", "..\\out.jpg", "\\\\host\\out.jpg"]
)
@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_cannot_write_outside_its_folder(member: str, kind: str, tmp_path: Path):
    _refused(_archive(tmp_path / f"bad.{kind}", (member, _face())), "outside its folder")


def test_links_in_an_archive_are_refused(tmp_path: Path):
    link = zipfile.ZipInfo(NAME)
    link.external_attr = 0o120777 << 16
    _refused(_archive(tmp_path / "link.zip", (link, b"/etc/passwd")), "is a link")
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        info = tarfile.TarInfo(NAME)
        info.type, info.linkname = kind, "/etc/passwd"
        _refused(_archive(tmp_path / "link.tar.gz", (info, b"")), "is a link")


def test_devices_in_an_archive_are_not_made(tmp_path: Path):
    info = tarfile.TarInfo(NAME)
    info.type = tarfile.CHRTYPE
    _refused(_archive(tmp_path / "device.tar.gz", (info, b"")), "holds no .jpg")


def test_bombs_are_refused(tmp_path: Path):
    _refused(_archive(tmp_path / "bomb.zip", (NAME, bytes(10_000_000))), "no picture")
    _refused(_archive(tmp_path / "bomb.tar.gz", (NAME, bytes(10_000_000))), "unpacks to more than")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [("MOST_BYTES", 3_000, "unpacks to more than"), ("MOST_MEMBERS", 1, "more than 1 files")],
)
def test_total_size_and_number_of_members_are_capped(
    kind: str, limit: str, value: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fetching, limit, value)
    _refused(_archive(tmp_path / f"large.{kind}", *((f"{age}_{NAME[3:]}", _face()) for age in (30, 31))), message)


def test_a_member_that_lies_about_its_size_is_refused(tmp_path: Path):
    archive = _archive(tmp_path / "lie.zip", (NAME, _face()))
    data = archive.read_bytes()
    true, false = struct.pack("<I", len(_face())), struct.pack("<I", 100)
    archive.write_bytes(data.replace(true, false))
    _refused(archive, "larger than it says|damaged")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_damaged_archive_is_named_and_leaves_nothing(kind: str, tmp_path: Path):
    noise = np.random.default_rng(0).bytes
    archive = _archive(tmp_path / f"faces.{kind}", *((f"{age}_{NAME[3:]}", noise(3000)) for age in range(10, 30)))
    data = bytearray(archive.read_bytes())
    for position in range(2000, 40_000, 1000):
        data[position] ^= 0xFF
    archive.write_bytes(data)
    _refused(archive, "damaged")


@pytest.mark.parametrize("kept", [0.01, 0.3, 0.5, 0.9, 0.9999])
def test_a_truncated_archive_is_named(kept: float, tmp_path: Path):
    """Found by fuzzing: looking whether it is a tar archive already fails where the compressed bytes end."""
    archive = _archive(tmp_path / "cut.tar.gz", (NAME, _face()), (GOOD, _face(1)))
    data = archive.read_bytes()
    archive.write_bytes(data[: int(kept * len(data))])
    _refused(archive, "damaged")


@pytest.mark.parametrize(("place", "value"), [(16, 0xFFFFFFF0), (12, 0xFFFFFF00), (16, 0x40)])
def test_an_archive_whose_table_points_nowhere_is_named(place: int, value: int, tmp_path: Path):
    """Found by fuzzing: the reader seeks to a place before the file's beginning."""
    archive = _archive(tmp_path / "lost.zip", (NAME, _face()))
    data = bytearray(archive.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    data[end + place : end + place + 4] = struct.pack("<I", value)
    archive.write_bytes(data)
    _refused(archive, "damaged")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_name_that_is_file_and_folder_at_once_is_refused(kind: str, tmp_path: Path):
    _refused(_archive(tmp_path / f"both.{kind}", (NAME, _face()), (f"{NAME}/{NAME}", _face())), "damaged")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_name_that_no_file_can_have_is_refused(kind: str, tmp_path: Path):
    _refused(_archive(tmp_path / f"long.{kind}", ("9" * 300 + ".jpg", _face())), "a name that no file can have")


def test_a_disk_without_room_is_told_before_anything_is_written(folder: Path, monkeypatch: pytest.MonkeyPatch):
    archive = _archive(folder.parent / "faces.zip", (NAME, _face()))
    opened = open_dataset(str(folder), folder.parent / "storage")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(UserError, match=r"need 0.0 GB at 64 pixels.*0.0 GB free.*UTKFACE_MT_RUNS"):
        open_pixels(opened, opened.faces, 64)
    assert not list(opened.storage.glob("*.npy"))
    _refused(archive, "does not fit on the disk")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_whatever_bytes_an_archive_has_it_is_read_or_refused(kind: str, tmp_path: Path):
    good = _archive(tmp_path / f"good.{kind}", (NAME, _face()), (f"UTKFace/{GOOD}", _face(1))).read_bytes()
    rng = np.random.default_rng(0)
    ends, refused, read = time.monotonic() + 15, 0, 0
    while time.monotonic() < ends:
        data = bytearray(good)
        for position in rng.integers(0, len(data), rng.integers(1, 12)):
            data[position] = rng.integers(0, 256)
        archive = tmp_path / f"bad.{kind}"
        archive.write_bytes(bytes(data[: rng.integers(1, len(data) + 1)] if rng.random() < 0.2 else data))
        try:
            fetch(str(archive), tmp_path / "storage")
            read += 1
        except UserError:
            refused += 1
    assert refused > 20
    assert read > 0
    assert {path.name for path in tmp_path.iterdir()} <= {f"good.{kind}", f"bad.{kind}", "storage"}
