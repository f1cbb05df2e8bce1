"""Shared fixtures: a small drawn dataset, and a run folder of the tests' own."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings

from utkface_mt.config import PROFILES
from utkface_mt.data.dataset import Dataset, open_dataset
from utkface_mt.drawn_faces.sample import write_sample

FACES = 160

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def repeatable() -> None:
    """Each test draws the same random weights at each run: Keras takes its seeds from Python's generator."""
    random.seed(0)


@pytest.fixture(scope="session")
def faces_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("faces") / "UTKFace", FACES, seed=7)


@pytest.fixture(scope="session")
def dataset(faces_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return open_dataset(str(faces_folder), tmp_path_factory.mktemp("storage"))


@pytest.fixture(scope="session")
def session_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UTKFACE_MT_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def workspace(faces_folder: Path, session_runs: Path, monkeypatch: pytest.MonkeyPatch):
    """A workspace on the small dataset with tiny pictures; the results of one test are there for the next."""
    from utkface_mt.experiments.workspace import open_workspace

    monkeypatch.setenv("UTKFACE_MT_RUNS", str(session_runs))
    opened = open_workspace(data=str(faces_folder))
    start = replace(opened.start, image_size=48, epochs=2)
    return replace(opened, start=start, profile=replace(PROFILES["sample"], head_epochs=3))
