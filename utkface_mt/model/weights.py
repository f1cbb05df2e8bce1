"""Where a backbone's weights come from: named sets, files, and those that come with the package."""

from pathlib import Path

import h5py

from ..config import REFERENCE
from ..util.errors import UserError
from ..util.files import file_digest

ONLY_NUMBERS = (
    "Models that come as a whole (.keras, .h5, .pkl) can run code when they are opened and are not read: load them "
    "where you trust them, and give what `model.save_weights('NAME.weights.h5')` writes."
)
NAMED = ("imagenet", "bundled", "none")
BUNDLED_MODEL = REFERENCE / "model"  # the best row, trained on UTKFace
_BUNDLED = {
    ("mobilenet_v2", 0.35): Path(__file__).parent / "pretrained" / "drawn_faces_mobilenet_v2_035.weights.h5",
    ("mobilenet_v2", 1.0): BUNDLED_MODEL / "backbone.weights.h5",
}


def weights_identity(weights: str) -> str:
    """Turns what the user named into what an experiment records.

    Of `imagenet`, `bundled` and `none` that is the name itself; of the path of a `.weights.h5` file its name and the
    start of its SHA-256: no path, so that results can be shared. A file that does not exist, has another ending, or
    holds more than numbers is a `UserError`.
    """
    if weights in NAMED:
        return weights
    path = Path(weights).expanduser()
    if not path.is_file():
        raise UserError(f"weights={weights!r} is neither {', '.join(NAMED)} nor an existing .weights.h5 file.")
    if not path.name.endswith(".weights.h5"):
        raise UserError(f"{weights} does not end in .weights.h5. {ONLY_NUMBERS}")
    _check_weights_file(path)
    return f"{path.name}@{file_digest(path)[:12]}"


def _check_weights_file(path: Path) -> None:
    """Refuses a file that is no HDF5, holds more than numbers, or fetches them from other files."""
    try:
        with h5py.File(path) as file:
            if "model_config" in file.attrs:
                raise UserError(f"{path} holds a whole model in the old format. {ONLY_NUMBERS}")
            outside = file.visititems_links(_if_elsewhere) or file.visititems(_if_elsewhere)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise UserError(f"{path} is no HDF5 file of weights, or it is damaged. {ONLY_NUMBERS}") from error
    if outside:
        raise UserError(f"{path} takes {outside!r} from another file; it is not used. {ONLY_NUMBERS}")


def _if_elsewhere(name: str, item: object) -> str | None:
    stored = isinstance(item, h5py.Dataset) and (item.external or item.is_virtual)
    return name if stored or isinstance(item, h5py.ExternalLink) else None


def bundled_path(backbone: str, width: float) -> Path:
    """The weights that come with the package for a backbone; a `UserError` if there are none for it."""
    if (backbone, width) not in _BUNDLED:
        raise UserError(f"No weights are bundled for {backbone} at width {width:g}. Give imagenet or a .weights.h5.")
    return _BUNDLED[backbone, width]
