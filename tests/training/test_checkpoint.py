"""Checkpoints: a stopped run ends where an unbroken one does, wherever it was stopped; a damaged one costs an epoch."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from utkface_mt.model.age import AgeHead
from utkface_mt.model.network import build_heads
from utkface_mt.training.checkpoint import Checkpoints
from utkface_mt.training.optimizer import build_optimizer
from utkface_mt.util.errors import UserError


def _assert_same(one: tuple, two: tuple) -> None:
    """Both runs have the same history, and the same weights bit for bit."""
    assert one[0] == two[0]
    assert all(np.array_equal(first, second) for first, second in zip(one[1], two[1], strict=True))


@pytest.mark.parametrize(
    "options", [{"scheduler": "plateau", "learning_rate": 1.0, "patience": 4, "epochs": 8}, {"scheduler": "cosine"}]
)
def test_a_stopped_run_ends_where_an_unbroken_one_does(options: dict, train: Callable, tmp_path: Path):
    whole = train(tmp_path / "whole", **options)
    assert whole[0][-1]["learning_rate"] < whole[0][0]["learning_rate"]  # the scheduler had something to do
    for epoch in (1, 3):
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "stopped", stop=epoch, **options)
    _assert_same(train(tmp_path / "stopped", **options), whole)


@pytest.mark.slow
def test_training_killed_at_any_write_ends_as_if_it_had_not_been(train: Callable, moments, tmp_path: Path):
    options = {"epochs": 3, "batch_size": 20}
    whole = train(tmp_path / "whole", **options)
    with moments.of(tmp_path / "run"):
        train(tmp_path / "run", **options)
    assert moments.count > 15
    for moment in moments:
        _assert_same(train(moment, **options), whole)


@pytest.fixture(scope="module")
def stopped(train: Callable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was stopped after its fourth epoch."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.raises(KeyboardInterrupt):
        train(folder, stop=3)
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
    damaged: Callable, stopped: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    newest = sorted(tmp_path.glob("epoch-*.npz"))[-1]
    newest.write_bytes(damaged(newest))
    model = build_heads(3, AgeHead(), dropout=0.3)
    model.compile(optimizer=build_optimizer("adam", 0.01))
    model.optimizer.build(model.trainable_variables)
    assert Checkpoints(tmp_path, 6).restore(model) == 3  # of four finished epochs
    assert "epoch-0003.npz is damaged" in capsys.readouterr().out


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(stopped: Path, train: Callable, tmp_path: Path):
    shutil.copytree(stopped, tmp_path / "stopped")
    newest = sorted((tmp_path / "stopped").glob("epoch-*.npz"))[-1]
    newest.write_bytes(newest.read_bytes()[:200])
    _assert_same(train(tmp_path / "stopped"), train(tmp_path / "whole"))


PASSES_ITS_BEST = {"epochs": 30, "patience": 3, "learning_rate": 1.0, "scheduler": "constant"}


def test_the_best_epochs_weights_are_kept_and_patience_stops(train: Callable, tmp_path: Path):
    history, weights = train(tmp_path / "whole", **PASSES_ITS_BEST)
    losses = [row["val_loss"] for row in history]
    best = int(np.argmin(losses))
    assert len(losses) < 30
    assert len(losses) - 1 - best == 3
    until_then = train(tmp_path / "until then", **{**PASSES_ITS_BEST, "epochs": best + 1})
    _assert_same(until_then, (history[: best + 1], weights))


def test_a_damaged_best_epoch_is_named(train: Callable, tmp_path: Path):
    train(tmp_path / "run", **PASSES_ITS_BEST)
    best, *newest = sorted((tmp_path / "run").glob("epoch-*.npz"))
    assert len(newest) == 2
    best.write_bytes(b"rust")
    with pytest.raises(UserError, match=rf"{best.name} is damaged .* Delete the folder run"):
        train(tmp_path / "run", **PASSES_ITS_BEST)


def test_the_same_seed_gives_the_same_run_and_another_differs(train: Callable, tmp_path: Path):
    first = train(tmp_path / "first", epochs=2)
    _assert_same(train(tmp_path / "again", epochs=2), first)
    assert train(tmp_path / "other", epochs=2, seed=1)[0] != first[0]
