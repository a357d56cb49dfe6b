"""A log as it would have arrived: what was known on the evening of each day, and who was accused first when.

The log is read and sketched once. For each look the sketches up to that evening, and what was known beside the log by
then, pass through the same stages as a scan; nothing later is used. An event counts as arrived at its own time. All
looks together keep the stated false-discovery rate (`judging.sequential`), and operators keep their ids
(`linking.identity`).
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

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
from stillwatch.judging.record import Records, evening
from stillwatch.judging.sequential import Spending
from stillwatch.linking import identity
from stillwatch.model import OPERATORS, SKETCHES, TIME, VERDICTS, Verdict
from stillwatch.pipeline import Found, ScanRequest, conclude, engine_in, found_in, read_log
from stillwatch.progress import SILENT, Progress

ROWS = 1 << 16
MORE_GROUPS = 9_999
"""Most matched groups drawn for the sake of a look's small level."""
TABLES = ("looks", "first_accused", "accused_operators", "merged")


@dataclass(frozen=True)
class ReplayRequest:
    """What to replay and how. `scan.out` is the replay's folder; `scan.settings.judging.fdr` holds for all looks."""

    scan: ScanRequest
    every: int = 1
    """Days with events from one look to the next; the last day always has one."""
    growth: float = 1.0
    """Look only when the log has grown by this factor since the last look: fewer looks, each at a higher level."""
    spending: Spending = field(default_factory=Spending)


def replay(request: ReplayRequest, progress: Progress = SILENT) -> RunFolder:
    """Look at the log day by day; StillwatchError says what the user can mend.

    Writes into `request.scan.out` the tables of `judging.record` and the last look as the run folder `last`.
    """
    if request.every < 1:
        raise UsageError(f"a look every {request.every} days: at least 1 is needed")
    if not request.growth >= 1:
        raise UsageError(f"a growth of {request.growth}: at least 1 is needed")
    scan, started = request.scan, datetime.now(UTC)
    folder, meter = RunFolder(scan.out), Meter(progress)
    last, work = RunFolder(scan.out / "last"), RunFolder(scan.out / ".look")
    _begin(folder, (last, work))
    report = read_log(last, scan, meter)
    arrivals = _arrivals(last, scan)
    records = Records(arrivals, request.spending, scan.settings.judging.fdr)
    days = look_days(arrivals, request.every, request.growth)
    memory = OPERATORS.empty_table()
    for number, day in enumerate(days, 1):
        meter.progress.stage(f"look {number} of {len(days)}: {day:%Y-%m-%d}, {records.state()}")
        run = last if number == len(days) else work
        at = as_of(scan, day, arrivals, records.level(day))
        found = look(last, run, day, at)
        renamed, memory, merges = _renamed(run, found, memory, records)
        records.take(day, run.read("operators"), run.read("verdicts"), merges)
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


def _arrivals(run: RunFolder, request: ScanRequest) -> pa.Table:
    """Columns account_id, day (date32), events, first (time): what arrived when, by day and account."""
    with engine_in(run, request) as engine:
        events = engine.table(run.path("sketches")).select("account_id", "time").mutate(day=lambda t: t.time.date())
        counted = events.group_by("day", "account_id").agg(events=lambda t: t.count(), first=lambda t: t.time.min())
        found = engine.run(counted.order_by("day", "account_id"))
    return found.cast(
        pa.schema([("day", pa.date32()), ("account_id", pa.string()), ("events", pa.int64()), ("first", TIME)])
    )


def look_days(arrivals: pa.Table, every: int = 1, growth: float = 1.0) -> list[date]:
    """Days on whose evening is looked: every `every`-th day that has events, if the log has grown enough, and the last.

    A day without events brings nothing to look at, so one stray date far away costs one look and not thousands. What
    comes after a day does not change whether it has a look, but for the last one.
    """
    counted = arrivals.group_by("day").aggregate([("events", "sum")]).sort_by("day")
    chosen, total, seen = [], 0, 0
    days = counted["day"].to_pylist()
    for number, (day, events) in enumerate(zip(days, counted["events_sum"].to_pylist(), strict=True), 1):
        total += events
        if day == days[-1] or (number % every == 0 and total >= growth * seen):
            chosen.append(day)
            seen = total
    return chosen


def as_of(scan: ScanRequest, day: date, arrivals: pa.Table, level: float) -> ScanRequest:
    """The request as it would have been made on the evening of `day`, with `level` for the verdicts.

    A p-value is hardly smaller than one over the matched groups, so a small level takes more of them.
    """
    seen = pc.unique(arrivals.filter(pc.less_equal(arrivals["day"], pa.scalar(day)))["account_id"])
    groups = max(scan.settings.judging.more_groups, min(math.ceil(2 / level), MORE_GROUPS))
    judging = scan.settings.judging.model_copy(update={"fdr": level, "more_groups": groups})
    return replace(
        scan,
        context=known_by(scan.context, evening(day), seen),
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


def look(whole: RunFolder, run: RunFolder, day: date, at: ScanRequest) -> Found:
    """Write into `run` every table as it was on the evening of `day`: sketches up to then, and what follows from them.

    `whole` holds the sketches of the log; it may be `run` itself when nothing comes after `day`. `at` is from `as_of`.
    """
    if run is not whole:
        run.begin()
        _arrived(whole, run, day)
    return found_in(run, replace(at, out=run.root), Meter())


def _arrived(whole: RunFolder, run: RunFolder, day: date) -> None:
    """The sketches up to the evening of `day`, in their order."""
    until = _time(evening(day))
    try:
        with pq.ParquetWriter(run.path("sketches"), SKETCHES, compression="lz4") as out:
            for batch in pq.ParquetFile(whole.path("sketches")).iter_batches(ROWS):
                out.write_batch(batch.filter(pc.less(batch["time"], until)))
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
        "every": request.every,
        "growth": request.growth,
        "spending": {"half_life_days": request.spending.half_life, "spent": sum(looks["level"].to_pylist())},
        "counts": report.counts | {"looks": len(looks)},
        "pseudonyms": {"mode": request.scan.pseudonyms.mode, "key_fingerprint": request.scan.pseudonyms.fingerprint},
        "started_at": started.isoformat(timespec="seconds"),
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
