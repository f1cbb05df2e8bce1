"""Figures of training: learning curves, the study, sweeps, augmentation, cost against accuracy."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ..data.augment import get_augment
from ..data.batches import epoch_draws
from ..experiments.results import Result
from .style import BLUE, GREY, ORANGE, new_axes, picture_grid

FEW = 4  # curves that the five colours of the style and a legend inside the panel can carry


def learning_curves(results: Mapping[str, Result]) -> Figure:
    """Training (dashed) and validation (solid) loss by epoch, and the parts of both, for results by their label.

    Losses of different age heads are of different kinds, so that their heights cannot be compared.
    """
    many = len(results) > FEW
    figure, panels = plt.subplots(1, 3, figsize=(12, 4.6 if many else 3.6))
    colours = sns.color_palette("colorblind", len(results)) if many else [f"C{number}" for number in range(FEW)]
    names = (("loss", "both losses, weighted"), ("age_loss", "age loss"), ("gender_loss", "gender loss"))
    for axes, (name, title) in zip(panels, names, strict=True):
        for colour, (label, result) in zip(colours, results.items(), strict=False):
            table = pd.DataFrame(result.history, index=range(1, len(result.history) + 1))
            axes.plot(table[f"val_{name}"], color=colour, label=label)
            axes.plot(table[name], color=colour, linestyle="--", alpha=0.7)
        axes.set(xlabel="epoch", ylabel="loss", title=title.capitalize())
        axes.xaxis.get_major_locator().set_params(integer=True)
    panels[0].plot([], [], color=GREY, label="validation")
    panels[0].plot([], [], color=GREY, linestyle="--", label="training")
    if many:
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=10)
    else:
        panels[0].legend(fontsize=9)
    return figure


def learning_rates(results: Mapping[str, Result]) -> Figure:
    """The learning rate at the end of each epoch, and the validation loss beside it."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    for label, result in results.items():
        epochs = range(1, len(result.history) + 1)
        left.plot(epochs, [epoch["learning_rate"] for epoch in result.history], marker="o", markersize=4, label=label)
        right.plot(epochs, [epoch["val_loss"] for epoch in result.history], marker="o", markersize=4, label=label)
    left.set(xlabel="epoch", ylabel="learning rate", yscale="log", title="What the scheduler does")
    right.set(xlabel="epoch", ylabel="validation loss", title="What comes of it")
    left.legend()
    return figure


def augmentation_grid(
    picture: np.ndarray, strengths: Sequence[str] = ("standard", "strong"), columns: int = 8
) -> Figure:
    """One picture, uint8 `[size, size, 3]`, and what each strength of augmentation makes of it in several epochs.

    Each of the `strengths`, as in `Experiment.augment`, has a row of so many `columns`, the original first.
    """
    pictures, titles = [], []
    for strength in strengths:
        draws = np.concatenate([epoch_draws(1, 0, epoch) for epoch in range(columns - 1)])
        changed = get_augment(strength)(np.repeat(picture[None].astype(np.float32), columns - 1, axis=0), draws)
        pictures += [picture, *changed.numpy().astype(np.uint8)]
        titles += ["original", *(f"{strength}, epoch {number}" for number in range(1, columns))]
    return picture_grid(pictures, titles, columns)


def loss_weight_sweep(results: Sequence[Result]) -> Figure:
    """Validation age error and gender accuracy against the weight of the gender loss."""
    figure, left = new_axes(7.5, 3.8)
    shares = [100 * result.experiment.gender_share for result in results]
    left.plot(shares, [result.validation["age_mae"] for result in results], "o-", color=BLUE)
    left.set(xlabel="weight of the gender loss in % (age gets the rest)", title="What the loss weights trade")
    left.set_ylabel("age MAE in years (validation)", color=BLUE)
    right = left.twinx()
    right.plot(shares, [100 * result.validation["gender_accuracy"] for result in results], "s--", color=ORANGE)
    right.set_ylabel("gender accuracy in % (validation)", color=ORANGE)
    right.grid(False)
    left.axvline(45, color=GREY, linewidth=1, linestyle=":")
    place = (45, left.get_ylim()[0])
    left.annotate("published", place, xytext=(3, 4), textcoords="offset points", color=GREY, fontsize=9)
    return figure


def cost_against_accuracy(table: pd.DataFrame) -> Figure:
    """Backbones by work, with their speed and, where probed, their age error: a table of `cost.comparison`."""
    table = table.sort_values("mega_multiply_adds", ascending=False)
    panels = {"mega_multiply_adds": "million multiply-adds", "inference_images_per_second": "pictures a second"}
    if table["age_mae"].notna().any():
        panels["age_mae"] = "age MAE in years (validation)"
    figure, grid = plt.subplots(1, len(panels), figsize=(3.4 * len(panels) + 1.5, 4), sharey=True)
    for axes, (column, label), colour in zip(grid, panels.items(), (GREY, BLUE, ORANGE), strict=False):
        axes.plot(table[column], table.index, "o", color=colour)
        for name, value in table[column].dropna().items():
            text = f"{value:.3g}" if value < 100 else f"{value:,.0f}"
            axes.annotate(text, (value, name), xytext=(7, -3), textcoords="offset points", fontsize=9)
        axes.set(xlabel=label, xscale="linear" if column == "age_mae" else "log")
        axes.xaxis.set_major_formatter("{x:,g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.margins(x=0.25)
    grid[0].set_title("What a backbone costs")
    if "age_mae" in panels:
        grid[2].set_title("What its frozen features give")
    return figure


def age_distributions(pictures: np.ndarray, answers: np.ndarray, ages: Sequence[int]) -> Figure:
    """Faces, uint8 `[n, size, size, 3]`, above the distributions over years from 0 on that the network answered with.

    The `answers` are `[n, years]`; lines show the labels, `ages` in years.
    """
    count = len(pictures)
    figure, (upper, lower) = plt.subplots(2, count, figsize=(2.1 * count, 3.6), height_ratios=(3, 2), sharey="row")
    for number in range(count):
        upper[number].imshow(pictures[number])
        upper[number].axis("off")
        lower[number].fill_between(np.arange(answers.shape[1]), answers[number], color=BLUE, alpha=0.6, linewidth=0)
        lower[number].axvline(ages[number], color=ORANGE)
        lower[number].set(xlabel=f"label {ages[number]}", yticks=[])
    lower[0].set_ylabel("probability")
    return figure
