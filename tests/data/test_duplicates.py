"""Near-duplicates: twins are found whatever the order, brightness hardly counts, equal files are one cluster."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from utkface_mt.data.duplicates import cluster_faces, near_duplicate_pairs, perceptual_hashes


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
