"""The ladder as data: which rows the results table has, in which notebook each is made, and what it changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..config import Profile
from ..util.errors import UserError


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    name: str  # in the results store
    title: str  # in the table
    previous: str = ""  # the row before, which its difference is taken to
    change: Mapping[str, Any] = field(default_factory=dict)  # in every profile; `Profile.changes` adds to it
    starts_over: bool = False  # whether it changes the profile's start, and not the row before
    found: str = ""  # how further fields are found: by `search` or by `comparison`
    final: bool = True  # whether it is the notebook's row of the ladder
    made_in: str = ""  # the notebook that makes it, unless that is called like the row

    @property
    def notebook(self) -> str:
        """The notebook that makes it."""
        return self.made_in or self.name

    def changes(self, profile: Profile) -> dict[str, Any]:
        """The fields it changes in a profile, those that have to be found left out."""
        return {**self.change, **profile.changes.get(self.name, {})}


HEADS_ALONE = {"fine_tune": 0.0, "dropout": 0.0}  # two linear layers have little to overfit with
FULL_RECIPE = {
    "optimizer": "adamw",
    "weight_decay": 0.05,
    "scheduler": "cosine",
    "flip_average": True,
    "age_decoding": "median",
}
SCHEDULERS = ("plateau", "cosine")  # what row 08 compares

ROWS = (
    Row("00_constant", "Always the median age and the majority gender", final=False, made_in="03_baseline"),
    Row("03_baseline", "Baseline: frozen backbone", "00_constant", HEADS_ALONE, starts_over=True),
    Row("05_fine_tune", "Fine-tuned, hyperparameters searched", "03_baseline", {"fine_tune": 1.0}, True, "search"),
    Row("06_sample_weights", "+ gender sample weights", "05_fine_tune", {"sample_weights": "balanced"}),
    Row("07_augmentation", "+ image augmentation", "06_sample_weights", {"augment": "standard"}),
    Row("08_scheduler", "+ learning-rate scheduler", "07_augmentation", found="comparison"),
    Row("09_loss_weights", "+ loss weights", "08_scheduler", {"gender_share": 0.45}),
    Row(
        "10_age_distribution",
        "Ours: age as a distribution",
        "09_loss_weights",
        {"age_head": "distribution"},
        final=False,
    ),
    Row("10_full_recipe", "Ours: full recipe", "10_age_distribution", FULL_RECIPE, made_in="10_age_distribution"),
)


def get_row(name: str) -> Row:
    """Looks a row up; raises a `UserError` if there is none of that name."""
    rows = {row.name: row for row in ROWS}
    if name not in rows:
        raise UserError(f"There is no row {name!r}; the rows are {', '.join(rows)}.")
    return rows[name]
