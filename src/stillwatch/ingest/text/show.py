"""Masked text of a skeleton, for people: what the hash stands for."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from stillwatch.ingest.text.lexical import WHOLE, Masked, edges, mask
from stillwatch.ingest.text.spans import WORD
from stillwatch.ingest.text.tokens import PLACEHOLDERS, Scratch, tokens

PAYLOAD = "<payload>"


def masked(text: bytes, part: str = "whole") -> str:
    """Masked words of `part` (whole, system, lead, trail) of a text in UTF-8, a blank between them."""
    found, room, m = _masked(text)
    token = room.token[:m]
    if part in ("lead", "trail"):
        lead, trail = edges(found, room, m)
        words = _words(text, found, token[:lead] if part == "lead" else token[trail:])
    elif m > 2 * WHOLE:
        words = [*_words(text, found, token[:WHOLE]), PAYLOAD, *_words(text, found, token[m - WHOLE :])]
    else:
        words = _words(text, found, token)
    return " ".join(words)


@lru_cache(maxsize=1024)
def _masked(text: bytes) -> tuple[Scratch, Masked, int]:
    """Kept, because the parts of one text are asked for one after the other."""
    found = tokens(text)
    n = len(found.word)
    room = Masked(np.empty(n, np.uint64), np.empty(n, np.int64))
    return found, room, int(mask(found, n, room))


def _words(text: bytes, found: Scratch, token: npt.NDArray[np.int64]) -> list[str]:
    kinds, begin, end = found.kind[token].tolist(), found.begin[token].tolist(), found.end[token].tolist()
    return [
        text[start:stop].decode("utf-8", "replace").lower() if kind == WORD else PLACEHOLDERS[kind]
        for kind, start, stop in zip(kinds, begin, end, strict=True)
    ]
