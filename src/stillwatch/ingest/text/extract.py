"""The last user message of each row, or the answer, straight from the bytes of a column of JSON.

Compiled code reads the usual shapes, [{role, content: "..."}] and [{role, parts or content: [{type: text, ...}]}]; any
row with something else in it, however slightly, is left to `messages.asked` or `messages.answered`, which say the same
of the usual ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.hashing import buffers
from stillwatch.ingest.text.messages import answered, asked

_BAD = str.maketrans(dict.fromkeys(range(0xD800, 0xE000), "\ufffd"))
_NAMES, _VALUES = b'"\\/bfnrt', b'"\\/\b\f\n\r\t'
_ESCAPES = np.array([_VALUES[_NAMES.index(c)] if c in _NAMES else 0 for c in range(256)], np.uint8)
ROLE, BODY, TYPE, TEXT = 1, 2, 3, 4
USER, ASSISTANT = 1, 2


@dataclass(frozen=True)
class Texts:
    """Last user messages. data, offsets [n + 1]: UTF-8, empty where there is none; turns [n], -1 for no messages;
    system: instructions that stood among the messages, by row; how many texts were cut, and how many were no JSON."""

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    turns: npt.NDArray[np.int32]
    system: dict[int, str]
    cut: int
    malformed: int


@nb.njit(cache=True, nogil=True)
def _skip(data, i, b):  # type: ignore[no-untyped-def]
    while i < b and (data[i] == 32 or data[i] == 10 or data[i] == 13 or data[i] == 9):
        i += 1
    return i


@nb.njit(cache=True, nogil=True)
def _four(data, i, b):  # type: ignore[no-untyped-def]
    """Number of four digits of base 16, or -1."""
    if i + 4 > b:
        return -1
    value = 0
    for k in range(i, i + 4):
        c = int(data[k])
        if 48 <= c <= 57:
            value = value * 16 + c - 48
        elif 97 <= c | 32 <= 102:
            value = value * 16 + (c | 32) - 87
        else:
            return -1
    return value


@nb.njit(cache=True, nogil=True)
def _escape(data, i, b, out, w):  # type: ignore[no-untyped-def]  # noqa: PLR0911
    """Write what the escape at `i` (its backslash) stands for: (after it, after what is written), or (-1, w)."""
    if i + 1 >= b:
        return -1, w
    plain = _ESCAPES[data[i + 1]]
    if plain != 0:
        out[w] = plain
        return i + 2, w + 1
    code = _four(data, i + 2, b) if data[i + 1] == 117 else -1
    i += 6
    if 0xD800 <= code < 0xDC00 and i + 1 < b and data[i] == 92 and data[i + 1] == 117:
        low = _four(data, i + 2, b)
        if not 0xDC00 <= low < 0xE000:
            return -1, w
        code = 0x10000 + ((code - 0xD800) << 10) + low - 0xDC00
        out[w], out[w + 1] = 0xF0 | code >> 18, 0x80 | code >> 12 & 0x3F
        out[w + 2], out[w + 3] = 0x80 | code >> 6 & 0x3F, 0x80 | code & 0x3F
        return i + 6, w + 4
    if code < 0 or 0xD800 <= code < 0xE000:
        return -1, w
    if code < 0x80:
        out[w] = code
        return i, w + 1
    if code < 0x800:
        out[w], out[w + 1] = 0xC0 | code >> 6, 0x80 | code & 0x3F
        return i, w + 2
    out[w], out[w + 1], out[w + 2] = 0xE0 | code >> 12, 0x80 | code >> 6 & 0x3F, 0x80 | code & 0x3F
    return i, w + 3


@nb.njit(cache=True, nogil=True)
def _string(data, i, b, out, w):  # type: ignore[no-untyped-def]
    """Unescape the string that begins at `i` into out[w:]: (after it, after what is written), or (-1, w)."""
    if i >= b or data[i] != 34:
        return -1, w
    i += 1
    while i < b:
        c = data[i]
        if c == 34:
            return i + 1, w
        if c == 92:
            i, w = _escape(data, i, b, out, w)
            if i < 0:
                return -1, w
        elif c < 32:
            return -1, w
        else:
            out[w] = c
            i += 1
            w += 1
    return -1, w


@nb.njit(cache=True, nogil=True)
def _is(data, i, j, word):  # type: ignore[no-untyped-def]
    """Whether the string between the quotation marks at i and j - 1 is written as `word`."""
    if j - i - 2 != len(word):
        return False
    for k in range(len(word)):  # noqa: SIM110  (numba has no generator expressions)
        if data[i + 1 + k] != word[k]:
            return False
    return True


@nb.njit(cache=True, nogil=True)
def _key(data, i, b, out, w):  # type: ignore[no-untyped-def]
    """(which key stands at `i` or 0, where its value begins)."""
    j, _ = _string(data, i, b, out, w)
    if j < 0:
        return 0, i
    key = 0
    if _is(data, i, j, b"role"):
        key = ROLE
    elif _is(data, i, j, b"parts"):
        key = BODY
    elif _is(data, i, j, b"content"):
        key = BODY | 8
    elif _is(data, i, j, b"type"):
        key = TYPE
    elif _is(data, i, j, b"text"):
        key = TEXT
    j = _skip(data, j, b)
    if j >= b or data[j] != 58:
        return 0, i
    return key, _skip(data, j + 1, b)


@nb.njit(cache=True, nogil=True)
def _part(data, i, b, out, w):  # type: ignore[no-untyped-def]
    """The part {"type": "text", "content" or "text": "..."} at `i`, in either order: (after it, after its text)."""
    if i >= b or data[i] != 123:
        return -1, w
    i, typed, said, start = _skip(data, i + 1, b), False, False, w
    while True:
        key, i = _key(data, i, b, out, w)
        j = i
        if key == TYPE and not typed:
            j, _ = _string(data, i, b, out, w)
            typed = True
            if j < 0 or not _is(data, i, j, b"text"):
                return -1, start
        elif (key == BODY | 8 or key == TEXT) and not said:
            j, w = _string(data, i, b, out, w)
            said = True
        else:
            return -1, start
        if j < 0:
            return -1, start
        i = _skip(data, j, b)
        if i < b and data[i] == 125:
            return (i + 1, w) if typed and said else (-1, start)
        if i >= b or data[i] != 44:
            return -1, start
        i = _skip(data, i + 1, b)


@nb.njit(cache=True, nogil=True)
def _body(data, i, b, out, w):  # type: ignore[no-untyped-def]
    """A message's text at `i`, a string or parts with a line break between: (after it, after its text)."""
    if i < b and data[i] == 34:
        return _string(data, i, b, out, w)
    if i >= b or data[i] != 91:
        return -1, w
    i, start = _skip(data, i + 1, b), w
    while True:
        before = w
        if w > start:
            out[w] = 10
            w += 1
        begun = w
        i, w = _part(data, i, b, out, w)
        if i < 0:
            return -1, start
        if w == begun:
            w = before
        i = _skip(data, i, b)
        if i < b and data[i] == 93:
            return i + 1, w
        if i >= b or data[i] != 44:
            return -1, start
        i = _skip(data, i + 1, b)


@nb.njit(cache=True, nogil=True)
def _message(data, i, b, out, w):  # type: ignore[no-untyped-def]  # noqa: PLR0911
    """The message {"role": ..., "content" or "parts": ...} at `i`: (after it or -1, after its text, whose it is)."""
    if i >= b or data[i] != 123:
        return -1, w, 0
    key, j = _key(data, _skip(data, i + 1, b), b, out, w)
    if key != ROLE:
        return -1, w, 0
    i, _ = _string(data, j, b, out, w)
    if i < 0:
        return -1, w, 0
    who = USER if _is(data, j, i, b"user") else (ASSISTANT if _is(data, j, i, b"assistant") else 0)
    i = _skip(data, i, b)
    if who == 0 or i >= b or data[i] != 44:
        return -1, w, 0
    key, i = _key(data, _skip(data, i + 1, b), b, out, w)
    if key & 7 != BODY:
        return -1, w, 0
    if key == BODY and i < b and data[i] == 34:  # parts are a list
        return -1, w, 0
    i, w = _body(data, i, b, out, w)
    if i < 0:
        return -1, w, 0
    i = _skip(data, i, b)
    if i >= b or data[i] != 125:
        return -1, w, 0
    return i + 1, w, who


@nb.njit(cache=True, nogil=True)
def _row(data, i, b, out, w, whose):  # type: ignore[no-untyped-def]
    """(begin and end in `out` of the last message of `whose`, how many); -1 of them for a row of another shape."""
    i = _skip(data, i, b)
    if i >= b or data[i] != 91:
        return w, w, -1
    i, begin, end, turns = _skip(data, i + 1, b), w, w, 0
    while True:
        start = w
        i, w, who = _message(data, i, b, out, start)
        if i < 0:
            return begin, begin, -1
        if who == whose and w > start:
            begin, end, turns = start, w, turns + 1
        elif who != whose:
            w = start
        i = _skip(data, i, b)
        if i < b and data[i] == 93:
            return (begin, end, turns) if _skip(data, i + 1, b) == b else (begin, begin, -1)
        if i >= b or data[i] != 44:
            return begin, begin, -1
        i = _skip(data, i + 1, b)


@nb.njit(cache=True, nogil=True)
def _scan(data, offsets, out, begins, ends, turns, whose):  # type: ignore[no-untyped-def]
    base = offsets[0]
    for row in range(len(turns)):
        a, b = offsets[row], offsets[row + 1]
        begins[row], ends[row], turns[row] = _row(data, a, b, out, a - base, whose)


@nb.njit(cache=True, nogil=True)
def _gather(out, begins, ends, others, places, which, most, data, offsets):  # type: ignore[no-untyped-def]
    """Copy each row's text, cut between characters, from `out` or, where `which` is >= 0, from `others`."""
    w, cut = 0, 0
    for row in range(len(which)):
        other = which[row]
        begin, end = (begins[row], ends[row]) if other < 0 else (places[other], places[other + 1])
        source = out if other < 0 else others
        if end - begin > most:
            cut += 1
            end = begin + most
            while end > begin and source[end] & 0xC0 == 0x80:
                end -= 1
        for k in range(begin, end):
            data[w] = source[k]
            w += 1
        offsets[row + 1] = w
    return cut


def utf8(texts: list[str | None]) -> pa.Array:
    """Texts as a column; lone surrogates become marks."""
    try:
        return pa.array(texts, pa.large_string())
    except (UnicodeEncodeError, pa.ArrowException):
        return pa.array([text and text.translate(_BAD) for text in texts], pa.large_string())


def last_user(messages: pa.Array, most: int) -> Texts:
    """The last user message of each row of a column of valid UTF-8, cut at `most` bytes."""
    read = _usual(messages, USER)
    left = np.flatnonzero((read.turns < 0) & np.asarray(messages.is_valid()))
    found = [asked(text, None) for text in messages.take(pa.array(left)).to_pylist()]
    read.turns[left] = [-1 if request.turns is None else request.turns for request in found]
    data, offsets, cut = _together(read, left, [request.user or "" for request in found], most)
    system = {int(row): request.system for row, request in zip(left, found, strict=True) if request.system}
    return Texts(data, offsets, read.turns, system, cut, sum(request.malformed for request in found))


def answers(responses: pa.Array, most: int) -> Texts:
    """The answer of each row of a column of valid UTF-8, cut at `most` bytes; of several choices all."""
    read = _usual(responses, ASSISTANT)
    left = np.flatnonzero((read.turns != 1) & np.asarray(responses.is_valid()))
    found = [answered(text) for text in responses.take(pa.array(left)).to_pylist()]
    data, offsets, cut = _together(read, left, found, most)
    return Texts(data, offsets, read.turns, {}, cut, 0)


class _Read(NamedTuple):
    """What compiled code found: bytes, and where each row's text begins and ends in them; turns -1 where it did not."""

    out: npt.NDArray[np.uint8]
    begins: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    turns: npt.NDArray[np.int32]


def _usual(column: pa.Array, whose: int) -> _Read:
    rows = len(column)
    source, places = buffers(column)
    out = np.empty(int(places[-1] - places[0]), np.uint8)
    begins, ends, turns = np.zeros(rows, np.int64), np.zeros(rows, np.int64), np.full(rows, -1, np.int32)
    _scan(source, places, out, begins, ends, turns, whose)
    return _Read(out, begins, ends, turns)


def _together(
    read: _Read, left: npt.NDArray[np.int64], found: list[str], most: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], int]:
    """(data, offsets, cut) of all rows; those that are `left` have the texts `found`."""
    rows = len(read.turns)
    which = np.full(rows, -1, np.int64)
    which[left] = np.arange(len(left))
    others, starts = buffers(utf8(list(found)))
    size = int(np.minimum(read.ends - read.begins, most)[which < 0].sum() + starts[-1] - starts[0])
    data, offsets = np.empty(size, np.uint8), np.zeros(rows + 1, np.int64)
    cut = int(_gather(read.out, read.begins, read.ends, others, starts, which, most, data, offsets))
    data.flags.writeable = False  # as Arrow's are: one compiled kernel serves both
    return data, offsets, cut
