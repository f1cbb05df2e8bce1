"""The tables of the evaluation notebook."""

import pandas as pd
from sklearn.metrics import classification_report

from ..data.labels import GENDERS, age_group, gender_name
from .metrics import gender_predicted


def gender_report(predictions: pd.DataFrame) -> pd.DataFrame:
    """Precision, recall, F1 and support of both genders, with accuracy and averages, as scikit-learn gives them."""
    codes = predictions["gender_true"], gender_predicted(predictions)
    options = {"labels": [0, 1], "target_names": list(GENDERS), "zero_division": 0}
    table = pd.DataFrame(classification_report(*codes, **options, output_dict=True)).T
    table.loc["accuracy", ["precision", "recall"]] = float("nan")
    table.loc["accuracy", "support"] = len(predictions)
    return table.astype({"support": int})


def age_error_grid(predictions: pd.DataFrame) -> pd.DataFrame:
    """Mean absolute error in years by age group (rows) and gender (columns); empty cells are not-a-number."""
    error = (predictions["age"] - predictions["age_true"]).abs().rename("error")
    groups = [age_group(predictions["age_true"]).rename("age group"), gender_name(predictions["gender_true"])]
    return error.groupby(groups, observed=False).mean().unstack()
