"""Code points -> what they are and how they are folded, as tables for kernels.

Folding: lower case, compatibility forms such as full width to their plain ones, and letters of Latin, Greek and
Cyrillic without their accents, so that composed and decomposed spellings are one. Python's frozen Unicode 3.2 database
is asked, so the tables do not depend on the Python version. Code points above U+FFFF have no table: see `astral`.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

OTHER, SPACE, LETTER, DIGIT, SINGLE, APOSTROPHE, IGNORED = range(7)
"""Kinds of code points. SINGLE is a word of its own (scripts without spaces); IGNORED is invisible or an accent."""

SCRIPTS = ("other", "latin", "cyrillic", "han", "kana", "hangul", "arabic", "devanagari")
"""Place = number of a script in `Tables.script`."""

_RANGES = (
    (1, 0x41, 0x24F), (1, 0x1E00, 0x1EFF), (1, 0xFF21, 0xFF5A), (2, 0x400, 0x52F), (3, 0x3400, 0x9FFF),
    (3, 0xF900, 0xFAFF), (4, 0x3041, 0x30FF), (4, 0x31F0, 0x31FF), (4, 0xFF66, 0xFF9D), (5, 0x1100, 0x11FF),
    (5, 0x3131, 0x318E), (5, 0xAC00, 0xD7A3), (6, 0x600, 0x6FF), (6, 0x750, 0x77F), (6, 0xFB50, 0xFDFF),
    (6, 0xFE70, 0xFEFE), (7, 0x900, 0x97F),
)  # fmt: skip
_IGNORED = (
    (0xAD, 0xAD), (0x300, 0x36F), (0x591, 0x5C7), (0x640, 0x640), (0x64B, 0x65F), (0x670, 0x670), (0x200B, 0x200F),
    (0x202A, 0x202E), (0x2060, 0x206F), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
)  # fmt: skip
_SINGLE = ((0xE00, 0xEFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3005, 0x3007), (0x3041, 0x30FF), (0x31F0, 0x31FF),
           (0x3400, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9D))  # fmt: skip
_UNACCENTED = ((0xC0, 0x24F), (0x386, 0x52F), (0x1E00, 0x1FFF))
SYMBOLS = (0x2000, 0x2BFF)


class Tables(NamedTuple):
    """By code point up to U+FFFF: kind, folded code point, script (0 where none), each [65536]."""

    kind: npt.NDArray[np.uint8]
    fold: npt.NDArray[np.uint16]
    script: npt.NDArray[np.uint8]


def within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    """Whether `code` lies in one of the closed ranges."""
    return any(low <= code <= high for low, high in ranges)


def fold(char: str) -> str:
    """A character as it is compared; one character."""
    plain = unicodedata.ucd_3_2_0.normalize("NFKC", char)
    plain = plain if len(plain) == 1 else char
    if within(ord(plain), _UNACCENTED):
        plain = unicodedata.ucd_3_2_0.normalize("NFKD", plain)[0]
    lower = plain.lower()
    return lower if len(lower) == 1 and ord(lower) < 0x10000 else plain


def kind(char: str) -> int:
    """What a character of the basic plane is, see the constants above."""
    code = ord(char)
    if char in "'’ʼ＇":
        return APOSTROPHE
    if within(code, _IGNORED):
        return IGNORED
    category = unicodedata.ucd_3_2_0.category(char)
    if category[0] == "Z" or char in "\t\n\v\f\r\x85":
        return SPACE
    if category[0] == "N":
        return SINGLE if within(code, _SINGLE) else DIGIT
    if category[0] in "LM" or (category == "Cn" and not within(code, (SYMBOLS,))):
        return SINGLE if within(code, _SINGLE) else LETTER
    return OTHER


@cache
def tables() -> Tables:
    """Built once a process, in some 50 ms."""
    kinds, folds = np.zeros(65536, np.uint8), np.arange(65536, dtype=np.uint16)
    scripts = np.zeros(65536, np.uint8)
    for script, low, high in _RANGES:
        scripts[low : high + 1] = script
    # ideographs and Hangul syllables are themselves; surrogates and private use stay OTHER
    for code in (*range(0x3400), *range(0xA000, 0xAC00), *range(0xF900, 0x10000)):
        kinds[code] = kind(chr(code))
        folds[code] = ord(fold(chr(code)))
    kinds[0x3400:0xA000], kinds[0xAC00:0xD7A4] = SINGLE, LETTER
    scripts[(kinds != LETTER) & (kinds != SINGLE)] = 0
    return Tables(kinds, folds, scripts)


def astral(code: int) -> int:
    """Kind of a code point above U+FFFF: rare ideographs, letters of old and mathematical alphabets, else a symbol."""
    if 0x20000 <= code <= 0x3FFFF:
        return SINGLE
    return LETTER if code < 0x1EF00 and not 0x1D000 <= code < 0x1D400 else OTHER
