"""Masked text of a skeleton, for people: what the hash stands for."""

from __future__ import annotations

import numpy as np

from stillwatch.ingest.text.lexical import WHOLE, Masked, edges, mask
from stillwatch.ingest.text.spans import WORD
from stillwatch.ingest.text.tokens import PLACEHOLDERS, Scratch, tokens

PAYLOAD = "<payload>"


def masked(text: bytes, part: str = "whole") -> str:
    """Masked words of `part` (whole, system, lead, trail) of a text in UTF-8, a blank between them."""
    found = tokens(text)
    n = len(found.word)
    room = Masked(np.empty(n, np.uint64), np.empty(n, np.int64))
    m = int(mask(found, n, room))
    lead, trail = edges(found, room, m)
    places = list(range(m))
    if part == "lead":
        places = places[:lead]
    elif part == "trail":
        places = places[trail:]
    elif m > 2 * WHOLE:
        places = [*places[:WHOLE], -1, *places[m - WHOLE :]]
    return " ".join(PAYLOAD if k < 0 else _word(text, found, int(room.token[k])) for k in places)


def _word(text: bytes, found: Scratch, token: int) -> str:
    kind = int(found.kind[token])
    if kind != WORD:
        return PLACEHOLDERS[kind]
    return text[found.begin[token] : found.end[token]].decode("utf-8", "replace").lower()
