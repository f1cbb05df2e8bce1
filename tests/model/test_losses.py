"""Loss weights sum to one, and balancing gives both genders the same total without blowing up a rare one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utkface_mt.model.age import AgeHead
from utkface_mt.model.losses import (
    LARGEST_WEIGHT,
    balanced_weights,
    loss_weights,
    sample_weights,
    targets,
    track_losses,
)
from utkface_mt.model.network import build_heads
from utkface_mt.util.backend import keras


@given(st.integers(1, 500), st.integers(1, 500))
def test_balanced_weights_give_classes_the_same_total_and_are_clipped(first: int, second: int):
    codes = np.repeat([0, 1], (first, second))
    weights = balanced_weights(codes)
    assert weights.mean() == pytest.approx(1, rel=1e-4)
    if max(first, second) / min(first, second) < 2 * LARGEST_WEIGHT - 1:
        assert weights[codes == 0].sum() == pytest.approx(weights[codes == 1].sum(), rel=1e-4)
    assert weights.max() / weights.min() <= 2 * LARGEST_WEIGHT + 1e-3


@given(st.floats(0, 1))
def test_the_weights_of_both_losses_sum_to_one(share: float):
    assert sum(loss_weights(share).values()) == pytest.approx(1)
    assert loss_weights(share)["gender"] == share


def test_only_the_gender_loss_is_balanced():
    genders = np.array([0, 0, 0, 1])
    weights = sample_weights(genders, "balanced")
    assert np.array_equal(weights["age"], np.ones(4))
    assert weights["gender"][3] == pytest.approx(weights["gender"][:3].sum())
    assert all(np.array_equal(even, np.ones(4)) for even in sample_weights(genders, "none").values())
    assert np.array_equal(targets(np.full(4, 30), genders, AgeHead())["gender"][:, 0], genders)


@pytest.mark.parametrize("kind", ["regression", "distribution"])
def test_the_first_step_is_traced_once(kind: str):
    head, traced = AgeHead(kind=kind), []

    def counted(wanted, predicted):
        traced.append(predicted)
        return keras.ops.mean(keras.ops.square(wanted - predicted))

    def traces_of_a_step(tracked: bool) -> int:
        model, wanted = build_heads(3, head), targets(np.array([30, 40]), np.array([0, 1]), head)
        model.compile("sgd", loss={"age": head.loss(), "gender": counted}, jit_compile=False)
        if tracked:
            track_losses(model, wanted)
        traced.clear()
        model.train_on_batch(np.ones((2, 3), np.float32), wanted)
        return len(traced)

    assert traces_of_a_step(tracked=True) == 1
    assert traces_of_a_step(tracked=False) == 2, "Keras no longer needs track_losses: remove it"
