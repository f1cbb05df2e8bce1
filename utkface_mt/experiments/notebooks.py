"""The notebooks in order, headless: checked first, run one kernel each, gone on with after a stop."""

import contextlib
import itertools
import json
import logging
import os
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from rich.console import Console

from .. import __version__
from ..config import TRAINING_VERSION, Settings, repository_root
from ..data.dataset import open_dataset
from ..data.pixels import open_pixels
from ..data.split import limit_faces
from ..model.weights import weights_identity
from ..util.errors import UserError
from ..util.files import digest, read_json, replacing, write_json
from ..util.locks import RUNNER, await_workers, holding, left_behind, lock_path
from ..util.runtime import stderr_to
from .results import SAMPLE_NOTE, Result, ResultStore, results_table

ANSI_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
ERROR_LINES = 8  # of a failed cell's traceback are shown
PARAMETERS = ("profile", "data", "seed", "limit")  # settings that notebooks take by name; others as `overrides`


def run_notebooks(
    settings: Settings, console: Console, *, first: str = "", only: str = "", fresh: bool = False, cell_timeout: int = 0
) -> Path:
    """Runs the notebooks in order, each in a kernel of its own; returns the run's folder.

    All of them, or from number `first` on, such as `05`, or the `only` one; a `fresh` run puts the earlier one aside.
    A cell may take `cell_timeout` seconds, 0 for no limit.

    Raises:
        UserError: before anything runs, if a value is wrong; afterwards, if a notebook fails. What succeeded is kept,
            and the next call goes on after it.
    """
    settings = _with_absolute_paths(settings)
    given = notebook_parameters(settings)
    notebooks = choose_notebooks(first, only)
    for notebook in notebooks:
        check_parameters(notebook, given)
    weights = weights_identity(settings.weights) if settings.weights else ""
    folder = settings.runs_folder / settings.profile
    with _run_of_its_own(folder, console):
        if fresh and folder.exists():  # a run put aside before it gets the next number
            for trained in folder.glob("experiments/*/training.lock"):
                with holding(trained, "putting the run aside"):  # refused while a `search` or a notebook trains there
                    pass
            names = (folder.with_name(f"{folder.name}-before-{number}") for number in itertools.count(1))
            folder.rename(next(path for path in names if not path.exists()))
        ResultStore(folder)
        fingerprint = _prepare_data(settings, console)
        kept = folder / "notebooks" / "stamps.json"
        done = read_json(kept) if kept.exists() else {}
        stamps = stamps_of(choose_notebooks(), [given, weights, fingerprint])
        logging.getLogger("papermill").setLevel(logging.ERROR)
        for number, notebook in enumerate(notebooks, start=1):
            label = f"[{number}/{len(notebooks)}] {notebook.stem}"
            target = folder / "notebooks" / notebook.name
            if done.get(notebook.stem) == stamps[notebook.stem] and target.exists() and not only:
                console.print(f"{label}: up to date")
                continue
            started = time.monotonic()
            with console.status(label):
                _execute(notebook, target, given, cell_timeout)
            outdated = any(done.get(name, stamp) != stamp for name, stamp in stamps.items() if name < notebook.stem)
            done[notebook.stem] = "" if outdated else stamps[notebook.stem]
            write_json(kept, done)
            seconds = f"{time.monotonic() - started:.0f} s"
            rows = [row for row in ResultStore(folder).rows() if row.notebook == notebook.stem]
            console.print(f"{label}: {seconds}{_scores(rows[-1]) if rows else ''}", soft_wrap=True)
    rows = ResultStore(folder).rows()
    console.print(results_table(rows).to_markdown(index=False), soft_wrap=True)
    if settings.profile == "sample":
        console.print(SAMPLE_NOTE, soft_wrap=True)
    return folder


def notebook_parameters(settings: Settings) -> dict[str, Any]:
    """What is handed to each notebook: four settings by name, all others that are not the default as JSON."""
    values, default = asdict(settings), asdict(Settings())
    overrides = {name: value for name, value in values.items() if name not in PARAMETERS and value != default[name]}
    return {**{name: values[name] for name in PARAMETERS}, "overrides": json.dumps(overrides) if overrides else ""}


def _with_absolute_paths(settings: Settings) -> Settings:
    """The settings as kernels, which may run in another folder, are given them."""
    changed: dict[str, Any] = {"workers": "", "rank": 0}  # in the environment: what fewer or more trained is found
    if settings.data not in ("sample", "kaggle"):
        changed["data"] = str(Path(settings.data).expanduser().resolve())
    if "@" in weights_identity(settings.weights or "none"):
        changed["weights"] = str(Path(settings.weights).expanduser().resolve())
    if settings.runs:
        changed["runs"] = str(settings.runs_folder)
    return replace(settings, **changed)


@contextlib.contextmanager
def _run_of_its_own(folder: Path, console: Console) -> Iterator[None]:
    """Holds the run's folder, and waits for kernels that outlived an earlier run."""
    lock = lock_path(folder)
    if gone := left_behind(lock):
        console.print(f"{gone}, and was killed; this run goes on from what it left.", soft_wrap=True)
    with holding(lock, f"running the notebooks in {folder.name}"):
        await_workers(folder)
        os.environ[RUNNER] = folder.name
        try:
            yield
        finally:
            del os.environ[RUNNER]


def choose_notebooks(first: str = "", only: str = "") -> list[Path]:
    """The notebooks from a number on, or the only one of a number, in order.

    Raises:
        UserError: if there are none, or none of the given number.
    """
    folder = repository_root() / "notebooks"
    notebooks = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not notebooks:
        raise UserError(f"There are no notebooks in {folder}. Run from a checkout of the repository.")
    if not (wanted := only or first):
        return notebooks
    by_number, number = {path.name[:2]: path for path in notebooks}, wanted.partition("_")[0].zfill(2)
    if number not in by_number:
        raise UserError(f"There is no notebook {wanted!r}; the notebooks are {', '.join(by_number)}.")
    return [by_number[number]] if only else [path for path in notebooks if path.name >= number]


def check_parameters(notebook: Path, parameters: dict[str, Any]) -> None:
    """Refuses parameters a notebook does not have or that are of another type: papermill would only log them.

    Raises:
        UserError: naming the parameter.
    """
    known = papermill.inspect_notebook(str(notebook))
    for name, value in parameters.items():
        if name not in known:
            raise UserError(f"{notebook.name} has no parameter {name!r}; it has {', '.join(known)}.")
        if type(value).__name__ != (kind := known[name]["inferred_type_name"]):
            raise UserError(f"{name}={value!r} should be of type {kind} ({notebook.name}).")


def stamps_of(notebooks: list[Path], inputs: list[Any]) -> dict[str, str]:
    """What each notebook's outputs follow from, by its name, so that a second run repeats only what changed.

    A stamp covers the notebook's source, the `inputs` that all depend on, the versions of package and training, and
    the stamp of the notebook before. A repeated notebook finds its experiments in the store unless they changed too.
    """
    stamps, stamp = {}, digest([inputs, __version__, TRAINING_VERSION])
    for notebook in notebooks:
        cells = nbformat.read(notebook, as_version=4).cells
        stamp = digest([stamp, [[cell.cell_type, cell.source] for cell in cells]])
        stamps[notebook.stem] = stamp
    return stamps


def _execute(notebook: Path, target: Path, parameters: dict, cell_timeout: int) -> None:
    """Runs one notebook in a kernel of its own; if it fails, what ran is kept beside the target."""
    failed = target.with_name(f"{target.stem}.failed.ipynb")
    try:
        with replacing(target) as temporary:
            try:
                with stderr_to(target.parent / "kernels.log"):
                    limits = {"execution_timeout": cell_timeout or None, "start_timeout": 180}
                    how = {"kernel_name": "python3", "progress_bar": False, **limits}
                    papermill.execute_notebook(str(notebook), str(temporary), parameters, **how)
            except BaseException:
                if temporary.exists():
                    temporary.replace(failed)
                raise
    except PapermillExecutionError as error:
        plain = ANSI_COLOURS.sub("", "\n".join(error.traceback)).splitlines()
        last = [line for line in plain if line.strip()][-ERROR_LINES:-1] if error.ename != "UserError" else []
        detail = "".join(f"\n    {line}" for line in last)
        raise UserError(
            f"{notebook.name}, cell {error.exec_count}: {error.ename}: {error.evalue}{detail}\n"
            f"What ran before is kept; the failed notebook is {failed}. Run the same command again to go on."
        ) from error
    except DeadKernelError as error:
        told = f"{notebook.name}: its kernel died, perhaps since memory ran out; what ran before is in {failed}."
        raise UserError(f"{told} Run the same command again to go on.") from error
    except TimeoutError as error:
        raise UserError(f"{notebook.name}: a cell took longer than {cell_timeout} s; see --timeout. {error}") from error
    failed.unlink(missing_ok=True)


def _scores(row: Result) -> str:
    return f" - age MAE {row.test['age_mae']:.2f} years, gender {100 * row.test['gender_accuracy']:.1f} % ({row.title})"


def _prepare_data(settings: Settings, console: Console) -> str:
    """Reads, checks and decodes the faces before the first notebook; returns their fingerprint."""
    with console.status("Reading faces"):
        dataset = open_dataset(settings.data, settings.runs_folder / "cache")
        faces = limit_faces(dataset.faces, settings.limit).reset_index(drop=True)
    with console.status("Decoding pictures"):
        open_pixels(dataset, faces, settings.changed_profile().start.image_size)
    bad = len(dataset.quarantined)
    console.print(f"Data: {len(dataset.faces)} usable faces, {bad} files quarantined; {len(faces)} used")
    return dataset.fingerprint
