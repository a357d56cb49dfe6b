"""Small random logs with every kind of hole, for comparing a signal with its twin."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np

from stillwatch.model import LABELS
from stillwatch.population import Authorisation, Population
from stillwatch.signals import Signal
from stillwatch.signals.base import STEP
from tests.signals.builders import START, Row, population, statistics

NAN = float("nan")
SEEDS = range(6)


@dataclass(frozen=True)
class World:
    rows: list[Row]
    accounts: list[Row]
    hand: dict[str, int]
    releases: list[tuple[str, datetime]]
    authorised: dict[str, Authorisation]
    population: Population
    groups: list[list[str]]

    def account(self, name: str) -> Row:
        """What was declared about an account; empty if nothing was."""
        return next((row for row in self.accounts if row["account_id"] == name), {})

    def events(self, members: list[str]) -> list[Row]:
        chosen = set(members)
        return [row for row in self.rows if row["account_id"] in chosen]


@cache
def world(seed: int) -> World:
    """About 30 accounts and 1,500 events over a week; equal seeds give equal worlds."""
    rng = random.Random(seed)
    names = [f"acc-{n}" for n in range(rng.randint(25, 35))]
    rows = [row for name in names for row in _events(rng, name)]
    rng.shuffle(rows)
    seen = sorted({row["account_id"] for row in rows})
    accounts = [_account(rng, name) for name in seen if rng.random() < 0.9]
    hand = {name: rng.randrange(6) for name in seen if rng.random() < 0.8}
    releases = [("new|er", START + timedelta(days=1, hours=5)), ("b", START + timedelta(days=4)), ("unused", START)]
    authorised = {
        name: Authorisation(f"auth-{number % 2}", [40.0, 25.0][number % 2], 0.0, True)
        for number, name in enumerate(rng.sample(seen, 4))
    }
    groups = [rng.sample(seen, rng.randint(1, len(seen))) for _ in range(12)] + [[name] for name in seen[:6]] + [[]]
    built = population(
        rows,
        accounts=accounts,
        ids=rng.sample(seen, len(seen)),
        hand=hand,
        releases=releases,
        authorised=authorised,
    )
    return World(rows, accounts, hand, releases, authorised, built, groups)


def _maybe(rng: random.Random, value: Any, known: float = 0.8) -> Any:
    return value if rng.random() < known else None


def _events(rng: random.Random, name: str) -> list[Row]:
    """One account: its own mix of templates, holes and habits."""
    text, cache_known, turns_known = (rng.random() < 0.8 for _ in range(3))
    lead_pool = rng.sample(range(1, 9), rng.randint(1, 4))
    base = rng.choice([0, 0, 100, 200])
    out = []
    for _ in range(int(rng.lognormvariate(3.3, 1))):
        lead = rng.choice(lead_pool)
        row: Row = {
            "account_id": name,
            "time": START + timedelta(seconds=rng.randrange(7 * 86_400), microseconds=rng.randrange(10**6)),
            "model": rng.choice(["a", "b", "new|er"]),
            "turns": _maybe(rng, rng.choice([0, 1, 1, 2, 7])) if turns_known else None,
            "input_tokens": _maybe(rng, rng.randrange(2_000)),
            "cached_tokens": _maybe(rng, rng.randrange(2_500)) if cache_known else None,
            "output_tokens": _maybe(rng, rng.choice([0, 97, 98, 99, 100, rng.randrange(200)])),
            "max_tokens": _maybe(rng, rng.choice([0, 100, 150])),
            "choices": _maybe(rng, rng.choice([0, 1, 1, 1, 2, 500]), 0.4),
        }
        if text:
            item = 1_000 * lead + base + rng.randrange(80)
            row |= {"lead_skeleton": lead if item % 7 else None, "item": item}
            row |= {label: _maybe(rng, round(rng.random(), 2)) for label in LABELS}
        out.append(row)
    return out


def _account(rng: random.Random, name: str) -> Row:
    age = timedelta(days=rng.choice([90, 29, 25, 8, 0, -1, -3]), seconds=rng.randrange(86_400))
    return {
        "account_id": name,
        "org_id": _maybe(rng, f"org{rng.randrange(9)}", 0.6),
        "payment_id": _maybe(rng, f"pay{rng.randrange(30)}"),
        "email_domain": _maybe(rng, f"mail{rng.randrange(4)}"),
        "country": None,
        "phone_id": _maybe(rng, f"tel{rng.randrange(99)}", 0.2),
        "created_at": _maybe(rng, START - age),
        "closed_at": _maybe(rng, START + timedelta(days=rng.uniform(-30, 9)), 0.4),
        "quota_per_day": _maybe(rng, rng.choice([1, 3, 10, 60])),
    }


def compare(signal: Signal, twin: Callable[[World, list[str]], float]) -> None:
    """The signal equals its twin on every group of every random world, and says different things of them."""
    answers: set[float] = set()
    for seed in SEEDS:
        here = world(seed)
        measured = statistics(signal, here.population, here.groups)
        expected = [twin(here, members) for members in here.groups]
        # fractions are summed in steps of STEP, which the twin knows nothing of
        np.testing.assert_allclose(measured, expected, rtol=1e-9, atol=STEP, err_msg=f"{signal.name}, seed {seed}")
        answers |= set(np.round(measured[np.isfinite(measured)], 6).tolist())
    assert len(answers) >= 5, f"{signal.name}: the worlds are too poor to tell it from a constant"


def share(parts: list[tuple[float, int]]) -> float:
    """Mean of the members' shares; each is given as its share and its events, of which at most 30 count."""
    weight = sum(min(n, 30) for _, n in parts)
    return sum(value * min(n, 30) for value, n in parts) / weight if weight else NAN
