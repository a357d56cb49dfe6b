"""How one's own use would look to a provider: one's own log, measured as a scan does, against a given background.

The background is a run of somebody's log: its lone accounts are the ordinary customers, and all accounts of one's own
log are one hand. Nothing is invented: without a background, and for what the log or the background lacks, the answer is
"not available". There is no verdict either, since that needs the provider's links and declarations.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch import __version__
from stillwatch.engine.meter import Meter
from stillwatch.engine.runfolder import MANIFEST, RunFolder
from stillwatch.errors import InputError, RunError, UsageError
from stillwatch.ingest.accounts import Context
from stillwatch.judging import judge
from stillwatch.judging.gather import gather
from stillwatch.model import OPERATORS, Outcome
from stillwatch.pipeline import ScanRequest, tables_of
from stillwatch.population import Groups, Population
from stillwatch.progress import SILENT, Progress
from stillwatch.signals import all_signals

COMMAND = "selfcheck"
OWN = "own"
"""The operator that all accounts of one's own log are."""
LEAST = 100
"""Lone accounts that a background needs."""
DATED = ("release_pivot", "quota_age")
"""Signals that look at the calendar: not available where log and background are of different weeks."""
_s, _i, _f = pa.string(), pa.int64(), pa.float64()
SELFCHECK = pa.schema([
    ("signal", _s), ("dimension", _s), ("question", _s), ("outcome", _s), ("bits", _f), ("statistic", _f), ("null", _f),
    ("why", _s),
])  # fmt: skip
"""One finding a signal; `null` is the median of matched groups of the background, `why` says why there is no answer."""
ADVICE = {
    "source": "Say whose the accounts are: one organisation, every account named in one authorisation.",
    "scale": "Register the volume: requests a day and in all (`stillwatch authorisation request`).",
    "transparency": "Disclose what the accounts have in common: owner, payment, application, whose requests you relay.",
    "purpose": "State the purpose before you start, and which models; evaluation, distillation and research alike.",
}


@dataclass(frozen=True)
class SelfcheckRequest:
    """One's own log, and what to hold it against."""

    scan: ScanRequest
    """`out` is the folder of the result."""
    background: Path | None = None
    """A finished run of another log."""


@dataclass
class _Result:
    rows: list[dict[str, Any]]
    dimensions: dict[str, float | None] = field(default_factory=dict)
    background: dict[str, Any] | None = None


def selfcheck(request: SelfcheckRequest, progress: Progress = SILENT) -> RunFolder:
    """Measure one's own log into the folder `request.scan.out`."""
    _spare(request.scan.out)
    run, meter, started = RunFolder(request.scan.out), Meter(progress), datetime.now(UTC)
    run.begin()
    mine = RunFolder(run.root / ".scratch")
    try:
        mine.begin()
        report = tables_of(mine, replace(request.scan, out=mine.root), meter)
        mine.write("operators", _one_hand(mine.read("accounts")["account_id"]))
        own = gather(mine, request.scan.context)
        facts = _facts(mine, own)
        with meter.stage("measuring"):
            result = _against(own, request, meter) if request.background else _alone(own)
    finally:
        shutil.rmtree(mine.root, ignore_errors=True)
    with run.writer(COMMAND, SELFCHECK) as out:
        out.write_table(pa.Table.from_pylist(result.rows, SELFCHECK))
    stands_out = _stands_out(result)
    run.write_manifest({
        "kind": COMMAND, "version": __version__, "command": request.scan.command,
        "started_at": started.isoformat(timespec="seconds"), "inputs": report.inputs, "counts": report.counts,
        "missing_columns": report.missing_columns, "log": facts, "background": result.background,
        "bits": result.dimensions, "stands_out": stands_out,
        "advice": {name: ADVICE[name] for name in stands_out or ("scale", "purpose")},
        "verdict": "not available: a verdict needs the provider's links between accounts and what was declared",
        "seconds": meter.seconds,
    })  # fmt: skip
    return run


def _spare(out: Path) -> None:
    """A new result replaces an older one, and nothing else."""
    there = {path.name for path in out.iterdir()} if out.is_dir() else set()
    foreign = {name for name in there if name.endswith(".parquet")} - {f"{COMMAND}.parquet"}
    kind = RunFolder(out).manifest().get("kind") if MANIFEST in there else COMMAND
    if (out.exists() and not out.is_dir()) or foreign or kind != COMMAND or {"state.json", "report.html"} & there:
        raise UsageError(f"--out {out} holds what `stillwatch {COMMAND}` did not write: name another folder")


def _one_hand(accounts: pa.ChunkedArray) -> pa.Table:
    n = len(accounts)
    columns = {"account_id": accounts, "operator_id": pa.array([OWN] * n), "proven": pa.array([True] * n)}
    return pa.table([columns.get(one.name, pa.nulls(n, one.type)) for one in OPERATORS], schema=OPERATORS)


def _facts(run: RunFolder, own: Population) -> dict[str, Any]:
    """What an authorisation asks for."""
    daily = own.daily("volume.events").sum(axis=0)
    models = pc.unique(run.read("sketches", ["model"])["model"]).to_pylist()
    return {
        "accounts": own.ids.tolist(), "events": int(daily.sum()), "days": len(own.days),
        "first_day": str(own.days[0]), "last_day": str(own.days[-1]), "most_on_a_day": int(daily.max()),
        "models": sorted(models),
    }  # fmt: skip


def _alone(own: Population) -> _Result:
    """What is measured, with nothing to hold it against."""
    whole = Groups.of([np.arange(len(own))], len(own))
    rows = []
    for signal in all_signals():
        value = float(signal.statistics(own, whole)[0])
        lacks = own.lacks(signal.needs)
        why = f"the log lacks {', '.join(lacks)}" if lacks else "no background was given"
        rows.append(_row(signal, Outcome.NOT_AVAILABLE, None, value, None, why))
    return _Result(rows, dict.fromkeys(ADVICE))


def _row(signal: Any, outcome: str, bits: float | None, value: float, null: float | None, why: str) -> dict[str, Any]:
    return {
        "signal": signal.name, "dimension": signal.dimension.value, "question": signal.question,
        "outcome": str(outcome), "bits": bits, "statistic": value if np.isfinite(value) else None, "null": null,
        "why": why,
    }  # fmt: skip


def _against(own: Population, request: SelfcheckRequest, meter: Meter) -> _Result:
    """Own accounts as one operator among the background's lone ones, judged as any operator is."""
    assert request.background is not None
    other, facts = _background(request.background, own)
    own, shifted = _same_weeks(own, other)
    both = _joined(own, other)
    settings = request.scan.settings.judging
    if shifted:
        settings = settings.model_copy(update={"without": (*settings.without, *DATED)})
    hands = pa.concat_tables([_one_hand(pa.chunked_array([pa.array(own.ids.tolist())])), _singles(other)])
    found = judge(both, hands, settings, seed=request.scan.settings.seed, progress=meter.progress)
    evidence = {row["signal"]: row for row in found.evidence.to_pylist() if row["operator_id"] == OWN}
    rows = []
    for signal in all_signals():
        row = evidence.get(signal.name)
        if row is None:
            rows.append(
                _row(signal, Outcome.NOT_AVAILABLE, None, np.nan, None, "log and background are of other weeks")
            )
            continue
        lacks, value = both.lacks(signal.needs), row["statistic"]
        none = row["outcome"] == Outcome.NOT_AVAILABLE
        why = (f"log or background lack {', '.join(lacks)}" if lacks else "nothing to measure it by") if none else ""
        value = np.nan if value is None else value
        rows.append(_row(signal, row["outcome"], row["bits"], value, row["null"], why))
    verdict = next(row for row in found.verdicts.to_pylist() if row["operator_id"] == OWN)
    facts |= {"shifted_by_days": shifted}
    return _Result(rows, {name: verdict[f"bits_{name}"] for name in ADVICE}, facts)


def _background(root: Path, own: Population) -> tuple[Population, dict[str, Any]]:
    """The lone accounts of a finished run, without those of one's own; and what the manifest should say of it."""
    run = RunFolder(root)
    said, operators = run.manifest(), run.read("operators")
    counted = operators["operator_id"].value_counts()
    size = dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))
    # an accounts table also names those who asked nothing: operators of one, and no ordinary customers
    active = set(run.read("summaries", ["account_id"])["account_id"].to_pylist()) - set(own.ids.tolist())
    pairs = zip(operators["account_id"].to_pylist(), operators["operator_id"].to_pylist(), strict=True)
    lone = [account for account, operator in pairs if size[operator] == 1 and account in active]
    if len(lone) < LEAST:
        raise InputError(
            f"background {root}: {len(lone)} accounts of others that stand alone and asked something; at least {LEAST} "
            "are needed"
        )
    declared = None if "accounts table" in said.get("missing_columns", {}) else run.read("accounts")
    releases = tuple((one["model"], datetime.fromisoformat(one["released_at"])) for one in said.get("releases", []))
    whole = gather(run, Context(accounts=declared, releases=releases))
    if whole.summaries.schema.names != own.summaries.schema.names:
        raise RunError(f"background {root} is of another version of Stillwatch: scan its log anew")
    keep = np.isin(whole.ids, np.array(sorted(lone)))
    ids = pa.array(whole.ids[keep].tolist())
    embedding = None if whole.embedding is None else whole.embedding[keep]
    summaries = whole.summaries.filter(pc.is_in(whole.summaries["account_id"], value_set=ids))
    other = replace(whole, ids=whole.ids[keep], hand=None, embedding=embedding, summaries=summaries)
    facts = {
        "run": str(root), "baseline": said.get("baseline", {}).get("id"), "accounts": len(lone),
        "pseudonyms": said.get("pseudonyms", {}).get("mode"),
        "first_day": str(other.days[0]), "last_day": str(other.days[-1]),
    }  # fmt: skip
    return other, facts


def _same_weeks(own: Population, other: Population) -> tuple[Population, int]:
    """Own days moved by whole weeks into those of the background, where the two do not meet; and by how many days."""
    days, theirs = own.days, other.days
    span, room = (int((one[-1] - one[0]).astype(int)) + 1 for one in (days, theirs))
    if span > room:
        raise InputError(
            f"the log covers {span} days, the background {room}: give a part of the log of at most as many"
        )
    if days[0] >= theirs[0] and days[-1] <= theirs[-1]:
        return own, 0
    gap = int((theirs[0] - days[0]).astype(int))
    shift = -(-gap // 7) * 7
    if days[-1] + shift > theirs[-1]:
        shift = gap  # no room for whole weeks
    summaries, moved = own.summaries, timedelta(days=shift)
    place = summaries.column_names.index("day")
    day = summaries["day"].cast(pa.timestamp("us"))
    new = pc.add(day, pa.scalar(moved, pa.duration("us"))).cast(summaries.schema.field("day").type)
    return replace(own, summaries=summaries.set_column(place, summaries.schema.field("day"), new)), shift


def _joined(own: Population, other: Population) -> Population:
    """Two populations as one: what either lacks neither has."""
    ids = np.concatenate([own.ids, other.ids])
    order = np.argsort(ids, kind="stable")
    parts: Sequence[Population] = (own, other)
    accounts = None
    if own.accounts is not None and other.accounts is not None:
        accounts = pa.concat_tables([part.accounts for part in parts])
    embedding = None
    if own.embedding is not None and other.embedding is not None:
        embedding = np.concatenate([own.embedding, other.embedding])[order]
    place = np.argsort(order)
    return Population(
        ids=ids[order],
        summaries=pa.concat_tables([part.summaries for part in parts]),
        traits_table=lambda view: pa.concat_tables([_traits(part, view) for part in parts]),
        accounts=accounts,
        hand=np.where(order < len(own), 0, -1).astype(np.int64),
        embedding=embedding,
        releases=other.releases or own.releases,
        authorised={int(place[row]): item for row, item in own.authorised.items()},
        available=own.available & other.available,
    )


def _traits(part: Population, view: str) -> pa.Table:
    return part.traits_table if isinstance(part.traits_table, pa.Table) else part.traits_table(view)


def _singles(other: Population) -> pa.Table:
    """Each background account as an operator of one."""
    table = _one_hand(pa.chunked_array([pa.array(other.ids.tolist())]))
    names = pa.array([f"background:{name}" for name in other.ids.tolist()])
    return table.set_column(OPERATORS.get_field_index("operator_id"), OPERATORS.field("operator_id"), names)


def _stands_out(result: _Result) -> list[str]:
    """Dimensions in which a signal was observed, the strongest first."""
    seen = {row["dimension"] for row in result.rows if row["outcome"] == Outcome.OBSERVED}
    return sorted(seen, key=lambda name: -(result.dimensions.get(name) or 0.0))
