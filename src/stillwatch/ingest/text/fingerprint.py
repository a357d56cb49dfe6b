"""Answers -> fingerprints: few numbers of a text by which a copy of any part of it is known again.

Winnowing (Schleimer, Wilkerson, Aiken, SIGMOD 2003): of the hashes of all runs of `RUN` words the least of every
`WINDOW` neighbours is kept, a MinHash of each stretch of text. So two texts that share `RUN + WINDOW` - 1 words in a
row share a fingerprint for certain, wherever in them these words stand: truncation and what was put before or behind do
no harm, as they do to MinHash bands of whole texts. Words are folded as in skeletons but nothing is masked; case,
accents, punctuation and white space do not count.

What the answer took from its own prompt is left out: whoever has that text need not have it from us.
"""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

from stillwatch.hashing import OFFSET, PRIME, chain, mix
from stillwatch.ingest.text.spans import decode, feed, kind_of
from stillwatch.ingest.text.tokens import LOWER
from stillwatch.ingest.text.unicode import APOSTROPHE, DIGIT, IGNORED, LETTER, SINGLE, tables

RUN = 4
"""Words of a run."""
WINDOW = 8
"""Runs of which the least is kept: two in nine of all."""
MOST = 64
"""Fingerprints kept of an answer, the least: those of about 290 words. Of longer answers they are a sample."""
_P = [pow(0x9E3779B97F4A7C15, k, 1 << 64) for k in range(RUN)]
POWERS = np.array(_P, np.uint64)
PLAIN = np.array([LOWER[c] if LOWER[c] else (c if 48 <= c <= 57 else 0) for c in range(256)], np.uint64)
"""ASCII letters in lower case and digits, 0 for every other byte."""
ENDING = np.array([c < 128 and not chr(c).isalnum() and c != 39 for c in range(256)], np.bool_)
"""ASCII after which a word is over: all but letters, digits and the apostrophe."""
ZERO = np.uint64(0)


class Prints(NamedTuple):
    """Fingerprints of n texts: values[offsets[k]:offsets[k + 1]], ascending and distinct; words [n]; text [n], a hash
    of all words in order."""

    values: npt.NDArray[np.uint32]
    offsets: npt.NDArray[np.int64]
    words: npt.NDArray[np.int32]
    text: npt.NDArray[np.uint64]


@nb.njit(cache=True, nogil=True)
def _words(data, a, b, kinds, folds, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the hashes of the words of data[a:b]; how many there are."""
    n, h, open_, i = 0, OFFSET, False, a
    while i < b:
        plain = PLAIN[data[i]]
        if plain != 0:
            while plain != 0:
                h = (h ^ plain) * PRIME
                i += 1
                plain = PLAIN[data[i]] if i < b else ZERO
            open_ = True
            if i == b:
                break
        if ENDING[data[i]]:  # the most frequent separators
            if open_:
                out[n] = h
                n += 1
                h, open_ = OFFSET, False
            i += 1
            continue
        code, width = (np.int64(data[i]), 1) if data[i] < 0x80 else decode(data, i, b)
        k = kind_of(code, kinds)
        if k in (LETTER, DIGIT):
            h = feed(h, np.int64(folds[code]) if code < 0x10000 else code)
            open_ = True
        elif not (k == IGNORED or (k == APOSTROPHE and open_)):
            if open_:
                out[n] = h
                n += 1
                h, open_ = OFFSET, False
            if k == SINGLE:
                out[n] = feed(OFFSET, code)
                n += 1
        i += width
    if open_:
        out[n] = h
        n += 1
    return n


@nb.njit(cache=True, nogil=True)
def _runs(words, n, out):  # type: ignore[no-untyped-def]
    """Hash of each run of words; a shorter text is one run. How many there are."""
    if n < RUN:
        if n == 0:
            return 0
        h = OFFSET
        for k in range(n):
            h = chain(h, words[k])
        out[0] = np.uint32(mix(h) >> np.uint64(32))
        return 1
    for k in range(n - RUN + 1):
        h = words[k]
        for j in range(1, RUN):
            h += words[k + j] * POWERS[j]
        out[k] = np.uint32(mix(h) >> np.uint64(32))
    return n - RUN + 1


@nb.njit(cache=True, nogil=True)
def _winnow(runs, m, out):  # type: ignore[no-untyped-def]
    """The least of every window of m runs, the last of equals, once for each place; how many."""
    if m == 0:
        return 0
    width, kept, at = min(WINDOW, m), 0, -1
    for end in range(width - 1, m):
        if at <= end - width:  # the least has left the window
            at = end - width + 1
            for k in range(at + 1, end + 1):
                if runs[k] <= runs[at]:
                    at = k
        elif runs[end] <= runs[at]:
            at = end
        else:
            continue
        out[kept] = runs[at]
        kept += 1
    return kept


@nb.njit(cache=True, nogil=True)
def _distinct(values, n):  # type: ignore[no-untyped-def]
    """Sort the first n values and leave each once; how many."""
    if n > 1:
        values[:n] = np.sort(values[:n])
    kept = 0
    for k in range(n):
        if kept == 0 or values[k] != values[kept - 1]:
            values[kept] = values[k]
            kept += 1
    return kept


@nb.njit(cache=True, nogil=True)
def _without(values, n, others, m, table):  # type: ignore[no-untyped-def]
    """Leave out of the first n values what is among the m others; how many are left."""
    size = 16
    while size < 4 * n:
        size *= 2
    table[:size] = -1
    low = np.uint32(size - 1)
    for k in range(n):
        at = values[k] & low
        while table[at] >= 0:
            at = (at + np.uint32(1)) & low
        table[at] = k
    gone = np.zeros(n, np.bool_)
    for k in range(m):
        at = others[k] & low
        while table[at] >= 0:
            if values[table[at]] == others[k]:
                gone[table[at]] = True
                break
            at = (at + np.uint32(1)) & low
    kept = 0
    for k in range(n):
        if not gone[k]:
            values[kept] = values[k]
            kept += 1
    return kept


@nb.njit(cache=True, nogil=True)
def _rows(data, offsets, asked, places, kinds, folds, most, longest, out, ends, count, text):  # type: ignore[no-untyped-def]
    words, runs = np.empty(longest + 1, np.uint64), np.empty(longest + 1, np.uint32)
    kept = np.empty(longest + 1, np.uint32)
    table = np.empty(8 * (longest + 2) + 16, np.int32)
    w = 0
    for row in range(len(count)):
        n = _words(data, offsets[row], offsets[row + 1], kinds, folds, words)
        h = OFFSET
        for k in range(n):
            h = chain(h, words[k])
        count[row], text[row] = n, mix(h)
        m = _distinct(kept, _winnow(runs, _runs(words, n, runs), kept))
        if m > 0 and places[row + 1] > places[row]:
            n = _words(asked, places[row], places[row + 1], kinds, folds, words)
            m = _without(kept, m, runs, _runs(words, n, runs), table)
        m = min(m, most)
        out[w : w + m] = kept[:m]
        w += m
        ends[row + 1] = w
    return w


def fingerprints(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    asked: npt.NDArray[np.uint8] | None = None,
    places: npt.NDArray[np.int64] | None = None,
    *,
    most: int = MOST,
) -> Prints:
    """Fingerprints of texts given as UTF-8 bytes and the n + 1 places at which they begin, `most` of each.

    asked, places: the prompt of each, likewise; runs of words that stand in it are left out (not of `text`).
    """
    n, known = len(offsets) - 1, tables()
    if asked is None or places is None:
        asked, places = np.empty(0, np.uint8), np.zeros(n + 1, np.int64)
        asked.flags.writeable = False  # as Arrow's are: one compiled kernel serves both
    sizes = np.diff(offsets)
    longest = int(max(sizes.max(initial=0), np.diff(places).max(initial=0)))
    room = int(np.minimum(sizes // 2 + 2, most).sum())
    out, ends = np.empty(room, np.uint32), np.zeros(n + 1, np.int64)
    count, text = np.zeros(n, np.int32), np.zeros(n, np.uint64)
    used = _rows(data, offsets, asked, places, known.kind, known.fold, most, longest, out, ends, count, text)
    return Prints(out[:used], ends, count, text)
