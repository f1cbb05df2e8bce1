"""From what the user named (sample, folder, archive, kaggle) to a folder of pictures on disk.

The source is only read. An archive is extracted once, whole or not at all, under the digest of its bytes.
"""

import errno
import gzip
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from ..config import TRAINING_VERSION
from ..drawn_faces.sample import write_sample
from ..util.errors import UserError
from ..util.files import file_digest, replacing

KAGGLE_DATASET = "jangedoo/utkface-new"
LONGEST_NAME = 255  # bytes: what file systems allow
DAMAGED = (  # what reading a broken or encrypted archive raises
    *(zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, lzma.LZMAError),
    *(EOFError, ValueError, NotImplementedError, RuntimeError),
)
CLASHES = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR)  # a member is file and folder at once
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")
FEWEST_ON_KAGGLE = 23_000  # faces: the published set has 23,708
MOST_MEMBERS = 500_000
TOO_MANY = "{} holds more than {} files: it is no UTKFace."
MOST_BYTES = 8 * 1024**3
MOST_RATIO = 200  # a JPEG hardly shrinks in an archive: what grows more than this is no picture


def fetch(source: str, storage: Path) -> Path:
    """Returns a folder with the pictures of a source: `sample`, `kaggle`, or the path of a folder, `.zip`, `.tar.gz`.

    What must be made first (drawn, extracted) goes into the folder `storage`.

    Raises:
        UserError: if the source does not exist, is no archive, holds no picture or is unsafe to extract.
    """
    if source in ("sample", "kaggle") and Path(source).is_dir():
        raise UserError(f"{source!r} names a dataset and a folder here. Give ./{source} for the folder.")
    if source == "sample":
        return write_sample(storage / f"sample-{TRAINING_VERSION}")
    if source == "kaggle":
        return _download_from_kaggle()
    path = Path(os.path.expanduser(source))
    if os.path.isdir(path) and source:
        return path
    if not (os.path.exists(path) and source):
        raise UserError(f"There is no dataset at {path}. Give a folder, a .zip, a .tar.gz, or 'kaggle', or 'sample'.")
    for is_kind, members in ((tarfile.is_tarfile, _tar_members), (zipfile.is_zipfile, _zip_members)):
        try:
            fits = is_kind(path)
        except (*DAMAGED, PermissionError) as error:
            raise UserError(f"{path} is damaged or cannot be read ({error}). Download it again.") from error
        if fits:
            return _extract(path, storage, members)
    raise UserError(f"{path} is neither a folder nor a .zip or .tar.gz archive, or it is damaged.")


def _download_from_kaggle() -> Path:
    import kagglehub

    try:
        folder = Path(kagglehub.dataset_download(KAGGLE_DATASET))
    except Exception as error:
        raise UserError(
            f"Kaggle's {KAGGLE_DATASET} could not be downloaded ({type(error).__name__}: {error}). "
            "Check the network, or download it in a browser and give the path of the .zip as the data."
        ) from error
    found = sum(1 for path in folder.rglob("*") if _is_picture(path.name))
    if found < FEWEST_ON_KAGGLE:
        raise UserError(
            f"The download of {KAGGLE_DATASET} in {folder} is not whole: it holds {found} pictures, at least "
            f"{FEWEST_ON_KAGGLE} are expected. Delete that folder and start again."
        )
    return folder


def _extract(archive: Path, storage: Path, members: Callable) -> Path:
    """Extracts the pictures of an archive into a folder named after the archive's content."""
    target = storage / f"{archive.name.split('.')[0][:50]}-{file_digest(archive)[:12]}"
    if target.is_dir():
        return target
    with replacing(target) as temporary:
        temporary.mkdir()
        try:
            _write_members(archive, temporary, members)
        except (*DAMAGED, OSError) as error:
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL, *CLASHES):
                raise
            raise UserError(f"{archive} is damaged or protected ({error}). Download it again.") from error
    return target


def _write_members(archive: Path, folder: Path, members: Callable) -> None:
    written = 0
    most = min(MOST_BYTES, MOST_RATIO * archive.stat().st_size)
    for name, size, stream in members(archive):
        written += size
        if written > most:
            raise UserError(f"{archive} unpacks to more than {most / 1e6:.1f} MB of pictures: it is no UTKFace.")
        if size > (free := shutil.disk_usage(folder).free):
            raise UserError(
                f"{archive} does not fit on the disk: {folder.parent} has {free / 1e6:.0f} MB free. "
                "Free some space, or move the runs with UTKFACE_MT_RUNS."
            )
        destination = folder / _safe(name, archive)
        destination.parent.mkdir(parents=True, exist_ok=True)
        with destination.open("xb") as output:
            shutil.copyfileobj(stream, output)  # both readers give no more bytes than a member declares
    if not any(folder.iterdir()):
        raise UserError(f"{archive} holds no .jpg or .png picture.")


def _safe(name: str, archive: Path) -> Path:
    """The member's path below the target folder; refused if it would lie outside."""
    path = PurePosixPath(name.replace("\\", "/"))
    if "\0" in name or max(len(part.encode(errors="surrogateescape")) for part in path.parts) > LONGEST_NAME:
        raise UserError(f"{archive}: the member {name[:60]!r} has a name that no file can have; it is not used.")
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise UserError(f"{archive}: the member {name!r} would be written outside its folder; the archive is not used.")
    return Path(*path.parts)


def _zip_members(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with zipfile.ZipFile(archive) as container:
        if len(container.infolist()) > MOST_MEMBERS:
            raise UserError(TOO_MANY.format(archive, MOST_MEMBERS))
        for info in (info for info in container.infolist() if _is_picture(info.filename) and not info.is_dir()):
            if stat.S_ISLNK(info.external_attr >> 16):
                raise UserError(f"{archive}: {info.filename} is a link; the archive is not used.")
            if info.file_size > MOST_RATIO * max(info.compress_size, 1):
                raise UserError(f"{archive}: {info.filename} unpacks to {info.file_size} bytes; it is no picture.")
            with container.open(info) as stream:
                yield info.filename, info.file_size, stream


def _tar_members(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    rest = MOST_RATIO * archive.stat().st_size
    with tarfile.open(archive) as container:
        for number, info in enumerate(container, start=1):
            if number > MOST_MEMBERS:
                raise UserError(TOO_MANY.format(archive, MOST_MEMBERS))
            if container.offset > rest + tarfile.RECORDSIZE:
                raise UserError(f"{archive} unpacks to more than {rest / 1e6:.1f} MB: it is no UTKFace.")
            if _is_picture(info.name) and (info.issym() or info.islnk()):
                raise UserError(f"{archive}: {info.name} is a link; the archive is not used.")
            if info.isfile() and _is_picture(info.name):
                yield info.name, info.size, container.extractfile(info)
        while block := container.fileobj.read(1 << 20):  # only at its end a compressed stream compares its checksum
            rest -= len(block)
            if rest < 0:
                raise UserError(f"{archive} goes on without end after its last member; it is not used.")


def _is_picture(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in PICTURE_SUFFIXES and "__MACOSX" not in path.parts
