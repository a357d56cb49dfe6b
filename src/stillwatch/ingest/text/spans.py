"""Bytes -> code points, and where a number, an identifier, a link, a quotation or a piece of code ends.

Every search for the end of a span goes over a byte at most once, so hostile text costs no more than ordinary text.
"""

# ruff: noqa: PLR1714  (compiled code is fastest with plain comparisons)
from __future__ import annotations

import numba as nb
import numpy as np

from stillwatch.hashing import PRIME
from stillwatch.ingest.text.unicode import DIGIT, IGNORED, LETTER, SINGLE, astral

WORD, NUMBER, QUOTED, CODE, LINK = range(5)
RANDOM = 24
"""Bytes from which letters, digits and base64's signs without a space are an identifier."""
_astral = nb.njit(cache=True, nogil=True)(astral)


@nb.njit(cache=True, nogil=True)
def decode(data, i, b):  # type: ignore[no-untyped-def]
    """(code point, bytes) at `i`; a byte that is not UTF-8 counts as U+FFFD."""
    c = np.int64(data[i])
    if c < 0x80:
        return c, 1
    if 0xC2 <= c < 0xE0 and i + 1 < b and data[i + 1] & 0xC0 == 0x80:
        return (c & 0x1F) << 6 | np.int64(data[i + 1] & 0x3F), 2
    if 0xE0 <= c < 0xF0 and i + 2 < b and data[i + 1] & 0xC0 == 0x80 and data[i + 2] & 0xC0 == 0x80:
        return (c & 0x0F) << 12 | np.int64(data[i + 1] & 0x3F) << 6 | np.int64(data[i + 2] & 0x3F), 3
    if 0xF0 <= c < 0xF5 and i + 3 < b and data[i + 1] & 0xC0 == 0x80 and data[i + 2] & 0xC0 == 0x80:
        high = (c & 0x07) << 18 | np.int64(data[i + 1] & 0x3F) << 12
        return high | np.int64(data[i + 2] & 0x3F) << 6 | np.int64(data[i + 3] & 0x3F), 4
    return 0xFFFD, 1


@nb.njit(cache=True, nogil=True)
def kind_of(code, kinds):  # type: ignore[no-untyped-def]
    """Kind of any code point."""
    return np.int64(kinds[code]) if code < 0x10000 else _astral(code)


@nb.njit(cache=True, nogil=True)
def feed(h, code):  # type: ignore[no-untyped-def]
    """FNV-1a over the UTF-8 bytes of one code point."""
    if code < 0x80:
        return (h ^ np.uint64(code)) * PRIME
    if code < 0x800:
        h = (h ^ np.uint64(0xC0 | code >> 6)) * PRIME
        return (h ^ np.uint64(0x80 | code & 0x3F)) * PRIME
    if code < 0x10000:
        h = (h ^ np.uint64(0xE0 | code >> 12)) * PRIME
    else:
        h = (h ^ np.uint64(0xF0 | code >> 18)) * PRIME
        h = (h ^ np.uint64(0x80 | code >> 12 & 0x3F)) * PRIME
    h = (h ^ np.uint64(0x80 | code >> 6 & 0x3F)) * PRIME
    return (h ^ np.uint64(0x80 | code & 0x3F)) * PRIME


@nb.njit(cache=True, nogil=True)
def alnum(data, i, b, kinds):  # type: ignore[no-untyped-def]
    """Whether a letter or digit stands at `i`."""
    if i < 0 or i >= b:
        return False
    k = kind_of(decode(data, i, b)[0], kinds)
    return k in (LETTER, DIGIT, SINGLE)


@nb.njit(cache=True, nogil=True)
def number(data, i, b, kinds):  # type: ignore[no-untyped-def]
    """End of a number with its points, commas, colons, strokes and unit, such as 1,234.5 or 12:30pm or 3rd."""
    while i < b:
        c = data[i]
        if 48 <= c <= 57:
            i += 1
            continue
        if (c == 46 or c == 44 or c == 58 or c == 47) and i + 1 < b and 48 <= data[i + 1] <= 57:
            i += 2
            continue
        code, width = decode(data, i, b)
        k = kind_of(code, kinds)
        if k != LETTER and k != DIGIT and k != IGNORED:
            break
        i += width
    return i


@nb.njit(cache=True, nogil=True)
def identifier(data, i, b):  # type: ignore[no-untyped-def]
    """(end of the run of letters, digits and base64's signs at `i`, whether it is long and random: a key, a UUID).

    Where it is not, no part of the run is either, so no byte need be looked at twice.
    """
    at, digits = i, 0
    while at < b:
        c = data[at]
        if 48 <= c <= 57:
            digits += 1
        elif not (97 <= c <= 122 or 65 <= c <= 90 or c == 43 or c == 47 or c == 61 or c == 95 or c == 45):
            break
        at += 1
    return at, at - i >= RANDOM and digits >= 3


@nb.njit(cache=True, nogil=True)
def link(data, i, b):  # type: ignore[no-untyped-def]
    """End of a web address from `i` on."""
    while i < b:
        c = data[i]
        if c <= 32 or c >= 127 or c == 34 or c == 60 or c == 62 or c == 96 or c == 41 or c == 39 or c == 124:
            break
        i += 1
    return i


@nb.njit(cache=True, nogil=True)
def mail(data, i, b):  # type: ignore[no-untyped-def]
    """End of a host name from `i` on."""
    while i < b:
        c = data[i]
        if not (97 <= c <= 122 or 65 <= c <= 90 or 48 <= c <= 57 or c == 45 or c == 46 or c == 95):
            break
        i += 1
    return i


@nb.njit(cache=True, nogil=True)
def _closing(code):  # type: ignore[no-untyped-def]  # noqa: PLR0911
    """(slot, closing marks) of an opening quotation mark; slot -1 for any other code point."""
    if code == 0x22:
        return 0, 0x22, 0x22
    if code == 0x201C:
        return 1, 0x201D, 0x201D
    if code == 0xAB:
        return 2, 0xBB, 0xBB
    if code == 0x300C:
        return 3, 0x300D, 0x300D
    if code == 0x300E:
        return 4, 0x300F, 0x300F
    if code == 0x201E:
        return 5, 0x201C, 0x201D
    if code == 0x60:
        return 6, 0x60, 0x60
    if code == 0x27:
        return 7, 0x27, 0x27
    if code == 0x2018:
        return 8, 0x2019, 0x2019
    return -1, 0, 0


QUOTES = 9


@nb.njit(cache=True, nogil=True)
def _close(data, i, b, first, second, kinds):  # type: ignore[no-untyped-def]
    """(place of the closing mark, where the search ended): the mark is -1 if the paragraph has none after `i`."""
    at, line = i, False
    while at < b:
        c = data[at]
        if c == 10:
            if line:
                break
            line = True
        elif c > 32:
            line = False
            lead = first if first < 0x80 else (0xC2 if first == 0xBB else (0xE3 if first > 0x3000 else 0xE2))
            if c == lead:
                code = decode(data, at, b)[0]
                # an apostrophe closes only where no letter follows
                if code in (first, second) and not (
                    (first == 0x27 or first == 0x2019) and alnum(data, at + (1 if first == 0x27 else 3), b, kinds)
                ):
                    return at, at
        at += 1
    return -1, at


@nb.njit(cache=True, nogil=True)
def _fence(data, i, b):  # type: ignore[no-untyped-def]
    """Place of the next three backticks, or `b`."""
    while i + 2 < b:
        if data[i] == 96 and data[i + 1] == 96 and data[i + 2] == 96:
            return i
        i += 1
    return b


@nb.njit(cache=True, nogil=True)
def _opens(data, i, a, b, code, width):  # type: ignore[no-untyped-def]
    """Whether a quotation mark at `i` may open a span: apostrophes need a gap before and a letter after them."""
    if code != 0x27 and code != 0x2018:
        return True
    return (i == a or data[i - 1] <= 32 or data[i - 1] == 40) and i + width < b and data[i + width] > 32


@nb.njit(cache=True, nogil=True)
def opening(data, i, a, b, code, width, dead, kinds):  # type: ignore[no-untyped-def]
    """The span that a mark opens at `i`: (kind or WORD, where it closes, bytes of the closing mark).

    `dead` says for each mark up to where there is no closing one.
    """
    slot, first, second = _closing(code)
    if slot < 0:
        return WORD, i, 0
    if slot == 6 and i + 2 < b and data[i + 1] == 96 and data[i + 2] == 96:
        return CODE, _fence(data, i + 3, b), 3
    if i < dead[slot] or not _opens(data, i, a, b, code, width):
        return WORD, i, 0
    at, searched = _close(data, i + width, b, first, second, kinds)
    if at < 0:
        dead[slot] = searched
        return WORD, i, 0
    return (CODE if slot == 6 else QUOTED), at, decode(data, at, b)[1]
