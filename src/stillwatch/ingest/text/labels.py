"""Elicitation labels: cue phrases in eight languages, and rules over the concepts they stand for (`cues.toml`).

A rule holds where its concepts occur within a few words of each other, and says how sure it is; rules of one family
count once, families combine as a noisy-or. One weak cue ("step by step") gives .2, what only a training set needs gives
more, and only several cues together come near 1. A label is a feature of traffic, judged against matched groups, and
never proof.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

from stillwatch.hashing import OFFSET, chain, mix
from stillwatch.ingest.text.spans import CODE, LINK
from stillwatch.ingest.text.tokens import tokens
from stillwatch.model import LABELS

NEAR = 28
"""How far apart the concepts of a rule may be: words count two, characters of scripts without spaces one."""
LOOKED_AT = 256
"""Words at either end of a text that are looked at: instructions stand around a payload, not in it."""
_BITS = 1 << 15


class Cues(NamedTuple):
    """The cue table for kernels. Hash tables have a power of two slots, at most a quarter full; an empty slot is 0.

    maybe [2^15]: 1 where a first word may be; pairs [2^15]: 1 where the first two words of a longer phrase may be;
    first, longest [F]: first words and the words of their longest phrase;
    phrase, concepts [P]: phrases, and a bit a concept; need, family, sure [R]: the rules; label [families].
    """

    maybe: npt.NDArray[np.uint8]
    pairs: npt.NDArray[np.uint8]
    first: npt.NDArray[np.uint64]
    longest: npt.NDArray[np.int64]
    phrase: npt.NDArray[np.uint64]
    concepts: npt.NDArray[np.uint64]
    need: npt.NDArray[np.uint64]
    family: npt.NDArray[np.int64]
    sure: npt.NDArray[np.float64]
    label: npt.NDArray[np.int64]


@cache
def load() -> dict[str, Any]:
    """`cues.toml` as it is."""
    return tomllib.loads(files("stillwatch.ingest.text").joinpath("cues.toml").read_text(encoding="utf-8"))


@cache
def cues() -> Cues:
    """The table of `cues.toml`."""
    source = load()
    names = list(source["concepts"])
    firsts: dict[int, int] = defaultdict(int)
    phrases: dict[int, int] = defaultdict(int)
    pairs = np.zeros(_BITS, np.uint8)
    for bit, name in enumerate(names):
        for phrase in (phrase for language in source["concepts"][name].values() for phrase in language):
            stems = tokens(phrase.encode()).stem
            firsts[int(stems[0])] = max(firsts[int(stems[0])], len(stems))
            phrases[_key(stems)] |= 1 << bit
            if len(stems) > 1:
                pairs[_key(stems[:2]) % _BITS] = 1
    first, longest = _table(firsts, np.int64)
    phrase_, concepts = _table(phrases, np.uint64)
    maybe = np.zeros(_BITS, np.uint8)
    maybe[[stem % _BITS for stem in firsts]] = 1
    need, family, sure, label = [], [], [], []
    for group in source["rules"]:
        for one in group["families"]:
            label.append(LABELS.index(group["label"]))
            for weight, *wanted in one["rules"]:
                need.append(sum(1 << names.index(name) for name in wanted))
                family.append(len(label) - 1)
                sure.append(weight)
    return Cues(
        maybe, pairs, first, longest, phrase_, concepts, np.array(need, np.uint64), np.array(family, np.int64),
        np.array(sure, np.float64), np.array(label, np.int64),
    )  # fmt: skip


def _key(stems: npt.NDArray[np.uint64]) -> int:
    h = OFFSET
    for stem in stems:
        h = np.uint64(chain(h, stem))
    return int(mix(h))


def _table(entries: dict[int, int], kind: Any) -> tuple[npt.NDArray[np.uint64], npt.NDArray[Any]]:
    """Open addressing: slots and their values."""
    size = 1 << (4 * len(entries)).bit_length()
    slots, values = np.zeros(size, np.uint64), np.zeros(size, kind)
    for key in sorted(entries):
        at = key & (size - 1)
        while slots[at]:
            at = (at + 1) & (size - 1)
        slots[at], values[at] = key, entries[key]
    return slots, values


@nb.njit(cache=True, nogil=True)
def _find(slots, key):  # type: ignore[no-untyped-def]
    """Slot of a key, or -1."""
    size = len(slots) - 1
    at = np.int64(key & np.uint64(size))
    while slots[at] != 0:
        if slots[at] == key:
            return at
        at = (at + 1) & size
    return -1


@nb.njit(cache=True, nogil=True)
def _concepts(S, k, n, C):  # type: ignore[no-untyped-def]
    """Concepts of the phrases that begin at token k, a bit each."""
    found = np.uint64(0)
    stem = S.stem[k]
    if C.maybe[np.int64(stem % np.uint64(_BITS))] == 0 or S.kind[k] == CODE or S.kind[k] == LINK:
        return found
    at = _find(C.first, stem)
    if at < 0:
        return found
    h = OFFSET
    for j in range(k, min(n, k + C.longest[at])):
        h = chain(h, S.stem[j])
        key = mix(h)
        if j == k + 1 and C.pairs[np.int64(key % np.uint64(_BITS))] == 0:  # most words that begin a phrase begin none
            return found
        slot = _find(C.phrase, key)
        if slot >= 0:
            found |= C.concepts[slot]
    return found


@nb.njit(cache=True, nogil=True)
def label(S, n, C, last, best, out):  # type: ignore[no-untyped-def]
    """Confidence of each label over n tokens. `last` [64] and `best` [families] are room to work in."""
    last[:] = -NEAR - 1
    best[:] = 0.0
    place = 0
    for k in range(n):
        place += 2 - int(S.single[k])
        if LOOKED_AT <= k < n - LOOKED_AT:
            continue
        found = _concepts(S, k, n, C)
        if found == 0:
            continue
        near = np.uint64(0)
        for bit in range(64):
            one = np.uint64(1) << np.uint64(bit)
            if found & one:
                last[bit] = place
            if place - last[bit] <= NEAR:
                near |= one
        for rule in range(len(C.need)):
            need = C.need[rule]
            if need & found and need & near == need and C.sure[rule] > best[C.family[rule]]:
                best[C.family[rule]] = C.sure[rule]
    out[:] = 1.0
    for family in range(len(C.label)):
        out[C.label[family]] *= 1.0 - best[family]
    for kind in range(len(out)):
        out[kind] = 1.0 - out[kind]
