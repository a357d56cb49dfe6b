"""Slow, obvious twins: words one character after the other, fingerprints by their definition, matching by sets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from stillwatch.hashing import mix64
from stillwatch.ingest.text.unicode import APOSTROPHE, DIGIT, IGNORED, LETTER, SINGLE, astral, fold, kind

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


@cache
def kind_of(char: str) -> int:
    return kind(char) if ord(char) < 0x10000 else astral(ord(char))


@cache
def folded(char: str) -> str:
    return fold(char) if ord(char) < 0x10000 else char


@cache
def words(text: str) -> list[str]:
    out, word = [], ""
    for char in text:
        what = kind_of(char)
        if what in (LETTER, DIGIT):
            word += folded(char)
        elif what == IGNORED or (what == APOSTROPHE and word):
            continue
        else:
            if word:
                out.append(word)
            word = ""
            if what == SINGLE:
                out.append(char)
    return [*out, word] if word else out


@cache
def fnv(word: str) -> int:
    h = 0xCBF29CE484222325
    for byte in word.encode("utf-8", "surrogatepass"):
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def chained(hashes: Sequence[int]) -> int:
    h = 0xCBF29CE484222325
    for value in hashes:
        h = ((h ^ value) * GOLDEN) & MASK
        h ^= h >> 32
    return mix64(h)


@cache
def runs(text: str) -> list[int]:
    hashes = [fnv(word) for word in words(text)]
    if not hashes:
        return []
    if len(hashes) < 4:
        return [chained(hashes) >> 32]
    out = []
    for k in range(len(hashes) - 3):
        total = sum(value * pow(GOLDEN, j, 1 << 64) for j, value in enumerate(hashes[k : k + 4])) & MASK
        out.append(mix64(total) >> 32)
    return out


@cache
def fingerprints(text: str, asked: str = "", most: int = 64) -> list[int]:
    hashes = runs(text)
    width = min(8, len(hashes))
    least = {min(hashes[k : k + width]) for k in range(len(hashes) - width + 1)} if hashes else set()
    return sorted(least - set(runs(asked)))[:most]


@cache
def text_hash(text: str) -> int:
    return chained([fnv(word) for word in words(text)])


def match(row: str, answers: Sequence[str], held: dict[int, int] | None = None) -> list[tuple[int, str, int]]:
    """(answer, kind, fingerprints shared) of a row, from the definition; `held`: control rows by fingerprint."""
    held = held or {}
    known = [set(fingerprints(answer)) for answer in answers]
    same = [k for k, answer in enumerate(answers) if words(row) and text_hash(answer) == text_hash(row)]
    rest = set(fingerprints(row, most=1 << 30))
    if same:
        return [(k, "exact", len(rest)) for k in same[:16]]
    out: list[tuple[int, str, int]] = []
    while True:
        scores = []
        for k, prints in enumerate(known):
            limit = max(prints) if len(prints) >= 64 else 1 << 32
            able = [value for value in rest if value <= limit]
            shared = len(prints & rest)
            if shared:
                scores.append((-shared, -shared / len(prints), k, shared / len(able)))
        if not scores:
            return out
        less, forward, winner, backward = min(scores)
        shared, part, both = -less, max(-forward, backward), known[winner] & rest
        alike = [
            k for score, of, k, _ in sorted(scores) if known[k] & rest == both and score == less and of <= 0.7 * forward
        ]
        common = sorted(sum(value in p for p in known) + held.get(value, 0) for value in both)
        near = shared >= 5 and part >= 0.3
        lead = not out and not near and shared >= 2 and part >= 0.1 and common[len(common) // 2] <= 8
        if not (near or lead):
            return out
        out += [(k, "near" if near else "lead", shared) for k in alike[:16]]
        if lead:
            return out
        rest -= both
