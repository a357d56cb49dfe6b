"""Bytes -> tokens: one pass over UTF-8 that splits words and masks what varies.

A word is a run of letters, digits and marks; in scripts without spaces every character is a word. Numbers, quoted
spans, code, addresses of the web and long random-looking tokens become one token each, whatever they hold.
"""

from __future__ import annotations

import string

import numba as nb
import numpy as np

from stillwatch.hashing import OFFSET, PRIME, mix

WORD, NUMBER, QUOTE, CODE, URL, LONG = range(6)
PLACEHOLDERS = ("", "<number>", "<quote>", "<code>", "<url>", "<token>")
MASKS = np.array([mix(np.uint64(1000 + kind)) for kind in range(6)], dtype=np.uint64)
FOLD = np.array([code | 32 if chr(code | 32) in string.ascii_lowercase else 0 for code in range(256)], dtype=np.uint8)
"""Lower case of ASCII letters, 0 for every other byte."""
LONGEST_QUOTE = 2_000
LONG_TOKEN = 24
"""Bytes from which a word with digits in it counts as random-looking; any word of twice that does."""

_SPACELESS_LOW, _SPACELESS_HIGH = 0xE3, 0xE9  # lead bytes of kana and han in UTF-8


@nb.njit(cache=True, nogil=True, inline="always")
def _is_word(byte):  # type: ignore[no-untyped-def]
    return (97 <= byte <= 122) or (65 <= byte <= 90) or (48 <= byte <= 57) or byte >= 128 or byte == 95


@nb.njit(cache=True, nogil=True)
def _find(data, start, end, a, b, c):  # type: ignore[no-untyped-def]
    """Place after the next a b c (b, c may be 0 for shorter marks), or -1."""
    for place in range(start, end):
        if data[place] == a:
            if b == 0:
                return place + 1
            if place + 2 < end and data[place + 1] == b and data[place + 2] == c:
                return place + 3
    return -1


@nb.njit(cache=True, nogil=True)
def _span(data, place, end):  # type: ignore[no-untyped-def]
    """(kind, end) of a masked span that begins at `place`, or (WORD, place) if none does."""
    byte = data[place]
    if byte == 96:  # `
        if place + 2 < end and data[place + 1] == 96 and data[place + 2] == 96:
            close = _find(data, place + 3, end, 96, 96, 96)
            return CODE, close if close > 0 else end
        close = _find(data, place + 1, min(end, place + LONGEST_QUOTE), 96, 0, 0)
        if close > 0:
            return CODE, close
    elif byte == 34:  # "
        close = _find(data, place + 1, min(end, place + LONGEST_QUOTE), 34, 0, 0)
        if close > 0:
            return QUOTE, close
    elif byte == 0xE2 and place + 2 < end and data[place + 1] == 0x80 and data[place + 2] == 0x9C:  # opening curly
        close = _find(data, place + 3, min(end, place + LONGEST_QUOTE), 0xE2, 0x80, 0x9D)
        if close > 0:
            return QUOTE, close
    elif byte == 0xC2 and place + 1 < end and data[place + 1] == 0xAB:  # opening guillemet
        for at in range(place + 2, min(end - 1, place + LONGEST_QUOTE)):
            if data[at] == 0xC2 and data[at + 1] == 0xBB:
                return QUOTE, at + 2
    return WORD, place


@nb.njit(cache=True, nogil=True)
def _tag(data, place, end):  # type: ignore[no-untyped-def]
    """End of a tag such as <think> or </b> that begins at `place`, or -1."""
    for at in range(place + 1, min(end, place + 32)):
        if data[at] == 62:
            return at + 1 if at > place + 1 else -1
        if not (_is_word(data[at]) or data[at] in (45, 47)):
            return -1
    return -1


@nb.njit(cache=True, nogil=True)
def _url(data, place, end):  # type: ignore[no-untyped-def]
    """End of a web address that begins at `place`, or -1."""
    if end - place < 8 or (data[place] | 32) != 104 or (data[place + 1] | 32) != 116 or (data[place + 2] | 32) != 116:
        return -1
    at = place + 4
    if (data[at] | 32) == 115:
        at += 1
    if at + 2 >= end or data[at] != 58 or data[at + 1] != 47 or data[at + 2] != 47:
        return -1
    while at < end and data[at] > 32 and data[at] not in (34, 39, 60, 62, 41):
        at += 1
    return at


@nb.njit(cache=True, nogil=True)
def tokenise(data, start, end, raw, masked, begins, ends, kinds):  # type: ignore[no-untyped-def]
    """Fill the arrays with the tokens of data[start:end]; the number of tokens (at most their length).

    `raw` hashes what is written (case-folded for Latin and Cyrillic), `masked` what is left of it.
    """
    n, place, most = 0, start, len(raw)
    while place < end and n < most:
        byte = data[place]
        kind, close = WORD, place
        if byte == 96 or byte == 34 or byte == 0xE2 or byte == 0xC2:
            kind, close = _span(data, place, end)
        if kind != WORD:
            h = OFFSET
            for at in range(place, close):
                h = (h ^ np.uint64(data[at])) * PRIME
            raw[n], masked[n], begins[n], ends[n], kinds[n] = mix(h), MASKS[kind], place, close, kind
            n += 1
            place = close
            continue
        close = _tag(data, place, end) if byte == 60 else -1
        if close > 0:
            h = OFFSET
            for at in range(place, close):
                h = (h ^ np.uint64(data[at])) * PRIME
            raw[n], masked[n], begins[n], ends[n], kinds[n] = mix(h), mix(h), place, close, WORD
            n += 1
            place = close
            continue
        if not _is_word(byte) or (byte == 0xE2 and place + 1 < end and data[place + 1] in (0x80, 0x81)):
            place += 3 if byte == 0xE2 else 1
            continue
        if byte == 0xE3 and place + 2 < end and data[place + 1] == 0x80 and data[place + 2] < 0xB0:
            place += 3  # punctuation of Chinese and Japanese
            continue
        if byte == 0xEF and place + 2 < end and data[place + 1] == 0xBC:
            place += 3  # full-width punctuation
            continue
        close = _url(data, place, end) if byte == 104 or byte == 72 else -1
        if close > 0:
            kind = URL
        elif _SPACELESS_LOW <= byte <= _SPACELESS_HIGH:
            close = min(place + 3, end)
        h, digits, letters = OFFSET, 0, 0
        at = place
        while at < end and (at < close or close < 0):
            b = data[at]
            fold = FOLD[b]
            if fold != 0:  # an ASCII letter: most bytes are
                h = (h ^ np.uint64(fold)) * PRIME
                letters += 1
                at += 1
                continue
            if close < 0:
                if not _is_word(b):
                    inside = at + 1 < end and at > place and b in (46, 44, 39, 45) and _is_word(data[at + 1])
                    number = digits > 0 and letters == 0
                    if not inside or (b in (46, 44) and not number) or (b == 45 and number):
                        break
                elif _SPACELESS_LOW <= b <= _SPACELESS_HIGH or (b == 0xE2 and at + 1 < end and data[at + 1] == 0x80):
                    break
            if 48 <= b <= 57:
                digits += 1
            elif b > 64:
                letters += 1
            if b == 0xD0 and at + 1 < end and 0xA0 <= data[at + 1] <= 0xAF:  # Cyrillic capitals, second half
                b = 0xD1
            elif at > place and data[at - 1] == 0xD0 and 0xA0 <= b <= 0xAF:
                b -= 32
            elif at > place and (
                (data[at - 1] == 0xD0 and 0x90 <= b <= 0x9F) or (data[at - 1] == 0xC3 and 0x80 <= b <= 0x9E)
            ):  # and the first half; accented Latin capitals
                b += 32
            h = (h ^ np.uint64(b)) * PRIME
            at += 1
        if at == place:
            at += 1
        length = at - place
        if kind == WORD:
            if digits > 0 and letters == 0:
                kind = NUMBER
            elif length >= 2 * LONG_TOKEN or (length >= LONG_TOKEN and digits > 1):
                kind = LONG
            elif digits > 0 and 2 * digits >= letters:
                kind = NUMBER
        raw[n] = mix(h)
        masked[n] = raw[n] if kind == WORD else MASKS[kind]
        begins[n], ends[n], kinds[n] = place, at, kind
        n += 1
        place = at
    return n
