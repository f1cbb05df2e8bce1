"""Why a prediction came out as it did: LIME and Grad-CAM."""

import functools

import numpy as np
from lime import lime_image
from skimage.segmentation import slic

from ..model.age import AgeHead
from ..model.predict import compiled
from ..util.backend import keras, tf

SEGMENTS = 60  # superpixels of a face: about as large as an eye
lime_image.tqdm = functools.partial(lime_image.tqdm, disable=True)  # it draws a progress bar without asking


def lime_attribution(
    network: keras.Model, picture: np.ndarray, task: str, age_head: AgeHead, *, samples: int, seed: int = 0
) -> np.ndarray:
    """LIME: what happens to the prediction when superpixels are greyed out (Ribeiro et al., KDD 2016).

    For a picture, uint8 `[size, size, 3]`, it gives float32 `[size, size]`: the weight of the superpixel each pixel
    belongs to, in years for the task `age`, in probability of female for `gender`. The `seed` is that of the
    perturbed `samples`; the same seed gives the same explanation.
    """
    call = compiled(network)

    def predict(pictures: np.ndarray) -> np.ndarray:
        output = call(tf.constant(pictures, tf.float32))[task].numpy()
        return output if task == "gender" else age_head.years(output)[:, None]

    explanation = lime_image.LimeImageExplainer(random_state=seed).explain_instance(
        picture.astype(np.double),
        predict,
        labels=(0,),
        top_labels=None,
        hide_color=128,
        num_samples=samples,
        batch_size=64,
        segmentation_fn=lambda image: slic(image / 255, n_segments=SEGMENTS, compactness=12, start_label=0),
        random_seed=seed,
    )
    weights = dict(explanation.local_exp[0])
    return np.vectorize(lambda segment: weights.get(segment, 0.0), otypes=[np.float32])(explanation.segments)


def grad_cam(network: keras.Model, pictures: np.ndarray, task: str, age_head: AgeHead) -> np.ndarray:
    """Grad-CAM: where the last feature map raises the prediction (Selvaraju et al., ICCV 2017).

    Of pictures, uint8 `[n, size, size, 3]`, it gives maps, float32 `[n, size, size]`, each between 0 and 1. The `task`
    is `age`, or `gender`, of which the log-odds of female are explained, or `male`, with the log-odds of male.
    """
    size = pictures.shape[1]
    pixels = tf.constant(pictures, tf.float32)
    if "rescale" in [layer.name for layer in network.layers]:
        pixels = network.get_layer("rescale")(pixels)
    maps = network.get_layer("backbone")(pixels, training=False)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        pooled, gender = network.get_layer("features")(maps), network.get_layer("gender")
        if task == "age":
            explained = age_head.expected(network.get_layer("age")(pooled))
        else:  # from the layer's numbers: of a probability near 0 or 1 the log-odds have no gradient
            explained = (pooled @ gender.kernel + gender.bias)[:, 0] * (-1 if task == "male" else 1)
    weights = tf.reduce_mean(tape.gradient(explained, maps), axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * maps, axis=3, keepdims=True))
    heat = tf.image.resize(heat, (size, size))[..., 0].numpy()
    return heat / np.maximum(heat.max(axis=(1, 2), keepdims=True), 1e-8)
