"""Figures of the evaluation: the ladder, errors by group, intervals, attributions."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from ..experiments.results import Result
from .style import BLUE, DIVERGING, GREY, ORANGE, SEQUENTIAL, SKY

PANELS = (("age_mae", 1, BLUE), ("gender_accuracy", 100, ORANGE))  # metric, factor to years or per cent, colour


def score_panels(labels: Sequence[str], scores: Mapping[str, Sequence], axis_labels: Sequence[str]) -> Figure:
    """Age beside gender, with intervals: a line for each of the `labels`, from the top down.

    The `scores` are `[labels, 3]` for each metric of `PANELS`: a value and the ends of its interval.
    """
    figure, panels = plt.subplots(1, 2, figsize=(12, 0.45 * len(labels) + 1.7), sharey=True)
    places = np.arange(len(labels))[::-1]
    for axes, (metric, factor, colour), label in zip(panels, PANELS, axis_labels, strict=True):
        middle, *ends = factor * np.transpose(np.asarray(scores[metric]))
        look = {"fmt": "o", "color": colour, "capsize": 3, "elinewidth": 1.5}
        axes.errorbar(middle, places, xerr=np.abs(ends - middle), label="ours", **look)
        axes.set(xlabel=label, yticks=places, yticklabels=labels, ylim=(-0.6, len(labels) - 0.4))
    return figure


def ladder_chart(
    rows: Sequence[Result], published: Mapping[str, Mapping[str, float]] | None = None, highlight: str = ""
) -> Figure:
    """Age error and gender accuracy of every row, from the first to the last, with 95 % intervals.

    Beside ours stand the `published` scores, by the name of the row; `highlight` names the row to be found first.
    """
    scores = {metric: [(row.test[metric], *row.ci[metric]) for row in rows] for metric, _, _ in PANELS}
    axis_labels = ("age MAE in years (lower is better)", "gender accuracy in % (higher is better)")
    figure = score_panels([row.title for row in rows], scores, axis_labels)
    places = {row.row: place for place, row in enumerate(reversed(rows))}
    known = [name for name in places if name in (published or {})]
    for axes, (metric, factor, _) in zip(figure.axes, PANELS, strict=True):
        if known:
            theirs = [factor * published[name][metric] for name in known]
            axes.plot(theirs, [places[name] for name in known], "D", color=GREY, fillstyle="none", label="published")
            axes.legend(loc="best", frameon=True)
        if highlight in places:
            axes.axhspan(places[highlight] - 0.4, places[highlight] + 0.4, color=SKY, alpha=0.25, linewidth=0, zorder=0)
    return figure


def age_error_heatmap(grid: pd.DataFrame) -> Figure:
    """Heatmap of the mean absolute age error by age group and gender, in years."""
    figure, axes = plt.subplots(figsize=(5.5, 4.6))
    bar = {"label": "MAE in years"}
    sns.heatmap(grid, annot=True, fmt=".1f", cmap=SEQUENTIAL, cbar_kws=bar, ax=axes, linewidths=0.5)
    axes.set(xlabel="", ylabel="age group in years", title="Age error by age group and gender")
    axes.tick_params(axis="y", rotation=0)
    return figure


def predicted_against_true(predictions: pd.DataFrame, half_width: float = np.inf) -> Figure:
    """Predicted against labelled age, with the band of the conformal interval if it has a finite half width."""
    figure, axes = plt.subplots(figsize=(5.6, 5.2))
    axes.scatter(predictions["age_true"], predictions["age"], s=12, alpha=0.35, color=BLUE, linewidths=0)
    ends = np.array([0, max(predictions["age_true"].max(), predictions["age"].max()) + 5])
    axes.plot(ends, ends, color=GREY, linewidth=1, label="predicted = label")
    if np.isfinite(half_width):
        label = f"90 % interval: ± {half_width:.1f} years"
        axes.fill_between(ends, ends - half_width, ends + half_width, color=ORANGE, alpha=0.12, label=label)
    axes.set(xlabel="labelled age in years", ylabel="predicted age in years", title="Predicted against labelled age")
    axes.set(xlim=ends, ylim=ends)
    axes.legend(loc="upper left")
    return figure


def group_scores(table: pd.DataFrame, title: str) -> Figure:
    """Age error and gender accuracy of each group with 95 % intervals, as `metrics.by_group` gives them."""
    labels = [" ".join(map(str, key)) if isinstance(key, tuple) else str(key) for key in table.index]
    scores = {metric: table[[metric, f"{metric}_low", f"{metric}_high"]] for metric, _, _ in PANELS}
    figure = score_panels(labels, scores, ("age MAE in years", "gender accuracy in %"))
    figure.axes[0].set_title(title)
    return figure


@plt.rc_context({"image.interpolation": "nearest"})
def attribution_row(picture: np.ndarray, maps: dict[str, np.ndarray], title: str) -> Figure:
    """A picture, uint8 `[size, size, 3]`, and beside it one map after another laid over it.

    The `maps` are `[size, size]` by title; those with negative values get a diverging scale about zero.
    """
    figure, panels = plt.subplots(1, len(maps) + 1, figsize=(2.2 * (len(maps) + 1), 2.6))
    for axes, name in zip(panels, ("picture", *maps), strict=True):
        axes.set_title(name, fontsize=10, loc="center", weight="normal")
        axes.axis("off")
    panels[0].imshow(picture)
    for axes, heat in zip(panels[1:], maps.values(), strict=True):
        axes.imshow(picture.mean(axis=2), cmap="gray", vmin=0, vmax=255)
        reach = max(float(np.abs(heat).max()), 1e-9)
        signed = float(heat.min()) < 0
        axes.imshow(heat, cmap=DIVERGING if signed else "inferno", vmin=-reach if signed else 0, vmax=reach, alpha=0.55)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure
