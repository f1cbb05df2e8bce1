"""The whole model as one Keras graph: raw crops in, years and probabilities out.

Padding, cutting and resizing are linear in the pixels, and alike for rows and columns, so that they are one small
matrix applied twice. Its numbers are taken from Pillow itself, which prepares pictures everywhere else; matrix
products are the same in every runtime, which resizing functions are not.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from ..data.pixels import CROP_SIZE, PADDED_SIZE
from ..evaluation.calibration import EDGE
from ..model.predict import HEADS
from ..model.weights import BUNDLED_MODEL
from ..util.backend import keras
from ..util.errors import UserError
from ..util.files import check_writable, replacing
from .model import FaceModel, load_model
from .quantise import INPUT, lower, number_names, quietly, required_ranges

ops = keras.ops

AGE, FEMALE = "age", "probability_female"
PRECISIONS = {  # of each format; the first is the default
    "litert": ("float32", "float16", "int8"),
    "onnx": ("float32", "float16", "int8"),
    "saved-model": ("float32",),
}
SUFFIXES = {"litert": ".tflite", "onnx": ".onnx", "saved-model": ""}


def exported_graph(model: FaceModel) -> keras.Model:
    """Builds the graph of a trained model.

    It goes from `crops`, uint8 RGB `[n, 200, 200, 3]`, to `age` in years, float32 `[n]`, and the calibrated
    `probability_female`, float32 `[n]`.
    """
    crops = keras.Input((CROP_SIZE, CROP_SIZE, 3), dtype="uint8", name=INPUT)
    pictures, views = CropsToPictures(model.image_size, model.crop, name="prepare")(crops), 1
    if model.flip_average:
        pictures, views = ops.concatenate([pictures, ops.flip(pictures, axis=2)]), 2
    outputs = model.network(pictures)
    age, gender = (ops.mean(ops.reshape(outputs[name], (views, -1, outputs[name].shape[-1])), axis=0) for name in HEADS)
    female = ops.clip(gender[:, 0], EDGE, 1 - EDGE)
    female = ops.sigmoid(model.calibration.slope * (ops.log(female) - ops.log(1 - female)))
    graph = keras.Model(crops, {AGE: model.age_head.decode(age), FEMALE: female}, name="utkface_mt")
    graph(np.zeros((1, CROP_SIZE, CROP_SIZE, 3), np.uint8))  # Keras writes no ONNX of a model that was never called
    return graph


class CropsToPictures(keras.layers.Layer):
    """`prepare_picture` for a batch: uint8 `[n, 200, 200, 3]` to float32 `[n, size, size, 3]` in 0 to 255."""

    def __init__(self, size: int, crop: float, **options: str) -> None:
        """Takes size and cut as `prepare_picture` does, and from Pillow what it does to a column of 200 pixels."""
        super().__init__(**options)
        margin = (PADDED_SIZE - CROP_SIZE) // 2
        box = (0, crop * PADDED_SIZE, PADDED_SIZE, (1 - crop) * PADDED_SIZE)
        columns = Image.fromarray(np.eye(PADDED_SIZE, dtype=np.float32))
        resized = columns.resize((PADDED_SIZE, size), Image.Resampling.BILINEAR, box=box)
        self.matrix = np.asarray(resized)[:, margin : margin + CROP_SIZE].T.copy()

    def call(self, crops: keras.KerasTensor) -> keras.KerasTensor:
        """Resizes columns, then rows, and rounds after each, halves upwards, as Pillow does."""
        wide = ops.transpose(ops.cast(crops, "float32"), (0, 1, 3, 2))  # face, row, channel, column
        narrow = ops.floor(ops.matmul(wide, self.matrix) + 0.5)
        high = ops.transpose(narrow, (0, 3, 2, 1))  # face, column, channel, row
        low = ops.floor(ops.matmul(high, self.matrix) + 0.5)
        return ops.transpose(low, (0, 3, 1, 2))


def export_model(to: str, out: Path, precision: str = "float32") -> Path:
    """Writes the bundled model for another runtime, as the graph of `exported_graph`, and its licence beside it.

    Args:
        to: `litert`, `onnx` or `saved-model`.
        out: the file to write (for `saved-model` the folder, which must not exist).
        precision: `float32`; `float16`, half the size; or `int8`, in which all convolutions but the first three
            work with integers, scaled by ranges that were measured on training faces.

    Raises:
        UserError: if there is no such format or precision, a package is missing, or `out` cannot be written.
    """
    if to not in PRECISIONS:
        raise UserError(f"There is no format {to!r}; choose one of {', '.join(PRECISIONS)}.")
    if precision not in PRECISIONS[to]:
        raise UserError(f"{to} can be written in {', '.join(PRECISIONS[to])}, not in {precision}.")
    check_writable(out)
    if out.is_dir():
        raise UserError(f"{out} is a folder that exists already. Choose another --out, or remove it.")
    if out.exists() and (to == "saved-model" or not licence_beside(out).exists()):
        raise UserError(f"{out} exists and is no earlier export. Choose another --out, or remove it.")
    ranges = required_ranges(to, BUNDLED_MODEL) if precision == "int8" else {}
    with tempfile.TemporaryDirectory() as temporary:
        try:
            made = write_graph(exported_graph(load_model()), to, Path(temporary))
            if precision != "float32":
                made = lower(to, precision, made, ranges)
        except ImportError as error:
            packages = "tf2onnx onnx onnxruntime" if to == "onnx" else "ai-edge-litert ai-edge-quantizer"
            raise UserError(f"Exporting to {to} needs more packages ({error}): pip install {packages}") from error
        with replacing(out) as place:
            shutil.move(made, place)
    with replacing(licence_beside(out)) as place:
        shutil.copyfile(BUNDLED_MODEL / "LICENSE", place)
    return out


def licence_beside(out: Path) -> Path:
    """Where the licence of an exported model lies: it has to go along with it."""
    return out.with_name(f"{out.name}.LICENSE.txt")


def write_graph(graph: keras.Model, to: str, folder: Path) -> Path:
    """Writes the graph in single precision into a folder."""
    path = folder / f"model{SUFFIXES[to]}"
    with quietly():
        graph.export(str(path), format="tf_saved_model" if to == "saved-model" else to, verbose=False)
    if to == "onnx":
        number_names(path)
    return path
