"""A log's traits with exact truth, drawn directly: countries, carriers, clouds, applications, a class, rings.

Independent of `stillwatch.worlds`. Popular library prompts, households, carrier-grade NAT, a cloud with few exits,
application users who share country and software, top-of-hour jobs and launch days are all in the honest part.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from stillwatch.model import TRAITS

DAYS = 14


@dataclass
class TraitWorld:
    """Rows of traits and accounts as they are drawn; `truth` is the operator of each account."""

    rng: np.random.Generator
    rows: dict[str, list[tuple[np.ndarray, np.ndarray]]] = field(default_factory=dict)
    accounts: dict[str, list[object]] = field(default_factory=dict)
    truth: list[str] = field(default_factory=list)

    def put(self, view: str, account: np.ndarray, token: np.ndarray) -> None:
        """Accounts hold tokens (integers), row by row."""
        self.rows.setdefault(view, []).append((np.asarray(account), np.asarray(token)))

    def names(self) -> np.ndarray:
        """Ids in no order that means anything."""
        draw = np.random.default_rng(99).permutation(len(self.truth))
        return np.array([f"a{x:07d}" for x in draw])

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """model.TRAITS (rows merged) and an accounts table."""
        names = self.names()
        parts = []
        for view, pieces in self.rows.items():
            account = np.concatenate([p[0] for p in pieces])
            token = np.concatenate([p[1] for p in pieces])
            both, n = np.unique(np.stack([account, token]), axis=1, return_counts=True)
            parts.append(
                pa.table(
                    [
                        pa.array(names[both[0]]),
                        pa.array([view] * both.shape[1]),
                        pa.array(both[1].astype(str)),
                        pa.array(n.astype(np.int64)),
                    ],
                    schema=TRAITS,
                )
            )
        columns = {name: pa.array(values) for name, values in self.accounts.items()}
        return pa.concat_tables(parts), pa.table({"account_id": names, **columns})

    def operators(self) -> dict[str, str]:
        """Account id -> true operator."""
        return dict(zip(self.names().tolist(), self.truth, strict=True))


APPS = 6
COUNTRIES = 16
CARRIERS = 5


def honest(world: TraitWorld, count: int, start: int) -> None:
    """`count` ordinary accounts; a third of them use one of six applications, two of which are of one country."""
    rng = world.rng
    me = np.arange(start, start + count)
    country = rng.choice(COUNTRIES, count, p=_zipf(COUNTRIES))
    app = np.where(rng.random(count) < 0.35, rng.choice(APPS, count, p=_zipf(APPS)), -1)
    country = np.where(app == 1, 3, np.where(app == 4, 9, country))
    carrier = country * CARRIERS + rng.choice(CARRIERS, count, p=_zipf(CARRIERS))
    cloud = (rng.random(count) < 0.25) | (app == 2)
    volume = np.minimum(rng.lognormal(2.6, 1.2, count).astype(int) + 1, 400)
    event = np.repeat(me - start, volume)
    n = len(event)
    # where
    home = 1_000_000 + me.copy()
    household = rng.random(count) < 0.06
    home[household] = 1_000_000 + start + rng.integers(0, count // 40, household.sum())
    nat = carrier * 64 + rng.integers(0, 40, count)
    kind = rng.random(n)
    address = np.where(kind < 0.6, home[event], carrier[event] * 64 + rng.integers(0, 40, n))
    address = np.where((kind > 0.9), nat[event], address)
    address = np.where(cloud[event] & (kind < 0.8), 900_000 + rng.integers(0, 60, n), address)
    day = np.minimum((rng.beta(1, 1, n) * DAYS).astype(int), DAYS - 1)
    hour_of_day = (rng.normal(14, 3.5, n) + country[event] * 1.5).astype(int) % 24
    job = rng.random(count) < 0.2
    minute = np.where(job[event], 0, rng.integers(0, 6, n))
    _network(world, me[event], address)
    world.put("country", me[event], country[event])
    world.put(
        "carrier",
        me[event],
        np.where(address >= 900_000, np.where(address < 1_000_000, 999, carrier[event]), carrier[event]),
    )
    # with what
    agent = np.where(app >= 0, 500 + app, rng.choice(40, count, p=_zipf(40)))
    world.put("client", me[event], agent[event] * 1000 + rng.integers(0, 6, n))
    # what
    library = rng.choice(60, n, p=_zipf(60))
    own = 10_000 + me[event] * 6 + rng.integers(0, 6, n)
    lead = np.where(rng.random(n) < 0.4, library, own)
    in_app = (app[event] >= 0) & (rng.random(n) < 0.8)
    lead = np.where(in_app & (rng.random(n) < 0.7), 5_000 + app[event] * 10 + rng.integers(0, 10, n), lead)
    _text(
        world,
        me[event],
        lead,
        np.where(in_app, 100 + app[event], np.where(rng.random(n) < 0.3, 90, own)),
        day,
        hour_of_day,
        minute,
    )
    world.put("tools", me[event][in_app], 100 + app[event][in_app])
    # who
    card = np.where(household & (rng.random(count) < 0.7), home, 2_000_000 + me)
    launch = np.isin(app, (0, 3)) & (rng.random(count) < 0.3)
    created = np.where(
        launch, 300 * 1440 + app * 1440 * 3 + rng.integers(0, 2880, count), rng.integers(0, 364 * 1440, count)
    )
    mail = rng.choice(30, count, p=_zipf(30))
    mail = np.where(rng.random(count) < 0.3, 1000 + rng.integers(0, count // 6, count), mail)
    _identity(world, me, card, created, mail, country)
    world.truth += [
        f"h{h}" if shared else f"u{x}"
        for x, h, shared in zip(me.tolist(), home.tolist(), household.tolist(), strict=True)
    ]


def ring(
    world: TraitWorld, label: str, count: int, start: int, *, templates: int = 1, pool: int = 0, cards: float = 0.55,
    batch: int = 12, cover: float = 0.3, addresses: bool = True,
) -> None:  # fmt: skip
    """A campaign: one family of prompts with disjoint tasks, cards in sixes, batches of sign-ups, rented exits."""
    rng = world.rng
    me = np.arange(start, start + count)
    key = int(rng.integers(10_000, 1_000_000)) * 100
    volume = np.minimum(rng.lognormal(3.0, 0.5, count).astype(int) + 5, 400)
    event = np.repeat(me - start, volume)
    n = len(event)
    day = rng.integers(0, DAYS, n)
    pool = pool or max(3, count // 4)
    slice_of_day = (rng.integers(0, max(pool // 3, 2), n) + day * max(pool // 8, 1)) % pool
    exits = rng.choice(COUNTRIES * CARRIERS * 64, pool, replace=False)
    exits[pool // 2 :] = 1_000_000 + rng.integers(0, max(start, 1), pool - pool // 2)  # residential: honest homes
    home = 60_000_000 + me
    address = np.where(rng.random(n) < 0.7, exits[slice_of_day], home[event]) if addresses else home[event]
    _network(world, me[event], address)
    world.put("country", me[event], rng.choice(COUNTRIES, count)[event])
    world.put(
        "carrier", me[event], np.where(address < COUNTRIES * CARRIERS * 64, address // 64, rng.integers(0, 80, n))
    )
    world.put("client", me[event], rng.choice(40, n, p=_zipf(40)) * 1000 + rng.integers(0, 6, n))
    own = 70_000_000 + me[event] * 6 + rng.integers(0, 6, n)
    work = rng.random(n) > cover
    lead = np.where(
        work, key + rng.integers(0, templates, n), np.where(rng.random(n) < 0.5, rng.choice(60, n, p=_zipf(60)), own)
    )
    _text(world, me[event], lead, np.where(work, key, own), day, rng.integers(0, 24, n), rng.integers(0, 6, n))
    world.put("tools", me[event][work], np.full(work.sum(), key))
    card = np.where(rng.random(count) < cards, key * 1000 + np.arange(count) // 4, 80_000_000 + me)
    burst = rng.integers(250 * 1440, 360 * 1440, count // batch + 1)[np.arange(count) // batch]
    _identity(
        world,
        me,
        card,
        burst + rng.integers(0, 40, count),
        rng.choice(30, count, p=_zipf(30)),
        rng.choice(COUNTRIES, count),
    )
    world.truth += [label] * count


def classroom(world: TraitWorld, count: int, start: int) -> None:
    """Students: one campus NAT, sign-ups within an hour, one homework."""
    rng = world.rng
    me = np.arange(start, start + count)
    event = np.repeat(np.arange(count), 20)
    day = rng.integers(0, 5, len(event))
    _network(
        world,
        me[event],
        np.where(rng.random(len(event)) < 0.6, 950_000 + rng.integers(0, 3, len(event)), 61_000_000 + me[event]),
    )
    world.put("country", me[event], np.full(len(event), 2))
    world.put("carrier", me[event], np.full(len(event), 12))
    lead = np.where(rng.random(len(event)) < 0.5, 4_000 + rng.integers(0, 12, len(event)), 71_000_000 + me[event])
    _text(
        world,
        me[event],
        lead,
        71_000_000 + me[event],
        day,
        rng.integers(9, 18, len(event)),
        rng.integers(0, 6, len(event)),
    )
    _identity(world, me, 81_000_000 + me, 200_000 + rng.integers(0, 60, count), np.full(count, 777), np.full(count, 2))
    world.truth += ["class"] * count


def _network(world: TraitWorld, account: np.ndarray, address: np.ndarray) -> None:
    world.put("address", account, address)
    world.put("address_prefix", account, address // 16)


def _text(
    world: TraitWorld,
    account: np.ndarray,
    lead: np.ndarray,
    system: np.ndarray,
    day: np.ndarray,
    hour: np.ndarray,
    ten: np.ndarray,
) -> None:
    world.put("lead_skeleton", account, lead)
    world.put("system_skeleton", account, system)
    world.put("skeleton_hour", account, lead * 1000 + day * 24 + hour)
    world.put("skeleton_10min", account, (lead * 1000 + day * 24 + hour) * 6 + ten)


def _identity(
    world: TraitWorld, me: np.ndarray, card: np.ndarray, created: np.ndarray, mail: np.ndarray, country: np.ndarray
) -> None:
    world.put("payment", me, card)
    world.put("email_domain", me, mail)
    world.put("signup_burst", me, created // 10)
    world.put("registration", me, (created // 60) * 100_000 + country * 1000 + mail % 1000)
    world.accounts.setdefault("country", []).extend(f"C{c}" for c in country.tolist())


def _zipf(k: int) -> np.ndarray:
    p = 1 / np.arange(1, k + 1)
    return p / p.sum()


def standard(count: int = 25_000, sizes: tuple[int, ...] = (1100, 120, 12), seed: int = 1) -> TraitWorld:
    """Honest accounts, a class of 40 and rings of the given sizes."""
    world = TraitWorld(np.random.default_rng(seed))
    honest(world, count, 0)
    start = count
    classroom(world, 40, start)
    start += 40
    for k, size in enumerate(sizes):
        ring(world, f"ring{k}", size, start, templates=(1, 40, 3)[k % 3])
        start += size
    return world


def score(operators: pa.Table, truth: dict[str, str]) -> dict[str, object]:
    """Recall and purity of each ring's best operator, and strangers in groups of 8 or more."""
    groups: dict[str, list[str]] = {}
    for account, operator in zip(
        operators["account_id"].to_pylist(), operators["operator_id"].to_pylist(), strict=True
    ):
        groups.setdefault(operator, []).append(truth[account])
    out: dict[str, object] = {}
    for label in sorted({t for t in truth.values() if not t.startswith(("u", "h"))}):
        size = sum(t == label for t in truth.values())
        best = max(groups.values(), key=lambda g: g.count(label))
        out[label] = (round(best.count(label) / size, 3), len(best))
    wrong = 0
    for members in groups.values():
        if len(members) >= 8:
            wrong += sum(t.startswith(("u", "h")) for t in members)
    out["wrong"] = wrong
    out["ordinary"] = sum(t.startswith(("u", "h")) for t in truth.values())
    out["big"] = sorted((len(g) for g in groups.values() if len(g) >= 8), reverse=True)[:20]
    return out
