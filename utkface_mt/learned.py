"""What the measured run on UTKFace showed, read from `reference/`: the notebooks' last word, never typed by hand."""

from typing import Any

from .files import read_json
from .measured import PROFILE, REFERENCE, measured_rows
from .rows import get_row

NOT_MEASURED = (
    "On UTKFace: not measured yet with this version. Once a run on UTKFace is committed as "
    "`utkface_mt/reference/results.json`, its figures stand here; `make run PROFILE=cpu DATA=PATH` makes one."
)


def learned(*names: str, profile: str = PROFILE) -> str:
    """Says in Markdown what the rows scored on UTKFace, ours beside the published.

    Args:
        names: names of rows, each compared with the row before it.
        profile: the profile of the measured run.
    """
    measured = measured_rows(profile)
    published = read_json(REFERENCE / "published.json")["rows"]
    lines = []
    for name in names:
        if name in published:
            lines.append(f"- Published, {get_row(name).title}: {_scores(published[name])}.")
        if name in measured:
            lines.append(f"- Ours, {get_row(name).title}: {_scores(measured[name])}{_step(measured[name])}.")
    if not any(name in measured for name in names):
        lines.append(f"- {NOT_MEASURED}")
    return "\n".join(lines)


def verdict(difference: list[float], better: int, unit: str, factor: float = 1) -> str:
    """Says what a paired difference amounts to, without wishful reading.

    Args:
        difference: the difference and the ends of its 95 % interval.
        better: -1 if lower values are better, 1 if higher ones are.
        unit: of the difference once multiplied.
        factor: what to multiply with.
    """
    middle, low, high = (factor * value for value in difference)
    told = "better" if middle * better > 0 else "worse"
    said = "no difference can be told" if low <= 0 <= high else told
    return f"{middle:+.2f} {unit} [{low:+.2f}, {high:+.2f}]: {said}"


def _scores(row: dict[str, Any]) -> str:
    age, gender = f"age MAE {row['age_mae']:.2f} years", f"gender accuracy {100 * row['gender_accuracy']:.1f} %"
    if "ci" in row:
        low, high = row["ci"]["age_mae"]
        age += f" [{low:.2f}, {high:.2f}]"
        low, high = (100 * end for end in row["ci"]["gender_accuracy"])
        gender += f" [{low:.1f}, {high:.1f}]"
    return f"{age}, {gender}"


def _step(row: dict[str, Any]) -> str:
    """The paired difference to the row before, both tasks."""
    if "difference" not in row:
        return ""
    age = verdict(row["difference"]["age_mae"], -1, "years")
    gender = verdict(row["difference"]["gender_accuracy"], 1, "points", 100)
    return f". Against the row before, age {age}; gender {gender}"
