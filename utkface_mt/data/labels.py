"""UTKFace's labels: how a file name carries them, what they mean, and the age groups used everywhere.

A name is `AGE_GENDER_RACE_TIMESTAMP.jpg.chip.jpg`.

The codes are those of the dataset's authors (Zhang, Song and Qi, "Age Progression/Regression by Conditional
Adversarial Autoencoder", CVPR 2017). They are coarse: gender is one of two codes, race one of five, both given by
other people and not by the persons in the pictures.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # imported where tables are at hand: the codes alone need none
    import pandas as pd

GENDERS = ("Male", "Female")
RACES = ("White", "Black", "Asian", "Indian", "Other")

YOUNGEST, OLDEST = 1, 116
AGE_GROUPS = ("1-4", "5-12", "13-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+")
_AGE_GROUP_STARTS = (1, 5, 13, 20, 30, 40, 50, 60, 70, 1000)
_EXTENSIONS = re.compile(r"( ?\.)?(jpg|jpeg|png)(\.chip\.(jpg|jpeg|png))?$", re.IGNORECASE)


def age_group(ages: pd.Series) -> pd.Series:
    """Sorts ages in years, 1 or more, into `AGE_GROUPS`: an ordered categorical series with the same index."""
    import pandas as pd

    return pd.cut(ages, bins=list(_AGE_GROUP_STARTS), right=False, labels=list(AGE_GROUPS))


def gender_name(codes: pd.Series) -> pd.Series:
    """Turns gender codes (0, 1) into `GENDERS`, as an ordered categorical series."""
    return _named(codes, GENDERS)


def race_name(codes: pd.Series) -> pd.Series:
    """Turns race codes (0 to 4) into `RACES`, as an ordered categorical series."""
    return _named(codes, RACES)


def _named(codes: pd.Series, names: tuple[str, ...]) -> pd.Series:
    import pandas as pd

    return pd.Series(pd.Categorical.from_codes(codes.to_numpy(), list(names), ordered=True), index=codes.index)


class Labels(NamedTuple):
    """The labels of one face: age in years, gender 0 or 1, race 0 to 4."""

    age: int
    gender: int
    race: int


def parse_name(name: str) -> Labels:
    """Reads the labels in a file's name, given without its folder, strictly: nothing is guessed.

    The two odd spellings of the published files are accepted: a blank before `.jpg` and a missing dot.

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
    labels = Labels(*map(int, parts[:3]))
    for name, value, low, high in zip(Labels._fields, labels, (YOUNGEST, 0, 0), (OLDEST, 1, 4), strict=True):
        if not low <= value <= high:
            raise ValueError(f"{name} {value} is outside {low} to {high}")
    return labels
