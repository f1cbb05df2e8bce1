"""From what the user named (sample, folder, archive, kaggle) to a folder of pictures on disk.

The source is only read. An archive is extracted once, under the digest of its bytes, into a temporary folder that is
renamed when it is whole.
"""

import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from ..errors import UserError
from ..files import file_digest, replacing
from .sample import write_sample

KAGGLE_DATASET = "jangedoo/utkface-new"
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")
MOST_MEMBERS = 500_000
MOST_BYTES = 8 * 1024**3
MOST_RATIO = 200  # a JPEG hardly shrinks in an archive: a member that grows more than this is no picture

Progress = Callable[[int, int], None]


def fetch(source: str, storage: Path, progress: Progress | None = None) -> Path:
    """Returns a folder that holds the pictures of `source`.

    Args:
        source: `sample`, `kaggle`, or the path of a folder, `.zip` or `.tar.gz`.
        storage: folder for what must be made first (drawn, extracted).
        progress: called with (done, total) during long work.

    Raises:
        UserError: if the source does not exist, is no archive, holds no picture or is unsafe to extract.
    """
    if source == "sample":
        return write_sample(storage / "sample", progress=progress)
    if source == "kaggle":
        return _download_from_kaggle()
    path = Path(source).expanduser()
    if path.is_dir():
        return path
    if not path.exists():
        raise UserError(f"There is no dataset at {path}. Give a folder, a .zip, a .tar.gz, or 'kaggle', or 'sample'.")
    if zipfile.is_zipfile(path):
        return _extract(path, storage, _zip_members, progress)
    if tarfile.is_tarfile(path):
        return _extract(path, storage, _tar_members, progress)
    raise UserError(f"{path} is neither a folder nor a .zip or .tar.gz archive, or it is damaged.")


def _download_from_kaggle() -> Path:
    import kagglehub

    try:
        return Path(kagglehub.dataset_download(KAGGLE_DATASET))
    except Exception as error:
        raise UserError(
            f"Kaggle's {KAGGLE_DATASET} could not be downloaded ({type(error).__name__}: {error}). "
            "Check the network, or download it in a browser and give the path of the .zip as the data."
        ) from error


def _extract(archive: Path, storage: Path, members: Callable, progress: Progress | None) -> Path:
    """Extracts the pictures of an archive into a folder named after the archive's content."""
    target = storage / f"{archive.name.split('.')[0]}-{file_digest(archive)[:12]}"
    if target.is_dir():
        return target
    with replacing(target) as temporary:
        temporary.mkdir()
        written = count = 0
        for name, size, total, stream in members(archive):
            count += 1
            written += size
            if count > MOST_MEMBERS or written > MOST_BYTES:
                raise UserError(
                    f"{archive} holds more than {MOST_MEMBERS} files or {MOST_BYTES >> 30} GiB: no UTKFace."
                )
            destination = temporary / _safe(name, archive)
            destination.parent.mkdir(parents=True, exist_ok=True)
            with destination.open("wb") as output:
                _copy(stream, output, size, name, archive)
            if progress:
                progress(count, total)
        if not count:
            raise UserError(f"{archive} holds no .jpg or .png picture.")
    return target


def _copy(stream: IO[bytes], output: IO[bytes], size: int, name: str, archive: Path) -> None:
    """Copies a member, and no more bytes than it declared."""
    while block := stream.read(1 << 20):
        size -= len(block)
        if size < 0:
            raise UserError(f"{archive}: {name} is larger than it says; the archive is damaged or made to exhaust.")
        output.write(block)


def _safe(name: str, archive: Path) -> Path:
    """The member's path below the target folder.

    Raises:
        UserError: if it would lie outside.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise UserError(f"{archive}: the member {name!r} would be written outside its folder; the archive is not used.")
    return Path(*path.parts)


def _zip_members(archive: Path) -> Iterator[tuple[str, int, int, IO[bytes]]]:
    try:
        with zipfile.ZipFile(archive) as container:
            infos = [info for info in container.infolist() if _is_picture(info.filename)]
            for info in infos:
                if info.file_size > MOST_RATIO * max(info.compress_size, 1):
                    raise UserError(f"{archive}: {info.filename} unpacks to {info.file_size} bytes; it is no picture.")
                with container.open(info) as stream:
                    yield info.filename, info.file_size, len(infos), stream
    except (zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"{archive} is damaged ({error}). Download it again.") from error


def _tar_members(archive: Path) -> Iterator[tuple[str, int, int, IO[bytes]]]:
    try:
        with tarfile.open(archive) as container:
            for info in container:
                if _is_picture(info.name) and (info.issym() or info.islnk()):
                    raise UserError(f"{archive}: {info.name} is a link; the archive is not used.")
                if info.isfile() and _is_picture(info.name):
                    yield info.name, info.size, 0, container.extractfile(info)
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{archive} is damaged ({error}). Download it again.") from error


def _is_picture(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in PICTURE_SUFFIXES and "__MACOSX" not in path.parts
