"""Ordinary customers: most accounts, most of them quiet; households, small teams, start-ups, night shifts, research."""

from __future__ import annotations

from typing import Any

import numpy as np

from stillwatch.worlds.chance import Array, draw, groups
from stillwatch.worlds.habits import FLAT, NIGHT, OFFICE, Habits
from stillwatch.worlds.infrastructure import COUNTRY_ZONE
from stillwatch.worlds.people import closures, company_mail, identities, shared_payment
from stillwatch.worlds.plan import HOME, LABELS, POISSON, PROXY, SITE, Plan


class Share:
    """How large a part of the honest log a kind of customer is: accounts and events."""

    def __init__(self, plan: Plan, honest_accounts: float, honest_events: float) -> None:
        self.plan, self.honest_accounts, self.honest_events = plan, honest_accounts, honest_events

    def accounts(self, share: float, least: int) -> int:
        """Number of accounts."""
        return max(least, round(self.honest_accounts * share))

    def daily(self, share: float) -> float:
        """Requests a day of all of them."""
        return self.honest_events * share / self.plan.days


def heavy(rng: np.random.Generator, n: int, daily: float, sigma: float = 1.45, most: float = 0.06) -> Array:
    """Daily rates of n accounts that sum to `daily`: lognormal, the largest at most a part `most` of all."""
    rate = rng.lognormal(0.0, sigma, n)
    rate = np.minimum(rate, most * rate.sum())
    return np.asarray(daily * rate / rate.sum())


def label(name: str) -> int:
    """A label's number."""
    return LABELS.index(name)


def register(plan: Plan, rng: np.random.Generator, who: dict[str, Any], name: str, **more: Any) -> Array:
    """Append accounts, each an operator of its own unless `more` says otherwise, some of which leave in the window."""
    n = len(who["path"])
    columns = {"operator": plan.fresh(n), "label": label(name), **who, **closures(plan, rng, who["created"]), **more}
    return plan.accounts.add(n, **columns)


def crowd(
    plan: Plan, habits: Habits, rng: np.random.Generator, n: int, daily: float, name: str = "ordinary", **stream: Any
) -> tuple[Array, dict[str, Any]]:
    """n unrelated people with one habit each: chats, an agent, or a program."""
    who = identities(plan, rng, n)
    account = register(plan, rng, who, name)
    kind = rng.random(n)
    rate = heavy(rng, n, daily)
    # some lose interest and say nothing
    until = np.where(rng.random(n) < 0.18, rng.uniform(0, plan.days, n), 1e3)
    for chosen, write in (
        (kind < 0.66, habits.people),
        ((kind >= 0.66) & (kind < 0.74), habits.agents),
        (kind >= 0.74, habits.programs),
    ):
        rows = np.flatnonzero(chosen)
        window = {"start": who["created"][rows], "end": until[rows]}
        # people are active on few days: a rate is that of an active day
        boost = 1.0 if write is habits.programs else 1.9
        write(rng, account[rows], who["country"][rows], boost * rate[rows], **{**window, **stream})
    return account, who


def ordinary(plan: Plan, habits: Habits, share: Share) -> None:
    """The bulk, and a second layer of busy programs that carries a large part of the requests."""
    rng = plan.rng("ordinary")
    crowd(plan, habits, rng, share.accounts(0.60, 40), share.daily(0.22))
    n = share.accounts(0.05, 12)
    who = identities(plan, rng, n, (50.0, 0.0, 2.0, 20.0, 28.0, 0.0))
    account = register(plan, rng, who, "ordinary")
    habits.programs(
        rng, account, who["country"], heavy(rng, n, share.daily(0.18), 2.2, 0.2), start=who["created"], active=0.85
    )


def home_together(plan: Plan, habits: Habits, share: Share) -> None:
    """Households and small teams of two to eight: one address, often one card, one hand or several."""
    for name, part, path in (
        ("household", 0.02, (90.0, 10.0, 0, 0, 0, 0)),
        ("team", 0.025, (50.0, 0, 5.0, 40.0, 5.0, 0)),
    ):
        rng = plan.rng(name)
        n = share.accounts(part, 12)
        group = groups(rng, n, (2, 3, 4, 5, 8), (8, 5, 3, 2, 1) if name == "household" else (2, 3, 4, 3, 2))
        who = identities(plan, rng, n, path)
        first = np.unique(group, return_index=True)[1][group]
        who["country"] = who["country"][first]
        who["payment"] = shared_payment(rng, who["payment"], group, 0.7)
        if name == "team":
            who["email"] = np.where(rng.random(n) < 0.8, company_mail(rng, n)[first], who["email"])
            who["org"] = np.where(rng.random(n) < 0.5, who["org"][first], who["org"])
        account = register(plan, rng, who, name, operator=plan.fresh(n)[first])
        bits = draw(plan.seed, name, group)
        network = habits.networks.of(who["country"], "residential" if name == "household" else "business", bits)
        rate = heavy(rng, n, share.daily(0.015 if name == "household" else 0.025)) * 1.9
        together: dict[str, Any] = {
            "net": HOME,
            "network": network,
            "address": bits,
            "lease": 14.0 if name == "household" else 1e4,
        }
        habits.people(rng, account, who["country"], rate, start=who["created"], **together)


def special_people(plan: Plan, habits: Habits, share: Share) -> None:
    """Night shifts, start-ups that grow fast, people behind consumer proxies, agencies with one card for many."""
    rng = plan.rng("special")
    n = share.accounts(0.015, 8)
    who = identities(plan, rng, n)
    account = register(plan, rng, who, "night_shift")
    night: dict[str, Any] = {
        "profile": NIGHT,
        "open": habits.rule("ops.ask"),
        "human": False,
        "second": 0.0,
        "language": 0,
    }
    habits.people(rng, account, who["country"], heavy(rng, n, share.daily(0.012)) * 1.9, start=who["created"], **night)

    n = share.accounts(0.001, 4)
    who = identities(plan, rng, n, (10.0, 0, 0, 90.0, 0, 0))
    who["created"] = rng.uniform(-12, plan.days * 0.35, n)
    account = register(plan, rng, who, "startup")
    growth = rng.uniform(0.08, 0.2, n)
    size = np.exp(-growth * (plan.days - np.maximum(who["created"], 0)) / 2)
    rate = heavy(rng, n, share.daily(0.02), 0.9, 0.3) * size
    own: dict[str, Any] = {
        "mode": POISSON,
        "profile": FLAT,
        "system": habits.rule("app.system"),
        "system_seed": draw(plan.seed, "su", np.arange(n)),
    }
    habits.programs(
        rng, account, who["country"], rate, start=who["created"], growth=growth, active=1.0, end_users=400, **own
    )

    # an agency pays for its freelancers; each works alone
    n = share.accounts(0.006, 6)
    who = identities(plan, rng, n)
    who["payment"] = shared_payment(rng, who["payment"], groups(rng, n, (3, 5, 7), (3, 2, 1)), 0.9)
    account = register(plan, rng, who, "ordinary")
    habits.people(
        rng, account, who["country"], heavy(rng, n, share.daily(0.005)) * 1.9, start=who["created"], profile=OFFICE
    )


def behind_proxies(plan: Plan, habits: Habits, share: Share) -> None:
    """Honest people who leave through the residential proxy networks that campaigns use as well."""
    rng = plan.rng("proxied")
    n = share.accounts(0.012, 6)
    who = identities(plan, rng, n, throwaway=0.15)
    account = register(plan, rng, who, "ordinary")
    rate = heavy(rng, n, share.daily(0.008)) * 1.9
    pool = rng.integers(0, max(1, len(plan.pools)), n)
    habits.people(rng, account, who["country"], rate, start=who["created"], net=PROXY, pool=pool)


def research(plan: Plan, habits: Habits, share: Share) -> None:
    """Groups who study how models explain themselves, and publish what they find."""
    rng = plan.rng("research")
    n = share.accounts(0.0008, 8)
    group = np.arange(n) // 4
    who = identities(plan, rng, n, (0, 0, 100.0, 0, 0, 0))
    first = group * 4
    for name in ("country", "email", "org", "payment"):
        who[name] = who[name][first]
    who["verified"] = rng.random(n) < 0.8
    account = register(plan, rng, who, "research", operator=plan.fresh(n)[first])
    bits = draw(plan.seed, "study", group)
    bank = [plan.bank(pool=240) for _ in range(int(group.max()) + 1)]
    columns: dict[str, Any] = {
        "open": habits.rule("study.ask"), "system": habits.rule("study.system"), "system_seed": bits, "turns": 1.0,
        "bank": np.array(bank)[group], "net": SITE,
        "network": habits.networks.campus[group % len(habits.networks.campus)],
        "address": bits, "spots": 2, "end_users": 0, "tz": COUNTRY_ZONE[who["country"]], "even": True,
    }  # fmt: skip
    rate = heavy(rng, n, share.daily(0.004), 0.8, 0.4)
    habits.programs(rng, account, who["country"], rate, start=who["created"], active=0.5, **columns)


def everybody(plan: Plan, habits: Habits, share: Share) -> None:
    """All of the above but those behind proxies, who need the proxies first."""
    for write in (ordinary, home_together, special_people, research):
        write(plan, habits, share)
