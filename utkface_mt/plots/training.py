"""Figures of training: learning curves."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from ..experiments.results import Result
from .style import GREY


def learning_curves(results: Mapping[str, Result]) -> Figure:
    """Training (dashed) and validation (solid) loss by epoch, and the parts of both, for results by their label.

    Losses of different age heads are of different kinds, so that their heights cannot be compared.
    """
    figure, panels = plt.subplots(1, 3, figsize=(12, 4.6))
    colours = sns.color_palette([*sns.color_palette("colorblind")[:6], "0.1"], len(results))
    names = (("loss", "both losses, weighted"), ("age_loss", "age loss"), ("gender_loss", "gender loss"))
    for axes, (name, title) in zip(panels, names, strict=True):
        for colour, (label, result) in zip(colours, results.items(), strict=True):
            table = pd.DataFrame(result.history, index=range(1, len(result.history) + 1))
            axes.plot(table[f"val_{name}"], color=colour, label=label)
            axes.plot(table[name], color=colour, linestyle="--", alpha=0.7)
        axes.set(xlabel="epoch", ylabel="loss", title=title.capitalize())
        axes.xaxis.get_major_locator().set_params(integer=True)
    panels[0].plot([], [], color=GREY, label="validation")
    panels[0].plot([], [], color=GREY, linestyle="--", label="training")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=10)
    return figure
