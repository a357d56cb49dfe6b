"""Those who look like harvesters and are not: applications, enterprises, harnesses, classes, pipelines, resellers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stillwatch.worlds.chance import Array, choose, draw
from stillwatch.worlds.habits import BUSINESS, FLAT, OFFICE, STUDENT, Habits
from stillwatch.worlds.infrastructure import APPLICATION_CLIENTS, COUNTRY_SHARES, COUNTRY_ZONE
from stillwatch.worlds.ordinary import Share, heavy, register
from stillwatch.worlds.people import campus_mail, company_mail, identities
from stillwatch.worlds.plan import CLOUD, HOME, NIGHTLY, PATHS, POISSON, QUEUE, SITE, SYNC, Plan, part

_APPLICATIONS = (0.10, 0.05, 0.03, 0.02, 0.012, 0.008)
"""Users of each application as a part of all honest accounts."""


def applications(plan: Plan, habits: Habits, share: Share) -> None:
    """Users of popular applications: one system prompt, one client, unrelated people; some do other things as well."""
    for number, users in enumerate(_APPLICATIONS):
        rng = plan.rng("application", number)
        n = share.accounts(users, 10 if number else 30)
        who = identities(plan, rng, n)
        account = register(plan, rng, who, "application_users")
        seed = draw(plan.seed, "application", number)[0]
        coder = number == 1
        in_cloud = rng.random(n) < (0.8 if number % 3 == 2 else 0.05)
        place = habits.place(rng, who["country"], 0.0)
        place["net"] = np.where(in_cloud, CLOUD, place["net"])
        # an application that calls from its own cloud leaves through a few of the shared addresses
        place["address"] = np.where(in_cloud, seed, place["address"])
        # some applications switch everybody's model within hours, others leave it to their users
        switch = plan.releases[0] + (0.3 if number == 2 else 2.0 + number)
        columns: dict[str, Any] = {
            **place,
            "system": habits.rule("app.system"), "system_seed": seed, "system_share": 1.0, "style": seed,
            "client": APPLICATION_CLIENTS[number % 3], "lag": 1.0 + rng.gamma(0.7, 2.0, n),
            "pause": plan.pause(rng, 1.0),
            "temperature": (0.3, 0.7, 1.0)[number % 3], "max_tokens": (2048, 8192, 1024)[number % 3],
            "model": number % 3, "thinking": number % 2 == 0, "cache": True, "conversations": True, "platform": 0,
            "tools": (-1, 2, -1, 4, -1, 5)[number],
        }  # fmt: skip
        if number != 4:
            columns |= {
                "adopt0": switch + rng.random(n) * 0.1,
                "adopt1": plan.releases[1] + 1.0 + number,
                "share0": 1.0,
            }
        rate = heavy(rng, n, share.daily(0.5 * users), 1.3) * 1.9
        (habits.agents if coder else habits.people)(rng, account, who["country"], rate, **columns)
        also = np.flatnonzero(rng.random(n) < 0.25)
        if len(also):
            start = who["created"][also]
            habits.people(rng, account[also], who["country"][also], rng.lognormal(0.5, 1.0, len(also)), start=start)


def _organisation(
    plan: Plan, rng: np.random.Generator, n: int, name: str, path: str, **more: Any
) -> tuple[Array, dict[str, Any]]:
    """n accounts of one organisation: one owner, one payment, one mail domain, declared as one."""
    paths = tuple(100.0 if one == path else 0.0 for one in PATHS)
    who = identities(plan, rng, n, paths)
    one = plan.fresh(1)[0]
    who |= {
        "org": plan.fresh(1)[0], "payment": plan.fresh(1)[0], "email": company_mail(rng, 1)[0],
        "country": np.full(n, choose(rng, COUNTRY_SHARES, 1)[0]), "verified": rng.random(n) < 0.98,
        "quota": 2_000_000, "created": -rng.gamma(2.0, 160, 1)[0] - 30 - rng.gamma(1.0, 12, n),
    }  # fmt: skip
    account = register(plan, rng, who, name, **{"operator": one, "closed": np.nan, "reason": -1, **more})
    return account, who


def enterprises(plan: Plan, habits: Habits, share: Share) -> None:
    """One with hundreds of accounts and nightly batches, and a couple of dozen smaller ones."""
    rng = plan.rng("enterprise")
    sizes = [share.accounts(0.0065, 24)]
    sizes += [int(v) for v in np.clip(rng.lognormal(np.log(6), 0.6, max(3, min(25, sizes[0] // 6))), 3, 40)]
    for number, n in enumerate(sizes):
        account, who = _organisation(plan, rng, n, "enterprise", "enterprise")
        seed = draw(plan.seed, "enterprise", number)[0]
        daily = share.daily(0.12 if number == 0 else 0.035 * n / sum(sizes[1:]))
        template = np.array([habits.rule(f"ent.{letter}") for letter in "abcd"])[
            (np.arange(n) + number) % (4 if number == 0 else 2)
        ]
        topics = np.repeat(
            np.array([[(number * 5) % 32, (number * 5 + 1) % 32, 21, 23, 0.5, 0.8, 0.9, 1.0]]), n, axis=0
        )
        zone = float(COUNTRY_ZONE[who["country"][0]])
        columns: dict[str, Any] = {
            "open": template, "system": habits.rule("ent.system"), "system_seed": seed, "style": seed,
            "system_share": 1.0,
            "client": 10 if number % 2 else 0, "lag": float(rng.gamma(2.0, 10.0)), "turns": 1.0, "end_users": 0,
            "net": SITE, "network": habits.networks.of(who["country"], "business", np.full(n, seed)), "address": seed,
            "spots": 2 + min(6, n // 20), "pause": plan.pause(rng, 1.5), "tz": zone, "temperature": 0.0, "keys": 3,
            "max_tokens": 2048, "model": number % 3, "adopt0": plan.releases[0] + 9.0 + number, "adopt1": np.inf,
        }  # fmt: skip
        night = n * 2 // 3
        rate = heavy(rng, n, daily, 0.7, 0.2)
        for rows, mode, profile in ((np.arange(night), NIGHTLY, FLAT), (np.arange(night, n), POISSON, BUSINESS)):
            habits.programs(
                rng, account[rows], who["country"][rows], rate[rows], topics[rows],
                mode=mode, profile=profile, noise=0.25, active=0.97, schedule=plan.schedule("nights", 1),
                **part(columns, rows, n),
            )  # fmt: skip


def harnesses(plan: Plan, habits: Habits, share: Share) -> None:
    """Evaluation harnesses: the same items at every release, and now and then on the old models."""
    rng = plan.rng("harness")
    for number in range(3):
        n = 2 + number
        account, who = _organisation(plan, rng, n, "evaluation_harness", "research" if number else "startup")
        items = max(30, int(share.daily(0.02) * plan.days / 3 / 3 / 2))
        bank = plan.bank(cycle=items)
        seed = draw(plan.seed, "harness", number)[0]
        columns: dict[str, Any] = {
            "open": habits.rule("eval.item"), "system": habits.rule("eval.system"), "system_seed": seed, "style": seed,
            "system_share": 1.0, "bank": bank, "turns": 1.0, "temperature": 0.0, "client": number, "end_users": 0,
            "keys": 1,
            "even": True, "net": SITE, "network": habits.networks.hosting[number], "address": seed, "spots": 1,
            "noise": 0.02, "active": 1.0, "mode": POISSON, "profile": FLAT, "max_tokens": 4096, "share0": 1.0,
            "share1": 1.0,
            "out_median": 320.0, "seed": 42,
        }  # fmt: skip
        soon = 0.1 * (number + 1)
        for when, model in ((1.2, 0), (plan.releases[0] + soon, 0), (plan.releases[1] + soon, 1)):
            # about a day's work: two rounds over all items, shared out over the accounts
            run = {
                "start": when,
                "end": when + 1.0,
                "model": model,
                "adopt0": plan.releases[0],
                "adopt1": plan.releases[1],
            }
            habits.programs(rng, account, who["country"], np.full(n, 2.0 * items / n), **{**columns, **run})


def classrooms(plan: Plan, habits: Habits, share: Share) -> None:
    """Classes of unrelated pupils: one campus address, sign-ups within an hour, the same exercises, step by step."""
    count = max(2, min(40, round(share.honest_accounts / 6000)))
    for number in range(count):
        rng = plan.rng("class", number)
        n = int(rng.integers(20, 31))
        who = identities(plan, rng, n, (0, 100.0, 0, 0, 0, 0))
        campus = int(rng.integers(len(habits.networks.campus)))
        begins = float(rng.integers(-3, max(2, plan.days // 3))) + rng.uniform(0.35, 0.55)
        who |= {
            "created": begins + rng.random(n) / 24, "email": campus_mail(rng, 1)[0],
            "country": np.full(n, habits.networks.country[habits.networks.campus[campus]]),
        }  # fmt: skip
        account = register(plan, rng, who, "classroom", closed=np.nan, reason=-1)
        bits = draw(plan.seed, "class", number)[0]
        lessons = plan.schedule("lessons", 1)
        for at_school in (True, False):
            place = habits.place(rng, who["country"], 0.0)
            if at_school:
                place |= {"net": SITE, "network": habits.networks.campus[campus], "address": bits, "spots": 1}
            columns: dict[str, Any] = {
                **place, "open": habits.rule("class.ask"), "human": False, "bank": plan.bank(pool=20), "even": True,
                "mode": SYNC if at_school else 0, "schedule": lessons if at_school else -1, "profile": STUDENT,
                "language": 0, "second": 0.0, "active": 0.75 if at_school else 0.5, "spread": 1500.0,
                "tz": COUNTRY_ZONE[who["country"]], "turns": 1.5 + rng.gamma(1.0, 1.5, n),
            }  # fmt: skip
            habits.people(rng, account, who["country"], rng.lognormal(1.3, 0.6, n), start=who["created"], **columns)


def pipelines(plan: Plan, habits: Habits, share: Share) -> None:
    """One account each, one template, a very great number of inputs."""
    rng = plan.rng("pipeline")
    n = share.accounts(0.0003, 4)
    who = identities(plan, rng, n, (20.0, 0, 10.0, 30.0, 40.0, 0))
    who["created"] = np.minimum(who["created"], -3.0)
    account = register(plan, rng, who, "pipeline", closed=np.nan, reason=-1)
    seed = draw(plan.seed, "pipeline", np.arange(n))
    rate = heavy(rng, n, share.daily(0.28), 1.1, 0.5)
    habits.programs(
        rng, account, who["country"], rate, open=habits.rule("pipe.a"), style=seed, turns=1.0, end_users=0, active=1.0,
        mode=np.where(np.arange(n) % 2, NIGHTLY, POISSON), profile=FLAT, noise=0.35, fixed_out=rng.integers(1, 9, n),
        start=who["created"], end=np.where(np.arange(n) % 3 == 1, plan.days * 0.8, 1e3), temperature=0.0,
        even=rng.random(n) < 0.5,
    )  # fmt: skip


def resellers(plan: Plan, habits: Habits, share: Share) -> Array:
    """Accounts with many customers each, passed on as end users. Returns the accounts; one may relay a harvester."""
    rng = plan.rng("reseller")
    n = 2
    who = identities(plan, rng, n, (0, 0, 0, 0, 0, 100.0))
    who |= {"created": np.array([-200.0, -90.0]), "verified": np.array([True, True]), "quota": 2_000_000}
    account = register(plan, rng, who, "reseller", closed=np.nan, reason=-1, mixed=True)
    bits = draw(plan.seed, "reseller", np.arange(n))
    daily = share.daily(0.035)
    crowds = int(np.clip(math.sqrt(share.honest_accounts), 16, 120))
    rows = np.repeat(np.arange(n), crowds)
    site: dict[str, Any] = {
        "net": SITE, "network": habits.networks.hosting[3 + rows], "address": bits[rows], "spots": 4, "platform": 2,
        "end_users": rng.integers(1, 12, len(rows)), "key": plan.fresh(n)[rows], "keys": 6, "away": 0.0,
        "client": np.array([10, 5])[rows], "lag": 12.0,
    }  # fmt: skip
    country = choose(rng, COUNTRY_SHARES, len(rows))
    half = len(rows) // 2
    rate = heavy(rng, len(rows), daily, 1.2, 0.1)
    mixed = rng.permutation(len(rows))
    for chosen, write in ((mixed[:half], habits.people), (mixed[half:], habits.programs)):
        write(rng, account[rows[chosen]], country[chosen], rate[chosen], active=0.9, **part(site, chosen, len(rows)))
    return account


def relays(plan: Plan, habits: Habits, share: Share) -> None:
    """A chat product behind one account: one system prompt, real end users."""
    rng = plan.rng("relay")
    n = 3
    who = identities(plan, rng, n, (30.0, 0, 0, 50.0, 20.0, 0))
    who["created"] = np.minimum(who["created"], -10.0)
    account = register(plan, rng, who, "relay", closed=np.nan, reason=-1)
    rows = np.repeat(np.arange(n), 6)
    seed = draw(plan.seed, "relay", rows)
    columns: dict[str, Any] = {
        "system": habits.rule("app.system"), "system_seed": seed, "system_share": 1.0, "net": SITE, "away": 0.0,
        "network": habits.networks.hosting[6 + rows], "address": seed, "spots": 2, "client": 1, "lag": 5.0,
        "end_users": 60, "key": plan.fresh(n)[rows], "cache": True, "active": 1.0, "noise": 0.2,
    }  # fmt: skip
    country = choose(rng, COUNTRY_SHARES, len(rows))
    habits.people(rng, account[rows], country, heavy(rng, len(rows), share.daily(0.02), 0.6, 0.4), **columns)


def permitted(plan: Plan, habits: Habits, share: Share) -> None:
    """A distiller with an agreement: technically a harvest, but declared, from one organisation, within its quota."""
    rng = plan.rng("permitted")
    n = min(400, share.accounts(0.0016, 10))
    account, who = _organisation(plan, rng, n, "permitted_distiller", "enterprise")
    seed = draw(plan.seed, "permitted", 0)[0]
    bank = plan.bank(repeat=1)
    habits.programs(
        rng, account, who["country"], np.full(n, share.daily(0.022) / n), open=habits.rule("own.ask"),
        system=habits.rule("own.system"), system_seed=seed, style=seed, system_share=1.0, bank=bank, turns=1.0,
        even=True,
        mode=QUEUE, profile=FLAT, noise=0.05, active=1.0, net=SITE, network=habits.networks.hosting[9], address=seed,
        spots=3,
        client=0, lag=8.0, temperature=0.7, max_tokens=8192, out_median=900.0, out_sigma=0.6, saturated=0.1, model=0,
        adopt0=plan.releases[0] + 0.5, share0=0.6, adopt1=np.inf, pause=plan.pause(rng, 2.0), end_users=0, keys=1,
        start=plan.days * 0.1,
    )  # fmt: skip
    plan.authorisations.append({"rows": account, "bank": bank})


def victims(plan: Plan, habits: Habits, share: Share) -> Array:
    """Customers of long standing whose key somebody takes; what the thief sends is added by who takes it."""
    rng = plan.rng("victims")
    n = share.accounts(0.00016, 3)
    who = identities(plan, rng, n, (50.0, 0, 0, 20.0, 30.0, 0))
    who["created"] = -rng.gamma(2.0, 120, n) - 40
    account = register(plan, rng, who, "stolen_key_victim", closed=np.nan, reason=-1, mixed=True)
    own: dict[str, Any] = {"active": 0.9, "noise": 0.4, "keys": 1}
    rate = rng.lognormal(np.log(25), 0.6, n)
    half = np.arange(n) % 2 == 0
    if half.any():
        habits.people(
            rng, account[half], who["country"][half], rate[half], profile=OFFICE, net=HOME, away=0.0, lease=1e4, **own
        )
    if (~half).any():
        habits.programs(rng, account[~half], who["country"][~half], rate[~half], **own)
    return account


def free_riders(plan: Plan, habits: Habits, accounts: Array) -> None:
    """In a world without campaigns a stolen key serves somebody's chat site: foreign, sudden, and no harvest."""
    rng = plan.rng("free riders")
    n = len(accounts)
    country = choose(rng, COUNTRY_SHARES, n)
    columns: dict[str, Any] = {
        "start": plan.days * rng.uniform(0.4, 0.6, n), "foreign": True, "operator": plan.fresh(n), "active": 1.0,
        "noise": 0.3,
    }  # fmt: skip
    habits.people(rng, accounts, country, rng.lognormal(np.log(60), 0.4, n), server=0.9, **columns)


def everybody(plan: Plan, habits: Habits, share: Share) -> tuple[Array, Array]:
    """All of the above; returns the resellers' and the victims' accounts."""
    for write in (applications, enterprises, harnesses, classrooms, pipelines, relays, permitted):
        write(plan, habits, share)
    return resellers(plan, habits, share), victims(plan, habits, share)
