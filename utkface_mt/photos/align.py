"""Cutting a face out of a photo the way UTKFace's crops are cut: turned upright, eyes and mouth at the same places.

UTKFace does not say how its crops were made. Where eyes, nose and mouth lie in them was measured, on training faces:
`reference/alignment.json`, written by `utkface-mt margins`.
"""

from functools import cache

import numpy as np
from PIL import Image
from skimage.transform import SimilarityTransform

from ..data.index import CROP_SIZE
from ..files import read_json
from ..measured import REFERENCE

ALIGNMENT = REFERENCE / "alignment.json"
LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")  # left and right as the viewer sees them


@cache
def crop_landmarks() -> np.ndarray:
    """Where `LANDMARKS` lie in a UTKFace crop: float64 `[5, 2]`, x and y in pixels of 200."""
    measured = read_json(ALIGNMENT)["landmarks"]
    return np.array([measured[name] for name in LANDMARKS], np.float64)


def cut_face(photo: Image.Image, landmarks: np.ndarray, margin: float = 0.0) -> Image.Image:
    """Cuts a face out and turns it upright.

    Turning, shifting and scaling are chosen so that the landmarks come as close as they can, in least squares, to
    where they lie in UTKFace's crops (Umeyama, "Least-squares estimation of transformation parameters between two
    point patterns", PAMI 1991).

    Args:
        photo: the whole picture, RGB.
        landmarks: float `[5, 2]`, x and y of `LANDMARKS` in the photo's pixels.
        margin: share of the crop's side to show more at each edge than UTKFace does; negative: less.

    Returns:
        RGB, 200 x 200 pixels; what lies outside the photo is black, as it is in UTKFace.
    """
    centre = CROP_SIZE / 2
    target = (crop_landmarks() - centre) / (1 + 2 * margin) + centre
    to_photo = SimilarityTransform.from_estimate(target, landmarks)
    shrink = max(1, int(to_photo.scale))  # pixels of the photo that one of the crop stands for
    smaller = photo.reduce(shrink) if shrink > 1 else photo
    matrix = to_photo.params[:2].ravel() / shrink
    return smaller.transform((CROP_SIZE, CROP_SIZE), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
