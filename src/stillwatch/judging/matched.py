"""Matched groups: ordinary accounts like an operator's, which make the null of every statistic.

For each member a stand-in is drawn from the accounts of the same application, volume and age that are not members,
nor in one hand with others themselves (a second campaign must not hide the first); so whatever an application, a
volume or a youth does to an account is in the null by construction. Where a stratum holds fewer than twice the accounts
needed, the wider one is taken: application, then age, is given up, volume last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from stillwatch.population import Floats, Groups, Ints, Population, ratio

POPULAR = 30
"""Accounts a system prompt needs to count as an application."""
NEIGHBOURS = (64, 256)
"""Accounts of a stratum of neighbours in volume, for members whose volume few others have: without it the largest of a
group would be replaced by anybody, and matched groups would look more alike than the group (measured: its homogeneity
had a p-value above .8 in most cases)."""
DRAWS_AT_ONCE = 1 << 23
"""Random numbers held at once."""
SPARE = 20
"""Accounts a stratum needs beyond twice the members drawn from it."""


@dataclass(frozen=True)
class Strata:
    """Keys of every account, from the narrowest to the widest, [levels, N]."""

    keys: Ints
    eligible: npt.NDArray[np.bool_]
    """Accounts that may stand in for others, [N]."""

    @classmethod
    def of(cls, population: Population, eligible: npt.NDArray[np.bool_]) -> Strata:
        """Application x volume x age, volume x age, volume, neighbours in volume (64, 256), everybody."""
        application, volume, age = _application(population), _volume(population), _age(population)
        levels = [
            _joint(application, volume, age),
            _joint(volume, age),
            _joint(volume),
            *(_neighbours(population.total("volume.events"), size) for size in NEIGHBOURS),
            np.zeros(len(population), np.int64),
        ]
        return cls(np.stack(levels), eligible)

    @cached_property
    def _members(self) -> list[list[Ints]]:
        """Rows of each key, by level."""
        out = []
        rows = np.flatnonzero(self.eligible)
        for keys in self.keys:
            order = rows[np.argsort(keys[rows], kind="stable")]
            out.append(np.split(order, np.cumsum(np.bincount(keys[rows], minlength=keys.max(initial=0) + 1))[:-1]))
        return out

    def pool(self, level: int, key: int) -> Ints:
        """Rows of the accounts with that key."""
        return self._members[level][key]

    def peers(self, least: int) -> tuple[Ints, Ints]:
        """Level and key of each account's narrowest stratum with at least `least` accounts, both [N]."""
        level = np.full(self.keys.shape[1], len(self.keys) - 1)
        for candidate in reversed(range(len(self.keys))):
            counts = np.bincount(self.keys[candidate][self.eligible], minlength=self.keys[candidate].max(initial=0) + 1)
            level = np.where(counts[self.keys[candidate]] >= least, candidate, level)
        return level, self.keys[level, np.arange(self.keys.shape[1])]

    def draw(self, members: Ints, groups: int, rng: np.random.Generator) -> list[Ints]:
        """`groups` lists of stand-ins for `members`; shorter than `members` only if the log is too small."""
        drawn = []
        own = np.zeros(self.keys.shape[1], dtype=bool)
        own[members] = True
        left = members
        for level in range(len(self.keys)):
            keys, need = np.unique(self.keys[level][left], return_counts=True)
            served = []
            for key, count in zip(keys, need, strict=True):
                candidates = self.pool(level, int(key))
                candidates = candidates[~own[candidates]]
                last = level == len(self.keys) - 1
                if last or len(candidates) >= 2 * count + SPARE:
                    drawn.append(_choose(candidates, int(count), groups, rng))
                    served.append(key)
            left = left[~np.isin(self.keys[level][left], served)]
            if not len(left):
                break
        rows = np.concatenate(drawn, axis=1) if drawn else np.empty((groups, 0), np.int32)
        return _distinct(rows)


def _distinct(rows: npt.NDArray[np.int32] | Ints) -> list[Ints]:
    """The different numbers of each row, in order, without those below 0; sorts `rows` in place."""
    rows.sort(axis=1)
    kept = rows >= 0
    kept[:, 1:] &= rows[:, 1:] != rows[:, :-1]
    return np.split(rows[kept], np.cumsum(kept.sum(axis=1))[:-1])


def _choose(candidates: Ints, count: int, groups: int, rng: np.random.Generator) -> Ints:
    """[groups, count] rows without repetition within a group; -1 where there are too few candidates."""
    candidates = candidates.astype(np.int32)
    count_here = min(count, len(candidates))
    if count_here == 0:
        return np.full((groups, count), -1, np.int32)
    if len(candidates) > 64 * count_here * count_here:
        # a repetition within a group is rarer than one group in a hundred, and merely drops one stand-in
        return candidates[rng.integers(0, len(candidates), (groups, count_here))]
    drawn = np.empty((groups, count_here), candidates.dtype)
    step = max(1, DRAWS_AT_ONCE // len(candidates))
    for start in range(0, groups, step):  # the same numbers as all at once
        keys = rng.random((min(step, groups - start), len(candidates)))
        drawn[start : start + step] = candidates[np.argpartition(keys, count_here - 1, axis=1)[:, :count_here]]
    return drawn


def _joint(*codes: Ints) -> Ints:
    """One dense code for each combination."""
    stacked = np.stack(codes)
    return np.unique(stacked, axis=1, return_inverse=True)[1].reshape(-1)


def _application(population: Population) -> Ints:
    """The system prompt most of an account's events carry, if many accounts use it; else -1."""
    use, tokens = population.traits("system_skeleton")
    if not len(tokens):
        return np.full(len(population), -1)
    best = np.asarray(use.argmax(axis=1)).ravel()
    share = ratio(use.max(axis=1).toarray().ravel(), population.total("volume.events"))
    popular = np.bincount(best[share >= 0.5], minlength=len(tokens)) >= POPULAR
    return np.where((share >= 0.5) & popular[best], best, -1)


def _neighbours(events: Floats, size: int) -> Ints:
    """Number of the run of about `size` accounts, in order of volume, that each account is in."""
    rank = np.empty(len(events), np.int64)
    rank[np.argsort(np.nan_to_num(events), kind="stable")] = np.arange(len(events))
    return np.minimum(rank // size, max(len(events) // size - 1, 0))


def _volume(population: Population) -> Ints:
    """log2 of events, in steps of a half."""
    return np.floor(2 * np.log2(np.maximum(np.nan_to_num(population.total("volume.events")), 1))).astype(np.int64)


def _age(population: Population) -> Ints:
    """Age at the end of the log in steps that double: up to 7, 14, 28, ... days; -1 unknown."""
    created = population.instants("created_at").astype("datetime64[D]")
    first = population.total("volume.first_seen", "min")
    seen = np.full(len(population), np.datetime64("NaT"), dtype="datetime64[D]")
    known = np.isfinite(first)
    seen[known] = first[known].astype("int64").astype("datetime64[s]").astype("datetime64[D]")
    born = np.where(np.isnat(created), seen, created)
    if not len(population.days):
        return np.full(len(population), -1)
    days = (population.days[-1] - born).astype(np.float64)
    step = np.clip(np.floor(np.log2(np.maximum(days, 1) / 3.5)), 0, 7)
    return np.where(np.isnat(born), -1, step).astype(np.int64)


def groups_of(drawn: list[list[Ints]], size: int) -> Groups:
    """All matched groups of several operators as one `Groups`, operator by operator."""
    return Groups.of([rows for operator in drawn for rows in operator], size)


def in_parts(drawn: list[list[Ints]], size: int, most: int) -> Iterator[Groups]:
    """The same in parts of about `most` memberships."""
    part: list[Ints] = []
    held = 0
    for rows in (rows for operator in drawn for rows in operator):
        if part and held + len(rows) > most:
            yield Groups.of(part, size)
            part, held = [], 0
        part.append(rows)
        held += len(rows)
    if part:
        yield Groups.of(part, size)


def table(values: Floats, operators: int, groups: int) -> Floats:
    """Statistics of `groups_of` as [operators, groups]."""
    return values.reshape(operators, groups)
