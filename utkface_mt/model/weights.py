"""Where a backbone's weights come from: named sets, files, and those that come with the package."""

from pathlib import Path

from ..errors import UserError
from ..files import file_digest

NAMED = ("imagenet", "bundled", "none")
BUNDLED_MODEL = Path(__file__).parents[1] / "reference" / "model"  # the best row, trained on UTKFace
_BUNDLED = {
    ("mobilenet_v2", 0.35): Path(__file__).with_name("drawn_faces_mobilenet_v2_035.weights.h5"),
    ("mobilenet_v2", 1.0): BUNDLED_MODEL / "backbone.weights.h5",
}


def weights_identity(weights: str) -> str:
    """Turns what the user named into what an experiment records.

    Args:
        weights: `imagenet`, `bundled`, `none`, or the path of a `.weights.h5` file.

    Returns:
        The name itself, or for a file its name and the start of its SHA-256: no path, so that results can be shared.

    Raises:
        UserError: if the file does not exist or has another ending.
    """
    if weights in NAMED:
        return weights
    path = Path(weights).expanduser()
    if not path.is_file() or not path.name.endswith(".weights.h5"):
        raise UserError(f"weights={weights!r} is neither {', '.join(NAMED)} nor an existing .weights.h5 file.")
    return f"{path.name}@{file_digest(path)[:12]}"


def bundled_path(backbone: str, width: float) -> Path:
    """The weights that come with the package for a backbone.

    Raises:
        UserError: if there are none for it.
    """
    if (backbone, width) not in _BUNDLED:
        raise UserError(
            f"No weights are bundled for {backbone} at width {width:g}. "
            "Use imagenet, or the path of a .weights.h5 file."
        )
    return _BUNDLED[backbone, width]
