"""Why the model answered as it did for one crop."""

import numpy as np
from PIL import Image

from ..data.pixels import prepare_picture
from ..evaluation.explain import TASKS, grad_cam, lime_attribution
from ..inference import FaceModel


def explain_crop(model: FaceModel, crop: Image.Image, samples: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """LIME and Grad-CAM for one face and both tasks.

    Args:
        model: the model that answered.
        crop: a face cut like UTKFace's crops.
        samples: changed copies for each LIME explanation.

    Returns:
        The picture as the network sees it, uint8 `[size, size, 3]`, and for each method and task a map
        `[size, size]`: LIME's in years or in probability of female, Grad-CAM's between 0 and 1.
    """
    picture = prepare_picture(crop, model.experiment.image_size, model.experiment.crop)
    maps = {}
    for task in TASKS:
        maps[f"LIME, {task}"] = lime_attribution(
            model.network, picture, task, model.experiment, model.scale, samples=samples
        )
        maps[f"Grad-CAM, {task}"] = grad_cam(model.network, picture[None], task, model.experiment)[0]
    return picture, maps
