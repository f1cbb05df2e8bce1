"""The results store: a folder for each experiment, a pointer for each row of the table, and the table itself.

What is kept of an experiment are its predictions; scores and intervals are computed from them whenever they are asked
for, so that a metric can be corrected without training anything again.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from ..config import Experiment
from ..evaluation.metrics import intervals, score
from ..util.errors import UserError
from ..util.files import read_json, write_json, write_table, write_text

SAMPLE_NOTE = "Profile sample, for drawn faces: its scores show that the code runs, they say nothing of UTKFace."
FORMAT = 2  # of a store; the first had scores in the place of predictions
ROW_FIELDS = ("row", "notebook", "title", "final", "repeat")
SCORE_FIELDS = ("validation", "n_test", "test", "ci")
SHARED_FIELDS = ("notebook", "title", "final", "profile", "machine", "command", "versions", "replicas")
SHARED_FIELDS += ("training_version", "repeat", "validation", "n_test", "ci", "seconds")


@dataclass(frozen=True)
class Result:
    """What one experiment gave."""

    key: str  # digest of configuration, data, initial weights and `TRAINING_VERSION`
    experiment: Experiment
    profile: str  # it ran under
    history: list[dict[str, float]]  # a dictionary an epoch
    seconds: float  # of training
    command: str = ""  # that makes it again
    machine: str = ""  # it ran on
    versions: dict[str, str] = field(default_factory=dict)  # of the libraries that matter
    replicas: int = 1  # devices that shared each batch
    training_version: int = 0  # `TRAINING_VERSION` when it was trained
    row: str = ""  # name of its row in the table, such as `07_augmentation`; empty for trials and sweeps
    notebook: str = ""  # the row belongs to
    title: str = ""  # of the row
    final: bool = False  # whether this is the notebook's row of the ladder
    repeat: bool = False  # whether a row was trained again with another seed: it stands beside the table, not in it
    validation: dict[str, float] = field(default_factory=dict)  # scores on the validation faces
    n_test: int = 0  # test faces
    test: dict[str, float] = field(default_factory=dict)  # scores on them; empty unless it is a row
    ci: dict[str, list[float]] = field(default_factory=dict)  # 95 % intervals of those scores

    @property
    def name(self) -> str:
        """What its files are called: the row's name, and for a repeat the seed."""
        return f"{self.row}-seed{self.experiment.seed}" if self.repeat else self.row

    def table_row(self) -> dict[str, Any]:
        """The row as it stands in `results.json`: scores beside what they belong to."""
        same = {name: getattr(self, name) for name in SHARED_FIELDS}
        own = {"experiment": self.row, "seed": self.experiment.seed, "configuration": self.experiment.to_dict()}
        return {**own, **same, **self.test}

    @classmethod
    def from_table_row(cls, row: dict[str, Any]) -> "Result":
        """Builds a result, without its history, from its row in `results.json`."""
        return cls(
            key="",
            experiment=Experiment.from_dict(row["configuration"]),
            history=[],
            row=row["experiment"],
            test={name: row[name] for name in row["ci"]},
            **{name: row[name] for name in SHARED_FIELDS},
        )


class ResultStore:
    """Reads and writes the results of one run folder, `runs/PROFILE`.

    Layout: `experiments/KEY/` holds `result.json`, the weights and the predictions; `rows/ROW.json` says which
    experiment is a row, `repeats/ROW-seedN.json` which is a repeat of one; `results.json` and `results.md` hold the
    table of all rows.
    """

    def __init__(self, folder: Path) -> None:
        """Opens a store; nothing is written before the first result.

        Raises:
            UserError: if another version of the package wrote it; it is left as it is.
        """
        self.folder = folder
        mark = folder / "store.json"
        advice = f'Write {{"format": {FORMAT}}} into it.'
        if (folder / "experiments").is_dir() and (not mark.exists() or read_json(mark, advice).get("format") != FORMAT):
            raise UserError(
                f"The results in {folder} were written by another version of utkface_mt, which kept them otherwise. "
                "They are left as they are: start with --fresh, which puts them aside, or choose another folder with "
                "UTKFACE_MT_RUNS."
            )

    def place(self, key: str) -> Path:
        """The folder of an experiment."""
        return self.folder / "experiments" / key

    def claim(self) -> None:
        """Marks the folder as a store of this format, before anything is written into it."""
        if not (mark := self.folder / "store.json").exists():
            write_json(mark, {"format": FORMAT})

    def load(self, key: str) -> Result | None:
        """The result of an experiment with its scores, or None if it has none yet."""
        if not (path := self.place(key) / "result.json").exists():
            return None
        result = Result(**{**(values := read_json(path)), "experiment": Experiment.from_dict(values["experiment"])})
        validation, test = (self._predictions_file(key, part) for part in ("validation", "test"))
        if validation.exists():
            result = replace(result, validation=_scores(validation, validation.stat().st_mtime_ns)["scores"])
        if test.exists():
            scored = _scores(test, test.stat().st_mtime_ns, with_intervals=True)
            result = replace(result, n_test=scored["n"], test=scored["scores"], ci=scored["intervals"])
        return result

    def save(self, result: Result) -> Result:
        """Writes a result and, if it is a row, the table; returns it with its scores."""
        self.claim()
        facts = {name: value for name, value in asdict(result).items() if name not in (*ROW_FIELDS, *SCORE_FIELDS)}
        write_json(self.place(result.key) / "result.json", facts)
        pointer = {name: getattr(result, name) for name in ROW_FIELDS}
        if result.row:
            kind = "repeats" if result.repeat else "rows"
            write_json(self.folder / kind / f"{result.name}.json", {"key": result.key, **pointer})
            self.write_table()
        return replace(self.load(result.key), **pointer)

    def row(self, name: str) -> Result | None:
        """The current result of a row, or None."""
        return self._pointed_at(path) if (path := self.folder / "rows" / f"{name}.json").exists() else None

    def rows(self, kind: str = "rows") -> list[Result]:
        """All rows there are, or all `repeats` of rows with other seeds, in the order of their names."""
        paths = sorted((self.folder / kind).glob("[!.]*.json"))
        return [result for path in paths if (result := self._pointed_at(path))]

    def runs(self) -> list[Result]:
        """Every experiment that has a result, trials and sweeps included."""
        return [self.load(path.parent.name) for path in sorted(self.folder.glob("experiments/*/result.json"))]

    def _pointed_at(self, path: Path) -> Result | None:
        pointer = read_json(path)
        result = self.load(pointer["key"])
        return replace(result, **pointer) if result else None

    def write_table(self) -> None:
        """Writes `results.json` and `results.md`."""
        rows = self.rows()
        write_json(self.folder / "results.json", [result.table_row() for result in rows])
        note = f"\n{SAMPLE_NOTE}\n" if any(result.profile == "sample" for result in rows) else ""
        write_text(self.folder / "results.md", f"{results_table(rows).to_markdown(index=False)}\n{note}")

    def save_predictions(self, key: str, part: str, predictions: pd.DataFrame) -> None:
        """Writes the predictions on one part of the split; the same table gives the same bytes."""
        self.claim()
        write_table(self._predictions_file(key, part), predictions)

    def predictions(self, result: Result, part: str) -> pd.DataFrame:
        """Reads the predictions of a row on `validation`, `calibration` or `test`.

        Raises:
            UserError: if they were not written.
        """
        if not (path := self._predictions_file(result.key, part)).exists():
            raise UserError(
                f"There are no {part} predictions at {path}. Run {result.notebook or 'the experiment'} again."
            )
        return pd.read_csv(path)

    def _predictions_file(self, key: str, part: str) -> Path:
        return self.place(key) / f"predictions-{part}.csv.gz"


@lru_cache(maxsize=256)
def _scores(path: Path, changed: int, with_intervals: bool = False) -> dict[str, Any]:
    """The scores of a predictions file; `changed`, its time of change, keeps remembered ones from getting stale."""
    table = pd.read_csv(path)
    return {"n": len(table), "scores": score(table), "intervals": intervals(table) if with_intervals else {}}


def with_interval(values: list[float], form: str, factor: float = 1) -> str:
    """A value and the ends of its interval as text: `5.25 [5.07, 5.43]`."""
    middle, low, high = (format(factor * value, form) for value in values)
    return f"{middle} [{low}, {high}]"


def results_table(rows: Iterable[Result]) -> pd.DataFrame:
    """The table people read: a row an experiment, scores with their intervals as text, years for age, else per cent."""
    return pd.DataFrame(
        {
            "notebook": row.notebook[:2],
            "row": row.title,
            "age MAE": with_interval([row.test["age_mae"], *row.ci["age_mae"]], ".2f"),
            "age RMSE": f"{row.test['age_rmse']:.2f}",
            "within 5 years %": f"{100 * row.test['age_within_5']:.1f}",
            "gender accuracy %": with_interval([row.test["gender_accuracy"], *row.ci["gender_accuracy"]], ".1f", 100),
            "gender F1 %": f"{100 * row.test['gender_f1_weighted']:.1f}",
            "seconds": round(row.seconds),
        }
        for row in rows
    )
