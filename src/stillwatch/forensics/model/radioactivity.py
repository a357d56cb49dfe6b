"""Watermark radioactivity (Sander et al. 2024): does a model that we did not make carry the mark of our key?

A pair is a window of tokens and the token after it. Over *distinct* pairs the keyed scores are independent under the
null, whatever the suspect is, so their weighted sum has a known law and the tail is exact. Weights may be anything that
does not know the key. A pair counted twice as if it were two would make an innocent model that repeats itself look
guilty. Pairs that stand in the prompts are left out: a model that copies its prompt shows nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.forensics.model import exact
from stillwatch.forensics.model.prf import watermark_key
from stillwatch.forensics.model.watermark import Scheme

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
LEVELS = 32
"""Weights are cut to whole numbers of at most this size."""


@dataclass(frozen=True)
class Pairs:
    """Distinct windows [n, width] and tokens [n], each with a whole weight [n], not 0, that does not know the key."""

    windows: Ints
    tokens: Ints
    weights: Ints

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class Mark:
    """Outcome of a test of `pairs` under one key."""

    pairs: int
    observed: float
    expected: float
    """Weighted mean score, and what it is by chance."""
    z: float
    log_p: float
    """Natural logarithm of the exact p-value, one-sided."""
    decoys: int
    as_large: int
    """Keys drawn for this test that never served, and how many of them scored as much."""

    @property
    def decoy_p(self) -> float:
        """Rank among decoys, (1 + b) / (1 + m)."""
        return (1 + self.as_large) / (1 + self.decoys)


def text_pairs(answers: Sequence[Ints], prompts: Sequence[Ints], width: int, weighted: bool = False) -> Pairs:
    """Pairs of the suspect's answers [n], each after its prompt [n] (empty if unknown), in the provider's tokens.

    `weighted`: a token counts by its share after the window, over what that window's noise is; else each pair counts 1.
    """
    rows = [
        _rows(np.concatenate([prompt, answer]), width, len(prompt))
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    given = [_rows(np.asarray(prompt, np.int64), width, 0) for prompt in prompts]
    counted, counts = np.unique(_stack(rows, width), axis=0, return_counts=True)
    keep = ~_among(counted, np.unique(_stack(given, width), axis=0))
    counted, counts = counted[keep], counts[keep]
    windows, tokens = counted[:, :-1], counted[:, -1]
    if not weighted or not len(counted):
        return Pairs(windows, tokens, np.ones(len(tokens), np.int64))
    return _whole(windows, tokens, _by_noise(windows, counts.astype(np.float64)))


def distribution_pairs(windows: Ints, tokens: Ints, chances: Floats) -> Pairs:
    """Pairs of the suspect's next-token probabilities: windows [n, width], tokens [n], probabilities [n] in [-1, 1].

    Rows of one pair add up. A reference model's probabilities, subtracted before, make the test sharper.
    """
    rows = np.column_stack([windows, tokens]).astype(np.int64)
    counted, place = np.unique(rows, axis=0, return_inverse=True)
    sums: Floats = np.bincount(place.reshape(-1), weights=chances, minlength=len(counted)).astype(np.float64)
    return _whole(counted[:, :-1], counted[:, -1], sums)


def test(pairs: Pairs, scheme: Scheme, secret: bytes, others: Ints) -> Mark:
    """Score pairs under a key; `others`: what random keys score (`decoy_totals`). ValueError without pairs."""
    if not len(pairs):
        raise ValueError("no pairs")
    observed = total(pairs, scheme, watermark_key(secret))
    size = float(np.abs(pairs.weights).sum())
    center = scheme.mean * float(pairs.weights.sum())
    return Mark(
        pairs=len(pairs),
        observed=observed / size,
        expected=center / size,
        z=(observed - center) / float(np.sqrt(scheme.variance * float((pairs.weights**2).sum()))),
        log_p=log_p(pairs, scheme, observed),
        decoys=len(others),
        as_large=int((others >= observed).sum()),
    )


def total(pairs: Pairs, scheme: Scheme, key: Words) -> int:
    """Weighted sum of scores under a key."""
    return int(pairs.weights @ scheme.scores(key, pairs.windows, pairs.tokens))


def log_p(pairs: Pairs, scheme: Scheme, observed: int) -> float:
    """Natural logarithm of the chance that a random key scores as much."""
    weights, counts = np.unique(pairs.weights, return_counts=True)
    return exact.log_tail(scheme.law(), weights, counts, observed)


def decoy_totals(pairs: Pairs, scheme: Scheme, decoys: int, seed: int) -> Ints:
    """Sums under `decoys` random keys, [decoys]."""
    keys = np.random.default_rng(seed).integers(0, 2**64, (decoys, 2), dtype=np.uint64)
    return np.array([total(pairs, scheme, key) for key in keys], dtype=np.int64)


def _rows(tokens: Ints, width: int, first: int) -> Ints:
    """Every window and its next token at or after place `first`, [m, width + 1]."""
    if len(tokens) <= width:
        return np.empty((0, width + 1), np.int64)
    return np.lib.stride_tricks.sliding_window_view(tokens.astype(np.int64), width + 1)[max(0, first - width) :]


def _stack(parts: Sequence[Ints], width: int) -> Ints:
    return np.concatenate([np.empty((0, width + 1), np.int64), *parts])


def _among(rows: Ints, others: Ints) -> npt.NDArray[np.bool_]:
    """Which of `rows` stand among `others`; both without repeats."""
    both, counts = np.unique(np.concatenate([rows, others]), axis=0, return_counts=True)
    known = {row.tobytes() for row in both[counts > 1]}
    return np.array([row.tobytes() in known for row in rows], dtype=bool) if known else np.zeros(len(rows), bool)


def _by_noise(windows: Ints, counts: Floats) -> Floats:
    """Share of each token after its window, over the sum of squares of these shares: each window to its own noise."""
    _, window = np.unique(windows, axis=0, return_inverse=True)
    window = window.reshape(-1)
    share = counts / np.bincount(window, counts)[window]
    return share / np.bincount(window, share**2)[window]


def _whole(windows: Ints, tokens: Ints, weights: Floats) -> Pairs:
    """Weights as whole numbers; what rounds to nothing is left out."""
    sizes = np.abs(weights)
    if not len(sizes) or not sizes.max() > 0:
        return Pairs(windows[:0], tokens[:0], np.empty(0, np.int64))
    unit = float(np.quantile(sizes[sizes > 0], 0.999)) / LEVELS
    whole = np.clip(np.rint(weights / unit), -LEVELS, LEVELS).astype(np.int64)
    keep = whole != 0
    return Pairs(windows[keep], tokens[keep], whole[keep])
