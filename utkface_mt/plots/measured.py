"""What was measured on UTKFace, drawn from `reference/`; none of these figures shows a face."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..data.labels import parse_name
from ..experiments import reference
from ..experiments.rows import get_row
from .evaluation import PANELS, ladder_chart, score_panels
from .style import GREY
from .training import learning_curves


def measured_label(row: str = "03_baseline") -> str:
    """On which faces a row of the measured ladder stands: how captions of its figures begin."""
    return f"UTKFace, {reference.measured_result(row).experiment.image_size} pixels"


def measured_ladder(row: str = "") -> Figure:
    """The measured ladder with its 95 % intervals beside the published one, the `row` of that name pointed out."""
    rows = [result for result in reference.results_by_row().values() if result.history]
    return ladder_chart(rows, reference.published_rows(), row)


def measured_differences(*names: str) -> Figure:
    """What the rows of these names changed against the row before, by the paired bootstrap; how far seeds scatter."""
    rows, results = reference.measured_rows(), reference.measured_results()
    changes = {metric: [rows[name]["difference"][metric] for name in names] for metric, _, _ in PANELS}
    labels = ("change of age MAE in years (left is better)", "change of gender accuracy in points (right is better)")
    figure = score_panels([get_row(name).title for name in names], changes, labels)
    for axes, (metric, factor, _) in zip(figure.axes, PANELS, strict=True):
        axes.axvline(0, color=GREY, linewidth=1)
        for place, name in enumerate(reversed(names)):
            seeds = np.array([result.test[metric] for result in results if result.row == name])
            if len(seeds) > 1:
                scattered = factor * (rows[name]["difference"][metric][0] + seeds - seeds[0])
                lower = place - 0.14 - 0.12 * np.arange(len(seeds))  # so that equal ones can be told apart
                axes.plot(scattered, lower, "|", color=GREY, markersize=4, markeredgewidth=1.6)
    if any(result.repeat and result.row in names for result in results):
        (seed_mark,) = figure.axes[0].plot([], [], "|", color=GREY)
        figure.axes[0].legend([seed_mark], ["seeds of the row"], loc="best", frameon=True)
    return figure


def measured_curves(*names: str) -> Figure:
    """How rows learnt on UTKFace: losses by epoch."""
    results = reference.results_by_row()
    return learning_curves({results[name].title: results[name] for name in names if name in results})


def measured_faces() -> pd.DataFrame:
    """The committed split with the labels in its names: `file`, `cluster`, `part`, `age`, `gender`, `race`."""
    split = reference.measured_split()
    return split.join(pd.DataFrame(map(parse_name, split["file"])))
