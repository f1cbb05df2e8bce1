"""The split: training, validation, calibration, test; stratified, and no face on both sides.

70 % of the faces train and 15 % test. Of the 15 % between them two thirds decide when training stops and which
hyperparameters win (`validation`); one third, apart, calibrates intervals and probabilities (`calibration`).
"""

import warnings

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from ..util.errors import UserError
from .labels import age_group, gender_name, race_name

PARTS = ("train", "validation", "calibration", "test")
_FOLDS = {20: (14, 2, 1, 3), 7: (4, 1, 1, 1)}  # number of folds: how many of them each part gets


def strata(faces: pd.DataFrame) -> pd.Series:
    """The stratum of each face, such as `Female 20-29 Asian`, from the columns `gender`, `age` and `race`."""
    gender, race = gender_name(faces["gender"]).astype(str), race_name(faces["race"]).astype(str)
    return (gender + " " + age_group(faces["age"]).astype(str) + " " + race).rename("stratum")


def assign_parts(faces: pd.DataFrame, seed: int = 0) -> pd.Series:
    """Assigns each face to one of `PARTS`: a categorical series named `part`.

    Deals out 20 folds (7 where a dataset is too small for that), in an order that the seed gives; the group is the
    near-duplicate `cluster`, the class the stratum of `age`, `gender` and `race`. Strata with fewer faces than folds
    are joined across race codes, so that at least gender and age group are even.

    Raises:
        UserError: if there are too few faces to split.
    """
    largest = int(strata(faces).value_counts().max()) if len(faces) else 0
    folds = next((count for count in _FOLDS if largest >= count and faces["cluster"].nunique() >= 10 * count), None)
    if folds is None:
        raise UserError(f"{len(faces)} usable faces are too few to split by gender, age and race; use 300 or more.")
    codes = np.repeat(np.arange(len(PARTS)), _FOLDS[folds])[deal_folds(faces, folds, seed)]
    return pd.Series(pd.Categorical.from_codes(codes, list(PARTS), ordered=True), index=faces.index, name="part")


def deal_folds(faces: pd.DataFrame, count: int, seed: int = 0) -> np.ndarray:
    """The number of each face's fold, 0 to `count - 1`: with the same strata, and clusters kept together."""
    stratum = strata(faces)
    rare = stratum.map(stratum.value_counts()) < count  # too few for a share in every fold: race gives way
    stratum = stratum.where(~rare, stratum.str.rsplit(" ", n=1).str[0])
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    numbers = np.empty(len(faces), np.int8)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")  # rare strata are expected
        for fold, (_, members) in enumerate(splitter.split(faces, stratum, faces["cluster"])):
            numbers[members] = fold
    return numbers


def limit_faces(faces: pd.DataFrame, limit: int, seed: int = 0) -> pd.DataFrame:
    """Draws `limit` faces, each stratum to within one face of its share: systematically, in the order of the strata.

    A `limit` of 0, or of more than there are, keeps all; a negative one is a `UserError`. The `seed` orders a stratum.
    """
    if limit < 0:
        raise UserError(f"limit={limit} should be 0 (no limit) or a number of faces.")
    if limit == 0 or limit >= len(faces):
        return faces
    shuffled = faces.iloc[np.random.default_rng(seed).permutation(len(faces))]
    ordered = shuffled.iloc[np.argsort(strata(shuffled).to_numpy(), kind="stable")]
    positions = (np.arange(limit) + 0.5) * len(ordered) / limit
    return ordered.iloc[positions.astype(int)].sort_index()
