"""Thresholds chosen on tuning worlds, and in hindsight; what a choice gives on a world.

A choice is a setting (its place in the peer's grid), a threshold and a least group size. Everything is counted over
worlds: accounts of campaigns that are accused (hits) and honest ones (false).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

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
    label: tuple[str, ...] = ()
    """Kind of customer."""


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
    whom: dict[str, int] = field(default_factory=dict)
    """Honest accounts accused, by kind of customer."""

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
    found = []
    for answer, truth in zip(answers, truths, strict=True):
        accused = answer.accused(threshold, least, truth.customer, truth.registered)
        found.append((accused, answer.groups(threshold) if answer.grouped else None))
    return tally(found, truths)


def tally(found: Sequence[tuple[Bools, Ints | None]], truths: Sequence[Truth]) -> Outcome:
    """Of accusations and groups (None: no groups) on several worlds, [accounts] each."""
    whom: Counter[str] = Counter()
    hits = false = 0
    indices = []
    for (accused, groups), truth in zip(found, truths, strict=True):
        wrong = accused & ~truth.harvests
        hits, false = hits + int((accused & truth.harvests).sum()), false + int(wrong.sum())
        whom.update(truth.label[place] for place in np.flatnonzero(wrong) if truth.label)
        if groups is not None and truth.harvests.any():
            indices.append(adjusted_rand(groups[truth.harvests], truth.operator[truth.harvests]))
    return Outcome(
        campaign=sum(int(truth.harvests.sum()) for truth in truths),
        hits=hits,
        honest=sum(int((~truth.harvests).sum()) for truth in truths),
        false=false,
        ari=float(np.mean(indices)) if indices else None,
        whom=dict(sorted(whom.items())),
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


def curve(answer: Answer, truth: Truth, leasts: Sequence[int], judged: bool = False) -> Curve:
    """All thresholds in one pass over the answer.

    judged: of groups; as if somebody who knows the truth accused those alone that are a campaign's by more than half,
    and every account in them.
    """
    values = answer.values()[::-1]
    if answer.links:
        return _merged(answer, truth, leasts, values, judged)
    if not answer.grouped:
        return _counted(answer, truth, leasts, values)
    at = [[counts(answer, truth, float(value), least, judged) for least in leasts] for value in values]
    rows = [[(0, 0) for _ in leasts], *at]
    table = np.array(rows, np.int64).reshape(len(values) + 1, len(leasts), 2)
    return Curve(values, table[:, :, 0], table[:, :, 1])


def counts(answer: Answer, truth: Truth, threshold: float, least: int, judged: bool = False) -> tuple[int, int]:
    """Hits and false at one threshold, from the definition."""
    accused = answer.accused(threshold, least, truth.customer, truth.registered)
    if judged:
        accused &= majority(answer.groups(threshold), truth.harvests)
    return int((accused & truth.harvests).sum()), int((accused & ~truth.harvests).sum())


def _counted(answer: Answer, truth: Truth, leasts: Sequence[int], values: Floats) -> Curve:
    """Scores of single accounts: how many lie at or above each value; the group size plays no part."""
    sides = []
    for side in (truth.harvests, ~truth.harvests):
        scores = np.sort(answer.score[side & ~truth.registered & np.isfinite(answer.score)])
        above = np.append(0, len(scores) - np.searchsorted(scores, values, side="left"))
        sides.append(np.repeat(above[:, None], len(leasts), axis=1))
    return Curve(values, sides[0], sides[1])


def majority(groups: Ints, harvests: Bools) -> Bools:
    """Accounts in groups that are a campaign's by more than half, [accounts]."""
    width = int(groups.max(initial=0)) + 1
    guilty, all_of = np.bincount(groups[harvests], minlength=width), np.bincount(groups, minlength=width)
    return (2 * guilty > all_of)[groups]


def _merged(answer: Answer, truth: Truth, leasts: Sequence[int], values: Floats, judged: bool) -> Curve:
    """Links from the strongest on: groups merge, and a group counts from the moment it has enough customers."""
    n = len(answer.accounts)
    sizes = np.array(leasts, np.int64)
    accusable = (~truth.registered).astype(np.int64)
    accounts = np.stack([truth.harvests, ~truth.harvests], axis=1).astype(np.int64)
    held: list[Customers] = [{customer} for customer in truth.customer.tolist()]
    root = list(range(n))
    counted = accounts * accusable[:, None]

    def part(one: int) -> Ints:
        """What a group adds to hits and false, [leasts, 2]."""
        stands = not judged or accounts[one, 0] > accounts[one, 1]
        return np.outer((sizes <= len(held[one])) & stands, counted[one])

    total = np.sum([part(one) for one in range(n)], axis=0)
    out = np.zeros((len(values) + 1, len(leasts), 2), np.int64)
    out[0] = total
    order = np.argsort(-answer.weight, kind="stable")
    row = np.searchsorted(-values, -answer.weight[order]) + 1
    for place, at in zip(order.tolist(), row.tolist(), strict=True):
        a, b = _root(root, int(answer.a[place])), _root(root, int(answer.b[place]))
        if a != b:
            if len(held[a]) < len(held[b]):
                a, b = b, a
            total = total - part(a) - part(b)
            root[b] = a
            held[a] |= held[b]
            accounts[a] += accounts[b]
            counted[a] += counted[b]
            total = total + part(a)
        out[at] = total
    return Curve(values, out[:, :, 0], out[:, :, 1])


def _root(root: list[int], place: int) -> int:
    while root[place] != place:
        root[place] = root[root[place]]
        place = root[place]
    return place


def best(
    settings: Sequence[Sequence[Answer]],
    truths: Sequence[Truth],
    leasts: Sequence[int],
    most_false: int,
    judged: bool = False,
) -> Choice | None:
    """The choice of most hits among those with at most `most_false` honest accounts accused; None if none has a hit.

    settings: for each setting its answers on the worlds of `truths`. Of equals: fewer false, then the larger groups,
    then the higher threshold, then the earlier setting, so that a tie is decided for caution.
    """
    found: tuple[int, ...] | None = None
    chosen: Choice | None = None
    sizes = sorted(leasts, reverse=True)
    for number, answers in enumerate(settings):
        curves = [curve(answer, truth, sizes, judged) for answer, truth in zip(answers, truths, strict=True)]
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
