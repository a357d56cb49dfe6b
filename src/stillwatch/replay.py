"""A log as it would have arrived: what was known on the evening of each day (or more often), and who was accused when.

The log is read and sketched once. For each look the sketches up to then, and what was known beside the log by
then, pass through the same stages as a scan; nothing later is used. An event counts as arrived at its own time. All
looks together keep the stated false-discovery rate (`judging.sequential`), and operators keep their ids
(`linking.identity`).
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch import __version__, renaming
from stillwatch.engine.meter import Meter
from stillwatch.engine.runfolder import MANIFEST, RunFolder
from stillwatch.errors import RunError, UsageError
from stillwatch.ingest.accounts import Context
from stillwatch.ingest.report import IngestReport
from stillwatch.judging.explanations import Fit
from stillwatch.judging.record import Records, said
from stillwatch.judging.sequential import Spending
from stillwatch.linking import identity
from stillwatch.model import OPERATORS, SKETCHES, TIME, VERDICTS, Verdict
from stillwatch.pipeline import Found, ScanRequest, conclude, engine_in, found_in, read_log
from stillwatch.progress import SILENT, Progress

ROWS = 1 << 16
_UP = "ascending"
MORE_GROUPS = 9_999
"""Most matched groups drawn for the sake of a look's small level."""
PERIODS = {"day": 24, "12h": 12, "6h": 6, "3h": 3, "1h": 1}
"""Hours from one possible look to the next; whole ones of a day, UTC."""
TABLES = ("looks", "first_accused", "accused_operators", "merged")


@dataclass(frozen=True)
class ReplayRequest:
    """What to replay and how. `scan.out` is the replay's folder; `scan.settings.judging.fdr` holds for all looks."""

    scan: ScanRequest
    every: int = 1
    """Periods with events from one look to the next; the last one always has one."""
    growth: float = 1.0
    """Look only when the log has grown by this factor since the last look: fewer looks, each at a higher level."""
    spending: Spending = field(default_factory=Spending)
    by: str = "day"
    """What a period is: a key of PERIODS."""


def replay(request: ReplayRequest, progress: Progress = SILENT) -> RunFolder:
    """Look at the log period by period; StillwatchError says what the user can mend.

    Writes into `request.scan.out` the tables of `judging.record` and the last look as the run folder `last`.
    """
    if request.every < 1:
        raise UsageError(f"a look every {request.every} periods: at least 1 is needed")
    if not request.growth >= 1:
        raise UsageError(f"a growth of {request.growth}: at least 1 is needed")
    if request.by not in PERIODS:
        raise UsageError(f"a look by {request.by}: one of {', '.join(PERIODS)} is needed")
    scan, started = request.scan, datetime.now(UTC)
    folder, meter = RunFolder(scan.out), Meter(progress)
    last, work = RunFolder(scan.out / "last"), RunFolder(scan.out / ".look")
    _begin(folder, (last, work))
    report = read_log(last, scan, meter)
    hours = PERIODS[request.by]
    arrivals = arrivals_in(last, scan, hours)
    records = Records(arrivals, request.spending, scan.settings.judging.fdr, timedelta(hours=hours))
    times = look_times(arrivals, request.every, request.growth)
    memory = OPERATORS.empty_table()
    for number, until in enumerate(times, 1):
        meter.progress.stage(f"look {number} of {len(times)}: {said(until)}, {records.state()}")
        run = last if number == len(times) else work
        at = as_of(scan, until, arrivals, records.level(until))
        found = look(last, run, until, at)
        renamed, memory, merges = _renamed(run, found, memory, records)
        records.take(until, run.read("operators"), run.read("verdicts"), merges)
        if run is last:
            conclude(run, at, report, renamed, meter, started)
    shutil.rmtree(work.root, ignore_errors=True)
    for name, table in records.tables().items():
        folder.write(name, table)
    folder.write_manifest(_manifest(request, report, records, started))
    return folder


def _begin(folder: RunFolder, inner: Sequence[RunFolder]) -> None:
    """Make the folder ready; only what a replay writes is removed."""
    try:
        folder.root.mkdir(parents=True, exist_ok=True)
        (folder.root / MANIFEST).unlink(missing_ok=True)
        for name in TABLES:
            folder.path(name).unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"cannot write the folder {folder.root}: {error.strerror}") from error
    for run in inner:
        run.begin()


def arrivals_in(run: RunFolder, request: ScanRequest, hours: int = 24) -> pa.Table:
    """What arrived when: columns until (the end of a period of `hours`), account_id, events, first (time)."""
    with engine_in(run, request) as engine:
        events = engine.table(run.path("sketches")).select("account_id", "time")
        started = events.mutate(hour=lambda t: t.time.truncate("D" if hours == 24 else "h"))
        counted = started.group_by("hour", "account_id").agg(events=lambda t: t.count(), first=lambda t: t.time.min())
        found = engine.run(counted)
    began = pc.floor_temporal(found["hour"].cast(TIME), multiple=hours, unit="hour")
    found = found.set_column(0, "until", _end(began, hours)).group_by(["until", "account_id"])
    rows = found.aggregate([("events", "sum"), ("first", "min")]).sort_by([("until", _UP), ("account_id", _UP)])
    names = ["until", "account_id", "events", "first"]
    schema = pa.schema([("until", TIME), ("account_id", pa.string()), ("events", pa.int64()), ("first", TIME)])
    return rows.select(["until", "account_id", "events_sum", "first_min"]).rename_columns(names).cast(schema)


def _end(began: pa.ChunkedArray, hours: int) -> pa.ChunkedArray:
    """When periods end; the last one that there can be ends with time."""
    last = pa.scalar(datetime.max.replace(tzinfo=UTC), TIME)
    ends = pc.add(began, pa.scalar(timedelta(hours=hours), pa.duration("us")))
    return pc.if_else(pc.less(ends, last), ends, last)


def look_times(arrivals: pa.Table, every: int = 1, growth: float = 1.0) -> list[datetime]:
    """When is looked: after every `every`-th period that has events, if the log has grown enough, and after the last.

    A period without events brings nothing to look at, so one stray date far away costs one look and not thousands.
    What comes after a period does not change whether it has a look, but for the last one.
    """
    counted = arrivals.group_by("until").aggregate([("events", "sum")]).sort_by("until")
    chosen, total, seen = [], 0, 0
    times = counted["until"].to_pylist()
    for number, (until, events) in enumerate(zip(times, counted["events_sum"].to_pylist(), strict=True), 1):
        total += events
        if until == times[-1] or (number % every == 0 and total >= growth * seen):
            chosen.append(until)
            seen = total
    return chosen


def as_of(scan: ScanRequest, until: datetime, arrivals: pa.Table, level: float) -> ScanRequest:
    """The request as it would have been made at `until`, the end of a period, with `level` for the verdicts.

    A p-value is hardly smaller than one over the matched groups, so a small level takes more of them.
    """
    seen = pc.unique(arrivals.filter(pc.less_equal(arrivals["until"], _time(until)))["account_id"])
    groups = max(scan.settings.judging.more_groups, min(math.ceil(2 / level), MORE_GROUPS))
    judging = scan.settings.judging.model_copy(update={"fdr": level, "more_groups": groups})
    return replace(
        scan,
        context=known_by(scan.context, until, seen),
        settings=scan.settings.model_copy(update={"judging": judging}),
    )


def known_by(context: Context, until: datetime, seen: pa.Array) -> Context:
    """What was known beside the log before `until`; `seen` are the accounts that had sent anything by then.

    Accounts created later are unknown (those without a date, until they are seen), later closures have not happened,
    later releases are not out, and a registration clears nobody before it was disclosed and in force. Columns without
    a date (`plan`, `verified`, ...) cannot be put back in time and stay as they are.
    """
    accounts = context.accounts
    if accounts is not None:
        created = accounts["created_at"]
        undated = pc.and_(created.is_null(), pc.is_in(accounts["account_id"], value_set=seen))
        accounts = accounts.filter(pc.or_(pc.fill_null(pc.less(created, _time(until)), False), undated))
        closed = pc.fill_null(pc.less(accounts["closed_at"], _time(until)), False)
        for name in ("closed_at", "closed_reason"):
            kept = pc.if_else(closed, accounts[name], pa.scalar(None, accounts[name].type))
            accounts = accounts.set_column(accounts.schema.get_field_index(name), accounts.field(name), kept)
    return replace(
        context,
        accounts=accounts,
        releases=tuple(release for release in context.releases if release[1] < until),
        authorisations=tuple(
            item
            for item in context.authorisations
            if max(item.valid_from, item.disclosed_at or item.valid_from) < until
        ),
    )


def _time(moment: datetime) -> pa.Scalar:
    return pa.scalar(moment, TIME)


def look(whole: RunFolder, run: RunFolder, until: datetime, at: ScanRequest) -> Found:
    """Write into `run` every table as it was at `until`: sketches up to then, and what follows from them.

    `whole` holds the sketches of the log; it may be `run` itself when nothing comes after. `at` is from `as_of`.
    """
    if run is not whole:
        run.begin()
        _arrived(whole, run, until)
    return found_in(run, replace(at, out=run.root), Meter())


def _arrived(whole: RunFolder, run: RunFolder, until: datetime) -> None:
    """The sketches up to `until`, in their order."""
    try:
        with pq.ParquetWriter(run.path("sketches"), SKETCHES, compression="lz4") as out:
            for batch in pq.ParquetFile(whole.path("sketches")).iter_batches(ROWS):
                out.write_batch(batch.filter(pc.less(batch["time"], _time(until))))
    except OSError as error:
        raise RunError(f"cannot write table sketches in {run.root}: {error.strerror or error}") from error


def _renamed(run: RunFolder, found: Found, memory: pa.Table, records: Records) -> tuple[Found, pa.Table, pa.Table]:
    """The tables of `run` under the ids that operators had, accusations upheld; what to remember, and who merged."""
    renamed = renaming.renamed(run, found, memory)
    explanations = renamed.judgement.explanations
    verdicts = _upheld(renamed.judgement.verdicts, explanations, records)
    run.write("verdicts", verdicts)
    operators = run.read("operators")
    upheld = replace(renamed, judgement=replace(renamed.judgement, verdicts=verdicts))
    return upheld, identity.remember(memory, operators), identity.merged(memory, operators)


def _upheld(verdicts: pa.Table, explanations: Mapping[str, Sequence[Fit]], records: Records) -> pa.Table:
    """Verdicts in which accusations that stand are upheld (`judging.record`)."""
    upheld = records.upheld(verdicts).to_pylist()
    rows = verdicts.to_pylist()
    for row, stands in zip(rows, upheld, strict=True):
        if stands:
            row["verdict"] = Verdict.UNAUTHORISED_DISTILLATION.value
            row["innocent_explanation"] = explanations[row["operator_id"]][0].sentence()
    return pa.Table.from_pylist(rows, schema=VERDICTS)


def _manifest(request: ReplayRequest, report: IngestReport, records: Records, started: datetime) -> dict[str, object]:
    """What was replayed, and how the level was spent."""
    looks = records.tables()["looks"]
    return {
        "version": __version__,
        "command": request.scan.command,
        "settings": request.scan.settings.model_dump(),
        "by": request.by,
        "every": request.every,
        "growth": request.growth,
        "spending": {"half_life_days": request.spending.half_life, "spent": sum(looks["level"].to_pylist())},
        "counts": report.counts | {"looks": len(looks)},
        "pseudonyms": {"mode": request.scan.pseudonyms.mode, "key_fingerprint": request.scan.pseudonyms.fingerprint},
        "started_at": started.isoformat(timespec="seconds"),
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
