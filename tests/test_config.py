"""Settings: unknown ones refused, wrong ones named, and none lost on the way through JSON."""

import json
from dataclasses import replace

import pytest

from utkface_mt.config import PROFILES, Experiment, get_profile
from utkface_mt.util.errors import UserError


def test_an_experiment_survives_json():
    experiment = Experiment(learning_rate=3e-4, augment="strong", flip_average=True)
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
    ],
)
def test_wrong_values_are_named(change: dict, message: str):
    with pytest.raises(UserError, match=message):
        replace(Experiment(), **change)


def test_whole_numbers_are_fine_where_real_ones_are_expected():
    assert replace(Experiment(), dropout=0).dropout == 0.0


def test_differences_name_what_changed():
    assert Experiment().differences(Experiment(augment="standard")) == {"augment": ("none", "standard")}


def test_profiles_are_known_by_name():
    assert set(PROFILES) == {"sample", "cpu", "full"}
    assert not get_profile("sample").needs_data
    with pytest.raises(UserError, match="There is no profile 'gpu'"):
        get_profile("gpu")
