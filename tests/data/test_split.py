"""The split: no leak, strata kept, also for a stratum of one; and the limit that keeps strata too."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utkface_mt.data.dataset import Dataset
from utkface_mt.data.split import PARTS, assign_parts, limit_faces, strata
from utkface_mt.util.errors import UserError

SHARES = dict(zip(PARTS, (0.70, 0.10, 0.05, 0.15), strict=True))


def _table(count: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ages = np.clip(rng.gamma(2.5, 13, count), 1, 116).astype(int)
    table = pd.DataFrame(
        {"age": ages, "gender": rng.integers(0, 2, count), "race": rng.choice(5, count, p=[0.4, 0.2, 0.2, 0.1, 0.1])}
    )
    cluster = np.arange(count)
    twins = rng.choice(count, count // 20, replace=False)
    cluster[twins] = cluster[(twins + 1) % count]
    return table.assign(cluster=cluster)


@settings(max_examples=8)
@given(st.integers(200, 280), st.integers(0, 10_000))
def test_few_faces_are_divided_in_sevenths(count: int, seed: int):
    faces = _table(count, seed)
    part = assign_parts(faces, seed)
    assert (part.groupby(faces["cluster"]).nunique() == 1).all()
    for name, sevenths in zip(PARTS, (4, 1, 1, 1), strict=True):
        assert abs((part == name).mean() - sevenths / 7) < 0.04


@settings(max_examples=5)
@given(st.integers(600, 1500), st.integers(0, 10_000))
def test_no_cluster_is_divided_and_strata_keep_their_shares(count: int, seed: int):
    faces = _table(count, seed)
    part = assign_parts(faces, seed)
    assert part.notna().all()
    assert (part.groupby(faces["cluster"]).nunique() == 1).all()
    for name, share in SHARES.items():
        assert abs((part == name).mean() - share) < 0.02
    for groups in (strata(faces), strata(faces).str.rsplit(" ", n=1).str[0]):  # with the race code, and without
        counts = pd.crosstab(groups, part)
        expected = np.outer(counts.sum(axis=1), [SHARES[name] for name in counts.columns])
        assert np.abs(counts.to_numpy() - expected).max() <= 6  # faces: clusters are whole, small strata lumpy


def test_a_stratum_of_one_is_placed_whole():
    faces = pd.concat([_table(700, 1), pd.DataFrame({"age": [101], "gender": [1], "race": [4], "cluster": [99_999]})])
    part = assign_parts(faces.reset_index(drop=True))
    assert part.iloc[-1] in PARTS


def test_the_same_seed_gives_the_same_split_and_another_differs(dataset: Dataset):
    first, again, other = (assign_parts(dataset.faces, seed) for seed in (0, 0, 1))
    assert first.equals(again)
    assert not first.equals(other)


def test_too_few_faces_are_refused(dataset: Dataset):
    for few in (dataset.faces.head(30), _table(400, 1).assign(cluster=np.arange(400) % 15)):  # of few pictures
        with pytest.raises(UserError, match="too few to split"):
            assign_parts(few)


@settings(max_examples=20)
@given(st.integers(1, 900), st.integers(0, 100))
def test_limit_keeps_each_stratum_to_within_a_face(limit: int, seed: int):
    faces = _table(900, 3)
    kept = limit_faces(faces, limit, seed)
    assert len(kept) == limit
    assert kept.index.is_unique
    expected = strata(faces).value_counts() * limit / len(faces)
    found = strata(kept).value_counts().reindex(expected.index, fill_value=0)
    assert (found - expected).abs().max() <= 1


def test_no_limit_keeps_all_and_a_negative_one_is_refused():
    faces = _table(100, 0)
    assert limit_faces(faces, 0).equals(faces)
    with pytest.raises(UserError, match="limit"):
        limit_faces(faces, -1)
