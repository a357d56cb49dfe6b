"""Bytes -> tokens: one pass over UTF-8 that splits words, hashes them folded and marks what varies.

A word is a run of letters; digits within it count as one "0" each run ("gpt4" is "gpt0"). In scripts without spaces
every character is a word. What a template fills in is marked: numbers and random-looking identifiers, quoted spans,
code, links. Marked tokens keep the hash of what is written, except that all numbers are alike. Every search for the
end of a span goes over a byte at most once, so hostile text costs no more than ordinary text.
"""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

from stillwatch.hashing import OFFSET, PRIME, mix
from stillwatch.ingest.text.spans import (
    CODE,
    LINK,
    NUMBER,
    QUOTES,
    WORD,
    alnum,
    decode,
    feed,
    identifier,
    kind_of,
    link,
    mail,
    number,
    opening,
)  # fmt: skip
from stillwatch.ingest.text.unicode import (
    APOSTROPHE,
    DIGIT,
    IGNORED,
    LETTER,
    SCRIPTS,
    SINGLE,
    SPACE,
    tables,
)  # fmt: skip

PLACEHOLDERS = ("", "<number>", "<quoted>", "<code>", "<link>")
OFFSET_NUMBER, OFFSET_LINK, EMPTY_HASH = np.uint64(0xAF63AD4C86019CAF), np.uint64(0x9D5C1E1D5B6B3C11), OFFSET
"""FNV state of the one word that stands for every number (that of "0"), link and empty span."""
LOWER = np.array([c | 32 if c < 128 and 65 <= c & ~32 <= 90 else 0 for c in range(256)], np.uint64)
"""Lower case of ASCII letters, 0 for every other byte."""
ENDS = np.array([c < 128 and chr(c) not in "'+-_" and not chr(c).isalnum() for c in range(256)], np.uint8)
"""1 for bytes after which a word is over and needs no second look."""
STEM = 6
"""Characters that cues compare: an old stemmer that works in every language with endings."""
LONGEST_WORD = 40


class Scratch(NamedTuple):
    """Tokens of one text; arrays long enough for the longest.

    word, stem: hashes; kind: see the constants; gap: 1 if a line ended or a colon stood before the token; single: 1
    for a character that is a word; begin, end: bytes.
    """

    word: npt.NDArray[np.uint64]
    stem: npt.NDArray[np.uint64]
    kind: npt.NDArray[np.uint8]
    gap: npt.NDArray[np.uint8]
    single: npt.NDArray[np.uint8]
    begin: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    scripts: npt.NDArray[np.int64]


def scratch(most: int) -> Scratch:
    """Room for texts of `most` bytes."""
    size = most + 1
    return Scratch(
        np.empty(size, np.uint64), np.empty(size, np.uint64), np.empty(size, np.uint8), np.empty(size, np.uint8),
        np.empty(size, np.uint8), np.empty(size, np.int64), np.empty(size, np.int64), np.zeros(len(SCRIPTS), np.int64),
    )  # fmt: skip


@nb.njit(cache=True, nogil=True)
def _hex(data, i, end):  # type: ignore[no-untyped-def]
    """Whether six or more bytes are digits of base 16."""
    for at in range(i, end):
        c = data[at] | 32
        if not (97 <= c <= 102 or 48 <= data[at] <= 57):
            return False
    return end - i >= 6


@nb.njit(cache=True, nogil=True)
def _word(data, i, b, kinds, folds, script, scripts):  # type: ignore[no-untyped-def]
    """The word that begins with a letter at `i`: (end, hash, stem, digits, whether it is a number or identifier)."""
    begin, h, stem, chars, latin, digits = i, OFFSET, OFFSET, 0, 0, 0
    inside, mixed, last = False, False, False  # a digit was seen; a letter came after it; the last was one
    while i < b:
        c = np.int64(data[i])
        lower = LOWER[c]
        if lower != 0:  # most bytes are letters of ASCII
            h = (h ^ lower) * PRIME
            i += 1
            latin += 1
            mixed, last = mixed or inside, False
        else:
            code, width = (c, 1) if c < 0x80 else decode(data, i, b)
            k = kind_of(code, kinds)
            if k == LETTER:
                h = feed(h, np.int64(folds[code]) if code < 0x10000 else code)
                scripts[np.int64(script[code]) if code < 0x10000 else 0] += 1
                mixed, last = mixed or inside, False
            elif k == DIGIT:
                if not last:
                    h = (h ^ np.uint64(48)) * PRIME
                inside, last = True, True
                digits += 1
            elif k == IGNORED or (k == APOSTROPHE and alnum(data, i + width, b, kinds)):
                i += width
                continue
            else:
                break
            i += width
        chars += 1
        if chars == STEM:
            stem = h
    scripts[1] += latin
    random = (digits > 0 and (mixed or _hex(data, begin, i))) or chars > LONGEST_WORD
    return i, h, (stem if chars > STEM else h), digits, random


@nb.njit(cache=True, nogil=True)
def _mail_start(data, begins, ends, n):  # type: ignore[no-untyped-def]
    """First token of the address whose last token before the @ is n - 1."""
    while n >= 2 and ends[n - 2] + 1 == begins[n - 1]:
        c = data[ends[n - 2]]
        if not (c == 46 or c == 95 or c == 43 or c == 45):
            break
        n -= 1
    return n - 1


@nb.njit(cache=True, nogil=True)
def tokenise(data, a, b, T, S):  # type: ignore[no-untyped-def]
    """Fill `S` with the tokens of data[a:b]; how many there are (at most b - a + 1)."""
    kinds, folds, script, scripts = T.kind, T.fold, T.script, S.scripts
    words, stems, marks, gaps, singles, begins, ends = S.word, S.stem, S.kind, S.gap, S.single, S.begin, S.end
    n, i, gap, no_id = 0, a, 0, a
    # the open span: where it ends, bytes of its closing mark, its kind, first token and first byte; and the text's end
    span, skip, mark, opened, spanned, stop = b + 1, 0, WORD, 0, 0, b
    dead = np.zeros(QUOTES, np.int64)
    scripts[:] = 0
    while i < b or span <= b:
        begin, kind, single, h, stem, put = i, mark, 0, EMPTY_HASH, EMPTY_HASH, True
        if i >= span:
            put, begin = n == opened, spanned
            i = min(b, max(i, span + skip))
            span, mark, stop = b + 1, WORD, b
        else:
            c = np.int64(data[i])
            if c == 32:  # the most frequent byte
                i += 1
                continue
            if LOWER[c] != 0:  # and the most frequent kind of word: letters of ASCII and nothing beside them
                while i < stop and LOWER[data[i]] != 0:
                    h = (h ^ LOWER[data[i]]) * PRIME
                    i += 1
                    if i - begin == STEM:
                        stem = h
                if i - begin <= LONGEST_WORD and (i >= stop or ENDS[data[i]] != 0):
                    words[n] = mix(h)
                    stems[n] = mix(stem) if i - begin > STEM else words[n]
                    marks[n], gaps[n], singles[n], begins[n], ends[n] = kind, gap, 0, begin, i
                    scripts[1] += i - begin
                    n, gap = n + 1, 0
                    continue
                i = begin
            code, width = (c, 1) if c < 0x80 else decode(data, i, b)
            k = kind_of(code, kinds)
            if k in (LETTER, DIGIT):
                if k == LETTER:
                    i, h, stem, digits, random = _word(data, i, stop, kinds, folds, script, scripts)
                else:
                    i, digits, random = number(data, i, stop, kinds), 1, True
                if begin >= no_id and (digits > 0 or random or (i < b and data[i] in (43, 45, 95))):
                    no_id, found = identifier(data, begin, stop)
                    if found:
                        i, random = max(i, no_id), True
                if random:
                    h, stem, kind = OFFSET_NUMBER, OFFSET_NUMBER, (NUMBER if mark == WORD else mark)
            elif k == SINGLE:
                h = feed(OFFSET, np.int64(folds[code]) if code < 0x10000 else code)
                scripts[np.int64(script[code]) if code < 0x10000 else 3] += 1
                stem, single = h, 1
                i += width
            elif c == 58 and i + 2 < b and n > 0 and ends[n - 1] == i and data[i + 1] == 47 and data[i + 2] == 47:
                i, n, h, stem, kind = (
                    link(data, i, stop),
                    n - 1,
                    OFFSET_LINK,
                    OFFSET_LINK,
                    LINK if mark == WORD else mark,
                )
                begin, gap = begins[n], gaps[n]
            elif c == 64 and n > 0 and ends[n - 1] == i and alnum(data, i + 1, stop, kinds):
                n = max(_mail_start(data, begins, ends, n), opened if mark != WORD else 0)
                i, h, stem, kind = mail(data, i + 1, stop), OFFSET_LINK, OFFSET_LINK, LINK if mark == WORD else mark
                begin, gap = begins[n], gaps[n]
            else:
                put = False
                i += width
                if c == 10 or (c == 58 and (i >= b or data[i] <= 32)) or code == 0xFF1A:
                    gap = 1 if n > 0 else 0
                elif mark == WORD and k != SPACE and k != IGNORED:
                    span_kind, close, size = opening(data, begin, a, b, code, width, dead, kinds)
                    if span_kind != WORD:
                        mark, span, stop, skip, opened, spanned = span_kind, close, min(b, close), size, n, begin
                        i = begin + (size if span_kind == CODE and size == 3 else width)
        if put:
            words[n], stems[n], marks[n], gaps[n] = mix(h), mix(stem), kind, gap
            singles[n], begins[n], ends[n] = single, begin, i
            n, gap = n + 1, 0
    return n


def tokens(text: bytes) -> Scratch:
    """Tokens of one text, cut to their number."""
    out = scratch(len(text))
    n = int(tokenise(np.frombuffer(text, np.uint8), 0, len(text), tables(), out))
    arrays = (out.word, out.stem, out.kind, out.gap, out.single, out.begin, out.end)
    return Scratch._make([*(column[:n] for column in arrays), out.scripts])
