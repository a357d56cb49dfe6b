"""Strata: what accounts share because of where they are and which application they use.

The null of `null.py` lets a token be as popular as it is in the log, in the account's carrier (country, if that is
small) or among the users of its application, whichever is most. So neighbours and users of one product are not taken
for one hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from stillwatch.linking.matrix import Incidence, Ints, Traits

LEAST, LEAST_CARRIER = 50, 20
"""Smaller countries and applications, and carriers, say too little about popularity: the next wider one counts."""
MOST, MOST_CARRIERS = 40, 80
"""Strata kept of each kind, the largest."""
DOMINANT = 0.5
"""Share of an account's events that its application's text must have."""
BROAD = 0.5
"""Share of an application's users that hold a token which the application explains although it is not its own kind."""
PRIOR = 10.0
"""Ones of the log's own popularity that are mixed into a stratum's."""


@dataclass(frozen=True)
class Strata:
    """Country, carrier and application of each node; 0 where unknown or small."""

    country: Ints
    carrier: Ints
    application: Ints
    """[N]; numbered from 1."""

    def of(self, nodes: Ints) -> Strata:
        """Those of some nodes, in their order."""
        return Strata(self.country[nodes], self.carrier[nodes], self.application[nodes])

    @property
    def region(self) -> Ints:
        """Carrier, else country, [N]: countries are numbered before carriers."""
        return np.where(self.carrier > 0, self.carrier + self.country.max(initial=0), self.country)

    @classmethod
    def none(cls, nodes: int) -> Strata:
        """Nobody's country or application is known."""
        return cls(*(np.zeros(nodes, np.int64) for _ in range(3)))


def strata(traits: Traits, declared: Ints | None) -> Strata:
    """Country as observed, else as `declared` ([N] codes, -1 unknown); application by dominant text."""
    country = np.full(traits.nodes, -1, dtype=np.int64)
    if "country" in traits.matrices:
        country = _dominant(traits.matrices["country"], 0.0)
    if declared is not None:
        offset = country.max(initial=-1) + 1
        country = np.where((country < 0) & (declared >= 0), declared + offset, country)
    carrier = np.full(traits.nodes, -1, dtype=np.int64)
    if "carrier" in traits.matrices:
        carrier = _dominant(traits.matrices["carrier"], DOMINANT)
    return Strata(
        _largest(country, LEAST, MOST),
        _largest(carrier, LEAST_CARRIER, MOST_CARRIERS),
        _largest(application(traits), LEAST, MOST),
    )


def application(traits: Traits) -> Ints:
    """System instructions, else first words, that carry most of a node's events and of others'; -1 if none, [N]."""
    out = np.full(traits.nodes, -1, dtype=np.int64)
    offset = 0
    for name in ("system_skeleton", "lead_skeleton"):
        if name not in traits.matrices:
            continue
        best = _dominant(traits.matrices[name], DOMINANT)
        count = np.bincount(best[best >= 0], minlength=1)
        best = np.where((best >= 0) & (count[np.maximum(best, 0)] > 1), best, -1)
        out = np.where((out < 0) & (best >= 0), best + offset, out)
        offset += traits.matrices[name].shape[1]
    return out


def codes(column: pa.Array | None) -> Ints | None:
    """A column as whole numbers, -1 where null."""
    if column is None:
        return None
    encoded = column.dictionary_encode().indices.fill_null(-1)
    return encoded.to_numpy(zero_copy_only=False).astype(np.int64)


def _dominant(matrix: sp.csr_matrix, share: float) -> Ints:
    """Token with the largest n of each node, if it has at least `share` of the node's n; else -1."""
    total = np.asarray(matrix.sum(axis=1)).ravel()
    top = np.asarray(matrix.max(axis=1).todense()).ravel()
    best = np.asarray(matrix.argmax(axis=1)).ravel().astype(np.int64)
    return np.where((total > 0) & (top >= share * total), best, -1)


def _largest(codes: Ints, least: int, most: int) -> Ints:
    """Renumber the `most` largest codes from 1; the others, and those of fewer than `least` nodes, become 0."""
    known, inverse, count = np.unique(codes, return_inverse=True, return_counts=True)
    count = np.where(known < 0, 0, count)
    first = np.full(len(known), len(codes))
    np.minimum.at(first, inverse, np.arange(len(codes)))
    order = np.lexsort((first, -count))[:most]
    number = np.zeros(len(known), dtype=np.int64)
    number[order] = np.where(count[order] >= least, np.arange(1, len(order) + 1), 0)
    return number[inverse.ravel()]


@dataclass(frozen=True)
class Excess:
    """Popularity beyond the log's own: r_a(i) = d_a / E + excess[region of i] + excess[application of i]."""

    member: Ints
    """Rows of `excess` of each node, [N, 2]; row 0 is empty."""
    excess: sp.csr_matrix
    """S x A."""

    @cached_property
    def by_token(self) -> sp.csc_matrix:
        """`excess`, token by token, strata in order."""
        out = self.excess.tocsc()
        out.sort_indices()
        return out


def excess(shared: Incidence, of: Strata) -> Excess:
    """How much more popular each token is in each stratum, where the view says that the stratum explains it."""
    countries, carriers = int(of.country.max(initial=0)), int(of.carrier.max(initial=0))
    applications = np.where(of.application > 0, of.application + countries + carriers, 0)
    size = 1 + countries + carriers + int(of.application.max(initial=0))
    # the country's popularity is that of all its accounts, whether or not their carrier is large
    places = ((of.country, "region"), (np.where(of.carrier > 0, of.carrier + countries, 0), "region"))
    more = sp.csr_matrix((size, shared.rows.shape[1]))
    for codes, kind in (*places, (applications, "application")):
        flag = np.array(
            [getattr(view, kind) or (kind == "application" and view.broad) for view in shared.views], dtype=bool
        )
        more = more + _more(shared, codes, size, flag, only_broad=kind == "application")
    return Excess(np.stack([of.region, applications], axis=1), more.tocsr())


def _more(shared: Incidence, codes: Ints, size: int, flag: np.ndarray, *, only_broad: bool) -> sp.csr_matrix:
    """S x A of positive differences between popularity in a stratum and in the log."""
    inside = codes > 0
    into = sp.csr_matrix((np.ones(inside.sum()), (codes[inside], np.flatnonzero(inside))), shape=(size, shared.nodes))
    held = (into @ shared.rows.astype(np.float64)).tocoo()
    allowed = flag[shared.view[held.col]] if len(flag) else np.zeros(0, bool)
    row, col, k = held.row[allowed], held.col[allowed], held.data[allowed]
    ones = into @ shared.volume
    view, share = shared.view[col], shared.share()[col]
    inner = (k + PRIOR * share) / (ones[row, view] + PRIOR)
    keep = inner > share
    if only_broad:
        broad = np.array([v.broad and not v.application for v in shared.views], dtype=bool)[view]
        accounts = np.bincount(codes, minlength=size)[row]
        keep &= ~broad | (k >= BROAD * accounts)
    shape = (size, shared.rows.shape[1])
    return sp.csr_matrix(((inner - share)[keep], (row[keep], col[keep])), shape=shape)
