"""What can be set: experiments, profiles, and settings from overrides, arguments and environment, in this order."""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utkface_mt.config import CHOICES, ENVIRONMENT, PROFILES, RANGES, Experiment, Settings
from utkface_mt.util.errors import UserError

VALUES = {name: st.sampled_from(choices) for name, choices in CHOICES.items()}
VALUES |= {name: st.floats(low, high) for name, (low, high) in RANGES.items() if isinstance(low, float)}


@given(st.fixed_dictionaries({}, optional=VALUES))
def test_an_experiment_survives_json(values: dict):
    experiment = Experiment(**values)
    assert Experiment.from_dict(json.loads(json.dumps(experiment.to_dict()))) == experiment


def test_unknown_fields_are_refused_with_a_hint():
    with pytest.raises(UserError, match="Did you mean 'learning_rate'"):
        Experiment.from_dict({"learning_rat": 0.1})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": "lion"}, "optimizer='lion' is unknown"),
        ({"augment": True}, "should be of type str"),
        ({"dropout": 1.5}, "outside 0 to 0.9"),
        ({"epochs": 2.5}, "should be of type int"),
        ({"epochs": True}, "should be of type int"),
        ({"learning_rate": "fast"}, "should be of type float"),
        ({"batch_size": 0}, "outside 1 to 4096"),
        ({"seed": -1}, "seed=-1 is outside 0"),
        ({"seed": 2**32}, "seed=4294967296 is outside 0"),
        ({"first_size": 100}, "should be multiples of 32"),
    ],
)
def test_wrong_values_are_named(change: dict, message: str):
    with pytest.raises(UserError, match=message):
        replace(Experiment(), **change)


def test_whole_numbers_are_fine_where_real_ones_are_expected():
    assert replace(Experiment(), dropout=0).dropout == 0.0


def test_differences_name_what_changed():
    assert Experiment().differences(Experiment(augment="standard")) == {"augment": ("none", "standard")}


def test_profiles_are_known_by_name_and_the_users_epochs_and_trials_go_for_every_row():
    assert set(PROFILES) == {"sample", "cpu", "full"}
    with pytest.raises(UserError, match="There is no profile 'gpu'"):
        Settings(profile="gpu")
    for name in PROFILES:
        profile = Settings(profile=name, data="faces.zip", epochs=1, trials=2).changed_profile()
        assert profile.start.epochs == profile.trial_epochs == 1
        assert {fields["epochs"] for fields in profile.changes.values()} == {1}
        assert profile.trials == 2
    assert Settings().changed_profile() == PROFILES["sample"]


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_overrides_win_over_arguments_these_over_the_environment_and_this_over_the_defaults(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv(ENVIRONMENT[name], raising=False)
    default = getattr(Settings(), name)
    assert getattr(Settings.read(), name) == default
    first, second, third = (True, False, True) if name == "tensorboard" else ("one", "two", "three")
    monkeypatch.setenv(ENVIRONMENT[name], "1" if first is True else first)
    assert getattr(Settings.read(), name) == first
    assert getattr(Settings.read(**{name: second}), name) == second
    assert getattr(Settings.read(json.dumps({name: third}), **{name: second}), name) == third
    assert getattr(Settings.read({name: third}, **{name: second}), name) == third


@pytest.mark.parametrize("value", ["", "0", "false", "No", "OFF"])
def test_a_switch_is_off_where_the_environment_says_so(value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(ENVIRONMENT["tensorboard"], value)
    assert Settings.read().tensorboard is False


@pytest.mark.parametrize(
    ("overrides", "given", "message"),
    [
        ("{epochs: 2}", {}, r"overrides='\{epochs: 2\}' is not JSON .*Write it like"),
        ("[1]", {}, "should be a JSON object"),
        ('{"epoch": 2}', {}, "There is no setting 'epoch'. Did you mean 'epochs'"),
        ('{"epochs": "2"}', {}, "epochs='2' should be of type int, not str"),
        ("", {"colour": "red"}, "There is no setting 'colour'. There are profile, data"),
        ("", {"limit": "many"}, "limit='many' should be of type int"),
        ("", {"limit": -1}, "limit=-1 should be 0 or more"),
        ("", {"seed": 2**32}, "seed=4294967296 should be 0 or more, and below"),
        ("", {"profile": "gpu"}, "There is no profile 'gpu'"),
        ("", {"profile": "cpu"}, "is for UTKFace: give the data"),
    ],
)
def test_wrong_settings_are_named(overrides: str, given: dict, message: str):
    with pytest.raises(UserError, match=message):
        Settings.read(overrides, **given)


def test_a_run_goes_where_the_settings_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(ENVIRONMENT["runs"], raising=False)
    assert Settings.read(runs=str(tmp_path / "runs")).runs_folder == tmp_path / "runs"
    assert Settings.read().runs_folder.name == "runs"
    assert set(ENVIRONMENT) <= {entry.name for entry in fields(Settings)}
