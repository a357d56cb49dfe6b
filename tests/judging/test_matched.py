"""Matched groups: who may stand in for whom."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.judging.matched import SPARE, Strata


def strata(application: np.ndarray, volume: np.ndarray) -> Strata:
    joint = application * 100 + volume
    return Strata(np.stack([joint, volume, volume, np.zeros_like(volume)]), np.ones(len(volume), dtype=bool))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 40))
def test_stand_ins_are_never_members_and_never_twice_in_a_group(seed: int, members: int) -> None:
    rng = np.random.default_rng(seed)
    world = strata(rng.integers(0, 3, 600), rng.integers(0, 4, 600))
    rows = rng.choice(600, members, replace=False)
    for group in world.draw(rows, 50, rng):
        assert not set(group) & set(rows)
        assert len(set(group)) == len(group) <= members


def test_the_narrowest_stratum_with_room_is_used() -> None:
    application = np.repeat([1, 2, 3], [200, 200, 10])
    volume = np.tile([5, 6], 205)
    world = strata(application, volume)
    rng = np.random.default_rng(1)
    roomy = np.flatnonzero(application == 1)[:20]
    for group in world.draw(roomy, 20, rng):
        assert (application[group] == 1).all()
        assert sorted(volume[group]) == sorted(volume[roomy])
    # ten accounts of application 3 cannot make groups of eight without their own members: only volume is kept
    narrow = np.flatnonzero(application == 3)[:8]
    for group in world.draw(narrow, 20, rng):
        assert sorted(volume[group]) == sorted(volume[narrow])


def test_a_log_that_is_too_small_gives_smaller_groups() -> None:
    world = strata(np.ones(5, np.int64), np.ones(5, np.int64))
    groups = world.draw(np.arange(4), 10, np.random.default_rng(0))
    assert [len(group) for group in groups] == [1] * 10
    assert not any(len(group) for group in world.draw(np.arange(5), 10, np.random.default_rng(0)))


def test_peers_are_the_narrowest_stratum_that_is_large_enough() -> None:
    application = np.repeat([1, 2], [80, 30])
    volume = np.repeat([5, 6], [80, 30])
    level, key = strata(application, volume).peers(60)
    assert (level[:80] == 0).all()
    assert (level[80:] == 3).all()
    assert set(key[80:]) == {0}


@pytest.mark.parametrize("count", [1, 30])
def test_draws_are_even(count: int) -> None:
    """Every candidate is drawn about equally often, with replacement between groups."""
    size = 40 * count + 2 * SPARE
    world = strata(np.zeros(size, np.int64), np.zeros(size, np.int64))
    groups = world.draw(np.arange(count), 4000, np.random.default_rng(2))
    drawn = np.bincount(np.concatenate(groups), minlength=size)[count:]
    expected = 4000 * count / (size - count)
    assert (np.abs(drawn - expected) < 5.5 * np.sqrt(expected)).all()


def test_accounts_in_one_hand_do_not_stand_in() -> None:
    eligible = np.arange(400) % 3 != 0
    world = Strata(np.zeros((4, 400), np.int64), eligible)
    for group in world.draw(np.arange(5), 50, np.random.default_rng(0)):
        assert eligible[group].all()
