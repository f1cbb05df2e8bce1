"""Finding faces with MTCNN, whose weights come with the package `mtcnn`.

Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", 2016.
"""

import importlib.resources
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from PIL import Image

from ..config import REFERENCE
from ..data.pixels import CROP_SIZE, in_rgb
from ..util.backend import tf
from ..util.errors import UserError
from ..util.files import read_json

ALIGNMENT = REFERENCE / "alignment.json"
LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")  # left and right as the viewer sees them
DETECTION_SIDE = 1600  # pixels: the longer side of what the detector sees
SMALLEST_FACE = 20  # pixels of that: about 1/80 of the photo's longer side
CONFIDENCE = 0.8
CONFIDENCE_TURNED = 0.95  # for a face in a photo that is turned since none was found in it
CLEARLY_TURNED = 3.0  # log-odds by which a turned view of a face should beat the upright one
SURE, SURE_OF_TURNED = 1.0, 3.0  # log-odds that a second look should give
PART = 128  # patches that a network of the detector sees at a time


@dataclass(frozen=True, eq=False)
class Face:
    """A face in a photo.

    Attributes:
        box: left, top, right and bottom in the photo's pixels.
        landmarks: float64 `[5, 2]`, x and y of eyes, nose and mouth corners in the photo's pixels.
        confidence: how sure the detector is, from 0 to 1; None if it was not asked.
        turn: how the face stands in the photo, to the nearest quarter: clockwise by 0, 90, 180 or 270 degrees.
        crop: the face cut like UTKFace's crops, upright, 200 x 200 pixels.
        at_edge: whether the box reaches the photo's edge, so that a part of the face may be missing.
    """

    box: tuple[float, float, float, float]
    landmarks: np.ndarray
    confidence: float | None
    turn: int
    crop: Image.Image
    at_edge: bool = False


def find_faces(photo: Image.Image, confidence: float = CONFIDENCE, at_least: int = 0) -> list[Face]:
    """Finds the faces in a photo and cuts them like UTKFace's crops, whichever way up they are; the largest first.

    Args:
        photo: RGB, of any size. Faces narrower than about 1/80 of its longer side are not found.
        confidence: faces the detector is less sure of are left out, from 0 to 1.
        at_least: how many faces there have to be.

    Raises:
        UserError: if `photo` is no picture, there are fewer faces, or the package `mtcnn` is not installed.
    """
    if not isinstance(photo, Image.Image):
        kind = type(photo).__name__
        raise UserError(f"A photo should be a PIL picture, as read_photo gives it, and not of type {kind}.")
    photo = in_rgb(photo)
    pixel = max(1.0, max(photo.size) / DETECTION_SIDE)  # of what the detector sees
    faces = []
    for box, marks, *rest in locate(photo, confidence):
        at_edge = min(box[:2]) <= pixel or min(np.subtract(photo.size, box[2:])) <= 2 * pixel
        faces.append(Face(box, marks, *rest, cut_face(photo, marks), bool(at_edge)))
    if len(faces) < at_least:
        raise UserError(
            f"{len(faces) or 'No'} face was found, and {at_least} should be there. Take a photo in which faces look "
            f"into the camera, or lower the confidence below {confidence:g}."
        )
    return sorted(faces, key=lambda face: (face.box[2] - face.box[0]) * (face.box[3] - face.box[1]), reverse=True)


def locate(photo: Image.Image, confidence: float = CONFIDENCE) -> list[tuple[tuple, np.ndarray, float, int]]:
    """The detector's answers: (box, landmarks, confidence, turn) of each face, as `Face` holds them, in no order.

    Where it finds none, or most faces are turned, it sees the photo in other quarter turns.
    """
    seen = photo.copy()
    seen.thumbnail((DETECTION_SIDE, DETECTION_SIDE), Image.Resampling.LANCZOS)
    if min(seen.size) < SMALLEST_FACE:
        return []
    found = _detect(seen, confidence)
    turns = [face[3] for face in found]
    most = max(set(turns), key=turns.count, default=0) // 90
    for quarters in (most,) if most else () if found else (1, 3, 2):
        turned = seen.rotate(90 * quarters, expand=True)
        again = _detect(turned, confidence if most else max(confidence, CONFIDENCE_TURNED), SURE_OF_TURNED)
        if again:
            found = [_turn_back(face, quarters, seen.size) for face in again]
            break
    scale = np.array(photo.size) / seen.size
    return [(tuple((np.array(box) * np.tile(scale, 2)).tolist()), marks * scale, *rest) for box, marks, *rest in found]


def _detect(seen: Image.Image, confidence: float, odds: float = SURE) -> list[tuple[tuple, np.ndarray, float, int]]:
    """The faces of which the detector is still as sure, in log-odds, when it looks again."""
    answers = _detector().detect_faces(
        np.asarray(seen), box_format="xyxy", min_face_size=SMALLEST_FACE, threshold_onet=confidence
    )
    found = []
    for start in range(0, len(answers), PART // 8):
        part = answers[start : start + PART // 8]
        seconds = _look_again(seen, [answer["box"] for answer in part])
        for answer, (turn, marks, sure) in zip(part, seconds, strict=True):
            if not turn:
                marks = np.array([answer["keypoints"][name] for name in LANDMARKS], np.float64)
            if sure > (SURE_OF_TURNED if turn else odds):
                found.append((tuple(map(float, answer["box"])), marks, float(answer["confidence"]), turn))
    return found


def _look_again(seen: Image.Image, boxes: list) -> list[tuple[int, np.ndarray, float]]:
    """How faces stand, where their landmarks then are, and whether they are faces at all.

    The detector takes a face on its head for one with the eyes at the mouth. But its last network is surer of a face
    the less it is turned: it sees each in four turns, cut narrowly and widely. Of no other thing is it sure in both.
    Each box gets its turn, as `Face` has it, landmarks, and the log-odds of both cuts together.
    """
    corners = np.array(boxes, np.float64).reshape(-1, 2, 2)
    centres, halves = corners.mean(axis=1), (corners[:, 1] - corners[:, 0]).max(axis=1) / 2
    patches = []
    for centre, half in zip(centres, halves, strict=True):
        for reach in (1.0, 1.2):
            place = (*(centre - reach * half), *(centre + reach * half))
            patch = seen.crop(place).resize((48, 48), Image.Resampling.BILINEAR)
            patches += [np.rot90(np.asarray(patch, np.float32), quarters) for quarters in range(4)]
    _, marks, shares = _detector().stages[-1].model((np.stack(patches) - 127.5) / 128)
    odds = (np.log(np.asarray(shares, np.float64) + 1e-12) @ (-1, 1)).reshape(len(boxes), 2, 4).sum(axis=1)
    best = odds.max(axis=1)
    quarters = np.where(best - odds[:, 0] > CLEARLY_TURNED, odds.argmax(axis=1), 0)
    marks = np.asarray(marks, np.float64).reshape(len(boxes), 2, 4, 2, 5)[np.arange(len(boxes)), 0, quarters] - 0.5
    there = (marks[:, 0] + 1j * marks[:, 1]) * (1j**quarters * 2 * halves)[:, None]
    return [
        (int(90 * turn), np.stack([place.real, place.imag], axis=1) + centre, sure)
        for turn, place, centre, sure in zip(quarters, there, centres, best, strict=True)
    ]


def _turn_back(face: tuple, quarters: int, size: tuple[int, int]) -> tuple:
    """A face found in a picture turned anticlockwise, as it lies in the picture of `size` that was turned."""
    box, marks, confidence, turn = face
    width, height = size if quarters % 2 == 0 else size[::-1]
    points = np.concatenate([np.array(box).reshape(2, 2), marks])
    centred = (points - np.array([width, height]) / 2) @ (1, 1j) * 1j**quarters
    points = np.stack([centred.real, centred.imag], axis=1) + np.array(size) / 2
    low, high = points[:2].min(axis=0), points[:2].max(axis=0)
    return (*low.tolist(), *high.tolist()), points[2:], confidence, (turn + 90 * quarters) % 360


@cache
def _detector() -> Any:
    """MTCNN, compiled, with its package's weights; alone it would open files of their names in the current folder."""
    try:
        from mtcnn import MTCNN
        from mtcnn.stages import StageONet, StagePNet, StageRNet
        from mtcnn.utils import images
    except ImportError:
        raise UserError(
            "Finding faces needs one more package: pip install 'mtcnn>=1.0,<2'. "
            "Pictures that are cut like UTKFace's crops need none: give --aligned."
        ) from None
    folder = importlib.resources.files("mtcnn.assets.weights")
    images.normalize_images = lambda photos: tf.constant((photos - 127.5) / 128, tf.float32)  # not float64
    stages = []
    for name, kind, side in (("pnet", StagePNet, None), ("rnet", StageRNet, 24), ("onet", StageONet, 48)):
        sys.modules[kind.__module__].smart_nms_from_bboxes = without_overlaps
        stage = kind(weights=str(folder / f"{name}.lz4"))
        network = tf.function(stage.model, [tf.TensorSpec((None, side, side, 3))], autograph=False)
        stage._model = partial(_in_parts, network)
        stages.append(stage)
    return MTCNN(stages, device="GPU:0" if tf.config.list_logical_devices("GPU") else "CPU:0")


def _in_parts(network: Callable, patches: tf.Tensor) -> list[tf.Tensor]:
    """Shows a network a bounded number of patches at a time."""
    parts = [network(patches[start : start + PART]) for start in range(0, max(1, len(patches)), PART)]
    return [tf.concat(outputs, 0) for outputs in zip(*parts, strict=True)]


def without_overlaps(
    boxes: np.ndarray, threshold: float, method: str = "union", initial_sort: bool = True
) -> np.ndarray:
    """The boxes of one picture that no box before them overlaps.

    It is mtcnn's `smart_nms_from_bboxes`, with the same arguments, without tables of all pairs of boxes.
    """
    if initial_sort:
        boxes = boxes[np.argsort(boxes[:, 5])[::-1]]
    low, high = boxes[:, 1:3], boxes[:, 3:5]
    area = (high - low).prod(axis=1)
    kept = np.ones(len(boxes), bool)
    for box in range(1, len(boxes)):
        sides = np.minimum(high[:box], high[box]) - np.maximum(low[:box], low[box])
        shared = np.maximum(0, sides).prod(axis=1)
        of = np.minimum(area[:box], area[box]) if method == "min" else area[:box] + area[box] - shared
        kept[box] = not (shared > threshold * of).any()
    return boxes[kept]


@cache
def crop_landmarks() -> np.ndarray:
    """Where `LANDMARKS` lie in a UTKFace crop: float64 `[5, 2]`, x and y in pixels of 200."""
    return np.array([read_json(ALIGNMENT)["landmarks"][name] for name in LANDMARKS], np.float64)


def cut_face(photo: Image.Image, landmarks: np.ndarray, margin: float = 0.0) -> Image.Image:
    """Cuts a face out and turns it upright.

    The landmarks come as close as a similarity brings them, in least squares, to where they lie in UTKFace's crops
    (Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991).

    The `landmarks`, float `[5, 2]`, are x and y of `LANDMARKS` in the photo's pixels; the `margin` is the share of the
    crop's side to show more at each edge than UTKFace does, or, if negative, less. The crop is RGB, 200 x 200 pixels;
    what lies outside the photo is black, as it is in UTKFace.
    """
    centre = CROP_SIZE / 2
    target = (crop_landmarks() - centre) / (1 + 2 * margin) + centre
    here, there = target @ (1, 1j), landmarks @ (1, 1j)  # as complex numbers: turning and scaling is a product
    centred = here - here.mean()
    factor = np.vdot(centred, there - there.mean()) / np.vdot(centred, centred).real
    shift = there.mean() - factor * here.mean()
    shrink = max(1, int(abs(factor)))  # pixels of the photo that one of the crop stands for
    smaller = photo.reduce(shrink) if shrink > 1 else photo
    matrix = np.array([factor.real, -factor.imag, shift.real, factor.imag, factor.real, shift.imag]) / shrink
    return smaller.transform((CROP_SIZE, CROP_SIZE), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
