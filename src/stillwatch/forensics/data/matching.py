"""Rows of a corpus -> the known answers that they hold: exact, near, or no more than a lead.

A row and an answer are compared by their fingerprints: how many they share, which part of the answer's own
fingerprints stands in the row (`forward`), and which part of the row's in the answer (`backward`). What a row holds is
found greedily: the answer that explains most of its fingerprints, then the one that explains most of the rest.
Answers that explain the same are all named.
"""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

from stillwatch.forensics.data.index import FILTER_BITS, Index, perhaps
from stillwatch.ingest.text.fingerprint import MOST, Prints

EXACT, NEAR, LEAD = range(3)
KINDS = ("exact", "near", "lead")
"""Exact: the same words in the same order. Near: a copy that was edited, cut or put into other text. Lead: shares rare
runs of words, as a paraphrase may; no evidence."""
NEAR_SHARED, NEAR_SHARE = 5, 0.3
"""Fingerprints that a near copy shares at least, and the least part of the answer's or of the row's."""
LEAD_SHARED, LEAD_SHARE, LEAD_HELD = 2, 0.1, 8
"""The same of a lead, and the most documents that may hold what is shared (the median of the fingerprints)."""
HELD = 256
"""A fingerprint that more answers hold brings no candidate by itself."""
ALIKE = 0.7
"""Of two answers that share the same of a row both are named, unless it is so much less a part of one: half a text that
stands in answers of several lengths is no more that of the shortest."""
SOURCES = 16
"""Answers that are named where a row's text is that of several."""
LOOKED_AT = 128
"""Candidates compared in full, and one more for every eight fingerprints of the row."""
HEARD = 1 << 18
"""Holders that are counted at most, so that a row made to be slow is not."""


class Matches(NamedTuple):
    """m matches: row of the batch, answer, kind, fingerprints shared, forward, backward, documents that hold what is
    shared (`held`: answers and rows of control corpora; the median over fingerprints), and answers that fit as well
    (`alike`, of which at most `SOURCES` are named). Each [m]."""

    row: npt.NDArray[np.int64]
    answer: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int8]
    shared: npt.NDArray[np.int32]
    forward: npt.NDArray[np.float32]
    backward: npt.NDArray[np.float32]
    held: npt.NDArray[np.int64]
    alike: npt.NDArray[np.int64]


class _Room(NamedTuple):
    """What one row needs besides."""

    begins: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    used: npt.NDArray[np.bool_]
    places: npt.NDArray[np.int64]
    candidates: npt.NDArray[np.int32]
    forward: npt.NDArray[np.float64]
    backward: npt.NDArray[np.float64]


@nb.njit(cache=True, nogil=True)
def _find(prints, buckets, shift, seen, row, begins, ends):  # type: ignore[no-untyped-def]
    """Where each fingerprint's holders begin and end, and how many have any. What nobody has is looked for in the
    filter alone, and all buckets are fetched before any is read: none has to wait for another."""
    finer = np.uint32(shift - FILTER_BITS)
    for k in range(len(row)):
        bit = np.int64(row[k] >> finer)
        begins[k], ends[k] = 0, np.int64(seen[bit >> 3] >> np.uint8(bit & 7) & 1)
    for k in range(len(row)):
        if ends[k]:
            bucket = np.int64(row[k] >> shift)
            begins[k], ends[k] = buckets[bucket], buckets[bucket + 1]
    held = 0
    for k in range(len(row)):
        a, b, value = begins[k], ends[k], row[k]
        while a < b and prints[a] < value:
            a += 1
        end = a
        while end < b and prints[end] == value:
            end += 1
        begins[k], ends[k] = a, end
        held += end > a
    return held


@nb.njit(cache=True, nogil=True)
def _distinct(out, size, least, most):  # type: ignore[no-untyped-def]
    """The first `size` of `out`, each once, without those that stand there less than `least` times, the `most` that
    stand there most often first if they are more: how many."""
    if size < least:
        return 0
    found = np.sort(out[:size])
    distinct, at = 0, 0
    counts = np.empty(size, np.int32)
    while at < size:
        end = at
        while end < size and found[end] == found[at]:
            end += 1
        if end - at >= least:
            out[distinct], counts[distinct] = found[at], end - at
            distinct += 1
        at = end
    if distinct > most:
        order = np.argsort(-counts[:distinct], kind="mergesort")[:most]
        out[:most] = out[:distinct][order]
        return most
    return distinct


@nb.njit(cache=True, nogil=True)
def _candidates(holder, begins, ends, n, out):  # type: ignore[no-untyped-def]
    """Distinct holders of a row's rarer fingerprints that may share enough of them for a lead, those that hold most
    first if they are many: how many; `out` is filled."""
    size, rarest, common = 0, -1, 0
    for k in range(n):
        many = ends[k] - begins[k]
        if many == 0:
            continue
        if many > HELD:
            common += 1
            if rarest < 0 or many < ends[rarest] - begins[rarest]:
                rarest = k
            continue
        for at in range(begins[k], ends[k]):
            if size < len(out):
                out[size] = holder[at]
                size += 1
    if size == 0 and rarest >= 0:  # nothing rare: some of those that hold the rarest
        for at in range(begins[rarest], begins[rarest] + HELD):
            out[size] = holder[at]
            size += 1
        return size
    # all of the common ones may be shared as well
    return _distinct(out, size, LEAD_SHARED - common, LOOKED_AT + n // 8)


@nb.njit(cache=True, nogil=True)
def _compare(row, used, values, a, b):  # type: ignore[no-untyped-def]
    """(fingerprints of a row that an answer shares and that are not used, those that it could share)."""
    last = values[b - 1] if b - a >= MOST else np.uint32(0xFFFFFFFF)
    shared, able, k = 0, 0, a
    for at in range(len(row)):
        if row[at] > last:
            break
        if used[at]:
            continue
        able += 1
        while k < b and values[k] < row[at]:
            k += 1
        if k < b and values[k] == row[at]:
            shared += 1
    return shared, able


@nb.njit(cache=True, nogil=True)
def _take(row, used, values, a, b, begins, ends, elsewhere, places):  # type: ignore[no-untyped-def]
    """Mark what a row shares with an answer as used; the median number of documents that hold it."""
    k, many = a, 0
    for at in range(len(row)):
        while k < b and values[k] < row[at]:
            k += 1
        if k < b and values[k] == row[at] and not used[at]:
            used[at] = True
            places[many] = ends[at] - begins[at] + elsewhere[begins[at]]
            many += 1
    return np.sort(places[:many])[many // 2] if many else 0


@nb.njit(cache=True, nogil=True)
def _put(out, m, row, answer, kind, shared, forward, backward, held, alike):  # type: ignore[no-untyped-def]
    out.row[m], out.answer[m], out.kind[m], out.shared[m] = row, answer, kind, shared
    out.forward[m], out.backward[m], out.held[m], out.alike[m] = forward, backward, held, alike
    return m + 1


@nb.njit(cache=True, nogil=True)
def _exact(index, low, high, number, size, out, m):  # type: ignore[no-untyped-def]
    """All answers of one text, `SOURCES` of them named."""
    held = high - low + np.int64(index.repeated[low])
    for at in range(low, min(high, low + SOURCES)):
        m = _put(out, m, number, index.said[at], EXACT, size, 1.0, 1.0, held, high - low)
    return m


@nb.njit(cache=True, nogil=True)
def _best(index, row, room, many):  # type: ignore[no-untyped-def]
    """Which candidates share most that is not used: (shared, place of the one of which that is the largest part, how
    many share as much). These are moved to the front, with the part of the answer and of the row."""
    most, best, alike = 0, 0, 0
    values, offsets, candidates = index.known.values, index.known.offsets, room.candidates
    for k in range(many):
        answer = candidates[k]
        a, b = offsets[answer], offsets[answer + 1]
        shared, able = _compare(row, room.used, values, a, b)
        if shared == 0 or shared < most:
            continue
        part = shared / (b - a)
        if shared > most:
            most, best, alike = shared, 0, 0
        elif part > room.forward[best] or (part == room.forward[best] and answer < candidates[best]):
            best = alike
        candidates[alike], candidates[k] = answer, candidates[alike]
        room.forward[alike], room.backward[alike] = part, shared / able
        alike += 1
    return most, best, alike


@nb.njit(cache=True, nogil=True)
def _as_well(index, row, room, best, alike):  # type: ignore[no-untyped-def]
    """Places of those that share the same as the best, whose fingerprints are used by now, and a part as large or
    nearly: the largest first."""
    values, offsets, candidates = index.known.values, index.known.offsets, room.candidates
    order = np.argsort(candidates[:alike], kind="mergesort")
    order = order[np.argsort(-room.forward[:alike][order], kind="mergesort")]
    kept = 0
    for k in order:
        if room.forward[k] < ALIKE * room.forward[best]:
            break
        a, b = offsets[candidates[k]], offsets[candidates[k] + 1]
        if _compare(row, room.used, values, a, b)[0] == 0:
            order[kept] = k
            kept += 1
    return order[:kept]


@nb.njit(cache=True, nogil=True)
def _near(index, row, number, room, many, out, m):  # type: ignore[no-untyped-def]
    """Answers of which a row holds a part, those that explain most first."""
    values, offsets = index.known.values, index.known.offsets
    first = m
    while m < len(out.row):
        shared, best, alike = _best(index, row, room, many)
        part = max(room.forward[best], room.backward[best]) if alike else 0.0
        near = shared >= NEAR_SHARED and part >= NEAR_SHARE
        lead = shared >= LEAD_SHARED and part >= LEAD_SHARE and m == first
        if not (near or lead):
            break
        a, b = offsets[room.candidates[best]], offsets[room.candidates[best] + 1]
        held = _take(row, room.used, values, a, b, room.begins, room.ends, index.elsewhere, room.places)
        if not near and held > LEAD_HELD:
            break
        kind = NEAR if near else LEAD
        named = _as_well(index, row, room, best, alike)
        for k in named[: min(SOURCES, len(out.row) - m)]:
            answer, forward, backward = room.candidates[k], room.forward[k], room.backward[k]
            m = _put(out, m, number, answer, kind, shared, forward, backward, held, len(named))
        if not near:
            break
    return m


@nb.njit(cache=True, nogil=True)
def _rows(values, offsets, words, lows, highs, start, index, shift, mark, room, out):  # type: ignore[no-untyped-def]
    """Match rows from `start` on while there is room: (next row, matches)."""
    m, begins, ends = 0, room.begins, room.ends
    prints, buckets, seen = index.prints, index.buckets, index.seen
    for number in range(start, len(words)):
        a, b = offsets[number], offsets[number + 1]
        n = b - a
        if len(out.row) - m < SOURCES + n // NEAR_SHARED * SOURCES and m > 0:
            return number, m
        row = values[a:b]
        held = _find(prints, buckets, shift, seen, row, begins, ends)
        if lows[number] < highs[number] and words[number] > 0:
            m = _exact(index, lows[number], highs[number], number, n, out, m)
        elif held >= LEAD_SHARED:
            many = _candidates(index.holder, begins, ends, n, room.candidates)
            if many > 0:
                room.used[:n] = False
                m = _near(index, row, number, room, many, out, m)
        if mark:
            if lows[number] < highs[number]:
                index.repeated[lows[number]] += np.uint32(1)
            for k in range(n):
                if room.begins[k] < room.ends[k]:
                    index.elsewhere[room.begins[k]] += np.uint32(1)
    return len(words), m


def match(rows: Prints, index: Index, *, mark: bool = False) -> Matches:
    """Matches of a batch of rows, by row. With `mark` the rows then count among the documents that hold a text: it is
    how rows of control corpora come to do so, and must be over before the first row of a suspect corpus is matched."""
    some = perhaps(index, rows.text)
    lows, highs = np.zeros((2, len(rows.text)), np.int64)
    for side, place in (("left", lows), ("right", highs)):
        place[some] = np.searchsorted(index.text, rows.text[some], side)  # type: ignore[call-overload]
    longest = int(np.diff(rows.offsets).max(initial=0))
    room = _Room(
        np.empty(longest, np.int64), np.empty(longest, np.int64), np.empty(longest, np.bool_),
        np.empty(longest, np.int64), np.empty(min(HELD * (longest + 1), HEARD), np.int32),
        np.empty(LOOKED_AT + longest + HELD, np.float64), np.empty(LOOKED_AT + longest + HELD, np.float64),
    )  # fmt: skip
    size = max(4 * len(rows.words), SOURCES * (longest // NEAR_SHARED + 2))
    parts, start = [], 0
    while start < len(rows.words):
        out = _empty(size)
        start, m = _rows(
            rows.values, rows.offsets, rows.words, lows, highs, start, index, np.uint32(index.shift), mark, room, out
        )
        parts.append(Matches._make(column[:m] for column in out))
    return Matches._make(np.concatenate(columns) for columns in zip(*parts, strict=True)) if parts else _empty(0)


def _empty(size: int) -> Matches:
    return Matches(
        np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int8), np.empty(size, np.int32),
        np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.int64), np.empty(size, np.int64),
    )  # fmt: skip
