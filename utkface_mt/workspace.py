"""Everything a notebook works on: the profile, the faces with their split, the pictures, the results store."""

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from .config import Experiment, Profile, get_profile, runs_root
from .data.batches import AgeScale
from .data.dataset import Dataset, open_dataset
from .data.pixels import open_pixels
from .data.split import PARTS, assign_parts, limit_faces
from .errors import UserError
from .files import digest, file_digest, replacing
from .locks import join_run
from .model.weights import bundled_path, weights_identity
from .results import ResultStore
from .training.fit import TrainingData
from .training.strategy import get_strategy

SPLIT_SEED = 0  # the split is the same for every seed of training, so that rows stay comparable
_CODE = (  # what the numbers depend on
    *(f"data/{name}.py" for name in ("batches", "pixels", "split")),
    *(f"model/{name}.py" for name in ("augment", "backbones", "losses", "network", "normalisation")),
    *(f"training/{name}.py" for name in ("answers", "checkpoint", "features", "fit", "optimizers")),
    *(f"training/{name}.py" for name in ("schedule", "soft_labels", "strategy")),
)


@dataclass(frozen=True)
class Workspace:
    """One profile on one dataset.

    Attributes:
        profile: how much of everything.
        dataset: the faces on disk.
        faces: the faces used, with the column `part`; positions in it are positions in the arrays.
        start: the experiment every row starts from.
        weights_path: the file the backbone starts from, if it is one.
        folder: where this run's results lie.
        command: the command that makes the run again.
        strategy: how training is spread over devices, `auto` or `mirrored`.
    """

    profile: Profile
    dataset: Dataset
    faces: pd.DataFrame
    start: Experiment
    weights_path: Path | None
    folder: Path
    command: str
    strategy: str = "auto"

    @property
    def replicas(self) -> int:
        """How many devices share a batch."""
        return get_strategy(self.strategy).num_replicas_in_sync

    @property
    def store(self) -> ResultStore:
        """The results of this run."""
        return ResultStore(self.folder)

    def positions(self, part: str) -> np.ndarray:
        """The positions of a part's faces, ascending."""
        return np.flatnonzero((self.faces["part"] == part).to_numpy())

    def part(self, name: str) -> pd.DataFrame:
        """The faces of one part."""
        return self.faces[self.faces["part"] == name]

    @cached_property
    def scale(self) -> AgeScale:
        """The training ages' mean and standard deviation."""
        return AgeScale.fit(self.part("train")["age"].to_numpy())

    def pixels(self, experiment: Experiment) -> np.ndarray:
        """The pictures of `faces` as an experiment sees them, uint8 `[n, size, size, 3]`, memory-mapped."""
        return open_pixels(self.dataset, self.faces, experiment.image_size, experiment.crop)

    def training_data(self, source: np.ndarray) -> TrainingData:
        """What `fit` needs, over pictures or features in the order of `faces`."""
        faces = self.faces
        ages, genders, files = faces["age"].to_numpy(), faces["gender"].to_numpy(), faces["file"].tolist()
        train, validation = self.positions("train"), self.positions("validation")
        return TrainingData(source, train, validation, ages, genders, self.scale, files)

    @cached_property
    def data_digest(self) -> str:
        """Identifies faces, labels and split: what training depends on besides the experiment and the code."""
        columns = self.faces[["file", "sha256", "part"]].astype(str)
        return digest(columns.to_numpy().tolist())

    def key(self, experiment: Experiment) -> str:
        """The experiment's key in the store: it changes with configuration, data and training code."""
        weights = ""
        if experiment.weights == "bundled":
            weights = file_digest(bundled_path(experiment.backbone, experiment.width))
        spread = [self.replicas] if self.replicas > 1 else []
        return digest([experiment.to_dict(), weights, self.data_digest, training_code_version(), *spread])

    def backbone_path(self, experiment: Experiment) -> Path | None:
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
        return self.weights_path


def open_workspace(
    profile: str = "sample",
    data: str = "sample",
    weights: str = "",
    limit: int = 0,
    epochs: int = 0,
    trials: int = 0,
    seed: int = 0,
    strategy: str = "auto",
    progress: Callable[[str], Callable | None] | None = None,
) -> Workspace:
    """Opens a workspace: what the first cell of every notebook does.

    Args:
        profile: `sample`, `cpu` or `full`.
        data: `sample`, `kaggle`, or the path of a folder or archive.
        weights: where the backbone starts; empty for the profile's default.
        limit: use this many faces, the strata kept; 0 for all.
        epochs: epochs of every row; 0 for the profile's.
        trials: trials of the study; 0 for the profile's.
        seed: of training.
        strategy: `auto` or `mirrored`, as `get_strategy` explains.
        progress: given a title, returns a callback (done, total) or None.

    Raises:
        UserError: if a value is unknown or of the wrong type, or the data cannot be used.
    """
    _check_types(profile=profile, data=data, weights=weights, strategy=strategy)
    get_strategy(strategy)
    _check_types(int, limit=limit, epochs=epochs, trials=trials, seed=seed)
    chosen = get_profile(profile)
    if chosen.needs_data and data == "sample":
        raise UserError(
            f"The profile {profile} is for UTKFace: give the data, a folder, a .zip, a .tar.gz, or 'kaggle'."
        )
    start = replace(chosen.start, weights=weights_identity(weights or chosen.start.weights), seed=seed)
    if epochs:
        recipe = {name: epochs if name == "epochs" else value for name, value in chosen.recipe.items()}
        start = replace(start, epochs=epochs)
        chosen = replace(chosen, head_epochs=epochs, trial_epochs=epochs, recipe=recipe)
    if trials:
        chosen = replace(chosen, trials=trials)
    root = runs_root()
    dataset = open_dataset(data, root / "cache", progress)
    faces = limit_faces(dataset.faces, limit, SPLIT_SEED).reset_index(drop=True)
    faces["part"] = _parts(dataset, faces)
    folder = root / profile
    join_run(folder)
    options = {
        "weights": weights and Path(weights).name,
        "limit": limit,
        "epochs": epochs,
        "trials": trials,
        "seed": seed,
        "strategy": strategy if strategy != "auto" else "",
    }
    given = "".join(f" --{name} {value}" for name, value in options.items() if value)
    source = data if data in ("sample", "kaggle") else Path(data).name
    command = f"python -m utkface_mt run --profile {profile} --data {source}{given}"
    path = Path(weights).expanduser() if "@" in start.weights else None
    return Workspace(chosen, dataset, faces, start, path, folder, command, strategy)


def _parts(dataset: Dataset, faces: pd.DataFrame) -> pd.Series:
    """The split of `faces`, made once and kept with the dataset: dealing out takes a while for many faces."""
    depends_on = [faces["file"].to_list(), SPLIT_SEED, code_digest("data/split.py")]
    path = dataset.storage / f"split-{digest(depends_on)}.csv.gz"
    if not path.exists():
        with replacing(path) as temporary:
            assign_parts(faces, SPLIT_SEED).to_csv(temporary, index=False)
    return pd.read_csv(path)["part"].astype(pd.CategoricalDtype(list(PARTS), ordered=True))


def write_manifest(workspace: Workspace) -> Path:
    """Writes the split with the digests of the files, `split.csv.gz` in the run's folder, and returns its path."""
    path = workspace.folder / "split.csv.gz"
    with replacing(path) as temporary:
        workspace.faces[["file", "sha256", "cluster", "part"]].to_csv(temporary, index=False)
    return path


def training_code_version() -> str:
    """A digest of the code that training depends on."""
    return code_digest(*_CODE)


def code_digest(*names: str) -> str:
    """A digest of modules of this package; comments, docstrings and layout do not count.

    Args:
        names: paths below the package, such as `data/split.py`.
    """
    return digest([_code_only(Path(__file__).parent / name) for name in names])


def _code_only(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            node.body = body[1:]
    return ast.dump(tree)


def _check_types(kind: type = str, **values: object) -> None:
    for name, value in values.items():
        if not isinstance(value, kind) or isinstance(value, bool):
            raise UserError(f"{name}={value!r} should be of type {kind.__name__}, not {type(value).__name__}.")
        if kind is int and value < 0:
            raise UserError(f"{name}={value!r} should be 0 or more.")
