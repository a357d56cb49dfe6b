from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.linking import groups
from stillwatch.linking.matrix import incidence
from stillwatch.linking.null import null
from stillwatch.linking.shuffle import shuffled
from stillwatch.linking.strata import Strata
from stillwatch.linking.views import view_of
from tests.linking import arrays, naive
from tests.linking.small import SCALES, shared_tokens, small_null


@pytest.mark.parametrize("strata", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_members_agree_with_the_definition(seed: int, strata: bool) -> None:
    null = small_null(14, seed, strata=strata)
    members = np.array([1, 4, 5, 9], dtype=np.int64)
    fast = groups.member_log_p(null, members)
    slow = [naive.member_log_p(null.shared, null.more, members.tolist(), i) for i in range(14)]
    np.testing.assert_allclose(fast, slow, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("strata", [False, True])
@pytest.mark.parametrize("seed", [2, 3])
def test_loops_over_the_tokens_of_a_group_agree_with_whole_arrays(seed: int, strata: bool) -> None:
    null = small_null(60, seed, strata=strata)
    rng = np.random.default_rng(seed)
    everybody = np.arange(60)
    for size in (1, 2, 7, 40):
        members = np.sort(rng.choice(60, size, replace=False)).astype(np.int64)
        slow = arrays.against(null, members, everybody)
        for fast, expected in zip(groups.against(null, members, everybody), slow, strict=True):
            np.testing.assert_allclose(fast, expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(groups.member_log_p(null, members), slow[0], rtol=1e-9, atol=1e-9)
        order = rng.permutation(60)
        ranked = members[np.argsort(order[members])]
        blocks = [(seen, 2 * seen) for seen in (1, 2, 4, 8, 16, 32) if seen < size]
        slow_e = [arrays.against(null, ranked[:seen], ranked[seen:end])[1] for seen, end in blocks]
        whole = groups.together(np.concatenate([np.zeros((0, slow[1].shape[1])), *slow_e]))
        np.testing.assert_allclose(groups.family_log_e(null, members, order), whole, rtol=1e-9, atol=1e-9)


def test_a_view_that_says_what_another_says_changes_nothing() -> None:
    """A prefix of its own for each address: the family has two views and one fact."""
    one = shared_tokens(60, 5, ("address", "payment"))
    (address, payment) = (one.rows[:, one.view == v] for v in (0, 1))
    names = ["address", "address_prefix", "payment"]
    two = incidence([view_of(name) for name in names], [address, address, payment], 60)
    rank = np.random.default_rng(1).permutation(60)
    for size in (5, 12, 30):
        members = np.sort(rank[:size])
        single, double = (groups.family_log_e(null(x, Strata.none(60), SCALES), members, rank) for x in (one, two))
        np.testing.assert_allclose(single, double, rtol=1e-9, atol=1e-9)


def test_the_evidence_for_random_groups_is_an_e_value() -> None:
    # under the null E[e] <= 1: by Markov's inequality at most one group in twenty reaches e = 20
    null = small_null(80, 3, strata=False)
    rng = np.random.default_rng(0)
    reached = 0
    for k in range(200):
        members = rng.choice(80, 8, replace=False).astype(np.int64)
        e = groups.family_log_e(null, np.sort(members), np.random.default_rng(k).permutation(80))
        reached += e[0] > np.log(20)
    assert reached <= 10 + 3 * np.sqrt(10)


def test_a_shuffle_keeps_every_degree() -> None:
    shared = shared_tokens(200, 7)
    fake = shuffled(shared, 1)
    np.testing.assert_array_equal(np.diff(fake.rows.indptr), np.diff(shared.rows.indptr))
    np.testing.assert_array_equal(np.bincount(fake.rows.indices), shared.degree)
    assert (fake.rows != shared.rows).nnz > 0


def test_corroboration_sets_the_strongest_control_family_aside() -> None:
    neighbours = groups.corroboration(np.array([500.0, 500.0, -1.0]), np.array([0.0, -2.0]))
    ring = groups.corroboration(np.array([500.0, 500.0, 30.0]), np.array([0.0, -2.0]))
    assert neighbours < 0 < 25 < ring


def test_households_that_have_nothing_in_common_are_no_group() -> None:
    from scipy.sparse import csr_matrix

    from stillwatch.linking.matrix import incidence
    from stillwatch.linking.null import null as build
    from stillwatch.linking.strata import Strata
    from stillwatch.linking.views import view_of

    nodes, homes = 600, 150
    rng = np.random.default_rng(0)
    homes_of = np.arange(nodes) % 400
    address = np.zeros((nodes, 400), np.int64)
    address[np.arange(nodes), homes_of] = 1
    common = (rng.random((nodes, homes)) < 0.02).astype(np.int64)
    shared = incidence(
        [view_of("address"), view_of("payment")], [csr_matrix(np.hstack([address, common])), csr_matrix(address)], nodes
    )
    control = build(shared, Strata.none(nodes), (0.3, 0.1))
    members = np.array([0, 1, 2, 3, 400, 401, 402, 403], dtype=np.int64)
    group = groups.Group(members, groups.member_log_p(control, members)[members], np.ones(8, dtype=bool))
    assert (group.member_log_p < -2).all()
    assert groups.cohesive(control, group, homes_of.astype(np.int64), 0.01) is None
    ring = groups.Group(members[:4], np.zeros(4), np.ones(4, dtype=bool))
    assert groups.cohesive(control, ring, np.zeros(nodes, np.int64), 0.01) is ring


def test_stakes_are_averaged_products() -> None:
    """By hand, for three nodes of whom one shares a lot and two share nothing."""
    log_e = np.log(np.array([[400.0, 1.0], [0.2, 1.0], [0.2, 1.0]]))
    slow = np.mean([np.prod([1 + stake * (e - 1) for e in (400.0, 0.2, 0.2)]) for stake in groups.STAKES])
    np.testing.assert_allclose(groups.together(log_e), [np.log(slow), 0.0], atol=1e-9)


def test_who_shares_nothing_costs_no_more_than_the_mean() -> None:
    nothing = np.full((10_000, 1), np.log(1e-6))
    assert groups.together(nothing)[0] >= -np.log(len(groups.STAKES)) - 1e-9
    assert groups.together(np.full((3, 1), 1e9))[0] < np.inf


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**16))
def test_applications_are_taken_over_as_counting_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    application = np.where(rng.random(120) < 0.3, -1, rng.choice([0, 3, 900, 70_000], 120)).astype(np.int64)
    proven = rng.random(120) < rng.choice([0.0, 0.5, 0.95])
    expected = []
    for code in application.tolist():
        users = application == code
        mine = int((users & proven).sum())
        expected.append(code >= 0 and mine >= 5 and mine >= groups.TAKEN_OVER * int(users.sum()))
    assert groups._taken_over(application, proven).tolist() == expected
