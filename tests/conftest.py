"""Shared fixtures: a small drawn dataset, a tiny workspace with one trained row, and what a kill would have left.

Settings name the folder of a run, so that nothing here touches the environment or the runs of a checkout.
"""

import os
import random
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from utkface_mt.drawn_faces.sample import write_sample

if TYPE_CHECKING:
    from utkface_mt.data.dataset import Dataset
    from utkface_mt.experiments.results import Result
    from utkface_mt.experiments.workspace import Workspace

FACES = 160

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def repeatable() -> None:
    """Each test draws the same random weights at each run: Keras takes its seeds from Python's generator."""
    random.seed(0)


@pytest.fixture(scope="session")
def faces_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of drawn faces with the defects of a sample."""
    return write_sample(tmp_path_factory.mktemp("faces") / "UTKFace", FACES, seed=7)


@pytest.fixture(scope="session")
def dataset(faces_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> "Dataset":
    """Those faces, opened."""
    from utkface_mt.data.dataset import open_dataset

    return open_dataset(str(faces_folder), tmp_path_factory.mktemp("storage"))


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runs folder of one test, for what reads the environment."""
    monkeypatch.setenv("UTKFACE_MT_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture(scope="session")
def workspace(faces_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> "Workspace":
    """A workspace on the drawn faces with pictures of 48 pixels and few epochs; what one test trains the next finds.

    A test that must train anew takes `replace(workspace, folder=tmp_path / "run")`.
    """
    from utkface_mt.config import Settings
    from utkface_mt.experiments.workspace import open_workspace

    opened = open_workspace(Settings(data=str(faces_folder), runs=str(tmp_path_factory.mktemp("runs"))))
    start = replace(opened.start, image_size=48, epochs=2)
    profile = replace(opened.profile, start=start, trials=2, trial_epochs=1, changes={"03_baseline": {"epochs": 3}})
    return replace(opened, start=start, profile=profile)


@pytest.fixture(scope="session")
def baseline(workspace: "Workspace") -> "Result":
    """The row 03_baseline of the tiny workspace, trained once for all tests."""
    from utkface_mt.experiments.derive import row_experiment
    from utkface_mt.experiments.run import run

    return run(workspace, row_experiment(workspace, "03_baseline"), row="03_baseline")


class Moments:
    """Copies of a folder, one before each change to it: what a kill at that moment would have left on the disk.

    Changes are opening for writing, renaming, removing, and making a folder, as Python announces them to audit hooks.
    """

    CHANGES = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir")
    watching: "Moments | None" = None  # audit hooks cannot be taken away again: one serves all

    def __init__(self, copies: Path) -> None:
        """Copies go below `copies`."""
        self.copies, self.count, self._folder = copies, 0, copies

    @contextmanager
    def of(self, folder: Path) -> Iterator["Moments"]:
        """Copies `folder` before each change to it while the block runs."""
        self._folder, Moments.watching = folder, self
        try:
            yield self
        finally:
            Moments.watching = None

    @classmethod
    def look(cls, event: str, arguments: tuple) -> None:
        """The audit hook."""
        moments = cls.watching
        if moments is None or event not in cls.CHANGES or not isinstance(arguments[0], str | Path):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        if Path(arguments[0]).is_relative_to(moments._folder):
            cls.watching = None
            moments._copy()
            cls.watching = moments

    def _copy(self) -> None:
        copy = self.copies / f"{self.count:03d}"
        self.count += 1
        if self._folder.exists():
            shutil.copytree(self._folder, copy)
        else:
            copy.mkdir(parents=True)

    def __iter__(self) -> Iterator[Path]:
        return iter(sorted(self.copies.iterdir()))


sys.addaudithook(Moments.look)


@pytest.fixture
def moments(tmp_path_factory: pytest.TempPathFactory) -> Moments:
    """Records what a kill would have left: `with moments.of(folder): ...`, then `for copy in moments`."""
    return Moments(tmp_path_factory.mktemp("moments"))
