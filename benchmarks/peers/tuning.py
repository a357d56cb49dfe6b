"""Thresholds chosen on tuning worlds, and in hindsight; what a choice gives on a world.

A choice is a setting (its place in the peer's grid), a threshold and a least group size. Everything is counted over
worlds: accounts of campaigns that are accused (hits) and honest ones (false).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from benchmarks.peers.answer import Answer, Floats, Ints

from stillwatch.evaluate.metrics import adjusted_rand

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Truth:
    """Of the accounts of one log, in an answer's order."""

    operator: Ints
    """Who is really behind each account."""
    harvests: Bools
    customer: Ints
    """Declared customers: accounts of one verified organisation are one."""
    registered: Bools


@dataclass(frozen=True)
class Choice:
    """What somebody who runs the peer has to decide."""

    setting: int
    threshold: float
    least: int


@dataclass(frozen=True)
class Outcome:
    """One choice on one or more worlds."""

    campaign: int
    hits: int
    honest: int
    false: int
    ari: float | None
    """Adjusted Rand index over campaign accounts, mean over the worlds that have any; None for single accounts."""

    @property
    def recall(self) -> float | None:
        """Share of campaign accounts accused; None where there are none."""
        return self.hits / self.campaign if self.campaign else None

    @property
    def precision(self) -> float | None:
        """Share of accused accounts that are of a campaign; None where nobody is accused."""
        return self.hits / (self.hits + self.false) if self.hits + self.false else None


def outcome(answers: Sequence[Answer], truths: Sequence[Truth], threshold: float, least: int) -> Outcome:
    """Of one setting's answers on several worlds."""
    hits = false = 0
    indices = []
    for answer, truth in zip(answers, truths, strict=True):
        accused = answer.accused(threshold, least, truth.customer, truth.registered)
        hits += int((accused & truth.harvests).sum())
        false += int((accused & ~truth.harvests).sum())
        if truth.harvests.any() and (answer.links or (answer.block >= 0).any()):
            groups = answer.groups(threshold)
            indices.append(adjusted_rand(groups[truth.harvests], truth.operator[truth.harvests]))
    return Outcome(
        campaign=sum(int(truth.harvests.sum()) for truth in truths),
        hits=hits,
        honest=sum(int((~truth.harvests).sum()) for truth in truths),
        false=false,
        ari=float(np.mean(indices)) if indices else None,
    )


Customers = set[int]


@dataclass(frozen=True)
class Curve:
    """Hits and false of one answer at every threshold and least group size."""

    values: Floats
    """Thresholds at which something changes, descending, [v]."""
    hits: Ints
    """[v + 1, leasts]; row k is for thresholds down to values[k - 1], row 0 for higher ones."""
    false: Ints

    def at(self, thresholds: Floats) -> tuple[Ints, Ints]:
        """Hits and false at thresholds, [thresholds, leasts] each."""
        row = np.searchsorted(-self.values, -thresholds, side="right")
        return self.hits[row], self.false[row]


def curve(answer: Answer, truth: Truth, leasts: Sequence[int]) -> Curve:
    """All thresholds in one pass over the answer."""
    values = answer.values()[::-1]
    if answer.links:
        return _merged(answer, truth, leasts, values)
    if not (answer.block >= 0).any():
        return _counted(answer, truth, leasts, values)
    rows = [(0, 0) for _ in leasts], *([counts(answer, truth, float(v), least) for least in leasts] for v in values)
    table = np.array(rows, np.int64).reshape(len(values) + 1, len(leasts), 2)
    return Curve(values, table[:, :, 0], table[:, :, 1])


def counts(answer: Answer, truth: Truth, threshold: float, least: int) -> tuple[int, int]:
    """Hits and false at one threshold, from the definition."""
    accused = answer.accused(threshold, least, truth.customer, truth.registered)
    return int((accused & truth.harvests).sum()), int((accused & ~truth.harvests).sum())


def _counted(answer: Answer, truth: Truth, leasts: Sequence[int], values: Floats) -> Curve:
    """Scores of single accounts: how many lie at or above each value; the group size plays no part."""
    sides = []
    for side in (truth.harvests, ~truth.harvests):
        scores = np.sort(answer.score[side & ~truth.registered & np.isfinite(answer.score)])
        above = np.append(0, len(scores) - np.searchsorted(scores, values, side="left"))
        sides.append(np.repeat(above[:, None], len(leasts), axis=1))
    return Curve(values, sides[0], sides[1])


def _merged(answer: Answer, truth: Truth, leasts: Sequence[int], values: Floats) -> Curve:
    """Links from the strongest on: groups merge, and a group counts from the moment it has enough customers."""
    n = len(answer.accounts)
    sizes = np.array(leasts, np.int64)
    guilty = (truth.harvests & ~truth.registered).astype(np.int64).tolist()
    honest = (~truth.harvests & ~truth.registered).astype(np.int64).tolist()
    held: list[Customers] = [{customer} for customer in truth.customer.tolist()]
    root = list(range(n))
    alone = sizes <= 1
    total = np.stack([sum(guilty) * alone, sum(honest) * alone], axis=1)
    out = np.zeros((len(values) + 1, len(leasts), 2), np.int64)
    out[0] = total
    order = np.argsort(-answer.weight, kind="stable")
    row = np.searchsorted(-values, -answer.weight[order]) + 1
    for place, at in zip(order.tolist(), row.tolist(), strict=True):
        a, b = _root(root, int(answer.a[place])), _root(root, int(answer.b[place]))
        if a != b:
            if len(held[a]) < len(held[b]):
                a, b = b, a
            for one in (a, b):
                total = total - np.outer(sizes <= len(held[one]), (guilty[one], honest[one]))
            root[b] = a
            held[a] |= held[b]
            guilty[a], honest[a] = guilty[a] + guilty[b], honest[a] + honest[b]
            total = total + np.outer(sizes <= len(held[a]), (guilty[a], honest[a]))
        out[at] = total
    return Curve(values, out[:, :, 0], out[:, :, 1])


def _root(root: list[int], place: int) -> int:
    while root[place] != place:
        root[place] = root[root[place]]
        place = root[place]
    return place


def best(
    settings: Sequence[Sequence[Answer]], truths: Sequence[Truth], leasts: Sequence[int], most_false: int
) -> Choice | None:
    """The choice of most hits among those with at most `most_false` honest accounts accused; None if none has a hit.

    settings: for each setting its answers on the worlds of `truths`. Of equals: fewer false, then the larger groups,
    then the higher threshold, then the earlier setting, so that a tie is decided for caution.
    """
    found: tuple[int, ...] | None = None
    chosen: Choice | None = None
    sizes = sorted(leasts, reverse=True)
    for number, answers in enumerate(settings):
        curves = [curve(answer, truth, sizes) for answer, truth in zip(answers, truths, strict=True)]
        values = np.unique(np.concatenate([each.values for each in curves]))[::-1]
        tables = [each.at(values) for each in curves]
        hits, false = (np.sum([table[side] for table in tables], axis=0) for side in (0, 1))
        allowed = (false <= most_false) & (hits > 0)
        if not allowed.any():
            continue
        # the first of equals in this order: least size falling, then threshold falling
        place = np.lexsort((false.T.ravel(), -hits.T.ravel(), ~allowed.T.ravel()))[0]
        size, value = divmod(int(place), len(values))
        rank = (int(hits[value, size]), -int(false[value, size]))
        if found is None or rank > found:
            found, chosen = rank, Choice(number, float(values[value]), sizes[size])
    return chosen
