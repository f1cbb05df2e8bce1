"""Near-duplicate faces: the same photograph twice, perhaps cropped, scaled or compressed anew.

Two faces are near-duplicates if their 64-bit DCT hashes differ in at most `MOST_BITS` bits and their 32 x 32 grey
pictures correlate above `LEAST_CORRELATION`: the hash finds candidates fast (24,000 faces take seconds), the
correlation throws out the chance hits. Clusters are the connected components, byte-identical files joined.

The hash is that of Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010): signs of the
8 x 8 lowest frequencies against their median.
"""

import numpy as np
import pandas as pd
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

MOST_BITS = 6
LEAST_CORRELATION = 0.97
_BLOCK = 512


def perceptual_hashes(greys: np.ndarray) -> np.ndarray:
    """Hashes grey pictures, uint8 `[n, 32, 32]`, so that similar ones differ in few bits: uint64 `[n]`."""
    low = dctn(greys.astype(np.float32), axes=(1, 2))[:, :8, :8].reshape(len(greys), 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(np.uint64).ravel()


def near_duplicate_pairs(greys: np.ndarray) -> np.ndarray:
    """All pairs of near-duplicates among `greys`, uint8 `[n, 32, 32]`: int64 `[pairs, 2]`, the smaller first."""
    hashes = perceptual_hashes(greys)
    flat = greys.reshape(len(greys), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6
    pairs = [np.empty((0, 2), np.int64)]
    for start in range(0, len(hashes), _BLOCK):
        block = hashes[start : start + _BLOCK, None]
        first, second = np.nonzero(np.bitwise_count(block ^ hashes[None, start:]) <= MOST_BITS)
        keep = second > first
        first, second = first[keep] + start, second[keep] + start
        similar = np.einsum("ij,ij->i", flat[first], flat[second]) > LEAST_CORRELATION
        pairs.append(np.stack([first[similar], second[similar]], axis=1))
    return np.concatenate(pairs)


def cluster_faces(digests: pd.Series, greys: np.ndarray) -> np.ndarray:
    """Groups faces that must not be divided between training and test.

    Args:
        digests: SHA-256 of each file.
        greys: uint8 `[n, 32, 32]`, in the same order.

    Returns:
        int64 `[n]`: the number of each face's cluster. A face without a twin is a cluster of its own.
    """
    count = len(greys)
    _, first, group = np.unique(digests.to_numpy(), return_index=True, return_inverse=True)
    identical = np.stack([first[group], np.arange(count)], axis=1)
    pairs = np.concatenate([near_duplicate_pairs(greys), identical])
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)
