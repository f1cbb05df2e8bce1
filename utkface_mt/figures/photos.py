"""Figures of photos: what was found in them, and what another way of cutting would cost."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from .style import BLUE, GREY, ORANGE, new_axes


def photo(picture: Image.Image, title: str) -> Figure:
    """Shows a picture as it is."""
    width = 9.0
    figure, axes = new_axes(width, width * picture.height / picture.width + 0.4)
    axes.imshow(np.asarray(picture))
    axes.axis("off")
    axes.set_title(title)
    return figure


def error_by_margin(validation: dict[str, Any]) -> Figure:
    """Age error of faces that were found and cut again, against how much more than UTKFace the crops show.

    Args:
        validation: the part `validation` of `reference/alignment.json`.
    """
    figure, axes = new_axes(7.5, 4)
    rows = validation["margins"]
    margins = [100 * row["margin"] for row in rows]
    differences = np.array([row["age_mae_difference"] for row in rows])
    reach = np.abs(differences[:, 1:].T - differences[:, 0])
    axes.errorbar(margins, differences[:, 0], yerr=reach, fmt="o-", color=BLUE, capsize=3)
    axes.axhline(0, color=GREY, linewidth=1)
    axes.axvline(0, color=ORANGE, linewidth=1, linestyle="--", label="as UTKFace shows it")
    axes.set(xlabel="margin at each edge, % of the crop's side", ylabel="change of age MAE, years")
    axes.set_title("Finding and cutting again, by margin")
    axes.legend()
    return figure
