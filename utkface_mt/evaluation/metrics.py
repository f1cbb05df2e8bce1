"""Scores of a table of predictions, with bootstrap intervals.

Every score here is a ratio of sums over faces. The bootstrap therefore needs the sums of each near-duplicate cluster
only: it draws clusters with replacement, as multinomial counts, and adds up their sums.
"""

import numpy as np
import pandas as pd

METRICS = ("age_mae", "age_rmse", "age_within_5", "gender_accuracy", "gender_f1_weighted")
CONFIDENCE = 0.95
RESAMPLES = 2000
COLUMNS = ("file", "cluster", "race", "age_true", "age", "gender_true", "probability_female")


def gender_predicted(predictions: pd.DataFrame) -> pd.Series:
    """The predicted gender code: 1 where the probability is at least one half."""
    return (predictions["probability_female"] >= 0.5).astype(int)


def score(predictions: pd.DataFrame) -> dict[str, float]:
    """Scores a table of predictions.

    From the columns `age_true`, `age`, `gender_true` and `probability_female` come `age_mae` and `age_rmse` in years;
    `age_within_5`, the share of faces within five years (CS@5); `gender_accuracy`; and `gender_f1_weighted`, the F1 of
    both genders weighted by their counts.
    """
    return {name: float(value[0]) for name, value in _from_sums(_sums(predictions).sum(axis=0)[None]).items()}


def intervals(predictions: pd.DataFrame) -> dict[str, list[float]]:
    """95 % bootstrap intervals of `score`, near-duplicate clusters resampled as one: both ends for each metric.

    The table is as for `score`, with a further column `cluster`.
    """
    sums, draws = _cluster_sums(predictions), _draws(predictions["cluster"].nunique())
    return {name: _ends(values) for name, values in _from_sums(draws @ sums).items()}


def paired_difference(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """How much the `second` model's predictions differ from the `first` one's on the same faces: paired bootstrap.

    A row a metric has the `difference`, second minus first, and its `low` and `high` end (95 %). Tables of different
    files are a `ValueError`.
    """
    as_many = len(first) == len(second)
    second = second.set_index("file").reindex(first["file"]).reset_index()
    if not as_many or second["age"].isna().any():
        raise ValueError("The two tables of predictions are not of the same files.")
    second["cluster"] = first["cluster"].to_numpy()
    draws = _draws(first["cluster"].nunique())
    one, two = (_from_sums(draws @ _cluster_sums(table)) for table in (first, second))
    exact_one, exact_two = score(first), score(second)
    rows = {name: (exact_two[name] - exact_one[name], *_ends(two[name] - one[name])) for name in METRICS}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["difference", "low", "high"])


def predictions_table(faces: pd.DataFrame, ages: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Joins predictions (ages in years, probabilities of code 1, female) to rows of the face table: `COLUMNS`."""
    values = (faces["file"], faces["cluster"], faces["race"], faces["age"], ages, faces["gender"], probabilities)
    table = pd.DataFrame({name: np.asarray(value) for name, value in zip(COLUMNS, values, strict=True)})
    return table.round({"age": 4, "probability_female": 6})


def by_group(predictions: pd.DataFrame, groups: pd.Series | list[pd.Series]) -> pd.DataFrame:
    """Every score of predictions, a table as for `intervals`, within groups: one or more series aligned with it.

    A row a group has `n`, the scores, and `NAME_low`, `NAME_high` for the age error and the gender accuracy.
    """

    def row(members: pd.DataFrame) -> pd.Series:
        values, ends = {"n": len(members), **score(members)}, intervals(members)
        for name in ("age_mae", "gender_accuracy"):
            values |= {f"{name}_low": ends[name][0], f"{name}_high": ends[name][1]}
        return pd.Series(values)

    return predictions.groupby(groups, observed=True)[list(predictions)].apply(row).astype({"n": int})


def _sums(predictions: pd.DataFrame) -> np.ndarray:
    """For each face what the scores add up: `[n, 8]`."""
    error = predictions["age"].to_numpy() - predictions["age_true"].to_numpy()
    truth, guess = predictions["gender_true"].to_numpy(), gender_predicted(predictions).to_numpy()
    confusion = [(truth == actual) & (guess == said) for actual in (0, 1) for said in (0, 1)]
    columns = [np.ones(len(error)), np.abs(error), error**2, np.abs(error) <= 5, *confusion]
    return np.stack(columns, axis=1).astype(np.float64)


def _cluster_sums(predictions: pd.DataFrame) -> np.ndarray:
    return pd.DataFrame(_sums(predictions)).groupby(predictions["cluster"].to_numpy()).sum().to_numpy()


def _draws(clusters: int) -> np.ndarray:
    """How often each cluster is drawn in each resample: `[RESAMPLES, clusters]`."""
    return np.random.default_rng(0).multinomial(clusters, np.full(clusters, 1 / clusters), RESAMPLES)


def _from_sums(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Scores from sums `[samples, 8]`."""
    count, absolute, square, within, male_male, male_female, female_male, female_female = sums.T
    count, wrong = np.maximum(count, 1), male_female + female_male
    male, female = (2 * hits / np.maximum(2 * hits + wrong, 1e-9) for hits in (male_male, female_female))
    return {
        "age_mae": absolute / count,
        "age_rmse": np.sqrt(square / count),
        "age_within_5": within / count,
        "gender_accuracy": (male_male + female_female) / count,
        "gender_f1_weighted": (male * (male_male + male_female) + female * (female_male + female_female)) / count,
    }


def _ends(values: np.ndarray) -> list[float]:
    tail = (1 - CONFIDENCE) / 2
    return [float(end) for end in np.quantile(values, [tail, 1 - tail])]
