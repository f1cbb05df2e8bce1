"""Writing the graph as LiteRT, ONNX or SavedModel."""

import shutil
import tempfile
from pathlib import Path

from ..backend import keras
from ..errors import UserError
from ..files import replacing
from ..inference import load_model
from ..model.weights import BUNDLED_MODEL
from .graph import exported_graph
from .precision import lower, number_names, quietly, required_ranges

PRECISIONS = {  # of each format; the first is the default
    "litert": ("float32", "float16", "int8"),
    "onnx": ("float32", "float16", "int8"),
    "saved-model": ("float32",),
}
SUFFIXES = {"litert": ".tflite", "onnx": ".onnx", "saved-model": ""}
_KERAS = {"litert": "litert", "onnx": "onnx", "saved-model": "tf_saved_model"}  # what Keras calls them


def export_model(to: str, out: Path, precision: str = "float32", folder: Path = BUNDLED_MODEL) -> Path:
    """Writes a model for another runtime.

    Args:
        to: `litert`, `onnx` or `saved-model`.
        out: the file to write (for `saved-model` the folder, which must not exist).
        precision: `float32`; `float16`, half the size; or `int8`, in which all convolutions but the first three
            work with integers, scaled by ranges that were measured on training faces.
        folder: where the model lies; the bundled one by default.

    Returns:
        `out`; the licence of the weights is written beside it. Its input is `crops`, uint8 RGB `[n, 200, 200, 3]`;
        its outputs are `age` in years and the calibrated `probability_female`, float32 `[n]`.

    Raises:
        UserError: if there is no such format or precision, a package is missing, or `out` cannot be written.
    """
    _check_choice(to, precision)
    if out.is_dir():
        raise UserError(f"{out} is a folder that exists already. Choose another --out, or remove it.")
    if out.exists() and out.suffix != SUFFIXES[to]:
        raise UserError(f"{out} exists and does not look like an earlier export. Choose another --out, or remove it.")
    ranges = required_ranges(to, folder) if precision == "int8" else {}
    with tempfile.TemporaryDirectory() as temporary:
        made = write_graph(exported_graph(load_model(folder)), to, Path(temporary))
        if precision != "float32":
            made = lower(to, precision, made, ranges)
        with replacing(out) as place:
            shutil.move(made, place)
    with replacing(licence_beside(out)) as place:
        shutil.copyfile(folder / "LICENSE" if (folder / "LICENSE").exists() else BUNDLED_MODEL / "LICENSE", place)
    return out


def licence_beside(out: Path) -> Path:
    """Where the licence of an exported model lies: it has to go along with it."""
    return out.with_name(f"{out.name}.LICENSE.txt")


def _check_choice(to: str, precision: str) -> None:
    if to not in PRECISIONS:
        raise UserError(f"There is no format {to!r}; choose one of {', '.join(PRECISIONS)}.")
    if precision not in PRECISIONS[to]:
        raise UserError(f"{to} can be written in {', '.join(PRECISIONS[to])}, not in {precision}.")


def write_graph(graph: keras.Model, to: str, folder: Path) -> Path:
    """Writes the graph in single precision into a folder, and returns the file or folder made.

    Raises:
        UserError: if a package that this takes is not installed.
    """
    path = folder / f"model{SUFFIXES[to]}"
    try:
        with quietly():
            graph.export(str(path), format=_KERAS[to], verbose=False)
    except ImportError as error:
        packages = "tf2onnx onnx onnxruntime" if to == "onnx" else "ai-edge-litert ai-edge-quantizer"
        raise UserError(f"Exporting to {to} needs more packages ({error}): pip install {packages}") from error
    if to == "onnx":
        number_names(path)
    return path
