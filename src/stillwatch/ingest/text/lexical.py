"""Tokens -> sketch of a text: skeletons, item, MinHash bands, content vector and cues, in one kernel.

MinHash: Broder 1997, 32 permutations (a h + b) mod 2**32 of hashed 3-word shingles, 8 bands of 4 rows. Vector: signed
feature hashing (Weinberger et al. 2009) of words and pairs of words into 64 dimensions, square-rooted, unit length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt

from stillwatch.hashing import mix
from stillwatch.ingest.text.tokens import WORD, tokenise
from stillwatch.model import BANDS, LABELS, VECTOR

EDGE = 12
"""Words that make the lead and the trail."""
WHOLE = 48
"""Up to as many words the whole-text skeleton has them all; of longer texts the middle is payload."""
ROWS_A_BAND = 4
MOST_TOKENS = 60_000
GROUPS = 8
"""Most groups of cues a label has."""
LABEL_COUNT = len(LABELS)
SCRIPTS = ("latin", "cyrillic", "arabic", "devanagari", "kana", "han", "hangul", "other")
LATIN, CYRILLIC, ARABIC, DEVANAGARI, KANA, HAN, HANGUL, OTHER = range(8)
SCRIPT_BYTES = 400
"""Bytes from which a text's dominant script is told."""

_rng = np.random.default_rng(20260223)
MULTIPLY = _rng.integers(0, 2**31, BANDS * ROWS_A_BAND, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
ADD = _rng.integers(0, 2**32, BANDS * ROWS_A_BAND, dtype=np.uint32)
_JOIN = np.uint64(0x9E3779B97F4A7C15)
_PAYLOAD = mix(np.uint64(77))


@dataclass(frozen=True)
class CueTable:
    """Hash table of cue phrases. Slots are a power of two; an empty slot has key 0.

    keys [S]: hash of the phrase; label, group, weight [S]; starts [F]: slots of first words; longest: words a phrase.
    """

    keys: npt.NDArray[np.uint64]
    labels: npt.NDArray[np.int8]
    groups: npt.NDArray[np.int8]
    weights: npt.NDArray[np.float32]
    starts: npt.NDArray[np.uint64]
    longest: int


@dataclass(frozen=True)
class Lexical:
    """Sketches of n texts; see `model.SKETCHES`. `words` is 0 for an empty text."""

    skeleton: npt.NDArray[np.uint64]
    lead: npt.NDArray[np.uint64]
    trail: npt.NDArray[np.uint64]
    item: npt.NDArray[np.uint64]
    bands: npt.NDArray[np.uint64]
    vector: npt.NDArray[np.int8]
    labels: npt.NDArray[np.float32]
    words: npt.NDArray[np.int32]
    script: npt.NDArray[np.int8]
    """Place in `SCRIPTS`."""


@nb.njit(cache=True, nogil=True, inline="always")
def join(h, word):  # type: ignore[no-untyped-def]
    """Hash of a sequence one word longer."""
    return mix((h ^ word) * _JOIN + np.uint64(1))


@nb.njit(cache=True, nogil=True)
def _sequence(words, start, end):  # type: ignore[no-untyped-def]
    h = np.uint64(end - start)
    for place in range(start, end):
        h = join(h, words[place])
    return h


@nb.njit(cache=True, nogil=True)
def _minhash(raw, n, least, out):  # type: ignore[no-untyped-def]
    for k in range(len(least)):
        least[k] = np.uint32(0xFFFFFFFF)
    width = min(n, 3)
    for place in range(n - width + 1):
        h = np.uint32(_sequence(raw, place, place + width) >> np.uint64(32))
        # 32-bit lanes: the compiler makes vector instructions of this loop
        for k in range(len(least)):
            least[k] = min(least[k], np.uint32(h * MULTIPLY[k] + ADD[k]))
    for band in range(BANDS):
        h = np.uint64(ROWS_A_BAND)
        for k in range(band * ROWS_A_BAND, (band + 1) * ROWS_A_BAND):
            h = join(h, np.uint64(least[k]))
        out[band] = h


@nb.njit(cache=True, nogil=True)
def _vector(masked, begins, ends, kinds, n, sums, out):  # type: ignore[no-untyped-def]
    sums[:] = 0.0
    before = np.uint64(0)
    for place in range(n):
        h = masked[place]
        length = ends[place] - begins[place]
        weight = np.float32(0.3) if kinds[place] == WORD and length <= 3 else np.float32(1.0)
        if kinds[place] != WORD:
            weight = np.float32(0.5)
        sums[h >> np.uint64(58)] += weight if h & np.uint64(1) else -weight
        if place > 0:
            pair = join(before, h)
            half = weight * np.float32(0.5)
            sums[pair >> np.uint64(58)] += half if pair & np.uint64(1) else -half
        before = h
    total = np.float32(0.0)
    for k in range(VECTOR):
        root = np.sqrt(abs(sums[k]))
        sums[k] = root if sums[k] > 0 else -root
        total += root * root
    scale = np.float32(127.0) / np.sqrt(total) if total > 0 else np.float32(0.0)
    for k in range(VECTOR):
        out[k] = np.int8(np.rint(sums[k] * scale))


@nb.njit(cache=True, nogil=True)
def _slot(table, key):  # type: ignore[no-untyped-def]
    """Slot of a key in an open-addressed table, or -1."""
    size = np.uint64(len(table) - 1)
    at = key & size
    while table[at] != 0:
        if table[at] == key:
            return np.int64(at)
        at = (at + np.uint64(1)) & size
    return np.int64(-1)


@nb.njit(cache=True, nogil=True)
def _cues(raw, n, keys, label, group, weight, starts, longest, seen, out):  # type: ignore[no-untyped-def]
    """Noisy-or over the groups of cues that were seen, a group once at its largest weight."""
    seen[:, :] = 0.0
    for place in range(n):
        if _slot(starts, raw[place]) < 0:
            continue
        h = np.uint64(0)
        for length in range(1, min(longest, n - place) + 1):
            h = join(h, raw[place + length - 1])
            at = _slot(keys, h | np.uint64(1))
            if at >= 0 and weight[at] > seen[label[at], group[at]]:
                seen[label[at], group[at]] = weight[at]
    for kind in range(LABEL_COUNT):
        missed = 1.0
        for k in range(seen.shape[1]):
            missed *= 1.0 - seen[kind, k]
        out[kind] = np.float32(1.0 - missed)


@nb.njit(cache=True, nogil=True)
def _script(data, start, end, count):  # type: ignore[no-untyped-def]
    """Dominant script from UTF-8 lead bytes; Japanese mixes han into kana."""
    count[:] = 0
    for place in range(start, min(end, start + SCRIPT_BYTES)):
        b = data[place]
        if 65 <= (b & 0xDF) <= 90 or 0xC2 <= b <= 0xCC:
            count[LATIN] += 1
        elif 0xD0 <= b <= 0xD4:
            count[CYRILLIC] += 1
        elif 0xD8 <= b <= 0xDD:
            count[ARABIC] += 1
        elif b == 0xE0:
            count[DEVANAGARI] += 1
        elif b == 0xE3:
            count[KANA] += 1
        elif 0xE4 <= b <= 0xE9:
            count[HAN] += 1
        elif 0xEA <= b <= 0xED:
            count[HANGUL] += 1
        elif b >= 0xCE:
            count[OTHER] += 1
    count[KANA] = count[KANA] + count[HAN] if 4 * count[KANA] > count[HAN] else 0
    return np.int8(np.argmax(count))


@nb.njit(cache=True, nogil=True)
def _sketch(  # type: ignore[no-untyped-def]
    data,
    offsets,
    keys,
    label,
    group,
    weight,
    starts,
    longest,
    skeleton,
    lead,
    trail,
    item,
    bands,
    vector,
    labels,
    words,
    script,
):
    raw, masked = np.empty(MOST_TOKENS, np.uint64), np.empty(MOST_TOKENS, np.uint64)
    begins, ends = np.empty(MOST_TOKENS, np.int64), np.empty(MOST_TOKENS, np.int64)
    kinds = np.empty(MOST_TOKENS, np.int8)
    least = np.empty(BANDS * ROWS_A_BAND, np.uint32)
    sums = np.empty(VECTOR, np.float32)
    seen = np.zeros((LABEL_COUNT, GROUPS), np.float32)
    count = np.zeros(len(SCRIPTS), np.int64)
    for row in range(len(words)):
        n = tokenise(data, offsets[row], offsets[row + 1], raw, masked, begins, ends, kinds)
        words[row] = n
        script[row] = _script(data, offsets[row], offsets[row + 1], count)
        edge = min(n, EDGE)
        lead[row] = _sequence(masked, 0, edge)
        trail[row] = _sequence(masked, n - edge, n)
        if n <= WHOLE:
            skeleton[row] = _sequence(masked, 0, n)
        else:
            skeleton[row] = join(join(lead[row], _PAYLOAD), trail[row])
        item[row] = _sequence(raw, 0, n)
        _minhash(raw, n, least, bands[row])
        _vector(masked, begins, ends, kinds, n, sums, vector[row])
        _cues(raw, n, keys, label, group, weight, starts, longest, seen, labels[row])


def sketch(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], cues: CueTable) -> Lexical:
    """Sketch texts given as bytes and the n + 1 places at which they begin."""
    n = len(offsets) - 1
    out = Lexical(
        *(np.empty(n, np.uint64) for _ in range(4)),
        np.empty((n, BANDS), np.uint64),
        np.empty((n, VECTOR), np.int8),
        np.empty((n, LABEL_COUNT), np.float32),
        np.empty(n, np.int32),
        np.empty(n, np.int8),
    )
    table = (cues.keys, cues.labels, cues.groups, cues.weights, cues.starts, cues.longest)
    _sketch(
        data,
        offsets,
        *table,
        out.skeleton,
        out.lead,
        out.trail,
        out.item,
        out.bands,
        out.vector,
        out.labels,
        out.words,
        out.script,
    )
    return out


def tokens(
    text: bytes,
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int8]]:
    """Raw hashes, begins, ends and kinds of one text's tokens."""
    most = min(len(text) + 1, MOST_TOKENS)
    raw, masked = np.empty(most, np.uint64), np.empty(most, np.uint64)
    begins, ends, kinds = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int8)
    n = tokenise(np.frombuffer(text, np.uint8), 0, len(text), raw, masked, begins, ends, kinds)
    return raw[:n], begins[:n], ends[:n], kinds[:n]


def phrase_hash(words: npt.NDArray[np.uint64]) -> int:
    """Key of a cue phrase in a `CueTable`."""
    h = np.uint64(0)
    for word in words:
        h = np.uint64(join(h, word))
    return int(h) | 1
