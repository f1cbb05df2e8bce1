"""Network, losses and weights: shapes, ranges, what learns, and what loads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utkface_mt.util.backend import keras
from utkface_mt.config import Experiment
from utkface_mt.data.batches import AgeScale
from utkface_mt.util.errors import UserError
from utkface_mt.model.backbones import build_backbone
from utkface_mt.model.losses import LARGEST_WEIGHT, AgeDistributionLoss, SoftLabels, age_labels, balanced_weights, loss_weights, sample_weights, targets
from utkface_mt.model.network import YEARS, ages_in_years, build_heads, build_network, copy_heads, distribution_median, feature_model, start_from_prior
from utkface_mt.model.weights import weights_identity

TINY = Experiment(width=0.35, image_size=32, weights="none")
PICTURES = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)


def test_outputs_are_named_and_in_range():
    output = build_network(TINY)(PICTURES)
    assert output["age"].shape == (3, 1)
    assert 0 < float(np.min(output["gender"])) <= float(np.max(output["gender"])) < 1
    output = build_network(replace(TINY, age_head="distribution"))(PICTURES)
    assert output["age"].shape == (3, len(YEARS))
    assert np.allclose(np.sum(output["age"], axis=1), 1, atol=1e-5)


def test_a_frozen_backbone_leaves_the_heads_to_learn():
    trainable = {weight.path.split("/")[0] for weight in build_network(TINY).trainable_weights}
    assert trainable == {"age", "gender"}


@pytest.mark.slow
def test_fine_tuning_frees_layers_from_the_output_on():
    counts = [len(build_network(replace(TINY, fine_tune=share)).trainable_weights) for share in (0.0, 0.3, 1.0)]
    assert counts[0] < counts[1] < counts[2]
    network = build_network(replace(TINY, fine_tune=0.3))
    layers = network.get_layer("backbone").layers
    assert not layers[1].trainable
    assert layers[-1].trainable


@pytest.mark.parametrize(("normalisation", "changes"), [("frozen", False), ("trainable", True)])
def test_normalisation_statistics_change_only_if_asked(normalisation: str, changes: bool):
    network = build_network(replace(TINY, fine_tune=1.0, normalisation=normalisation))
    variables = [variable for variable in network.variables if "moving_mean" in variable.path]
    before = [variable.numpy() for variable in variables]
    network(PICTURES, training=True)
    changed = any(not np.array_equal(old, new.numpy()) for old, new in zip(before, variables, strict=True))
    assert changed is changes


@pytest.mark.slow
def test_weights_fit_the_network_with_plain_keras_normalisation_and_both_predict_the_same(tmp_path: Path):
    frozen = build_network(replace(TINY, fine_tune=1.0))
    plain = build_network(replace(TINY, fine_tune=1.0, normalisation="trainable", seed=1))
    frozen.save_weights(tmp_path / "network.weights.h5")
    plain.load_weights(tmp_path / "network.weights.h5")
    assert np.allclose(frozen(PICTURES)["age"], plain(PICTURES, training=False)["age"], atol=1e-5)
    layer = plain.get_layer("backbone").layers[2]
    assert type(layer) is keras.layers.BatchNormalization


def test_heads_trained_on_features_predict_the_same_inside_the_network():
    network, heads = build_network(TINY), build_heads(1280, TINY)
    heads.get_layer("age").set_weights([np.random.default_rng(0).normal(size=(1280, 1)), np.ones(1)])
    copy_heads(heads, network)
    features = feature_model(network)(PICTURES)
    assert np.allclose(heads(features)["age"], network(PICTURES)["age"], atol=1e-4)


def test_the_bundled_weights_load_and_are_small():
    bundled = build_backbone("mobilenet_v2", 0.35, 96, "bundled")
    random = build_backbone("mobilenet_v2", 0.35, 96, "none")
    assert not np.allclose(bundled.get_weights()[0], random.get_weights()[0])
    assert all(np.isfinite(weight).all() for weight in bundled.get_weights())
    path = Path(__file__).parents[1] / "utkface_mt/model/drawn_faces_mobilenet_v2_035.weights.h5"
    assert path.stat().st_size < 1_500_000


def test_a_weights_file_is_known_by_name_and_content(tmp_path: Path):
    path = tmp_path / "mine.weights.h5"
    backbone = build_backbone("mobilenet_v2", 0.35, 32, "none")
    backbone.save_weights(path)
    identity = weights_identity(str(path))
    assert identity.startswith("mine.weights.h5@")
    assert str(tmp_path) not in identity
    loaded = build_backbone("mobilenet_v2", 0.35, 32, identity, path)
    assert np.array_equal(loaded.get_weights()[0], backbone.get_weights()[0])
    with pytest.raises(UserError, match=r"does not fit MobileNetV2 at width 0.5 .*Give weights of that network"):
        build_backbone("mobilenet_v2", 0.5, 32, identity, path)


@pytest.mark.parametrize("weights", ["nowhere.weights.h5", "imagnet", "model.h5"])
def test_unknown_weights_are_refused(weights: str):
    with pytest.raises(UserError, match="weights="):
        weights_identity(weights)


def test_weights_are_never_silently_random(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UserError, match="No weights are bundled"):
        build_backbone("mobilenet_v2", 0.5, 32, "bundled")

    def no_network(*args, **kwargs):
        raise OSError("URL fetch failure")

    monkeypatch.setattr(keras.utils, "get_file", no_network)
    monkeypatch.setattr("keras.src.applications.mobilenet_v2.file_utils.get_file", no_network)
    with pytest.raises(UserError, match="could not be downloaded"):
        build_backbone("mobilenet_v2", 1.0, 128, "imagenet")


def test_balanced_weights_give_classes_the_same_total_and_are_clipped():
    codes = np.array([0] * 52 + [1] * 48)
    weights = balanced_weights(codes)
    assert weights[codes == 0].sum() == pytest.approx(weights[codes == 1].sum(), rel=1e-5)
    assert weights.mean() == pytest.approx(1, rel=1e-5)
    rare = balanced_weights(np.array([0] * 999 + [1]))
    assert rare.max() / rare.min() <= 2 * LARGEST_WEIGHT + 1e-3


def test_only_the_gender_loss_is_balanced_and_task_weights_sum_to_one():
    genders = np.array([0, 0, 0, 1])
    weights = sample_weights(genders, replace(TINY, sample_weights="balanced"))
    assert np.array_equal(weights["age"], np.ones(4))
    assert weights["gender"][3] > weights["gender"][0]
    assert sum(loss_weights(replace(TINY, gender_share=0.45)).values()) == pytest.approx(1)


def test_distribution_loss_prefers_the_true_age():
    def peak(year: int) -> np.ndarray:
        scores = np.exp(-0.5 * ((YEARS - year) / 2) ** 2)
        return (scores / scores.sum())[None].astype(np.float32)

    loss = AgeDistributionLoss()
    values = [float(loss(age_labels(np.array([30])), peak(year))) for year in (30, 33, 60)]
    assert values[0] == pytest.approx(0, abs=1e-3)
    assert values[0] < values[1] < values[2]


def test_an_untrained_distribution_answers_like_the_training_ages():
    experiment = replace(TINY, age_head="distribution")
    ages = np.random.default_rng(0).integers(20, 40, 500)
    heads = build_heads(4, experiment)
    start_from_prior(heads, experiment, ages)
    answer = heads(np.zeros((1, 4), np.float32))["age"].numpy()
    assert ages_in_years(answer, experiment, AgeScale(0, 1))[0] == pytest.approx(ages.mean(), abs=6)
    assert answer[0, 20:40].sum() > 0.75


@pytest.mark.parametrize(
    ("head", "decoding"), [("regression", "mean"), ("distribution", "mean"), ("distribution", "median")]
)
def test_a_perfect_answer_is_decoded_to_the_labels(head: str, decoding: str):
    ages, scale = np.array([1, 26, 80]), AgeScale(33.0, 20.0)
    experiment = replace(TINY, age_head=head, age_decoding=decoding)
    output = targets(ages, np.zeros(3), experiment, scale)["age"]
    if head == "distribution":
        output = np.eye(len(YEARS))[ages]
    assert np.allclose(ages_in_years(output, experiment, scale), ages, atol=1e-4)


@given(st.lists(st.floats(1e-6, 1), min_size=len(YEARS), max_size=len(YEARS)))
def test_half_of_a_distribution_lies_below_its_median(shares: list[float]):
    shares = np.array([shares]) / np.sum(shares)
    median = distribution_median(shares)[0]
    below = np.clip(median - (YEARS - 0.5), 0, 1) @ shares[0]
    assert below == pytest.approx(0.5, abs=1e-9)


def test_soft_labels_stand_for_their_share_of_the_label():
    experiment = replace(TINY, age_head="distribution", soft_share=0.25)
    soft = SoftLabels(np.eye(len(YEARS), dtype=np.float32)[[40, 60]], np.array([0.2, 0.6], np.float32))
    ages, genders = np.array([20, 60]), np.array([0, 1])
    blended = targets(ages, genders, experiment, AgeScale(0, 1), soft)
    assert np.allclose(blended["age"][:, 0], [25, 60])
    assert np.allclose(blended["age"][:, 1:].sum(axis=1), 1, atol=1e-5)
    assert blended["age"][0, 41] == pytest.approx(0.25, abs=1e-4)
    assert np.allclose(blended["gender"][:, 0], [0.05, 0.9])
    hard = targets(ages, genders, experiment, AgeScale(0, 1))
    assert np.allclose(hard["age"], age_labels(ages))
    with pytest.raises(UserError, match="soft_share needs age_head='distribution'"):
        replace(TINY, soft_share=0.5)
