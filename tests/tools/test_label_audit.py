"""Out-of-fold answers: every face once, by networks that were not trained on it; folds that are done are kept."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tools.label_audit import WAYS, audit, compare
from utkface_mt.experiments import run as running
from utkface_mt.experiments.workspace import Workspace


@pytest.mark.slow
def test_every_face_is_answered_once_and_finished_folds_are_kept(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    workspace = replace(workspace, folder=tmp_path / "label_audit")
    experiment = replace(workspace.start, epochs=1, fine_tune=0.0)
    labels = audit(workspace, experiment, folds=2)
    assert sorted(labels["file"]) == sorted(workspace.faces["file"])
    for folder in sorted((workspace.folder / "experiments").iterdir()):
        assert (folder / "predictions-validation.csv.gz").exists()
    assert {"age", "gender", "race", "age_low", "age_high", "gender_suspicion", "age_suspicion", "twins"} <= set(labels)
    doubted = labels.assign(gender_suspicion=np.arange(len(labels)) % 3 / 2)
    compared = compare(workspace, replace(experiment, epochs=2), doubted, seeds=(0,))
    assert set(compared.index.get_level_values(1)) == set(WAYS)
    assert (compared.loc[0, "all"]["difference"] == 0).all()
    for way in ("half", "none"):
        assert (compared.loc[0, way]["difference"] != 0).any()
    monkeypatch.setattr(running, "_train", lambda *_: pytest.fail("a finished fold was trained again"))
    assert audit(workspace, experiment, folds=2).equals(labels)
