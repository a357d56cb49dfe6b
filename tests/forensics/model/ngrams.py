"""Real models that train within a second: the benchmark's trigrams, over a text that stays (the tests are exact)."""

from __future__ import annotations

import re
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np

from stillwatch.forensics.model.watermark import Marker

sys.path.insert(0, str(Path(__file__).parent.parent.parent.parent / "benchmarks"))

import forensics_words

WORDS, LENGTH = 300, 40


@cache
def human() -> np.ndarray:
    """The documentation as it once was, as words: the WORDS - 1 most frequent ones, all others as one, ids from 0."""
    text = (Path(__file__).parent / "prose.txt").read_text("utf-8")
    common = Counter(re.findall(r"[a-z]+", text.lower())).most_common(WORDS - 1)
    return forensics_words.numbered(text, {word: n for n, (word, _) in enumerate(common, 1)})


class Trigrams(forensics_words.Trigrams):
    """Trigrams that answer to random places of the text."""

    def __init__(self, streams: list[np.ndarray]) -> None:
        super().__init__(streams, WORDS)

    def answers(self, count: int, seed: int, marker: Marker | None = None) -> list[np.ndarray]:
        """Texts of LENGTH words, each after two words of it."""
        places = np.random.default_rng(seed).integers(0, len(human()) - 2, count)
        starts = np.stack([human()[place : place + 2] for place in places])
        return list(self.say(starts, LENGTH, seed, marker))


def words(text: np.ndarray) -> str:
    """A text to write down: its ids."""
    return " ".join(map(str, text.tolist()))
