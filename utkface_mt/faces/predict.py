"""Pictures in files to a table, a row a face, whatever the files are like."""

import functools
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..util.backend import tf
from ..util.errors import UserError
from .detect import CONFIDENCE, Face, find_faces
from .model import ANSWERS, BATCH, NOT_SQUARE, FaceModel, load_model
from .read import list_photos, open_photo

COLUMNS = ("file", "face", *ANSWERS)
DETAILS = ("left", "top", "right", "bottom", "confidence", "note")
NO_FACE, NOT_READ = "no face found", "not read"  # what stands in the place of a gender where there is no answer


@dataclass(frozen=True)
class Photo:
    """A file and the faces in it, or what was wrong with it."""

    file: Path
    faces: list[Face] = field(default_factory=list)
    problem: str = ""


def predict_files(
    paths: list[Path],
    model: FaceModel | None = None,
    aligned: bool = False,
    confidence: float = CONFIDENCE,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    each: Callable[[Path, pd.DataFrame], None] | None = None,
    leave_out: Path | None = None,
) -> pd.DataFrame:
    """Predicts the faces in picture files.

    A file that cannot be read, or in which no face is found, costs nothing but its own row.

    Args:
        paths: pictures, or folders whose pictures are taken.
        model: the bundled one by default.
        aligned: the pictures are cut like UTKFace's crops, so that no face has to be found.
        confidence: as for `find_faces`.
        jobs: processes that read pictures and find faces.
        progress: called with (done, total) after each file that was searched.
        each: called with every file and its rows, as soon as they are known.
        leave_out: a folder whose pictures are not taken.

    Returns:
        A row a face with `COLUMNS` and `DETAILS`: `face` counts the faces of a file from the largest on. A file
        without an answer has one row with `face` 0, no numbers, `NO_FACE` or `NOT_READ` as `gender`, and the
        reason as `note`. The box is in pixels of the upright photo, at most 4,096 on its longer side.

    Raises:
        UserError: if a path does not exist or a folder holds no picture.
    """
    found = [file for path in paths for file in list_photos(path, leave_out)]
    files = list({file.resolve(): file for file in reversed(found)}.values())[::-1]  # each once, in its first place
    model = model or load_model()
    look = functools.partial(_read_crop if aligned else _find_in, confidence=confidence)
    tables: list[pd.DataFrame] = []

    def looked_at() -> Iterator[Photo]:
        for done, photo in enumerate(_looked_at(files, look, jobs), start=1):
            yield photo
            if progress:
                progress(done, len(files))

    for photos in _groups(looked_at()):
        for photo, rows in zip(photos, _rows(photos, model), strict=True):
            tables.append(rows)
            if each:
                each(photo.file, rows)
    return pd.concat(tables, ignore_index=True)


def _read_crop(file: Path, confidence: float) -> Photo:
    try:
        picture = open_photo(file)
    except ValueError as error:
        return Photo(file, problem=str(error))
    if picture.width != picture.height:
        return Photo(file, problem=NOT_SQUARE.format(*picture.size))
    box = (0.0, 0.0, float(picture.width), float(picture.height))
    return Photo(file, [Face(box, np.full((5, 2), np.nan), np.nan, picture)])


def _find_in(file: Path, confidence: float) -> Photo:
    try:
        return Photo(file, find_faces(open_photo(file), confidence))
    except ValueError as error:
        return Photo(file, problem=str(error))


def _looked_at(files: list[Path], look: Callable[[Path], Photo], jobs: int) -> Iterator[Photo]:
    """Every file read and searched, in order."""
    if jobs == 1:
        yield from map(look, files)
        return
    context = multiprocessing.get_context("spawn")  # a forked TensorFlow hangs
    with ProcessPoolExecutor(jobs, context, _share_processors, (jobs,)) as pool:
        try:
            yield from pool.map(look, files, chunksize=4)
        except BrokenProcessPool as error:
            raise UserError(
                "A process that looked for faces was killed, perhaps for memory. Use fewer --jobs."
            ) from error


def _share_processors(jobs: int) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(max(1, multiprocessing.cpu_count() // jobs))


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


def _rows(photos: list[Photo], model: FaceModel) -> Iterator[pd.DataFrame]:
    """The rows of each photo; all their faces are predicted together."""
    answers = model.predict(face.crop for photo in photos for face in photo.faces)
    first = 0
    for photo in photos:
        members = answers.iloc[first : first + len(photo.faces)]
        first += len(photo.faces)
        rows = describe_faces(photo.faces, members) if photo.faces else _unanswered(photo)
        rows.insert(0, "file", str(photo.file))
        yield rows


def describe_faces(faces: list[Face], answers: pd.DataFrame) -> pd.DataFrame:
    """The faces of one photo with what the model says of them.

    Args:
        faces: as `find_faces` gives them.
        answers: what `FaceModel.predict` gave for their crops.

    Returns:
        A row a face: `face`, counted from 1, the answers, and `DETAILS`.
    """
    details = pd.DataFrame([(*face.box, face.confidence, "") for face in faces], columns=list(DETAILS))
    numbers = pd.Series(range(1, len(faces) + 1), name="face")
    return pd.concat([numbers, answers.reset_index(drop=True), details], axis=1)


def _unanswered(photo: Photo) -> pd.DataFrame:
    said = NOT_READ if photo.problem else NO_FACE
    row = {"face": 0, "gender": said, "note": photo.problem or NO_FACE}
    table = pd.DataFrame([row], columns=[*COLUMNS[1:], *DETAILS])
    numbers = [name for name in table if name not in row]
    return table.astype(dict.fromkeys(numbers, float))
