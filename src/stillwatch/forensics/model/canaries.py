"""Canaries: made-up facts, many drawn for each place and one of them served; does the suspect rank it above the others?

Under the null the served one is as likely as any of those drawn to have any rank (exposure: Carlini et al. 2019), so
the sum of ranks over places has a known law. Ties count against us.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.forensics.model import exact
from stillwatch.forensics.model.keys import Key
from stillwatch.forensics.model.prf import derive

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Canary:
    """One place: `prompt` and what may follow; `answers[served(...)]` is what the key serves."""

    place: str
    prompt: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Ranks:
    """Outcome over `places`; `rank`: mean share of never-served answers that rank at least as high as it."""

    places: int
    drawn: int
    rank: float
    observed: int
    log_p: float


def draw(key: Key, place: str, prompt: str, count: int = 1000, digits: int = 8) -> Canary:
    """A place's canaries: `count` different numbers of `digits` digits, drawn by the key. ValueError if too many."""
    secret = key.serving()
    if count < 2 or 10**digits < 4 * count:
        raise ValueError("draw 2 canaries or more, out of four times as many at least")
    found: dict[str, None] = {}
    number = 0
    while len(found) < count:
        value = int.from_bytes(derive(secret, "canary", place, str(number))[:16], "little") % 10**digits
        found[f"{value:0{digits}d}"] = None
        number += 1
    return Canary(place, prompt, tuple(sorted(found)))


def served(secret: bytes, place: str, count: int) -> int:
    """Which of a place's `count` answers a key serves."""
    return int.from_bytes(derive(secret, "canary served", place)[:16], "little") % count


def ranks(scores: Floats, chosen: npt.NDArray[np.int64]) -> Ranks:
    """Exact rank test: scores [places, drawn], larger is likelier; `chosen` [places] is the served one of each."""
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite")
    places, drawn = scores.shape
    mine = scores[np.arange(places), chosen]
    above = (scores >= mine[:, None]).sum(axis=1) - 1
    observed = int(above.sum())
    law = exact.uniform(drawn - 1)
    # a small sum of ranks is a large sum of negative ranks
    log_p = exact.log_tail(law, [-1], [places], -observed)
    return Ranks(places, drawn, observed / (places * (drawn - 1)), observed, log_p)
