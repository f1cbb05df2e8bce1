"""The notebooks in order, headless: checked first, run one kernel each, gone on with after a stop."""

import contextlib
import logging
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from .config import get_profile, repository_root, runs_root
from .data.dataset import open_dataset
from .data.pixels import open_pixels
from .data.split import limit_faces
from .errors import UserError
from .files import digest, file_digest, read_json, replacing, write_json
from .locks import RUNNER, await_workers, holding, left_behind, lock_path
from .model.weights import weights_identity
from .report import write_report
from .results import ResultStore, results_table
from .streams import stderr_to

ANSI_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
ERROR_LINES = 8  # of a failed cell's traceback are shown
KINDS = {"str": str, "int": int, "float": float, "bool": bool}


@dataclass(frozen=True)
class SequenceOptions:
    """What is to be run.

    Attributes:
        profile: `sample`, `cpu` or `full`.
        data: `sample`, `kaggle`, or a path.
        weights: where the backbone starts; empty for the profile's default.
        first: number of the first notebook, such as `05`; empty for all.
        only: number of the only notebook.
        fresh: puts the earlier run aside instead of going on with it.
        cell_timeout: seconds one cell may take; 0 for no limit.
        parameters: further parameters, as in the notebooks' parameters cell.
    """

    profile: str = "sample"
    data: str = "sample"
    weights: str = ""
    first: str = ""
    only: str = ""
    fresh: bool = False
    cell_timeout: int = 86_400
    parameters: dict[str, Any] = field(default_factory=dict)

    def notebook_parameters(self) -> dict[str, Any]:
        """Everything that is handed to each notebook; paths are absolute, since kernels run elsewhere."""
        named = ("sample", "kaggle")
        data = self.data if self.data in named else str(Path(self.data).expanduser().resolve())
        weights = self.weights
        if "@" in weights_identity(weights or "none"):
            weights = str(Path(weights).expanduser().resolve())
        return {"profile": self.profile, "data": data, "weights": weights, **self.parameters}


def run_sequence(options: SequenceOptions, console: Console) -> Path:
    """Runs the notebooks and writes the report.

    Args:
        options: what to run.
        console: where progress goes.

    Returns:
        The path of `index.html`.

    Raises:
        UserError: before anything runs, if an option is wrong; afterwards, if a notebook fails. What succeeded is
            kept, and the next call goes on after it.
    """
    profile = get_profile(options.profile)
    if profile.needs_data and options.data == "sample":
        raise UserError(f"The profile {options.profile} is for UTKFace: give --data, a folder, an archive or 'kaggle'.")
    parameters = options.notebook_parameters()
    notebooks = choose_notebooks(options)
    for notebook in notebooks:
        check_parameters(notebook, parameters)
    folder = runs_root() / options.profile
    with _run_of_its_own(folder, console):
        if options.fresh:
            _put_aside(folder)
        fingerprint = _prepare_data(parameters, profile.start.image_size, console)
        inputs = [parameters, fingerprint, _weights_digest(options.weights)]
        _execute_all(notebooks, parameters, Stamps(folder / "notebooks" / "stamps.json", inputs), options, console)
        return _conclude(folder, options.profile, console)


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


def _conclude(folder: Path, profile: str, console: Console) -> Path:
    """Prints the table and writes the report."""
    store = ResultStore(folder)
    console.print(results_table(row.table_row() for row in store.rows()).to_markdown(index=False), soft_wrap=True)
    if profile == "sample":
        console.print("Drawn sample faces: these figures show that the code runs, they say nothing of UTKFace.")
    report = write_report(folder, profile)
    console.print(f"Report: {report}", soft_wrap=True)
    return report


def choose_notebooks(options: SequenceOptions) -> list[Path]:
    """The notebooks that the options ask for, in order.

    Raises:
        UserError: if there are none, or none of the given number.
    """
    folder = repository_root() / "notebooks"
    notebooks = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not notebooks:
        raise UserError(f"There are no notebooks in {folder}. Run from a checkout of the repository.")
    numbers = [path.name[:2] for path in notebooks]
    for wanted in filter(None, (options.first, options.only)):
        if wanted.zfill(2)[:2] not in numbers:
            raise UserError(f"There is no notebook {wanted!r}; the notebooks are {', '.join(numbers)}.")
    if options.only:
        return [path for path in notebooks if path.name.startswith(options.only.zfill(2)[:2])]
    return [path for path in notebooks if path.name[:2] >= options.first.zfill(2)[:2] or not options.first]


def check_parameters(notebook: Path, parameters: dict[str, Any]) -> None:
    """Refuses parameters a notebook does not have or that are of another type: papermill would only log them.

    Raises:
        UserError: naming the parameter.
    """
    known = papermill.inspect_notebook(str(notebook))
    for name, value in parameters.items():
        if name not in known:
            raise UserError(f"{notebook.name} has no parameter {name!r}; it has {', '.join(known)}.")
        kind = KINDS[known[name]["inferred_type_name"]]
        if type(value) is not kind:
            raise UserError(f"{name}={value!r} should be of type {kind.__name__} ({notebook.name}).")


class Stamps:
    """Remembers with what each notebook was last run, so that a second run repeats only what changed.

    A notebook's stamp covers its source, the parameters, the data, the package's code and the stamp of the notebook
    before it. A repeated notebook finds its experiments in the results store unless they changed too.
    """

    def __init__(self, path: Path, inputs: list[Any]) -> None:
        """Opens the stamps at `path`; `inputs` is what all notebooks depend on."""
        self.path = path
        self._stamps: dict[str, str] = read_json(path) if path.exists() else {}
        package = Path(__file__).parent
        code = [file_digest(file) for file in sorted(package.rglob("*.py"))]
        self._chain = digest([inputs, code])

    def advance(self, notebook: Path) -> tuple[str, bool]:
        """Moves on to a notebook.

        Returns:
            Its stamp, and whether its last run carries the same.
        """
        cells = nbformat.read(notebook, as_version=4).cells
        self._chain = digest([self._chain, [[cell.cell_type, cell.source] for cell in cells]])
        return self._chain, self._stamps.get(notebook.stem) == self._chain

    def record(self, notebook: Path, stamp: str) -> None:
        """Notes that a notebook ran well."""
        self._stamps[notebook.stem] = stamp
        write_json(self.path, self._stamps)


def _execute_all(
    notebooks: list[Path], parameters: dict, stamps: Stamps, options: SequenceOptions, console: Console
) -> None:
    logging.getLogger("papermill").setLevel(logging.ERROR)
    output = runs_root() / options.profile / "notebooks"
    store = ResultStore(runs_root() / options.profile)
    for number, notebook in enumerate(notebooks, start=1):
        label = f"[{number}/{len(notebooks)}] {notebook.stem}"
        stamp, current = stamps.advance(notebook)
        if current and (output / notebook.name).exists() and not options.only:
            console.print(f"{label}: up to date")
            continue
        started = time.monotonic()
        with _progress(console) as progress:
            progress.add_task(label, total=None)
            _execute(notebook, output / notebook.name, parameters, options.cell_timeout)
        stamps.record(notebook, stamp)
        metric = _last_metric(store, notebook.stem)
        console.print(f"{label}: {time.monotonic() - started:.0f} s{metric}", soft_wrap=True)


def _execute(notebook: Path, target: Path, parameters: dict, cell_timeout: int) -> None:
    """Runs one notebook in a kernel of its own.

    Raises:
        UserError: with notebook, cell and last lines of the error; the partial notebook is kept beside the target.
    """
    failed = target.with_name(f"{target.stem}.failed.ipynb")
    try:
        with replacing(target) as temporary:
            try:
                with stderr_to(target.parent / "kernels.log"):
                    papermill.execute_notebook(
                        str(notebook),
                        str(temporary),
                        parameters=parameters,
                        kernel_name="python3",
                        progress_bar=False,
                        execution_timeout=cell_timeout or None,
                        start_timeout=180,
                    )
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
    except TimeoutError as error:
        raise UserError(f"{notebook.name}: a cell took longer than {cell_timeout} s; see --timeout. {error}") from error
    failed.unlink(missing_ok=True)


def _last_metric(store: ResultStore, notebook: str) -> str:
    rows = [row for row in store.rows() if row.notebook == notebook and row.test]
    if not rows:
        return ""
    row = rows[-1]
    return f" - age MAE {row.test['age_mae']:.2f} years, gender {100 * row.test['gender_accuracy']:.1f} % ({row.title})"


def _prepare_data(parameters: dict, size: int, console: Console) -> str:
    """Reads, checks and decodes the faces before the first notebook, with progress; returns their fingerprint."""
    with _progress(console) as progress:

        def report(title: str) -> Any:
            task = progress.add_task(title, total=None)
            return lambda done, total: progress.update(task, completed=done, total=total or None)

        dataset = open_dataset(parameters["data"], runs_root() / "cache", report)
        faces = limit_faces(dataset.faces, parameters.get("limit", 0)).reset_index(drop=True)
        open_pixels(dataset, faces, size, progress=report("Decoding pictures"))
    bad = len(dataset.quarantined)
    console.print(f"Data: {len(dataset.faces)} usable faces, {bad} files quarantined; {len(faces)} used")
    return dataset.fingerprint


def _weights_digest(weights: str) -> str:
    return weights_identity(weights) if weights else ""


def _put_aside(folder: Path) -> None:
    """Renames an earlier run; a run put aside before it gets the next number."""
    if folder.exists():
        free = next(path for path in _numbered(folder) if not path.exists())
        folder.rename(free)


def _numbered(folder: Path) -> Iterator[Path]:
    number = 1
    while True:
        yield folder.with_name(f"{folder.name}-before-{number}")
        number += 1


def _progress(console: Console) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
