"""Hands: what a group shares beyond households and networks, on traits drawn directly."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from stillwatch.linking import candidates, embeddings, groups, hands, members
from stillwatch.linking.link import significant
from stillwatch.linking.matrix import incidence
from stillwatch.linking.null import null
from stillwatch.linking.pairs import scan_pairs
from stillwatch.linking.sources import Source
from stillwatch.linking.strata import Strata
from stillwatch.linking.views import view_of

NODES = 900
SCALES = (0.3, 0.1, 0.03, 0.01)


def shared(holders: dict[str, list[list[int]]], seed: int = 0) -> hands.Shared:
    """A log in which `holders[view]` lists who share a token; everybody else has tokens of their own."""
    rng = np.random.default_rng(seed)
    matrices, views = [], []
    for name in ("address", "payment", "registration"):
        columns = [*holders.get(name, []), *([[node] for node in range(NODES)])]
        # a common token or two, so that the view has a background
        columns += [rng.choice(NODES, 40, replace=False).tolist() for _ in range(6)]
        row = np.concatenate([np.array(column, np.int64) for column in columns])
        column_of = np.repeat(np.arange(len(columns)), [len(column) for column in columns])
        matrices.append(sp.csr_matrix((np.ones(len(row), np.int64), (row, column_of)), shape=(NODES, len(columns))))
        views.append(view_of(name))
    control = null(incidence(views, matrices, NODES), Strata.none(NODES), SCALES)
    orders = candidates.orders([f"a{k}" for k in range(NODES)], 4, seed)
    pairs = scan_pairs(control, candidates.neighbours(control, orders), -4.0)
    return hands.Shared(control, significant(pairs, NODES, 0.01), np.argsort(orders[0]))


def source(nodes: range | list[int]) -> Source:
    return Source(np.array(sorted(nodes), np.int64), np.full(len(nodes), -50.0))


def exits(nodes: range, each: int, many: int, seed: int) -> list[list[int]]:
    """`many` addresses, each used by `each` of the nodes at random."""
    rng = np.random.default_rng(seed)
    return [rng.choice(list(nodes), each, replace=False).tolist() for _ in range(many)]


def found(of: hands.Shared, *sources: Source) -> list[set[int]]:
    return [set(group.members.tolist()) for group in hands.in_one_hand(of, list(sources), 0.01)]


RING, OTHER = range(40), range(40, 80)


def test_a_proxy_network_alone_makes_a_hand_if_every_member_uses_it() -> None:
    of = shared({"address": exits(RING, 6, 40, 1)})
    assert found(of, source(RING)) == [set(RING)]


def test_households_all_over_the_log_make_no_hand_of_a_community() -> None:
    """Four people at one address with one card, 100 times; communities have their share of them."""
    homes = [[200 + 4 * k + j for j in range(4)] for k in range(100)]
    rng = np.random.default_rng(3)
    communities = [source(rng.choice(NODES, 150, replace=False).tolist()) for _ in range(10)]
    assert found(shared({"address": homes, "payment": homes}), *communities) == []


def test_strangers_make_no_hand() -> None:
    of = shared({})
    rng = np.random.default_rng(4)
    strangers = [source(rng.choice(NODES, size, replace=False).tolist()) for size in (5, 8, 20, 60, 200) * 4]
    assert hands.in_one_hand(of, strangers, 0.01) == []


def test_two_campaigns_with_one_kind_of_question_stay_two() -> None:
    holders = {
        "address": exits(RING, 6, 40, 1) + exits(OTHER, 6, 40, 2),
        "payment": exits(RING, 4, 15, 3) + exits(OTHER, 4, 15, 4),
    }
    both = source([*RING, *OTHER])
    assert sorted(map(min, found(shared(holders), source(RING), source(OTHER), both))) == [0, 40]


def test_two_campaigns_that_rent_one_network_stay_two() -> None:
    network = exits(range(80), 6, 80, 5)
    cards = exits(RING, 4, 15, 3) + exits(OTHER, 4, 15, 4)
    of = shared({"address": network, "payment": cards})
    assert sorted(map(len, found(of, source(RING), source(OTHER)))) == [40, 40]


def test_halves_of_one_hand_are_put_together() -> None:
    holders = {"address": exits(range(80), 6, 80, 1), "payment": exits(range(80), 4, 40, 2)}
    assert found(shared(holders), source(RING), source(OTHER)) == [set(range(80))]


def test_strangers_around_a_campaign_stay_out() -> None:
    holders = {"address": exits(RING, 6, 40, 1), "payment": exits(RING, 4, 15, 3)}
    around = source([*RING, *range(300, 420)])
    assert found(shared(holders), source(RING), around) == [set(RING)]


def words_of(rows: dict[int, set[int]]) -> tuple[sp.csr_matrix, np.ndarray]:
    """`sources.tokens` of nodes that hold these tokens, 40 of each node's words in all."""
    dense = np.zeros((NODES, 200))
    for node, tokens in rows.items():
        dense[node, sorted(tokens)] = 1.0
    return sp.csr_matrix(dense), np.full(NODES, 40.0)


def points(like: dict[int, float], seed: int = 0) -> embeddings.Points:
    """Embeddings of all nodes; `like` says how far a node leans the ring's way."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(NODES, 60))
    raw[:, 0] += np.array([8.0 * like.get(node, 0.0) for node in range(NODES)])
    return embeddings.Points(np.arange(NODES), raw / np.linalg.norm(raw, axis=1)[:, None])


@pytest.mark.parametrize(
    ("node", "words", "like", "shares", "stays"),
    [
        ("two kinds", True, 0.6, False, True),
        ("words alone", True, 0.0, False, False),
        ("an embedding near chance", False, 0.25, False, False),
        ("an embedding beyond doubt", False, 1.0, False, False),
        ("that and a card", False, 1.0, True, True),
        ("words and a card", True, 0.0, True, True),
        ("a card alone", False, 0.0, True, False),
    ],
)
def test_a_member_needs_two_kinds_of_evidence(node: str, words: bool, like: float, shares: bool, stays: bool) -> None:
    asked = 40
    holders = {"payment": exits(RING, 5, 60, 3)}
    if shares:
        holders["payment"] = [[*card, asked] if k < 25 else card for k, card in enumerate(holders["payment"])]
        holders["address"] = [[asked, *list(RING)[:8]], [asked, *list(RING)[8:16]]]
    of = shared(holders)
    texts = {k: {(k + j) % 100 for j in range(20)} for k in RING} | ({asked: set(range(20))} if words else {})
    everybody = np.array([*RING, asked])
    group = groups.Group(everybody, np.full(len(everybody), -20.0), np.ones(len(everybody), dtype=bool))
    where = points({**dict.fromkeys(RING, 1.0), asked: like})
    reviewed = members.review(of.null, words_of(texts), where, group, np.zeros(NODES, dtype=bool), of.rank, 0.01)
    assert reviewed is not None
    assert set(RING) <= set(reviewed.members.tolist()), node
    assert (asked in reviewed.members) == stays, node


@pytest.mark.parametrize("shares", [False, True])
def test_a_certain_embedding_is_one_kind_of_evidence(shares: bool) -> None:
    """Half as near as a ring's own, which a stranger is once in 10^11: it needs a hint of something shared besides."""
    asked, group_of = 40, [*RING, 40]
    cards = [[*card, asked] if shares and k < 25 else card for k, card in enumerate(exits(RING, 5, 60, 3))]
    of = shared({"payment": cards})
    raw = np.random.default_rng(0).normal(size=(NODES, 200))
    raw[list(RING), 0] += 30.0
    raw[asked, 0] = 8.0
    where = embeddings.Points(np.arange(NODES), raw / np.linalg.norm(raw, axis=1)[:, None])
    group = groups.Group(np.array(group_of), np.full(41, -20.0), np.ones(41, dtype=bool))
    reviewed = members.review(of.null, words_of({}), where, group, np.zeros(NODES, dtype=bool), of.rank, 0.01)
    assert reviewed is not None
    assert reviewed.members.tolist() == (group_of if shares else list(RING))


@pytest.mark.parametrize(("worded", "stays"), [(40, False), (36, True)])
def test_who_has_no_words_of_a_ring_that_all_have_some_is_not_near_by_its_embedding_alone(
    worded: int, stays: bool
) -> None:
    of = shared({"payment": exits(RING, 5, 60, 3), "address": exits(RING, 5, 30, 4)})
    asked = 40
    texts = {k: {(k + j) % 100 for j in range(20)} for k in range(worded)}
    everybody = np.array([*RING, asked])
    group = groups.Group(everybody, np.full(41, -20.0), np.ones(41, dtype=bool))
    where = points({**dict.fromkeys(RING, 1.0), asked: 1.0})
    reviewed = members.review(of.null, words_of(texts), where, group, np.zeros(NODES, dtype=bool), of.rank, 0.01)
    assert reviewed is not None
    assert set(range(worded)) <= set(reviewed.members.tolist())
    assert (asked in reviewed.members) == stays


def test_an_account_too_young_for_an_embedding_is_not_unlike_the_others() -> None:
    """On a first day most of a ring have few events: their words say enough; who has none of the ring's goes."""
    of = shared({"payment": exits(RING, 5, 60, 3), "address": exits(RING, 5, 30, 4)})
    young, stranger = range(6, 40), 40
    texts = {k: {(k + j) % 100 for j in range(20)} for k in RING}
    everybody = np.array([*RING, stranger])
    group = groups.Group(everybody, np.full(len(everybody), -20.0), np.ones(len(everybody), dtype=bool))
    all_of_them = points(dict.fromkeys(RING, 1.0))
    old = ~np.isin(all_of_them.nodes, [*young, stranger])
    where = embeddings.Points(all_of_them.nodes[old], all_of_them.unit[old])
    reviewed = members.review(of.null, words_of(texts), where, group, np.zeros(NODES, dtype=bool), of.rank, 0.01)
    assert reviewed is not None
    assert set(reviewed.members.tolist()) == set(RING)


@pytest.mark.parametrize(("words", "stays"), [(2, False), (20, True)])
def test_one_young_account_among_old_ones_needs_more_than_a_few_words(words: int, stays: bool) -> None:
    """Two thirds of the log are young and none of the ring: whoever is may well be somebody else."""
    of = shared({"payment": exits(RING, 5, 60, 3), "address": exits(RING, 5, 30, 4)})
    young = 40
    rows, total = words_of({k: {(k + j) % 100 for j in range(20)} for k in RING} | {young: set(range(words))})
    total[young] = 2.0 * words
    everybody = np.array([*RING, young])
    group = groups.Group(everybody, np.full(41, -20.0), np.ones(41, dtype=bool))
    all_of_them = points(dict.fromkeys(RING, 1.0))
    old = np.isin(all_of_them.nodes, [*RING, *range(600, 900)])
    where = embeddings.Points(all_of_them.nodes[old], all_of_them.unit[old])
    reviewed = members.review(of.null, (rows, total), where, group, np.zeros(NODES, dtype=bool), of.rank, 0.01)
    assert reviewed is not None
    assert reviewed.members.tolist() == [*RING, young][: 41 if stays else 40]


def test_who_is_too_young_for_an_embedding_and_leaves_does_not_dispute_the_words_of_the_others() -> None:
    """The words of sixty are theirs, though of what thirty of them ask they are too small a part to stay."""
    ring, few = range(60), range(30, 60)
    of = shared({"payment": exits(ring, 6, 60, 3), "address": exits(ring, 6, 60, 4)})
    texts = {k: {(k + j) % 30 for j in range(12)} for k in ring}
    group = groups.Group(np.array(ring), np.full(60, -20.0), np.ones(60, dtype=bool))
    all_of_them = points(dict.fromkeys(range(30), 1.0))
    old = ~np.isin(all_of_them.nodes, list(ring)[10:])
    where = embeddings.Points(all_of_them.nodes[old], all_of_them.unit[old])
    rows, total = words_of(texts)
    total[list(few)] = 400.0
    reviewed = members.review(of.null, (rows, total), where, group, np.zeros(NODES, dtype=bool), of.rank, 0.01)
    assert reviewed is not None
    assert set(range(30)) <= set(reviewed.members.tolist())
    assert not set(few) & set(reviewed.members.tolist())


def test_people_taken_in_together_do_not_speak_for_each_other() -> None:
    """Twelve with words of their own; eight are unlike the ring in what they ask, and leave first."""
    of = shared({"payment": exits(RING, 5, 60, 3)})
    eight, four = range(300, 308), range(308, 312)
    texts = {k: {(k + j) % 100 for j in range(20)} for k in RING} | {k: set(range(150, 170)) for k in (*eight, *four)}
    everybody = np.array([*RING, *eight, *four])
    group = groups.Group(everybody, np.full(len(everybody), -20.0), np.ones(len(everybody), dtype=bool))
    # far enough out for a kind of evidence, too near for it alone
    where = points({**dict.fromkeys(RING, 1.0), **dict(zip(four, (0.39, 0.35, 0.3, 0.57), strict=True))})
    nobody, ever = np.zeros(NODES, dtype=bool), np.isin(np.arange(NODES), everybody)
    once = members._once(of.null, words_of(texts), where, group, nobody, of.rank, 0.01, ever)
    assert once is not None
    assert set(once.members.tolist()) == {*RING, *four}
    reviewed = members.review(of.null, words_of(texts), where, group, nobody, of.rank, 0.01)
    assert reviewed is not None
    assert set(reviewed.members.tolist()) == set(RING)


def test_prices_drop_groups_that_no_longer_hold() -> None:
    of = shared({"address": exits(RING, 6, 40, 1)})
    ring = groups.Group(np.arange(40), np.zeros(40), np.ones(40, dtype=bool))
    strangers = groups.Group(np.arange(300, 340), np.zeros(40), np.ones(40, dtype=bool))
    kept = hands.priced(of, [ring, strangers], 20, 0.01)
    assert [set(group.members.tolist()) for group in kept] == [set(RING)]
    assert kept[0].hand_log_p < np.log(0.05)


def leaning(nodes: range | list[int], near: float) -> groups.Group:
    size = len(nodes)
    return groups.Group(np.array(nodes), np.full(size, -20.0), np.ones(size, dtype=bool), near=np.full(size, near))


def test_a_group_that_was_a_hand_by_anothers_members_is_none_without_them() -> None:
    of = shared({"payment": exits(RING, 5, 60, 3)})
    ring, strangers = leaning(RING, 1.0), leaning([*range(28), *range(300, 312)], 0.5)
    found = hands.priced(of, [strangers, ring], 20, 0.01)
    assert len(found) == 2
    assert [set(group.members.tolist()) for group in hands.settled(of, found, 20, 0.01)] == [set(RING)]


def test_whom_a_group_that_is_none_had_taken_goes_back() -> None:
    of = shared({"payment": [*exits(RING, 5, 60, 3), *exits(OTHER, 5, 60, 4)]})
    both = leaning([*range(4), *range(40, 62), *range(300, 304)], 2.0)
    both.near[4:26] = 0.1  # of the other ring it has what makes it a hand, and loses it; of the first it takes four
    found = hands.priced(of, [leaning(RING, 1.0), leaning(OTHER, 1.0), both], 20, 0.01)
    assert len(found) == 3
    kept = [set(group.members.tolist()) for group in hands.settled(of, found, 20, 0.01)]
    assert kept == [set(RING), set(OTHER)]


def test_groups_mostly_inside_others_become_one_with_them() -> None:
    large, inside, beside = leaning(range(0, 30), 1.0), leaning(range(18, 40), 1.0), leaning(range(25, 45), 1.0)
    found = [set(group.members.tolist()) for group in groups.overlapping([inside, beside, large])]
    assert found == [set(range(0, 45))]  # the second made the first larger, and so the third is inside it
    found = [set(group.members.tolist()) for group in groups.overlapping([beside, large])]
    assert found == [set(range(0, 30)), set(range(25, 45))]


def test_each_node_goes_to_the_group_whose_way_it_leans() -> None:
    far, close = leaning([1, 2, 3], 0.4), leaning([2, 3, 4], 0.9)
    assert [kept.tolist() for kept in groups.owners(6, [far, close])] == [[True, False, False], [True, True, True]]


def test_strangers_who_ask_as_a_ring_does_leave_it() -> None:
    """A topic of 200 with a ring in it: the ring proves a hand, and nobody else shares more than strangers do."""
    of = shared({"payment": exits(RING, 6, 60, 3), "address": exits(RING, 5, 40, 4)})
    crowd = range(300, 460)
    texts = {k: {(k + j) % 100 for j in range(20)} for k in (*RING, *crowd)}
    everybody = np.array([*RING, *crowd])
    assert found(of, source(everybody.tolist())) == [set(everybody.tolist())]
    group = groups.Group(everybody, np.full(len(everybody), -20.0), np.ones(len(everybody), dtype=bool))
    where = points(dict.fromkeys(everybody.tolist(), 1.0))
    reviewed = members.review(of.null, words_of(texts), where, group, np.zeros(NODES, dtype=bool), of.rank, 0.01)
    assert reviewed is not None
    left = set(reviewed.members.tolist())
    assert len(left & set(RING)) >= 30
    assert len(left & set(crowd)) <= 10


def test_who_leans_the_members_way_stays_if_it_shares_more_than_strangers() -> None:
    """One card in common is no proof against the whole log, and more than any stranger has."""
    asked, other = 41, 40
    cards = exits(RING, 5, 60, 3)
    of = shared({"payment": [[*card, asked] if k < 2 else card for k, card in enumerate(cards)]})
    everybody = np.array([*RING, other, asked])
    group = groups.Group(everybody, np.full(len(everybody), -20.0), np.ones(len(everybody), dtype=bool))
    texts = words_of({k: {(k + j) % 100 for j in range(20)} for k in RING})
    where = points({**dict.fromkeys(RING, 1.0), asked: 0.45, other: 0.2})
    reviewed = members.review(of.null, texts, where, group, np.zeros(NODES, dtype=bool), of.rank, 0.01)
    assert reviewed is not None
    assert set(reviewed.members.tolist()) == {*RING, asked}
