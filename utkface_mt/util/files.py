"""Writing files so that a reader never meets half of one; reading them, and what identifies them."""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import json
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import UserError

if TYPE_CHECKING:
    import pandas as pd


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path` and renames it to `path` when the block ends well.

    The temporary path does not exist yet and has the suffixes of `path`: writers choose formats by them. A file that
    exists is replaced, a folder that exists is kept.

    Raises:
        UserError: if the folder cannot be written.
    """
    path = Path(os.path.realpath(path))  # a link stays one, and what it leads to is replaced
    temporary = path.with_name(f".{uuid.uuid4().hex[:8]}-{path.name[-60:]}")  # a name has 255 bytes at most
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if temporary.is_file():
            with temporary.open("rb") as stream:
                os.fsync(stream.fileno())  # not even a power cut leaves a name without its content
        os.replace(temporary, path)
    except OSError as error:
        if temporary.is_dir() and path.is_dir():  # it is there, also if another process was faster by a moment
            return
        if not _is_about(error, path.parent):
            raise
        raise unwritable(path.parent, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def unwritable(folder: Path, error: OSError) -> UserError:
    """What the user is told of a folder that cannot be written to."""
    return UserError(
        f"Cannot write to {folder}: {error.strerror or error}. "
        "Make room there and make it writable, or choose another place (for runs: UTKFACE_MT_RUNS)."
    )


def check_writable(path: Path) -> None:
    """Makes sure, before the work that goes into it, that a file or folder can be made at `path`.

    Raises:
        UserError: if not.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            path.exists()  # which a name that is too long breaks
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}. Choose another place.") from error


def _is_about(error: OSError, folder: Path) -> bool:
    """Whether an error says that `folder` cannot be written: refused, in the way, or full."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG):
        return True
    refused = isinstance(error, PermissionError | NotADirectoryError | FileExistsError)
    named, place = str(error.filename or folder), str(folder)
    return refused and (named.startswith(place) or place.startswith(named))  # or a folder above could not be made


def write_text(path: Path, text: str) -> None:
    """Writes `text` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Writes a gzipped CSV file, whole or not at all; the same table gives the same bytes."""
    with replacing(path) as temporary:
        temporary.write_bytes(gzip.compress(table.to_csv(index=False).encode(), mtime=0))


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON, whole or not at all. Not-a-number is refused, since JSON has none."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, advice: str = "Delete it; a run makes its own anew.") -> Any:
    """Reads a JSON file.

    Raises:
        UserError: if the file is not valid JSON, with `advice`, or that for a file that comes with the package.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # not UTF-8, or not JSON
        advice = "Install the package again." if Path(__file__).parents[1] in path.resolve().parents else advice
        raise UserError(f"{path} is not valid JSON ({error}). {advice}") from error


def read_whole(path: Path, most: int, advice: str, count: int = -1) -> bytes:
    """Reads a file, or `count` bytes; a `ValueError` if it is a pipe (without end), empty, or over `most` bytes."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no file")
    if not status.st_size:
        raise ValueError("the file is empty")
    if status.st_size > most:
        raise ValueError(f"the file has {status.st_size / 1e6:.0f} MB{advice}")
    with path.open("rb") as stream:
        return stream.read(count)


def digest(value: Any) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of `value` written as canonical JSON."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
