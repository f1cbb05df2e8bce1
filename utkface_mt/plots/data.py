"""Figures of the data: faces with their labels."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..data.dataset import Dataset
from ..data.labels import GENDERS, RACES
from ..data.pixels import read_picture
from .style import picture_grid


def face_grid(dataset: Dataset, faces: pd.DataFrame, columns: int = 8) -> Figure:
    """Shows faces, rows of the dataset's face table, with age, gender and race, so many `columns` in a row."""
    pictures = [np.asarray(read_picture(dataset.folder, path)) for path in faces["path"]]
    titles = [f"{row.age}, {GENDERS[row.gender]}\n{RACES[row.race]}" for row in faces.itertuples(index=False)]
    return picture_grid(pictures, titles, columns)
