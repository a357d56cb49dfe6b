"""Randomised twins, the test: does a model prefer the twins that were served?

Under the null the model knows nothing of the coins, so each difference (served minus not served) is as likely to be
negative as positive, whatever its size: a sign-flip test (Fisher 1935), exact in finite samples and whoever the suspect
is. Differences are cut to whole numbers by their sizes alone, which leaves the signs free; the tail is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.forensics.model import exact
from stillwatch.forensics.model.twins import served

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LEVELS = 32
"""A difference of 4 medians or more counts `LEVELS`; smaller ones in proportion: outliers must not carry a test."""


@dataclass(frozen=True)
class SignFlip:
    """Outcome of a sign-flip test on `pairs` twins of which `tied` say nothing."""

    pairs: int
    tied: int
    preferred: float
    """Share of untied pairs whose served twin is preferred; .5 by chance, and if all are tied."""
    observed: int
    log_p: float
    """Natural logarithm of the exact p-value, one-sided."""
    z: float
    flips: int
    as_large: int
    """Random flips of all signs, and how many of them gave a sum as large."""

    @property
    def flip_p(self) -> float:
        """Monte Carlo p-value, (1 + b) / (1 + m): exact as well, but never below 1 / (1 + m)."""
        return (1 + self.as_large) / (1 + self.flips)


def levels(differences: Floats) -> Ints:
    """Differences [n] as whole numbers from -LEVELS to LEVELS; the scale knows their sizes only."""
    sizes = np.abs(differences)
    positive = sizes[sizes > 0]
    if not len(positive):
        return np.zeros(len(differences), np.int64)
    with np.errstate(over="ignore", under="ignore"):  # a ratio beyond a double is clipped like any other
        parts = np.ceil(sizes / np.median(positive) * (LEVELS / 4))
    magnitude = np.clip(parts, 1, LEVELS).astype(np.int64)  # a preference is never nothing, however small
    return np.sign(differences).astype(np.int64) * magnitude


def coins(secret: bytes, request_ids: list[str]) -> Ints:
    """Which twin of each request the key serves, [n]."""
    return np.array([served(secret, request) for request in request_ids], dtype=np.int64)


def sign_flip(differences: Floats, flips: int = 999, seed: int = 0) -> SignFlip:
    """Test of differences [n], served minus not served, finite; `flips` random flips are its own check."""
    if not np.isfinite(differences).all():
        raise ValueError("differences must be finite")
    whole = levels(differences)
    sizes, observed = np.abs(whole), int(whole.sum())
    weights, counts = np.unique(sizes[sizes > 0], return_counts=True)
    log_p = exact.log_tail(exact.sign(), weights, counts, observed)
    untied = int(counts.sum())
    return SignFlip(
        pairs=len(whole),
        tied=len(whole) - untied,
        preferred=float((whole > 0).sum() / untied) if untied else 0.5,
        observed=observed,
        log_p=log_p,
        z=observed / float(np.sqrt((sizes**2).sum())) if untied else 0.0,
        flips=flips,
        as_large=_flipped(sizes, observed, flips, seed),
    )


def _flipped(sizes: Ints, observed: int, flips: int, seed: int) -> int:
    chance = np.random.default_rng(seed)
    small = sizes[sizes > 0].astype(np.int32)
    count = 0
    for start in range(0, flips, 256):
        signs = chance.integers(0, 2, (min(256, flips - start), len(small)), dtype=np.int8)
        count += int(((2 * signs - 1) @ small >= observed).sum())
    return count
