"""Tokens -> the hashes kept of a text: skeletons and item."""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

from stillwatch.hashing import OFFSET, chain, mix, mix64
from stillwatch.ingest.text.spans import WORD, decode, kind_of
from stillwatch.ingest.text.unicode import IGNORED, SPACE

EDGE = 12
"""Words of the lead; two characters of a script without spaces count as one word."""
OPENING = 3
"""Words after which the end of a line or a colon ends the lead: what follows is what the template was filled with."""
WHOLE = 32
"""Words at either end of a long text that the whole skeleton keeps; what lies between is payload."""
MASKS = np.array([mix64(1000 + kind) for kind in range(6)], np.uint64)
"""What stands for a marked token in a skeleton, by kind; the last is the payload."""
PAYLOAD = MASKS[5]

_BLANK, _BYTE = np.uint64(32), np.uint64(8)
PLAIN = np.array([ord(chr(c).lower()) if 33 <= c <= 126 else 0 for c in range(256)], np.uint64)
"""Visible ASCII in lower case, 0 for every other byte."""
SPACED = np.array([32 if c == 32 else PLAIN[c] for c in range(256)], np.uint64)
"""The same, and the blank."""


class Masked(NamedTuple):
    """Masked words of a text: a run of marked tokens of one kind is one. word: hash; token: the run's first token."""

    word: npt.NDArray[np.uint64]
    token: npt.NDArray[np.int64]


@nb.njit(cache=True, nogil=True)
def mask(S, n, M):  # type: ignore[no-untyped-def]
    """Fill `M` with the masked words of n tokens; how many there are."""
    m = 0
    for k in range(n):
        kind = S.kind[k]
        if kind == WORD:
            M.word[m] = S.word[k]
        elif k > 0 and S.kind[k - 1] == kind:
            continue
        else:
            M.word[m] = MASKS[kind]
        M.token[m] = k
        m += 1
    return m


@nb.njit(cache=True, nogil=True)
def edge(S, M, m):  # type: ignore[no-untyped-def]
    """How many of m masked words are the lead; 0 where there are no plain words at all."""
    units, plain, lead = 0, 0, 0
    while lead < m and units < 2 * EDGE:
        k = M.token[lead]
        if S.gap[k] and plain >= 2 * OPENING:
            break
        size = 2 - int(S.single[k])
        units += size
        plain += size if S.kind[k] == WORD else 0
        lead += 1
    return lead if plain else 0


@nb.njit(cache=True, nogil=True)
def _sequence(words, a, b):  # type: ignore[no-untyped-def]
    h = OFFSET
    for k in range(a, b):
        h = chain(h, words[k])
    return h


@nb.njit(cache=True, nogil=True)
def whole(M, m):  # type: ignore[no-untyped-def]
    """Skeleton of a text of m masked words."""
    if m <= 2 * WHOLE:
        return mix(_sequence(M.word, 0, m))
    h = chain(_sequence(M.word, 0, WHOLE), PAYLOAD)
    for k in range(m - WHOLE, m):
        h = chain(h, M.word[k])
    return mix(h)


@nb.njit(cache=True, nogil=True)
def lead(M, first):  # type: ignore[no-untyped-def]
    """Skeleton of the `first` masked words."""
    return mix(_sequence(M.word, 0, first))


@nb.njit(cache=True, nogil=True, inline="always")
def _eight(data, i):  # type: ignore[no-untyped-def]
    """Eight bytes as a block, and whether all are visible ASCII or single blanks."""
    block, before, odd = np.uint64(0), np.uint64(0), False
    for k in range(8):
        code = SPACED[data[i + k]]
        odd |= (code == 0) | ((code == _BLANK) & (before == _BLANK))
        block = (block << _BYTE) ^ code
        before = code
    return block, not odd


@nb.njit(cache=True, nogil=True)
def item(data, a, b, kinds, folds):  # type: ignore[no-untyped-def]
    """Hash of the whole text, folded, white space collapsed and stripped, in blocks of eight characters."""
    h, block, room, space, i = OFFSET, np.uint64(0), 8, False, a
    while i < b:
        code = PLAIN[data[i]]
        # most blocks are eight bytes of ASCII with single blanks between words; a blank that ends one has to be seen
        # before a visible character, and none stands before the first
        if room == 8 and not space and i + 8 <= b and (code != 0 or (data[i] == 32 and h != OFFSET)):
            eight, good = _eight(data, i)
            if good and (data[i + 7] != 32 or (i + 8 < b and PLAIN[data[i + 8]] != 0)):
                h = chain(h, eight)
                i += 8
                continue
        if code != 0:
            i += 1
        else:
            point, width = decode(data, i, b)
            k = kind_of(point, kinds)
            i += width
            if k == SPACE:
                space = True
                continue
            if k == IGNORED:
                continue
            code = np.uint64(folds[point]) if point < 0x10000 else np.uint64(point)
        if space:
            space = False
            if room < 8 or h != OFFSET:  # not before the first character
                block = (block << _BYTE) ^ _BLANK
                room -= 1
                if room == 0:
                    h, block, room = chain(h, block), np.uint64(0), 8
        block = (block << _BYTE) ^ code
        room -= 1
        if room == 0:
            h, block, room = chain(h, block), np.uint64(0), 8
    return mix(chain(chain(h, block), np.uint64(room)))
