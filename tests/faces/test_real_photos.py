"""What is promised of photographs of people, tried on a folder outside the repository that `FACES` names.

Beside the folder lies `FOLDER.csv`: file, age, gender (1: female); one adult in each photo. Run with `-s`, the test
prints the figures that the model card shows. Nothing is copied.
"""

import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps

from utkface_mt.faces.detect import cut_face, find_faces
from utkface_mt.faces.model import FaceModel
from utkface_mt.faces.read import read_photo

FOLDER = os.environ.get("FACES", "")


def _versions(photo: Image.Image, marks: np.ndarray) -> list[Image.Image]:
    """A face as it is, and in ten harmless versions."""
    face, packed = cut_face(photo, marks), io.BytesIO()
    photo.save(packed, "JPEG", quality=60)
    halved, moved = cut_face(photo.reduce(2), marks / 2), cut_face(photo, marks + 0.05 * np.ptp(marks, axis=0))
    wider, tighter = (cut_face(photo, marks, margin) for margin in (0.05, -0.05))
    lit = [face.point([round(255 * (value / 255) ** gamma) for value in range(256)] * 3) for gamma in (0.8, 1.25)]
    grey, turned = ImageOps.grayscale(face).convert("RGB"), face.rotate(5, Image.Resampling.BICUBIC)
    versions = [cut_face(Image.open(packed), marks), halved, ImageOps.mirror(face), wider, tighter, moved]
    return [face, *versions, *lit, grey, turned]


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER, reason="FACES names no folder of photographs")
def test_each_photograph_shows_one_face_whose_answer_is_steady(model: FaceModel):
    table = pd.read_csv(Path(FOLDER).with_suffix(".csv"))
    found = [(photo, find_faces(photo)) for photo in map(read_photo, Path(FOLDER) / table["file"])]
    assert {len(faces) for _, faces in found} == {1}
    told = [model.predict(_versions(photo, face.landmarks)) for photo, (face,) in found]
    deviation = np.mean([answers["age"][1:].std() for answers in told])
    same = np.mean([(answers["gender"][1:] == answers["gender"][0]).mean() for answers in told])
    plain = pd.concat([answers.iloc[:1] for answers in told], ignore_index=True)
    table["error"] = (plain["age"] - table["age"]).abs()
    table["right"] = (plain["gender"] == "Female") == (table["gender"] == 1)
    for groups in (table["age"] // 10 * 10, table["gender"], table["age"] > 0):
        print(table.groupby(groups)[["error", "right"]].agg({"error": ["count", "mean"], "right": "mean"}))
    print(f"standard deviation of the age {deviation:.2f} years, the same gender {same:.1%}")
    assert deviation < 2.5
    assert same > 0.97
    assert table["right"].mean() > 0.9
