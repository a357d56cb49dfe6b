"""Sources of text and the hands that hold them, on traits drawn directly."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.linking.link import link
from stillwatch.linking.matrix import Traits
from stillwatch.linking.sources import NEIGHBOURS, OWN, _nearest, membership, sources, tokens
from stillwatch.model import TRAITS


def traits(held: list[set[str]]) -> Traits:
    """Traits of nodes that hold these lead skeletons."""
    names = sorted(set().union(*held))
    place = [(k, token) for k, mine in enumerate(held) for token in sorted(mine)]
    # most of an account's events carry its template, where it has one
    n = [20.0 if token == "the template" else 1.0 for _, token in place]
    where = ([k for k, _ in place], [names.index(token) for _, token in place])
    return Traits(len(held), {"lead_skeleton": sp.csr_matrix((n, where), (len(held), len(names)))})


def membership_twin(held: list[set[str]], members: set[int], node: int, neither: set[int]) -> tuple[int, float]:
    """Own tokens of a node, leave-one-out, and their share of all its tokens."""
    own = 0
    for token in held[node]:
        everybody = [k for k, mine in enumerate(held) if token in mine and (k in members or k not in neither)]
        inside = [k for k in everybody if k in members]
        if node in members:
            own += len(inside) >= 3 and len(inside) - 1 >= OWN * (len(everybody) - 1)
        else:
            own += len(inside) >= 2 and len(inside) >= OWN * len(everybody)
    return own, own / len(held[node]) if held[node] else 0.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sets(st.sampled_from("abcdefgh"), max_size=5), min_size=4, max_size=12), st.data())
def test_membership_agrees_with_its_twin(held: list[set[str]], data: st.DataObject) -> None:
    if not set().union(*held):
        return
    members = sorted(data.draw(st.sets(st.integers(0, len(held) - 1), min_size=2)))
    rows, total = tokens(traits(held))
    if not rows.shape[1]:
        return
    neither = data.draw(st.none() | st.sets(st.integers(0, len(held) - 1)))
    flags = None if neither is None else np.isin(np.arange(len(held)), sorted(neither))
    log_p, rate, chance = membership(rows, total, np.array(members), neither=flags)
    neither = neither or set()
    expected = [membership_twin(held, set(members), node, neither) for node in range(len(held))]
    assert rate.tolist() == pytest.approx([share for _, share in expected])
    outside = [k for k in range(len(held)) if k not in members and k not in neither]
    if outside:
        assert chance == pytest.approx(
            (sum(expected[k][0] for k in outside) + 1) / (sum(len(held[k]) for k in outside) + 2)
        )
    for (own, _), found, mine in zip(expected, log_p, held, strict=True):
        tail = sum(
            math.comb(len(mine), k) * chance**k * (1 - chance) ** (len(mine) - k) for k in range(own, len(mine) + 1)
        )
        assert found == pytest.approx(math.log(tail) if own else 0.0, abs=1e-6)


def log_with(rings: list[int], honest: int, seed: int = 3) -> tuple[list[set[str]], list[int]]:
    """Honest nodes with words of their own and common ones; rings that share a pool of templates, half cover."""
    rng = np.random.default_rng(seed)
    held, truth = [], []
    for ring, size in enumerate(rings):
        for _ in range(size):
            own = {f"ring{ring}-{k}" for k in rng.integers(0, 3 * size, 12)}
            held.append(own | {f"common{k}" for k in rng.zipf(1.6, 12) % 400})
            truth.append(ring)
    for node in range(honest):
        held.append({f"n{node}-{k}" for k in range(10)} | {f"common{k}" for k in rng.zipf(1.6, 12) % 400})
        truth.append(-1)
    return held, truth


def largest(held: list[set[str]], rank: np.ndarray) -> list[set[int]]:
    found = sources(traits(held), None, np.zeros(len(held), dtype=bool), rank, 0, 0.01)
    return [set(source.members.tolist()) for source in found]


def test_rings_are_sources_of_exactly_their_members() -> None:
    held, truth = log_with([60, 20], 500)
    rank = np.random.default_rng(1).permutation(len(held))
    found = largest(held, rank)
    for ring in (0, 1):
        assert {k for k, mine in enumerate(truth) if mine == ring} in found


def test_a_thousand_accounts_with_one_template_are_one_source() -> None:
    """Each has the same thousand equals: only a common order makes the chosen neighbours mutual."""
    held = [{"the template", f"own{k}"} for k in range(240)] + [{f"h{k}-{j}" for j in range(6)} for k in range(960)]
    rank = np.random.default_rng(2).permutation(len(held))
    assert set(range(240)) in largest(held, rank)


def test_nearest_neighbours_are_the_nearest() -> None:
    held, _ = log_with([12], 30)
    rows, _ = tokens(traits(held))
    best, cosine = _nearest(rows, np.arange(len(held)))
    degree = np.bincount(rows.indices, minlength=rows.shape[1])
    weight = np.where(degree <= 0.3 * len(held), np.log(len(held) / degree), 0.0)
    dense = rows.toarray() * weight
    unit = dense / (np.sqrt((dense**2).sum(axis=1)) + 2 * max(weight.max(), 1.0))[:, None]
    scores = unit @ unit.T
    np.fill_diagonal(scores, -1)
    for node in range(len(held)):
        expected = np.sort(scores[node])[::-1][:NEIGHBOURS]
        expected = expected[expected > 0]
        known = best[node] >= 0
        assert cosine[node][known] == pytest.approx(expected, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**16), st.integers(20, 60), st.sampled_from([4, 8, 14]))
def test_of_a_popular_token_the_nearest_holders_are_seen(seed: int, nodes: int, window: int) -> None:
    rng = np.random.default_rng(seed)
    rows = sp.random(nodes, 25, 0.25, "csr", rng=rng)
    rows.data[:] = 1.0
    rank = rng.permutation(nodes)
    best, value = _nearest(rows, rank, window)
    degree = np.asarray(rows.sum(axis=0)).ravel()
    weight = np.where((degree > 0) & (degree <= 0.3 * nodes), np.log(nodes / np.maximum(degree, 1)), 0.0)
    longest = max(np.log(nodes / np.maximum(degree, 1)).max(), 0.0)
    dense = rows.toarray() * weight
    unit = dense / (np.sqrt((dense**2).sum(axis=1)) + 2 * longest)[:, None]
    for node in range(nodes):
        score = np.zeros(nodes)
        for token in np.flatnonzero(unit[node]):
            holders = sorted(np.flatnonzero(unit[:, token]), key=lambda k: rank[k])
            start = holders.index(node) - window // 2 if len(holders) > window else 0
            seen = {int(holders[(start + step) % len(holders)]) for step in range(min(window, len(holders)))} - {node}
            for other in seen:
                score[other] += unit[node, token] * unit[other, token]
        known = best[node] >= 0
        assert value[node][known] == pytest.approx(np.sort(score[score > 0])[::-1][:NEIGHBOURS], abs=1e-6)
        assert value[node][known] == pytest.approx(score[best[node][known]], abs=1e-6)


def table(rows: list[tuple[str, str, str]]) -> pa.Table:
    return pa.Table.from_pylist(
        [{"account_id": a, "view": v, "token": t, "n": 1} for a, v, t in rows], schema=TRAITS
    ).sort_by([("view", "ascending"), ("token", "ascending"), ("account_id", "ascending")])


def test_users_of_one_product_are_a_source_and_not_a_hand() -> None:
    """A ring shares cards and addresses as well, a product's users do not; both share their templates."""
    rng = np.random.default_rng(5)
    held, truth = log_with([60, 60], 600)
    rows = [(f"a{k:04d}", "lead_skeleton", token) for k, mine in enumerate(held) for token in mine]
    for node, ring in enumerate(truth):
        account = f"a{node:04d}"
        card = f"card{node // 4}" if ring == 0 else f"own{node}"
        address = f"exit{rng.integers(0, 15)}" if ring == 0 else f"home{node}"
        rows += [(account, "payment", card), (account, "address", address)]
    found = link(table(rows), seed=0).operators.to_pylist()
    operator = {row["account_id"]: row["operator_id"] for row in found}
    sizes = {name: list(operator.values()).count(name) for name in set(operator.values())}
    ring = {operator[f"a{k:04d}"] for k in range(60)}
    assert len(ring) == 1
    assert sizes[ring.pop()] == 60
    assert max(sizes[operator[f"a{k:04d}"]] for k in range(60, 120)) <= 2
