"""Honest people who do the same thing at the same time, for reasons of their own: a trade's product, a fair, a contest.

Correlations that a null of independent customers does not know; the worlds that have campaigns which evade have them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stillwatch.worlds.chance import choose, draw
from stillwatch.worlds.habits import BUSINESS, OFFICE, PRIVATE, Habits, own_topics
from stillwatch.worlds.infrastructure import APPLICATION_CLIENTS
from stillwatch.worlds.ordinary import Share, heavy, register
from stillwatch.worlds.people import identities
from stillwatch.worlds.plan import CLOUD, HOME, INTERACTIVE, SITE, Plan

_TRADES = (0.014, 0.009)
"""Users of each trade's product as a part of all honest accounts."""


def trades(plan: Plan, habits: Habits, share: Share) -> None:
    """Products for one trade: all users send the product's frame, which asks for reasons, about the trade's topics."""
    for number, users in enumerate(_TRADES):
        rng = plan.rng("trade", number)
        n = share.accounts(users, 14)
        who = identities(plan, rng, n, (30.0, 0, 4.0, 40.0, 26.0, 0))
        account = register(plan, rng, who, "application_users")
        seed = draw(plan.seed, "trade", number)[0]
        place = habits.place(rng, who["country"], 0.1)
        hosted = rng.random(n) < (0.7, 0.1)[number]
        place["net"] = np.where(hosted, CLOUD, place["net"])
        place["address"] = np.where(hosted, seed, place["address"])
        columns: dict[str, Any] = {
            **place, "open": habits.rule("vert.ask"), "human": False, "follow": habits.rule("h.more"), "style": seed,
            "system": habits.rule("vert.system"), "system_seed": seed, "system_share": 1.0,
            "profile": BUSINESS if number else OFFICE, "client": APPLICATION_CLIENTS[number], "language": 0,
            "second": 0.0, "turns": 1.2, "temperature": 0.2, "max_tokens": 4096, "out_median": 700.0, "model": 0,
            "adopt0": plan.releases[0] + 1.0 + rng.random(n) * 0.2, "share0": 1.0, "pause": plan.pause(rng, 1.0),
        }  # fmt: skip
        topics = np.repeat(own_topics(rng, 1, 1.0), n, axis=0)
        rate = heavy(rng, n, share.daily(0.9 * users), 0.9) * 1.9
        habits.people(rng, account, who["country"], rate, topics=topics, start=who["created"], **columns)


def conference(plan: Plan, habits: Habits, share: Share) -> None:
    """Two days on which visitors of a fair, from its network and from home, try the new model with the same puzzles."""
    rng = plan.rng("conference")
    n = share.accounts(0.02, 20)
    who = identities(plan, rng, n)
    day = plan.releases[0] + 0.6
    fresh = rng.random(n) < 0.35
    who["created"] = np.where(fresh, np.floor(day) + rng.uniform(0.35, 0.7, n), np.minimum(who["created"], day - 1.0))
    account = register(plan, rng, who, "ordinary", closed=np.nan, reason=-1)
    hall = int(rng.integers(len(habits.networks.campus)))
    bits = draw(plan.seed, "hall", 0)[0]
    for there in (True, False):
        place = habits.place(rng, who["country"], 0.0)
        if there:
            place |= {"net": SITE, "network": habits.networks.campus[hall], "address": bits, "spots": 3}
        columns: dict[str, Any] = {
            **place, "open": habits.rule("conf.ask"), "human": False, "mode": INTERACTIVE, "profile": OFFICE,
            "tz": float(rng.choice([-6.0, 1.0])) if there else 0.0, "language": 0, "second": 0.0, "active": 0.8,
            "adopt0": plan.releases[0], "share0": 1.0, "model": 0, "turns": 1.3, "end": np.floor(day) + 2.0,
        }  # fmt: skip
        start = np.maximum(who["created"], np.floor(day))
        habits.people(rng, account, who["country"], rng.lognormal(1.2, 0.6, n), start=start, **columns)
    # what they do on other days is their own
    habits.people(rng, account, who["country"], heavy(rng, n, share.daily(0.012)) * 1.9, start=who["created"])


def hackathon(plan: Plan, habits: Habits, share: Share) -> None:
    """A weekend: sign-ups within an evening, one starter kit, one network, all night; each team its own project."""
    rng = plan.rng("hackathon")
    n = share.accounts(0.012, 18)
    begins = float(np.floor(plan.days * 0.75) - (np.floor(plan.days * 0.75) - 5) % 7) + 0.7
    who = identities(plan, rng, n, (40.0, 35.0, 0, 25.0, 0, 0))
    who["created"] = np.where(rng.random(n) < 0.8, begins - rng.random(n) / 6, np.minimum(who["created"], begins - 1.0))
    account = register(plan, rng, who, "ordinary", closed=np.nan, reason=-1)
    bits = draw(plan.seed, "venue", 0)[0]
    hall = int(rng.integers(len(habits.networks.campus)))
    place = habits.place(rng, who["country"], 0.0)
    at = choose(rng, (6.0, 3.0, 1.0), n)
    columns: dict[str, Any] = {
        **place, "net": np.where(at == 0, SITE, np.where(at == 1, CLOUD, HOME)),
        "network": np.where(at == 0, habits.networks.campus[hall], place["network"]),
        "address": np.where(at == 0, bits, place["address"]), "spots": 2,
        "open": habits.rule("hack.ask"), "system": habits.rule("hack.system"), "system_seed": bits, "style": bits,
        "system_share": 0.8, "mode": INTERACTIVE, "profile": PRIVATE, "end": begins + 2.1, "active": 1.0,
        "turns": 1.5, "end_users": 0, "tools": np.where(rng.random(n) < 0.5, 2, -1), "client": 0, "lag": 3.0,
    }  # fmt: skip
    start = np.maximum(who["created"], begins)
    habits.programs(rng, account, who["country"], rng.lognormal(np.log(35.0), 0.6, n), start=start, **columns)
    after = np.flatnonzero(rng.random(n) < 0.4)
    habits.people(rng, account[after], who["country"][after], rng.lognormal(0.6, 0.8, len(after)), start=begins + 2.1)


def everybody(plan: Plan, habits: Habits, share: Share) -> None:
    """All of the above; and after the outage people send again what they could not send in it."""
    plan.retries = True
    for write in (trades, conference, hackathon):
        write(plan, habits, share)
