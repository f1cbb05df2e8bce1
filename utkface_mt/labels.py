"""What UTKFace's labels mean, and the age groups used everywhere.

The codes are those of the dataset's authors (Zhang, Song and Qi, "Age Progression/Regression by Conditional
Adversarial Autoencoder", CVPR 2017). They are coarse: gender is one of two codes, race one of five, both given by
other people and not by the persons in the pictures.
"""

import pandas as pd

GENDERS = ("Male", "Female")
RACES = ("White", "Black", "Asian", "Indian", "Other")

YOUNGEST, OLDEST = 1, 116
AGE_GROUPS = ("1-4", "5-12", "13-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+")
_AGE_GROUP_STARTS = (1, 5, 13, 20, 30, 40, 50, 60, 70, 1000)


def age_group(ages: pd.Series) -> pd.Series:
    """Sorts ages in years into `AGE_GROUPS`.

    Args:
        ages: ages in years, 1 or more.

    Returns:
        An ordered categorical series with the same index.
    """
    return pd.cut(ages, bins=list(_AGE_GROUP_STARTS), right=False, labels=list(AGE_GROUPS))


def gender_name(codes: pd.Series) -> pd.Series:
    """Turns gender codes (0, 1) into `GENDERS`, as an ordered categorical series."""
    return pd.Series(pd.Categorical.from_codes(codes.to_numpy(), list(GENDERS), ordered=True), index=codes.index)


def race_name(codes: pd.Series) -> pd.Series:
    """Turns race codes (0 to 4) into `RACES`, as an ordered categorical series."""
    return pd.Series(pd.Categorical.from_codes(codes.to_numpy(), list(RACES), ordered=True), index=codes.index)
