"""Content vectors -> kernel mean embedding of an account, as a sum that merges.

Random Fourier features (Rahimi and Recht 2007) of a Gaussian kernel, cosines and sines of 64 frequencies: the mean of
an account's features is its kernel mean embedding, and the distance of two means the maximum mean discrepancy (Gretton
et al. 2012).

Sums are exact, so an account's profile does not depend on the order of its events or on the parts in which the log
came: frequencies are whole multiples of 2^-32 (a vector's angles then have no rounding error in float64) and features
of 2^-24.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np
import numpy.typing as npt

from stillwatch.hashing import mix64
from stillwatch.ingest.text.vector import SCALE
from stillwatch.model import PROFILE, VECTOR

BANDWIDTH = 1.2
"""Of the Gaussian kernel, for vectors of unit length; measured by `benchmarks/text.py`, flat between .8 and 2."""
ROWS = 1_024
"""Vectors worked on at once: their features, four passes over which are made, then stay in the cache."""
_SEED = 20_260_610


def _normals(n: int) -> npt.NDArray[np.float64]:
    """n normal deviates by Box and Muller from hashes, because numpy's streams may change with its version."""
    uniform = [(mix64((_SEED << 32) + k) + 1) / 2**64 for k in range(2 * n)]
    pairs = zip(uniform[::2], uniform[1::2], strict=True)
    return np.array([math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * v) for u, v in pairs])


_DRAWN = _normals(VECTOR * PROFILE // 2).reshape(VECTOR, PROFILE // 2)
FREQUENCIES = np.rint(_DRAWN / BANDWIDTH / SCALE * 2**32) / 2**32
_NORM = np.float32(math.sqrt(2 / PROFILE))
EXACT = 2.0**24
"""Features are whole multiples of one over this."""
_STEPS = np.float32(EXACT)


# exact, so in any order; a product of BLAS's starts threads of its own, which get into each other's way
@nb.njit(cache=True, nogil=True, fastmath={"contract"})
def _angles(vectors, frequencies, out):  # type: ignore[no-untyped-def]
    width = frequencies.shape[1]
    total = np.empty(width)
    for k in range(len(vectors)):
        total[:] = 0.0
        for j in range(vectors.shape[1]):
            value = float(vectors[k, j])
            for d in range(width):
                total[d] += value * frequencies[j, d]
        for d in range(width):
            out[k, d] = total[d]


def features(vectors: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
    """[n, 128] features of [n, 64] vectors; their inner products approximate the kernel, and their length is 1."""
    angles = np.empty((len(vectors), PROFILE // 2), np.float32)
    _angles(np.ascontiguousarray(vectors), FREQUENCIES, angles)
    out = np.empty((len(vectors), PROFILE), np.float32)
    np.cos(angles, out=out[:, : PROFILE // 2])
    np.sin(angles, out=out[:, PROFILE // 2 :])
    out *= _NORM * _STEPS
    np.rint(out, out=out)
    out /= _STEPS
    return out


@nb.njit(cache=True, nogil=True)
def _add(rows, values, sums, counts):  # type: ignore[no-untyped-def]
    for k in range(len(rows)):
        counts[rows[k]] += 1
        for d in range(values.shape[1]):
            sums[rows[k], d] += values[k, d]


def accumulate(
    rows: npt.NDArray[np.int64], vectors: npt.NDArray[np.int8], accounts: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Sum of features [accounts, 128] and number of events [accounts]; `rows` is the account of each vector [n].

    ValueError if an account is out of range.
    """
    if len(rows) and not (rows.min() >= 0 and rows.max() < accounts):
        raise ValueError(f"accounts are numbered 0 to {accounts - 1}")
    sums, counts = np.zeros((accounts, PROFILE)), np.zeros(accounts, np.int64)
    for start in range(0, len(rows), ROWS):
        part = slice(start, start + ROWS)
        _add(rows[part], features(vectors[part]), sums, counts)
    return sums, counts
