"""How each row of the table follows from the one before it.

A notebook shows its step openly; the same steps stand here, so that a notebook can be opened by itself and the rows
it builds on are computed on the way (a test keeps the two alike).
"""

from collections.abc import Callable
from dataclasses import replace

import optuna

from .config import Experiment, configured_studies
from .errors import UserError
from .experiment import run
from .files import digest
from .results import Result
from .rows import ROWS, full_recipe, get_row
from .training.search import best_experiment, search
from .workspace import Workspace, code_digest

SCHEDULERS = ("plateau", "cosine")


def require_row(workspace: Workspace, name: str) -> Result:
    """The result of a row that another builds on.

    Args:
        workspace: the run.
        name: the row.

    Returns:
        Its current result. In the `sample` profile a missing or stale one is computed first.

    Raises:
        UserError: in other profiles, if it is missing or made from other data or other code.
    """
    result = workspace.store.row(name)
    if result is not None and workspace.key(result.experiment) == result.key:
        return result
    if workspace.profile.needs_data:
        notebook, state = get_row(name).notebook, "made from other data or code" if result else "missing"
        raise UserError(
            f"The result of {name} is {state} in {workspace.folder.name}. Run notebooks/{notebook}.ipynb first, or "
            f"{workspace.command} --from {notebook[:2]}"
        )
    return run(workspace, row_experiment(workspace, name), row=name)


def row_experiment(workspace: Workspace, name: str) -> Experiment:
    """The experiment of a row: the previous row's with the row's change."""
    row = get_row(name)
    if name == "03_baseline":
        return baseline_experiment(workspace)
    previous = require_row(workspace, row.previous).experiment
    found: dict[str, Callable[[Workspace, Experiment], Experiment]] = {
        "05_fine_tune": searched_experiment,
        "08_scheduler": scheduled_experiment,
        "10_full_recipe": lambda _, before: replace(before, **full_recipe(workspace.profile)),
    }
    return found[name](workspace, previous) if name in found else replace(previous, **row.change)


def baseline_experiment(workspace: Workspace) -> Experiment:
    """The frozen baseline: only the two output layers learn, for many epochs, since these cost next to nothing.

    Two linear layers have little to overfit with, so they go without dropout; large batches give steady steps.
    """
    profile = workspace.profile
    return replace(
        workspace.start,
        fine_tune=0.0,
        epochs=profile.head_epochs,
        patience=max(1, profile.head_epochs // 5),
        batch_size=profile.head_batch_size,
        dropout=0.0,
    )


def fine_tune_base(workspace: Workspace, previous: Experiment) -> Experiment:
    """The baseline's experiment with all layers learning, as long and in such batches as the profile's other rows."""
    start = workspace.start
    same = ("epochs", "patience", "batch_size", "dropout")
    return replace(previous, fine_tune=1.0, **{name: getattr(start, name) for name in same})


def fine_tune_study(workspace: Workspace, previous: Experiment, storage: str = "", alone: bool = True) -> optuna.Study:
    """The hyperparameter study, run or gone on with.

    Args:
        workspace: the run.
        previous: the frozen baseline's experiment.
        storage: as for `utkface_mt.training.studies.open_storage`; empty for `study_storage`.
        alone: whether this is the only worker; then the study repeats for the same seed.
    """
    base, name = study_base(workspace, previous), study_name(workspace, previous)
    return search(
        base,
        lambda experiment, callbacks: run(workspace, experiment, callbacks=callbacks).history,
        storage or study_storage(workspace),
        workspace.profile.trials,
        name,
        base.seed if alone else None,
    )


def study_base(workspace: Workspace, previous: Experiment) -> Experiment:
    """The experiment whose fields the trials replace."""
    return replace(fine_tune_base(workspace, previous), epochs=workspace.profile.trial_epochs)


def study_name(workspace: Workspace, previous: Experiment) -> str:
    """Names the study by everything its trials depend on, so that workers meet in the same one only if they may."""
    base = study_base(workspace, previous)
    return f"fine-tune-{digest([workspace.key(base), code_digest('training/search.py')])}"


def study_storage(workspace: Workspace) -> str:
    """Where the study is kept: `UTKFACE_MT_STUDIES`, else an SQLite file beside the results."""
    folder = workspace.folder / "studies"
    folder.mkdir(parents=True, exist_ok=True)
    return configured_studies() or f"sqlite:///{folder / 'studies.db'}"


def searched_experiment(workspace: Workspace, previous: Experiment) -> Experiment:
    """The best trial's hyperparameters, to be trained for as long as the profile's other rows."""
    study = fine_tune_study(workspace, previous)
    return best_experiment(study, fine_tune_base(workspace, previous))


def compare_schedulers(workspace: Workspace, previous: Experiment) -> dict[str, Result]:
    """Trains one run for each scheduler; only the validation set is looked at."""
    return {name: run(workspace, replace(previous, scheduler=name)) for name in SCHEDULERS}


def scheduled_experiment(workspace: Workspace, previous: Experiment) -> Experiment:
    """The previous experiment with the scheduler whose validation loss went lowest."""
    results = compare_schedulers(workspace, previous)
    return replace(previous, scheduler=min(results, key=lambda name: lowest_loss(results[name])))


def sweep_gender_share(workspace: Workspace, experiment: Experiment) -> list[Result]:
    """One run for each point of the profile's loss-weight sweep, and for the two rows it stands between."""
    previous = replace(experiment, gender_share=0.5)
    points = [replace(experiment, gender_share=share) for share in workspace.profile.gender_shares]
    runs = [run(workspace, point) for point in (previous, experiment, *points)]
    return sorted(runs, key=lambda result: result.experiment.gender_share)


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
