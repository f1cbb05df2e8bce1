"""The answers as a table: kept in a file while they come, and shown to people."""

import csv
import os
import time
from pathlib import Path
from typing import Any

from ..util.errors import UserError
from ..util.files import check_writable, digest, replacing
from .read import SUFFIXES, is_picture

HEADINGS = ("file", "face", "age", "gender", "note")
_AS_TEXT: Any = {"encoding": "utf-8", "errors": "backslashreplace", "newline": ""}


def escaped(text: str) -> str:
    """Text for UTF-8, another for each name: bytes of a file's name that are none stand as a backslash and `udc80` ff.

    A name that holds the like has its own backslashes doubled.
    """
    written = text.encode("utf-8", "backslashreplace").decode()
    return text.replace("\\", "\\\\").encode("utf-8", "backslashreplace").decode() if "\\udc" in written else written


def check_table(target: Path, columns: list[str], force: bool = False) -> None:
    """Refuses a place for a table, before hours of work, and before anything is replaced.

    A folder, pipe or picture, what cannot be written, or, without `force`, what holds something else is a `UserError`.
    """
    check_writable(target)
    other = target.exists() and not target.is_file()
    if other or target.suffix.lower() in SUFFIXES or is_picture(target):
        kind = "folder, pipe or device" if other else "picture"
        raise UserError(f"--csv {target}: a table cannot take the place of a {kind}.")
    if target.exists() and not force:
        with target.open("rb") as stream:
            if not stream.readline(200).startswith(",".join(columns[:3]).encode()):
                raise UserError(f"--csv {target} holds no such table. Choose another file, or replace it by --force.")


class GrowingTable:
    """A CSV file that appears when it is whole. Until then its rows are kept beside it, and are found again.

    Attributes:
        rows: those that an earlier call with the same options had finished, as text.
        part: where rows are kept.
    """

    def __init__(self, target: Path, columns: list[str], options: list[Any], files: list[Path]) -> None:
        """Opens the table at a place that `check_table` accepted; the rows to come may have more columns.

        What was kept for the same `options` is found again, of those `files` that have not changed since.
        """
        self.target, self.shown = target, columns
        self.columns = list(dict.fromkeys([*columns, "note", "since"]))  # people are told the note at the end
        self.since = time.time_ns()  # a photo that changes from now on is looked at again another time
        self.part = target.with_name(f"{target.stem[:50]}.part-{digest([self.columns, *options])[:8]}.csv")
        self.rows = self._finished(files) if self.part.exists() else []
        with replacing(self.part) as temporary, temporary.open("w", **_AS_TEXT) as stream:
            writer = csv.DictWriter(stream, self.columns)
            writer.writeheader()
            writer.writerows(self.rows)
        self.stream = self.part.open("a", **_AS_TEXT)

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Keeps the rows of one file; a `UserError` if another call has taken the table over."""
        self._check_ours()
        written = [{**row, "file": escaped(row["file"]), "since": self.since} for row in rows]
        csv.DictWriter(self.stream, self.columns, extrasaction="ignore").writerows(written)
        self.stream.flush()

    def close(self) -> None:
        """Puts the whole table in its place."""
        self._check_ours()
        self.stream.close()
        with replacing(self.target) as made, self.part.open(**_AS_TEXT) as kept, made.open("w", **_AS_TEXT) as stream:
            writer = csv.DictWriter(stream, self.shown, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(csv.DictReader(kept))
        self.part.unlink()

    def _check_ours(self) -> None:
        if not self.part.exists() or not os.path.samestat(os.fstat(self.stream.fileno()), self.part.stat()):
            raise UserError(f"Another call writes {self.target} at the same time. Wait for it, or give another file.")

    def _finished(self, files: list[Path]) -> list[dict[str, str]]:
        """The rows of files not changed since, but for the last one's, whose name too may be cut off."""
        changed = {escaped(str(file)): file.stat().st_ctime_ns for file in files if file.exists()}
        with self.part.open("r", **_AS_TEXT) as stream:
            rows = list(csv.DictReader(stream))
        last = [row["file"] for row in rows[-2:] if row["file"].startswith(rows[-1]["file"])]
        rows = [row for row in rows if row["file"] in changed and row["file"] not in last]
        return [row for row in rows if changed[row["file"]] <= int(row["since"])]


def as_text(rows: list[dict[str, Any]]) -> str:
    """A table for people: file, face, age with its interval, gender with its probability, and notes."""
    lines = [HEADINGS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    name = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in row["file"])
    if not int(row["face"]):
        return name, "", "", row["gender"], ""
    age, low, high, female = (float(row[key]) for key in ("age", "age_low", "age_high", "probability_female"))
    sure = f"{100 * max(female, 1 - female):.0f} %"
    return name, str(row["face"]), f"{age:.1f} ({low:.0f}-{high:.0f})", f"{row['gender']} {sure}", row.get("note") or ""
