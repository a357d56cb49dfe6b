"""Content vectors -> kernel mean embedding of an account, as a sum that merges.

Random Fourier features (Rahimi and Recht 2007) of a Gaussian kernel: the mean of an account's features is its kernel
mean embedding, and the distance of two means the maximum mean discrepancy (Gretton et al. 2012).
"""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

from stillwatch.model import PROFILE, VECTOR

BANDWIDTH = 0.8
"""Of the Gaussian kernel, for vectors of unit length."""

_rng = np.random.default_rng(20260610)
WEIGHTS = (_rng.normal(size=(VECTOR, PROFILE)) / BANDWIDTH).astype(np.float32)
PHASES = _rng.uniform(0, 2 * np.pi, PROFILE).astype(np.float32)
_SCALE = np.float32(np.sqrt(2 / PROFILE))


def features(vectors: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
    """[n, 128] features of [n, 64] vectors; their inner products approximate the kernel."""
    angles = (vectors.astype(np.float32) / np.float32(127)) @ WEIGHTS
    angles += PHASES
    out: npt.NDArray[np.float32] = np.cos(angles, out=angles)
    out *= _SCALE
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
    """Sum of features [accounts, 128] and number of events [accounts]; `rows` is the account of each vector."""
    sums, counts = np.zeros((accounts, PROFILE)), np.zeros(accounts, np.int64)
    for start in range(0, len(rows), 65_536):
        part = slice(start, start + 65_536)
        _add(rows[part], features(vectors[part]), sums, counts)
    return sums, counts
