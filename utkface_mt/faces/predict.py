"""Pictures in files to rows, a row a face, whatever the files are like."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .detect import CONFIDENCE, Face, find_faces
from .model import ANSWERS, BATCH, NOT_SQUARE, Answer, FaceModel, load_model
from .read import list_photos, open_photo

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

COLUMNS = ("file", "face", *ANSWERS)
DETAILS = ("left", "top", "right", "bottom", "confidence", "note")
NO_FACE, NOT_READ = "no face found", "not read"  # what stands in the place of a gender where there is no answer
READ_AHEAD = 4  # photos that are decoded while others are looked at
SMALL = 30  # pixels: narrower faces show too little

Row = dict[str, Any]


@dataclass(frozen=True)
class Photo:
    """A file and the faces in it, their boxes in pixels of the file's upright picture, or what was wrong with it."""

    file: Path
    faces: list[Face] = field(default_factory=list)
    scale: float = 1.0
    problem: str = ""


def predict_files(
    paths: str | Path | Iterable[str | Path],
    model: FaceModel | None = None,
    aligned: bool = False,
    confidence: float = CONFIDENCE,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Predicts the faces in picture files.

    A file that cannot be read, or in which no face is found, costs nothing but its own row.

    Args:
        paths: a picture, a folder whose pictures are taken, or several of either.
        model: the bundled one by default.
        aligned: the pictures are cut like UTKFace's crops, so that no face has to be found.
        confidence: as for `find_faces`.
        progress: called with (done, total) after each file.

    Returns:
        A row a face with `COLUMNS` and `DETAILS`: `face` counts the faces of a file from the largest on. A file
        without an answer has one row with `face` 0, no numbers, `NO_FACE` or `NOT_READ` as `gender`, and the
        reason as `note`. The box is in pixels of the upright photo.

    Raises:
        UserError: if a path does not exist or a folder holds no picture.
    """
    import pandas as pd

    files, rows = list_files(paths), []
    for done, (_, found) in enumerate(predict_rows(files, model or load_model(), aligned, confidence), start=1):
        rows += found
        if progress:
            progress(done, len(files))
    return pd.DataFrame(rows, columns=[*COLUMNS, *DETAILS])


def list_files(
    paths: str | Path | Iterable[str | Path], leave_out: Path | None = None, skipped: list[Path] | None = None
) -> list[Path]:
    """The pictures that paths stand for, each once, in its first place; arguments as for `list_photos`."""
    paths = [paths] if isinstance(paths, str | Path) else paths
    found = [file for path in paths for file in list_photos(Path(path), leave_out, skipped)]
    return list({file.resolve(): file for file in reversed(found)}.values())[::-1]


def predict_rows(
    files: Sequence[Path], model: FaceModel, aligned: bool = False, confidence: float = CONFIDENCE
) -> Iterator[tuple[Path, list[Row]]]:
    """As `predict_files`, one file after the other, so that few pictures are in memory whatever the folder's size.

    Args:
        files: as `list_files` gives them.
        model: answers.
        aligned: as for `predict_files`.
        confidence: as for `find_faces`.

    Yields:
        Each file and its rows, dictionaries with `COLUMNS` and `DETAILS`.
    """
    look = _as_crop if aligned else lambda file, picture: _find_in(file, picture, confidence)
    photos = (
        Photo(file, problem=read) if isinstance(read, str) else look(file, read) for file, read in _read_ahead(files)
    )
    for group in _groups(photos):
        answers = iter(model.answers(face.crop for photo in group for face in photo.faces))
        for photo in group:
            yield photo.file, _rows(photo, [next(answers) for _ in photo.faces])


def _read_ahead(files: Sequence[Path]) -> Iterator[tuple[Path, Image.Image | str]]:
    """Each file with its picture, or with the reason why it cannot be read; some are decoded in advance."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque = deque()
        try:
            for number, file in enumerate(files):
                for later in files[number + len(waiting) : number + READ_AHEAD]:
                    waiting.append(pool.submit(_read, later))
                yield file, waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _read(file: Path) -> Image.Image | str:
    try:
        return open_photo(file)
    except ValueError as error:
        return str(error)


def _as_crop(file: Path, picture: Image.Image) -> Photo:
    if picture.width != picture.height:
        return Photo(file, problem=NOT_SQUARE.format(*picture.size))
    box = (0.0, 0.0, float(picture.width), float(picture.height))
    return Photo(file, [Face(box, np.full((5, 2), np.nan), np.nan, 0, picture)], _scale(picture))


def _find_in(file: Path, picture: Image.Image, confidence: float) -> Photo:
    return Photo(file, find_faces(picture, confidence), _scale(picture))


def _scale(picture: Image.Image) -> float:
    return picture.info["full_size"][0] / picture.width


def _groups(photos: Iterable[Photo]) -> Iterator[list[Photo]]:
    """Photos in groups that together hold about a batch of faces, so that few pictures are in memory at a time."""
    group: list[Photo] = []
    for photo in photos:
        group.append(photo)
        if len(group) >= BATCH or sum(len(member.faces) for member in group) >= BATCH:
            yield group
            group = []
    if group:
        yield group


def _rows(photo: Photo, answers: list[Answer]) -> list[Row]:
    if photo.faces:
        return [{"file": str(photo.file), **row} for row in _face_rows(photo.faces, answers, photo.scale)]
    said = {"file": str(photo.file), "face": 0, "gender": NOT_READ if photo.problem else NO_FACE}
    return [{**dict.fromkeys((*COLUMNS, *DETAILS)), **said, "note": photo.problem or NO_FACE}]


def _face_rows(faces: list[Face], answers: Iterable[Answer], scale: float = 1.0) -> Iterator[Row]:
    for number, (face, answer) in enumerate(zip(faces, answers, strict=True), start=1):
        box = [float(edge * scale) for edge in face.box]
        notes = [f"turned by {face.turn} degrees"] if face.turn else []
        if box[2] - box[0] < SMALL:
            notes.append(f"small, {box[2] - box[0]:.0f} pixels wide: hardly an answer")
        confidence = None if np.isnan(face.confidence) else face.confidence
        details = zip(DETAILS, (*box, confidence, "; ".join(notes)), strict=True)
        yield {"face": number, **answer._asdict(), **dict(details)}


def describe_faces(faces: list[Face], answers: pd.DataFrame) -> pd.DataFrame:
    """The faces of one photo with what the model says of them.

    Args:
        faces: as `find_faces` gives them.
        answers: what `FaceModel.predict` gave for their crops.

    Returns:
        A row a face: `face`, counted from 1, the answers, and `DETAILS`, the box in the photo's pixels.
    """
    import pandas as pd

    given = map(Answer._make, answers[list(ANSWERS)].itertuples(index=False))
    return pd.DataFrame(_face_rows(faces, given), columns=[*COLUMNS[1:], *DETAILS])
