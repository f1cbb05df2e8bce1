"""What the bundled model says of photographs from outside this repository, and how steady its answers are.

`python tests/faces/real_photos.py FOLDER` renews `reference/elsewhere.json`: figures of groups, no picture, no file's
name and no answer to a single face. The folder holds `london/` with `london.csv` (file, age, gender; 1 is female), one
adult in each photo, and `aaf/`, crops named like UTKFace's.
"""

import io
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from utkface_mt.config import REFERENCE
from utkface_mt.data.dataset import open_dataset
from utkface_mt.data.labels import gender_name
from utkface_mt.evaluation.metrics import by_group, predictions_table
from utkface_mt.faces.detect import Face, crop_landmarks, cut_face, find_faces, locate
from utkface_mt.faces.model import FaceModel, load_model
from utkface_mt.faces.read import read_photo
from utkface_mt.util.files import write_json

WIDER = 0.15  # the margin at each edge of a box that is 30 % wider
WIDTHS = (16, 24, 32, 48)  # pixels that small faces are wide
NOSE = 0.45  # how far its tip stands out, in distances between the eyes; roughly
TURNS = {15: "turned by up to 15 degrees", 30: "turned by 15 to 30 degrees", 90: "turned by more than 30 degrees"}


def portraits(folder: Path, model: FaceModel) -> dict[str, Any]:
    """Scores on photos of one person each, and how steady the answers are."""
    table = pd.read_csv(folder.with_suffix(".csv")).assign(cluster=lambda table: table.index, race=0)
    photos = [read_photo(folder / name) for name in table["file"]]
    found = [find_faces(photo, at_least=1) for photo in photos]
    told = [model.predict(_versions(photo, faces[0])) for photo, faces in zip(photos, found, strict=True)]
    ages, females = (np.stack([answers[name] for answers in told]) for name in ("age", "probability_female"))
    same = (females >= 0.5) == (females[:, :1] >= 0.5)
    return {
        "photos": len(photos),
        "one_face": sum(len(faces) == 1 for faces in found),
        "deviation": round(float(ages[:, 1:11].std(axis=1, ddof=1).mean()), 6),
        "same_gender": round(float(same[:, 1:11].mean()), 6),
        "wider_moves": round(float(np.abs(ages[:, 11] - ages[:, 0]).mean()), 6),
        "small_moves": np.abs(ages[:, 12:] - ages[:, :1]).mean(axis=0).round(6).tolist(),
        "groups": _scores(table, pd.concat([answers.iloc[:1] for answers in told], ignore_index=True)),
    }


def _versions(photo: Image.Image, found: Face) -> list[Image.Image]:
    """A face as it is; in ten harmless versions; in a wider box; and small."""
    face, marks, packed = found.crop, found.landmarks, io.BytesIO()
    photo.save(packed, "JPEG", quality=60)
    halved, moved = cut_face(photo.reduce(2), marks / 2), cut_face(photo, marks + 0.05 * np.ptp(marks, axis=0))
    slightly, tighter, wider = (cut_face(photo, marks, margin) for margin in (0.05, -0.05, WIDER))
    lit = [face.point([round(255 * (value / 255) ** gamma) for value in range(256)] * 3) for gamma in (0.8, 1.25)]
    grey, turned = ImageOps.grayscale(face).convert("RGB"), face.rotate(5, Image.Resampling.BICUBIC)
    harmless = [cut_face(Image.open(packed), marks), halved, ImageOps.mirror(face), slightly, tighter, moved]
    shares = [width / (found.box[2] - found.box[0]) for width in WIDTHS]
    small = [cut_face(ImageOps.scale(photo, share), marks * share) for share in shares]
    return [face, *harmless, *lit, grey, turned, wider, *small]


def crops(folder: Path, model: FaceModel) -> dict[str, Any]:
    """Scores on crops, also by how far faces are turned to a side; beyond a crop a wider box is black."""
    with TemporaryDirectory() as storage:
        faces = open_dataset(str(folder), Path(storage)).faces
    pictures = [read_photo(folder / path) for path in faces["path"]]
    answers = model.predict(pictures)
    wider = model.predict(cut_face(picture, crop_landmarks(), WIDER) for picture in pictures)
    turns = pd.Series([turned(found[0][1]) if (found := locate(picture)) else np.nan for picture in pictures])
    return {
        "photos": len(pictures),
        "found": int(turns.notna().sum()),
        "wider_moves": round(float((answers["age"] - wider["age"]).abs().mean()), 6),
        "groups": _scores(faces, answers, pd.cut(turns, [-1, *TURNS], labels=list(TURNS.values()))),
    }


def turned(marks: np.ndarray) -> float:
    """How far a face is turned to a side: degrees, roughly, from how far its nose lies from the middle of the eyes."""
    left, right, nose = marks[:3] @ (1, 1j)
    aside = (nose - (left + right) / 2) / (right - left)
    return float(np.degrees(np.arctan(abs(aside.real) / NOSE)))


def _scores(faces: pd.DataFrame, answers: pd.DataFrame, *groups: pd.Series) -> list[dict[str, Any]]:
    """Scores with intervals of all faces, of adults, by gender, by decade and gender, and by other groups."""
    table = predictions_table(faces, answers["age"].to_numpy(), answers["probability_female"].to_numpy())
    table["covered"] = faces["age"].between(answers["age_low"], answers["age_high"])
    age, gender = faces["age"], gender_name(faces["gender"]).astype(str)
    decade = (age // 10 * 10).map(lambda start: f"{start}-{start + 9}, ") + gender
    rows = []
    for group in (age.map(lambda _: "all"), (age >= 20).map({True: "from 20"}), gender, decade, *groups):
        scores = by_group(table, group).drop(columns=["age_rmse", "age_within_5", "gender_f1_weighted"])
        scores["covered"] = table.groupby(group, observed=True)["covered"].mean()
        rows += [{"group": name, **row} for name, row in scores.round(6).to_dict("index").items()]
    return rows


def main() -> None:
    """Measures both sets in the folder that is given."""
    folder, model = Path(sys.argv[1]), load_model()
    found = {"london": portraits(folder / "london", model), "aaf": crops(folder / "aaf", model)}
    write_json(REFERENCE / "elsewhere.json", found)


if __name__ == "__main__":
    main()
