"""What can be set: the experiment (one field for each technique), the profile, and how a run is opened."""

import difflib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from .util.errors import UserError

TRAINING_VERSION = 1
"""Part of every result's key. Raised by hand when the same experiment would give other numbers than before."""

REFERENCE = Path(__file__).parent / "reference"  # what was measured on UTKFace

CHOICES = {
    "optimizer": ("adam", "adamw"),
    "normalisation": ("frozen", "trainable"),
    "sample_weights": ("none", "balanced"),
    "augment": ("none", "standard", "strong", "worn"),
    "scheduler": ("constant", "plateau", "cosine"),
    "age_head": ("regression", "distribution"),
    "age_decoding": ("mean", "median"),
}
RANGES = {
    "width": (0.1, 2.0),
    "image_size": (32, 512),
    "crop": (0.0, 0.3),
    "dropout": (0.0, 0.9),
    "fine_tune": (0.0, 1.0),
    "epochs": (1, 1000),
    "patience": (1, 1000),
    "batch_size": (1, 4096),
    "learning_rate": (1e-8, 10.0),
    "weight_decay": (0.0, 1.0),
    "gender_share": (0.0, 1.0),
    "first_size": (0, 512),
    "first_share": (0.0, 1.0),
    "seed": (0, 2**32 - 1),
}
STRATEGIES = ("auto", "mirrored", "multiworker")  # how training is spread over devices
SIZE_STEP = 32  # how much a backbone shrinks a picture: sizes that change while training are its multiples


@dataclass(frozen=True)
class Experiment:
    """One training run, said completely: two equal experiments on the same data are the same run.

    Attributes:
        backbone: name in `utkface_mt.model.backbones.BACKBONES`.
        width: MobileNetV2's width multiplier (alpha); 1.0 elsewhere.
        weights: where the backbone starts: `imagenet`, `bundled`, `none`, or the identity of a file.
        image_size: side of the square picture in pixels.
        crop: share of the padded picture's side cut off at each edge, so that the face fills more of the picture.
        dropout: share of the pooled features dropped before the heads.
        fine_tune: share of the backbone's layers that learn, counted from the output; 0 freezes it.
        normalisation: `frozen` keeps the batch statistics the backbone came with (its scales and offsets still
            learn), `trainable` renews them.
        optimizer: `adam` (without weight decay) or `adamw`.
        learning_rate: the highest rate reached.
        weight_decay: decoupled weight decay of `adamw`; biases and normalisation are exempt.
        batch_size: faces in a step.
        epochs: passes over the training set at most.
        patience: epochs without a better validation loss after which training stops.
        sample_weights: `balanced` gives both genders the same total weight in the gender loss.
        augment: `none`, `standard`, `strong` or `worn` changes to the training pictures.
        scheduler: `constant`, `plateau` (reduce when the validation loss stalls) or `cosine` (with warm-up).
        gender_share: weight of the gender loss; the age loss gets the rest.
        age_head: `regression` predicts standardised years, `distribution` a softmax over whole years.
        age_decoding: which value of an age distribution is the answer, its `mean` or its `median`.
        flip_average: at test time average over the picture and its mirror image.
        first_size: side of the pictures in the first epochs (progressive resizing); 0: `image_size` throughout.
        first_share: share of the epochs that use `first_size`.
        seed: of initial head weights, data order and augmentation.
    """

    backbone: str = "mobilenet_v2"
    width: float = 1.0
    weights: str = "imagenet"
    image_size: int = 224
    crop: float = 0.0
    dropout: float = 0.2
    fine_tune: float = 0.0
    normalisation: str = "frozen"
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    batch_size: int = 32
    epochs: int = 20
    patience: int = 5
    sample_weights: str = "none"
    augment: str = "none"
    scheduler: str = "constant"
    gender_share: float = 0.5
    age_head: str = "regression"
    age_decoding: str = "mean"
    flip_average: bool = False
    first_size: int = 0
    first_share: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks every field's type and range."""
        for entry in fields(self):
            object.__setattr__(self, entry.name, _typed(entry.name, getattr(self, entry.name), entry.type))
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise UserError(f"{name}={getattr(self, name)!r} is unknown; choose one of {', '.join(choices)}.")
        for name, (low, high) in RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise UserError(f"{name}={getattr(self, name)!r} is outside {low:g} to {high:g}.")
        if self.first_size and (self.first_size % SIZE_STEP or self.image_size % SIZE_STEP):
            raise UserError(
                f"first_size={self.first_size} and image_size={self.image_size} should be multiples of {SIZE_STEP}: "
                "only then does a network treat pictures of both sizes alike."
            )

    @property
    def first_epochs(self) -> int:
        """How many epochs, from the start, train on pictures of `first_size`."""
        return round(self.first_share * self.epochs) if self.first_size else 0

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Experiment":
        """Builds an experiment from a mapping such as one read from JSON.

        Raises:
            UserError: if a key is no field of an experiment or a value is wrong.
        """
        _check_names(cls, values, "An experiment has no field")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """All fields as a plain dictionary, fit for JSON."""
        return asdict(self)

    def differences(self, other: "Experiment") -> dict[str, tuple[Any, Any]]:
        """The fields in which `other` differs: name to (value here, value there)."""
        mine, theirs = self.to_dict(), other.to_dict()
        return {name: (mine[name], theirs[name]) for name in mine if mine[name] != theirs[name]}


def _check_names(kind: type, values: Mapping[str, Any], complaint: str) -> None:
    known = [entry.name for entry in fields(kind)]
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" There are {', '.join(known)}."
            raise UserError(f"{complaint} {name!r}.{hint}")


def _typed(name: str, value: Any, kind: Any) -> Any:
    """Returns `value` as the declared type of the field, refusing what would lose meaning."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise UserError(f"{name}={value!r} should be of type {kind.__name__}, not {type(value).__name__}.")
    return value


@dataclass(frozen=True)
class Profile:
    """How much of everything: which pictures, how large, how long."""

    name: str  # `sample`, `cpu` or `full`
    summary: str  # one line for people
    start: Experiment  # which every row of the ladder starts from
    changes: Mapping[str, Mapping[str, Any]]  # by row, the fields of its experiment that depend on pictures and budget
    needs_data: bool = True  # whether the user must name a dataset
    trials: int = 8  # of the hyperparameter study
    trial_epochs: int = 3
    first_trial: Mapping[str, Any] = field(default_factory=dict)  # where it differs from `training.search.START`
    gender_shares: tuple[float, ...] = ()  # points of the loss-weight sweep besides the two rows it stands between
    live_backbone: str = "MobileNetV2 1.0"  # candidate of notebook 04 that is measured while it runs
    explained_faces: int = 8  # one by one, in notebook 12
    lime_samples: int = 1000  # perturbed pictures for one LIME explanation
    attribution_faces: int = 500  # in the average attribution


LONG_HEADS = {"epochs": 60, "patience": 12, "batch_size": 256}  # the frozen baseline's epochs cost next to nothing
LONG_RECIPE = {  # chosen on validation faces at 128 and 160 pixels; `reference/TRIALS.md` has the figures
    "learning_rate": 3e-4,
    "batch_size": 32,
    "dropout": 0.2,
    "fine_tune": 1.0,  # these four whatever a study finds
    "augment": "strong",
    "crop": 0.0536,  # the padding, and no more
    "gender_share": 0.6,
    "epochs": 24,
    "patience": 100,  # the cosine is followed to its end
}
LONG_RECIPE_DRAWN = {"learning_rate": 1e-3, "epochs": 36, "patience": 36}
_PROFILES = (
    Profile(
        name="sample",
        summary="drawn faces, 64 pixels, a narrow network: minutes, no download; shows that everything runs",
        start=Experiment(width=0.35, weights="bundled", image_size=64, epochs=16, patience=8),
        changes={"03_baseline": {**LONG_HEADS, "batch_size": 32}, "10_full_recipe": LONG_RECIPE_DRAWN},
        needs_data=False,
        trials=3,
        trial_epochs=16,
        first_trial={"learning_rate": 6e-4},
        gender_shares=(0.2, 0.8),
        live_backbone="MobileNetV2 0.35",
        explained_faces=4,
        lime_samples=150,
        attribution_faces=60,
    ),
    Profile(
        name="cpu",
        summary="UTKFace at 128 pixels on a laptop: the whole table in an afternoon",
        start=Experiment(image_size=128, epochs=12, patience=4),
        changes={"03_baseline": LONG_HEADS, "10_full_recipe": {**LONG_RECIPE, "image_size": 160, "first_size": 128}},
        gender_shares=(0.2, 0.35, 0.65),
    ),
    Profile(  # without a sweep of the loss weights, which is left to the cpu profile
        name="full",
        summary="UTKFace at 224 pixels, padded from 200 as published: a GPU, or two cores for a day",
        start=Experiment(image_size=224, epochs=12, patience=4),
        changes={"03_baseline": LONG_HEADS, "10_full_recipe": LONG_RECIPE},
        attribution_faces=1000,
    ),
)
PROFILES = {profile.name: profile for profile in _PROFILES}

ENVIRONMENT = {  # settings that a variable can give where no argument does
    "runs": "UTKFACE_MT_RUNS",
    "studies": "UTKFACE_MT_STUDIES",
    "tensorboard": "UTKFACE_MT_TENSORBOARD",
}


def _setting(default: Any, told: str, choices: tuple[str, ...] | None = None, unit: str | None = None) -> Any:
    return field(default=default, metadata={"help": told, "metavar": unit, "choices": choices})


@dataclass(frozen=True)
class Settings:
    """How a run is opened: every field is a flag of the command line, and notebooks take them as `overrides`.

    Of `epochs`, `trials` and `limit`, 0 stands for the profile's, or for all faces; an empty `weights` for the
    profile's, an empty `runs` or `studies` for the usual place.
    """

    profile: str = _setting("sample", "; ".join(f"{one.name}: {one.summary}" for one in _PROFILES), tuple(PROFILES))
    data: str = _setting("sample", "sample, kaggle, or a folder, .zip or .tar.gz of UTKFace crops")
    weights: str = _setting("", "imagenet, bundled, none, or a .weights.h5 file")
    limit: int = _setting(0, "use N faces, the strata kept", unit="N")
    epochs: int = _setting(0, "epochs of every row, instead of the profile's", unit="N")
    trials: int = _setting(0, "trials of the study, instead of the profile's", unit="N")
    seed: int = _setting(0, "seed of training")
    strategy: str = _setting("auto", "all GPUs if several, all devices of a machine, or several machines", STRATEGIES)
    workers: str = _setting("", "addresses of all that train together, in place of TF_CONFIG", unit="HOST:PORT,...")
    rank: int = _setting(0, "which of the workers this is, from 0 on; the first one runs the notebooks", unit="N")
    tensorboard: bool = _setting(False, "write logs for TensorBoard into the run's folder while training")
    studies: str = _setting(
        "",
        "what the workers of a study share: sqlite:///FILE on one machine, journal:FILE on a shared disk, or a "
        "database's URL; an SQLite file in the run's folder by default (UTKFACE_MT_STUDIES)",
        unit="URL",
    )
    runs: str = _setting("", "folder for everything a run produces; runs/ by default (UTKFACE_MT_RUNS)", unit="DIR")

    def __post_init__(self) -> None:
        """Checks every value before any work is done."""
        for entry in fields(self):
            value = _typed(entry.name, getattr(self, entry.name), entry.type)
            if entry.type is int and not 0 <= value < 2**32:
                raise UserError(f"{entry.name}={value!r} should be 0 or more, and below {2**32}.")
        if self.workers:
            object.__setattr__(self, "strategy", "multiworker")
        if self.profile not in PROFILES:
            raise UserError(f"There is no profile {self.profile!r}; choose one of {', '.join(PROFILES)}.")
        if PROFILES[self.profile].needs_data and self.data == "sample":
            raise UserError(
                f"The profile {self.profile} is for UTKFace: give the data, a folder, a .zip, a .tar.gz, or 'kaggle'."
            )

    @classmethod
    def read(cls, overrides: str | Mapping[str, Any] = "", **given: Any) -> "Settings":
        """Takes settings from arguments, where these are silent from the environment, else the defaults.

        `overrides` are further settings, by name or as JSON text such as `{"epochs": 2}`; they win over `given`.

        Raises:
            UserError: if `overrides` is no JSON object, or a name or value is wrong.
        """
        try:
            more = json.loads(overrides or "{}") if isinstance(overrides, str) else dict(overrides)
        except json.JSONDecodeError as error:
            raise UserError(f'overrides={overrides!r} is not JSON ({error}). Write it like {{"epochs": 2}}.') from error
        if not isinstance(more, dict):
            raise UserError(f'overrides={overrides!r} should be a JSON object, like {{"epochs": 2}}.')
        values = {**given, **more}
        _check_names(cls, values, "There is no setting")
        told = {name: os.environ.get(variable, "") for name, variable in ENVIRONMENT.items()}
        told["tensorboard"] = told["tensorboard"].lower() not in ("", "0", "false", "no", "off")
        return cls(**{**told, **values})

    @property
    def runs_folder(self) -> Path:
        """Where everything a run produces goes."""
        return Path(self.runs).expanduser().resolve() if self.runs else repository_root() / "runs"

    def changed_profile(self) -> Profile:
        """The profile with the epochs and trials that were asked for."""
        profile = PROFILES[self.profile]
        if self.epochs:
            start = replace(profile.start, epochs=self.epochs)
            changes = {row: {**change, "epochs": self.epochs} for row, change in profile.changes.items()}
            shortest = min(profile.trial_epochs, self.epochs)
            profile = replace(profile, start=start, trial_epochs=shortest, changes=changes)
        return replace(profile, trials=self.trials) if self.trials else profile


def repository_root() -> Path:
    """The folder that holds `notebooks/`: the checkout the package runs from, else the current folder."""
    checkout = Path(__file__).resolve().parents[1]
    return checkout if (checkout / "notebooks").is_dir() else Path.cwd()
