"""The one style of all figures: legible at README size, and readable with any colour vision."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PINK, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9"  # Okabe and Ito, 2008
GREY = "#6b7280"
SEQUENTIAL = sns.light_palette("#ff9a52", as_cmap=True)  # light to its end, so that dark figures on it can be read
DIVERGING = "PuOr"


def use_style(backend: str = "") -> None:
    """Sets matplotlib's defaults, once in each notebook; a `backend` such as `Agg` draws into files alone."""
    plt.switch_backend(backend or plt.get_backend())  # loaded now, so that no later context undoes its set-up
    sns.set_theme(style="whitegrid", context="notebook", palette=[BLUE, ORANGE, GREEN, PINK, SKY])
    plt.rcParams.update(
        {
            "figure.dpi": 80,
            "savefig.dpi": 160,
            "figure.constrained_layout.use": True,
            "axes.titlesize": 13,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "axes.labelsize": 12,
            "legend.frameon": False,
            "grid.color": "#e5e7eb",
            "axes.edgecolor": "#9ca3af",
        }
    )


def show(figure: Figure, caption: str) -> None:
    """Shows a figure in a notebook and closes it, so that it does not appear twice.

    The caption under it, which the report of a run takes over, says what is seen and on which faces it was measured.
    """
    from IPython.display import Markdown, display

    display(figure, metadata={"caption": caption})
    display(Markdown(f"*{caption}*"))
    plt.close(figure)


def picture_grid(pictures: Sequence[np.ndarray], titles: Sequence[str], columns: int = 8, size: float = 1.3) -> Figure:
    """Pictures `[h, w, 3]`, uint8 or float, of `size` inches in rows of `columns`, each below its title."""
    rows = -(-len(pictures) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(columns * size, rows * (size + 0.28)), squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, picture, title in zip(grid.flat, pictures, titles, strict=False):
        axes.imshow(picture)
        axes.set_title(title, fontsize=9, loc="center", weight="normal")
    return figure
