"""A row trained again, beside the row of the reference."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from tools import reproduce as reproducing
from utkface_mt.config import Experiment
from utkface_mt.evaluation.metrics import score
from utkface_mt.experiments.results import ResultStore

from .conftest import save_run

if TYPE_CHECKING:
    from utkface_mt.experiments.results import Result
    from utkface_mt.experiments.workspace import Workspace


def test_the_same_figures_lie_within_the_interval_and_far_worse_ones_do_not(tmp_path: Path):
    store = ResultStore(tmp_path)
    row = save_run(tmp_path, "03_baseline", 9.0)
    before = store.predictions(row, "test")
    again = save_run(tmp_path, "03_baseline", 9.0, Experiment(seed=1), repeat=True)
    table = reproducing.compare(row, before, again, store.predictions(again, "test"))
    assert table.loc["age_mae", "reference"] == row.test["age_mae"]
    assert table.loc["age_mae", "difference"] == pytest.approx(again.test["age_mae"] - row.test["age_mae"])
    worse = before.assign(age=before["age"] + 60)
    table = reproducing.compare(row, before, replace(again, test=score(worse)), worse)
    assert not table.loc["age_mae", "within"]
    assert table.loc["gender_accuracy", "within"]
    assert table.loc["age_mae", "difference_low"] > 0


def test_other_test_faces_are_compared_by_their_scores_alone(tmp_path: Path):
    row = save_run(tmp_path, "03_baseline", 9.0)
    before = ResultStore(tmp_path).predictions(row, "test")
    table = reproducing.compare(row, before, row, before.iloc[:10])
    assert table["within"].all()
    assert "difference" not in table


@pytest.mark.slow
def test_a_row_trained_again_gives_the_same_figures(
    workspace: "Workspace", baseline: "Result", monkeypatch: pytest.MonkeyPatch
):
    predictions = workspace.store.predictions(baseline, "test")
    monkeypatch.setattr(reproducing, "measured_result", lambda row, profile: baseline)
    monkeypatch.setattr(reproducing, "measured_predictions", lambda row: predictions)
    again, table = reproducing.reproduce(workspace, "03_baseline", seed=0)
    assert again.repeat
    assert table["within"].all()
    assert table["difference"].abs().max() < 0.02
    kept = ResultStore(workspace.folder.parent / "reproduced" / "sample").rows("repeats")
    assert [result.name for result in kept] == ["03_baseline-seed0"]
    assert isinstance(table, pd.DataFrame)
