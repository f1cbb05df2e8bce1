"""The same seed gives the same result in another folder; the whole sequence leaves the raw data as they were."""

import io
import json
import resource
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from utkface_mt.drawn_faces.sample import write_sample
from utkface_mt.util.files import file_digest
from utkface_mt.experiments.results import ResultStore
from utkface_mt.experiments.notebooks import SequenceOptions, run_sequence

VARYING = ("seconds", "command")
SHORT = {"epochs": 1, "trials": 2}


def _digests(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): file_digest(path) for path in folder.rglob("*") if path.is_file()}


def _run(runs: Path, data: Path, monkeypatch: pytest.MonkeyPatch, only: str = "", **parameters: int) -> Path:
    monkeypatch.setenv("UTKFACE_MT_RUNS", str(runs))
    options = SequenceOptions(data=str(data), only=only, parameters={**SHORT, **parameters})
    run_sequence(options, Console(file=io.StringIO()))
    return runs / "sample"


def _rows(folder: Path) -> list[dict]:
    rows = json.loads((folder / "results.json").read_text())
    return [{name: value for name, value in row.items() if name not in VARYING} for row in rows]


def _histories(folder: Path) -> list[list[dict]]:
    return [
        [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in result.history]
        for result in ResultStore(folder).rows()
    ]


@pytest.mark.slow
def test_two_whole_runs_of_one_seed_are_alike_another_seed_differs_and_raw_data_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    data = write_sample(tmp_path / "UTKFace", 300, seed=3)
    before = _digests(data)
    monkeypatch.setenv("TF_DETERMINISTIC_OPS", "1")
    first, second = (_run(tmp_path / name, data, monkeypatch) for name in ("first", "second"))
    assert len(_rows(first)) == 9
    assert _rows(first) == _rows(second)
    assert _histories(first) == _histories(second)
    splits = [pd.read_csv(folder / "split.csv.gz") for folder in (first, second)]
    assert splits[0].equals(splits[1])
    other = _run(tmp_path / "other", data, monkeypatch, only="03", seed=1)
    assert _histories(other)[1] != _histories(first)[1]
    assert _digests(data) == before
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # kilobytes, of any kernel
    assert 200_000 < largest < 4_000_000  # what the sample profile promises
