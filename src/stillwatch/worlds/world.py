"""The walk: a name -> a plan of accounts and streams -> days of events -> a folder."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from stillwatch.errors import UsageError
from stillwatch.worlds import campaigns, folder, negatives, occasions, ordinary, outside
from stillwatch.worlds.chance import Array
from stillwatch.worlds.draft import mark
from stillwatch.worlds.evasions import PROXY_DEVICES, Evasions, checked
from stillwatch.worlds.events import Scene, batch
from stillwatch.worlds.habits import Habits
from stillwatch.worlds.infrastructure import Networks
from stillwatch.worlds.plan import LABELS, Plan
from stillwatch.worlds.specs import SPECS, START, Spec, spec
from stillwatch.worlds.text.library import library
from stillwatch.worlds.traffic import Day, calibrate, day_of, volumes

WORLDS = {name: one.about for name, one in SPECS.items()}
"""Names of worlds and what they are."""

_CHUNK = 40_000
_PART = 400_000
_ALONE = 300_000
"""Events up to which one process is quicker than two."""


@dataclass(frozen=True)
class WorldSummary:
    """What was written."""

    name: str
    accounts: int
    events: int
    campaign_events: int
    """Requests of the campaigns' accounts, camouflage included, and what they sent over others' accounts."""
    campaign_accounts: int
    days: int
    operators: dict[str, int] = field(default_factory=dict)
    """Operators by label."""


def write_world(
    name: str, out: Path, *, scale: float = 1.0, seed: int = 0, prompts: Path | None = None,
    evasions: Iterable[str] = (), background: float = 1.0, progress: Callable[[str, int, int], None] | None = None,
) -> WorldSummary:  # fmt: skip
    """Write world `name` to folder `out`; the same arguments give the same bytes.

    scale: size in accounts, 1 as described in `WORLDS`; what an account does stays. prompts: folder of Parquet files
    (columns source, role, prompt) whose texts take the place of the grammar's. evasions: names of `EVASIONS`, how the
    world's campaigns evade. background: size of the honest part as a multiple of what the scale gives. progress: called
    with what is being written, done and all. Raises UsageError for an unknown name, a size that is not positive,
    evasions of a world without campaigns, or a folder that is neither empty nor an earlier world; InputError for
    unusable prompts.
    """
    told = progress or (lambda *_: None)
    if not (scale > 0 and background > 0):
        raise UsageError("the scale of a world and of its background must be above 0")
    one, names = spec(name), checked(evasions)
    if names and not one.labs:
        raise UsageError(f"the world {name} has no campaigns, so nobody in it evades")
    recipe = Recipe(name, scale, seed, prompts, names, background)
    scene, counts = build(recipe)
    folder.prepare(out)
    folder.write_beside(out, one, scene, counts)
    if names:
        folder.write_evasions(out, names)
    events = campaign = 0
    truths = []
    for number, (written, harvest, truth) in enumerate(_days(recipe, out, int(counts.sum())), 1):
        events, campaign = events + written, campaign + harvest
        truths.append(truth)
        told("events", number, one.days)
    folder.write_truth_events(out, truths)
    labels = scene.accounts["label"]
    pairs = np.unique(np.stack([scene.accounts["operator"], labels]), axis=1)
    found, many = np.unique(pairs[1], return_counts=True)
    return WorldSummary(
        name, len(labels), events, campaign, int((labels == LABELS.index("campaign")).sum()), one.days,
        {LABELS[label]: int(n) for label, n in zip(found, many, strict=True)},
    )  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """What a world is a function of."""

    name: str
    scale: float = 1.0
    seed: int = 0
    prompts: Path | None = None
    evasions: tuple[str, ...] = ()
    background: float = 1.0


@lru_cache(maxsize=1)
def build(recipe: Recipe) -> tuple[Scene, Array]:
    """All that is decided before the first event, and requests of each stream and day, [streams, days]."""
    one, seed = spec(recipe.name), recipe.seed
    plan, tables, networks = _empty(one, seed), library(recipe.prompts), Networks(seed)
    habits = Habits(plan, tables, networks)
    size = recipe.scale * recipe.background
    share = ordinary.Share(plan, one.honest_accounts * size, one.honest_events * size)
    ordinary.everybody(plan, habits, share)
    resellers, victims = negatives.everybody(plan, habits, share)
    if one.occasions:
        occasions.everybody(plan, habits, share)
    wanted = _campaigns(plan, habits, share, recipe, resellers, victims)
    ordinary.behind_proxies(plan, habits, share)
    accounts, streams = plan.accounts.finish(), plan.streams.finish()
    # nobody sends before the account is opened or after it is closed
    closed = np.nan_to_num(accounts["closed"], nan=np.inf)[streams["account"]]
    streams["start"] = np.maximum(streams["start"], accounts["created"][streams["account"]])
    streams["end"] = np.minimum(streams["end"], closed)
    calibrate(plan, streams, one.honest_events * size, wanted)
    scene = Scene(
        plan, accounts, streams, np.concatenate(plan.topics), np.concatenate(plan.intents), tables, networks,
        folder.account_ids(seed, len(accounts["org"])), folder.org_ids(seed, accounts["org"]),
    )  # fmt: skip
    for blocks in (plan.accounts.blocks, plan.streams.blocks, plan.topics, plan.intents):
        blocks.clear()  # a large world's columns need not be there twice
    return scene, volumes(plan, streams, accounts["cap"])


def _empty(one: Spec, seed: int) -> Plan:
    rng = np.random.default_rng([seed, 1])
    releases = (one.days * 0.36 + rng.uniform(0.6, 0.8), one.days * 0.71 + rng.uniform(0.6, 0.8))
    outage = one.days * 0.5 + rng.uniform(0.3, 0.7)
    return Plan(seed, one.days, releases, (outage, outage + 1.4 / 24), one.days * rng.uniform(0.2, 0.8))


def _campaigns(
    plan: Plan, habits: Habits, share: ordinary.Share, recipe: Recipe, resellers: Array, victims: Array
) -> list[float]:
    """The world's labs, and exchanges of each; without any, stolen keys serve others, and proxies exist as well."""
    one, evasions = spec(recipe.name), Evasions(recipe.evasions)
    labs = [evasions.resized(lab, one.days) for lab in one.labs]
    sizes = [max(lab.least, round(lab.accounts * recipe.scale)) for lab in labs]
    pool, wanted = -1, []
    if "shared_proxy" in evasions.effective:
        pool = campaigns.proxies(plan, habits, max(10, round(PROXY_DEVICES * sum(sizes))))
        outside.privacy_users(plan, habits, share, pool)
    for number, (lab, n) in enumerate(zip(labs, sizes, strict=True)):
        # where a lab is kept at its least size its accounts still do what they do
        events = lab.events * n / lab.accounts
        wanted.append(events)
        start = mark(plan)
        if lab.kind == 1:
            campaigns.lab_reasoning(plan, habits, lab, number, n, events)
        elif lab.kind == 2:
            campaigns.lab_agents(plan, habits, lab, number, n, events, resellers, victims)
        else:
            campaigns.lab_queue(plan, habits, lab, number, n, events)
        evasions.rewrite(plan, habits, lab, number, events, start, pool)
    if not one.labs:
        negatives.free_riders(plan, habits, victims)
        campaigns.proxies(plan, habits, 40)
    return wanted


_Made = tuple[int, int, pa.Table]


def _days(recipe: Recipe, out: Path, expected: int) -> Iterator[_Made]:
    """Write all days, in two processes where it pays; events, campaign events and truth of each, in order."""
    jobs = [(recipe, out, day) for day in range(spec(recipe.name).days)]
    if expected <= _ALONE:
        yield from map(_write_day, jobs)
        return
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_write_day, jobs)


def _write_day(job: tuple[Recipe, Path, int]) -> _Made:
    recipe, out, number = job
    scene, counts = build(recipe)
    scene.now = float(number)
    day = day_of(scene.plan, scene.streams, counts, number)
    midnight = int(START.timestamp()) * 10**6 + number * 86_400_000_000
    n = len(day.seconds)
    truths = []
    for part, first in enumerate(range(0, n, _PART)):
        with folder.day_writer(out, number, part) as writer:
            last = min(n, first + _PART)
            for start in range(first, last, _CHUNK):
                rows = slice(start, min(last, start + _CHUNK))
                made = batch(scene, day, number, rows, midnight)
                writer.write_batch(made)
                truths.append(_truth(spec(recipe.name), scene, day, rows, made))
    harvest = int((scene.streams["campaign"][day.stream] >= 0).sum())
    return n, harvest, pa.concat_tables([folder.TRUTH_EVENTS.empty_table(), *truths])


def _truth(one: Spec, scene: Scene, day: Day, rows: slice, made: pa.RecordBatch) -> pa.Table:
    """Who is behind each event of the accounts that mix."""
    stream = day.stream[rows]
    account = scene.streams["account"][stream]
    mixed = np.flatnonzero(scene.accounts["mixed"][account])
    stream, account = stream[mixed], account[mixed]
    foreign, campaign = scene.streams["foreign"][stream], scene.streams["campaign"][stream]
    operator = np.where(foreign, scene.streams["operator"][stream], scene.accounts["operator"][account])
    label = np.where(campaign >= 0, LABELS.index("campaign"), np.where(foreign, 0, scene.accounts["label"][account]))
    index = pa.array(mixed)
    return pa.table(
        {
            "event_id": made.column("event_id").take(index), "account_id": made.column("account_id").take(index),
            "operator_id": folder.operator_ids(scene.plan.seed, operator),
            "label": pa.array(LABELS).take(pa.array(label)),
            "campaign": folder.campaign_names(one, campaign),
        },
        schema=folder.TRUTH_EVENTS,
    )  # fmt: skip
