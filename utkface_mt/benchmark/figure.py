"""The benchmark as a picture."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from ..figures.style import BLUE, GREY, ORANGE, new_axes, use_style
from ..files import replacing


def ratio_chart(report: dict[str, Any], path: Path) -> None:
    """Draws how many times faster each thing is than the plain way, with the goals.

    Args:
        report: as `run_benchmark` writes it to `bench.json`.
        path: of the PNG file.
    """
    use_style()
    rows = report["rows"][::-1]
    figure, axes = new_axes(9, 0.55 * len(rows) + 1.2)
    places = range(len(rows))
    axes.barh(places, [row["ratio"] - 1 for row in rows], left=1, color=BLUE, height=0.6)
    for place, row in zip(places, rows, strict=True):
        axes.annotate(f" {row['ratio']:.1f} x", (row["ratio"], place), va="center", fontsize=11)
        if row["goal"]:
            axes.plot([row["goal"]] * 2, [place - 0.38, place + 0.38], color=ORANGE, linewidth=2.5)
    axes.axvline(1, color=GREY, linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(0.9, max(row["ratio"] for row in rows) * 1.6)
    axes.set_xticks([1, 2, 5, 10, 20, 50], labels=["1", "2", "5", "10", "20", "50"])
    axes.set_yticks(list(places), labels=[row["what"] for row in rows])
    axes.set_xlabel(f"{report['machine']}; orange: the goal")
    axes.set_title("How many times as fast as the plain way?")
    with replacing(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)
