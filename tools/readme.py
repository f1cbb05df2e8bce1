"""Writes the tables and figures in README, docs and model card from what was measured, in `reference/`.

A table stands between `<!-- NAME -->` and `<!-- /NAME -->`; a test fails when one has drifted.
"""

import argparse
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from utkface_mt.config import REFERENCE, repository_root
from utkface_mt.data.labels import age_group, gender_name, race_name
from utkface_mt.evaluation.calibration import GenderCalibration, calibration_error
from utkface_mt.evaluation.metrics import by_group
from utkface_mt.evaluation.tables import age_error_grid, gender_report
from utkface_mt.experiments import reference as measured
from utkface_mt.experiments.results import results_table, with_interval
from utkface_mt.model.weights import BUNDLED_MODEL
from utkface_mt.util.files import read_json, write_text

from .command import call

BLOCK = re.compile(r"<!-- ([a-z-]+) -->\n.*?<!-- /\1 -->", re.DOTALL)
SCORES = {"age MAE": "{age_mae:.2f}", "gender accuracy": "{gender_accuracy:.1%}"}
FEW = 20  # faces: below that an interval from resampling says little
CHANGE = {"change of age MAE [95 %]": "{change}"}


def ladder(profile: str = measured.SHOWN, short: bool = False) -> str:
    """The published table and ours side by side; the short one has what a reader looks for first."""
    rows = list(measured.results_by_row(profile).values())
    table, published = results_table(rows), measured.published_rows()
    theirs = [published.get(result.row) for result in rows]
    form = "{age_mae:.2f}, {age_rmse:.2f}, {gender_accuracy:.0%}"
    table.insert(
        2, "published: age MAE, RMSE, gender", [form.format(**row).replace("%", " %") if row else "" for row in theirs]
    )
    return _markdown(table.drop(columns=["notebook", *table.columns[5:6], *table.columns[7:]]) if short else table)


def steps(profile: str = measured.SHOWN) -> str:
    """What each row changed against the row before, as published and here by the paired bootstrap."""
    rows = measured.results_by_row(profile)
    table = measured.measured_table(*rows, profile=profile).T.filter(like="change")
    theirs = pd.DataFrame(measured.published_rows()).T.diff().dropna().rename(lambda name: rows[name].title)
    age, gender = theirs["age_mae"].map("{:+.2f}".format), (100 * theirs["gender_accuracy"]).map("{:+.0f}".format)
    for place, title, change in ((0, "published change of age MAE", age), (2, "published change of gender", gender)):
        table.insert(place, title, change.reindex(table.index, fill_value=""))
    return _markdown(table[table["change of age MAE"] != ""].reset_index(names="row"))


def seeds(profile: str = measured.SHOWN) -> str:
    """The rows that were trained with several seeds."""
    results = measured.measured_results(profile)
    rows = []
    for name in dict.fromkeys(result.row for result in results if result.repeat):
        same = [result for result in results if result.row == name]
        scores = pd.DataFrame([result.test for result in same])
        ours = ", ".join(str(result.experiment.seed) for result in same)
        ages, genders = _listed(scores["age_mae"], ".2f"), _listed(100 * scores["gender_accuracy"], ".1f")
        rows.append((same[0].title, ours, ages, _listed(scores["age_rmse"], ".2f"), genders))
    return _markdown(pd.DataFrame(rows, columns=["row", "seeds", "age MAE", "RMSE", "gender accuracy %"]))


def _listed(values: pd.Series, form: str) -> str:
    return f"{', '.join(f'{value:{form}}' for value in values)} (mean {values.mean():{form}})"


def measured_on(profile: str = measured.SHOWN) -> str:
    """What the rows of a profile were measured on."""
    row = list(measured.measured_rows(profile).values())[-1]
    faces = measured.measured_split()["part"].value_counts()
    file, _, digest = row["configuration"]["weights"].partition("@")
    origin = "recovered from Keras' own by way of an int8 file" if "int8" in file else "tuned a little on dog breeds"
    return (
        f"Profile `{profile}`: {faces['train']:,} faces train, {faces['validation']:,} decide, "
        f"{faces['calibration']:,} calibrate, {row['n_test']:,} test. Machine: {row['machine']}; TensorFlow "
        f"{row['versions']['tensorflow']}, Keras {row['versions']['keras']}. Initial weights: `{file}` "
        f"(not part of this repository; its SHA-256 begins with {digest}), ImageNet weights {origin}."
    )


def bundled_profile() -> str:
    """The profile whose best row is the bundled model, of which the model card speaks."""
    return read_json(BUNDLED_MODEL / "model.json").get("profile", measured.PROFILE)


def best_predictions(part: str = "test") -> pd.DataFrame:
    """What that row answered for the faces of a part of the split."""
    return measured.measured_predictions(measured.best_result(bundled_profile()), part)


def gender_classes() -> str:
    """scikit-learn's classification report of the best row."""
    table = gender_report(best_predictions())
    return _markdown(table.round(3).astype(object).where(table.notna(), "").reset_index(names=""))


def age_errors() -> str:
    """Age error of the best row by age group and gender, in years; a negative mean error is too young an answer."""
    table = best_predictions()
    group = age_group(table["age_true"]).rename("age group")
    error = (table["age"] - table["age_true"]).groupby(group, observed=False).mean()
    grid = age_error_grid(table).map("{:.2f}".format).add_prefix("MAE, ")
    grid["mean error (minus: too young)"] = error.map("{:+.1f}".format)
    return _markdown(pd.concat([_scored(by_group(table, group)).set_index("age group"), grid], axis=1).reset_index())


def races() -> str:
    """Scores of the best row by race code, by race code and gender, by both and age, and of all faces."""
    table = best_predictions()
    race, gender = race_name(table["race"]).astype(str), ", " + gender_name(table["gender_true"]).astype(str)
    age = ", " + pd.cut(table["age_true"], [0, 19, 59, 116], labels=["1-19", "20-59", "60+"]).astype(str)
    groupings = (race, race + gender, race + gender + age, race.map(lambda _: "all"))
    scored = [_scored(by_group(table, groups.rename("group"))) for groups in groupings]
    return _markdown(pd.concat(scored).sort_values("group"))


def _scored(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores, as `by_group` gives them, with their intervals as text where resampling makes one."""

    def column(name: str, form: str, factor: float = 1) -> list[str]:
        ends = zip(scores["n"], *(scores[f"{name}{end}"] for end in ("", "_low", "_high")), strict=True)
        return [  # few faces, or none with an error: resampling knows nothing of what did not occur
            with_interval([value, low, high], form, factor) if n >= FEW and low < high else f"{factor * value:{form}}"
            for n, value, low, high in ends
        ]

    ages, genders = column("age_mae", ".2f"), column("gender_accuracy", ".1f", 100)
    counted = {scores.index.name: scores.index.astype(str), "faces": scores["n"].to_numpy()}
    return pd.DataFrame({**counted, "age MAE [95 %]": ages, "gender accuracy % [95 %]": genders})


def certainty() -> str:
    """How far the best row's probabilities can be trusted."""
    test, scaling = best_predictions(), GenderCalibration.fit(best_predictions("calibration"))
    raw, truth = test["probability_female"], test["gender_true"]
    return _facts(
        {
            "calibration error of the gender probability": f"{100 * calibration_error(raw, truth):.1f} %",
            "after temperature scaling": f"{100 * calibration_error(scaling.probability(raw), truth):.1f} %",
        }
    )


def own_intervals() -> str:
    """The bundled model's intervals, each of the face's own width, on the test faces by age group."""
    table = pd.DataFrame(read_json(BUNDLED_MODEL / "model.json")["interval_on_test"])
    covered, width = (100 * table.loc["covered"]).map("{:.1f} %".format), table.loc["width"].map("{:.1f}".format)
    return _markdown(pd.DataFrame({"age group": table.columns, "covered": covered, "mean width, years": width}))


def performance(report: dict[str, Any] | None = None) -> str:
    """What `make bench` measured: a report, or the one in the reference."""
    report = report or read_json(REFERENCE / "bench.json")
    columns = {
        "what": "{what}",
        "the plain way": "{plain_way}",
        "plain, pictures/s": "{plain:,.0f}",
        "ours, pictures/s": "{ours:,.0f}",
        "times as fast": "{ratio:.1f}",
    }
    *grown, indexed = report["preparation"]
    growth = {"in all": report["summary"]["growth_exponent"], **report["growth"]}
    rate = report["multiply_add_rate"]
    shares = rate["share_of_limit"].items()
    steps = ", ".join(f"{rate[key]:.0f} at {key[5:]} px ({share:.0%} of the limit)" for key, share in shares)
    facts = {
        f"index and clusters of {indexed['faces']:,} faces": f"{indexed['index']:.0f} s, {indexed['peak_mb']:,.0f} MB",
        f"power by which time grows, {grown[0]['faces']:,} to {grown[-1]['faces']:,} faces": ", ".join(
            f"{part} {value:.2f}" for part, value in growth.items()
        ),
        "multiply-adds, billions a second": "matrix product {matrix_product:.0f}, convolution {convolution:.0f}; "
        f"our training step {steps}".format(**rate),
        "machine": f"{report['machine']}; TensorFlow {report['versions']['tensorflow']}",
    }
    for what, entry in report["predict"].items():
        form = "{faces:,} faces, {faces_a_second:.1f} in a second, {peak_mb:,.0f} MB"
        facts[f"`predict` on {what}"] = form.format(**entry)
    if first := report["summary"].get("first_answer_seconds"):  # what older reports do not have
        facts["`utkface-mt predict` of one photo, start to end"] = f"{first:.1f} s"
        facts["what each of two processes sends in a step"] = f"{report['megabytes_a_step']:.1f} MB"
    return f"{_table(report['rows'], columns)}\n\n{_facts(facts)}"


def notebooks() -> str:
    """The chapters as a list of links with their questions, and the time they take with the sample."""
    took = read_json(REFERENCE / "sample_run.json")
    lines = []
    for path in sorted((repository_root() / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        first = " ".join("".join(read_json(path)["cells"][0]["source"]).split())
        title, question = re.search(r"# \d+\. (.*?) \*\*Question: (.*?)\*\*", first).groups()
        lines.append(f"- [{path.stem[:2]} {title}](notebooks/{path.name}): {question[0].upper()}{question[1:]}")
    return "\n".join([*lines, "", f"With the sample: {sum(took['seconds'].values())} s in all on {took['machine']}."])


def exports() -> str:
    """What each exported file costs and how near its answers are."""
    report = read_json(REFERENCE / "exports.json")
    columns = {
        "format": "{format}",
        "precision": "{precision}",
        "bytes": "{bytes:,}",
        "ms a face": "{milliseconds:.0f}",
        "largest difference, years": "{age_max_difference:.2f}",
    }
    rows = [{**row, "change": with_interval(row["age_mae_difference"], "+.3f")} for row in report["rows"]]
    note = (
        f"On {report['n_test']:,} test faces; the bundled model in Keras has {_scores(report['keras'])} there. "
        "Milliseconds: median of single faces on one processor, for SavedModel on all; machine: " + report["machine"]
    )
    return f"{_table(rows, columns | CHANGE | SCORES)}\n\n{note}."


def elsewhere(name: str) -> str:
    """What the bundled model scores on a set of faces from elsewhere, and how steady its answers are."""
    report = read_json(REFERENCE / "elsewhere.json")[name]
    table = pd.DataFrame(report["groups"]).set_index("group").rename_axis("who")
    covered = (100 * table["covered"]).map("{:.0f}".format).to_numpy()
    told = "\n".join(f"- {form.format(**report)}" for key, form in STEADY.items() if key in report).replace("%", " %")
    return f"{_markdown(_scored(table).assign(**{'age in its interval %': covered}))}\n\n{told}"


def margins() -> str:
    """What finding faces and cutting them costs, by margin."""
    report = read_json(REFERENCE / "alignment.json")["validation"]
    rows = [{**row, "change": with_interval(row["age_mae_difference"], "+.2f")} for row in report["margins"]]
    table = _table(rows, {"margin at each edge": "{margin:+.1%}"} | SCORES | CHANGE)
    found = f"On {report['found']:,} of {report['faces']:,} validation crops, those in which a face was found"
    return f"{table}\n\n{found}; as UTKFace cut them they have {_scores(report['as_cut'])}."


def _scores(scores: Mapping[str, float]) -> str:
    text = "an age MAE of {age_mae:.2f} years and a gender accuracy of {gender_accuracy:.1%}"
    return text.format(**scores).replace("%", " %")


def _facts(facts: Mapping[str, str]) -> str:
    """Names and what they come to, in two columns."""
    return _markdown(pd.DataFrame(facts.items(), columns=["what", "measured"]))


def _table(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    """A column for each title, each row in its form."""
    return _markdown(
        pd.DataFrame({title: form.format(**row).replace("%", " %") for title, form in columns.items()} for row in rows)
    )


def _markdown(table: pd.DataFrame) -> str:
    lines = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


STEADY = {  # by what a set has in `elsewhere.json`
    "one_face": "Exactly one face is found in {one_face} of {photos} photos.",
    "found": "A face is found in {found:,} of {photos:,} crops.",
    "deviation": "In ten harmless versions of a face the age has a standard deviation of {deviation:.1f} years.",
    "same_gender": "The gender stays the same in {same_gender:.1%} of them.",
    "wider_moves": "A box that is 30% wider moves the age by {wider_moves:.1f} years.",
    "small_moves": "Faces made 16 pixels wide move it by {small_moves[0]:.1f} years, 48 by {small_moves[3]:.1f}.",
}
BLOCKS: dict[str, Callable[[], str]] = {
    "ladder": ladder,
    "ladder-in-short": lambda: ladder(short=True),
    "model-measured-on": lambda: measured_on(bundled_profile()),
    "portraits": lambda: elsewhere("london"),
    "other-crops": lambda: elsewhere("aaf"),
}
_BY_NAME = (
    *(steps, seeds, measured_on, gender_classes, age_errors, races, certainty, own_intervals),
    *(performance, notebooks, exports, margins),
)
BLOCKS |= {block.__name__.replace("_", "-"): block for block in _BY_NAME}
BLOCKS |= {f"{name}-cpu": partial(BLOCKS[name], "cpu") for name in ("ladder", "measured-on", "steps", "seeds")}


def pages() -> list[Path]:
    """The pages that have blocks."""
    written = [*repository_root().glob("README.md"), *sorted(repository_root().glob("docs/*.md"))]
    return [page for page in (*written, REFERENCE / "MODEL_CARD.md") if BLOCK.search(page.read_text(encoding="utf-8"))]


def renewed(text: str) -> str:
    """A page with every block written anew; a KeyError names a block that nothing makes."""
    return BLOCK.sub(lambda match: f"<!-- {match[1]} -->\n{BLOCKS[match[1]]()}\n<!-- /{match[1]} -->", text)


def main() -> None:
    """Renews the tables, then draws the figures."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for page in pages():
        before = page.read_text(encoding="utf-8")
        if (after := renewed(before)) != before:
            write_text(page, after)
            print(f"renewed {page.name}")
    from .figures import draw

    for path in draw():
        print(f"drew {path.name}")


if __name__ == "__main__":
    call(main)
