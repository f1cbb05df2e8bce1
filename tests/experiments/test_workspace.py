"""Workspaces: what is wrong is named before any work, and results are kept by everything that decides them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from utkface_mt.config import Settings
from utkface_mt.experiments.workspace import Workspace, open_workspace
from utkface_mt.model.backbones import build_backbone
from utkface_mt.util.errors import UserError


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weights": "nowhere"}, "weights='nowhere'"),
        ({"strategy": "two"}, "strategy='two' is unknown"),
        ({"data": "missing"}, "There is no dataset at"),
    ],
)
def test_what_cannot_be_used_is_named_before_any_work(given: dict, message: str, faces_folder: Path, tmp_path: Path):
    given = {"data": str(faces_folder), "runs": str(tmp_path / "runs"), **given}
    if given["data"] == "missing":
        given["data"] = str(tmp_path / "missing")
    with pytest.raises(UserError, match=message):
        open_workspace(Settings(**given))
    assert not (tmp_path / "runs").exists()


def test_a_weights_file_is_used_by_runs_that_were_given_it_and_no_other(
    workspace: Workspace, faces_folder: Path, tmp_path: Path
):
    path = tmp_path / "mine.weights.h5"
    build_backbone("mobilenet_v2", 0.35, 32, "none").save_weights(path)
    opened = open_workspace(replace(workspace.settings, weights=str(path)))
    assert opened.start.weights.startswith("mine.weights.h5@")
    assert opened.weights_path(opened.start) == path
    assert workspace.weights_path(workspace.start) is None
    with pytest.raises(UserError, match="give the same weights"):
        workspace.weights_path(opened.start)


def test_the_command_makes_the_run_again_and_names_no_folder(workspace: Workspace, tmp_path: Path):
    settings = Settings(
        data=str(tmp_path / "My UTKFace.zip"), profile="cpu", epochs=3, runs=str(tmp_path), tensorboard=True
    )
    command = replace(workspace, settings=settings).command
    assert command == "python -m utkface_mt run --profile cpu --data 'My UTKFace.zip' --epochs 3"


def test_what_trains_and_what_decides_are_those_parts_of_the_split(workspace: Workspace):
    data = workspace.training_data(np.zeros((len(workspace.faces), 1)))
    assert set(workspace.faces["part"].iloc[data.train]) == {"train"}
    assert set(workspace.faces["part"].iloc[data.validation]) == {"validation"}
    assert (len(data.train), len(data.validation)) == (len(workspace.part("train")), len(workspace.part("validation")))
    assert workspace.age_head(workspace.start).mean == pytest.approx(workspace.part("train")["age"].mean())


def test_the_seed_is_that_of_training_and_a_limit_gets_a_split_of_its_own(workspace: Workspace):
    other = open_workspace(replace(workspace.settings, seed=3))
    assert other.start.seed == 3
    assert other.faces["part"].equals(workspace.faces["part"])
    few = open_workspace(replace(workspace.settings, limit=150))
    assert len(few.faces) == 150
    assert few.faces["part"].notna().all()


def test_every_face_is_named_once_and_no_picture_stands_on_two_sides(workspace: Workspace):
    faces = workspace.faces
    assert faces["file"].is_unique
    assert (faces.groupby("sha256")["part"].nunique() == 1).all()
