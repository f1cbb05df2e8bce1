"""The face table: every file found, its labels, what is wrong with it, and what near-duplicates are told by.

Each picture is decoded once, here, so that a damaged file is found before training and not in the middle of it.
"""

import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from ..util.errors import UserError
from ..util.files import read_whole
from .fetch import PICTURE_SUFFIXES
from .labels import parse_name
from .pixels import CROP_SIZE, in_rgb, upright

LARGEST_FILE = 20_000_000  # bytes; a crop has some 10,000
GREY_SIZE = 32  # pixels: side of the small grey picture that near-duplicates are compared by
FORMATS = ("JPEG", "PNG")
COLUMNS = ("path", "file", "age", "gender", "race", "sha256", "problem")


def list_pictures(folder: Path) -> list[tuple[str, int, int]]:
    """Lists the pictures below a folder, sorted: (path relative to it, bytes, time of change in nanoseconds).

    Links to folders are not followed.

    Raises:
        UserError: if there is none, or a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename} cannot be read ({error.strerror}). Make it readable, or move it away.")

    found = []
    for parent, _, files in os.walk(folder, onerror=refuse):
        for name in files:
            if name.lower().endswith(PICTURE_SUFFIXES) and not name.startswith("."):
                path = Path(parent, name)
                status = path.stat() if os.path.exists(path) else path.lstat()
                found.append((path.relative_to(folder).as_posix(), status.st_size, status.st_ctime_ns))
    if not found:
        raise UserError(f"{folder} holds no .jpg or .png picture. Give the folder that holds the UTKFace crops.")
    return sorted(found)


def build_index(folder: Path, paths: list[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """Reads every picture once; `paths` are relative to the folder.

    Kaggle's download holds them up to three times: equal names with equal bytes count once, under the shortest path.

    Returns:
        The table with `COLUMNS`, a row a face, `problem` empty where the face is usable; and the grey pictures,
        uint8 `[rows, 32, 32]`, zeros where there is a problem.
    """
    paths = sorted(paths, key=lambda path: (path.count("/"), path))
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        rows, greys = zip(*pool.map(lambda path: _examine(folder, path), paths), strict=True)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    copies = table.duplicated(["file", "sha256", "problem"]) & (table["sha256"] != "")  # the unread are like nothing
    table, greys = table[~copies].reset_index(drop=True), np.stack(greys)[~copies.to_numpy()]
    usable = table[table["problem"] == ""]
    clashes = usable.index[usable.duplicated("file")]
    table.loc[clashes, "problem"] = "another file of the same name holds another picture"
    order = table.sort_values("file", kind="stable").index
    return table.loc[order].reset_index(drop=True), greys[order]


def _examine(folder: Path, path: str) -> tuple[tuple, np.ndarray]:
    """Reads one file: (row of the table, grey picture)."""
    name = Path(path).name
    age = gender = race = -1
    digest, problem = "", ""
    grey = np.zeros((GREY_SIZE, GREY_SIZE), np.uint8)
    try:
        data = read_whole(folder / path, LARGEST_FILE, ", too many for a crop")
        digest = hashlib.sha256(data).hexdigest()
        age, gender, race = parse_name(name)
        grey = _small_grey(data)
        path.encode()
    except UnicodeEncodeError:
        problem = "the name of its folder is not UTF-8"
    except OSError as error:
        cannot = f"the file cannot be read ({error.strerror})"
        problem = cannot if error.errno else "the picture is truncated or damaged"
    except Image.DecompressionBombError:
        problem = f"the picture has far more pixels than {CROP_SIZE} x {CROP_SIZE}"
    except Exception as error:  # decoders raise errors of many kinds at broken data
        problem = str(error)
    readable = [text.encode("utf-8", "replace").decode() for text in (path, name)]
    return (*readable, age, gender, race, digest, problem), grey


def _small_grey(data: bytes) -> np.ndarray:
    """Decodes a picture wholly and returns it upright, small and grey."""
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.UnidentifiedImageError:
        raise ValueError("the file is no JPEG or PNG picture") from None
    if picture.size != (CROP_SIZE, CROP_SIZE):
        raise ValueError("the picture is {} x {} pixels instead of {} x {}".format(*picture.size, CROP_SIZE, CROP_SIZE))
    grey = in_rgb(upright(picture)).convert("L")
    return np.asarray(grey.resize((GREY_SIZE, GREY_SIZE), Image.Resampling.BOX))
