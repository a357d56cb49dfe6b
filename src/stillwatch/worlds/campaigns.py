"""The campaigns: three ways of working, after public reports, each with camouflage from the honest habits.

An account of a campaign is drawn like anybody's; then some, never all, share a card, a proxy, a batch of sign-ups.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stillwatch.worlds.chance import Array, choose, draw, groups
from stillwatch.worlds.habits import FLAT, OFFICE, Habits
from stillwatch.worlds.infrastructure import COUNTRY_ZONE
from stillwatch.worlds.ordinary import label
from stillwatch.worlds.people import identities, shared_payment, throwaway_mail
from stillwatch.worlds.plan import (
    CLOUD,
    COVER,
    HARVEST,
    HOME,
    INTERACTIVE,
    PROBE,
    PROXY,
    QUEUE,
    SYNC,
    VPN,
    Device,
    Plan,
    part,
)
from stillwatch.worlds.specs import Lab

CAMOUFLAGE = 0.3
"""Part of an account's requests that are like anybody's."""


_IMAGES = (0, 1, 2, 3, 9)
"""Clients that workers run: libraries for servers."""


def proxies(plan: Plan, habits: Habits, count: int) -> int:
    """A residential proxy network: homes of people in this log, and of people who are not. Returns its number."""
    rng = plan.rng("proxies", len(plan.pools))
    streams = plan.streams.finish()
    homes = np.flatnonzero((streams["net"] == HOME) & (streams["campaign"] < 0))
    first = len(plan.devices)
    for number in range(count):
        if len(homes) and rng.random() < 0.35:
            row = int(rng.choice(homes))
            plan.devices.append(
                Device(int(streams["network"][row]), int(streams["address"][row]), float(streams["lease"][row]))
            )
        else:
            bits = draw(plan.seed, "device", first + number)
            network = habits.networks.of(rng.integers(0, 26, 1), "residential", bits)
            plan.devices.append(Device(int(network[0]), int(bits[0]), float(rng.choice([1.0, 7.0, 30.0]))))
    plan.pools.append((first, len(plan.devices)))
    return len(plan.pools) - 1


def _members(
    plan: Plan, rng: np.random.Generator, n: int, number: int, paths: tuple[float, ...], throwaway: float, cards: float
) -> dict[str, Any]:
    """Identities of n accounts: each declares itself as a customer of its own; cards are shared by a few each."""
    who = identities(plan, rng, n, paths)
    who["email"] = np.where((rng.random(n) < throwaway) & (who["email"] >= 0), throwaway_mail(rng, n), who["email"])
    group = groups(rng, n, (2, 3, 4, 5, 7), (2, 3, 3, 2, 1))
    who["payment"] = shared_payment(rng, who["payment"], group, 1.0)
    alone = rng.random(n) >= cards
    who["payment"] = np.where(alone & (who["payment"] >= 0), plan.fresh(n), who["payment"])
    # sign-ups come in batches of about a dozen within the hour
    batch = np.arange(n) // 12
    when = np.sort(rng.uniform(-24, -0.5, int(batch.max()) + 1))
    loose = rng.random(n) < 0.35
    who["created"] = np.where(loose, -rng.uniform(0.5, 40, n), when[batch] + rng.random(n) / 24)
    who["label"], who["campaign"], who["operator"] = label("campaign"), number, plan.fresh(1)[0]
    return who


def _hide(
    plan: Plan, habits: Habits, rng: np.random.Generator, country: Array, pool: int, shares: tuple[float, ...]
) -> dict[str, Any]:
    """Where members' requests come from: proxies, shared clouds, consumer tunnels, or a line of their own."""
    place = habits.place(rng, country, 0.2)
    kind = choose(rng, shares, len(country))
    place["net"] = np.where(kind == 0, PROXY, np.where(kind == 1, CLOUD, np.where(kind == 2, VPN, place["net"])))
    place["pool"] = pool
    return place


def _camouflage(
    habits: Habits, rng: np.random.Generator, account: Array, who: dict[str, Any], rate: Array, common: dict[str, Any]
) -> None:
    """What the accounts send besides: chats or programs like everybody's, from where the rest comes from."""
    half = rng.random(len(account)) < 0.6
    for rows, write in ((np.flatnonzero(half), habits.people), (np.flatnonzero(~half), habits.programs)):
        own = part(common, rows, len(account))
        if len(rows):
            active = 0.8
            write(
                rng,
                account[rows],
                who["country"][rows],
                rate[rows] / active,
                **{"active": active, "noise": 0.5, "end_users": 0, "aim": COVER, **own},
            )


def _probe(
    plan: Plan, habits: Habits, rng: np.random.Generator, account: Array, who: dict[str, Any], common: dict[str, Any]
) -> None:
    """A few accounts try many ways of asking, at low volume, mostly refused, before the harvest."""
    chosen = np.sort(rng.permutation(len(account))[: max(2, len(account) // 10)])
    own = part(common, chosen, len(account))
    habits.programs(
        rng, account[chosen], who["country"][chosen], np.full(len(chosen), 9.0),
        **{**own, "open": habits.rule("probe"), "even": True, "refused": 0.6, "start": 0.2, "end": plan.days * 0.14,
           "active": 1.0, "mode": INTERACTIVE, "turns": 1.0, "system": -1, "end_users": 0, "aim": PROBE},
    )  # fmt: skip


def _common(
    plan: Plan, habits: Habits, rng: np.random.Generator, place: dict[str, Any], who: dict[str, Any]
) -> dict[str, Any]:
    """Columns that an account's harvest and camouflage have in common: address, client, key, span of life."""
    n = len(who["path"])
    software = habits.software(rng, n)
    # most workers run one image, so one client and one version; the rest look like anybody
    image = rng.random(n) < 0.6
    client, lag = rng.choice(_IMAGES), software["lag"][0]
    return {
        **place, "client": np.where(image, client, software["client"]), "lag": np.where(image, lag, software["lag"]),
        "key": software["key"], "platform": software["platform"], "campaign": who["campaign"],
        "operator": who["operator"],
        "start": np.maximum(who["created"], 0.3),
        "conversations": software["conversations"],
    }  # fmt: skip


def lab_reasoning(plan: Plan, habits: Habits, lab: Lab, number: int, n: int, events: float) -> None:
    """Few accounts, some of them as research or education: reasoning over many topics, grading, safe rewrites."""
    rng = plan.rng("lab", number)
    pool = proxies(plan, habits, max(4, n // 3))
    who = _members(plan, rng, n, number, (60.0, 14.0, 20.0, 6.0, 0, 0), 0.15, 0.5)
    who |= {"closed": np.full(n, np.nan), "reason": -1}
    account = plan.accounts.add(n, **who)
    common = _common(plan, habits, rng, _hide(plan, habits, rng, who["country"], pool, (0.3, 0.25, 0.2, 0.25)), who)
    rate = np.full(n, events / n / plan.days) * rng.lognormal(0, 0.25, n)
    harvest: dict[str, Any] = {
        **common, "aim": HARVEST, "open": habits.rule("l1.ask"), "system": habits.rule("l1.system"), "vary": True,
        "system_share": 1.0, "bank": plan.bank(), "even": True, "turns": 1.15, "mode": INTERACTIVE, "profile": OFFICE,
        "tz": 8.0, "burst": 6.0,
        "noise": 0.35, "active": 0.9, "out_median": 900.0, "out_sigma": 0.5, "max_tokens": 4096, "saturated": 0.15,
        "model": 0, "pause": plan.pause(rng, 2.0), "end_users": 0, "keys": 1,
    }  # fmt: skip
    habits.programs(rng, account, who["country"], (1 - CAMOUFLAGE) * rate / 0.72, **harvest)
    _camouflage(habits, rng, account, who, CAMOUFLAGE * rate, common)
    _probe(plan, habits, rng, account, who, common)


def lab_agents(
    plan: Plan, habits: Habits, lab: Lab, number: int, n: int, events: float, resellers: Array, victims: Array
) -> None:
    """Agents with tools in bursts of one scheduler, over several ways in; later, traces are rebuilt."""
    rng = plan.rng("lab", number)
    pool = proxies(plan, habits, max(6, n // 2))
    who = _members(plan, rng, n, number, (80.0, 2.0, 3.0, 15.0, 0, 0), 0.25, 0.6)
    who |= {"closed": np.full(n, np.nan), "reason": -1}
    # a part is closed and replaced, by accounts that were opened for it
    late = np.arange(n) >= n - n // 6
    when = plan.days * rng.uniform(0.45, 0.8, n)
    gone = np.arange(n) < n // 6
    who["created"] = np.where(late, np.roll(when, n - n // 6) + rng.uniform(0.05, 0.8, n), who["created"])
    who["closed"] = np.where(gone, when, np.nan)
    who["reason"] = np.where(gone, 2, -1)
    account = plan.accounts.add(n, **who)
    place = _hide(plan, habits, rng, who["country"], pool, (0.4, 0.3, 0.1, 0.2))
    common = _common(plan, habits, rng, place, who)
    common["platform"] = (rng.random(n) < 0.4).astype(int)
    days = (np.minimum(np.where(gone, when, plan.days), plan.days) - np.maximum(who["created"], 0.0)).sum()
    # part of the harvest goes through a reseller and over stolen keys
    rate = np.full(n, 0.92 * events / days) * rng.lognormal(0, 0.2, n)
    bank, schedule, pause = plan.bank(), plan.schedule("any", 30), plan.pause(rng, 2.5)
    begin, turn = plan.days * 0.1, plan.days * 0.62
    harvest: dict[str, Any] = {
        "aim": HARVEST, "open": habits.rule("l2.ask"), "follow": habits.rule("l2.more"),
        "reply": habits.rule("h.replycode"), "agent": True,
        "system": habits.rule("l2.system"), "vary": True, "system_share": 1.0, "tools": 2, "bank": bank, "even": True,
        "turns": 5.0, "think": 14.0, "mode": SYNC, "schedule": schedule, "spread": 240.0, "noise": 0.3, "active": 0.97,
        "out_median": 420.0, "out_sigma": 0.7, "max_tokens": 8192, "saturated": 0.08, "model": 0, "pause": pause,
        "adopt0": plan.releases[0] + rng.uniform(0.05, 1.2, n), "share0": 0.7, "end_users": 0, "profile": FLAT,
        "keys": 1,
        "hop": 0.04, "extra": 0.0,
    }  # fmt: skip
    clean = {
        **harvest, "open": habits.rule("l2.clean"), "agent": False, "turns": 1.0, "tools": -1,
        "bank": plan.bank(repeat=2),
        "out_median": 1200.0, "hop": 0.0,
    }  # fmt: skip
    own = (1 - CAMOUFLAGE) * rate
    start = np.maximum(common["start"], begin)
    habits.programs(
        rng,
        account,
        who["country"],
        own,
        **{**common, **harvest, "start": start, "end": turn},
    )
    later = {"start": np.maximum(start, turn)}
    habits.programs(rng, account, who["country"], 0.45 * own, **{**common, **harvest, **later})
    habits.programs(rng, account, who["country"], 0.55 * own, **{**common, **clean, **later})
    _camouflage(habits, rng, account, who, CAMOUFLAGE * rate, common)
    _probe(plan, habits, rng, account, who, common)

    outside = {k: v for k, v in harvest.items() if k not in ("adopt0",)}
    foreign = {"campaign": number, "operator": who["operator"], "foreign": True, "hop": 0.0}
    if len(resellers):
        seat = {
            "net": 3, "network": habits.networks.hosting[3], "address": draw(plan.seed, "reseller", 0)[0], "spots": 4,
            "platform": 2, "end_users": 9, "client": 10, "lag": 12.0, "start": begin, "keys": 6,
        }  # fmt: skip
        habits.programs(
            rng,
            resellers[:1],
            np.zeros(1, int),
            np.array([0.05 * events / plan.days]),
            **{**outside, **foreign, **seat},
        )
    if len(victims):
        m = len(victims)
        thief: dict[str, Any] = {
            k: v[np.arange(m) % n] for k, v in place.items() if isinstance(v, np.ndarray) and len(v) == n
        }
        thief |= {
            "pool": pool,
            "net": PROXY,
            "client": int(common["client"][0]),
            "start": plan.days * rng.uniform(0.4, 0.6, m),
        }
        volume = np.full(m, min(0.03 * events / m / (plan.days / 2), 400.0))
        habits.programs(rng, victims, COUNTRY_ZONE[:1].astype(int).repeat(m), volume, **{**outside, **foreign, **thief})


def lab_queue(plan: Plan, habits: Habits, lab: Lab, number: int, n: int, events: float) -> None:
    """A work queue over a task bank: 26 requests an account and day, rotation after closures, a pivot at a release."""
    rng = plan.rng("lab", number)
    pool = proxies(plan, habits, max(6, n * 2 // 5))
    who = _members(plan, rng, n, number, (92.0, 1.0, 1.0, 6.0, 0, 0), 0.45, 0.55)
    slots = max(8, round(0.8 * n))
    waves = plan.days * np.array([0.33, 0.55, 0.77])
    closed, started = np.full(n, np.nan), np.full(n, -1.0)
    spare, active = list(range(slots, n)), list(range(slots))
    for number_, wave in enumerate(waves):
        lost = rng.permutation(len(active))[: len(spare) // (len(waves) - number_)]
        fresh, spare = spare[: len(lost)], spare[len(lost) :]
        for old, new in zip(lost.tolist(), fresh, strict=True):
            closed[active[old]] = wave + rng.random() * 0.4
            # a day later at most a new account takes the place, opened in a batch shortly before
            started[new] = closed[active[old]] + rng.uniform(0.1, 1.0)
            active[old] = new
    replaced = started >= 0
    batch = np.floor(started * 3) / 3 - rng.uniform(0.05, 0.2)
    who["created"] = np.where(replaced, np.minimum(batch + rng.random(n) / 24, started), who["created"])
    who |= {"closed": closed, "reason": np.where(np.isnan(closed), -1, 2)}
    account = plan.accounts.add(n, **who)
    common = _common(plan, habits, rng, _hide(plan, habits, rng, who["country"], pool, (0.6, 0.2, 0.05, 0.15)), who)
    begin = np.where(replaced, started, plan.days * 0.1 + rng.uniform(0, 1.0, n))
    common["start"] = begin
    days = (np.where(np.isnan(closed), plan.days, closed) - begin).clip(0).sum()
    rate = np.full(n, events / days)
    harvest: dict[str, Any] = {
        **common, "aim": HARVEST, "open": habits.rule("l3.ask"),
        "system": np.where(rng.random(n) < 0.6, habits.rule("l3.system"), -1),
        "system_seed": draw(plan.seed, "l3", rng.integers(0, 3, n)), "style": draw(plan.seed, "l3", 0)[0],
        "system_share": 1.0,
        "bank": plan.bank(), "even": True, "turns": 1.0, "mode": QUEUE, "profile": FLAT, "noise": 0.06, "active": 1.0,
        "out_median": 2600.0, "out_sigma": 0.5, "max_tokens": np.where(rng.random(n) < 0.8, 4096, 8192),
        "saturated": 0.3,
        "model": 0, "adopt0": plan.releases[0] + rng.uniform(0.04, 0.95, n), "share0": rng.uniform(0.5, 0.85, n),
        "adopt1": np.inf, "cache": False, "pause": plan.pause(rng, 2.5), "end_users": 0, "keys": 1,
    }  # fmt: skip
    habits.programs(rng, account, who["country"], (1 - CAMOUFLAGE) * rate, **harvest)
    _camouflage(habits, rng, account, who, CAMOUFLAGE * rate, common)
    _probe(plan, habits, rng, account, who, {**common, "start": 0.0})
