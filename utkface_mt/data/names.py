"""The labels in a UTKFace file name: `AGE_GENDER_RACE_TIMESTAMP.jpg.chip.jpg`."""

import re
from typing import NamedTuple

from ..labels import OLDEST, YOUNGEST

_EXTENSIONS = re.compile(r"( ?\.)?(jpg|jpeg|png)(\.chip\.(jpg|jpeg|png))?$", re.IGNORECASE)


class Labels(NamedTuple):
    """The labels of one face: age in years, gender 0 or 1, race 0 to 4."""

    age: int
    gender: int
    race: int


def parse_name(name: str) -> Labels:
    """Reads the labels in a file name, strictly: nothing is guessed.

    The two spellings that occur in the published files are accepted beside the regular one: a blank before `.jpg`
    and a missing dot.

    Args:
        name: the file's name without its folder.

    Returns:
        The labels.

    Raises:
        ValueError: with the reason, in words fit for the data report.
    """
    stem = _EXTENSIONS.sub("", name)
    if stem == name:
        raise ValueError("the name does not end in .jpg or .png")
    parts = stem.split("_")
    if len(parts) != 4:
        raise ValueError(f"the name has {len(parts)} fields instead of 4 (age_gender_race_time)")
    for label, part in zip(("age", "gender", "race", "time"), parts, strict=True):
        if not (part.isascii() and part.isdigit()):
            raise ValueError(f"{label} {part!r} is not a number")
    if not 8 <= len(parts[3]) <= 20:
        raise ValueError(f"time {parts[3]!r} does not have 8 to 20 digits")
    if max(map(len, parts[:3])) > 4:
        raise ValueError("a label has more than 4 digits")
    age, gender, race = (int(part) for part in parts[:3])
    if not YOUNGEST <= age <= OLDEST:
        raise ValueError(f"age {age} is outside {YOUNGEST} to {OLDEST}")
    if gender > 1:
        raise ValueError(f"gender {gender} is neither 0 nor 1")
    if race > 4:
        raise ValueError(f"race {race} is outside 0 to 4")
    return Labels(age, gender, race)
