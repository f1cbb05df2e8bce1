"""Running an experiment: trained once, kept by content, gone on with after a stop."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from .backend import keras
from .config import Experiment
from .environment import describe_machine, library_versions
from .evaluation.metrics import constant_predictions, intervals, predictions_table, score
from .files import digest, replacing
from .locks import holding, tell
from .model.losses import SoftLabels
from .model.network import ages_in_years, build_heads, build_network, copy_heads
from .results import Result
from .rows import get_row
from .training.answers import mean_answers
from .training.checkpoint import clear_states
from .training.features import backbone_features
from .training.fit import History, TrainingData, fit
from .training.soft_labels import soft_labels
from .training.strategy import for_replicas, get_strategy
from .training.tensorboard import tensorboard_callbacks
from .workspace import Workspace, training_code_version

PREDICTED_PARTS = ("validation", "calibration", "test")


def run(
    workspace: Workspace,
    experiment: Experiment,
    row: str = "",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    repeat: bool = False,
) -> Result:
    """Trains and scores an experiment, or returns what it gave before.

    Without a row (trials, sweeps) only validation scores are measured. With a row, the test set is read, once for
    this content.

    Args:
        workspace: the data and the store.
        experiment: what to train.
        row: the row of the table it is to become.
        callbacks: further Keras callbacks.
        repeat: whether it is the row trained once more, with another seed, and not the row itself.
    """
    key = workspace.key(experiment)
    result = workspace.store.load(key)
    network = None
    if result is None:
        with holding(workspace.store.place(key) / "training.lock", "training the same experiment", waiting=tell):
            result = workspace.store.load(key)  # whoever was waited for has it ready
            if result is None:
                logs = tensorboard_callbacks(workspace.folder / "tensorboard" / (f"{row}-{key}" if row else key))
                result, network = _trained(workspace, experiment, key, [*callbacks, *logs])
    if row:
        result = _as_row(workspace, result, row, network, repeat)
    return result


def _trained(workspace: Workspace, experiment: Experiment, key: str, callbacks: Sequence) -> tuple[Result, keras.Model]:
    """Trains an experiment and measures it on the validation faces."""
    network, history, seconds = _train(workspace, experiment, key, callbacks)
    result = Result(
        key=key,
        experiment=experiment,
        profile=workspace.profile.name,
        history=history,
        validation=score(predict_part(workspace, network, experiment, "validation")),
        seconds=round(seconds, 1),
        command=workspace.command,
        machine=describe_machine(),
        versions=library_versions(),
        replicas=workspace.replicas,
        code=training_code_version(),
    )
    workspace.store.save(result)
    clear_states(workspace.store.place(key) / "training")
    return result, network


def load_network(workspace: Workspace, result: Result) -> keras.Model:
    """The trained network of a result."""
    network = build_network(result.experiment, workspace.backbone_path(result.experiment))
    network.load_weights(workspace.store.place(result.key) / "network.weights.h5")
    return network


def predict_part(workspace: Workspace, network: keras.Model, experiment: Experiment, part: str) -> pd.DataFrame:
    """Predicts the faces of one part of the split: a table as `predictions_table` gives it."""
    rows = workspace.positions(part)
    pixels = workspace.pixels(experiment)
    mean = mean_answers(network, pixels, rows, experiment.flip_average)
    ages = ages_in_years(mean["age"], experiment, workspace.scale)
    return predictions_table(workspace.faces.iloc[rows], ages, mean["gender"][:, 0])


def run_constant(workspace: Workspace, row: str = "00_constant", repeat: bool = False) -> Result:
    """The row of always answering the training median and the majority gender; nothing is trained."""
    train, test = workspace.part("train"), workspace.part("test")
    tables = {
        part: constant_predictions(train["age"], train["gender"], faces)
        for part, faces in (("validation", workspace.part("validation")), ("test", test))
    }
    entry = get_row(row)
    result = Result(
        key=digest(["constant", workspace.data_digest]),
        experiment=workspace.start,
        profile=workspace.profile.name,
        history=[],
        validation=score(tables["validation"]),
        seconds=0.0,
        row=row,
        notebook=entry.notebook,
        title=entry.title,
        repeat=repeat,
        n_test=len(test),
        test=score(tables["test"]),
        ci=intervals(tables["test"]),
        command=workspace.command,
        machine=describe_machine(),
        versions=library_versions(),
    )
    workspace.store.save_predictions(result.key, "test", tables["test"])
    workspace.store.save(result)
    return result


def _train(
    workspace: Workspace, experiment: Experiment, key: str, callbacks: Sequence
) -> tuple[keras.Model, History, float]:
    """Trains the whole network, or the heads alone where the backbone is frozen and the pictures never change."""
    started = time.perf_counter()
    folder = workspace.store.place(key)
    pixels = workspace.pixels(experiment)
    spread = for_replicas(experiment, workspace.replicas)
    with get_strategy(workspace.strategy).scope():
        network = build_network(experiment, workspace.backbone_path(experiment))
        if experiment.fine_tune == 0 and experiment.augment == "none" and not experiment.first_epochs:
            features = _features(workspace, network, experiment, pixels)
            heads = build_heads(features.shape[1], experiment)
            history = fit(heads, workspace.training_data(features), spread, folder / "training", callbacks)
            copy_heads(heads, network)
        else:
            data = workspace.training_data(pixels)
            if experiment.soft_share:
                data = replace(data, soft=_soft_labels(workspace, experiment, data))
            history = fit(network, data, spread, folder / "training", callbacks)
    with replacing(folder / "network.weights.h5") as temporary:
        network.save_weights(temporary)
    return network, history, sum(epoch["seconds"] for epoch in history) or time.perf_counter() - started


def _soft_labels(workspace: Workspace, experiment: Experiment, data: TrainingData) -> SoftLabels:
    """The soft labels of an experiment; the same ones serve all its seeds."""
    teacher = replace(experiment, soft_share=0.0, seed=workspace.start.seed)
    return soft_labels(
        data,
        workspace.faces["cluster"].to_numpy(),
        for_replicas(teacher, workspace.replicas),
        lambda: build_network(teacher, workspace.backbone_path(teacher)),
        workspace.store.place(workspace.key(teacher)) / "teachers",
    )


def _features(workspace: Workspace, network: keras.Model, experiment: Experiment, pixels: np.ndarray) -> np.ndarray:
    """The frozen backbone's features, kept with the dataset: every experiment that shares them finds them."""
    frozen = Experiment(
        backbone=experiment.backbone,
        width=experiment.width,
        weights=experiment.weights,
        image_size=experiment.image_size,
        crop=experiment.crop,
    )
    name = workspace.key(frozen)
    return backbone_features(network, pixels, workspace.dataset.storage / f"features-{name}.npy")


def _as_row(workspace: Workspace, result: Result, row: str, network: keras.Model | None, repeat: bool) -> Result:
    """Makes a result a row: measures the test set unless this content was measured before."""
    if not result.test:
        network = network or load_network(workspace, result)
        tables = {part: predict_part(workspace, network, result.experiment, part) for part in PREDICTED_PARTS}
        for part, table in tables.items():
            workspace.store.save_predictions(result.key, part, table)
        test = tables["test"]
        result = replace(result, n_test=len(test), test=score(test), ci=intervals(test))
    entry = get_row(row)
    final = entry.final and not repeat
    result = replace(result, row=row, notebook=entry.notebook, title=entry.title, final=final, repeat=repeat)
    workspace.store.save(result)
    return result
