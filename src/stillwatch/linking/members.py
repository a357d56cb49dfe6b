"""Who belongs to a hand: each member is looked at again, by three kinds of evidence that fail differently.

Rare words take in people who use the same library of templates; embeddings take in people with few events; shared
traits take in people at whose home a proxy stands. Measured on a campaign with half cover traffic: eleven honest
accounts beside 128 members, every one by a single kind. So a member needs two kinds of which one is control, or
words and an embedding that leans the members' way by a third as far as theirs do at least, or an embedding that nearly
does as theirs do, unless nearly all the others have words of their own besides. What was missed joins by control and
one more kind, or by words and an embedding that are both so certain.

Words speak for a member only if they are as large a part of what it asks as of the others': a relay and a school have a
few of everybody's. Measured where two rings sent public questions (two worlds): 14 honest accounts accused beside 333
of the rings with words of any share, 6 beside 327 so; on four other worlds it lost 3 of 434.

Nor need it be certain of both where those who ask as a member does share more than strangers do (`crowds`): who leans
the members' way by that third stays if it shares more than each of a few strangers. Measured where rings sent public
questions: 124 of a ring's 150 accounts stay, 113 without, and nobody else; on the third day of the log below 26 more.

Where those who ask as a member does share no more with the group than strangers do, what it asks is no evidence
at all: it needs control evidence of its own besides. Measured on the first three days of 25 million events: a ring's
153 accounts and 719 honest ones in one group, 841 of which were accused; so 15 honest accounts are left beside 2,167 of
rings in all groups.

An embedding takes several events. Of an account without one what it asks is not known to differ: found by its words, it
stays if they are as large a part as of the others', and if it leaves it is no outsider who might dispute the others'
words. Measured on the first four evenings of that log, accounts of its three rings kept: 53 to 1,884 of 1,908 on the
first, 6,524 to 14,882 on the fourth; honest ones among them 0 as before, and 9 where 8 were.

That is repeated until nobody comes or goes: people taken in together speak for each other in the first round (measured
where the ring's accounts also carried real people's requests: of 44 honest accounts six were left after one round, and
one after three).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from stillwatch.linking import crowds, embeddings, groups
from stillwatch.linking.fdr import q_values
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.linking.null import Null
from stillwatch.linking.sources import LEAST, TYPICAL, membership

ROUNDS = 4
LEAN = 0.35
"""Share of the members' typical cosine with their centre below which words say only that templates are shared.
Measured: another campaign's accounts in the candidates of a large one .17 to .29; members with few events .38 in the
median, so some of them are lost."""
NEAR = 0.7
"""Share of the members' typical cosine with their centre from which an embedding speaks for itself. Measured where two
rings sent public questions, before `LEAN`: of 191 members 166 stayed, and of 75 honest accounts in the candidates 7."""

WORDED = 0.95
"""Where so many members ask in the group's own words, who has none of them is not near enough by its embedding alone.
Measured: on the fourth day of the log of `crowds` 8 honest accounts beside 14,881 of rings without it, 1 beside 14,612
so; where rings sent public questions (two worlds) 7 beside 378, and 3 beside 377."""

HINT = 0.05
"""Control evidence that may stand beside a certain embedding; with none an embedding would be both kinds by itself.
Measured where rings sent public questions (two worlds; owners of stolen keys not counted): 10 honest accounts beside
380 of the rings without it, 7 beside 378 so; .5 gave the same."""

YOUNG = 0.1
"""Share of accounts without an embedding among the members over that in the log, below which one is likelier somebody
else: its words must then be beyond the chance of the whole log by as much. Measured: where a campaign's first days are
looked at .14 to 1.0, on its fourth .08 and .6; where a ring sends few queries .07, and its seven accounts have log p of
-16 to -60; in two whole worlds .01 and .02, where three honest accounts have -10 to -15. It is no gain everywhere: on
that fourth day three accounts of a ring go, and two honest ones come in."""

CROWD = 0.65
"""Mean share of strangers that a member's neighbours share more than, for what it asks to be evidence: three in ten of
them are in the hand at least. Measured (`crowds`), median and tenths: honest accounts around rings .52 (.46 to .58) and
.55 (.48 to .60), among two thirds of three rings .62 (.54 to .69); rings in groups of their own .91 (.87 to .94), .80
(.76 to .85), and .69 where 15,236 accounts of one were a third of the log."""

LESS = 0.08
"""By so much less than around a typical member it may be, two deviations of a mean of fifty. Measured on three days of
the log of `crowds`: 37 honest accounts beside 2,184 of rings without it, 15 beside 2,167 so; on four days of it 4 and 3
beside 8,598 and 8,589; where rings sent public questions 9 and 7 beside 187. Whoever could still come in by what it
asks stays: on the whole of that log 44 of a ring's 22,600 accounts went by this alone and came back by their words,
round after round; where a large and a small ring are one group, it had cost 10 of the small one's 60."""


def reviewed(
    control: Null,
    words: tuple[sp.csr_matrix, Floats],
    where: embeddings.Points | None,
    found: Sequence[groups.Group],
    allowed: np.ndarray,
    rank: Ints,
    fdr: float,
) -> list[groups.Group]:
    """All groups after `review`; two that became one group, seen from two sides, are put together and reviewed again.

    Measured on a ring that sent public questions: it was found as 28 and as 23 accounts with 23 in common, and each of
    its accounts would have gone to one of two small rings.
    """
    # a hand that was found in several parts must not be its own stranger
    anyone = np.zeros(control.shared.nodes, dtype=bool)
    for part in found:
        anyone[part.members] = True
    several = (review(control, words, where, part, allowed, rank, fdr, anyone) for part in found)
    once = [group for group in several if group is not None]
    out = []
    for group in groups.overlapping(once):
        same = any(group is before for before in once)
        again = group if same else review(control, words, where, group, allowed, rank, fdr, anyone)
        out += [] if again is None else [again]
    return out


def review(
    control: Null,
    words: tuple[sp.csr_matrix, Floats],
    where: embeddings.Points | None,
    group: groups.Group,
    allowed: np.ndarray,
    rank: Ints,
    fdr: float,
    found: np.ndarray | None = None,
) -> groups.Group | None:
    """The group with its members looked at again until they stay; None if fewer than `LEAST` are left.

    A log without embeddings leaves two kinds, and one is enough for whoever was found. `words` are `sources.tokens`;
    `allowed` says who may join, `rank` orders all nodes at random, `found` flags the members of all groups, [N] each.
    """
    ever = np.zeros(control.shared.nodes, dtype=bool) if found is None else found.copy()
    for _ in range(ROUNDS):
        ever[group.members] = True
        now = _once(control, words, where, group, allowed, rank, fdr, ever)
        if now is None or np.array_equal(now.members, group.members):
            return now
        group = now
    return group


def _once(
    control: Null,
    words: tuple[sp.csr_matrix, Floats],
    where: embeddings.Points | None,
    group: groups.Group,
    allowed: np.ndarray,
    rank: Ints,
    fdr: float,
    ever: np.ndarray,
) -> groups.Group | None:
    """`ever` flags who was a member in some round, [N]: whoever left is no outsider whom others are held against.

    Measured on the fourth day of 25 million events, where 15,236 accounts of one ring had been found and those with few
    events left first: 7,690 of the rings stay, 4,101 where they counted as outsiders. The group's own words they may
    still dispute: people taken in together have words in common.
    """
    said = evidence(control, words, where, group, fdr, ever)
    inside = np.zeros(control.shared.nodes, dtype=bool)
    inside[group.members] = True
    # so certain that nobody of the whole log would be taken in by chance
    chance = np.log(fdr / control.shared.nodes)
    shares, alike = _two_kinds(said, group, where is not None, chance, fdr)
    asks = (np.maximum(said.by_words, said.by_embedding) <= chance) & said.theirs & (said.near >= LEAN)
    own = shares & (said.by_control <= np.log(fdr))
    comes = ~inside & allowed & (own | asks)
    crowd, below, more = _company(control, where, group, rank, ever, np.flatnonzero(inside | comes))
    leans = said.kinds[1] & (said.near >= LEAN) & more
    stays = inside & np.where(crowd, own, own | asks | (~below & (shares | alike | leans)))
    joins = comes & (own | ~crowd)
    members = np.flatnonzero(stays | joins)
    if len(members) < LEAST:
        return None
    log_p = np.minimum(np.minimum(said.by_words, said.by_embedding), said.by_control)[members]
    proven = np.ones(len(members), dtype=bool)
    return replace(group, members=members, member_log_p=log_p, proven=proven, near=said.near[members])


@dataclass(frozen=True)
class Said:
    """What the three kinds of evidence say of each node as a member of a group, [N] each; log p are natural logs."""

    by_words: Floats
    by_embedding: Floats
    by_control: Floats
    kinds: np.ndarray
    """Which of these hold at the false-discovery rate, [3, N]."""
    theirs: np.ndarray
    """Whether as large a part of its words is the group's own as of a typical member's."""
    near: Floats
    """Its cosine with the members' centre over a typical member's."""
    unknown: np.ndarray
    """Whether it has no embedding though the log has them."""


def evidence(
    control: Null,
    words: tuple[sp.csr_matrix, Floats],
    where: embeddings.Points | None,
    group: groups.Group,
    fdr: float,
    ever: np.ndarray,
) -> Said:
    """What speaks for each node as a member of a group; `ever` flags who is no outsider, [N] (see `_once`)."""
    nodes = control.shared.nodes
    unknown = np.zeros(nodes, dtype=bool) if where is None else ~np.isin(np.arange(nodes), where.nodes)
    by_words, theirs = _worded(words, group.members, nodes, ever & unknown)
    by_embedding, near = _embedded(where, group, nodes, ever)
    by_control = groups.member_log_p(control, group.members)
    kinds = np.stack([q_values(log_p, float(nodes)) <= fdr for log_p in (by_words, by_embedding, by_control)])
    return Said(by_words, by_embedding, by_control, kinds, theirs, near, unknown)


def _two_kinds(
    said: Said, group: groups.Group, embedded: bool, chance: float, fdr: float
) -> tuple[np.ndarray, np.ndarray]:
    """For which nodes control and another kind speak, and for which what they ask does, [N] each."""
    hint = (said.by_embedding <= np.log(fdr)) & (said.by_control <= np.log(HINT))
    both = np.where(hint, fisher(said.by_embedding, said.by_control), 0.0)
    shares = (said.kinds[2] & (said.kinds[0] | said.kinds[1])) | (both <= chance)
    if not embedded:
        return shares, np.asarray(said.kinds.any(axis=0))
    worded = (said.by_words <= chance) & said.theirs & (said.near >= LEAN)
    speaks = said.theirs | (said.theirs[group.members].mean() < WORDED)
    beyond_doubt = (said.near >= NEAR) & speaks
    young = said.unknown & said.kinds[0] & said.theirs & _young(said, group, chance)
    return shares, (said.kinds[1] & (worded | beyond_doubt)) | young


def _young(said: Said, group: groups.Group, chance: float) -> np.ndarray:
    """Whose words are enough for an account without an embedding (`YOUNG`), [N]."""
    common = said.unknown[group.members].mean() / max(said.unknown.mean(), 1e-9)
    return np.asarray((common >= YOUNG) | (said.by_words <= chance + np.log(max(common, 1e-9))))


def fisher(log_a: Floats, log_b: Floats) -> Floats:
    """Log p of two independent p-values together (Fisher 1925), natural logs, by place."""
    total = -(log_a + log_b)
    return np.asarray(np.log1p(total) - total)


def _company(
    control: Null, where: embeddings.Points | None, group: groups.Group, rank: Ints, ever: np.ndarray, nodes: Ints
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which of `nodes` ask as a crowd does (`CROWD`), which as one beside the members (`LESS`), and which members
    share more than each of a few strangers, [N] each."""
    crowd, below, all_of_them = (np.zeros(control.shared.nodes, dtype=bool) for _ in range(3))
    more = crowds.shares_more(control, group.members, rank, ever)
    around = crowds.around(where, group.members, more, rank, nodes)
    typical = np.median(around[np.isin(nodes, group.members)])
    crowd[nodes] = around < CROWD
    below[nodes] = around < typical - LESS
    all_of_them[group.members] = more >= 1
    return crowd, below, all_of_them


def _worded(
    words: tuple[sp.csr_matrix, Floats], members: Ints, nodes: int, neither: np.ndarray
) -> tuple[Floats, np.ndarray]:
    """Log p of each node's words against the group's, and whether as large a part of them is the group's own as of a
    typical member's (`TYPICAL`), [N] each; 0 and False without words."""
    if not words[0].shape[1]:
        return np.zeros(nodes), np.zeros(nodes, dtype=bool)
    log_p, rate, _ = membership(*words, members, neither=neither)
    return log_p, rate >= TYPICAL * np.median(rate[members])


def _embedded(
    where: embeddings.Points | None, group: groups.Group, nodes: int, ever: np.ndarray
) -> tuple[Floats, Floats]:
    """Log p of each node's embedding against the group's, and its cosine over a typical member's; 0 without one."""
    log_p, near = np.zeros(nodes), np.zeros(nodes)
    if where is not None:
        place = np.flatnonzero(np.isin(where.nodes, group.members))
        if len(place) >= 2:
            cosine = embeddings.towards(where.unit, place)
            log_p[where.nodes] = embeddings.tail(cosine, np.flatnonzero(ever[where.nodes]))
            near[where.nodes] = cosine / max(float(np.median(cosine[place])), 1e-9)
    return log_p, near
