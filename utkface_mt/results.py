"""The results store: a folder for each experiment, a pointer for each row of the table, and the table itself."""

import gzip
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from .config import Experiment
from .errors import UserError
from .files import read_json, replacing, write_json, write_text

SAMPLE_NOTE = "Measured on the drawn sample faces: these figures show that the code runs, they say nothing of UTKFace."


@dataclass(frozen=True)
class Result:
    """What one experiment gave.

    Attributes:
        key: digest of configuration, data and training code.
        experiment: the configuration.
        profile: the profile it ran under.
        history: one dictionary an epoch.
        validation: scores on the validation faces.
        seconds: training time.
        row: name of its row in the table, such as `07_augmentation`, or empty for trials and sweeps.
        notebook: the notebook the row belongs to.
        title: the row's title.
        final: whether this is the notebook's row of the ladder.
        n_test: test faces.
        test: scores on them; empty unless it is a row.
        ci: 95 % intervals of those scores.
        command: what makes the row again.
        machine: what it ran on.
        versions: of the libraries that matter.
        replicas: devices that shared a batch; batch size and learning rate were as many times those of `experiment`.
        code: version of the training code.
        repeat: whether it is a row trained once more with another seed, which stands beside the table and not in it.
    """

    key: str
    experiment: Experiment
    profile: str
    history: list[dict[str, float]]
    validation: dict[str, float]
    seconds: float
    row: str = ""
    notebook: str = ""
    title: str = ""
    final: bool = False
    n_test: int = 0
    test: dict[str, float] = field(default_factory=dict)
    ci: dict[str, list[float]] = field(default_factory=dict)
    command: str = ""
    machine: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    replicas: int = 1
    code: str = ""
    repeat: bool = False

    @property
    def name(self) -> str:
        """What its files are called: the row's name, and for a repeat the seed."""
        return f"{self.row}-seed{self.experiment.seed}" if self.repeat else self.row

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Result":
        """Builds a result from what `to_dict` gave."""
        return cls(**{**values, "experiment": Experiment.from_dict(values["experiment"])})

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values, fit for JSON."""
        return asdict(self)

    def table_row(self) -> dict[str, Any]:
        """The row as it stands in `results.json`: scores beside what they belong to."""
        return {
            "experiment": self.row,
            "notebook": self.notebook,
            "title": self.title,
            "final": self.final,
            "n_test": self.n_test,
            **self.test,
            "ci": self.ci,
            "seconds": self.seconds,
            "profile": self.profile,
            "machine": self.machine,
            "seed": self.experiment.seed,
            "command": self.command,
            "configuration": self.experiment.to_dict(),
            "validation": self.validation,
            "versions": self.versions,
            "replicas": self.replicas,
            "code": self.code,
            "repeat": self.repeat,
        }

    @classmethod
    def from_table_row(cls, row: dict[str, Any], history: list[dict[str, float]]) -> "Result":
        """Builds a result from its row in `results.json` and its history."""
        same = ("profile", "validation", "seconds", "notebook", "title", "final", "n_test", "ci", "command", "machine")
        return cls(
            key="",
            experiment=Experiment.from_dict(row["configuration"]),
            history=history,
            row=row["experiment"],
            test={name: row[name] for name in row["ci"]},
            **{name: row[name] for name in (*same, "versions", "replicas", "code", "repeat")},
        )


class ResultStore:
    """Reads and writes the results of one run folder, `runs/PROFILE`.

    Layout: `experiments/KEY/` holds `result.json`, the weights and the predictions; `rows/ROW.json` says which
    experiment is a row, `repeats/ROW-seedN.json` which is a repeat of one; `results.json` and `results.md` hold the
    table of all rows.
    """

    def __init__(self, folder: Path) -> None:
        """Opens a store; nothing is written before the first result."""
        self.folder = folder

    def place(self, key: str) -> Path:
        """The folder of an experiment."""
        return self.folder / "experiments" / key

    def load(self, key: str) -> Result | None:
        """The result of an experiment, or None if it has none yet."""
        path = self.place(key) / "result.json"
        return Result.from_dict(read_json(path)) if path.exists() else None

    def save(self, result: Result) -> None:
        """Writes a result and, if it is a row, the table."""
        plain = replace(result, row="", notebook="", title="", final=False, repeat=False)
        write_json(self.place(result.key) / "result.json", plain.to_dict())
        if result.row:
            pointer = {name: getattr(result, name) for name in ("key", "row", "notebook", "title", "final", "repeat")}
            write_json(self.folder / ("repeats" if result.repeat else "rows") / f"{result.name}.json", pointer)
            self.write_table()

    def row(self, name: str) -> Result | None:
        """The current result of a row, or None."""
        path = self.folder / "rows" / f"{name}.json"
        return self._pointed_at(path) if path.exists() else None

    def rows(self) -> list[Result]:
        """All rows there are, in the order of their names."""
        return self._all("rows")

    def repeats(self) -> list[Result]:
        """All repeats of rows with other seeds, in the order of their names."""
        return self._all("repeats")

    def runs(self) -> list[Result]:
        """Every experiment that has a result, trials and sweeps included."""
        paths = sorted((self.folder / "experiments").glob("*/result.json"))
        return [Result.from_dict(read_json(path)) for path in paths]

    def _all(self, kind: str) -> list[Result]:
        return [result for path in sorted((self.folder / kind).glob("*.json")) if (result := self._pointed_at(path))]

    def _pointed_at(self, path: Path) -> Result | None:
        pointer = read_json(path)
        result = self.load(pointer["key"])
        return replace(result, **pointer) if result else None

    def write_table(self) -> None:
        """Writes `results.json` and `results.md`."""
        rows = self.rows()
        write_json(self.folder / "results.json", [result.table_row() for result in rows])
        note = f"\n{SAMPLE_NOTE}\n" if any(result.profile == "sample" for result in rows) else ""
        table = results_table(result.table_row() for result in rows)
        write_text(self.folder / "results.md", f"{table.to_markdown(index=False)}\n{note}")

    def save_predictions(self, key: str, part: str, predictions: pd.DataFrame) -> None:
        """Writes the predictions on one part of the split; the same table gives the same bytes."""
        text = io.StringIO()
        predictions.to_csv(text, index=False)
        with replacing(self.place(key) / f"predictions-{part}.csv.gz") as temporary:
            temporary.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))

    def predictions(self, result: Result, part: str) -> pd.DataFrame:
        """Reads the predictions of a row on `validation`, `calibration` or `test`.

        Raises:
            UserError: if they were not written.
        """
        path = self.place(result.key) / f"predictions-{part}.csv.gz"
        if not path.exists():
            raise UserError(
                f"There are no {part} predictions at {path}. Run {result.notebook or 'the experiment'} again."
            )
        return pd.read_csv(path)


def results_table(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """The table people read.

    Args:
        rows: as in `results.json`.

    Returns:
        A row an experiment, scores with their intervals as text: years for age, per cent for the rest.
    """

    def with_interval(row: dict, name: str, scale: float, form: str) -> str:
        low, high = (scale * end for end in row["ci"][name])
        return f"{scale * row[name]:{form}} [{low:{form}}, {high:{form}}]"

    return pd.DataFrame(
        {
            "notebook": row["notebook"][:2],
            "row": row["title"],
            "age MAE": with_interval(row, "age_mae", 1, ".2f"),
            "age RMSE": f"{row['age_rmse']:.2f}",
            "within 5 years %": f"{100 * row['age_within_5']:.1f}",
            "gender accuracy %": with_interval(row, "gender_accuracy", 100, ".1f"),
            "gender F1 %": f"{100 * row['gender_f1_weighted']:.1f}",
            "seconds": round(row["seconds"]),
        }
        for row in rows
    )
