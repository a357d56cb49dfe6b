"""Honest traffic looks like what was measured, and campaigns do what was reported."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from stillwatch.worlds import measured
from stillwatch.worlds.plan import Plan
from stillwatch.worlds.traffic import _rate, calibrate, volumes
from stillwatch.worlds.world import Recipe, build
from tests.worlds.conftest import Written


def _honest(world: Written) -> pa.Table:
    names = pa.array([a for a, label in world.labels().items() if label != "campaign"])
    return world.events.filter(pc.is_in(world.events["account_id"], names))


def test_a_few_clients_carry_much_and_most_accounts_little(innocent_world: Written) -> None:
    operators = dict(
        zip(
            innocent_world.truth["account_id"].to_pylist(), innocent_world.truth["operator_id"].to_pylist(), strict=True
        )
    )
    accounts = Counter(innocent_world.events["account_id"].to_pylist())
    by_operator: Counter[str] = Counter()
    for account, n in accounts.items():
        by_operator[operators[account]] += n
    top = sum(n for _, n in by_operator.most_common(10)) / sum(by_operator.values())
    assert measured.TOP_TEN_SHARE[0] <= top <= measured.TOP_TEN_SHARE[1]
    daily = np.array(list(accounts.values())) / innocent_world.summary.days
    assert np.median(daily) < 4
    assert np.quantile(daily, 0.99) > 30 * np.median(daily)


def test_the_week_and_the_day_have_their_rhythm(innocent_world: Written) -> None:
    times = innocent_world.events["time"]
    by_day = Counter(pc.day_of_week(times).to_pylist())
    week = np.array([by_day[d] for d in range(7)]) / 4
    assert 0.5 < week[5:].mean() / week[:5].mean() < 0.95
    hours = np.array([n for _, n in sorted(Counter(pc.hour(times).to_pylist()).items())])
    assert 1.2 < hours.max() / hours.min() < 3.5


def test_new_accounts_keep_appearing(seed_world: Written) -> None:
    first = _honest(seed_world).group_by("account_id").aggregate([("time", "min"), ("time", "count")])
    # an account that sends once a week appears late whatever its age; the measured clients are busy ones
    busy = first.filter(pc.greater(first["time_count"], 28 * 6))
    start = pc.min(seed_world.events["time"]).as_py()
    late = np.array([(t - start).total_seconds() > 2 * 86400 for t in busy["time_min"].to_pylist()])
    assert measured.LATE_SHARE[0] * 0.6 < late.mean() < measured.LATE_SHARE[1] * 1.5


def test_the_service_is_down_once_for_everybody(seed_world: Written) -> None:
    minutes = pc.cast(pc.floor_temporal(seed_world.events["time"], 10, "minute"), pa.int64()).to_numpy()
    errors = pc.equal(seed_world.events["status"], "error").to_numpy()
    index = np.unique(minutes, return_inverse=True)[1]
    share = np.bincount(index, errors) / np.bincount(index)
    assert 5 <= (share > 0.9).sum() <= 12
    assert np.median(share) < 0.05


def test_conversations_grow_by_what_was_said(demo_world: Written) -> None:
    talks: dict[str, list[list[object]]] = defaultdict(list)
    table = demo_world.events.select(["conversation_id", "messages"])
    for talk, text in zip(table["conversation_id"].to_pylist(), table["messages"].to_pylist(), strict=True):
        if talk is not None:
            talks[talk].append(json.loads(text))
    grown = 0
    for turns in talks.values():
        for before, after in pairwise(turns):
            if len(after) <= 13 and len(after) == len(before) + 2:
                assert after[: len(before)] == before
                grown += 1
    assert grown > 1000


def test_a_task_of_the_bank_goes_to_one_account(seed_world: Written) -> None:
    mine = pa.array([r["account_id"] for r in seed_world.truth.to_pylist() if r["campaign"] == "lab-3"])
    events = seed_world.events.filter(pc.is_in(seed_world.events["account_id"], mine))
    takers: dict[str, set[str]] = defaultdict(set)
    for account, text in zip(events["account_id"].to_pylist(), events["messages"].to_pylist(), strict=True):
        content = json.loads(text)[0]["parts"][0].get("content", "")
        if "\n\nEnvironment: " in content:
            takers[content.split("] ", 1)[1].split("\n\nEnvironment: ")[0]].add(account)
    assert len(takers) > 10_000
    assert max(map(len, takers.values())) == 1


def test_the_queue_gives_26_requests_a_day_and_moves_half_of_them_to_a_new_model(seed_world: Written) -> None:
    mine = pa.array([r["account_id"] for r in seed_world.truth.to_pylist() if r["campaign"] == "lab-3"])
    events = seed_world.events.filter(pc.is_in(seed_world.events["account_id"], mine))
    days = pc.strftime(events["time"], "%Y-%m-%d").to_pylist()
    each = Counter(zip(events["account_id"].to_pylist(), days, strict=True))
    assert np.median(list(each.values())) == pytest.approx(26, abs=5)
    released = seed_world.root / "releases.parquet"
    assert released.exists()
    new = np.array([model.startswith("aster-3") for model in events["model"].to_pylist()])
    share = {day: new[np.array(days) == day].mean() for day in sorted(set(days))}
    after = [value for value in share.values() if value > 0.2]
    assert 0.3 < after[1] < 0.65
    assert min(share.values()) == 0


def test_calibration_meets_the_promised_volumes() -> None:
    counts = build(Recipe("innocent", 0.06, 3))[1]
    promised = 86e6 * 0.05 / 4 * 0.06
    assert counts.sum() == pytest.approx(promised, rel=0.12)


def test_volumes_follow_rate_life_and_activity() -> None:
    plan = Plan(1, 20, (5.0, 9.0), (3.0, 3.1), 4.0)
    n = 4000
    plan.streams.add(n, account=np.arange(n), rate=6.0, active=0.5, noise=0.5, profile=3, start=4.5, end=15.0)
    streams = plan.streams.finish()
    counts = volumes(plan, streams)
    assert counts[:, :4].sum() == 0
    assert counts[:, 15:].sum() == 0
    week = np.array([0.97 if d % 7 >= 5 else 1.0 for d in range(20)])
    expected = n * 6.0 * 0.5 * (week[5:15].sum() + 0.5)
    assert counts.sum() == pytest.approx(expected, rel=0.03)
    assert counts[:, 4].sum() == pytest.approx(n * 6.0 * 0.5 * 0.5, rel=0.08)
    calibrate(plan, streams, 50_000.0, [])
    assert sum((_rate(streams, d) * streams["active"]).sum() for d in range(20)) == pytest.approx(50_000)
