"""Running an experiment: trained once, kept by content, gone on with after a stop."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..config import TRAINING_VERSION, Experiment
from ..evaluation.metrics import predictions_table
from ..model.network import build_heads, build_network, copy_heads, feature_model
from ..model.predict import compute_features, mean_answers
from ..model.weights import bundled_path
from ..training.checkpoint import clear_states
from ..training.fit import History, fit
from ..training.optimizer import build_optimizer
from ..training.strategy import get_strategy
from ..training.workers import order, sharing
from ..util.backend import keras
from ..util.errors import UserError
from ..util.files import digest, file_digest, replacing
from ..util.locks import holding
from ..util.runtime import describe_machine, library_versions
from .results import Result
from .rows import get_row
from .workspace import Workspace

# The fields of an experiment that are called as the arguments which take them.
NETWORK_OPTIONS = ("backbone", "width", "weights", "fine_tune", "normalisation", "dropout", "seed")
FIT_OPTIONS = ("epochs", "batch_size", "patience", "gender_share", "augment", "first_size", "first_epochs", "seed")


def run(
    workspace: Workspace,
    experiment: Experiment,
    row: str = "",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    repeat: bool = False,
) -> Result:
    """Trains and scores an experiment, with further Keras callbacks, or returns what it gave before.

    Without a `row` of the table that it is to become (trials, sweeps) only validation scores are measured. With a
    row, the test set is read, once for this content; `repeat` says that it is the row trained once more, with another
    seed, and not the row itself.
    """
    key = result_key(workspace, experiment)
    result, network = workspace.store.load(key), None
    if result is None:
        workspace.store.claim()
        with holding(workspace.store.place(key) / "training.lock", "training the same experiment", waiting=print):
            result = workspace.store.load(key)  # whoever was waited for has it ready
            if result is None:
                logs = _tensorboard(workspace, f"{row}-{key}" if row else key)
                network, history = _train(workspace, experiment, key, [*callbacks, *logs])
                answers = predict_part(workspace, network, experiment, "validation")
                workspace.store.save_predictions(key, "validation", answers)
                result = workspace.store.save(_result(workspace, experiment, key, history))
    clear_states(workspace.store.place(key) / "training")
    if not row:
        return result
    if not result.test:
        network = network or load_network(workspace, result)
        for part in ("calibration", "test"):
            workspace.store.save_predictions(key, part, predict_part(workspace, network, experiment, part))
    return workspace.store.save(_as_row(result, row, repeat))


def result_key(workspace: Workspace, experiment: Experiment) -> str:
    """What a result is kept by: configuration, initial weights, data and `TRAINING_VERSION`."""
    weights = ""
    if experiment.weights == "bundled":
        weights = file_digest(bundled_path(experiment.backbone, experiment.width))
    return digest([experiment.to_dict(), weights, workspace.data_digest, TRAINING_VERSION])


def build(workspace: Workspace, experiment: Experiment) -> keras.Model:
    """Builds the untrained network of an experiment."""
    return build_network(
        workspace.age_head(experiment),
        image_size=None if experiment.first_size else experiment.image_size,
        weights_path=workspace.weights_path(experiment),
        **_of(experiment, NETWORK_OPTIONS),
    )


def _of(experiment: Experiment, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(experiment, name) for name in names}


def load_network(workspace: Workspace, result: Result) -> keras.Model:
    """The trained network of a result."""
    network = build(workspace, result.experiment)
    network.load_weights(workspace.store.place(result.key) / "network.weights.h5")
    return network


def predict_part(workspace: Workspace, network: keras.Model, experiment: Experiment, part: str) -> pd.DataFrame:
    """Predicts the faces of one part of the split: a table as `predictions_table` gives it."""
    rows = workspace.positions(part)
    outputs = mean_answers(network, workspace.pixels(experiment), rows, experiment.flip_average)
    ages = workspace.age_head(experiment).years(outputs["age"])
    return predictions_table(workspace.faces.iloc[rows], ages, outputs["gender"][:, 0])


def run_constant(workspace: Workspace, repeat: bool = False) -> Result:
    """The row any model must beat: the answer is always the training median and the majority gender."""
    train, key = workspace.part("train"), digest(["constant", workspace.data_digest])
    for part in ("validation", "test"):
        faces = workspace.part(part)
        ages = np.full(len(faces), train["age"].median())
        female = np.full(len(faces), float(train["gender"].mean() >= 0.5))
        workspace.store.save_predictions(key, part, predictions_table(faces, ages, female))
    return workspace.store.save(_as_row(_result(workspace, workspace.start, key, []), "00_constant", repeat))


def _as_row(result: Result, name: str, repeat: bool) -> Result:
    row = get_row(name)
    final = row.final and not repeat
    return replace(result, row=name, notebook=row.notebook, title=row.title, final=final, repeat=repeat)


def _result(workspace: Workspace, experiment: Experiment, key: str, history: History) -> Result:
    return Result(
        key=key,
        experiment=experiment,
        profile=workspace.profile.name,
        history=history,
        seconds=round(sum((epoch["seconds"] for epoch in history), 0.0), 1),
        command=workspace.command,
        machine=describe_machine(),
        versions=library_versions(),
        replicas=get_strategy(workspace.settings.strategy).num_replicas_in_sync,
        training_version=TRAINING_VERSION,
    )


def _train(workspace: Workspace, experiment: Experiment, key: str, callbacks: Sequence) -> tuple[keras.Model, History]:
    """Trains the whole network, or the heads alone where `_is_frozen`, and keeps the weights."""
    folder, source = workspace.store.place(key), _source(workspace, experiment)
    with get_strategy(workspace.settings.strategy).scope():
        if shared := sharing():
            order(experiment.to_dict())
        model, history = _fit(workspace, experiment, source, folder / "training", callbacks)
    network = build(workspace, experiment) if shared or _is_frozen(experiment) else model
    if _is_frozen(experiment):
        copy_heads(model, network)
    elif shared:  # what a strategy of several workers has made, they can only use together
        network.set_weights(model.get_weights())
    with replacing(folder / "network.weights.h5") as temporary:
        network.save_weights(temporary)
    return network, history


def train_with_others(workspace: Workspace, experiment: Experiment) -> None:
    """Takes part, on a worker after the first, in the training that the first one has ordered."""
    source, folder = _source(workspace, experiment), workspace.store.place(result_key(workspace, experiment))
    with get_strategy(workspace.settings.strategy).scope():
        _fit(workspace, experiment, source, folder / "training", ())


def _is_frozen(experiment: Experiment) -> bool:
    """Whether the backbone never changes, nor the pictures: then its features are computed once."""
    return experiment.fine_tune == 0 and experiment.augment == "none" and not experiment.first_epochs


def _fit(
    workspace: Workspace, experiment: Experiment, source: np.ndarray, folder: Path, callbacks: Sequence
) -> tuple[keras.Model, History]:
    """Builds what is to be trained on pictures or features, under the strategy whose scope this is, and trains it."""
    age_head, data = workspace.age_head(experiment), workspace.training_data(source)
    if _is_frozen(experiment):
        model = build_heads(source.shape[1], age_head, dropout=experiment.dropout, seed=experiment.seed)
    else:
        model = build(workspace, experiment)
    steps = experiment.epochs * -(-len(data.train) // experiment.batch_size)
    rate, decay, scheduler = experiment.learning_rate, experiment.weight_decay, experiment.scheduler
    optimizer = build_optimizer(experiment.optimizer, rate, decay, scheduler, steps)
    own = {"plateau": scheduler == "plateau", "weights": experiment.sample_weights, "callbacks": callbacks}
    return model, fit(model, data, age_head, optimizer, folder, **own, **_of(experiment, FIT_OPTIONS))


def _source(workspace: Workspace, experiment: Experiment) -> np.ndarray:
    """What is trained on: pictures, or the frozen backbone's features, which all experiments that share them find."""
    pixels = workspace.pixels(experiment)
    if not _is_frozen(experiment):
        return pixels
    drawn = ("seed",) if experiment.weights == "none" else ()  # by which the backbone then differs
    shared = Experiment(**_of(experiment, ("backbone", "width", "weights", "image_size", "crop", *drawn)))
    path = workspace.dataset.storage / f"features-{result_key(workspace, shared)}.npy"
    if not path.exists():
        features = compute_features(feature_model(build(workspace, experiment)), pixels)
        with replacing(path) as temporary:
            np.save(temporary, features)
    return np.load(path)


def _tensorboard(workspace: Workspace, name: str) -> list[keras.callbacks.Callback]:
    """Writes logs for TensorBoard if the settings ask for them; a run that goes on adds to them."""
    if not workspace.settings.tensorboard:
        return []
    if not find_spec("tensorboard"):
        raise UserError("Logs for TensorBoard need one more package: pip install tensorboard")
    return [keras.callbacks.TensorBoard(str(workspace.folder / "tensorboard" / name), write_graph=False)]
