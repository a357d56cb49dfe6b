"""What the members of each of many groups hold together: distinct tokens, and the squares of their counts.

A token that only one account holds adds the same to every group with that account, so it is counted once an account.
The others are counted in one of two ways with one result: group by group, walking its members' tokens, or, where
groups are a good part of the log, token by token for all groups at once. The matched groups of an operator of a third
of a log hold nearly every token, each of them: a walk through each would read the whole log a thousand times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from stillwatch.population import Floats, Groups, Ints, Population

LARGE = 0.04
"""Share of all accounts in the mean group from which tokens are taken one by one, for all groups at once: a step of
the walk costs about as much as that for 25 groups."""
FEW = 8
"""Groups below which it never pays."""
Marks = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Held:
    """N x T counts, taken apart into what one account alone holds and what several do."""

    alone: Floats
    """Tokens that nobody else holds, [N]."""
    alone_squares: Floats
    """Sum of the squares of their counts, [N]."""
    shared: sp.csr_matrix
    """Counts of the other tokens, [N, T']."""

    @classmethod
    def of(cls, use: sp.csr_matrix) -> Held:
        """Counts without repeated entries."""
        accounts = use.shape[0]
        several = np.bincount(use.indices, minlength=use.shape[1]) >= 2
        kept = several[use.indices]
        rows = np.repeat(np.arange(accounts, dtype=np.int32), np.diff(use.indptr))
        only, counts = rows[~kept], use.data[~kept].astype(np.float64)
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows[kept], minlength=accounts))]).astype(np.int64)
        place = (np.cumsum(several) - 1)[use.indices[kept]].astype(np.int32)
        return cls(
            np.bincount(only, minlength=accounts).astype(np.float64),
            np.bincount(only, counts * counts, minlength=accounts).astype(np.float64),
            sp.csr_matrix((use.data[kept], place, indptr), shape=(accounts, int(several.sum()))),
        )


def distinct(population: Population, groups: Groups, view: str) -> Floats:
    """Distinct tokens of a view that a group's members hold, [G]."""

    def count() -> Floats:
        held = held_of(population, view)
        if not large(groups):
            return groups.sum(held.alone) + _walk(groups, held.shared)[0]
        marks, rows = marked(population, groups)
        by_token = held.shared[rows].tocsc()
        return groups.sum(held.alone) + _distinct_across(marks, by_token.indptr, by_token.indices)

    return groups.keep(population, f"distinct.{view}", count)


def squares(population: Population, groups: Groups, view: str) -> Floats:
    """Sum over the tokens of a view of the square of a group's count, [G]."""

    def add() -> Floats:
        held = held_of(population, view)
        return groups.sum(held.alone_squares) + _squares(population, groups, held.shared)

    return groups.keep(population, f"squares.{view}", add)


def squares_of(population: Population, groups: Groups, name: str, use: sp.csr_matrix) -> Floats:
    """Sum over the columns of `use`, N x T, of the square of a group's sum, [G]; `name` belongs to one matrix."""
    return groups.keep(population, f"squares_of.{name}", lambda: _squares(population, groups, use))


def held_of(population: Population, view: str) -> Held:
    """Who holds what of a view."""
    return population.keep(f"pooled.{view}", lambda of: Held.of(of.traits(view)[0]))


def large(groups: Groups) -> bool:
    """Groups are so large a part of the accounts that tokens are taken one by one, for all groups at once."""
    cells = groups.members.shape[0] * groups.members.shape[1]
    return len(groups) >= FEW and bool(groups.members.nnz >= LARGE * cells)


def marked(population: Population, groups: Groups) -> tuple[Marks, Ints]:
    """Who is in which group as a dense [accounts of any group, G] of 0 and 1, and the rows of those accounts."""

    def mark() -> tuple[Marks, Ints]:
        rows = np.flatnonzero(np.bincount(groups.members.indices, minlength=groups.members.shape[1]))
        place = np.empty(groups.members.shape[1], np.int64)
        place[rows] = np.arange(len(rows))
        marks = np.zeros((len(rows), len(groups)), np.uint8)
        marks[place[groups.members.indices], groups.group_of] = 1
        return marks, rows

    return groups.keep(population, "marked", mark)


def _squares(population: Population, groups: Groups, use: sp.csr_matrix) -> Floats:
    """Sum over columns of squared sums, [G]."""
    if not large(groups):
        return _walk(groups, use)[1]
    marks, rows = marked(population, groups)
    by_token = use[rows].tocsc()
    found: Floats = _squares_across(marks, _whole(by_token.data), by_token.indptr, by_token.indices)
    return found


def _whole(counts: Floats) -> npt.NDArray[np.int32] | Floats:
    """Counts as int32 where no sum of them can be too large, else as they are: four times as many fit a register."""
    whole = counts.min(initial=0) >= 0 and counts.sum() < 2**31 and np.array_equal(counts, np.rint(counts))
    return counts.astype(np.int32) if whole else counts


def _walk(groups: Groups, use: sp.csr_matrix) -> tuple[Floats, Floats]:
    """Distinct tokens and sum of squared counts, both [G]."""
    members = groups.members
    found: tuple[Floats, Floats] = _walked(
        members.indptr, members.indices, use.indptr, use.indices, use.data, use.shape[1]
    )
    return found


@nb.njit(cache=True, nogil=True)
def _walked(mptr, members, ptr, tokens, n, width):  # type: ignore[no-untyped-def]
    distinct, squares = np.zeros(len(mptr) - 1), np.zeros(len(mptr) - 1)
    count, held = np.zeros(width), np.zeros(width, np.bool_)
    for group in range(len(distinct)):
        mine = members[mptr[group] : mptr[group + 1]]
        for member in mine:
            for x in range(ptr[member], ptr[member + 1]):
                count[tokens[x]] += n[x]
                held[tokens[x]] = True
        for member in mine:
            for x in range(ptr[member], ptr[member + 1]):
                token = tokens[x]
                if held[token]:
                    distinct[group] += 1
                    squares[group] += count[token] * count[token]
                    count[token] = 0
                    held[token] = False
    return distinct, squares


@nb.njit(cache=True, nogil=True)
def _distinct_across(marks, ptr, holders):  # type: ignore[no-untyped-def]
    groups = marks.shape[1]
    out, any_holds = np.zeros(groups, np.int64), np.zeros(groups, np.uint8)
    for token in range(len(ptr) - 1):
        if ptr[token] == ptr[token + 1]:
            continue
        any_holds[:] = 0
        for x in range(ptr[token], ptr[token + 1]):
            holder = holders[x]
            for group in range(groups):
                any_holds[group] |= marks[holder, group]
        for group in range(groups):
            out[group] += any_holds[group]
    return out


@nb.njit(cache=True, nogil=True)
def _squares_across(marks, n, ptr, holders):  # type: ignore[no-untyped-def]
    groups = marks.shape[1]
    out, count = np.zeros(groups), np.zeros(groups, n.dtype)
    for token in range(len(ptr) - 1):
        if ptr[token] == ptr[token + 1]:
            continue
        count[:] = 0
        for x in range(ptr[token], ptr[token + 1]):
            holder, more = holders[x], n[x]
            for group in range(groups):
                count[group] += more * marks[holder, group]
        for group in range(groups):
            out[group] += np.float64(count[group]) * np.float64(count[group])
    return out
