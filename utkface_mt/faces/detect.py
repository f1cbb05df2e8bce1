"""Finding faces with MTCNN, whose weights come with the package `mtcnn`.

Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", 2016.
"""

import functools
import importlib.resources
import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from PIL import Image
from skimage.transform import SimilarityTransform

from ..data.index import CROP_SIZE
from ..experiments.reference import REFERENCE
from ..util.backend import tf
from ..util.errors import UserError
from ..util.files import read_json
from ..util.runtime import stderr_to

DETECTION_SIDE = 1600  # pixels: the longer side of what the detector sees
SMALLEST_FACE = 20  # pixels of that: about 1/80 of the photo's longer side
CONFIDENCE = 0.8


@dataclass(frozen=True)
class Face:
    """A face in a photo.

    Attributes:
        box: left, top, right and bottom in the photo's pixels.
        landmarks: float64 `[5, 2]`, x and y of eyes, nose and mouth corners in the photo's pixels.
        confidence: how sure the detector is, from 0 to 1.
        crop: the face cut like UTKFace's crops, 200 x 200 pixels.
    """

    box: tuple[float, float, float, float]
    landmarks: np.ndarray
    confidence: float
    crop: Image.Image


def find_faces(photo: Image.Image, confidence: float = CONFIDENCE, at_least: int = 0) -> list[Face]:
    """Finds the faces in a photo and cuts them like UTKFace's crops.

    Args:
        photo: RGB, upright, of any size. Faces narrower than about 1/80 of its longer side are not found.
        confidence: faces the detector is less sure of are left out, from 0 to 1.
        at_least: how many faces there have to be.

    Returns:
        The faces, from the largest to the smallest.

    Raises:
        UserError: if `photo` is no picture, there are fewer faces, or the package `mtcnn` is not installed.
    """
    if not isinstance(photo, Image.Image):
        raise UserError(
            f"A photo should be a PIL picture, as read_photo gives it, and not of type {type(photo).__name__}."
        )
    photo = photo.convert("RGB")
    faces = [Face(*found, cut_face(photo, found[1])) for found in locate(photo, confidence)]
    if len(faces) < at_least:
        raise UserError(
            f"{len(faces) or 'No'} face was found, and {at_least} should be there. Take a photo in which faces look "
            f"into the camera, or lower the confidence below {confidence:g}."
        )
    return sorted(faces, key=_area, reverse=True)


def locate(photo: Image.Image, confidence: float = CONFIDENCE) -> list[tuple[tuple, np.ndarray, float]]:
    """The detector's answers: (box, landmarks, confidence) of each face, as `Face` holds them, in no order."""
    seen = photo.copy()
    seen.thumbnail((DETECTION_SIDE, DETECTION_SIDE), Image.Resampling.LANCZOS)
    scale = np.array(photo.size) / seen.size
    found = []
    for answer in _detect(np.asarray(seen), confidence):
        box = tuple((np.array(answer["box"], np.float64) * np.tile(scale, 2)).tolist())
        landmarks = np.array([answer["keypoints"][name] for name in LANDMARKS], np.float64) * scale
        found.append((box, landmarks, float(answer["confidence"])))
    return found


def _area(face: Face) -> float:
    left, top, right, bottom = face.box
    return (right - left) * (bottom - top)


def _detect(pixels: np.ndarray, confidence: float) -> list[dict[str, Any]]:
    if min(pixels.shape[:2]) < SMALLEST_FACE:
        return []
    return _detector().detect_faces(pixels, box_format="xyxy", min_face_size=SMALLEST_FACE, threshold_onet=confidence)


@functools.cache
def _detector() -> Any:
    """MTCNN with the weights of its package.

    By default it looks for files of their names in the current folder first, and unpickles what it finds there: a
    folder of photos from elsewhere could hold one.
    """
    try:
        with stderr_to(os.devnull):
            from mtcnn import MTCNN
            from mtcnn.stages import StageONet, StagePNet, StageRNet
    except ImportError:
        raise UserError(
            "Finding faces needs one more package: pip install 'mtcnn>=1.0,<2'. "
            "Pictures that are cut like UTKFace's crops need none: give --aligned."
        ) from None
    folder = importlib.resources.files("mtcnn.assets.weights")
    stages = {"pnet": StagePNet, "rnet": StageRNet, "onet": StageONet}
    device = "GPU:0" if tf.config.list_logical_devices("GPU") else "CPU:0"
    return MTCNN([stage(weights=str(folder / f"{name}.lz4")) for name, stage in stages.items()], device=device)


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
