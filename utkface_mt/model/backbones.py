"""The backbones: which there are, how they are built, and where their weights come from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..util.backend import keras
from ..util.errors import UserError
from .weights import bundled_path


@dataclass(frozen=True)
class Backbone:
    """A candidate backbone."""

    title: str  # name for people
    constructor: str  # name in `keras.applications`
    rescale: bool  # whether it expects pixels in -1 to 1; otherwise it takes 0 to 255 and rescales by itself
    has_width: bool = False  # whether it has a width multiplier


BACKBONES = {
    "mobilenet_v2": Backbone("MobileNetV2", "MobileNetV2", rescale=True, has_width=True),
    "mobilenet_v3_small": Backbone("MobileNetV3-Small", "MobileNetV3Small", rescale=False),
    "mobilenet_v3_large": Backbone("MobileNetV3-Large", "MobileNetV3Large", rescale=False),
    "efficientnet_v2_b0": Backbone("EfficientNetV2-B0", "EfficientNetV2B0", rescale=False),
    "nasnet_mobile": Backbone("NASNetMobile", "NASNetMobile", rescale=True),
    "resnet50_v2": Backbone("ResNet50V2", "ResNet50V2", rescale=True),
}


def build_backbone(
    name: str, width: float, image_size: int | None, weights: str, path: Path | None = None
) -> keras.Model:
    """Builds a backbone, a key of `BACKBONES`, without its classifier and loads its weights.

    Options are as for `build_network`, `path` its `weights_path`. The model, named `backbone`, goes from
    `[n, image_size, image_size, 3]` to a feature map `[n, h, w, channels]`.

    Raises:
        UserError: if there is no such backbone, or its weights cannot be had or do not fit. Random ones are used only
            for `none`.
    """
    if name not in BACKBONES:
        raise UserError(f"There is no backbone {name!r}; choose one of {', '.join(BACKBONES)}.")
    backbone = BACKBONES[name]
    options = {"alpha": width} if backbone.has_width else {}
    named = weights if weights == "imagenet" else None
    try:
        network = getattr(keras.applications, backbone.constructor)(
            input_shape=(image_size, image_size, 3), include_top=False, weights=named, **options
        )
    except Exception as error:
        if not named:
            raise
        raise UserError(
            f"The ImageNet weights of {backbone.title} could not be downloaded or read ({str(error).splitlines()[0]}). "
            "Check the network, delete a half download in ~/.keras/models, or give a .weights.h5 file with --weights."
        ) from error
    network.name = "backbone"  # given afterwards: some constructors look their own name up
    if weights not in ("imagenet", "none"):
        file = bundled_path(name, width) if weights == "bundled" else path
        if file is None:
            raise UserError(f"The experiment starts from the weights {weights}: give that file's path as the weights.")
        try:
            network.load_weights(file)
        except (ValueError, OSError) as error:
            raise UserError(
                f"{file} does not fit {backbone.title} at width {width:g} ({str(error).splitlines()[0]}). Give weights "
                "of that network, saved without its classifier."
            ) from error
        if broken := [weight.path for weight in network.weights if not np.isfinite(weight.numpy()).all()]:
            raise UserError(f"{file} holds values that are no numbers, first in {broken[0]}. Give another file.")
    return network
