"""Makes the weights the `sample` profile starts from.

The sample needs without a download what ImageNet is to UTKFace: a backbone that has learnt to see, but was never told
an age or a gender. So a narrow MobileNetV2 learns to read *other* traits off drawn faces, somewhat larger than the
sample's: pose, light, background, clothes, glasses, smile, colours of skin, hair and eyes, size of eyes and brows. What
goes along with age or gender, hair above all, is left for fine-tuning: had the backbone learnt it, the frozen baseline
would be as good as what comes after. It takes about ten minutes on two cores; the seed differs from every sample's.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from utkface_mt.data.pixels import prepare_picture
from utkface_mt.drawn_faces.sample import draw_batch
from utkface_mt.model.weights import bundled_path
from utkface_mt.util.backend import keras

from .bundle import save_halved

SEED = 20_000
FACES = 10_000
IMAGE_SIZE = 80
WIDTH = 0.35
EPOCHS = 12


def pretrain(target: Path) -> float:
    """Trains the backbone and writes its weights; returns the share of held-out traits' variance explained."""
    keras.utils.set_random_seed(SEED)
    pixels, traits = _draw(FACES)
    backbone = keras.applications.MobileNetV2((IMAGE_SIZE, IMAGE_SIZE, 3), WIDTH, include_top=False, weights=None)
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # Keras' 0.999 would need thousands of steps to settle
    inputs = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3))
    features = backbone(keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs))
    outputs = keras.layers.Dense(traits.shape[1])(keras.layers.GlobalAveragePooling2D()(features))
    model = keras.Model(inputs, outputs)
    held_out = FACES // 10
    steps = EPOCHS * -(-(FACES - held_out) // 32)
    rate = keras.optimizers.schedules.CosineDecay(2e-4, steps, warmup_target=2e-3, warmup_steps=steps // 10)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), "mse")
    model.fit(pixels[held_out:], traits[held_out:], batch_size=32, epochs=EPOCHS, verbose=2)
    residual = model.predict(pixels[:held_out], verbose=0) - traits[:held_out]
    explained = 1 - float(np.mean(residual**2)) / float(traits[:held_out].var(axis=0).mean())
    save_halved(backbone, target)
    return explained


def _draw(faces: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws the faces in portions, so that the large pictures are never all in memory."""
    pixels, traits = np.empty((faces, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8), []
    for first in range(0, faces, 500):
        pictures, targets = draw_batch(min(500, faces - first), SEED + first, first)
        traits.append(targets)
        for number, picture in enumerate(pictures, start=first):
            pixels[number] = prepare_picture(Image.fromarray(picture), IMAGE_SIZE)
    return pixels, np.concatenate(traits)


def main() -> None:
    """Trains the weights and writes them into the package, or elsewhere."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=bundled_path("mobilenet_v2", WIDTH), help="the file to write")
    target = parser.parse_args().out
    print(f"Held-out variance explained: {pretrain(target):.3f}; weights at {target}")


if __name__ == "__main__":
    main()
