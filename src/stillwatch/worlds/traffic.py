"""When streams send: requests a day, conversations, and the time of each request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.worlds.chance import Array, draw, mix, uniform
from stillwatch.worlds.habits import PROFILES, WEEK
from stillwatch.worlds.plan import HOURLY, INTERACTIVE, NIGHTLY, POISSON, QUEUE, SYNC, Plan

DAY = 86_400.0
_CUMULATIVE = np.cumsum(PROFILES / PROFILES.sum(axis=1, keepdims=True), axis=1)
_MOST_TURNS = 80


def calibrate(plan: Plan, streams: dict[str, Array], honest: float, campaigns: list[float]) -> None:
    """Scale rates, in place, so that honest people and each campaign send as many requests as the world promises.

    Streams that work through a list of fixed length are left as they are; `fixed` ones also come on top of the promise.
    """
    expected = expectation(plan.days, streams)
    fixed = np.array([bool(bank.cycle) for bank in plan.banks] + [False])[streams["bank"]]
    for number, wanted in enumerate([honest, *campaigns], -1):
        ours = (streams["campaign"] == number) & ~streams["fixed"]
        rest = wanted - expected[ours & fixed].sum()
        if rest > 0 and (ours & ~fixed).any():
            streams["rate"][ours & ~fixed] *= rest / expected[ours & ~fixed].sum()


def expectation(days: int, streams: dict[str, Array]) -> Array:
    """Expected requests of each stream in the whole window, [streams]."""
    expected = np.zeros(len(streams["account"]))
    for day in range(days):
        expected += _rate(streams, day) * streams["active"]
    return expected


def _rate(streams: dict[str, Array], day: int) -> Array:
    """Expected requests of each stream on a day on which it is active."""
    span = np.clip(np.minimum(day + 1.0, streams["end"]) - np.maximum(float(day), streams["start"]), 0.0, 1.0)
    age = np.maximum(0.0, day - np.maximum(streams["start"], 0.0))
    growth = np.exp(streams["growth"] * np.minimum(age, 60))
    return np.asarray(streams["rate"] * span * WEEK[streams["profile"], day % 7] * growth)


def volumes(plan: Plan, streams: dict[str, Array], cap: Array | None = None) -> Array:
    """Requests of each stream on each day, [streams, days] int32.

    cap: the most requests of each account on a day, 0 for no bound, [accounts]; streams are cut in proportion.
    """
    rng = plan.rng("volumes")
    n = len(streams["account"])
    out = np.empty((n, plan.days), np.int32)
    stretch = rng.integers(1, 5, n)
    for day in range(plan.days):
        # people are active for a few days in a row and then not
        on = uniform(draw(plan.seed, "on", np.arange(n), (day + np.arange(n)) // stretch)) < streams["active"]
        rate = _rate(streams, day)
        noise = streams["noise"]
        rate = rate * np.exp(noise * rng.standard_normal(n) - noise**2 / 2)
        steady = streams["mode"] == QUEUE
        count = rng.poisson(np.where(on & ~steady, rate, 0.0))
        # a queue hands out work evenly: the remainder is all that chance decides
        whole = np.floor(np.where(on & steady, rate, 0.0))
        out[:, day] = count + whole + (rng.random(n) < np.where(on & steady, rate - whole, 0.0))
        if cap is not None and cap.any():
            out[:, day] = _capped(out[:, day], streams["account"], cap)
    return out


def _capped(count: Array, account: Array, cap: Array) -> Array:
    """A day's requests of each stream, cut so that no account sends more than its bound, [streams]."""
    total = np.bincount(account, count, minlength=len(cap))
    over = (cap > 0) & (total > cap)
    return np.where(over[account], np.floor(count * cap[account] / np.maximum(total, 1.0)[account]), count)


@dataclass
class Day:
    """The events of one day in order of time; arrays, [events]."""

    seconds: Array
    """Since midnight."""
    stream: Array
    """The stream that sends."""
    talk: Array
    """Number of the conversation in its own arrays."""
    turn: Array
    talk_stream: Array
    """Of each conversation: the stream that began it, [conversations]."""
    talk_uid: Array
    talk_start: Array
    talk_item: Array
    """Number of the task it is about; the conversation's own number where there is no bank."""
    failing: Array
    """Events in the outage."""


def day_of(plan: Plan, streams: dict[str, Array], counts: Array, day: int) -> Day:
    """All events of a day, without their content. `counts` is what `volumes` gave."""
    rng = plan.rng("day", day)
    n = counts[:, day]
    busy = np.flatnonzero(n)
    stream, size = _conversations(rng, streams, busy, n[busy])
    local = np.arange(len(stream)) - np.searchsorted(stream, stream)
    uid = draw(plan.seed, "talk", stream, day, local)
    start = _starts(plan, rng, streams, day, stream, local)
    start = _pauses(plan, rng, streams, day, stream, start)

    talk = np.repeat(np.arange(len(stream)), size)
    first = np.concatenate([[0], np.cumsum(size)[:-1]])
    turn = np.arange(len(talk)) - first[talk]
    owner = stream[talk]
    # agents think fast and alike, people slowly and unlike
    spread = np.where(streams["agent"][owner], 0.7, 1.0)
    gap = streams["think"][owner] * rng.lognormal(0.0, 1.0, len(talk)) ** spread + rng.exponential(2.0, len(talk))
    gap[turn == 0] = 0.0
    elapsed = np.cumsum(gap)
    elapsed -= elapsed[first][talk]
    length = elapsed[first + size - 1] if len(first) else elapsed
    start, stretch = _fit(rng, streams, day, stream, start, length)
    seconds = start[talk] + elapsed * stretch[talk]

    owner = _hop(rng, streams, day, n, owner, stream, talk, turn)
    hours = day + seconds / DAY
    broken = (hours >= plan.outage[0]) & (hours < plan.outage[1])
    keep = ~broken | (rng.random(len(seconds)) < 0.4)
    if plan.retries:
        seconds, broken, keep = _retried(plan, rng, day, seconds, broken, keep)
    order = np.argsort(seconds, kind="stable")
    order = order[keep[order]]
    item = _items(plan, streams, counts, day, stream, uid, start)
    micros = np.round(seconds * 1e6) / 1e6
    return Day(micros[order], owner[order], talk[order], turn[order], stream, uid, start, item, broken[order])


def _retried(
    plan: Plan, rng: np.random.Generator, day: int, seconds: Array, broken: Array, keep: Array
) -> tuple[Array, Array, Array]:
    """What was not sent in the outage comes right after it, most of it within minutes."""
    later = np.flatnonzero(broken & ~keep)
    again = (plan.outage[1] - day) * DAY + rng.exponential(240.0, len(later))
    seconds, broken, keep = seconds.copy(), broken.copy(), keep.copy()
    seconds[later], broken[later], keep[later] = again, False, again < DAY
    return seconds, broken, keep


def _conversations(rng: np.random.Generator, streams: dict[str, Array], busy: Array, n: Array) -> tuple[Array, Array]:
    """Stream and size of the day's conversations, a few long and many short."""
    turns = streams["turns"][busy]
    slots = np.maximum(1, np.ceil(n / turns)).astype(np.int64)
    base = np.concatenate([[0], np.cumsum(slots)[:-1]])
    row = np.repeat(np.arange(len(busy)), n)
    rank = np.arange(len(row)) - np.repeat(np.concatenate([[0], np.cumsum(n)[:-1]]), n)
    drawn = np.floor(slots[row] * rng.random(len(row)) ** 1.4).astype(np.int64)
    slot = base[row] + np.where(turns[row] <= 1.0, rank, drawn)
    size = np.bincount(slot, minlength=int(slots.sum()))
    owner = np.repeat(busy, slots)
    # nobody goes on for ever: a long one is cut into several
    pieces = np.ceil(size / _MOST_TURNS).astype(np.int64)
    owner, size, pieces = owner[size > 0], size[size > 0], pieces[size > 0]
    part = np.arange(pieces.sum()) - np.repeat(np.concatenate([[0], np.cumsum(pieces)[:-1]]), pieces)
    owner, size = np.repeat(owner, pieces), np.repeat(size, pieces)
    return owner, np.minimum(_MOST_TURNS, size - part * _MOST_TURNS)


def _starts(
    plan: Plan, rng: np.random.Generator, streams: dict[str, Array], day: int, stream: Array, local: Array
) -> Array:
    """Second of the day at which each conversation begins, before pauses."""
    of = {name: streams[name][stream] for name in ("mode", "profile", "tz", "burst", "spread", "runs", "schedule")}
    count = np.bincount(stream, minlength=len(streams["account"]))[stream]
    out = np.empty(len(stream))
    u = rng.random(len(stream))

    rows = np.flatnonzero(of["mode"] == INTERACTIVE)
    sessions = np.maximum(1, np.round(count[rows] / of["burst"][rows]))
    session = np.floor(sessions * u[rows]).astype(np.int64)
    seed = draw(plan.seed, "session", stream[rows], day, session)
    out[rows] = _hour(seed, of["profile"][rows], of["tz"][rows]) + rng.exponential(1.0, len(rows)) * of["spread"][rows]

    rows = np.flatnonzero(of["mode"] == POISSON)
    out[rows] = _hour(draw(plan.seed, "start", stream[rows], day, local[rows]), of["profile"][rows], of["tz"][rows])

    rows = np.flatnonzero(of["mode"] == QUEUE)
    # even, a little less at night, from the hour at which the workers come up
    even = (local[rows] + u[rows]) / count[rows]
    out[rows] = DAY * np.mod(even + 0.035 * np.sin(2 * np.pi * even), 1.0)

    rows = np.flatnonzero(of["mode"] == HOURLY)
    run = np.floor(of["runs"][rows] * u[rows])
    first = (draw(plan.seed, "hour", stream[rows]) % np.uint64(24)).astype(float)
    at = np.mod(first + np.floor(run * 24.0 / of["runs"][rows]), 24.0) * 3600.0
    length = np.minimum(3000.0, 2.5 * count[rows] / of["runs"][rows])
    out[rows] = at + rng.exponential(9.0, len(rows)) + length * rng.random(len(rows))

    rows = np.flatnonzero(of["mode"] == NIGHTLY)
    hour = 1.0 + 3.0 * uniform(
        draw(plan.seed, "night", np.where(of["schedule"][rows] >= 0, of["schedule"][rows] + 10**9, stream[rows]))
    )
    length = np.clip(120.0 * count[rows], 600.0, 5 * 3600.0)
    out[rows] = np.mod(hour - of["tz"][rows], 24.0) * 3600.0 + rng.exponential(20.0, len(rows)) + length * u[rows]

    rows = np.flatnonzero(of["mode"] == SYNC)
    out[rows] = (
        _bursts(plan, day, of["schedule"][rows], of["tz"][rows], u[rows])
        + rng.exponential(1.0, len(rows)) * of["spread"][rows]
    )
    return np.mod(out, DAY)


def _hour(seed: Array, profile: Array, zone: Array) -> Array:
    """A second of the day by the local rhythm, as a function of a seed."""
    u, v = uniform(seed), uniform(mix(seed))
    hour = np.zeros(len(seed))
    for number in range(len(_CUMULATIVE)):
        rows = profile == number
        hour[rows] = np.searchsorted(_CUMULATIVE[number], u[rows], side="right")
    return np.mod(np.minimum(hour, 23) + v - zone, 24.0) * 3600.0


def _bursts(plan: Plan, day: int, schedule: Array, zone: Array, u: Array) -> Array:
    """The shared moment at which a conversation of a scheduled stream begins."""
    out = np.empty(len(schedule))
    for number in np.unique(schedule):
        seed, kind, bursts = plan.schedules[number]
        rows = schedule == number
        which = np.floor(bursts * u[rows]).astype(np.int64)
        # a lesson is at the same hour every week, a scheduler's bursts are not
        when = uniform(draw(seed, day % 7 if kind == "lessons" else day, which))
        hour = 8.0 + 6.0 * when if kind == "lessons" else 24.0 * when
        out[rows] = np.mod(hour - (zone[rows] if kind == "lessons" else 0.0), 24.0) * 3600.0
    return out


def _pauses(
    plan: Plan, rng: np.random.Generator, streams: dict[str, Array], day: int, stream: Array, start: Array
) -> Array:
    """Conversations that fall into their group's pause begin after it."""
    group = streams["pause"][stream]
    start = start.copy()
    for number in np.unique(group[group >= 0]):
        for begin, end in plan.pauses[number]:
            low, high = (begin - day) * DAY, (end - day) * DAY
            if high <= 0 or low >= DAY:
                continue
            rows = np.flatnonzero((group == number) & (start >= low) & (start < high))
            start[rows] = high + rng.exponential(1200.0, len(rows))
    return start


def _fit(
    rng: np.random.Generator, streams: dict[str, Array], day: int, stream: Array, start: Array, length: Array
) -> tuple[Array, Array]:
    """Starts and time stretches by which conversations end before midnight and within their stream's life."""
    low = np.clip(streams["start"][stream] - day, 0.0, 0.999) * DAY
    high = np.clip(streams["end"][stream] - day, 0.0, 1.0) * DAY
    high = np.where(high <= low, low + 1.0, high)
    start = np.where(start < DAY, low + start / DAY * (high - low), low + (high - low) * rng.random(len(start)))
    room = np.maximum(high - low - 1.0, 0.5)
    stretch = np.minimum(1.0, room / np.maximum(length, 1e-9))
    latest = high - length * stretch - 0.5
    start = np.where(start > latest, np.maximum(low, latest - (latest - low) * 0.2 * rng.random(len(start))), start)
    return np.maximum(start, low), stretch


def _hop(
    rng: np.random.Generator,
    streams: dict[str, Array],
    day: int,
    n: Array,
    owner: Array,
    stream: Array,
    talk: Array,
    turn: Array,
) -> Array:
    """Some conversations go on under another account of the same scheduler after a turn or two."""
    hops = rng.random(len(stream)) < streams["hop"][stream]
    if not hops.any():
        return owner
    whole = (streams["start"] <= day) & (streams["end"] >= day + 1)
    able = np.flatnonzero((streams["hop"] > 0) & (n > 0) & whole)
    other = stream.copy()
    for schedule in np.unique(streams["schedule"][stream[hops]]):
        mates = able[streams["schedule"][able] == schedule]
        rows = np.flatnonzero(hops & (streams["schedule"][stream] == schedule))
        if len(mates):
            other[rows] = mates[rng.integers(0, len(mates), len(rows))]
    return np.where(turn >= 2, other[talk], owner)


def _items(
    plan: Plan, streams: dict[str, Array], counts: Array, day: int, stream: Array, uid: Array, start: Array
) -> Array:
    """The task of each conversation: the next of the bank in order of time, or whatever the kind of bank says."""
    out = uid.copy()
    bank = streams["bank"][stream]
    for number in np.unique(bank[bank >= 0]):
        kind = plan.banks[number]
        rows = np.flatnonzero(bank == number)
        rows = rows[np.argsort(start[rows], kind="stable")]
        if kind.pool:
            # exercises change by the week
            rank = (draw(uid[rows]) % np.uint64(kind.pool)).astype(np.int64) + kind.pool * (day // 7)
        else:
            before = int(counts[streams["bank"] == number, :day].sum()) if not kind.cycle else 0
            rank = before + np.arange(len(rows))
            rank = rank % kind.cycle if kind.cycle else rank // kind.repeat
        out[rows] = np.uint64(kind.offset) + rank.astype(np.uint64)
    return out
