"""A paraphraser that runs anywhere: words exchanged for words of like use, and neighbours for each other.

It knows no grammar. Which words are of like use is learned from a text: by cosine of the singular vectors of positive
pointwise mutual information with the words two places about (Levy, Goldberg, Dagan 2015). Changed answers read badly;
their tokens are what a paraphrase changes.
"""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import svds

WORD = re.compile(r"[A-Za-z]+")
KNOWN, COMMON, REACH, DIMENSIONS = 4_000, 40, 2, 80
"""Words with a vector; the most frequent, which are kept as they are; words about a word; size of a vector."""


class Rewriter:
    """Rewrites texts with what it learned of `text`."""

    def __init__(self, text: str) -> None:
        words = np.array([word.lower() for word in WORD.findall(text)])
        kinds, code, counts = np.unique(words, return_inverse=True, return_counts=True)
        often = np.argsort(-counts, kind="stable")[:KNOWN]
        place = np.full(len(kinds), -1)
        place[often] = np.arange(len(often))
        self.words: list[str] = kinds[often].tolist()
        self.known = {word: n for n, word in enumerate(self.words)}
        self.like = _nearest(_vectors(place[code], len(often)))

    def __call__(self, text: str, share: float, swapped: float, chance: np.random.Generator) -> str:
        """Each known word becomes its nearest with probability `share`; then neighbours change places with probability
        `swapped`. What stands between words stays where it is."""
        said, between = WORD.findall(text), WORD.split(text)
        new = [self._other(word) if chance.random() < share else word for word in said]
        for place in range(len(new) - 1):
            if chance.random() < swapped:
                new[place], new[place + 1] = new[place + 1], new[place]
        return "".join(gap + word for gap, word in zip(between, [*new, ""], strict=True))

    def _other(self, word: str) -> str:
        place = self.known.get(word.lower(), -1)
        if place < COMMON:
            return word
        other = self.words[self.like[place]]
        return other.capitalize() if word[0].isupper() else other


def _vectors(code: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.float64]:
    """Unit vectors [size, DIMENSIONS] of words by the company that they keep; code -1: a word that is not known."""
    seen = sparse.csr_matrix((size, size))
    for step in range(1, REACH + 1):
        both = (code[:-step] >= 0) & (code[step:] >= 0)
        one, other = code[:-step][both], code[step:][both]
        seen = seen + sparse.coo_matrix((np.ones(len(one)), (one, other)), (size, size)).tocsr()
    seen = (seen + seen.T).tocoo()
    total = np.maximum(np.asarray(seen.sum(axis=1)).ravel(), 1)
    gain = np.log(seen.data * total.sum() / (total[seen.row] * total[seen.col]))
    left, values, _ = svds(
        sparse.csr_matrix((np.maximum(gain, 0), (seen.row, seen.col)), (size, size)), DIMENSIONS, random_state=0
    )
    out: npt.NDArray[np.float64] = left * np.sqrt(values)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)


def _nearest(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The nearest other word of each, the most frequent never."""
    like = vectors @ vectors.T
    np.fill_diagonal(like, -2)
    like[:, :COMMON] = -2
    out: npt.NDArray[np.int64] = like.argmax(axis=1)
    return out


def kept(before: list[list[int]], after: list[list[int]]) -> float:
    """Share of neighbouring tokens of the texts `before` that still stand together in the same text `after`."""
    had = [set(pairwise(text)) for text in before]
    return sum(len(old & set(pairwise(new))) for old, new in zip(had, after, strict=True)) / sum(map(len, had))
