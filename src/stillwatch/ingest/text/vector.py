"""Content vector: signed feature hashing (Weinberger et al. 2009) of words and letter trigrams into 64 dimensions.

Chosen by measurement on accounts of 100 and 150 real prompts of 21 sources (`benchmarks/text.py`): letter trigrams
tell sources apart better than pairs of words; leaving common short words at full weight and counts unrooted is no
worse than damping them. Weights are whole numbers, so machines cannot differ before the last rounding.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.hashing import chain, mix
from stillwatch.model import VECTOR

SCALE = 127
"""A vector of length 1 is stored as whole numbers of 1/127; no component can overflow."""
_WORD, _PART = 2, 1
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_BLANK, _EIGHT, _THREE = np.uint64(32), np.uint64(8), np.uint64(0xFFFFFF)
FOLDED = np.array([c | 32 if 65 <= c <= 90 else c for c in range(256)], np.uint64)
"""Bytes with ASCII letters in lower case."""


@nb.njit(cache=True, nogil=True)
def _add(sums, g, weight):  # type: ignore[no-untyped-def]
    sums[g >> np.uint64(58)] += weight * (np.int64((g >> np.uint64(56)) & np.uint64(2)) - 1)


@nb.njit(cache=True, nogil=True)
def vector(data, S, n, sums, out):  # type: ignore[no-untyped-def]
    """Fill `out` [64] with the vector of n tokens of `data`; `sums` [64] is room to work in."""
    words, begins, ends, singles = S.word, S.begin, S.end, S.single
    sums[:] = 0
    for k in range(n):
        word = words[k]
        _add(sums, word * _SPREAD, _WORD)
        if singles[k]:
            # a character's neighbour says what its letters would
            if k > 0 and singles[k - 1]:
                _add(sums, mix(chain(words[k - 1], word)), _WORD)
            continue
        window = _BLANK
        for i in range(begins[k], ends[k] + 1):
            window = (window << _EIGHT) | FOLDED[data[i]] if i < ends[k] else (window << _EIGHT) | _BLANK
            if i > begins[k]:
                _add(sums, (window & _THREE) * _SPREAD, _PART)
    total = 0
    for d in range(VECTOR):
        total += sums[d] * sums[d]
    scale = SCALE / np.sqrt(np.float64(total)) if total > 0 else 0.0
    for d in range(VECTOR):
        out[d] = np.int8(np.rint(sums[d] * scale))


def packed(vectors: npt.NDArray[np.int8], none: npt.NDArray[np.bool_]) -> pa.Array:
    """The column `vector` of model.SKETCHES from vectors [n, 64]; null where there is `none`."""
    there = pa.py_buffer(np.packbits(~none, bitorder="little"))
    return pa.Array.from_buffers(pa.binary(VECTOR), len(vectors), [there, pa.py_buffer(np.ascontiguousarray(vectors))])


def unpacked(column: Any) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.bool_]]:
    """The reverse: vectors [n, 64], zeros where null, and where there is one [n]. Engines may give plain binary."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    there = np.asarray(whole.is_valid())
    if not there.all():
        whole = whole.fill_null(bytes(VECTOR))
    whole = whole.cast(pa.binary(VECTOR))
    data = whole.buffers()[1]
    if data is None or not len(whole):
        return np.zeros((len(whole), VECTOR), np.int8), there
    flat = np.frombuffer(data, np.int8)[VECTOR * whole.offset :][: VECTOR * len(whole)]
    return flat.reshape(-1, VECTOR), there
