"""The rows of the results table: which there are, in which notebook each is made, and the one thing it changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .config import Profile
from .errors import UserError


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        name: its name in the results store.
        notebook: the notebook that makes it.
        title: its title in the table.
        previous: the row it starts from, or empty.
        change: the fields it changes. Empty where the change is found by a search or a comparison, or depends on
            the profile.
        final: whether it is the notebook's row of the ladder.
    """

    name: str
    notebook: str
    title: str
    previous: str = ""
    change: Mapping[str, Any] = field(default_factory=dict)
    final: bool = True


FULL_RECIPE = {  # in every profile; `Profile.recipe` adds what depends on pictures and budget
    "optimizer": "adamw",
    "weight_decay": 0.05,
    "scheduler": "cosine",
    "flip_average": True,
    "age_decoding": "median",
}

ROWS = (
    Row("00_constant", "03_baseline", "Always the median age and the majority gender", final=False),
    Row("03_baseline", "03_baseline", "Baseline: frozen backbone"),
    Row("05_fine_tune", "05_fine_tune", "Fine-tuned, hyperparameters searched", "03_baseline"),
    Row(
        "06_sample_weights",
        "06_sample_weights",
        "+ gender sample weights",
        "05_fine_tune",
        {"sample_weights": "balanced"},
    ),
    Row("07_augmentation", "07_augmentation", "+ image augmentation", "06_sample_weights", {"augment": "standard"}),
    Row("08_scheduler", "08_scheduler", "+ learning-rate scheduler", "07_augmentation"),
    Row("09_loss_weights", "09_loss_weights", "+ loss weights", "08_scheduler", {"gender_share": 0.45}),
    Row(
        "10_age_distribution",
        "10_age_distribution",
        "Ours: age as a distribution",
        "09_loss_weights",
        {"age_head": "distribution"},
        final=False,
    ),
    Row("10_full_recipe", "10_age_distribution", "Ours: full recipe", "10_age_distribution"),
)


def full_recipe(profile: Profile) -> dict[str, Any]:
    """The fields that the last row changes in a profile."""
    return {**FULL_RECIPE, **profile.recipe}


def compared_with(name: str) -> str:
    """The row that a row's difference is taken to: the one before it, or for the first of them the constant answer."""
    return get_row(name).previous or ("00_constant" if name == "03_baseline" else "")


def get_row(name: str) -> Row:
    """Looks a row up.

    Raises:
        UserError: if there is none of that name.
    """
    for row in ROWS:
        if row.name == name:
            return row
    raise UserError(f"There is no row {name!r}; the rows are {', '.join(row.name for row in ROWS)}.")
