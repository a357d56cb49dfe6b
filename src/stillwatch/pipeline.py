"""The walk: a line a stage, a named table a stage.

log -> sketches -> summaries -> accounts -> traits -> profiles -> links -> operators -> streams -> evidence -> verdicts
-> report
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from stillwatch.cases.report import write_report
from stillwatch.engine.duckdb import DuckDBEngine
from stillwatch.engine.meter import Meter
from stillwatch.engine.room import Room
from stillwatch.engine.runfolder import RunFolder
from stillwatch.ingest.accounts import Context, everyone
from stillwatch.ingest.ingest import ingest
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.ingest.report import IngestReport
from stillwatch.judging import Judgement, judge
from stillwatch.judging.carried import carried
from stillwatch.judging.gather import gather
from stillwatch.linking import profiles, streams, traits, victims
from stillwatch.linking.link import LinkResult, link
from stillwatch.manifest import manifest
from stillwatch.progress import SILENT, Progress
from stillwatch.settings import Settings
from stillwatch.signals import all_signals
from stillwatch.signals.summarise import summarise


@dataclass(frozen=True)
class ScanRequest:
    """What to scan and how."""

    sources: Sequence[str | Path]
    out: Path
    format: str = "auto"
    context: Context = field(default_factory=Context)
    settings: Settings = field(default_factory=Settings)
    pseudonyms: Pseudonyms = field(default_factory=Pseudonyms.none)
    command: str = ""
    room: Room = field(default_factory=Room)
    state: Mapping[str, Any] | None = None
    """For the manifest: the state whose sketches are judged, None for a scan of a log."""


@dataclass(frozen=True)
class Found:
    """What linking and judging say about one state of the log."""

    linked: LinkResult
    judgement: Judgement


def scan(request: ScanRequest, progress: Progress = SILENT) -> RunFolder:
    """Run the whole walk into `request.out`; StillwatchError says what the user can mend."""
    run, meter, started = RunFolder(request.out), Meter(progress), datetime.now(UTC)
    run.begin()
    report = read_log(run, request, meter)
    conclude(run, request, report, found_in(run, request, meter), meter, started)
    return run


def read_log(run: RunFolder, request: ScanRequest, meter: Meter) -> IngestReport:
    """Log -> sketches, skeletons, rejects."""
    with meter.stage("reading and sketching"):
        return ingest(
            request.sources,
            run,
            format=request.format,
            settings=request.settings.ingest,
            pseudonyms=request.pseudonyms,
            context=request.context,
            progress=meter.progress,
            room=request.room,
        )


def found_in(run: RunFolder, request: ScanRequest, meter: Meter) -> Found:
    """The sketches of `run` -> every table up to verdicts; `request.sources` is not read."""
    _relations(run, request, meter)
    return linked_and_judged(run, request, meter)


def linked_and_judged(run: RunFolder, request: ScanRequest, meter: Meter) -> Found:
    """Summaries, accounts, traits and profiles of `run` -> every table up to verdicts."""
    with meter.stage("linking"):
        linked = _link(run, request)
    with meter.stage("judging"):
        return Found(linked, _judge(run, request, meter.progress))


def conclude(
    run: RunFolder, request: ScanRequest, report: IngestReport, found: Found, meter: Meter, started: datetime
) -> None:
    """Manifest and report of a run whose tables are written."""
    record = manifest(
        report,
        found.linked,
        found.judgement,
        context=request.context,
        settings=request.settings,
        pseudonyms=request.pseudonyms,
        command=request.command,
    )
    record |= {"started_at": started.isoformat(timespec="seconds"), "state": request.state}
    record |= {"room": request.room.as_dict()}
    with meter.stage("report"):
        run.write_manifest(record | {"seconds": meter.seconds})
        write_report(run)
    record |= {"seconds": meter.seconds, "peak_mebibytes": meter.peak_mebibytes()}
    run.write_manifest(record | {"finished_at": datetime.now(UTC).isoformat(timespec="seconds")})


@contextmanager
def engine_in(run: RunFolder, request: ScanRequest) -> Iterator[DuckDBEngine]:
    """The engine, with a folder for what spills while it runs."""
    with request.room.scratch(run.root) as scratch:
        engine = DuckDBEngine(request.room, scratch)
        try:
            yield engine
        finally:
            engine.close()


def _relations(run: RunFolder, request: ScanRequest, meter: Meter) -> None:
    """Sketches -> summaries, accounts, traits, profiles."""
    with engine_in(run, request) as engine:
        sketches = engine.table(run.path("sketches"))
        with meter.stage("summaries"):
            run.write("summaries", engine.run(summarise(sketches, all_signals())))
            run.write(
                "accounts", everyone(run.read("summaries", ["account_id"])["account_id"], request.context.accounts)
            )
        with meter.stage("traits"):
            run.write("traits", traits.combine(engine.run(traits.from_sketches(sketches)), run.read("accounts")))
    with meter.stage("profiles"):
        ids = run.read("accounts", ["account_id"])["account_id"].combine_chunks()
        run.write("profiles", profiles.from_sketches(pq.ParquetFile(run.path("sketches")), ids))


def _link(run: RunFolder, request: ScanRequest) -> LinkResult:
    """Traits, profiles -> links, operators, streams, victims."""
    shared, settings, known = run.read("traits"), request.settings, request.context.accounts
    linked = link(shared, run.read("profiles"), run.read("accounts"), settings.linking, seed=settings.seed)
    run.write("links", linked.links)
    with engine_in(run, request) as engine:
        sketches = engine.table(run.path("sketches"))
        found = streams.find(sketches, shared, linked.operators, known, settings.linking.fdr)
    separated = victims.separate(linked.operators, found.turns, shared, known)
    found = streams.settled(found, separated)
    run.write("operators", separated.operators)
    run.write("victims", separated.victims)
    run.write("streams", found.streams)
    run.write("stream_events", found.events)
    return linked


def _judge(run: RunFolder, request: ScanRequest, progress: Progress) -> Judgement:
    """Operators -> evidence, verdicts."""
    judgement = judge(
        gather(run, request.context),
        run.read("operators"),
        request.settings.judging,
        victims=run.read("victims"),
        seed=request.settings.seed,
        progress=progress,
    )
    judgement = carried(judgement, run.read("streams"), run.read("operators"))
    run.write("evidence", judgement.evidence)
    run.write("verdicts", judgement.verdicts)
    return judgement
