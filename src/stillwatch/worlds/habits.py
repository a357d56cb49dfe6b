"""Habits: streams of people, of programs and of agents, drawn from the measured distributions. For everybody alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from stillwatch.worlds import measured
from stillwatch.worlds.chance import Array, choose, draw, quantile_draw
from stillwatch.worlds.infrastructure import (
    CLIENT_SHARES,
    COUNTRY_LANGUAGE,
    COUNTRY_ZONE,
    HOSTINGS,
    Networks,
)
from stillwatch.worlds.plan import CLOUD, HOME, HOURLY, INTERACTIVE, NIGHTLY, POISSON, STATIC, VPN, Plan
from stillwatch.worlds.text.everyday import INTENTS
from stillwatch.worlds.text.grammar import Tables
from stillwatch.worlds.text.library import TOOLS, T

OFFICE, PRIVATE, NIGHT, FLAT, BUSINESS, STUDENT = range(6)
PROFILES = np.array([
    # share of starts by local hour
    [1, 1, 1, 1, 1, 2, 4, 10, 22, 30, 32, 30, 20, 26, 32, 32, 28, 20, 10, 7, 6, 5, 3, 2],
    [5, 3, 2, 1, 1, 1, 3, 6, 8, 9, 10, 11, 12, 11, 10, 11, 13, 16, 20, 25, 28, 27, 20, 11],
    [28, 30, 30, 28, 24, 18, 8, 3, 2, 2, 2, 2, 2, 2, 3, 3, 4, 5, 6, 8, 12, 18, 24, 27],
    [10] * 24,
    [4, 4, 4, 4, 4, 5, 7, 12, 18, 22, 22, 21, 18, 20, 22, 22, 20, 15, 10, 8, 7, 6, 5, 4],
    [3, 1, 1, 1, 1, 1, 2, 8, 15, 18, 18, 16, 12, 15, 16, 15, 14, 15, 18, 22, 22, 18, 12, 6],
], float)  # fmt: skip
"""Rhythms of the day, [profiles, 24]."""
WEEK = np.array([
    [1, 1.05, 1.05, 1, 0.9, 0.22, 0.2], [0.95, 0.95, 0.95, 0.95, 1, 1.2, 1.2], [1, 1, 1, 1, 1, 0.9, 0.9],
    [1, 1, 1, 1, 1, 0.97, 0.97], [1, 1, 1, 1, 0.95, 0.5, 0.5], [1, 1.1, 1.1, 1, 0.7, 0.5, 0.9],
])  # fmt: skip
"""Rhythms of the week from Monday, [profiles, 7]."""

_MAX_TOKENS = np.array([256, 512, 1000, 1024, 2000, 2048, 4096, 8192, 16384])
_MAX_SHARES = (3.0, 6.0, 8.0, 22.0, 6.0, 16.0, 22.0, 12.0, 5.0)


class Habits:
    """Writes streams into a plan. `tables` gives the numbers of grammar rules."""

    def __init__(self, plan: Plan, tables: Tables, networks: Networks) -> None:
        self.plan, self.tables, self.networks = plan, tables, networks

    def rule(self, name: str) -> int:
        """A grammar rule's number."""
        return self.tables.names[name]

    def add(
        self,
        rng: np.random.Generator,
        n: int,
        topics: Array | None = None,
        intents: Array | None = None,
        **columns: Any,
    ) -> Array:
        """Append n streams; topics and intents are drawn for each unless given. Returns their row numbers."""
        self.plan.topics.append(own_topics(rng, n) if topics is None else np.broadcast_to(topics, (n, 8)))
        self.plan.intents.append(
            own_intents(rng, n) if intents is None else np.broadcast_to(intents, (n, len(INTENTS)))
        )
        return self.plan.streams.add(n, **columns)

    # ------------------------------------------------------------------------------------------------ common columns
    def place(self, rng: np.random.Generator, country: Array, server: Array | float) -> dict[str, Any]:
        """Where requests come from: `server` is the chance of a server (shared cloud or own) instead of a home."""
        n = len(country)
        bits = draw(self.plan.seed, "place", rng.integers(0, 2**62, n))
        at_home = rng.random(n) >= server
        cloud = ~at_home & (rng.random(n) < 0.62)
        vpn = at_home & (rng.random(n) < 0.04)
        own = np.where(
            rng.random(n) < 0.5,
            self.networks.hosting[rng.integers(0, HOSTINGS, n)],
            self.networks.of(country, "business", bits),
        )
        return {
            "net": np.where(vpn, VPN, np.where(at_home, HOME, np.where(cloud, CLOUD, STATIC))),
            "network": np.where(at_home, self.networks.of(country, "residential", bits), own),
            "mobile": self.networks.of(country, "mobile", bits),
            "address": bits,
            "lease": np.where(at_home, rng.choice([1.0, 3.0, 7.0, 14.0, 30.0, 200.0], n), 1e4),
            "away": np.where(at_home, rng.beta(0.6, 3.0, n), 0.0),
            "spots": rng.integers(1, 4, n),
        }

    def software(self, rng: np.random.Generator, n: int) -> dict[str, Any]:
        """Client, parameters and what the client sends along; nothing here knows who asks."""
        temperature = np.array([0.0, 0.2, 0.3, 0.5, 0.7, 1.0])[rng.integers(0, 6, n)]
        early = rng.random(n)
        release_lag = np.where(early < 0.05, rng.uniform(0.02, 0.6, n), rng.lognormal(np.log(6.0), 0.9, n))
        pinned = rng.random(n) < 0.3
        first, second = self.plan.releases
        return {
            "client": choose(rng, CLIENT_SHARES, n),
            "lag": rng.gamma(1.5, 9.0, n),
            "temperature": np.where(rng.random(n) < 0.5, np.nan, temperature),
            "top_p": np.where(rng.random(n) < 0.85, np.nan, rng.choice([0.9, 0.95, 1.0], n)),
            "max_tokens": _MAX_TOKENS[choose(rng, _MAX_SHARES, n)],
            "choices": np.where(rng.random(n) < 0.9, -1, 1),
            "seed": np.where(rng.random(n) < 0.97, -1, rng.choice([0, 1, 7, 42], n)),
            "model": choose(rng, (4.0, 4.0, 2.0), n),
            "adopt0": np.where(pinned, np.inf, first + release_lag),
            "adopt1": np.where(pinned, np.inf, second + release_lag * rng.uniform(0.5, 1.5, n)),
            "share0": np.where(rng.random(n) < 0.6, 1.0, rng.uniform(0.1, 1.0, n)),
            "share1": np.where(rng.random(n) < 0.6, 1.0, rng.uniform(0.1, 1.0, n)),
            "thinking": rng.random(n) < 0.4,
            "signed": rng.random(n) < 0.5,
            "cache": rng.random(n) < 0.45,
            "conversations": rng.random(n) < 0.6,
            "style": draw(self.plan.seed, "style", rng.integers(0, 2**62, n)),
            "key": self.plan.fresh(n),
            "platform": choose(rng, (80.0, 20.0), n),
            "errors": rng.beta(1.2, 120, n),
            "refused": rng.beta(0.8, 220, n),
        }

    def lengths(self, rng: np.random.Generator, n: int, jobs: bool) -> dict[str, Any]:
        """Output lengths and bursts by the measured quantiles."""
        values = measured.JOB_OUTPUT if jobs else measured.INTERACTIVE_OUTPUT
        cv = quantile_draw(measured.LEVELS, measured.OUTPUT_CV, rng.random(n))
        gaps = quantile_draw(measured.LEVELS, measured.GAP_CV, rng.random(n))
        return {
            "out_median": quantile_draw(measured.LEVELS, values, rng.random(n)),
            "out_sigma": np.sqrt(np.log1p(np.minimum(cv, 2.5) ** 2)),
            # m conversations at once and then a pause: the gaps' coefficient of variation grows like the root of m
            "burst": np.clip(gaps**1.4, 1.0, 40.0),
            "spread": rng.lognormal(np.log(1500.0), 0.8, n),
        }

    # -------------------------------------------------------------------------------------------------------- habits
    def people(
        self,
        rng: np.random.Generator,
        account: Array,
        country: Array,
        rate: Array,
        server: Array | float = 0.15,
        **more: Any,
    ) -> Array:
        """Somebody's own conversations, at their own hours, in their own languages."""
        n = len(account)
        private = rng.random(n) < 0.5
        foreign = rng.random(n) < 0.2
        native = COUNTRY_LANGUAGE[country]
        system = rng.random(n)
        columns: dict[str, Any] = {
            "account": account,
            "rate": rate,
            "active": np.clip(rng.beta(1.2, 1.5, n), 0.03, 1.0),
            "mode": INTERACTIVE,
            "profile": np.where(private, PRIVATE, OFFICE),
            "tz": COUNTRY_ZONE[country] + rng.choice([-1.0, 0.0, 0.0, 0.0, 1.0], n),
            "turns": 1.0 + rng.gamma(1.1, 2.2, n),
            "think": rng.lognormal(np.log(measured.THINK_MEDIAN), 0.6, n),
            "human": True,
            "follow": self.rule("h.more"),
            "reply": self.rule("h.reply"),
            "system": np.where(system < 0.4, -1, self.rule("s.short")),
            "system_seed": draw(self.plan.seed, "system", rng.integers(0, 400, n)),
            "system_share": np.where(system < 0.8, 1.0, 0.5),
            # one in five writes another language than the country's, many write two
            "language": np.where(foreign, choose(rng, (6, 1, 1, 1, 1, 1, 1), n), native),
            "language2": np.where(native == 0, choose(rng, (3, 1, 1, 1, 1, 1, 1), n), 0),
            "second": np.where(rng.random(n) < 0.45, rng.beta(1.0, 3.0, n), 0.0),
        }
        return self.add(
            rng,
            n,
            **{
                **self.software(rng, n),
                **self.lengths(rng, n, jobs=False),
                **self.place(rng, country, server),
                **columns,
                **more,
            },
        )

    def programs(
        self,
        rng: np.random.Generator,
        account: Array,
        country: Array,
        rate: Array,
        topics: Array | None = None,
        **more: Any,
    ) -> Array:
        """A program with a template or a library's prompt: on the hour, at night, in bursts or all day."""
        n = len(account)
        hourly = rng.random(n) < measured.TOP_OF_HOUR_SHARE
        library = rng.random(n) < measured.LIBRARY_SHARE
        mode = np.where(
            hourly, HOURLY, np.where(rng.random(n) < 0.15, NIGHTLY, np.where(rng.random(n) < 0.5, INTERACTIVE, POISSON))
        )
        columns: dict[str, Any] = {
            "account": account,
            "rate": rate,
            "noise": rng.uniform(0.1, 0.9, n),
            "active": np.clip(rng.beta(1.5, 0.8, n), 0.05, 1.0),
            "mode": mode,
            "profile": choose(rng, (0, 0, 0, 3, 4, 0), n),
            "tz": COUNTRY_ZONE[country],
            "runs": rng.choice([1, 2, 4, 8, 24, 24], n),
            "schedule": -1,
            "turns": np.where(rng.random(n) < 0.8, 1.0, 1.0 + rng.gamma(1.0, 1.2, n)),
            "open": np.where(library, self.rule("p.library"), self.rule("p.job")),
            "follow": self.rule("h.more"),
            "reply": self.rule("h.reply"),
            "system": np.where(rng.random(n) < 0.4, -1, self.rule("s.short")),
            "system_seed": draw(self.plan.seed, "system", rng.integers(0, 400, n)),
            "end_users": np.where(rng.random(n) < 0.15, rng.integers(3, 200, n), 0),
            "keys": rng.choice([1, 1, 1, 2, 4], n),
        }
        return self.add(
            rng, n, topics,
            **{
                **self.software(rng, n), **self.lengths(rng, n, jobs=True), **self.place(rng, country, 0.75),
                **columns, **more,
            },
        )  # fmt: skip

    def agents(self, rng: np.random.Generator, account: Array, country: Array, rate: Array, **more: Any) -> Array:
        """Somebody's coding agent: long sessions with tools; most of the context is cached and not in the capture."""
        n = len(account)
        columns: dict[str, Any] = {
            "agent": True,
            "open": self.rule("agent.ask"),
            "follow": self.rule("h.morecode"),
            "reply": self.rule("h.replycode"),
            "system": self.rule("s.coder"),
            "system_seed": draw(self.plan.seed, "coder", rng.integers(0, 40, n)),
            "turns": np.clip(rng.lognormal(np.log(measured.AGENT_TURNS / 3), 0.7, n), 2, 60),
            "think": np.full(n, measured.AGENT_GAP_MEDIAN),
            "tools": rng.choice([0, 0, 2, 2, 1], n),
            "cache": rng.random(n) < 0.9,
            "extra": rng.lognormal(np.log(9000), 0.6, n),
            "out_median": np.full(n, 216.0),
            "human": False,
            "second": 0.0,
        }
        return self.people(rng, account, country, rate, **{**columns, **more})


def own_topics(rng: np.random.Generator, n: int, spread: float = 0.35) -> Array:
    """Four topics and their running shares for each of n, [n, 8]: a sparse Dirichlet over popular and rare topics."""
    popularity = 1.0 / (1.0 + np.arange(T)) ** 0.4
    order = np.random.default_rng(5).permutation(T)
    topics = order[choose(rng, popularity, n * 4)].reshape(n, 4)
    weights = rng.gamma(spread, 1.0, (n, 4)) + 1e-3
    weights[:, 0] += 0.2
    running = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
    return np.concatenate([topics, running], axis=1).astype(np.float32)


def own_intents(rng: np.random.Generator, n: int) -> Array:
    """Running shares of intents for each of n, [n, intents]: everybody wants a few kinds of things."""
    shares = np.array(list(INTENTS.values()))
    weights = rng.gamma(shares * 5.0, 1.0, (n, len(shares))) + 1e-4
    return np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1).astype(np.float32)


def tool_list(name: str) -> int:
    """Number of the first tool list that offers `name`."""
    return next(i for i, text in enumerate(TOOLS) if f'"{name}"' in text)
