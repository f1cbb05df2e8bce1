"""The drawn sample: a folder of cartoon faces named as in UTKFace, with the defects that such a folder has.

Real faces may not be handed on, so the project starts from drawn ones. Every face follows from the seed and its
number alone, so the sample is the same on every machine, to within a grey level before compression; with the same
versions of numpy and Pillow it is the same in every byte.
"""

import io
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

from ..util.files import replacing
from . import appearance_targets, draw_face, nuisance_targets, sample_traits

# First age, last age and share of each age group.
AGE_GROUPS = (
    (1, 4, 0.09),
    (5, 12, 0.06),
    (13, 19, 0.06),
    (20, 29, 0.30),
    (30, 39, 0.19),
    (40, 49, 0.10),
    (50, 59, 0.10),
    (60, 69, 0.05),
    (70, 96, 0.05),
)
GENDER_SHARES = (0.52, 0.48)
RACE_SHARES = (0.43, 0.19, 0.14, 0.17, 0.07)

_COPIES = 6
_SMALLEST = 2 * _COPIES


def _proportional(count: int, shares: np.ndarray) -> np.ndarray:
    """Return whole numbers proportional to shares that sum to count, by largest remainders."""
    exact = count * shares / shares.sum()
    whole = np.floor(exact).astype(int)
    order = np.argsort(whole - exact, kind="stable")
    whole[order[: count - whole.sum()]] += 1
    return whole


def _ages(first: int, last: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return ages within a group: heaps at 1 and 26, and a falling tail beyond 70."""
    ages = np.arange(first, last + 1)
    weights = np.ones(len(ages))
    weights[ages == 1] = 2.5
    weights[ages == 26] = 4.0
    if first >= 70:
        weights = 0.93 ** (ages - first)
    quantiles = (np.arange(count) + rng.random(count)) / max(count, 1)
    return ages[np.searchsorted(np.cumsum(weights) / weights.sum(), quantiles).clip(0, len(ages) - 1)]


def sample_labels(count: int, seed: int) -> list[tuple[int, int, int]]:
    """Return the labels of the faces of a sample.

    The counts of age group by gender, and those of the race codes, are proportional to fixed shares and not left to
    chance.

    Args:
        count: Number of faces, 0 or more.
        seed: Seed of ages, races and order, 0 or more.

    Returns:
        Age in years, gender (0 male, 1 female) and race code (0 to 4) of each face, in random order.
    """
    rng = np.random.default_rng(seed)
    shares = np.outer([share for *_, share in AGE_GROUPS], GENDER_SHARES)
    cells = _proportional(count, shares.ravel()).reshape(shares.shape)
    people = [
        (int(age), gender)
        for (first, last, _), row in zip(AGE_GROUPS, cells, strict=True)
        for gender, size in enumerate(row)
        for age in _ages(first, last, size, rng)
    ]
    races = rng.permutation(np.repeat(np.arange(5), _proportional(count, np.array(RACE_SHARES))))
    return [(*people[position], int(races[place])) for place, position in enumerate(rng.permutation(count))]


def _timestamp(index: int) -> str:
    """Return the 17 digits of a time of day in 2026, different for each index."""
    moment = datetime(2026, 1, 1) + timedelta(seconds=37 * index, milliseconds=271 * index % 1000)
    return moment.strftime("%Y%m%d%H%M%S") + f"{moment.microsecond // 1000:03d}"


def _name(labels: tuple[int, ...], index: int) -> str:
    """Return a file name as in UTKFace."""
    return "_".join([*map(str, labels), _timestamp(index)]) + ".jpg.chip.jpg"


def _encoded(image: Image.Image, quality: int = 92) -> bytes:
    """Return a picture as JPEG bytes."""
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()


def _drawn(labels: tuple[int, int, int], seed: int, index: int) -> Image.Image:
    """Return the face with the given labels and number."""
    return draw_face(sample_traits(*labels, np.random.default_rng([seed, index])))


def _duplicates(labels: list[tuple[int, int, int]], seed: int):
    """Yield name and bytes of 6 exact copies, 4 of them under other labels, and of 6 near-duplicates."""
    count = len(labels)
    sources = np.random.default_rng([seed, count]).choice(count, 2 * _COPIES, replace=False).tolist()
    for number, source in enumerate(sources):
        age, gender, race = labels[source]
        image = _drawn(labels[source], seed, source)
        if number < 3:
            age += 14 if age < 60 else -14
        elif number == 3:
            gender = 1 - gender
        if number < _COPIES:
            data = _encoded(image)
        else:
            data = _encoded(image.point([min(255, round(1.03 * value)) for value in range(256)] * 3), quality=60)
        yield _name((age, gender, race), count + 6 + number), data


def _broken(count: int, seed: int):
    """Yield name and bytes of 6 files that break the rules: names, an age, half a file, a wrong size."""
    labels = [(39, 1, 0), (24, 0, 3), (61, 1, 2), (45, 0, 1), (33, 1, 4), (28, 0, 0)]
    named = [(39, 1), (24, 3), (1, 2), (999, 0, 1), *labels[4:]]
    for index, (face, said) in enumerate(zip(labels, named, strict=True), start=count):
        image = _drawn(face, seed, index)
        data = _encoded(image.resize((150, 180)) if face is labels[5] else image)
        yield _name(said, index), data[: len(data) // 2] if face is labels[4] else data


def _files(count: int, seed: int):
    """Yield name and bytes of all files of a sample."""
    labels = sample_labels(count, seed)
    for index, face in enumerate(labels):
        yield _name(face, index), _encoded(_drawn(face, seed, index))
    yield from _broken(count, seed)
    yield from _duplicates(labels, seed)


def write_sample(folder: Path, count: int = 1500, seed: int = 0) -> Path:
    """Write a sample of drawn faces, unless the folder exists already.

    Besides the faces the folder holds 18 defective files: 3 names with a missing field, an age of 999, a JPEG file cut
    in half, a picture of 150 x 180 pixels, 6 exact copies (3 under another age, 1 under another gender) and 6
    near-duplicates (brighter by 3 %, at JPEG quality 60). The folder appears complete or not at all.

    Args:
        folder: Where the sample goes; if it exists it is left as it is.
        count: Number of faces, 12 or more.
        seed: Seed of labels and faces, 0 or more.

    Returns:
        The folder.

    Raises:
        ValueError: If count is smaller than 12.
        UserError: If the folder cannot be written.
    """
    folder = Path(folder)
    if folder.exists():
        return folder
    if count < _SMALLEST:
        raise ValueError(f"a sample needs at least {_SMALLEST} faces, not {count}")
    with replacing(folder) as partial:
        partial.mkdir()
        for name, data in _files(count, seed):
            (partial / name).write_bytes(data)
    return folder


def draw_batch(count: int, seed: int, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw faces for pre-training, none of which is in a sample.

    Args:
        count: Number of faces, 0 or more.
        seed: Seed of labels and faces, 0 or more.
        first: Number of the first face; batches that follow one another have different faces.

    Returns:
        The faces as a uint8 array [count, 200, 200, 3], and as a float32 array [count, 35] their nuisance targets and
        then their appearance targets.
    """
    images = np.empty((count, 200, 200, 3), dtype=np.uint8)
    targets = np.empty((count, 35), dtype=np.float32)
    for index, labels in enumerate(sample_labels(count, seed)):
        traits = sample_traits(*labels, np.random.default_rng([seed, first + index, 1]))
        images[index] = np.asarray(draw_face(traits))
        targets[index] = np.concatenate([nuisance_targets(traits), appearance_targets(traits)])
    return images, targets
