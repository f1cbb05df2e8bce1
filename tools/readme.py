"""The tables in README and docs that come from measurements: written from `reference/`, never by hand.

A block stands between `<!-- NAME -->` and `<!-- /NAME -->`; `python -m utkface_mt.readme` renews all of them, and a
test fails when one has drifted.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from . import tables as measured
from utkface_mt.config import PROFILES, repository_root
from utkface_mt.util.files import read_json, write_text
from utkface_mt.experiments.ladder import SCHEDULERS
from utkface_mt.experiments.rows import ROWS

REFERENCE = Path(__file__).parent / "reference"
PAGES = ("README.md", "docs/ten_million_faces.md", "utkface_mt/reference/MODEL_CARD.md")
TEN_MILLION = 10_000_000
PICTURE_BYTES = 3 * 128 * 128


def performance() -> str:
    """What `make bench` measured, as a table and a sentence."""
    report = read_json(REFERENCE / "bench.json")
    rows = [
        {
            "what": row["what"],
            "the plain way": row["plain_way"],
            "plain, pictures/s": f"{row['plain']:,.0f}",
            "ours, pictures/s": f"{row['ours']:,.0f}",
            "times as fast": f"**{row['ratio']:.1f}**",
        }
        for row in report["rows"]
    ]
    indexed, summary = report["preparation"][-1], report["summary"]
    growth = ", ".join(f"{part} {value:.2f}" for part, value in report["growth"].items())
    few, many = report["preparation"][0]["faces"], report["preparation"][-2]["faces"]
    return (
        f"{pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)}\n\n"
        f"Measured on: {report['machine']}; TensorFlow {report['versions']['tensorflow']}, "
        f"Keras {report['versions']['keras']}. Index and near-duplicate clusters of {indexed['faces']:,} faces took "
        f"{summary['index_seconds']:.0f} s and {summary['index_peak_mb']:,} MB. From {few:,} to {many:,} faces the "
        f"time to prepare a dataset grew with the number of faces to the power of {summary['growth_exponent']:.2f} "
        f"({growth})."
    )


def ten_million() -> str:
    """What ten million faces would take with today's code and speeds, as a table."""
    report = read_json(REFERENCE / "bench.json")
    speed = {row["key"]: row["ours"] for row in report["rows"]}["train_128"]
    indexed = report["preparation"][-1]
    grown = report["preparation"][-2]
    epochs = _ladder_epochs()
    hours = TEN_MILLION / speed / 3600
    index_hours = indexed["index"] / indexed["faces"] * TEN_MILLION / 3600
    split_hours = grown["split"] / grown["faces"] * TEN_MILLION / 3600
    rows = {
        "decoded pictures at 128 px": f"{PICTURE_BYTES * TEN_MILLION / 1e9:,.0f} GB ({PICTURE_BYTES:,} bytes a face)",
        "reading and hashing every file, in proportion": f"{index_hours:.1f} h",
        "the split as it is done today, in proportion": f"{split_hours:.1f} h",
        f"one epoch at the measured {speed:,.0f} pictures/s (two cores)": f"{hours:.1f} h",
        f"the ladder, {epochs} epochs, on these two cores": f"{hours * epochs / 24:,.0f} days",
        "the same in core hours": f"{2 * hours * epochs:,.0f}",
    }
    return pd.DataFrame(rows.items(), columns=["what", "estimate"]).to_markdown(index=False, disable_numparse=True)


def notebooks() -> str:
    """How to read the notebooks: the question, the time with the sample, and what each leaves behind."""
    took = read_json(REFERENCE / "sample_run.json")
    rows = []
    for path in sorted((repository_root() / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        first = " ".join("".join(read_json(path)["cells"][0]["source"]).split())
        title, question = re.search(r"# \d+\. (.*?) \*\*Question: (.*?)\*\*", first).groups()
        rows.append(
            {
                "notebook": f"[`{path.stem}`](notebooks/{path.name}): {title}",
                "question": question[0].upper() + question[1:],
                "seconds": str(took["seconds"][path.stem]),
                "writes": re.search(r"\*Writes\* (.*?)[.:]( |$)", first)[1],
            }
        )
    table = pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
    minutes = sum(took["seconds"].values()) / 60
    return f"{table}\n\nSeconds with the drawn sample on: {took['machine']}; {minutes:.0f} minutes in all."


def exports() -> str:
    """What each exported file costs and how near its answers are."""
    report = read_json(REFERENCE / "exports.json")
    rows = [
        {
            "format": row["format"],
            "precision": row["precision"],
            "MB": f"{row['bytes'] / 1e6:.2f}",
            "ms a face": f"{row['milliseconds']:.0f}",
            "largest difference, years": f"{row['age_max_difference']:.2f}",
            "change of age MAE [95 %]": "{:+.3f} [{:+.3f}, {:+.3f}]".format(*row["age_mae_difference"]),
            "gender accuracy": f"{100 * row['gender_accuracy']:.1f} %",
        }
        for row in report["rows"]
    ]
    own = report["keras"]
    return (
        f"{pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)}\n\nAgainst the bundled model in Keras, "
        f"with its weights in half precision (age MAE {own['age_mae']:.2f} years, gender "
        f"{100 * own['gender_accuracy']:.1f} %), on {report['n_test']:,} test faces. Milliseconds: median of single "
        f"faces on one processor, for SavedModel on all; machine: {report['machine']}."
    )


def margins() -> str:
    """What finding faces and cutting them costs, by margin."""
    measured = read_json(REFERENCE / "alignment.json")["validation"]
    rows = [
        {
            "margin at each edge": f"{100 * row['margin']:+.1f} %" if row["margin"] else "as UTKFace",
            "age MAE": f"{row['age_mae']:.2f}",
            "change [95 %]": "{:+.2f} [{:+.2f}, {:+.2f}]".format(*row["age_mae_difference"]),
            "gender accuracy": f"{100 * row['gender_accuracy']:.1f} %",
        }
        for row in measured["margins"]
    ]
    own = measured["as_cut"]
    return (
        f"{pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)}\n\nOn {measured['found']:,} of "
        f"{measured['faces']:,} validation crops, those in which a face was found; as UTKFace cut them, the same faces "
        f"score {own['age_mae']:.2f} years and {100 * own['gender_accuracy']:.1f} %."
    )


def _ladder_epochs() -> int:
    """Epochs through the backbone in the whole ladder of the cpu profile, if no run stops early."""
    profile = PROFILES["cpu"]
    fine_tuned = [row for row in ROWS if row.previous]
    runs = len(fine_tuned) + len(SCHEDULERS) - 1 + len(profile.gender_shares)
    return runs * profile.start.epochs + profile.trials * profile.trial_epochs


BLOCKS: dict[str, Callable[[], str]] = {
    "performance": performance,
    "ten-million": ten_million,
    "notebooks": notebooks,
    "exports": exports,
    "margins": margins,
    "ladder": measured.ladder,
    "steps": measured.steps,
    "seeds": measured.seeds,
    "measured-on": measured.measured_on,
    "gender-classes": measured.gender_classes,
    "age-errors": measured.age_errors,
    "races": measured.races,
    "race-and-gender": measured.race_and_gender,
    "certainty": measured.certainty,
}


def renewed(text: str) -> str:
    """A page with every block written anew.

    Raises:
        KeyError: if the page has a block that nothing makes.
    """

    def block(match: re.Match[str]) -> str:
        name = match[1]
        return f"<!-- {name} -->\n{BLOCKS[name]()}\n<!-- /{name} -->"

    return re.sub(r"<!-- ([a-z-]+) -->\n.*?<!-- /\1 -->", block, text, flags=re.DOTALL)


def renew(root: Path | None = None) -> list[Path]:
    """Renews all pages and returns the paths of those that changed."""
    changed = []
    for name in PAGES:
        path = (root or repository_root()) / name
        before = path.read_text(encoding="utf-8")
        after = renewed(before)
        if after != before:
            write_text(path, after)
            changed.append(path)
    return changed


if __name__ == "__main__":
    for page in renew():
        print(f"renewed {page.name}")
