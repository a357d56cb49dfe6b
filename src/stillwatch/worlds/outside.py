"""What a campaign sends over accounts that are not its own, and what others send over its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from stillwatch.worlds.chance import Array, choose, draw
from stillwatch.worlds.draft import Draft, expect, mark
from stillwatch.worlds.habits import Habits
from stillwatch.worlds.infrastructure import COUNTRY_SHARES
from stillwatch.worlds.ordinary import Share, heavy, register
from stillwatch.worlds.people import identities
from stillwatch.worlds.plan import PROXY, SITE, Plan, part

_RESOLD = np.array([0.05, 0.15, 0.3, 0.5])
"""Part of what each reseller sends that is harvest."""


def _models(draft: Draft, size: int) -> Array:
    """Rows of harvesting streams to be sent over `size` other accounts, each as one of the ring's own would."""
    rows = draft.harvest
    return np.sort(draft.rng("models", size).permutation(rows)[: max(1, size)])[np.arange(size) % min(size, len(rows))]


def stolen(draft: Draft, events: float) -> None:
    """`events` requests over keys of customers of long standing, from the middle of the window's first half on."""
    rng, plan, habits = draft.rng("stolen"), draft.plan, draft.habits
    n = max(6, draft.size // 8)
    who = identities(plan, rng, n, (50.0, 0, 0, 20.0, 30.0, 0))
    who["created"] = -rng.gamma(2.0, 120, n) - 40
    account = register(plan, rng, who, "stolen_key_victim", closed=np.nan, reason=-1, mixed=True)
    key = plan.fresh(n)
    habits.people(
        rng, account, who["country"], rng.lognormal(np.log(25), 0.6, n), active=0.9, noise=0.4, keys=1, key=key
    )
    begin = plan.days * (rng.uniform(0.5, 0.6, n) if "probe" in draft.names else rng.uniform(0.15, 0.4, n))
    rows = draft.copy(
        _models(draft, n), account=account, key=key, keys=1, foreign=True, start=begin, end=1e3, hop=0.0,
        operator=draft.accounts["operator"][0],
    )  # fmt: skip
    draft.give(rows, np.full(n, events / n) * rng.dirichlet(np.full(n, 8.0)) * n)


def resellers(draft: Draft, events: float) -> None:
    """`events` requests as one customer among others of four resellers, 5 to 50 % of what each of them sends."""
    rng, plan, habits = draft.rng("resellers"), draft.plan, draft.habits
    n = len(_RESOLD)
    who = identities(plan, rng, n, (0, 0, 0, 0, 0, 100.0))
    who |= {"created": -rng.uniform(60, 300, n), "verified": True, "quota": 2_000_000}
    account = register(plan, rng, who, "reseller", closed=np.nan, reason=-1, mixed=True)
    bits, key = draw(plan.seed, "seller", draft.number, np.arange(n)), plan.fresh(n)
    hosting = habits.networks.hosting[(np.arange(n) + 4 * draft.number) % len(habits.networks.hosting)]
    site: dict[str, Any] = {
        "net": SITE, "network": hosting, "address": bits, "spots": 4, "platform": 2, "key": key, "keys": 6,
        "away": 0.0, "client": np.array([10, 5, 0, 1]), "lag": 12.0, "end_users": 9,
    }  # fmt: skip
    harvest = events * _RESOLD / _RESOLD.sum()
    rows = draft.copy(
        _models(draft, n), account=account, foreign=True, start=plan.days * 0.05, end=1e3, hop=0.0, conversations=True,
        operator=draft.accounts["operator"][0], **site,
    )  # fmt: skip
    draft.give(rows, harvest)
    crowd = np.repeat(np.arange(n), 20)
    country = choose(rng, COUNTRY_SHARES, len(crowd))
    size = heavy(rng, len(crowd), 1.0, 1.0, 0.1)
    wanted = (harvest * (1.0 - _RESOLD) / _RESOLD)[crowd] * size / np.bincount(crowd, size)[crowd]
    order = rng.permutation(len(crowd))
    for chosen, write in ((order[: len(crowd) // 2], habits.people), (order[len(crowd) // 2 :], habits.programs)):
        own = part({k: v[crowd] if np.shape(v) == (n,) else v for k, v in site.items()}, chosen, len(crowd))
        own |= {"fixed": True, "end_users": rng.integers(1, 12, len(chosen)), "active": 0.9}
        before = mark(plan)
        write(rng, account[crowd[chosen]], country[chosen], np.ones(len(chosen)), **own)
        expect(plan, before, wanted[chosen])


def relay(draft: Draft) -> None:
    """Cheap access sold to the public: as many requests of real people over each account as the ring's own."""
    rng, plan = draft.rng("relay"), draft.plan
    account = np.arange(draft.size)
    mine = draft.by_account(draft.expected(), np.flatnonzero(draft.own))
    start = np.full(draft.size, np.inf)
    rows = np.flatnonzero(draft.own)
    np.minimum.at(start, draft.local[rows], draft.streams["start"][rows])
    life = {"start": np.where(np.isfinite(start), start, 0.3), "active": 0.9, "noise": 0.4, "end_users": 40}
    told: dict[str, Any] = {"operator": plan.fresh(1)[0], "campaign": -1, "foreign": True, "fixed": True}
    new = draft.write(draft.habits.people, rng, account, **draft.places(account), **life, **told)
    draft.accounts["mixed"][:] = True
    draft.give(new, mine)


def shared_proxy(draft: Draft, pool: int) -> None:
    """All that the ring sends leaves through one network."""
    rows = np.flatnonzero(draft.streams["net"] != SITE)
    draft.set(rows, net=PROXY, pool=pool, away=0.0)


def privacy_users(plan: Plan, habits: Habits, share: Share, pool: int) -> None:
    """Honest people who leave through that network as well."""
    rng = plan.rng("privacy", pool)
    n = share.accounts(0.02, 30)
    who = identities(plan, rng, n, throwaway=0.15)
    account = register(plan, rng, who, "ordinary")
    rate = heavy(rng, n, share.daily(0.012)) * 1.9
    habits.people(rng, account, who["country"], rate, start=who["created"], net=PROXY, pool=pool)
