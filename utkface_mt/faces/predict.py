"""Pictures in files to rows, a row a face, whatever the files are like."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..data.pixels import CROP_SIZE
from .detect import CONFIDENCE, Face, find_faces
from .model import ANSWERS, BATCH, NOT_SQUARE, Answer, FaceModel
from .read import open_photo

if TYPE_CHECKING:
    import pandas as pd

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
    few_colours: bool = False
    problem: str = ""


def predict_rows(
    files: Sequence[Path], model: FaceModel, aligned: bool = False, confidence: float = CONFIDENCE
) -> Iterator[tuple[Path, list[Row]]]:
    """Predicts the faces in picture files, one file after the other, so that few pictures are in memory.

    A file that cannot be read, or in which no face is found, costs nothing but its own row.

    Args:
        files: as `list_photos` gives them.
        model: what answers.
        aligned: the pictures are cut like UTKFace's crops, so that no face has to be found.
        confidence: as for `find_faces`.

    Yields:
        Each file with its rows, a row a face with `COLUMNS` and `DETAILS`: `face` counts the faces of a file from the
        largest on. A file without an answer has one row with `face` 0, no numbers, `NO_FACE` or `NOT_READ` as
        `gender`, and the reason as `note`. The box is in pixels of the upright photo.
    """
    for group in _groups(_look(file, reading, aligned, confidence) for file, reading in _read_ahead(files)):
        answers = iter(model.answers(face.crop for photo in group for face in photo.faces))
        for photo in group:
            found = _face_rows(photo.faces, [next(answers) for _ in photo.faces], photo.scale, photo.few_colours)
            rows = [{"file": str(photo.file), **row} for row in found]
            if not rows:
                said = {"face": 0, "gender": NOT_READ if photo.problem else NO_FACE, "note": photo.problem or NO_FACE}
                rows = [{**dict.fromkeys((*COLUMNS, *DETAILS)), "file": str(photo.file), **said}]
            yield photo.file, rows


def _read_ahead(files: Sequence[Path]) -> Iterator[tuple[Path, Future[Image.Image]]]:
    """Each file with its picture to come; some are decoded in advance."""
    pool = ThreadPoolExecutor(1)
    try:
        readings = map(pool.submit, itertools.repeat(open_photo), files)
        waiting = deque(itertools.islice(readings, READ_AHEAD))
        for file in files:
            yield file, waiting.popleft()
            waiting.extend(itertools.islice(readings, 1))
    finally:
        pool.shutdown(cancel_futures=True)


def _look(file: Path, reading: Future[Image.Image], aligned: bool, confidence: float) -> Photo:
    try:
        picture = reading.result()
    except ValueError as error:
        return Photo(file, problem=str(error))
    about = picture.info["full_size"][0] / picture.width, picture.info["few_colours"]
    if not aligned:
        return Photo(file, find_faces(picture, confidence), *about)
    if picture.width != picture.height:
        return Photo(file, problem=NOT_SQUARE.format(*picture.size))
    crop = picture.resize((CROP_SIZE, CROP_SIZE), Image.Resampling.LANCZOS)  # many are held at a time
    return Photo(file, [Face((0, 0, *picture.size), np.empty((0, 2)), None, 0, crop)], *about)


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


def _face_rows(faces: list[Face], answers: Iterable[Answer], scale: float, few_colours: bool) -> Iterator[Row]:
    for number, (face, answer) in enumerate(zip(faces, answers, strict=True), start=1):
        box = [float(edge * scale) for edge in face.box]
        notes = [f"turned by {face.turn} degrees"] if face.turn else []
        if face.at_edge:
            notes.append("at the edge: a part may be missing")
        if box[2] - box[0] < SMALL:
            notes.append(f"small, {box[2] - box[0]:.0f} pixels wide: hardly an answer")
        if few_colours:
            notes.append("saved in few colours: the age may be some years off")
        details = zip(DETAILS, (*box, face.confidence, "; ".join(notes)), strict=True)
        yield {"face": number, **answer._asdict(), **dict(details)}


def describe_faces(faces: list[Face], answers: pd.DataFrame) -> pd.DataFrame:
    """What `find_faces` gave of one photo beside what `FaceModel.predict` gave for the crops, a row a face.

    It holds `face`, counted from 1, the answers, and `DETAILS`, the box in the photo's pixels.
    """
    import pandas as pd

    given = answers[list(ANSWERS)].itertuples(index=False)
    return pd.DataFrame(_face_rows(faces, given, 1.0, few_colours=False), columns=[*COLUMNS[1:], *DETAILS])
