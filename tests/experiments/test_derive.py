"""The ladder: every row follows from the one before by its change, and notebooks take the same steps as `rows.py`.

Nothing is trained: what a row builds on is kept beforehand as if it had been, and the functions find it.
"""

import ast
import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest

from utkface_mt.config import PROFILES, Experiment, repository_root
from utkface_mt.experiments.derive import best_row, require_row, row_experiment
from utkface_mt.experiments.results import Result
from utkface_mt.experiments.rows import ROWS, SCHEDULERS, get_row
from utkface_mt.experiments.run import result_key
from utkface_mt.experiments.workspace import Workspace
from utkface_mt.training.search import START
from utkface_mt.util.errors import UserError

STEPS = {"previous", "baseline", "changes", "base", "study", "candidates", "chosen", "experiment", "distribution"}
RESULTS = {"10_full_recipe": "recipe"}  # what a notebook calls a row's experiment, where it is not `experiment`


@pytest.fixture
def keep(predictions: Callable) -> Callable[..., None]:
    """Keeps an experiment as if it had been trained, as a row or without one."""

    def write(workspace: Workspace, experiment: Experiment, row: str = "", loss: float = 0.1, error: float = 5) -> None:
        key = result_key(workspace, experiment)
        workspace.store.save_predictions(key, "validation", predictions(error))
        workspace.store.save_predictions(key, "test", predictions(10 - error))  # the other way round
        entry = {"row": row, "notebook": get_row(row).notebook, "title": row} if row else {}
        history = [{"loss": 1 - loss, "val_loss": loss}, {"loss": 0.0, "val_loss": loss + 1}]
        workspace.store.save(Result(key, experiment, workspace.profile.name, history, 1.0, **entry))

    return write


def _climb(workspace: Workspace, keep: Callable) -> dict[str, Experiment]:
    """Every row's experiment from `rows.py`, each kept for the next; the study's first trial and the cosine win."""
    made = {}
    for row in ROWS[1:]:
        if row.found == "search":
            trial = replace(workspace.start, **row.changes(workspace.profile), epochs=workspace.profile.trial_epochs)
            keep(workspace, replace(trial, **{**START, **workspace.profile.first_trial}))
        if row.found == "comparison":
            for loss, name in zip((0.5, 0.4), SCHEDULERS, strict=True):
                keep(workspace, replace(made[row.previous], scheduler=name), loss=loss)
        made[row.name] = row_experiment(workspace, row.name)
        keep(workspace, made[row.name], row.name)
    return made


def _steps(notebook: str, workspace: Workspace) -> dict[str, Any]:
    """Executes what a notebook imports and the assignments by which it comes to its experiments."""
    cells = nbformat.read(repository_root() / "notebooks" / f"{notebook}.ipynb", as_version=4).cells
    names: dict[str, Any] = {"workspace": workspace}
    for cell in (cell for cell in cells if cell.cell_type == "code"):
        for statement in ast.parse(cell.source).body:
            target = ast.unparse(statement.targets[0]) if isinstance(statement, ast.Assign) else ""
            wanted = target in STEPS | set(RESULTS.values()) and target not in names
            if wanted or isinstance(statement, ast.Import | ast.ImportFrom):
                with contextlib.suppress(NameError):  # it needs what is measured: no step on the way
                    exec(compile(ast.Module([statement], []), notebook, "exec"), names)
    return names


@pytest.mark.parametrize("profile", PROFILES)
def test_notebooks_take_the_same_steps_as_the_rows_in_every_profile(
    profile: str, workspace: Workspace, keep: Callable, tmp_path: Path
):
    chosen = replace(PROFILES[profile], trials=1)
    settings = replace(workspace.settings, profile=profile)
    climbed = replace(workspace, settings=settings, profile=chosen, start=chosen.start, folder=tmp_path)
    made = _climb(climbed, keep)
    for row in ROWS[1:]:
        before = climbed.start if row.starts_over else made[row.previous]
        found = {"search": set(START), "comparison": {"scheduler"}}.get(row.found, set())
        assert set(before.differences(made[row.name])) <= set(row.changes(chosen)) | found
        shown = _steps(row.notebook, climbed)[RESULTS.get(row.name, "experiment")]
        assert shown == made[row.name], f"{row.notebook} and rows.py differ: {shown.differences(made[row.name])}"
    assert made["05_fine_tune"].learning_rate == {**START, **chosen.first_trial}["learning_rate"]
    assert made["08_scheduler"].scheduler == "cosine"


def test_a_missing_row_is_computed_on_the_way_in_the_sample_only(
    workspace: Workspace, baseline: Result, tmp_path: Path
):
    assert require_row(workspace, "03_baseline") == baseline
    real = replace(workspace, profile=PROFILES["cpu"], folder=tmp_path)
    with pytest.raises(UserError, match=r"missing .*Run notebooks/03_baseline.ipynb first, or .*from 03"):
        require_row(real, "03_baseline")


def test_a_row_made_from_other_data_is_not_taken_for_this_one(workspace: Workspace, baseline: Result):
    real = replace(workspace, faces=workspace.faces.iloc[:-1], profile=PROFILES["cpu"])
    with pytest.raises(UserError, match="made from other data or by another version"):
        require_row(real, "03_baseline")


def test_the_best_row_is_chosen_on_the_validation_faces(workspace: Workspace, keep: Callable, tmp_path: Path):
    lone = replace(workspace, profile=PROFILES["cpu"], folder=tmp_path)
    errors = {"03_baseline": 9.0, "09_loss_weights": 4.0, "10_full_recipe": 6.0}
    for seed, (row, error) in enumerate(errors.items()):
        keep(lone, replace(lone.start, seed=seed), row, error=error)
    assert best_row(lone).row == "09_loss_weights"


def test_every_row_is_compared_with_the_one_before_and_an_unknown_one_is_refused():
    names = [row.name for row in ROWS]
    assert [get_row(name).previous for name in names[1:]] == ["00_constant", *names[1:-1]]
    assert [row.name for row in ROWS] == sorted(names)
    with pytest.raises(UserError, match="no row '99'"):
        get_row("99")
