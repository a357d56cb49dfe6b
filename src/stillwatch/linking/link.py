"""The stage traits, profiles -> links, operators."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.errors import UsageError
from stillwatch.linking import (
    apart,
    calibration,
    candidates,
    content,
    embeddings,
    groups,
    hands,
    members,
    operators,
    seeds,
    sources,
    strays,
)
from stillwatch.linking.collapse import Nodes, collapse, declared
from stillwatch.linking.communities import components, leiden, strongest
from stillwatch.linking.fdr import q_values
from stillwatch.linking.matrix import Floats, Incidence, Ints, read
from stillwatch.linking.null import Null, null
from stillwatch.linking.pairs import Pairs, log_p, scan_pairs
from stillwatch.linking.shards import ALONE, Shards, Threads
from stillwatch.linking.strata import application, codes, strata
from stillwatch.linking.views import LINKED, VIEWS
from stillwatch.model import LINKS
from stillwatch.settings import LinkingSettings

LN2 = float(np.log(2.0))
WEAK_EDGES = 64
"""Weak links kept of each node for the group scan, the strongest."""
CONTENT_LINKS = 8
"""Content links kept of each node in the table of links, the strongest."""
CONTENT_MEMBERS = 1_000
"""Members of groups for whom content links are looked for, the first in the common order: each is held against all."""
CONTENT_NATS = 10.0
"""Most that content adds to the weight of a weak control link when groups are looked for."""
SMALL_GROUP = 3
"""Least members of a group that the scan reports."""


@dataclass(frozen=True)
class LinkResult:
    """Links, operators, and how the linker was checked."""

    links: pa.Table
    operators: pa.Table
    false_links: dict[str, int]
    """Links found after a degree-preserving shuffle, by kind and by view alone: calibration."""
    nodes: dict[str, int]
    """Accounts, nodes, and accounts within collapsed organisations."""
    seconds: dict[str, float] = field(default_factory=dict)


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - start, 3)


def link(
    traits: pa.Table | Path | Iterable[pa.Table],
    profiles: pa.Table | None = None,
    accounts: pa.Table | None = None,
    settings: LinkingSettings | None = None,
    seed: int = 0,
    threads: Threads = ALONE,
    cluster: Shards | None = None,
) -> LinkResult:
    """Links and operators of all accounts in any of the three tables (model.TRAITS, PROFILES, ACCOUNTS).

    Traits may come a table at once, each with all rows of its views; then `accounts` or `profiles` must name everybody.
    Pair tests and searches for neighbours are left to the `cluster`, if one is given.
    """
    shards = cluster or threads
    settings = settings or LinkingSettings()
    clock = _Clock()
    with clock.of("read"):
        table = pq.read_table(traits) if isinstance(traits, Path) else traits
        named = table if isinstance(table, pa.Table) else None
        nodes = collapse(everyone(named, profiles, accounts), accounts)
        held = read(table, nodes.ids, nodes.node_of, len(nodes), _left_out(settings))
        if profiles is not None and "profile" not in settings.without:
            held.matrices.update(content.cells(profiles, nodes, seed))
    with clock.of("null"):
        around = strata(held, _declared(accounts, nodes))
        control = null(held.incidence("control"), around, settings.scales)
        source = null(held.incidence("content"), around, settings.scales)
    orders = candidates.orders(nodes.names, settings.orders, seed)
    with clock.of("pairs"):
        pairs = scan_pairs(control, candidates.neighbours(control, orders), settings.weak_log_p, shards=shards)
    with clock.of("groups"):
        of = application(held)
        strong = significant(pairs, len(nodes), settings.fdr)
        clump = components(len(nodes), strong.a, strong.b)
        rank = np.argsort(orders[0])
        known = declared(nodes, accounts)
        where = embeddings.points(profiles, nodes, ~known)
        texts_found = sources.sources(held, where, known, rank, seed, settings.fdr, shards)
        if where is not None:
            texts_found += seeds.by_control(control, pairs, where, of, clump, rank, settings.fdr, seed, threads)
        shared = hands.Shared(control, strong, rank, threads=threads)
        parts = hands.in_one_hand(shared, texts_found, settings.fdr)
        words = sources.tokens(held)
        looked_at = members.reviewed(control, words, where, parts, ~known, rank, settings.fdr)
        single = [part for group in looked_at for part in apart.apart(control, pairs, where, group, seed)]
        priced = hands.priced(shared, single, len(texts_found), settings.fdr)
        settled = hands.settled(shared, priced, len(texts_found), settings.fdr)
        found = strays.joined(control, words, where, settled, ~known, settings.fdr)
        if not texts_found:
            # without text there is nothing to find groups by but what they share
            starts = starting_points(control, source, pairs, of, seed)
            found = scan_groups(control, source, starts, of, clump, rank, settings)
    with clock.of("content"):
        texts = content_pairs(source, candidates.neighbours(source, orders), strong, found, rank, settings, shards)
    with clock.of("operators"):
        belongs = assemble(len(nodes), strong, found, nodes.sizes > 1, seed)
    with clock.of("calibration"):
        false_links = calibration.false_links(control, source, around, orders, settings, seed, threads)
    count = {"accounts": len(nodes.ids), "nodes": len(nodes), "collapsed": int(nodes.sizes[nodes.sizes > 1].sum())}
    links = pa.concat_tables(
        [
            link_table(strong, control.shared, nodes, "control"),
            link_table(significant(texts, len(nodes), settings.fdr), source.shared, nodes, "content"),
        ]
    )
    return LinkResult(links, operators.table(nodes, belongs), false_links, count, clock.seconds)


def _left_out(settings: LinkingSettings) -> frozenset[str]:
    """Views that are not read: context that the null has no use for, and those the settings name."""
    unknown = sorted(set(settings.without) - VIEWS.keys())
    if unknown:
        raise UsageError(f"settings: linking.without: no view is called {unknown[0]!r}")
    return frozenset((VIEWS.keys() - LINKED).union(settings.without))


def content_pairs(
    source: Null,
    extra: tuple[Ints, Ints],
    strong: Pairs,
    found: list[groups.Group],
    rank: Ints,
    settings: LinkingSettings,
    shards: Shards,
) -> Pairs:
    """Content links of the members of groups, the strongest of each, and those along control links.

    Pairs that are not looked at count as p = 1, so the false-discovery rate stays that over all pairs.
    """
    nodes = source.shared.nodes
    members = np.unique(np.concatenate([group.members for group in found] or [np.empty(0, np.int64)]))
    members = np.sort(members[np.argsort(rank[members])[:CONTENT_MEMBERS]])
    texts = scan_pairs(source, extra, settings.weak_log_p, members, shards)
    texts = texts.where(strongest(nodes, texts.a, texts.b, -texts.log_p, CONTENT_LINKS))
    along = Pairs(strong.a, strong.b, log_p(source, strong.a, strong.b), np.zeros(len(strong), np.int64))
    along = along.where(~np.isin(along.a * nodes + along.b, texts.a * nodes + texts.b))
    both = (np.concatenate(pair) for pair in zip(_parts(texts), _parts(along), strict=True))
    return Pairs(*both)


def _parts(pairs: Pairs) -> tuple[Ints, Ints, Floats, Ints]:
    return pairs.a, pairs.b, pairs.log_p, pairs.views


def everyone(traits: pa.Table | None, profiles: pa.Table | None, accounts: pa.Table | None) -> pa.Array:
    """Ids of all accounts, sorted."""
    columns = [t["account_id"].cast(pa.string()) for t in (traits, profiles, accounts) if t is not None]
    ids = pc.unique(pa.chunked_array([pc.unique(column) for column in columns], pa.string()))
    return ids.take(pc.sort_indices(ids))


def _declared(accounts: pa.Table | None, nodes: Nodes) -> Ints | None:
    """Declared country of each node (of its first account) as a number, -1 where unknown."""
    if accounts is None or "country" not in accounts.column_names:
        return None
    place = pc.index_in(nodes.ids.take(pa.array(nodes.first)), value_set=accounts["account_id"].combine_chunks())
    return codes(accounts["country"].combine_chunks().cast(pa.string()).take(place))


def significant(pairs: Pairs, nodes: int, fdr: float) -> Pairs:
    """Pairs that are discoveries among all N (N - 1) / 2."""
    return pairs.where(q_values(pairs.log_p, nodes * (nodes - 1) / 2) <= fdr)


def scan_groups(
    control: Null, source: Null, starts: list[Ints], of: Ints, clump: Ints, rank: Ints, settings: LinkingSettings
) -> list[groups.Group]:
    """Groups that exist at the false-discovery rate and are corroborated, the most certain first; they may overlap."""
    nodes = control.shared.nodes
    found: list[groups.Group] = []
    existence, support = [], []
    covered = np.zeros(nodes, dtype=bool)
    tested = 0
    for start in starts:
        if covered[start].mean() > 0.5:
            continue
        tested += 1
        group = groups.refine(control, of, start, settings.fdr, settings.weak_log_p)
        group = groups.cohesive(control, group, clump, settings.fdr) if group is not None else None
        if group is None or len(group.members) < SMALL_GROUP:
            continue
        by_control = groups.family_log_e(control, group.members, rank)
        log_p = groups.union_bound(len(group.members), nodes) - by_control[0]
        if log_p > np.log(settings.fdr):
            continue
        by_content = groups.family_log_e(source, group.members, rank)
        found.append(group)
        existence.append(log_p)
        support.append(-groups.corroboration(by_control, by_content))
        covered[group.members] = True
    good = q_values(np.array(existence), float(tested)) <= settings.fdr
    good &= q_values(np.array(support), float(tested)) <= settings.fdr
    order = np.lexsort(([int(group.members[0]) for group in found], existence))
    return [found[k] for k in order if good[k]]


def starting_points(control: Null, source: Null, pairs: Pairs, of: Ints, seed: int) -> list[Ints]:
    """Where the group scan looks: the users of each application, and communities of weak links."""
    nodes = control.shared.nodes
    weight = -pairs.log_p + np.minimum(-log_p(source, pairs.a, pairs.b), CONTENT_NATS)
    keep = strongest(nodes, pairs.a, pairs.b, weight, WEAK_EDGES)
    community = leiden(nodes, pairs.a[keep], pairs.b[keep], weight[keep], 1.0, seed)
    return [*_members(of), *_members(community)]


def _members(code: Ints) -> list[Ints]:
    """Nodes of each code of three nodes or more, the largest first; code -1 is none."""
    order = np.argsort(code, kind="stable")
    order = order[code[order] >= 0]
    lists = np.split(order, np.flatnonzero(np.diff(code[order])) + 1)
    return sorted((m for m in lists if len(m) >= 3), key=lambda m: (-len(m), int(m[0])))


def assemble(
    nodes: int, strong: Pairs, found: list[groups.Group], organisation: np.ndarray, seed: int
) -> operators.Membership:
    """Each node to its group, the rest to components of links, the rest alone; `organisation` flags collapsed ones [N].

    A link to an organisation joins nobody to it: its seats are people, whose homes and cards their own accounts share.
    Measured where cards and homes were dealt anew: 24 seats of an enterprise and one stranger were accused as one hand
    with 25 declared customers.
    """
    operator = np.arange(nodes, dtype=np.int64)
    evidence, proven = np.zeros(nodes), np.ones(nodes, dtype=bool)
    hand, means = np.full(nodes, np.nan), np.full(nodes, np.nan)
    taken = np.zeros(nodes, dtype=bool)
    for group, kept in zip(found, groups.owners(nodes, found), strict=True):
        mine = group.members[kept]
        operator[mine] = nodes + mine.min(initial=nodes)
        evidence[mine], proven[mine] = group.member_log_p[kept], group.proven[kept]
        hand[mine], means[mine] = group.hand_log_p, group.means_log_p
        taken[mine] = True
    apart_from_all = taken | organisation
    left = strong.where(~apart_from_all[strong.a] & ~apart_from_all[strong.b])
    part = components(nodes, left.a, left.b)
    inside = np.bincount(part)[part[left.a]] > hands.HOUSEHOLD
    split = leiden(nodes, left.a[inside], left.b[inside], -left.log_p[inside], 1.0, seed)
    large = np.bincount(part)[part] > hands.HOUSEHOLD
    label = np.where(large, split + nodes, part)
    label = np.where(np.bincount(label)[label] > hands.HOUSEHOLD, np.arange(nodes) + 3 * nodes, label)
    together = label[left.a] == label[left.b]
    for end in (left.a, left.b):
        np.minimum.at(evidence, end[together], left.log_p[together])
    rest = ~taken
    operator[rest] = label[rest] + 2 * nodes
    return operators.Membership(operator, evidence, proven, hand, means)


def link_table(pairs: Pairs, shared: Incidence, nodes: Nodes, kind: str) -> pa.Table:
    """model.LINKS, by account ids; the least id of a collapsed organisation stands for it."""
    n = len(nodes)
    q: Floats = q_values(pairs.log_p, n * (n - 1) / 2)
    order = np.lexsort((pairs.b, pairs.a))
    names = nodes.ids.take(pa.array(nodes.first))
    words: dict[int, str] = {}
    for mask in np.unique(pairs.views).tolist():
        words[mask] = ",".join(sorted(view.name for v, view in enumerate(shared.views) if mask >> v & 1))
    return pa.table(
        [
            names.take(pa.array(pairs.a[order])),
            names.take(pa.array(pairs.b[order])),
            pa.array([kind] * len(pairs), pa.string()),
            pa.array(-pairs.log_p[order] / LN2),
            pa.array(q[order]),
            pa.array([words[mask] for mask in pairs.views[order].tolist()], pa.string()),
        ],
        schema=LINKS,
    )
