"""Everything a notebook works on: the profile, the faces with their split, the pictures, the results store."""

import shlex
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from ..config import TRAINING_VERSION, Experiment, Profile, Settings
from ..data.dataset import Dataset, open_dataset
from ..data.pixels import open_pixels
from ..data.split import PARTS, assign_parts, limit_faces
from ..model.age import AgeHead
from ..model.weights import weights_identity
from ..training.fit import TrainingData
from ..training.strategy import get_strategy
from ..training.workers import introduce, name_workers
from ..util.errors import UserError
from ..util.files import digest, write_table
from ..util.locks import join_run
from ..util.runtime import library_versions
from .results import ResultStore

WITHOUT_EFFECT = ("tensorboard", "studies", "runs", "strategy", "workers", "rank")  # settings that change no figure
SPLIT_SEED = 0  # the split is the same for every seed of training, so that rows stay comparable


@dataclass(frozen=True)
class Workspace:
    """One profile on one dataset."""

    settings: Settings  # how it was opened
    profile: Profile
    dataset: Dataset
    faces: pd.DataFrame  # those used, with the column `part`; positions in it are positions in the arrays
    start: Experiment  # which every row starts from
    folder: Path  # of this run's results

    @cached_property
    def store(self) -> ResultStore:
        """The results of this run."""
        return ResultStore(self.folder)

    @property
    def label(self) -> str:
        """On which faces this run's figures were measured: how their captions begin."""
        return "Drawn sample" if self.settings.data == "sample" else f"This run on UTKFace, profile {self.profile.name}"

    @property
    def command(self) -> str:
        """The command that makes the run again; it names files without their folders."""
        given = asdict(self.settings)
        for name in ("data", "weights"):
            given[name] = given[name] and Path(given[name]).name
        default = asdict(Settings()) | {"profile": None, "data": None}
        default |= {name: given[name] for name in WITHOUT_EFFECT}
        flags = (f" --{name} {shlex.quote(str(value))}" for name, value in given.items() if value != default[name])
        return "python -m utkface_mt run" + "".join(flags)

    def positions(self, part: str) -> np.ndarray:
        """The positions of a part's faces, ascending."""
        return np.flatnonzero((self.faces["part"] == part).to_numpy())

    def part(self, name: str) -> pd.DataFrame:
        """The faces of one part."""
        return self.faces[self.faces["part"] == name]

    def age_head(self, experiment: Experiment) -> AgeHead:
        """How an experiment predicts ages, on the scale of the training faces."""
        return AgeHead.fit(self.part("train")["age"].to_numpy(), experiment.age_head, experiment.age_decoding)

    def pixels(self, experiment: Experiment) -> np.ndarray:
        """The pictures of `faces` as an experiment sees them, uint8 `[n, size, size, 3]`, memory-mapped."""
        return open_pixels(self.dataset, self.faces, experiment.image_size, experiment.crop)

    def training_data(self, source: np.ndarray) -> TrainingData:
        """What `fit` needs, over pictures or features in the order of `faces`."""
        ages, genders = (self.faces[name].to_numpy() for name in ("age", "gender"))
        train, validation = self.positions("train"), self.positions("validation")
        return TrainingData(source, train, validation, ages, genders, self.faces["file"].tolist())

    @cached_property
    def data_digest(self) -> str:
        """Identifies faces, labels and split."""
        return digest(self.faces[["file", "sha256", "part"]].astype(str).to_numpy().tolist())

    def weights_path(self, experiment: Experiment) -> Path | None:
        """The weights file an experiment names.

        Raises:
            UserError: if this workspace was opened with other weights.
        """
        if "@" not in experiment.weights:
            return None
        if experiment.weights != self.start.weights:
            raise UserError(
                f"The experiment starts from {experiment.weights}, this run from {self.start.weights}: "
                "give the same weights as the rows before, or start afresh with --fresh."
            )
        return Path(self.settings.weights).expanduser()


def open_workspace(settings: Settings) -> Workspace:
    """Opens a workspace, as every notebook does before its experiment.

    Raises:
        UserError: if the data or the weights cannot be used, or the folder holds results of another version.
    """
    name_workers(settings.workers, settings.rank)
    get_strategy(settings.strategy)
    profile = settings.changed_profile()
    weights = weights_identity(settings.weights or profile.start.weights)
    start = replace(profile.start, weights=weights, seed=settings.seed)
    dataset = open_dataset(settings.data, settings.runs_folder / "cache")
    faces = limit_faces(dataset.faces, settings.limit, SPLIT_SEED).reset_index(drop=True)
    split = dataset.storage / f"split-{digest([faces['file'].to_list(), SPLIT_SEED, TRAINING_VERSION])}.csv.gz"
    if not split.exists():  # dealing out takes a while for many faces
        write_table(split, assign_parts(faces, SPLIT_SEED).to_frame())
    faces["part"] = pd.read_csv(split)["part"].astype(pd.CategoricalDtype(list(PARTS), ordered=True))
    folder = settings.runs_folder / settings.profile
    join_run(folder)
    ResultStore(folder)  # one that cannot be read is told now and not after hours of training
    workspace = Workspace(settings, profile, dataset, faces, start, folder)
    if settings.strategy == "multiworker":
        experiment = digest([start.to_dict(), asdict(profile)])
        versions = {**library_versions(), "training": TRAINING_VERSION}
        introduce({"version": versions, "data set": workspace.data_digest, "experiment": experiment})
    return workspace
