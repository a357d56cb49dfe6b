"""The linker for any log: accounts and what they share, without text and without an accounts table.

Pairs that share more than popularity and volume explain are links (`pairs`, Benjamini-Hochberg); what hangs together by
links is a group, a large one cut into its communities. Then the group scan (`groups`): communities of pairs too weak to
be links are tested as wholes, since what is weak for a pair is strong for a hundred. Everything runs once more on a
degree-preserving shuffle of the same traits; what is found there is false.

Linking is silent about guilt: a family, a course and an office are groups as well.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from stillwatch.linking import candidates, groups, operators
from stillwatch.linking.collapse import Nodes, collapse
from stillwatch.linking.communities import components, leiden, strongest
from stillwatch.linking.fdr import q_values
from stillwatch.linking.link import LN2, everyone, link_table, significant
from stillwatch.linking.matrix import Floats, Incidence, Ints, read
from stillwatch.linking.null import Null, null
from stillwatch.linking.pairs import Pairs, scan_pairs
from stillwatch.linking.scores import TWICE
from stillwatch.linking.shuffle import shuffled
from stillwatch.linking.strata import Strata, strata
from stillwatch.linking.views import View
from stillwatch.model import GROUPS
from stillwatch.settings import LinkingSettings

LARGE = 50
"""Members above which a component of links is cut into its communities (Leiden)."""
SCANNED = 3
"""Least members of a community that the group scan looks at."""
SETTINGS = LinkingSettings(weak_log_p=-8.0)
"""Of a log of which nothing but its traits is known. Weaker pairs than these only made the scan slower and blunter."""
WEAK_EDGES = 64
"""Weak pairs kept of each account for the group scan, the strongest."""
RESOLUTION = 1.0
"""Of Leiden on weak pairs."""
KNOWN = 0.8
"""Share of a community that one group of links has from which the scan need not look at it."""
ROUNDS = 4


@dataclass(frozen=True)
class Calibration:
    """What is found on a degree-preserving shuffle, where there is nothing to be found."""

    links: int
    groups: int
    """By the group scan; groups of links are as many as there are false links at most."""


@dataclass(frozen=True)
class GenericResult:
    """Links, the group of every account, and how the linker was checked."""

    links: pa.Table
    """model.LINKS."""
    operators: pa.Table
    """model.OPERATORS; nobody tested hands or means, so these columns are null."""
    groups: pa.Table
    """model.GROUPS."""
    calibration: Calibration | None
    views: dict[str, dict[str, str]]
    """What each view of the table was taken for."""
    counts: dict[str, int]
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What one log shows."""

    strong: Pairs
    label: Ints
    """Group of each node, [N]; a node alone has a label of its own."""
    scanned: list[groups.Group]


def link_traits(
    table: pa.Table,
    views: Mapping[str, View] | None = None,
    settings: LinkingSettings | None = None,
    seed: int = 0,
    *,
    check: bool = True,
) -> GenericResult:
    """Links and groups of the accounts of `table` (model.TRAITS); `views` says what views mean that are not listed.

    `check`: run once more on a shuffle. Without it the calibration is None.
    """
    settings = settings or SETTINGS
    marks = [("", time.perf_counter())]
    nodes = collapse(everyone(table, None, None), None)
    held = read(table, nodes.ids, nodes.node_of, len(nodes), views=views)
    around = strata(held, None)
    order = candidates.orders(nodes.names, settings.orders, seed)
    marks.append(("read", time.perf_counter()))
    control = null(held.incidence("control"), around, settings.scales)
    pairs = scan_pairs(control, candidates.neighbours(control, order), settings.weak_log_p)
    marks.append(("pairs", time.perf_counter()))
    found = find(control, pairs, order, settings, seed)
    marks.append(("groups", time.perf_counter()))
    texts = content_links(null(held.incidence("content"), around, settings.scales), order, settings)
    marks.append(("content", time.perf_counter()))
    checked = calibrate(control.shared, around, order, settings, seed) if check else None
    marks.append(("calibration", time.perf_counter()))
    links = [link_table(found.strong, control.shared, nodes, "control")]
    links += [link_table(pairs, shared, nodes, "content") for pairs, shared in texts]
    people = operators.table(nodes, membership(control, found, settings.fdr))
    seconds = {name: round(at - before[1], 3) for before, (name, at) in itertools.pairwise(marks)}
    return GenericResult(
        links=pa.concat_tables(links),
        operators=people,
        groups=group_table(control, found, people, order, nodes),
        calibration=checked,
        views={name: _said(held.view(name)) for name in sorted(held.matrices)},
        counts={"accounts": len(nodes), "traits": len(table), "weak_pairs": len(pairs)},
        seconds=seconds,
    )


def _said(view: View) -> dict[str, str]:
    return {"kind": view.kind, "family": view.family}


def find(control: Null, pairs: Pairs, order: list[Ints], settings: LinkingSettings, seed: int) -> Found:
    """Links, and the groups of the scan, and among the other nodes those of links."""
    nodes = control.shared.nodes
    strong = significant(pairs, nodes, settings.fdr)
    scanned = scan(control, pairs, linked(nodes, strong, seed), np.argsort(order[0]), settings, seed)
    of = np.full(nodes, -1, dtype=np.int64)
    for number, group in enumerate(scanned):
        of[group.members[of[group.members] < 0]] = number
    rest = linked(nodes, strong.where((of[strong.a] < 0) & (of[strong.b] < 0)), seed)
    label = np.where(of >= 0, of, rest + len(scanned))
    return Found(strong, np.unique(label, return_inverse=True)[1].ravel().astype(np.int64), scanned)


def linked(nodes: int, strong: Pairs, seed: int) -> Ints:
    """Component of links of each node, [N]; of those of more than `LARGE` the community."""
    part = components(nodes, strong.a, strong.b)
    large = np.bincount(part, minlength=1)[part] > LARGE
    inside = large[strong.a]
    community = leiden(nodes, strong.a[inside], strong.b[inside], -strong.log_p[inside], 1.0, seed)
    return np.where(large, community + nodes, part).astype(np.int64)


def scan(
    control: Null, pairs: Pairs, label: Ints, rank: Ints, settings: LinkingSettings, seed: int
) -> list[groups.Group]:
    """Groups that exist as wholes at the false-discovery rate, the most certain first.

    Communities of weak pairs that links have found already are not looked at again.
    """
    nodes = control.shared.nodes
    keep = strongest(nodes, pairs.a, pairs.b, -pairs.log_p, WEAK_EDGES)
    weak = pairs.where(keep)
    community = leiden(nodes, weak.a, weak.b, -weak.log_p, RESOLUTION, seed)
    holders = control.shared.rows.tocsc()
    found, existence, tested = [], [], 0
    for start in _members(community, SCANNED):
        if np.bincount(np.unique(label[start], return_inverse=True)[1]).max() >= KNOWN * len(start):
            continue
        tested += 1
        group = refine(control, holders, start, settings.fdr)
        if group is not None:
            found.append(group)
            existence.append(existence_log_p(control, group.members, rank))
    q = q_values(np.array(existence), float(tested))
    order = np.lexsort(([int(group.members[0]) for group in found], existence))
    return [found[k] for k in order if q[k] <= settings.fdr]


def _members(code: Ints, least: int) -> list[Ints]:
    """Nodes of each code of at least `least` nodes, the largest first."""
    order = np.argsort(code, kind="stable")
    lists = np.split(order, np.flatnonzero(np.diff(code[order])) + 1)
    return sorted((m for m in lists if len(m) >= least), key=lambda m: (-len(m), int(m[0])))


def refine(control: Null, holders: object, start: Ints, fdr: float) -> groups.Group | None:
    """The nodes that share what the others share, at the false-discovery rate over all nodes, until nothing changes.

    `holders` are the rows of the incidence by column; only who holds a token of the group need be looked at.
    """
    shared = control.shared
    members = start
    for _ in range(ROUNDS):
        near = touched(shared, holders, members)
        log_p = groups.against(control, members, near)[0]
        keep = q_values(log_p, float(shared.nodes)) <= fdr
        new = near[keep]
        if len(new) < SCANNED:
            return None
        if np.array_equal(new, members):
            break
        members = new
    return groups.Group(members, log_p[keep], np.ones(len(members), dtype=bool))


def touched(shared: Incidence, holders: object, members: Ints) -> Ints:
    """Members, and all nodes that hold a token which a member holds."""
    tokens = np.unique(shared.rows[members].indices)
    tokens = tokens[shared.degree[tokens] > 1]
    return np.union1d(members, holders[:, tokens].indices).astype(np.int64)  # type: ignore[index]


def existence_log_p(control: Null, members: Ints, rank: Ints) -> float:
    """Log p that a group is nothing, the price of having searched all groups paid; at most 0."""
    paid = groups.union_bound(len(members), control.shared.nodes)
    return min(0.0, paid - float(groups.family_log_e(control, members, rank)[0]))


def content_links(source: Null, order: list[Ints], settings: LinkingSettings) -> list[tuple[Pairs, Incidence]]:
    """Links by views that are said to be content; none where there are no such views."""
    if not source.shared.views:
        return []
    pairs = scan_pairs(source, candidates.neighbours(source, order), settings.weak_log_p)
    return [(significant(pairs, source.shared.nodes, settings.fdr), source.shared)]


def calibrate(
    shared: Incidence, around: Strata, order: list[Ints], settings: LinkingSettings, seed: int
) -> Calibration:
    """Links and groups of the scan on a shuffle that keeps every degree."""
    fake = null(shuffled(shared, seed + 1), around, settings.scales)
    pairs = scan_pairs(fake, candidates.neighbours(fake, order), settings.weak_log_p)
    found = find(fake, pairs, order, settings, seed)
    return Calibration(len(found.strong), len(found.scanned))


def membership(control: Null, found: Found, fdr: float) -> operators.Membership:
    """Each member's evidence: the best of its links within the group and of its score against the other members."""
    nodes = control.shared.nodes
    log_p, nan = np.zeros(nodes), np.full(nodes, np.nan)
    strong, label = found.strong, found.label
    together = label[strong.a] == label[strong.b]
    for end in (strong.a[together], strong.b[together]):
        np.minimum.at(log_p, end, strong.log_p[together])
    by_link = log_p < 0
    for members in _members(label, 2):
        log_p[members] = np.minimum(log_p[members], groups.against(control, members, members)[0])
    alone = np.bincount(label, minlength=1)[label] == 1
    proven = by_link | alone | (q_values(log_p, float(nodes)) <= fdr)
    return operators.Membership(label, log_p, proven, nan, nan)


def group_table(control: Null, found: Found, people: pa.Table, order: list[Ints], nodes: Nodes) -> pa.Table:
    """model.GROUPS: groups of two accounts or more, the largest first."""
    rank = np.argsort(order[0])
    ids = people["operator_id"].to_pylist()
    strong = found.strong
    inside = found.label[strong.a] == found.label[strong.b]
    links = np.bincount(found.label[strong.a[inside]], minlength=len(nodes) + 1)
    by_scan = {int(code) for group in found.scanned for code in np.unique(found.label[group.members])}
    rows = []
    for members in _members(found.label, 2):
        code = int(found.label[members[0]])
        bits = abs(existence_log_p(control, members, rank)) / LN2
        kind = "scan" if code in by_scan else "links"
        views = ",".join(speaking(control, members))
        rows.append((ids[members[0]], len(members), int(links[code]), bits, kind, views))
    columns: list[list[object]] = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in GROUPS]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, GROUPS, strict=True)], schema=GROUPS)


def speaking(control: Null, members: Ints) -> list[str]:
    """Views in which at least two members share a token that is `groups.TWICE` as popular here as expected."""
    shared = control.shared
    rows = shared.rows[members]
    held = np.bincount(rows.indices, minlength=rows.shape[1]).astype(np.float64)
    odd = (held >= 2) & (held >= TWICE * expected(control, members))
    return sorted({shared.views[v].name for v in np.unique(shared.view[odd])})


def expected(null: Null, members: Ints) -> Floats:
    """Members expected to hold each token: mu_a = sum over members of d_i r_a(i), [A]."""
    shared = null.shared
    volume = shared.volume[members]
    out = shared.share() * volume.sum(axis=0)[shared.view]
    for column in range(2):
        strata = null.more.member[members, column]
        for s in np.unique(strata[strata > 0]):
            row = null.more.excess[[s]]
            mine = volume[strata == s].sum(axis=0)
            out[row.indices] += row.data * mine[shared.view[row.indices]]
    return out
