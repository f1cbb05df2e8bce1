"""Training: a stopped run ends where an unbroken one does, damaged checkpoints cost an epoch, studies go on."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from utkface_mt.util.backend import keras
from utkface_mt.config import Experiment
from utkface_mt.data.batches import AgeScale, epoch_order
from utkface_mt.util.errors import UserError
from utkface_mt.model.network import YEARS, build_heads
from utkface_mt.training.checkpoint import Checkpoints
from utkface_mt.training.fit import TrainingData, _batches, _files_of, fit
from utkface_mt.training.optimizer import build_optimizer
from utkface_mt.training.search import START, best_experiment, search, suggest
from utkface_mt.training.soft_labels import soft_labels
from utkface_mt.training.search import finished_trials

EXPERIMENT = Experiment(epochs=6, patience=6, learning_rate=0.01, batch_size=8, dropout=0.3, scheduler="plateau")
FILES = [f"face-{number}.jpg" for number in range(120)]


def _data(seed: int = 0) -> TrainingData:
    rng = np.random.default_rng(seed)
    ages = rng.integers(1, 90, 60)
    genders = rng.integers(0, 2, 60)
    features = np.stack([ages / 50, genders, rng.normal(size=60)], axis=1).astype(np.float32)
    return TrainingData(features, np.arange(40), np.arange(40, 60), ages, genders, AgeScale.fit(ages[:40]), FILES)


class Stop(keras.callbacks.Callback):
    """Raises after an epoch, as a killed process would stop there."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if epoch == self.epoch:
            raise KeyboardInterrupt


def _fit(folder: Path, experiment: Experiment = EXPERIMENT, **options) -> tuple[list, list]:
    model = build_heads(3, experiment)
    history = fit(model, _data(), experiment, folder, **options)
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history], model.get_weights()


@pytest.mark.parametrize("scheduler", ["plateau", "cosine"])
def test_a_stopped_run_ends_where_an_unbroken_one_does(scheduler: str, tmp_path: Path):
    experiment = replace(EXPERIMENT, scheduler=scheduler)
    history, weights = _fit(tmp_path / "whole", experiment)
    for epoch in (1, 3):
        with pytest.raises(KeyboardInterrupt):
            _fit(tmp_path / "stopped", experiment, callbacks=[Stop(epoch)])
    resumed_history, resumed_weights = _fit(tmp_path / "stopped", experiment)
    assert resumed_history == history
    assert all(np.array_equal(one, two) for one, two in zip(weights, resumed_weights, strict=True))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was stopped after its fourth epoch."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.raises(KeyboardInterrupt):
        _fit(folder, callbacks=[Stop(3)])
    return folder


def _without_state(path: Path) -> bytes:
    with np.load(path) as saved:
        values = {name: saved[name] for name in saved.files if name != "state"}
    stream = io.BytesIO()
    np.savez(stream, **values)
    return stream.getvalue()


@pytest.mark.parametrize(
    "damaged",
    [
        lambda path: path.read_bytes()[:200],
        lambda path: path.read_bytes()[:-200],
        lambda path: bytes(path.stat().st_size),
        lambda path: b"",
        _without_state,
    ],
    ids=["truncated early", "truncated late", "zeroed", "empty", "without its state"],
)
def test_a_damaged_checkpoint_costs_an_epoch_and_says_so(
    damaged, stopped: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    newest = sorted(tmp_path.glob("epoch-*.npz"))[-1]
    newest.write_bytes(damaged(newest))
    model = build_heads(3, EXPERIMENT)
    model.compile(optimizer=build_optimizer(EXPERIMENT, 5))
    model.optimizer.build(model.trainable_variables)
    assert Checkpoints(tmp_path, EXPERIMENT.patience).restore(model) == 3  # of four finished epochs
    assert "epoch-0003.npz is damaged" in capsys.readouterr().out


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(stopped: Path, tmp_path: Path):
    history, weights = _fit(tmp_path / "whole")
    shutil.copytree(stopped, tmp_path / "stopped")
    newest = sorted((tmp_path / "stopped").glob("epoch-*.npz"))[-1]
    newest.write_bytes(newest.read_bytes()[:200])
    again, resumed = _fit(tmp_path / "stopped")
    assert again == history
    assert all(np.array_equal(one, two) for one, two in zip(weights, resumed, strict=True))


def test_damaged_best_weights_are_named(tmp_path: Path):
    _fit(tmp_path)
    (tmp_path / "best.weights.h5").write_bytes(b"rust")
    with pytest.raises(UserError, match=r"best.weights.h5 is damaged .* Delete the folder"):
        _fit(tmp_path)


def test_the_best_epochs_weights_are_kept_and_patience_stops(tmp_path: Path):
    experiment = replace(EXPERIMENT, epochs=30, patience=3, learning_rate=1.0, scheduler="constant")
    history, weights = _fit(tmp_path, experiment)
    losses = [row["val_loss"] for row in history]
    assert len(losses) < 30
    assert len(losses) - 1 - int(np.argmin(losses)) == 3
    model = build_heads(3, experiment)
    model.load_weights(tmp_path / "best.weights.h5")
    assert all(np.array_equal(one, two) for one, two in zip(weights, model.get_weights(), strict=True))


@pytest.mark.slow
def test_another_seed_gives_another_run(tmp_path: Path):
    assert _fit(tmp_path / "a")[0] != _fit(tmp_path / "b", replace(EXPERIMENT, seed=1))[0]


def test_a_diverging_run_is_stopped_with_advice(tmp_path: Path):
    data = _data()
    data.source[3] = np.nan
    experiment = replace(EXPERIMENT, dropout=0.0)  # dropout could hide the broken face for an epoch
    order = epoch_order(40, experiment.seed, 0)
    batch = int(np.flatnonzero(order == 3)[0]) // experiment.batch_size
    with pytest.raises(UserError, match=rf"diverged in epoch 1, batch {batch + 1}: .*pictures of this batch: face-"):
        fit(build_heads(3, experiment), data, experiment, tmp_path)


def test_the_files_of_a_batch_are_those_it_was_made_of():
    data = replace(_data(), source=np.arange(60, dtype=np.float32)[:, None])
    batches = _batches(data, EXPERIMENT, 0)
    for number, (inputs, *_) in enumerate(batches.take(8).as_numpy_iterator()):
        epoch, batch = divmod(number, 5)
        assert [FILES[int(row)] for row in inputs[:, 0]] == _files_of(data, EXPERIMENT, epoch, batch)


@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")
def test_a_run_in_which_nothing_is_learnt_is_stopped(tmp_path: Path):
    model = build_heads(3, EXPERIMENT)
    model.trainable = False
    with pytest.raises(UserError, match="Nothing is learnt"):
        fit(model, _data(), EXPERIMENT, tmp_path)


@pytest.mark.parametrize(("field", "value"), [("ages", 0), ("ages", 117), ("genders", 2), ("genders", -1)])
def test_labels_out_of_range_are_refused_with_their_file(field: str, value: int, tmp_path: Path):
    data = _data()
    getattr(data, field)[7] = value
    with pytest.raises(UserError, match=r"1 faces have labels out of range.*: face-7.jpg"):
        fit(build_heads(3, EXPERIMENT), data, EXPERIMENT, tmp_path)
    assert not list(tmp_path.iterdir())


def test_cosine_warms_up_and_ends_near_zero():
    optimizer = build_optimizer(replace(EXPERIMENT, scheduler="cosine", epochs=10), steps_per_epoch=10)
    rates = [float(optimizer._learning_rate(step)) for step in range(101)]
    assert rates[0] == pytest.approx(0.0001)
    assert max(rates) == pytest.approx(0.01, rel=0.01)
    assert int(np.argmax(rates)) == 10
    assert rates[100] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_every_optimiser_can_be_built_and_adam_goes_without_decay(optimizer: str, decay: float):
    built = build_optimizer(replace(EXPERIMENT, optimizer=optimizer, weight_decay=decay), steps_per_epoch=2)
    assert built.weight_decay == (None if optimizer == "adam" else decay)


def _objective(calls: list):
    def objective(experiment: Experiment, callbacks: list) -> list[dict]:
        calls.append(experiment)
        return [{"val_loss": abs(np.log10(experiment.learning_rate) + 3) + experiment.dropout}]

    return objective


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_the_one_kernel_update_gives_the_numbers_of_keras(name: str):
    experiment = replace(EXPERIMENT, optimizer=name, weight_decay=0.1, scheduler="cosine")
    ours = build_optimizer(experiment, steps_per_epoch=2)
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


def _storage(folder: Path) -> str:
    return f"sqlite:///{folder / 'study.db'}"


def test_a_study_starts_from_the_default_and_its_best_trial_wins(tmp_path: Path):
    calls = []
    study = search(EXPERIMENT, _objective(calls), _storage(tmp_path), trials=6)
    assert len(calls) == 6
    assert calls[0] == replace(EXPERIMENT, **START)
    best = best_experiment(study, EXPERIMENT)
    losses = [_objective([])(experiment, [])[0]["val_loss"] for experiment in calls]
    assert best == calls[int(np.argmin(losses))]
    assert best.epochs == EXPERIMENT.epochs


def test_an_interrupted_study_goes_on_and_the_stopped_trial_is_run_again(tmp_path: Path):
    calls = []
    count = 0

    def stopping(experiment: Experiment, callbacks: list) -> list[dict]:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return _objective(calls)(experiment, callbacks)

    with pytest.raises(KeyboardInterrupt):
        search(EXPERIMENT, stopping, _storage(tmp_path), trials=4)
    study = search(EXPERIMENT, stopping, _storage(tmp_path), trials=4)
    assert len(finished_trials(study)) == 4
    failed = study.get_trials(states=(optuna.trial.TrialState.FAIL,))
    assert len(failed) == 1
    assert failed[0].params in [trial.params for trial in finished_trials(study)]


def test_every_searched_value_makes_a_valid_experiment():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        assert replace(EXPERIMENT, **suggest(study.ask())).batch_size in (16, 32, 64)


def _noise() -> tuple[TrainingData, np.ndarray]:
    """Pictures of noise, each twice, with labels that nothing in them tells: only who saw a picture knows its label."""
    rng = np.random.default_rng(0)
    pictures = np.repeat(rng.integers(0, 256, (60, 4, 4, 3)), 2, axis=0).astype(np.uint8)
    genders, ages = np.repeat(rng.integers(0, 2, 60), 2), np.repeat(rng.integers(1, 90, 60), 2)
    data = TrainingData(pictures, np.arange(100), np.arange(100, 120), ages, genders, AgeScale.fit(ages), FILES)
    return data, np.repeat(np.arange(60), 2)


def _memoriser() -> keras.Model:
    pictures = keras.Input((4, 4, 3))
    hidden = keras.layers.Dense(64, "relu")(keras.layers.Flatten()(pictures / 128 - 1))
    age = keras.layers.Dense(len(YEARS), "softmax", name="age")(hidden)
    return keras.Model(pictures, {"age": age, "gender": keras.layers.Dense(1, "sigmoid", name="gender")(hidden)})


@pytest.mark.slow
def test_soft_labels_come_from_teachers_that_never_saw_the_face_nor_its_twin(tmp_path: Path):
    data, clusters = _noise()
    experiment = Experiment(epochs=30, patience=30, learning_rate=0.01, age_head="distribution", soft_folds=2)
    seen = _memoriser()
    fit(seen, replace(data, validation=data.train), experiment, tmp_path / "seen")
    known = seen.predict(data.source[data.train].astype(np.float32), verbose=0)["gender"][:, 0]
    assert ((known > 0.5) == data.genders[data.train]).mean() > 0.95
    soft = soft_labels(data, clusters, experiment, _memoriser, tmp_path / "teachers")
    assert ((soft.gender > 0.5) == data.genders[data.train]).mean() < 0.7
    assert np.allclose(soft.age.sum(axis=1), 1, atol=1e-4)


@pytest.mark.slow
def test_soft_labels_go_on_with_the_next_fold(tmp_path: Path):
    data, clusters = _noise()
    experiment = Experiment(epochs=2, age_head="distribution", soft_folds=2)
    built = []

    def build() -> keras.Model:
        keras.utils.set_random_seed(0)
        built.append(1)
        return _memoriser()

    first = soft_labels(data, clusters, experiment, build, tmp_path)
    (tmp_path / "fold-1.npz").unlink()
    again = soft_labels(data, clusters, experiment, build, tmp_path)
    assert len(built) == 3
    assert np.allclose(first.gender, again.gender)
