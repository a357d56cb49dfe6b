"""All that is kept of a column of texts, in one pass of compiled code over its bytes and offsets."""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

from stillwatch.ingest.text.labels import cues, label
from stillwatch.ingest.text.lexical import Masked, edge, item, lead, mask, whole
from stillwatch.ingest.text.tokens import scratch, tokenise
from stillwatch.ingest.text.unicode import SCRIPTS, tables
from stillwatch.ingest.text.vector import vector
from stillwatch.model import LABELS, VECTOR

KANA, HAN = SCRIPTS.index("kana"), SCRIPTS.index("han")


class Lexical(NamedTuple):
    """Sketches of n texts, see `model.SKETCHES`. Where `edged` is 0 there is no word for a lead; where `words` is 0
    there is no token at all. `script` is the place in `unicode.SCRIPTS`."""

    skeleton: npt.NDArray[np.uint64]
    lead: npt.NDArray[np.uint64]
    item: npt.NDArray[np.uint64]
    vector: npt.NDArray[np.int8]
    labels: npt.NDArray[np.float32]
    words: npt.NDArray[np.int32]
    script: npt.NDArray[np.int8]
    edged: npt.NDArray[np.int8]


@nb.njit(cache=True, nogil=True)
def _script(counts):  # type: ignore[no-untyped-def]
    """Dominant script; Japanese writes with ideographs too, and is told by its kana."""
    if 6 * counts[KANA] > counts[HAN]:
        counts[KANA] += counts[HAN]
        counts[HAN] = 0
    return np.argmax(counts)


@nb.njit(cache=True, nogil=True)
def _rows(data, offsets, T, S, M, C, out):  # type: ignore[no-untyped-def]
    sums, last = np.empty(VECTOR, np.int64), np.empty(64, np.int64)
    best, sure = np.empty(len(C.label), np.float64), np.empty(len(LABELS), np.float64)
    for row in range(len(out.words)):
        a, b = offsets[row], offsets[row + 1]
        n = tokenise(data, a, b, T, S)
        m = mask(S, n, M)
        first = edge(S, M, m)
        out.words[row], out.edged[row] = n, first > 0
        out.skeleton[row] = whole(M, m)
        out.lead[row] = lead(M, first)
        out.item[row] = item(data, a, b, T.kind, T.fold)
        vector(data, S, n, sums, out.vector[row])
        label(S, n, C, last, best, sure)
        for kind in range(len(sure)):
            out.labels[row, kind] = sure[kind]
        out.script[row] = _script(S.scripts)


def nothing(n: int) -> Lexical:
    """Zeros for n texts: room to fill, and all there is to say where none has a word."""
    hashes = [np.zeros(n, np.uint64) for _ in range(3)]
    return Lexical(
        hashes[0], hashes[1], hashes[2], np.zeros((n, VECTOR), np.int8),
        np.zeros((n, len(LABELS)), np.float32), np.zeros(n, np.int32), np.zeros(n, np.int8), np.zeros(n, np.int8),
    )  # fmt: skip


def sketch(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> Lexical:
    """Sketch texts given as UTF-8 bytes and the n + 1 places at which they begin."""
    most = int(np.diff(offsets).max(initial=0))
    out = nothing(len(offsets) - 1)
    room = Masked(np.empty(most + 1, np.uint64), np.empty(most + 1, np.int64))
    _rows(data, offsets, tables(), scratch(most), room, cues(), out)
    return out
