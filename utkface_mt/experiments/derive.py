"""How each row of the table follows from the one before it, by the changes that `rows` holds.

A notebook shows its change openly with `replace(...)`; here the same experiments are made from the data in `rows`, so
that a notebook can be opened by itself and the rows it builds on are computed on the way (a test compares the two).
"""

from dataclasses import replace

from ..config import Experiment
from ..training.search import best_parameters
from ..util.errors import UserError
from .results import Result
from .rows import ROWS, SCHEDULERS, get_row
from .run import result_key, run
from .search_workers import fine_tune_study
from .workspace import Workspace


def require_row(workspace: Workspace, name: str) -> Result:
    """The current result of a row that another builds on; in the sample profile a missing or stale one is computed.

    Raises:
        UserError: in other profiles, if it is missing or made from other data or by another version.
    """
    result = workspace.store.row(name)
    if result is not None and result_key(workspace, result.experiment) == result.key:
        return result
    if workspace.profile.needs_data:
        notebook, state = get_row(name).notebook, "made from other data or by another version" if result else "missing"
        raise UserError(
            f"The result of {name} is {state} in {workspace.folder.name}. Run notebooks/{notebook}.ipynb first, or "
            f"{workspace.command} --from {notebook[:2]}"
        )
    return run(workspace, row_experiment(workspace, name), row=name)


def row_experiment(workspace: Workspace, name: str) -> Experiment:
    """The experiment of a row: the previous row's with the row's change, and with what is found by trying."""
    row = get_row(name)
    before = workspace.start if row.starts_over else require_row(workspace, row.previous).experiment
    experiment = replace(before, **row.changes(workspace.profile))
    if row.found == "search":
        return replace(experiment, **best_parameters(fine_tune_study(workspace, experiment)))
    if row.found == "comparison":
        losses = {name: lowest_loss(one) for name, one in compare_schedulers(workspace, experiment).items()}
        return replace(experiment, scheduler=min(losses, key=losses.get))
    return experiment


def compare_schedulers(workspace: Workspace, experiment: Experiment) -> dict[str, Result]:
    """Trains one run for each scheduler; only the validation set is looked at."""
    return {name: run(workspace, replace(experiment, scheduler=name)) for name in SCHEDULERS}


def lowest_loss(result: Result) -> float:
    """The lowest validation loss of a result's history."""
    return min(epoch["val_loss"] for epoch in result.history)


def best_row(workspace: Workspace) -> Result:
    """The row whose age error on the validation faces is lowest: the model to look at more closely.

    Raises:
        UserError: outside the sample profile, if the full recipe has not been run.
    """
    require_row(workspace, ROWS[-1].name)
    rows = [result for result in workspace.store.rows() if result.history]
    return min(rows, key=lambda result: result.validation["age_mae"])
