"""The plan of a world: accounts and the streams of traffic they carry, as columns; built by appending blocks.

A stream is one habit of one account: somebody's own chats, an application's use, a nightly job, a share of a task
bank. Campaigns and honest people fill in the same columns and go through the same walk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stillwatch.worlds.chance import Array, draw

LABELS = (
    "ordinary", "campaign", "application_users", "enterprise", "evaluation_harness", "classroom", "pipeline",
    "reseller",
    "permitted_distiller", "stolen_key_victim", "research", "startup", "night_shift", "household", "team", "relay",
)  # fmt: skip
PATHS = ("self_serve", "education", "research", "startup", "enterprise", "reseller")
PLANS = ("free", "payg", "pro", "team", "enterprise")
PLATFORMS = ("first_party", "cloud", "reseller")
REASONS = ("user_request", "payment_failed", "abuse")

INTERACTIVE, POISSON, QUEUE, HOURLY, NIGHTLY, SYNC = range(6)
"""How a stream's conversations lie in the day: sessions, alone, evenly spread, on the hour, one run, shared bursts."""
HOME, CLOUD, STATIC, SITE, PROXY, VPN = range(6)
"""Where a stream's requests come from."""

_NEVER = np.inf

ACCOUNT_FIELDS: dict[str, tuple[str, Any]] = {
    "operator": ("i8", -1), "label": ("i1", 0), "campaign": ("i1", -1), "mixed": ("?", False),
    "org": ("i8", -1), "created": ("f8", -100.0), "plan": ("i1", 1), "path": ("i1", 0), "payment": ("i8", -1),
    "email": ("i4", -1), "phone": ("i8", -1), "verified": ("?", False), "quota": ("i8", 1000), "country": ("i2", 0),
    "closed": ("f8", np.nan), "reason": ("i1", -1), "cap": ("i4", 0),
}  # fmt: skip
"""Times are in days since the world's first midnight; `cap` is the most requests a day that the account sends, or 0."""

HARVEST, COVER, PROBE = 1, 2, 3
"""What a campaign's stream is for."""

STREAM_FIELDS: dict[str, tuple[str, Any]] = {
    "account": ("i4", -1), "operator": ("i8", -1), "campaign": ("i1", -1), "foreign": ("?", False),
    "aim": ("i1", 0), "fixed": ("?", False),
    # how much and when
    "rate": ("f8", 1.0), "noise": ("f4", 0.6), "active": ("f4", 1.0), "growth": ("f4", 0.0),
    "start": ("f8", -1e3), "end": ("f8", 1e3), "mode": ("i1", INTERACTIVE), "profile": ("i1", 0), "tz": ("f4", 0.0),
    "burst": ("f4", 2.0), "spread": ("f4", 900.0), "turns": ("f4", 1.0), "think": ("f4", 45.0), "runs": ("i2", 1),
    "schedule": ("i4", -1), "pause": ("i4", -1), "bank": ("i4", -1), "hop": ("f4", 0.0),
    # what is asked
    "open": ("i4", -1), "follow": ("i4", -1), "reply": ("i4", -1), "agent": ("?", False), "system": ("i4", -1),
    "vary": ("?", False), "system_seed": ("u8", 0), "system_share": ("f4", 1.0), "style": ("u8", 0),
    "tools": ("i2", -1),
    "even": ("?", False), "language": ("i1", 0), "language2": ("i1", 0), "second": ("f4", 0.0), "human": ("?", False),
    # with what
    "model": ("i1", 1), "adopt0": ("f8", _NEVER), "adopt1": ("f8", _NEVER), "share0": ("f4", 1.0),
    "share1": ("f4", 1.0),
    "client": ("i2", 0), "lag": ("f4", 10.0), "temperature": ("f4", np.nan), "top_p": ("f4", np.nan),
    "max_tokens": ("i4", 1024), "choices": ("i2", -1), "seed": ("i4", -1), "out_median": ("f4", 300.0),
    "out_sigma": ("f4", 0.8), "fixed_out": ("f4", 0.0), "saturated": ("f4", 0.0), "thinking": ("?", False),
    "signed": ("?", False), "cache": ("?", False), "extra": ("f4", 0.0), "refused": ("f4", 0.004),
    "errors": ("f4", 0.008),
    # from where
    "net": ("i1", HOME), "network": ("i4", 0), "mobile": ("i4", 0), "address": ("u8", 0), "lease": ("f4", 14.0),
    "away": ("f4", 0.0), "spots": ("i2", 1), "pool": ("i2", 0), "platform": ("i1", 0), "key": ("i8", 0),
    "keys": ("i2", 1), "conversations": ("?", True), "end_users": ("i4", 0),
}  # fmt: skip


def part(columns: dict[str, Any], rows: Array, n: int) -> dict[str, Any]:
    """The columns of some of n rows; scalars stay as they are."""
    return {k: v[rows] if isinstance(v, np.ndarray) and v.shape == (n,) else v for k, v in columns.items()}


class Columns:
    """Blocks of rows appended one by one; missing columns take their defaults."""

    def __init__(self, fields: dict[str, tuple[str, Any]]) -> None:
        self.fields = fields
        self.blocks: list[tuple[int, dict[str, Any]]] = []
        self.size = 0

    def add(self, n: int, **values: Any) -> Array:
        """Append n rows; values are scalars or arrays, [n]. Returns their row numbers."""
        unknown = set(values) - set(self.fields)
        if unknown:
            raise KeyError(f"no such column: {sorted(unknown)}")
        self.blocks.append((n, values))
        rows = np.arange(self.size, self.size + n)
        self.size += n
        return rows

    def finish(self) -> dict[str, Array]:
        """All rows, one array a column."""
        out = {}
        for name, (kind, default) in self.fields.items():
            column = np.full(self.size, default, dtype=kind)
            at = 0
            for n, values in self.blocks:
                if name in values:
                    column[at : at + n] = values[name]
                at += n
            out[name] = column
        return out


@dataclass(frozen=True)
class Bank:
    """Tasks that streams take from one list. `repeat`: each task is taken so many times in a row; `cycle` > 0: the list
    has that many tasks and begins anew each day; `pool` > 0: tasks are drawn at random from so many."""

    offset: int
    repeat: int = 1
    cycle: int = 0
    pool: int = 0


@dataclass(frozen=True)
class Device:
    """A home behind a residential proxy: its network, address seed and lease, all as in a stream that lives there."""

    network: int
    address: int
    lease: float


@dataclass
class Plan:
    """Everything that is decided before the first event is written."""

    seed: int
    days: int
    releases: tuple[float, float]
    """Days of the two releases inside the window."""
    outage: tuple[float, float]
    viral: float
    retries: bool = False
    """Whether people come back right after the outage with what they could not send in it."""
    accounts: Columns = field(default_factory=lambda: Columns(ACCOUNT_FIELDS))
    streams: Columns = field(default_factory=lambda: Columns(STREAM_FIELDS))
    topics: list[Array] = field(default_factory=list)
    """Of each block of streams: four topics and their running shares, [n, 8]."""
    intents: list[Array] = field(default_factory=list)
    """Of each block of streams: running shares of intents, [n, intents]."""
    banks: list[Bank] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    pools: list[tuple[int, int]] = field(default_factory=list)
    """Ranges of `devices` that make up a proxy network."""
    schedules: list[tuple[int, str, int]] = field(default_factory=list)
    """(seed, kind, bursts a day)."""
    pauses: list[list[tuple[float, float]]] = field(default_factory=list)
    authorisations: list[dict[str, Any]] = field(default_factory=list)
    payments: int = 0
    numbers: int = 0

    def rng(self, *purpose: Any) -> np.random.Generator:
        """A generator for one purpose, independent of the order of calls."""
        return np.random.default_rng([int(v) for v in draw(self.seed, *purpose)])

    def fresh(self, n: int) -> Array:
        """n numbers not used before: operators, payments, keys, phones, organisations."""
        first = self.numbers
        self.numbers += n
        return np.arange(first, first + n)

    def bank(self, **values: Any) -> int:
        """A new task bank's number."""
        offset = int(draw(self.seed, "bank", len(self.banks))[0] >> np.uint64(20))
        self.banks.append(Bank(offset=offset, **values))
        return len(self.banks) - 1

    def schedule(self, kind: str, bursts: int) -> int:
        """A new shared schedule's number; kinds: any hour, lessons, nights."""
        self.schedules.append((int(draw(self.seed, "schedule", len(self.schedules))[0]), kind, bursts))
        return len(self.schedules) - 1

    def pause(self, rng: np.random.Generator, per_month: float) -> int:
        """A new group of streams that stand still together: its own crashes, restarts and deployments."""
        count = int(rng.poisson(per_month * self.days / 28))
        starts = rng.random(count) * self.days
        lengths = rng.lognormal(np.log(1.2), 0.8, count) / 24
        self.pauses.append([(float(s), float(s + n)) for s, n in zip(starts, lengths, strict=True)])
        return len(self.pauses) - 1
