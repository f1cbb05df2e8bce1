"""Optimisers: the one-kernel update gives Keras' numbers, decay spares what it should, the cosine has its shape."""

import numpy as np
import pytest

from utkface_mt.training.optimizer import build_optimizer, cosine_schedule
from utkface_mt.util.backend import keras


def test_cosine_warms_up_and_ends_near_zero():
    schedule = cosine_schedule(0.01, 100)
    rates = [float(schedule(step)) for step in range(101)]
    assert rates[0] == pytest.approx(0.0001)
    assert max(rates) == pytest.approx(0.01, rel=0.01)
    assert int(np.argmax(rates)) == 10
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_the_one_kernel_update_gives_the_numbers_of_keras(name: str):
    ours = build_optimizer(name, 0.01, weight_decay=0.1, scheduler="cosine", steps=12)
    kind = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}[name]
    theirs = kind.from_config(ours.get_config())
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(3, 4)).astype(np.float32), rng.normal(size=(8, 3, 4))
    weights = [keras.Variable(start, name="kernel") for _ in range(2)]
    for gradient in gradients:
        for optimizer, weight in zip((ours, theirs), weights, strict=True):
            optimizer.apply([keras.ops.convert_to_tensor(gradient, "float32")], [weight])
    assert np.allclose(weights[0], weights[1], atol=1e-6)
    assert not np.allclose(weights[0], start, rtol=1e-3)


@pytest.mark.parametrize(("name", "decays"), [("adam", False), ("adamw", True)])
def test_decay_shrinks_kernels_and_spares_biases(name: str, decays: bool):
    optimizer = build_optimizer(name, 0.1, weight_decay=0.5)
    kernel, bias = (keras.Variable(np.ones(3, np.float32), name=part) for part in ("kernel", "bias"))
    optimizer.apply([keras.ops.zeros(3)] * 2, [kernel, bias])
    assert bool(np.all(kernel.numpy() < 1)) is decays
    assert np.array_equal(bias.numpy(), np.ones(3))
