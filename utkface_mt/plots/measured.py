"""What was measured on UTKFace, drawn from `reference/`; none of these figures shows a face."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..data.labels import parse_name
from ..experiments.reference import measured_results, measured_rows, measured_split, published_rows, shown_profile
from ..experiments.rows import get_row
from .evaluation import ladder_chart
from .style import BLUE, GREY, ORANGE
from .training import learning_curves


def measured_label() -> str:
    """On which faces the measured ladder stands: how captions of its figures begin."""
    size = measured_rows(shown_profile())["03_baseline"]["configuration"]["image_size"]
    return f"UTKFace, {size} pixels"


def measured_ladder(row: str = "") -> Figure:
    """The measured ladder with its 95 % intervals beside the published one, the `row` of that name pointed out."""
    rows = [result for result in measured_results(shown_profile()) if result.history and not result.repeat]
    return ladder_chart(rows, published_rows(), row)


def measured_differences(*names: str) -> Figure:
    """What rows changed against the row before, by the paired bootstrap, and how far seeds scatter.

    Shows the rows of these names; without any, all fine-tuned ones.
    """
    rows = measured_rows(shown_profile())
    names = names or tuple(name for name in rows if name >= "06" and "difference" in rows[name])
    results = measured_results(shown_profile())
    figure, panels = plt.subplots(1, 2, figsize=(12, 0.5 * len(names) + 1.7), sharey=True)
    places = np.arange(len(names))[::-1]
    for axes, metric, factor, label, colour in (
        (panels[0], "age_mae", 1, "change of age MAE in years (left is better)", BLUE),
        (panels[1], "gender_accuracy", 100, "change of gender accuracy in points (right is better)", ORANGE),
    ):
        middle, low, high = (factor * np.array([rows[name]["difference"][metric] for name in names])).T
        axes.errorbar(middle, places, xerr=[middle - low, high - middle], fmt="o", color=colour, capsize=3)
        axes.axvline(0, color=GREY, linewidth=1)
        for name, place, centre in zip(names, places, middle, strict=True):
            seeds = np.array([factor * result.test[metric] for result in results if result.row == name])
            if len(seeds) > 1:
                axes.plot(centre + seeds - seeds[0], np.full(len(seeds), place - 0.22), "|", color=GREY, markersize=9)
        titles = [get_row(name).title for name in names]
        axes.set(xlabel=label, yticks=places, yticklabels=titles, ylim=(-0.7, len(names) - 0.3))
    if any(result.repeat and result.row in names for result in results):
        panels[0].plot([], [], "|", color=GREY, label="other seeds of the row")
        panels[0].legend(loc="best", frameon=True)
    return figure


def measured_curves(*names: str) -> Figure:
    """How rows learnt on UTKFace: losses by epoch."""
    results = {result.row: result for result in measured_results(shown_profile()) if not result.repeat}
    return learning_curves({results[name].title: results[name] for name in names if name in results})


def measured_faces() -> pd.DataFrame:
    """The committed split with the labels in its names: `file`, `cluster`, `part`, `age`, `gender`, `race`."""
    split = measured_split()
    labels = pd.DataFrame([parse_name(file) for file in split["file"]], columns=["age", "gender", "race"])
    return pd.concat([split, labels], axis=1)
