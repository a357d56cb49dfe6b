"""Who the accounts say they are. One function draws everybody's identity; campaigns change what they must, no more."""

from __future__ import annotations

from typing import Any

import numpy as np

from stillwatch.worlds.chance import Array, choose
from stillwatch.worlds.infrastructure import COUNTRY_SHARES
from stillwatch.worlds.plan import PATHS, Plan

FREE_MAIL = ("openpost.example", "mailhaven.example", "inboxly.example", "postal.example", "letterbox.example")
FREE_SHARES = (40.0, 25.0, 12.0, 8.0, 5.0)
THROWAWAY = tuple(f"{word}.test" for word in (
    "quickbox", "tenminutes", "burnmail", "dropinbox", "passbymail", "onceonly", "fleetmail", "vapormail", "hushpost",
    "tempnest", "shortmail", "spareinbox",
))  # fmt: skip
CAMPUS_MAIL = tuple(f"{word}.example" for word in (
    "northfield-college", "riverside-university", "lyceum-delta", "polytech-marina", "hillcrest-school", "uni-altstadt",
    "institute-aurora", "gymnasium-linden", "campus-solana", "sakura-college", "escuela-prado", "lakeshore-academy",
))  # fmt: skip
_HEADS = (
    "nord", "blue", "terra", "vita", "octo", "luna", "arbor", "delta", "prime", "hexa", "mono", "alta", "rivo", "cedar",
)  # fmt: skip
_TAILS = (
    "soft", "works", "lab", "trade", "media", "foods", "logic", "care", "craft", "energy", "studio", "data", "build",
)  # fmt: skip
COMPANY_MAIL = tuple(f"{a}{b}{n}.example" for n in ("", "-eu", "-us", "-group") for a in _HEADS for b in _TAILS)
DOMAINS = (*FREE_MAIL, *THROWAWAY, *CAMPUS_MAIL, *COMPANY_MAIL)
_THROW, _CAMPUS, _COMPANY = len(FREE_MAIL), len(FREE_MAIL) + len(THROWAWAY), len(DOMAINS) - len(COMPANY_MAIL)

# By path: share without organisation, without phone, verified, company mail; the same whoever asks.
_NO_ORG = np.array([0.72, 0.9, 0.5, 0.1, 0.0, 0.0])
_NO_PHONE = np.array([0.35, 0.6, 0.5, 0.2, 0.1, 0.0])
_VERIFIED = np.array([0.22, 0.5, 0.45, 0.35, 0.97, 0.95])
_NO_PAYMENT = np.array([0.18, 0.75, 0.5, 0.3, 0.0, 0.0])
_COMPANY_SHARE = np.array([0.25, 0.0, 0.15, 0.85, 1.0, 1.0])
_QUOTAS = np.array([200, 2_000, 5_000, 20_000, 2_000_000])
ORDINARY_PATHS = (82.0, 6.0, 3.0, 6.0, 3.0, 0.0)


def free_mail(rng: np.random.Generator, n: int) -> Array:
    """Domains of the big free providers."""
    return choose(rng, FREE_SHARES, n)


def throwaway_mail(rng: np.random.Generator, n: int) -> Array:
    """Disposable and cheap domains, which honest people use too."""
    return _THROW + choose(rng, 1.0 / np.arange(1, len(THROWAWAY) + 1), n)


def campus_mail(rng: np.random.Generator, n: int) -> Array:
    """Domains of schools and universities."""
    return _CAMPUS + rng.integers(0, len(CAMPUS_MAIL), n)


def company_mail(rng: np.random.Generator, n: int) -> Array:
    """Domains of companies; many, so hardly shared."""
    return _COMPANY + rng.integers(0, len(COMPANY_MAIL), n)


def identities(
    plan: Plan, rng: np.random.Generator, n: int, paths: tuple[float, ...] = ORDINARY_PATHS, throwaway: float = 0.04
) -> dict[str, Any]:
    """Columns of n accounts of people who have nothing to do with each other."""
    path = choose(rng, paths, n)
    mail = free_mail(rng, n)
    mail = np.where(rng.random(n) < throwaway, throwaway_mail(rng, n), mail)
    mail = np.where(rng.random(n) < _COMPANY_SHARE[path], company_mail(rng, n), mail)
    campus = np.isin(path, (PATHS.index("education"), PATHS.index("research"))) & (rng.random(n) < 0.7)
    mail = np.where(campus, campus_mail(rng, n), mail)
    tariff = np.where(path == 4, 4, np.where(rng.random(n) < 0.25, 0, np.where(rng.random(n) < 0.3, 2, 1)))
    tariff = np.where((path == 3) & (rng.random(n) < 0.5), 3, tariff)
    # a third of the log's customers came in the last weeks, some while it runs: measured churn
    age = np.where(rng.random(n) < 0.3, rng.uniform(-20, plan.days * 0.85, n), -rng.gamma(1.6, 150, n) - 20)
    return {
        "path": path,
        "org": np.where(rng.random(n) < _NO_ORG[path], -1, plan.fresh(n)),
        "phone": np.where(rng.random(n) < _NO_PHONE[path], -1, plan.fresh(n)),
        "payment": np.where(rng.random(n) < _NO_PAYMENT[path], -1, plan.fresh(n)),
        "verified": rng.random(n) < _VERIFIED[path],
        "email": np.where(rng.random(n) < 0.05, -1, mail),
        "plan": tariff,
        "quota": _QUOTAS[tariff],
        "country": choose(rng, COUNTRY_SHARES, n),
        "created": age,
    }


def closures(plan: Plan, rng: np.random.Generator, created: Array, share: float = 0.03) -> dict[str, Any]:
    """A few people leave, cannot pay, or are closed for abuse that has nothing to do with harvesting."""
    n = len(created)
    leaves = rng.random(n) < share
    when = np.maximum(created, 0) + (plan.days - np.maximum(created, 0)) * rng.random(n)
    return {
        "closed": np.where(leaves, when, np.nan),
        "reason": np.where(leaves, choose(rng, (6.0, 3.0, 1.5), n), -1),
    }


def shared_payment(rng: np.random.Generator, payment: Array, groups: Array, share: float) -> Array:
    """Members of a group pay with the first member's instrument, each with probability `share`."""
    first = np.zeros(groups.max() + 1 if len(groups) else 1, np.int64)
    first[groups[::-1]] = payment[::-1]
    return np.where(rng.random(len(payment)) < share, first[groups], payment)
