"""The walk: a line a stage, a named table a stage.

log -> sketches -> summaries -> accounts -> traits -> profiles -> links -> operators -> streams -> evidence -> verdicts
-> report
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from stillwatch.cases.report import write_report
from stillwatch.engine.duckdb import DuckDBEngine, duckdb_in
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
from stillwatch.linking.shards import Threads
from stillwatch.linking.views import LINKED
from stillwatch.manifest import manifest
from stillwatch.model import TRAITS
from stillwatch.progress import SILENT, Progress
from stillwatch.settings import Settings
from stillwatch.signals import all_signals
from stillwatch.signals.summarise import summarise

if TYPE_CHECKING:
    from stillwatch.engine.spark import SparkEngine


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
    spark: str = ""
    """Master or Connect server that reads, sketches and derives; empty: this machine does."""
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
    with cluster_of(request, meter) as cluster:
        report = read_log(run, request, meter, cluster)
        _relations(run, request, meter, cluster)
        linked = _linked(run, request, meter, cluster)
    conclude(run, request, report, _judged(run, request, meter, linked), meter, started)
    return run


@contextmanager
def cluster_of(request: ScanRequest, meter: Meter) -> Iterator[SparkEngine | None]:
    """The cluster that the request names, None if it names none."""
    if not request.spark:
        yield None
        return
    from stillwatch.engine.spark import SparkEngine

    with meter.stage("starting spark"):
        cluster = SparkEngine(request.spark, request.room)
    try:
        yield cluster
    finally:
        cluster.close()


def read_log(run: RunFolder, request: ScanRequest, meter: Meter, cluster: SparkEngine | None = None) -> IngestReport:
    """Log -> sketches, skeletons, rejects."""
    with meter.stage("reading and sketching"):
        if cluster is not None:
            from stillwatch.ingest.spread import ingest_spread

            return ingest_spread(
                cluster,
                request.sources,
                run,
                format=request.format,
                settings=request.settings.ingest,
                pseudonyms=request.pseudonyms,
                context=request.context,
            )
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


def tables_of(run: RunFolder, request: ScanRequest, meter: Meter) -> IngestReport:
    """Log -> every table before linking."""
    report = read_log(run, request, meter)
    _relations(run, request, meter)
    return report


def found_in(run: RunFolder, request: ScanRequest, meter: Meter) -> Found:
    """The sketches of `run` -> every table up to verdicts; `request.sources` is not read."""
    _relations(run, request, meter)
    return linked_and_judged(run, request, meter)


def linked_and_judged(run: RunFolder, request: ScanRequest, meter: Meter) -> Found:
    """Summaries, accounts, traits and profiles of `run` -> every table up to verdicts."""
    return _judged(run, request, meter, _linked(run, request, meter))


def _linked(run: RunFolder, request: ScanRequest, meter: Meter, cluster: SparkEngine | None = None) -> LinkResult:
    with meter.stage("linking"):
        return _link(run, request, cluster)


def _judged(run: RunFolder, request: ScanRequest, meter: Meter, linked: LinkResult) -> Found:
    """What linking found -> every table up to verdicts."""
    with meter.stage("streams"):
        _streams(run, request, linked.operators)
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
    record |= {"room": request.room.as_dict(), "spark": request.spark or None}
    with meter.stage("report"):
        run.write_manifest(record | {"seconds": meter.seconds})
        write_report(run)
    record |= {"seconds": meter.seconds, "peak_mebibytes": meter.peak_mebibytes()}
    run.write_manifest(record | {"finished_at": datetime.now(UTC).isoformat(timespec="seconds")})


@contextmanager
def engine_in(run: RunFolder, request: ScanRequest) -> Iterator[DuckDBEngine]:
    """The engine, with a folder for what spills while it runs."""
    with duckdb_in(request.room, run.root) as (engine, _):
        yield engine


def _relations(run: RunFolder, request: ScanRequest, meter: Meter, cluster: SparkEngine | None = None) -> None:
    """Sketches -> summaries, accounts, traits, profiles."""
    with nullcontext(cluster) if cluster is not None else engine_in(run, request) as engine:
        sketches = engine.table(run.parts("sketches"))
        with meter.stage("summaries"):
            run.write("summaries", engine.run(summarise(sketches, all_signals())))
            accounts = everyone(run.read("summaries", ["account_id"])["account_id"], request.context.accounts)
            run.write("accounts", accounts)
            meter.progress.tell(accounts=len(accounts))
        with meter.stage("traits"), run.writer("traits") as out:
            for view in traits.from_sketches(sketches):
                out.write_table(engine.run(view).select(TRAITS.names).cast(TRAITS))
            out.write_table(traits.from_accounts(run.read("accounts")))
    with meter.stage("profiles"):
        ids = run.read("accounts", ["account_id"])["account_id"].combine_chunks()
        if cluster is None:
            run.write("profiles", profiles.from_sketches(run.parts("sketches"), ids, request.room.cores))
            return
        dealt = cluster.by_account(run.parts("sketches"), profiles.COLUMNS, profiles.of_partition, profiles.PARTIAL)
        run.write("profiles", profiles.aligned(dealt, ids))


def _link(run: RunFolder, request: ScanRequest, cluster: SparkEngine | None = None) -> LinkResult:
    """Traits, profiles -> links, operators."""
    settings, shards = request.settings, None
    if cluster is not None:
        from stillwatch.linking.spread import Cluster

        shards = Cluster(cluster, run.root)
    # a view at once: as text they are six times as large as what linking makes of them
    views = (run.read("traits", where=("view", {view})) for view in sorted(LINKED))
    linked = link(
        views, run.read("profiles"), run.read("accounts"), settings.linking, settings.seed,
        threads=Threads(request.room.cores), cluster=shards,
    )  # fmt: skip
    run.write("links", linked.links)
    return linked


def _traits(run: RunFolder, views: Collection[str]) -> pa.Table:
    """Who holds what in some views."""
    return run.read("traits", ["account_id", "view", "token"], where=("view", views))


def _streams(run: RunFolder, request: ScanRequest, linked: pa.Table) -> None:
    """Sketches, traits, operators as they were linked -> streams, victims, operators without them."""
    settings, known = request.settings, request.context.accounts
    # linking is of the size of the traits, not of the log, and streams read the log in passes: they stay here
    with request.room.scratch(run.root) as scratch:
        found = streams.find(
            run.parts("sketches"), _traits(run, streams.VIEWS), linked, known, settings.linking.fdr, scratch=scratch,
            threads=request.room.cores,
        )  # fmt: skip
        separated = victims.separate(linked, found.turns, _traits(run, victims.MEANS), known)
        found = streams.settled(found, separated)
        run.write("operators", separated.operators)
        run.write("victims", separated.victims)
        run.write("streams", found.streams)
        with run.writer("stream_events") as out:
            for part in found.events.parts():
                out.write_table(part)


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
