"""Near-duplicates: twins are found whatever the order, brightness hardly counts, equal files are one cluster."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from utkface_mt.data.duplicates import MOST_BITS, close_hashes, cluster_faces, near_duplicate_pairs, perceptual_hashes


@settings(max_examples=25)
@given(st.integers(2, 40), st.integers(0, 10), st.integers(0, 10**6))
def test_twins_are_found_whatever_the_order(count: int, twins: int, seed: int):
    rng, twins = np.random.default_rng(seed), min(count, twins)
    small = rng.integers(0, 255, (count, 6, 6), np.uint8)
    base = np.stack([np.asarray(Image.fromarray(picture).resize((32, 32))) for picture in small])
    noisy = np.clip(base[:twins].astype(int) + rng.integers(-2, 3, (twins, 32, 32)), 0, 255).astype(np.uint8)
    greys = np.concatenate([base, noisy])
    found = {tuple(sorted(pair)) for pair in near_duplicate_pairs(greys).tolist()}
    assert found == {(number, count + number) for number in range(twins)}
    order = rng.permutation(len(greys))
    digests = pd.Series([str(number) for number in range(len(greys))])
    straight, shuffled = cluster_faces(digests, greys), cluster_faces(digests[order], greys[order])
    together = straight[order][:, None] == straight[order][None]
    assert np.array_equal(together, shuffled[:, None] == shuffled[None])


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(-20, 55))
def test_hash_ignores_brightness(seed: int, brighter: int):
    greys = np.random.default_rng(seed).integers(20, 200, (5, 32, 32))
    hashes = [perceptual_hashes(pictures.astype(np.uint8)) for pictures in (greys, greys + brighter)]
    assert np.bitwise_count(hashes[0] ^ hashes[1]).max() <= 2  # bits: the lowest frequency, and whose rank it takes


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=12))
def test_identical_files_are_one_cluster(digests: list[str]):
    greys = np.random.default_rng(0).integers(0, 255, (len(digests), 32, 32)).astype(np.uint8)
    clusters = cluster_faces(pd.Series(digests), greys)
    for one, first in zip(digests, clusters, strict=True):
        assert all((one == two) == (first == second) for two, second in zip(digests, clusters, strict=True))


def every_with_every(hashes: np.ndarray, block: int = 512) -> np.ndarray:
    """What `close_hashes` finds, by comparing each hash with each other."""
    pairs = [np.empty((0, 2), np.int64)]
    for start in range(0, len(hashes), block):
        near = np.bitwise_count(hashes[start : start + block, None] ^ hashes[None, start:]) <= MOST_BITS
        first, second = np.nonzero(np.triu(near, 1))
        pairs.append(np.stack([first, second], axis=1) + start)
    return np.concatenate(pairs)


def random_and_near_hashes(count: int, near: int, seed: int) -> np.ndarray:
    """Random hashes, of which `near` are others with up to ten bits changed."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, count, dtype=np.uint64)
    flips = np.bitwise_or.reduce(np.uint64(1) << rng.integers(0, 64, (10, near), dtype=np.uint64), axis=0)
    flips &= rng.integers(0, 2**64, near, dtype=np.uint64) | rng.integers(0, 2**64, near, dtype=np.uint64)
    hashes[rng.permutation(count)[:near]] = hashes[rng.integers(0, count, near)] ^ flips
    return hashes


@given(st.integers(1, 120), st.integers(0, 120), st.integers(0, 10**6))
def test_the_index_finds_every_close_pair_and_no_other(count: int, near: int, seed: int):
    hashes = random_and_near_hashes(count, min(count, near), seed)
    assert np.array_equal(close_hashes(hashes), every_with_every(hashes))


@pytest.mark.slow
def test_the_index_agrees_with_comparing_all_of_twenty_thousand_hashes():
    hashes = random_and_near_hashes(20_000, 4_000, seed=0)
    expected = every_with_every(hashes)
    assert len(expected) > 1_000
    assert np.array_equal(close_hashes(hashes), expected)


def test_many_copies_of_one_file_cost_no_more_than_one():
    """A download that failed may have left one picture under all names: pairs of them would fill the memory."""
    greys = np.random.default_rng(0).integers(0, 255, (2, 32, 32), np.uint8)
    clusters = cluster_faces(pd.Series(["a"] * 30_000 + ["b"]), np.repeat(greys, [30_000, 1], axis=0))
    assert np.unique(clusters, return_counts=True)[1].tolist() == [30_000, 1]
