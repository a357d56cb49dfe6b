"""Known answers, arranged so that a row of a corpus finds those that it shares fingerprints with.

An inverted list: who has a fingerprint, by fingerprint, found through the fingerprint's first bits. All of it is in
memory: `BYTES_A_PRINT` and `BYTES_AN_ANSWER` at most, with what is known of each answer besides.
"""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

FEWEST_BITS, MOST_BITS = 8, 27
MOST_PRINTS = 2**31 - 1
BYTES_A_PRINT, BYTES_AN_ANSWER = 25, 110
"""Known 4, list 8, rows of control corpora 4, buckets up to 8, filter up to 1; hashes, places, account, day, pair, what
was found."""
FILTER_BITS = 1
"""The filter has 2^1 bits for each bucket, so of fingerprints that nobody has a fifth to two fifths pass. Of 200,000
answers it has 2 MB, which the processor keeps near: with 2^3 matching took a quarter longer."""


class Known(NamedTuple):
    """Fingerprints of n answers: values[offsets[k]:offsets[k + 1]], ascending; text [n], hash of all words in order."""

    values: npt.NDArray[np.uint32]
    offsets: npt.NDArray[np.int64]
    text: npt.NDArray[np.uint64]


class Index(NamedTuple):
    """An inverted list over `Known` answers.

    prints [p], holder [p]: each answer's fingerprints, sorted by fingerprint and answer; buckets: where those begin
    that share their first bits; shift: 32 less these bits; elsewhere [p]: at the first place of a fingerprint, rows of
    other corpora that have it. seen: a bit for each value of the first bits of a fingerprint or a text that somebody
    has, `FILTER_BITS` more than those of the buckets: nearly all of a corpus is nobody's, and to see that takes a look
    at a sixteenth of the memory. text [n] ascending, said [n]: hashes of whole answers and whose they are; repeated
    [n]: at the first place of a text, rows of other corpora that are it.
    """

    known: Known
    prints: npt.NDArray[np.uint32]
    holder: npt.NDArray[np.int32]
    buckets: npt.NDArray[np.int32]
    shift: int
    elsewhere: npt.NDArray[np.uint32]
    seen: npt.NDArray[np.uint8]
    text: npt.NDArray[np.uint64]
    said: npt.NDArray[np.int64]
    repeated: npt.NDArray[np.uint32]


@nb.njit(cache=True, nogil=True)
def _place(values, offsets, shift, buckets, prints, holder):  # type: ignore[no-untyped-def]
    """Counting sort by the first bits, then by insertion within a bucket, whose entries come in order of answers."""
    for value in values:
        buckets[np.int64(value >> shift) + 2] += np.int32(1)
    for k in range(2, len(buckets)):
        buckets[k] += buckets[k - 1]
    for answer in range(len(offsets) - 1):
        for k in range(offsets[answer], offsets[answer + 1]):
            where = np.int64(values[k] >> shift) + 1
            at = np.int64(buckets[where])
            prints[at], holder[at] = values[k], answer
            buckets[where] += np.int32(1)


@nb.njit(cache=True, nogil=True)
def _order(prints, holder, buckets):  # type: ignore[no-untyped-def]
    for bucket in range(len(buckets) - 1):
        a, b = np.int64(buckets[bucket]), np.int64(buckets[bucket + 1])
        if b - a > 32:  # many of one fingerprint: sort, stably
            order = np.argsort(prints[a:b], kind="mergesort")
            prints[a:b], holder[a:b] = prints[a:b][order], holder[a:b][order]
            continue
        for k in range(a + 1, b):
            value, who, at = prints[k], holder[k], k
            while at > a and prints[at - 1] > value:
                prints[at], holder[at] = prints[at - 1], holder[at - 1]
                at -= 1
            prints[at], holder[at] = value, who


@nb.njit(cache=True, nogil=True)
def _note(values, shift, seen):  # type: ignore[no-untyped-def]
    for value in values:
        bit = np.int64(value >> shift)
        seen[bit >> 3] |= np.uint8(1 << (bit & 7))


def filter_bits(index: Index) -> int:
    """How many first bits the filter looks at."""
    return 32 - index.shift + FILTER_BITS


def perhaps(index: Index, texts: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Places of those texts, by their hashes, that some answer may be; none that is one is left out."""
    bit = (texts >> np.uint64(64 - filter_bits(index))).astype(np.int64)
    return np.flatnonzero(index.seen[bit >> 3] >> (bit & 7).astype(np.uint8) & 1)


def build(known: Known) -> Index:
    """The index of known answers; at most `MOST_PRINTS` fingerprints, which is what 90 million answers have."""
    size, answers = len(known.values), len(known.text)
    bits = min(max(int(np.ceil(np.log2(size + 1))), FEWEST_BITS), MOST_BITS)
    shift = 32 - bits
    buckets = np.zeros((1 << bits) + 2, np.int32)
    prints, holder = np.empty(size, np.uint32), np.empty(size, np.int32)
    _place(known.values, known.offsets, np.uint32(shift), buckets, prints, holder)
    buckets = buckets[:-1]
    _order(prints, holder, buckets)
    order = np.argsort(known.text, kind="stable")
    seen = np.zeros(1 << (bits + FILTER_BITS - 3), np.uint8)
    _note(known.values, np.uint32(shift - FILTER_BITS), seen)
    _note(known.text, np.uint64(64 - bits - FILTER_BITS), seen)
    return Index(
        known, prints, holder, buckets, shift, np.zeros(size, np.uint32), seen,
        known.text[order], order.astype(np.int64), np.zeros(answers, np.uint32),
    )  # fmt: skip
