"""Real models that train within a second: interpolated trigrams over the words of the project's own documentation."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np

from stillwatch.forensics.model.watermark import Marker

WORDS, LENGTH = 300, 40
DOCS = Path(__file__).parent.parent.parent.parent


@cache
def human() -> np.ndarray:
    """The documentation as words, the WORDS - 1 most frequent ones, all others as one: ids from 0."""
    text = " ".join(path.read_text("utf-8") for path in sorted([*DOCS.glob("*.md"), *(DOCS / "docs").glob("*.md")]))
    words = re.findall(r"[a-z]+", text.lower())
    known = {word: n for n, (word, _) in enumerate(Counter(words).most_common(WORDS - 1), 1)}
    return np.array([known.get(word, 0) for word in words], dtype=np.int64)


class Trigrams:
    """p(c | a, b), interpolated with p(c | b) and p(c)."""

    def __init__(self, streams: list[np.ndarray]) -> None:
        self.one = np.full(WORDS, 0.1)
        self.two = np.zeros((WORDS, WORDS))
        self.three: dict[int, np.ndarray] = {}
        for stream in streams:
            np.add.at(self.one, stream, 1)
            np.add.at(self.two, (stream[:-1], stream[1:]), 1)
            for a, b, c in np.lib.stride_tricks.sliding_window_view(stream, 3).tolist():
                self.three.setdefault(a * WORDS + b, np.zeros(WORDS))[c] += 1
        self.one /= self.one.sum()

    def after(self, a: int, b: int) -> np.ndarray:
        """Chances of the next word, [WORDS]."""
        two = (self.two[b] + 3 * self.one) / (self.two[b].sum() + 3)
        three = self.three.get(a * WORDS + b)
        return two if three is None else (three + 2 * two) / (three.sum() + 2)

    def answers(self, count: int, seed: int, marker: Marker | None = None) -> list[np.ndarray]:
        """Texts of LENGTH words, each from a random place of the documentation."""
        chance = np.random.default_rng(seed)
        places = chance.integers(0, len(human()) - 2, count)
        texts = np.stack([human()[place : place + 2] for place in places])
        for _ in range(LENGTH):
            logits = np.log(np.stack([self.after(a, b) for a, b in texts[:, -2:].tolist()]))
            gumbel = marker is not None and marker.scheme.kind == "gumbel"
            if marker is not None:
                logits = marker(list(texts), logits)
            if not gumbel:
                logits = logits + chance.gumbel(size=logits.shape)
            texts = np.column_stack([texts, logits.argmax(axis=1)])
        return list(texts)

    def logprob(self, text: np.ndarray) -> float:
        """Of everything after the first two words, in nats."""
        return float(
            sum(np.log(self.after(a, b)[c]) for a, b, c in np.lib.stride_tricks.sliding_window_view(text, 3).tolist())
        )


def words(text: np.ndarray) -> str:
    """A text to write down: its ids."""
    return " ".join(map(str, text.tolist()))
