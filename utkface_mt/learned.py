"""What the measured run on UTKFace showed, read from `reference/`: the notebooks' last word, never typed by hand."""

from pathlib import Path
from typing import Any

from .files import read_json
from .rows import get_row

REFERENCE = Path(__file__).parent / "reference"
NOT_MEASURED = (
    "On UTKFace: not measured yet with this version. Once a run on UTKFace is committed as "
    "`utkface_mt/reference/results.json`, its figures stand here; `make run PROFILE=cpu DATA=PATH` makes one."
)


def learned(*names: str, profile: str = "cpu") -> str:
    """Says in Markdown what the rows scored on UTKFace, ours beside the published.

    Args:
        names: names of rows, each compared with the row before it.
        profile: the profile of the measured run.
    """
    measured = _measured(profile)
    published = read_json(REFERENCE / "published.json")["rows"]
    lines = []
    for name in names:
        if name in published:
            lines.append(f"- Published, {get_row(name).title}: {_scores(published[name])}.")
        if name in measured:
            lines.append(f"- Ours, {get_row(name).title}: {_scores(measured[name])}{_step(name, measured)}.")
    if not any(name in measured for name in names):
        lines.append(f"- {NOT_MEASURED}")
    return "\n".join(lines)


def _measured(profile: str) -> dict[str, dict[str, Any]]:
    path = REFERENCE / "results.json"
    rows = read_json(path) if path.exists() else []
    return {row["experiment"]: row for row in rows if row["profile"] == profile}


def _scores(row: dict[str, Any]) -> str:
    age, gender = f"age MAE {row['age_mae']:.2f} years", f"gender accuracy {100 * row['gender_accuracy']:.1f} %"
    if "ci" in row:
        low, high = row["ci"]["age_mae"]
        age += f" [{low:.2f}, {high:.2f}]"
        low, high = (100 * end for end in row["ci"]["gender_accuracy"])
        gender += f" [{low:.1f}, {high:.1f}]"
    return f"{age}, {gender}"


def _step(name: str, measured: dict[str, dict[str, Any]]) -> str:
    before = measured.get(get_row(name).previous)
    if before is None:
        return ""
    age = measured[name]["age_mae"] - before["age_mae"]
    gender = 100 * (measured[name]["gender_accuracy"] - before["gender_accuracy"])
    return f" ({age:+.2f} years and {gender:+.1f} points against the row before)"
