"""Traits -> one sparse binary matrix: nodes x tokens, the tokens of a view side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from stillwatch.linking.views import View, view_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Incidence:
    """Who holds which token: N nodes, A tokens, V views."""

    views: tuple[View, ...]
    """V views; those of one family stand together."""
    rows: sp.csr_matrix
    """N x A, ones; sorted indices."""
    view: Ints
    """View of each token, [A]."""
    volume: Floats
    """Tokens of each node in each view, [N, V]: d_i."""
    degree: Floats
    """Nodes that hold each token, [A]: d_a."""
    total: Floats
    """Ones in each view, [V]: E."""

    @property
    def nodes(self) -> int:
        """N."""
        return int(self.rows.shape[0])

    @cached_property
    def family(self) -> Ints:
        """Family of each view as a number, [V]."""
        names = list(dict.fromkeys(view.family for view in self.views))
        return np.array([names.index(view.family) for view in self.views], dtype=np.int64)

    @cached_property
    def columns(self) -> sp.csc_matrix:
        """`rows`, token by token, nodes in order."""
        return self.rows.tocsc()

    def share(self) -> Floats:
        """Popularity of each token, [A]: d_a / E of its view."""
        return self._share

    @cached_property
    def _share(self) -> Floats:
        return self.degree / np.maximum(self.total[self.view], 1)


def incidence(views: Sequence[View], matrices: Sequence[sp.csr_matrix], nodes: int) -> Incidence:
    """Stack one nodes x tokens matrix a view, counts become ones; views in which nothing is shared are left out.

    Tokens of one node cannot link, but they count: that few have a card of their own is what makes a ring's cards odd.
    """
    order = sorted(range(len(views)), key=lambda k: (views[k].family, views[k].name))
    kept, blocks = [], []
    for k in order:
        block = matrices[k].tocsr()
        if (np.bincount(block.indices, minlength=1) > 1).any():
            kept.append(views[k])
            blocks.append(block)
    rows = sp.hstack(blocks, format="csr") if blocks else sp.csr_matrix((nodes, 0))
    rows.sort_indices()
    rows.data = np.ones(rows.nnz, dtype=np.int8)
    view = np.repeat(np.arange(len(kept)), [block.shape[1] for block in blocks]).astype(np.int64)
    volume = np.stack([np.diff(block.indptr) for block in blocks], axis=1) if blocks else np.zeros((nodes, 0))
    return Incidence(
        views=tuple(kept),
        rows=rows,
        view=view,
        volume=volume.astype(np.float64),
        degree=np.bincount(rows.indices, minlength=rows.shape[1]).astype(np.float64),
        total=volume.sum(axis=0).astype(np.float64),
    )


def among(shared: Incidence, nodes: Ints) -> Incidence:
    """What some nodes share with each other, in their order; tokens that none of them holds are left out."""
    rows = shared.rows[nodes].tocsc()
    held = np.diff(rows.indptr) > 0
    blocks = [rows[:, np.flatnonzero(held & (shared.view == v))].tocsr() for v in range(len(shared.views))]
    return incidence(shared.views, blocks, len(nodes))


@dataclass(frozen=True)
class Traits:
    """The traits of N nodes, view by view, as counts."""

    nodes: int
    matrices: dict[str, sp.csr_matrix]
    """View -> nodes x tokens with n; tokens in no order that means anything."""
    views: Mapping[str, View] = field(default_factory=dict)
    """What the caller says of views; of others `views.view_of` says it."""

    def view(self, name: str) -> View:
        """The view called `name`."""
        return self.views.get(name) or view_of(name)

    def incidence(self, kind: str) -> Incidence:
        """All views of one kind."""
        views = [view for view in map(self.view, self.matrices) if view.kind == kind]
        chosen = [_chosen(self.matrices[v.name]) if v.one else self.matrices[v.name] for v in views]
        return incidence(views, chosen, self.nodes)


def _chosen(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Each row's largest entry alone; the first of equals."""
    rows = np.flatnonzero(np.diff(matrix.indptr))
    columns = np.asarray(matrix.argmax(axis=1)).ravel()[rows]
    return sp.csr_matrix((np.ones(len(rows), np.int64), (rows, columns)), shape=matrix.shape)


def read(
    tables: pa.Table | Iterable[pa.Table],
    ids: pa.Array,
    node_of: Ints,
    nodes: int,
    skip: frozenset[str] = frozenset(),
    views: Mapping[str, View] | None = None,
) -> Traits:
    """Traits of a table for accounts `ids`, whose nodes are `node_of`; rows of one (node, token) add.

    Several tables are read one after the other, each with all rows of its views: strings of 43 million traits take 3.2
    GiB, what is made of them .5.
    """
    matrices: dict[str, sp.csr_matrix] = {}
    for table in [tables] if isinstance(tables, pa.Table) else tables:
        found = _by_view(table, ids, node_of, nodes, skip)
        if twice := sorted(found.keys() & matrices.keys()):
            raise ValueError(f"view {twice[0]} is in two tables")
        matrices |= found
    return Traits(nodes, dict(sorted(matrices.items(), key=lambda pair: str(pair[0]))), dict(views or {}))


def _by_view(
    table: pa.Table, ids: pa.Array, node_of: Ints, nodes: int, skip: frozenset[str]
) -> dict[str, sp.csr_matrix]:
    names = _encoded(table["view"])
    node = node_of[pc.index_in(table["account_id"], value_set=ids).to_numpy(zero_copy_only=False).astype(np.int64)]
    counts = table["n"].to_numpy()
    matrices = {}
    for code, name in enumerate(names.dictionary.to_pylist()):
        if name in skip:
            continue
        here = np.flatnonzero(np.asarray(names.indices) == code)
        tokens = _encoded(table["token"].take(pa.array(here)))
        # tokens in their own order, whatever the order of the rows: sums come out the same to the last bit
        place = pc.rank(tokens.dictionary, tiebreaker="first").to_numpy().astype(np.int64) - 1
        shape = (nodes, len(tokens.dictionary))
        matrix = sp.csr_matrix((counts[here], (node[here], place[np.asarray(tokens.indices)])), shape=shape)
        matrix.sum_duplicates()
        matrices[name] = matrix
    return matrices


def _encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
