"""Sources of text: accounts that draw from one, by their rare words and by what they ask about (`embeddings`).

Pairs say little once every prompt is its own (measured: of 7,042 significant content pairs in a hard world 296 were
right), but a hundred accounts that draw from one source share thousands of templates that nobody else has. So accounts
are joined to their nearest neighbours by the cosine of relative soft popularity, mutual neighbours make a graph, and
its communities (Leiden) are the candidates; a binomial test of how many of a node's tokens are the community's own
then decides about every node. A source of text is not a hand: users of one product are one source too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numba as nb
import numpy as np
import scipy.sparse as sp
from scipy.stats import binom

from stillwatch.linking import embeddings
from stillwatch.linking.communities import leiden
from stillwatch.linking.fdr import q_values
from stillwatch.linking.matrix import Floats, Ints, Traits
from stillwatch.linking.shards import ALONE, Arrays, Found, Shards, blocks, laid_together
from stillwatch.linking.strata import application

VIEWS = ("lead_skeleton", "system_skeleton", "tools")
NEIGHBOURS = 30
TIE = 1e-7
"""What nearness in the common order is worth: less than any difference of text."""
POPULAR = 0.3
"""Tokens that a larger share of the nodes holds are left out when neighbours are sought: they cost most, say least."""
WINDOW = 2_048
"""Holders of one token that are looked at for each of them, those nearest in the common order: a template of twenty
thousand accounts has four hundred million pairs, and ties go to those nearest in that order anyway."""
BLOCK = 4_096
"""Nodes of a block in the search for neighbours."""
RESOLUTIONS = (1.0, 6.0)
"""Of Leiden: coarse ones for large sources, fine ones for small."""
LEAST = 5
ROUNDS = 3
OWN = 0.5
"""A token is the community's own if its members are at least this share of all who hold it."""
TYPICAL = 0.5
"""Share of a community's typical own-token rate that a member must have itself."""


@dataclass(frozen=True)
class Source:
    """Nodes that draw from one source of text."""

    members: Ints
    log_p: Floats
    """Natural log, of each member, [members]."""
    price: float = 0.0
    """Nats that control evidence for it must pay, because it was searched by such evidence."""


def tokens(traits: Traits) -> tuple[sp.csr_matrix, Floats]:
    """Nodes x tokens of the views, ones, without tokens of one node; and how many each node has with them, [N]."""
    blocks, total = [], np.zeros(traits.nodes)
    for name in VIEWS:
        if name in traits.matrices:
            block = traits.matrices[name].tocsr()
            total += np.diff(block.indptr)
            blocks.append(block[:, np.bincount(block.indices, minlength=block.shape[1]) > 1])
    if not blocks:
        return sp.csr_matrix((traits.nodes, 0)), total
    rows = sp.hstack(blocks, format="csr")
    rows.data = np.ones(rows.nnz)
    rows.sort_indices()
    return rows, total


def sources(
    traits: Traits,
    where: embeddings.Points | None,
    declared: np.ndarray,
    rank: Ints,
    seed: int,
    fdr: float,
    shards: Shards = ALONE,
) -> list[Source]:
    """Communities of at least `LEAST` nodes at every resolution, the largest first; they overlap.

    `rank` orders all nodes at random, [N]. Nodes that are `declared` ([N], known organisations and resellers) say
    themselves who they are and are left out.
    """
    found = by_words(traits, declared, rank, seed, fdr, shards)
    if where is not None:
        found += by_embedding(where, seed, fdr, shards)
    distinct = {tuple(source.members.tolist()): source for source in found}
    return sorted(distinct.values(), key=lambda s: (-len(s.members), s.members.tolist()))


def by_embedding(where: embeddings.Points, seed: int, fdr: float, shards: Shards = ALONE) -> Iterator[Source]:
    """Sources among the mutual nearest neighbours of embeddings."""
    a, b, weight = _mutual(*embeddings.nearest(where.unit, NEIGHBOURS, shards))
    for gamma in RESOLUTIONS:
        for start in communities(leiden(len(where.unit), a, b, weight, gamma, seed)):
            refined = embeddings.refine(where.unit, start, fdr, LEAST)
            if refined is not None:
                yield Source(where.nodes[refined[0]], refined[1])


def by_words(traits: Traits, declared: np.ndarray, rank: Ints, seed: int, fdr: float, shards: Shards) -> list[Source]:
    """Sources among the mutual nearest neighbours in rare words, and the users of one template."""
    rows, total = tokens(traits)
    rows = (sp.diags((~declared).astype(np.float64)) @ rows).tocsr()
    rows.eliminate_zeros()
    if not rows.shape[1]:
        return []
    a, b, weight = _mutual(*_nearest(rows, rank, shards=shards))
    lists = [m for gamma in RESOLUTIONS for m in communities(leiden(traits.nodes, a, b, weight, gamma, seed))]
    # one template in a thousand hands is a ring of neighbours, not a community: its users are a candidate as they are
    lists += communities(application(traits))
    columns = rows.tocsc()
    found = (refine(rows, total, start, fdr, columns) for start in lists)
    return [source for source in found if source is not None]


def communities(code: Ints) -> list[Ints]:
    """Nodes of each community of at least `LEAST`; code -1 is none."""
    order = np.argsort(code, kind="stable")
    order = order[code[order] >= 0]
    return [m for m in np.split(order, np.flatnonzero(np.diff(code[order])) + 1) if len(m) >= LEAST]


def refine(
    rows: sp.csr_matrix, total: Floats, start: Ints, fdr: float, columns: sp.csc_matrix | None = None
) -> Source | None:
    """Members of the source that `start` belongs to, by rounds of the test; None if fewer than `LEAST` are left.

    `columns` are `rows` token by token, for whoever asks often.
    """
    members = start
    for _ in range(ROUNDS):
        log_p, rate, _ = membership(rows, total, members, columns)
        keep = (q_values(log_p, float(rows.shape[0])) <= fdr) & (rate >= TYPICAL * np.median(rate[members]))
        new = np.flatnonzero(keep)
        if len(new) < LEAST:
            return None
        if np.array_equal(new, members):
            break
        members = new
    return Source(members, membership(rows, total, members, columns)[0][members])


def membership(
    rows: sp.csr_matrix,
    total: Floats,
    members: Ints,
    columns: sp.csc_matrix | None = None,
    neither: np.ndarray | None = None,
) -> tuple[Floats, Floats, float]:
    """Log p that so many of a node's tokens are the community's own, and their share, leave-one-out, [N] and [N].

    The third value is that share among outsiders. `total` counts a node's tokens, those that nobody shares as well:
    else one shared template would be all that an outsider has. Nodes that are flagged as `neither` member nor outsider,
    [N], have no part in what is the community's own.
    """
    nodes = rows.shape[0]
    inside = np.zeros(nodes, dtype=bool)
    inside[members] = True
    columns = rows.tocsc() if columns is None else columns
    degree = np.diff(columns.indptr).astype(np.float64)
    outside = ~inside
    if neither is not None:
        outside &= ~neither
        degree -= np.bincount(rows[np.flatnonzero(neither & ~inside)].indices, minlength=rows.shape[1])
    mine = rows[members]
    held = np.bincount(mine.indices, minlength=rows.shape[1]).astype(np.float64)
    own = (held >= 2) & (held >= OWN * degree)
    # a member's own use of a token must not speak for the member
    own_without = (held >= 3) & (held - 1 >= OWN * (degree - 1))
    # few tokens are a community's own: their holders are counted, not everybody's tokens
    count = np.bincount(columns[:, np.flatnonzero(own)].indices, minlength=nodes).astype(np.float64)
    count[members] = mine @ own_without.astype(np.float64)
    rate = np.divide(count, total, out=np.zeros(nodes), where=total > 0)
    chance = (count[outside].sum() + 1) / (total[outside].sum() + 2) if outside.any() else 0.5
    # hardly any node has one of a community's own tokens, and there are thousands of communities to ask about
    some = np.flatnonzero(count > 0)
    log_p = np.zeros(nodes)
    log_p[some] = binom.logsf(count[some] - 1, total[some], chance)
    return log_p, rate, float(chance)


def _nearest(rows: sp.csr_matrix, rank: Ints, window: int = WINDOW, shards: Shards = ALONE) -> tuple[Ints, Floats]:
    """The `NEIGHBOURS` nearest of each node by cosine, [N, K] (-1 where there are fewer), and the cosines.

    Ties go to those nearest in one order of all nodes (`rank`, [N]): of a thousand accounts with one template each
    has the same thousand equals, and only a common order makes the chosen ones mutual. Of a token with more than
    `window` holders a node sees as many of them as that, around itself in this order.
    """
    nodes = rows.shape[0]
    degree = np.bincount(rows.indices, minlength=rows.shape[1])
    weight = np.maximum(np.log(nodes / np.maximum(degree, 1)), 0.0)
    rare = degree <= POPULAR * nodes
    scaled = rows[:, rare] @ sp.diags(weight[rare])
    length = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel())
    # a node with one rare token must not be everybody's neighbour
    unit = (sp.diags(1 / (length + 2 * weight.max(initial=1.0))) @ scaled).tocsr()
    if degree[rare].max(initial=0) <= window:
        return _strongest(unit, rank, window, shards)
    order = np.argsort(rank)  # in which a token's holders are windowed
    best, value = np.empty((nodes, NEIGHBOURS), np.int64), np.empty((nodes, NEIGHBOURS))
    found, value[order] = _strongest(unit[order], rank[order], window, shards)
    best[order] = np.where(found >= 0, order[found], -1)
    return best, value


def _strongest(unit: sp.csr_matrix, rank: Ints, window: int, shards: Shards) -> tuple[Ints, Floats]:
    """Rows with the highest inner products with each row of `unit`; `window` as for `_nearest`."""
    columns = unit.tocsc()
    columns.sort_indices()
    values = (unit.indptr, unit.indices, unit.data, columns.indptr, columns.indices, columns.data, rank)
    work = partial(_block, BLOCK, window)
    best, value = laid_together(shards.over(work, dict(zip(ARRAYS, values, strict=True)), blocks(len(rank), BLOCK)))
    return best, value


ARRAYS = ("indptr", "indices", "data", "cptr", "cindices", "cdata", "rank")
"""What `_top` is given."""


def _block(size: int, window: int, arrays: Arrays, number: int) -> Found:
    """The strongest of one block of nodes."""
    begin = number * size
    end = min(begin + size, len(arrays["rank"]))
    return tuple(_top(*(arrays[name] for name in ARRAYS), NEIGHBOURS, window, begin, end))


@nb.njit(cache=True, nogil=True)
def _top(indptr, indices, data, cptr, cindices, cdata, rank, most, window, begin, end):  # type: ignore[no-untyped-def]
    nodes = len(indptr) - 1
    best = np.full((end - begin, most), -1, np.int64)
    value = np.zeros((end - begin, most))
    score = np.zeros(nodes)
    touched = np.empty(nodes, np.int64)
    for i in range(begin, end):
        row, n = i - begin, 0
        for x in range(indptr[i], indptr[i + 1]):
            a = indices[x]
            held, start = cptr[a + 1] - cptr[a], 0
            if held > window:
                start = np.searchsorted(cindices[cptr[a] : cptr[a + 1]], i) - window // 2
            start %= held
            left = min(held, window)
            while (
                left > 0
            ):  # around the end of the list once at most; a remainder at every step costs more than the rest
                many = min(left, held - start)
                for y in range(cptr[a] + start, cptr[a] + start + many):
                    j = cindices[y]
                    if j == i:
                        continue
                    if score[j] == 0.0:
                        touched[n] = j
                        n += 1
                    score[j] += data[x] * cdata[y]
                left -= many
                start = 0
        for t in range(n):
            j = touched[t]
            if score[j] + TIE <= value[row, most - 1]:  # nearness in the order is worth less
                score[j] = 0.0
                continue
            apart = abs(rank[i] - rank[j])
            score[j] += TIE * (1.0 - min(apart, nodes - apart) / nodes)
            if score[j] > value[row, most - 1]:
                place = most - 1
                while place > 0 and value[row, place - 1] < score[j]:
                    value[row, place] = value[row, place - 1]
                    best[row, place] = best[row, place - 1]
                    place -= 1
                value[row, place] = score[j]
                best[row, place] = j
            score[j] = 0.0
    return best, value


def _mutual(best: Ints, value: Floats) -> tuple[Ints, Ints, Floats]:
    """Pairs a < b that are among each other's nearest, with the smaller of their cosines."""
    nodes, most = best.shape
    known = best >= 0
    from_ = np.repeat(np.arange(nodes), most).reshape(nodes, most)[known]
    graph = sp.csr_matrix((value[known], (from_, best[known])), shape=(nodes, nodes))
    both = sp.triu(graph.minimum(graph.T)).tocoo()
    return both.row.astype(np.int64), both.col.astype(np.int64), both.data.astype(np.float64)
