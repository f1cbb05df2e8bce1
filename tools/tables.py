"""The results on UTKFace as Markdown tables and sentences: what README and model card say, from `reference/`."""

import pandas as pd

from utkface_mt.evaluation.calibration import COVERAGE, AgeInterval, GenderCalibration, calibration_error
from utkface_mt.evaluation.metrics import by_group
from utkface_mt.evaluation.reports import age_error_grid, gender_report
from utkface_mt.util.files import read_json
from utkface_mt.data.labels import age_group, gender_name, race_name
from utkface_mt.experiments.reference import verdict
from utkface_mt.experiments.reference import PROFILE, REFERENCE, best_result, measured_predictions, measured_results, measured_rows
from utkface_mt.model.weights import BUNDLED_MODEL


def ladder() -> str:
    """The published table and ours side by side."""
    published = read_json(REFERENCE / "published.json")["rows"]
    rows = []
    for name, row in measured_rows().items():
        theirs = published.get(name)
        rows.append(
            {
                "notebook": row["notebook"][:2],
                "row": row["title"],
                "published: age MAE, RMSE, gender": _published(theirs) if theirs else "",
                "ours: age MAE [95 %]": _years(row, "age_mae"),
                "RMSE": f"{row['age_rmse']:.2f}",
                "gender accuracy [95 %]": _share(row, "gender_accuracy"),
                "F1": f"{100 * row['gender_f1_weighted']:.1f} %",
                "minutes": f"{row['seconds'] / 60:.0f}",
            }
        )
    return _markdown(pd.DataFrame(rows))


def steps() -> str:
    """What each row changed against the row before, by the paired bootstrap."""
    rows = [
        {
            "row": row["title"],
            "age MAE": verdict(row["difference"]["age_mae"], -1, "years"),
            "gender accuracy": verdict(row["difference"]["gender_accuracy"], 1, "points", 100),
        }
        for row in measured_rows().values()
        if "difference" in row
    ]
    return _markdown(pd.DataFrame(rows))


def seeds() -> str:
    """The rows that were trained with several seeds."""
    results = measured_results()
    rows = []
    for name in dict.fromkeys(result.row for result in results if result.repeat):
        same = [result for result in results if result.row == name]
        line = {"row": same[0].title, "seeds": ", ".join(str(result.experiment.seed) for result in same)}
        for label, metric, factor, form in (
            ("age MAE", "age_mae", 1, ".2f"),
            ("RMSE", "age_rmse", 1, ".2f"),
            ("gender accuracy %", "gender_accuracy", 100, ".1f"),
        ):
            values = pd.Series([factor * result.test[metric] for result in same])
            listed = ", ".join(f"{value:{form}}" for value in values)
            line[label] = f"{listed} (mean {values.mean():{form}}, spread {values.max() - values.min():{form}})"
        rows.append(line)
    return _markdown(pd.DataFrame(rows)) if rows else "Not measured yet."


def gender_classes() -> str:
    """scikit-learn's classification report of the best row."""
    table = gender_report(measured_predictions(best_result()))
    shown = table.round(3).astype(object).where(table.notna(), "").reset_index(names="")
    return _markdown(shown)


def age_errors() -> str:
    """Age error of the best row by age group and gender, in years; a negative mean error is too young an answer."""
    table = measured_predictions(best_result())
    grid = age_error_grid(table).round(2)
    error = (table["age"] - table["age_true"]).groupby(age_group(table["age_true"]), observed=False).mean()
    grid = grid.add_prefix("MAE, ").assign(**{"mean error (minus: too young)": error.map("{:+.1f}".format)})
    groups = _groups(table, age_group(table["age_true"]).rename("age group"))
    return _markdown(pd.concat([groups.set_index("age group"), grid], axis=1).reset_index())


def races() -> str:
    """Scores of the best row by race code."""
    table = measured_predictions(best_result())
    return _markdown(_groups(table, race_name(table["race"]).rename("race")))


def race_and_gender() -> str:
    """Scores of the best row by race code and gender."""
    table = measured_predictions(best_result())
    groups = race_name(table["race"]).astype(str) + ", " + gender_name(table["gender_true"]).astype(str)
    return _markdown(_groups(table, groups.rename("group")))


def certainty() -> str:
    """How far the best row's probabilities and intervals can be trusted."""
    best = best_result()
    test, calibration = measured_predictions(best), measured_predictions(best, "calibration")
    interval, scaling = AgeInterval.fit(calibration), GenderCalibration.fit(calibration)
    raw = test["probability_female"]
    before, after = (100 * calibration_error(values, test["gender_true"]) for values in (raw, scaling.probability(raw)))
    covered = interval.covered(test)
    by_age = covered.groupby(age_group(test["age_true"]), observed=True).mean()
    return (
        f"Fitted on {len(calibration):,} calibration faces, measured on {len(test):,} test faces. "
        f"The {COVERAGE:.0%} age interval is plus or minus {interval.half_width:.1f} years and covers "
        f"{100 * covered.mean():.1f} % of the test faces; by age group from {100 * by_age.min():.0f} % "
        f"({by_age.idxmin()}) to {100 * by_age.max():.0f} % ({by_age.idxmax()}). The expected calibration error of "
        f"the gender probability is {before:.1f} % as predicted and {after:.1f} % after temperature scaling. For "
        "the bundled model, whose weights are rounded to half precision, the interval was fitted again: plus or minus "
        f"{_bundled_interval()} years."
    )


def _bundled_interval() -> str:
    return f"{read_json(BUNDLED_MODEL / 'model.json')['interval_half_width']:.1f}"


def measured_on() -> str:
    """What the table was measured on, in a sentence."""
    rows = measured_rows()
    last = list(rows.values())[-1]
    split = pd.read_csv(REFERENCE / "split.csv.gz")["part"].value_counts()
    return (
        f"Profile `{PROFILE}`: {split['train']:,} faces train, {split['validation']:,} decide, "
        f"{split['calibration']:,} calibrate, {last['n_test']:,} test. Machine: {last['machine']}; TensorFlow "
        f"{last['versions']['tensorflow']}, Keras {last['versions']['keras']}. Initial weights: "
        f"`{last['configuration']['weights'].split('@')[0]}`, ImageNet weights of which the last three blocks saw a "
        f"light extra tuning on dog breeds{_digest(last)}. How far Keras' own ImageNet weights lead elsewhere was not "
        "measured."
    )


def _digest(row: dict) -> str:
    """How the file that a row started from can be told."""
    digest = row["configuration"]["weights"].partition("@")[2]
    return f" (not part of this repository; its SHA-256 begins with {digest})" if digest else ""


def _groups(table: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    scores = by_group(table, groups)
    return pd.DataFrame(
        {
            groups.name: scores.index.astype(str),
            "faces": scores["n"].to_numpy(),
            "age MAE [95 %]": [_range(row, "age_mae", 1, ".2f") for _, row in scores.iterrows()],
            "gender accuracy % [95 %]": [_range(row, "gender_accuracy", 100, ".1f") for _, row in scores.iterrows()],
        }
    )


def _range(row: pd.Series, name: str, factor: float, form: str) -> str:
    value, low, high = (factor * row[key] for key in (name, f"{name}_low", f"{name}_high"))
    return f"{value:{form}} [{low:{form}}, {high:{form}}]"


def _published(row: dict) -> str:
    return f"{row['age_mae']:.2f}, {row['age_rmse']:.2f}, {100 * row['gender_accuracy']:.0f} %"


def _years(row: dict, name: str) -> str:
    low, high = row["ci"][name]
    return f"**{row[name]:.2f}** [{low:.2f}, {high:.2f}]"


def _share(row: dict, name: str) -> str:
    low, high = row["ci"][name]
    return f"**{100 * row[name]:.1f} %** [{100 * low:.1f}, {100 * high:.1f}]"


def _markdown(table: pd.DataFrame) -> str:
    return table.to_markdown(index=False, disable_numparse=True)
