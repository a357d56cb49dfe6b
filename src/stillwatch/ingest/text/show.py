"""Masked text of a skeleton, for people: what the hash stands for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numba as nb
import numpy as np
import numpy.typing as npt

from stillwatch.ingest.text.lexical import WHOLE, Masked, edge, mask
from stillwatch.ingest.text.spans import WORD
from stillwatch.ingest.text.tokens import PLACEHOLDERS, Scratch, scratch, tokenise, tokens
from stillwatch.ingest.text.unicode import tables

PAYLOAD = "<payload>"
PARTS = ("whole", "system", "lead")
_SIGNS = [word.encode() for word in (*PLACEHOLDERS, PAYLOAD)]
_SIGN = np.frombuffer(b"".join(_SIGNS), np.uint8)
_SIGN_AT = np.cumsum([0, *map(len, _SIGNS)])
"""Where each kind's placeholder begins in `_SIGN`; the last is the payload's."""


def masked(text: bytes, part: str = "whole") -> str:
    """Masked words of `part` (whole, system, lead) of a text in UTF-8, a blank between them."""
    found, room, m = _masked(text)
    token = room.token[:m]
    if part == "lead":
        words = _words(text, found, token[: edge(found, room, m)])
    elif m > 2 * WHOLE:
        words = [*_words(text, found, token[:WHOLE]), PAYLOAD, *_words(text, found, token[m - WHOLE :])]
    else:
        words = _words(text, found, token)
    return " ".join(words)


def masked_rows(
    data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], rows: Sequence[int], part: str, most: int
) -> list[str]:
    """`masked` of some of the texts that begin at `offsets`, cut to `most` characters.

    Compiled code writes those that are ASCII, which is twenty times faster; the others are left to `masked`.
    """
    size = max((int(offsets[row + 1] - offsets[row]) for row in rows), default=0)
    room = Masked(np.empty(size + 1, np.uint64), np.empty(size + 1, np.int64))
    out, ends = np.empty((len(rows), most), np.uint8), np.empty(len(rows), np.int64)
    _write(data, offsets, np.array(rows, np.int64), PARTS.index(part), tables(), scratch(size), room, out, ends)
    return [
        out[k, :end].tobytes().decode("ascii")
        if end >= 0
        else masked(data[offsets[row] : offsets[row + 1]].tobytes(), part)[:most]
        for k, (row, end) in enumerate(zip(rows, ends.tolist(), strict=True))
    ]


@nb.njit(cache=True, nogil=True)
def _put(source, begin, end, out, w):  # type: ignore[no-untyped-def]
    """A word in lower case after what is written, as far as it fits: where it ends, or -1 if it is not ASCII."""
    if w > 0 and w < len(out):
        out[w] = 32
        w += 1
    for i in range(begin, min(end, begin + len(out) - w)):
        c = source[i]
        if c >= 128:
            return -1
        out[w] = c | 32 if 65 <= c <= 90 else c
        w += 1
    return w


@nb.njit(cache=True, nogil=True)
def _write(data, offsets, rows, part, T, S, M, out, ends):  # type: ignore[no-untyped-def]
    for k in range(len(rows)):
        n = tokenise(data, offsets[rows[k]], offsets[rows[k] + 1], T, S)
        m = mask(S, n, M)
        last, payload = m, m > 2 * WHOLE
        if part == 2:
            last, payload = edge(S, M, m), False
        w, j = 0, 0
        while j < last and w >= 0 and w < out.shape[1]:
            if payload and j == WHOLE:
                w = _put(_SIGN, _SIGN_AT[5], _SIGN_AT[6], out[k], w)
                j, payload = m - WHOLE, False
                continue
            token = M.token[j]
            kind = S.kind[token]
            if kind == WORD:
                w = _put(data, S.begin[token], S.end[token], out[k], w)
            else:
                w = _put(_SIGN, _SIGN_AT[kind], _SIGN_AT[kind + 1], out[k], w)
            j += 1
        ends[k] = w


@lru_cache(maxsize=1024)
def _masked(text: bytes) -> tuple[Scratch, Masked, int]:
    """Kept, because the parts of one text are asked for one after the other."""
    found = tokens(text)
    n = len(found.word)
    room = Masked(np.empty(n, np.uint64), np.empty(n, np.int64))
    return found, room, int(mask(found, n, room))


def _words(text: bytes, found: Scratch, token: npt.NDArray[np.int64]) -> list[str]:
    kinds, begin, end = found.kind[token].tolist(), found.begin[token].tolist(), found.end[token].tolist()
    return [
        text[start:stop].decode("utf-8", "replace").lower() if kind == WORD else PLACEHOLDERS[kind]
        for kind, start, stop in zip(kinds, begin, end, strict=True)
    ]
