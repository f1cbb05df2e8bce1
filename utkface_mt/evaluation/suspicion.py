"""Which labels are probably wrong: what a model says against them that has not learnt from them.

A label is suspicious if the model contradicts it and knows what it is talking about: small children's genders are
uncertain to the model, and so not suspicious. A high suspicion is a reason to look, not a verdict.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..data.labels import GENDERS, age_group
from .calibration import GenderCalibration

GENDER_THRESHOLD = 0.9  # a gender at least so suspicious is called suspicious
AGE_THRESHOLD = 0.5  # the same for an age: half of its interval's half width beyond the interval
TWIN_YEARS = 5  # near-duplicates whose ages differ by more contradict each other
_LEAST_FACES = 100  # of an age group that is calibrated by itself


def add_suspicion(faces: pd.DataFrame) -> pd.DataFrame:
    """Adds to a table of faces how suspicious their labels are.

    Args:
        faces: `age` in years, `gender` code and `cluster`; of the model `age_predicted`, `age_low` and `age_high` in
            years and `probability_female`. They should be out-of-fold: of a model that was not trained on the face.

    Returns:
        The table with three more columns: `gender_suspicion`, 0 to 1, the probability that the label is the other
        gender, calibrated within the group of the predicted age; `age_suspicion`, how far the label lies outside its
        interval, in the interval's half widths, 0 inside; `twins`, which labels of a near-duplicate contradict it
        (`age`, `gender`, `age and gender`, or empty).
    """
    female = _calibrated(faces)
    outside = np.maximum(faces["age"] - faces["age_high"], faces["age_low"] - faces["age"]).clip(lower=0)
    clusters, age = faces.groupby("cluster"), faces["age"]
    other_age = np.maximum(clusters["age"].transform("max") - age, age - clusters["age"].transform("min")) > TWIN_YEARS
    other_gender = clusters["gender"].transform("nunique") > 1
    said = np.select([other_age & other_gender, other_age, other_gender], ["age and gender", "age", "gender"], "")
    return faces.assign(
        gender_suspicion=np.where(faces["gender"] == 1, 1 - female, female).round(4),
        age_suspicion=(2 * outside / (faces["age_high"] - faces["age_low"])).round(4),
        twins=said,
    )


def most_suspicious_first(labels: pd.DataFrame) -> pd.DataFrame:
    """Orders a table of `add_suspicion`: the first are high in either ranking, that of genders or that of ages."""
    ranks = labels[["gender_suspicion", "age_suspicion"]].rank(ascending=False, method="first")
    return labels.iloc[np.argsort(ranks.min(axis=1), kind="stable")]


def suspicious(labels: pd.DataFrame) -> pd.Series:
    """Whether the gender or the age of each face of a table of `add_suspicion` is over its threshold."""
    return (labels["gender_suspicion"] >= GENDER_THRESHOLD) | (labels["age_suspicion"] >= AGE_THRESHOLD)


def suspicion_counts(labels: pd.DataFrame) -> dict[str, int]:
    """How many faces of a table of `add_suspicion` have a suspicious gender, age, or near-duplicate."""
    return {
        "faces": len(labels),
        "suspicious_genders": int((labels["gender_suspicion"] >= GENDER_THRESHOLD).sum()),
        "suspicious_ages": int((labels["age_suspicion"] >= AGE_THRESHOLD).sum()),
        "contradicted_by_near_duplicates": int((labels["twins"] != "").sum()),
    }


def reasons(face: Mapping[str, Any]) -> str:
    """Why a row of `add_suspicion` is suspicious, in words; empty if nothing is over its threshold."""
    said = []
    if face["gender_suspicion"] >= GENDER_THRESHOLD:
        said.append(f"labelled {GENDERS[face['gender']]}, the other with {100 * face['gender_suspicion']:.1f} %")
    if face["age_suspicion"] >= AGE_THRESHOLD:
        said.append(f"labelled {face['age']} years, the model says {face['age_low']:.0f} to {face['age_high']:.0f}")
    if face["twins"]:
        said.append(f"a near-duplicate has another {face['twins']}")
    return "; ".join(said)


def _calibrated(faces: pd.DataFrame) -> np.ndarray:
    """Probabilities of female, calibrated on the labels themselves, each age group with enough faces by itself."""
    table = faces.rename(columns={"gender": "gender_true"})
    female = GenderCalibration.fit(table).probability(table["probability_female"]).to_numpy(copy=True)
    groups = table.groupby(age_group(faces["age_predicted"].round().clip(lower=1)), observed=True)
    for members in groups.indices.values():
        if len(members) >= _LEAST_FACES:
            own = table.iloc[members]
            female[members] = GenderCalibration.fit(own).probability(own["probability_female"])
    return female
