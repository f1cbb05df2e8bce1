"""Figures of the data: who is in it, what is wrong with it, how it is divided."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from ..data.dataset import Dataset
from ..data.labels import AGE_GROUPS, GENDERS, RACES, age_group, gender_name, race_name
from ..data.pixels import read_picture
from ..data.split import PARTS
from .style import GENDER_COLOURS, SEQUENTIAL, new_axes, picture_grid


def face_grid(dataset: Dataset, faces: pd.DataFrame, columns: int = 8) -> Figure:
    """Shows faces, rows of the dataset's face table, with age, gender and race, so many `columns` in a row."""
    pictures = [np.asarray(read_picture(dataset.folder, path)) for path in faces["path"]]
    titles = [f"{row.age}, {GENDERS[row.gender]}\n{RACES[row.race]}" for row in faces.itertuples(index=False)]
    return picture_grid(pictures, titles, columns)


def age_distribution(faces: pd.DataFrame) -> Figure:
    """Faces by year of age, the genders on top of each other."""
    figure, axes = new_axes(9, 3.6)
    table = pd.DataFrame({"age": faces["age"], "gender": gender_name(faces["gender"])})
    look = {"multiple": "stack", "palette": GENDER_COLOURS, "linewidth": 0}
    sns.histplot(table, x="age", hue="gender", bins=np.arange(0.5, faces["age"].max() + 1), ax=axes, **look)
    axes.set(xlabel="age in years", ylabel="faces", title="How old the faces are")
    sns.move_legend(axes, "upper right", title=None)
    return figure


def group_heatmap(faces: pd.DataFrame) -> Figure:
    """Faces by age group and race: where the data are thin."""
    figure, axes = new_axes(7, 4.2)
    table = pd.crosstab(age_group(faces["age"]), race_name(faces["race"]), dropna=False)
    table = table.reindex(index=list(AGE_GROUPS), columns=list(RACES), fill_value=0)
    sns.heatmap(table, annot=True, fmt="d", cmap=SEQUENTIAL, cbar_kws={"label": "faces"}, ax=axes, linewidths=0.5)
    axes.set(xlabel="race code", ylabel="age group in years", title="Faces in each cell")
    return figure


def split_composition(faces: pd.DataFrame) -> Figure:
    """The share of each age group in every part of the split: the four profiles should lie on each other."""
    figure, axes = new_axes(9, 3.6)
    shares = pd.crosstab(age_group(faces["age"]), faces["part"], normalize="columns") * 100
    table = shares.reset_index(names="age group").melt("age group", var_name="part", value_name="share")
    sns.barplot(table, x="age group", y="share", hue="part", hue_order=list(PARTS), ax=axes)
    axes.set(xlabel="age group in years", ylabel="share of the part in %", title="The parts have the same ages")
    sns.move_legend(axes, "upper right", title=None)
    return figure
