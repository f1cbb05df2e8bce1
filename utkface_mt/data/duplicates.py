"""Near-duplicate faces: the same photograph twice, perhaps cropped, scaled or compressed anew.

Two faces are near-duplicates if their 64-bit DCT hashes differ in at most `MOST_BITS` bits and their 32 x 32 grey
pictures correlate above `LEAST_CORRELATION`: the hash finds candidates fast (300,000 faces take minutes), the
correlation throws out the chance hits. Clusters are the connected components, byte-identical files joined.

The hash is that of Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010): signs of the
8 x 8 lowest frequencies against their median.
"""

import itertools

import numpy as np
import pandas as pd
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

MOST_BITS = 6
LEAST_CORRELATION = 0.97
_BLOCK = 4096  # pictures that are looked at together


def perceptual_hashes(greys: np.ndarray) -> np.ndarray:
    """Hashes grey pictures, uint8 `[n, 32, 32]`, so that similar ones differ in few bits: uint64 `[n]`."""
    hashes = np.empty(len(greys), np.uint64)
    for start in range(0, len(greys), _BLOCK):
        some = greys[start : start + _BLOCK].astype(np.float32)
        low = dctn(some, axes=(1, 2))[:, :8, :8].reshape(len(some), 64)
        bits = low > np.median(low, axis=1, keepdims=True)
        hashes[start : start + _BLOCK] = np.packbits(bits, axis=1).view(np.uint64).ravel()
    return hashes


def close_hashes(hashes: np.ndarray) -> np.ndarray:
    """All pairs of hashes, uint64 `[n]`, that differ in at most `MOST_BITS` bits: int64 `[pairs, 2]`, in order.

    Two such hashes agree wholly in at least one of `MOST_BITS + 1` bands of bits, so that only hashes which share a
    band are compared: the exact search of Norouzi, Punjani and Fleet, "Fast Search in Hamming Space with Multi-Index
    Hashing" (CVPR 2012), as a join.
    """
    found, count = [np.empty(0, np.int64)], len(hashes)
    edges = np.linspace(0, 64, MOST_BITS + 2).astype(np.uint64)
    for low, high in itertools.pairwise(edges):
        band = (hashes >> low) & ((np.uint64(1) << (high - low)) - np.uint64(1))
        order = np.argsort(band, kind="stable")
        left, step = np.arange(count), 1
        while len(left := left[: np.searchsorted(left, count - step)]):
            left = left[band[order[left]] == band[order[left + step]]]  # who is so many steps before one of its bucket
            pair = np.sort([order[left], order[left + step]], axis=0)
            close = np.bitwise_count(hashes[pair[0]] ^ hashes[pair[1]]) <= MOST_BITS
            found.append(pair[0, close] * count + pair[1, close])
            step += 1
    return np.stack(np.divmod(np.unique(np.concatenate(found)), max(count, 1)), axis=1)


def near_duplicate_pairs(greys: np.ndarray) -> np.ndarray:
    """All pairs of near-duplicates among `greys`, uint8 `[n, 32, 32]`: int64 `[pairs, 2]`, the smaller first."""
    pairs = close_hashes(perceptual_hashes(greys))
    similar = [np.empty(0, bool)]
    for start in range(0, len(pairs), _BLOCK):
        flat = greys[pairs[start : start + _BLOCK].T].reshape(2, -1, greys[0].size).astype(np.float32)
        flat -= flat.mean(axis=2, keepdims=True)
        flat /= np.linalg.norm(flat, axis=2, keepdims=True) + 1e-6
        similar.append(np.einsum("ij,ij->i", *flat) > LEAST_CORRELATION)
    return pairs[np.concatenate(similar)]


def cluster_faces(digests: pd.Series, greys: np.ndarray) -> np.ndarray:
    """Groups faces that must not be divided between training and test, by their files' SHA-256 and grey pictures.

    Gives the number of each face's cluster, int64 `[n]`. A face without a twin is a cluster of its own.
    """
    count = len(greys)
    _, first, group = np.unique(digests.to_numpy(), return_index=True, return_inverse=True)
    identical = np.stack([first[group], np.arange(count)], axis=1)
    pairs = np.concatenate([first[near_duplicate_pairs(greys[first])], identical])
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)
