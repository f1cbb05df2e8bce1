"""Fetching: folders, archives and downloads; an archive can neither escape nor exhaust."""

import io
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from utkface_mt.data import fetch as fetching
from utkface_mt.data.dataset import open_dataset
from utkface_mt.data.fetch import fetch
from utkface_mt.util.errors import UserError

NAME = "30_1_2_20170116174525125.jpg.chip.jpg"
GOOD = "31_0_3_20170116174525126.jpg.chip.jpg"
TRIES = 400  # damaged archives


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda folder, picture: folder / "nowhere", "There is no dataset at"),
        (lambda folder, picture: "", "There is no dataset at"),
        (lambda folder, picture: "~no one/faces", "There is no dataset at ~no one"),
        (lambda folder, picture: folder / ("x" * 300), "There is no dataset at"),
        (lambda folder, picture: folder, "holds no .jpg"),
        (lambda folder, picture: _write(folder / "notes.txt", b"text"), "neither a folder nor"),
        (lambda folder, picture: _archive(folder / "empty.zip", ("readme.txt", b"text")), "holds no .jpg"),
        (lambda folder, picture: _write(folder / "sub" / "selfie.jpg", picture()).parent, "usable UTKFace crop"),
    ],
    ids=[
        "nothing there",
        "no name",
        "nobody's",
        "no name that can be",
        "an empty folder",
        "a text",
        "an archive of texts",
        "other pictures",
    ],
)
def test_wrong_sources_are_named(prepare: Callable, message: str, tmp_path: Path, picture: Callable):
    folder = tmp_path / "given"
    folder.mkdir()
    with pytest.raises(UserError, match=message):
        open_dataset(str(prepare(folder, picture)), tmp_path / "storage")


def _write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_failed_download_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    import kagglehub

    def no_network(name: str) -> str:
        raise ConnectionError(f"cannot reach the host of {name}")

    monkeypatch.setattr(kagglehub, "dataset_download", no_network)
    with pytest.raises(UserError, match="give the path of the .zip"):
        fetch("kaggle", tmp_path)


def test_a_download_that_is_not_whole_is_refused_and_a_whole_one_taken(
    faces_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    import kagglehub

    monkeypatch.setattr(kagglehub, "dataset_download", lambda name: str(faces_folder))
    with pytest.raises(UserError, match=r"is not whole: it holds 17\d pictures"):
        fetch("kaggle", tmp_path)
    monkeypatch.setattr(fetching, "FEWEST_ON_KAGGLE", 170)
    assert fetch("kaggle", tmp_path) == faces_folder


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
def test_an_archive_cannot_write_outside_its_folder(member: str, kind: str, tmp_path: Path, picture: Callable):
    _refused(_archive(tmp_path / f"bad.{kind}", (member, picture())), "outside its folder")


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
    for name in (NAME, "readme.txt"):
        _refused(_archive(tmp_path / f"{name}.tar.gz", (name, bytes(10_000_000))), "unpacks to more than")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [("MOST_BYTES", 3_000, "unpacks to more than"), ("MOST_MEMBERS", 1, "more than 1 files")],
)
def test_total_size_and_number_of_members_are_capped(
    kind: str, limit: str, value: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Callable
):
    monkeypatch.setattr(fetching, limit, value)
    _refused(_archive(tmp_path / f"large.{kind}", *((f"{age}_{NAME[3:]}", picture()) for age in (30, 31))), message)


def test_a_member_that_lies_about_its_size_is_refused(tmp_path: Path, picture: Callable):
    archive = _archive(tmp_path / "lie.zip", (NAME, picture()))
    data = archive.read_bytes()
    true, false = struct.pack("<I", len(picture())), struct.pack("<I", 100)
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


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize("kept", [0.01, 0.3, 0.5, 0.9, 0.9999])
def test_a_truncated_archive_is_named(kept: float, kind: str, tmp_path: Path, picture: Callable):
    """Found by fuzzing: looking whether it is a tar archive already fails where the compressed bytes end."""
    archive = _archive(tmp_path / f"cut.{kind}", (NAME, picture()), (GOOD, picture(1)))
    data = archive.read_bytes()
    archive.write_bytes(data[: int(kept * len(data))])
    _refused(archive, "damaged")


@pytest.mark.parametrize(("place", "value"), [(16, 0xFFFFFFF0), (12, 0xFFFFFF00), (16, 0x40)])
def test_an_archive_whose_table_points_nowhere_is_named(place: int, value: int, tmp_path: Path, picture: Callable):
    """Found by fuzzing: the reader seeks to a place before the file's beginning."""
    archive = _archive(tmp_path / "lost.zip", (NAME, picture()))
    data = bytearray(archive.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    data[end + place : end + place + 4] = struct.pack("<I", value)
    archive.write_bytes(data)
    _refused(archive, "damaged")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_name_that_is_file_and_folder_at_once_is_refused(kind: str, tmp_path: Path, picture: Callable):
    _refused(_archive(tmp_path / f"both.{kind}", (NAME, picture()), (f"{NAME}/{NAME}", picture())), "damaged")


def test_a_tar_with_a_zip_in_it_is_read_as_a_tar(tmp_path: Path, picture: Callable):
    inner = _archive(tmp_path / "inner.zip", (NAME, picture(1)))
    outer = _archive(tmp_path / "outer.tar", (GOOD, picture()), ("inner.zip", inner.read_bytes()))
    assert [path.name for path in fetch(str(outer), tmp_path / "storage").rglob("*.jpg")] == [GOOD]


def test_two_members_of_one_name_are_refused_and_a_folder_named_like_a_picture_is_not(
    tmp_path: Path, picture: Callable
):
    archive = _archive(tmp_path / "twice.zip", (NAME, picture()))
    with zipfile.ZipFile(archive, "a") as container, pytest.warns(UserWarning, match="Duplicate name"):
        container.writestr(NAME, picture(1))
    _refused(archive, "damaged or protected .*exists")
    named = _archive(tmp_path / "named.zip", ("UTKFace.jpg/", b""), (f"UTKFace.jpg/{NAME}", picture()))
    assert [path.name for path in fetch(str(named), tmp_path / "storage").rglob("*") if path.is_file()] == [NAME]


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_name_that_no_file_can_have_is_refused(kind: str, tmp_path: Path, picture: Callable):
    _refused(_archive(tmp_path / f"long.{kind}", ("9" * 300 + ".jpg", picture())), "a name that no file can have")


def test_an_archive_that_does_not_fit_on_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Callable
):
    archive = _archive(tmp_path / "faces.zip", (NAME, picture()))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000))
    _refused(archive, "does not fit on the disk")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_whatever_bytes_an_archive_has_it_is_read_or_refused(kind: str, tmp_path: Path, picture: Callable):
    good = _archive(tmp_path / f"good.{kind}", (NAME, picture()), (f"UTKFace/{GOOD}", picture(1))).read_bytes()
    rng = np.random.default_rng(0)
    refused, read = 0, 0
    for _ in range(TRIES):
        data = bytearray(good)
        for position in rng.integers(0, len(data), rng.integers(0, 12)):
            data[position] = rng.integers(0, 256)
        archive = tmp_path / f"bad.{kind}"
        archive.write_bytes(bytes(data[: rng.integers(1, len(data) + 1)] if rng.random() < 0.2 else data))
        try:
            fetch(str(archive), tmp_path / "storage")
            read += 1
        except UserError:
            refused += 1
    assert refused > TRIES / 10
    assert read > 0
    assert {path.name for path in tmp_path.iterdir()} <= {f"good.{kind}", f"bad.{kind}", "storage"}
