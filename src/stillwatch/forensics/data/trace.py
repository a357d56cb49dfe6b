"""The walk: known answers -> index -> control corpora -> suspect corpus -> tables, tests and a manifest."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.engine.meter import Meter
from stillwatch.engine.runfolder import MANIFEST, RunFolder
from stillwatch.errors import InputError, RunError, UsageError
from stillwatch.forensics.data import findings, nulls
from stillwatch.forensics.data.corpus import Corpus, Texts, open_corpus
from stillwatch.forensics.data.findings import CORPORA, MATCHES, NONE, REASONS, TESTS, Found, Tally
from stillwatch.forensics.data.index import Index, build
from stillwatch.forensics.data.matching import KINDS, NEAR, Matches, match
from stillwatch.forensics.data.record import record
from stillwatch.forensics.data.served import NO_DAY, Answers, of_run, of_state, of_table, with_unserved
from stillwatch.ingest.text.fingerprint import fingerprints
from stillwatch.model import REJECTS
from stillwatch.progress import SILENT, Progress

COMMAND = "trace data"
WHOLE = 1 << 30
"""Fingerprints kept of a corpus's text: all."""
STAGE = pa.schema([
    ("source", pa.int32()), ("row", pa.int64()), ("part", pa.int64()), ("words", pa.int32()), ("kind", pa.int8()),
    ("answer", pa.int64()), ("shared", pa.int32()), ("forward", pa.float32()), ("backward", pa.float32()),
    ("held", pa.int64()), ("alike", pa.int64()), ("reason", pa.int8()),
])  # fmt: skip


@dataclass(frozen=True)
class TraceRequest:
    """What to trace in what. One of `state`, `run` and `served` says which answers are known."""

    corpus: Sequence[str | Path]
    out: Path
    state: Path | None = None
    run: Path | None = None
    served: Sequence[str | Path] = ()
    column: str | None = None
    """Column of the corpus's text; None looks for one."""
    served_column: str | None = None
    """Column of the text in `served` and `unserved`."""
    unserved: Sequence[str | Path] = ()
    controls: Sequence[str | Path] = ()
    """Each one control corpus: a file, a folder or a glob."""
    tests: int = 1
    """Corpora that are tried in all: p-values are multiplied by it."""
    pseudonym: Callable[[str], str] | None = None
    """Of an event id, where the answers known bear keyed pseudonyms."""
    command: str = ""


@dataclass
class _Trace:
    """What the walk gathers."""

    answers: Answers
    index: Index
    found: Found
    tally: Tally = field(default_factory=Tally)
    corpora: list[dict[str, Any]] = field(default_factory=list)
    controls: list[Tally] = field(default_factory=list)


def trace(request: TraceRequest, progress: Progress = SILENT) -> RunFolder:
    """Trace a corpus into the folder `request.out`; StillwatchError says what the user can mend."""
    run, meter, started = RunFolder(request.out), Meter(progress), datetime.now(UTC)
    _spare(request)
    corpus = open_corpus(request.corpus, request.column)
    run.begin()
    scratch = run.root / ".scratch"
    try:
        scratch.mkdir(exist_ok=True)
        with meter.stage("reading known answers"):
            answers = _known(request, scratch)
        with meter.stage("indexing"):
            walk = _Trace(answers, build(answers.known), Found.nothing(answers))
        _refuse_no_overlap(walk)
        for control in request.controls:
            _refuse_itself(control, corpus)
            with meter.stage("control corpora"):
                _control(walk, control, request.column, progress)
        with meter.stage("tracing", sum(source.bytes for source in corpus.sources)):
            _suspect(walk, corpus, scratch / "stage.parquet", progress)
        tests = _tests(walk, request)
        with meter.stage("writing"):
            _write(run, walk, corpus, tests, scratch / "stage.parquet")
    except OSError as error:
        raise RunError(f"cannot write {request.out}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    said = record(answers, walk.found, corpus, walk.tally, walk.corpora, tests)
    run.write_manifest({
        "kind": COMMAND, "command": request.command, "started_at": started.isoformat(timespec="seconds"), **said,
        "seconds": meter.seconds, "peak_mebibytes": meter.peak_mebibytes(),
    })  # fmt: skip
    return run


def _spare(request: TraceRequest) -> None:
    """A new result replaces an older one and nothing else."""
    given = [request.state is not None, request.run is not None, bool(request.served)]
    if sum(given) != 1:
        raise UsageError("say which answers are known: one of --state DIR, --run RUN and --served TABLE")
    if request.tests < 1:
        raise UsageError("--tests counts the corpora that are tried: 1 or more")
    out = request.out
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is no folder")
    if not out.is_dir():
        return
    there = {path.name for path in out.iterdir()}
    ours = {f"{name}.parquet" for name in (*findings.TABLES, "rejects")}
    foreign = {name for name in there if name.endswith(".parquet")} - ours
    kind = RunFolder(out).manifest().get("kind") if MANIFEST in there else COMMAND
    if foreign or kind != COMMAND or {"state.json", "report.html"} & there:
        raise UsageError(f"--out {out} holds what `stillwatch {COMMAND}` did not write: name another folder")


def _known(request: TraceRequest, scratch: Path) -> Answers:
    if request.state is not None:
        answers = of_state(request.state)
    elif request.run is not None:
        answers = of_run(request.run)
    else:
        answers = of_table(request.served, request.served_column, scratch)
    if request.unserved:
        answers = with_unserved(answers, request.unserved, request.served_column, request.pseudonym)
    return answers


def _refuse_no_overlap(walk: _Trace) -> None:
    """Nothing can be found if every answer is short or all prompt."""
    if not findings.traceable(walk.answers, walk.found).any():
        raise InputError(
            f"none of the {walk.answers.served:,} answers known is long enough to be traced: {findings.OWN} "
            "fingerprints of their own, some 15 words that are not the prompt's"
        )


def _refuse_itself(control: str | Path, corpus: Corpus) -> None:
    """A suspect corpus among the control corpora would take out all that it holds itself."""
    suspect = {source.sha256 for source in corpus.sources}
    for source in open_corpus([control]).sources:
        if source.sha256 in suspect:
            raise InputError(f"{source.path}: the control corpus holds a file of the suspect corpus")


def _matched(walk: _Trace, texts: Texts, *, mark: bool = False) -> tuple[Matches, Any]:
    prints = fingerprints(texts.data, texts.offsets, most=WHOLE)
    return match(prints, walk.index, mark=mark), prints.words


def _control(walk: _Trace, path: str | Path, column: str | None, progress: Progress) -> None:
    """Count what a control corpus holds; its texts are documents, and answers found in it are evidence no more."""
    corpus, tally = open_corpus([path], column), Tally()
    for texts in corpus.batches():
        matches, _ = _matched(walk, texts, mark=True)
        copies = matches.kind <= NEAR
        walk.found.control[matches.answer[copies]] = True
        findings.tallied(len(texts.row), matches, np.where(copies, NONE, 1).astype(np.int8), tally)
        progress.advance(0)
    walk.found.documents += tally.texts
    walk.controls.append(tally)
    walk.corpora.append(tally.row(str(path), "control", corpus.rows))


def _suspect(walk: _Trace, corpus: Corpus, stage: Path, progress: Progress) -> None:
    """Match the suspect corpus; matches go to the file `stage`, their answers by place."""
    with pq.ParquetWriter(stage, STAGE, compression="zstd") as out:
        for texts in corpus.batches():
            matches, words = _matched(walk, texts)
            reasons = walk.found.reasons(matches)
            walk.found.add(matches, reasons)
            ours = matches.answer < walk.answers.served
            mine = Matches._make(column[ours] for column in matches)
            findings.tallied(len(texts.row), mine, reasons[ours], walk.tally)
            if len(mine.row):
                out.write_batch(_staged(texts, mine, words, reasons[ours]))
            progress.advance(texts.bytes)
    name = ", ".join(str(source.path) for source in corpus.sources[:3])
    walk.corpora.insert(0, walk.tally.row(name, "suspect", corpus.rows))


def _staged(texts: Texts, matches: Matches, words: Any, reasons: Any) -> pa.RecordBatch:
    row = matches.row
    columns = [
        np.full(len(row), texts.source, np.int32), texts.row[row], texts.part[row], words[row], matches.kind,
        matches.answer, matches.shared, matches.forward, matches.backward, matches.held, matches.alike, reasons,
    ]  # fmt: skip
    return pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=STAGE)


def _tests(walk: _Trace, request: TraceRequest) -> list[nulls.Test]:
    """The tests that what was given allows."""
    answers, found = walk.answers, walk.found
    served, counted = answers.served, walk.found.counted
    out = []
    if len(answers.words) > served:
        pair = answers.pair[served:]
        if (pair >= 0).any():
            requests, code = np.unique(pair[pair >= 0], return_inverse=True)
            others = np.bincount(code, counted[served:][pair >= 0], len(requests)).astype(np.int64)
            drawn = np.bincount(code, minlength=len(requests)).astype(np.int64)
            out.append(nulls.paired(counted[requests], others, drawn, request.tests))
        else:
            able = (found.own >= findings.OWN) & ~found.control
            hits = [int(part.sum()) for part in (counted[:served], able[:served], counted[served:], able[served:])]
            out.append(nulls.pooled(hits[0], hits[1], hits[2], hits[3], request.tests))
    if walk.controls:
        share = walk.tally.copies / walk.tally.texts
        out.append(nulls.controls(share, walk.tally.texts, [(c.copies, c.texts) for c in walk.controls], request.tests))
    return out


def _write(run: RunFolder, walk: _Trace, corpus: Corpus, tests: Sequence[nulls.Test], stage: Path) -> None:
    answers, found = walk.answers, walk.found
    _write_matches(run, walk, [str(source.path) for source in corpus.sources], stage)
    tables = {
        "accounts": findings.of_accounts(answers, found),
        "operators": findings.of_operators(answers, found),
        "days": findings.of_days(answers, found),
        "corpora": pa.Table.from_pylist(walk.corpora, CORPORA),
        "tests": pa.Table.from_pylist([test.as_dict() for test in tests], TESTS),
        "rejects": pa.Table.from_pylist(
            [dict(zip(REJECTS.names, one, strict=True)) for one in corpus.rejects], REJECTS
        ),
    }  # fmt: skip
    for name, table in tables.items():
        with run.writer(name, table.schema) as out:
            out.write_table(table)


def _write_matches(run: RunFolder, walk: _Trace, sources: list[str], stage: Path) -> None:
    """The staged matches with whose they are."""
    answers, found, n = walk.answers, walk.found, walk.answers.served
    with run.writer("matches", MATCHES) as out, pq.ParquetFile(stage) as staged:
        hit = np.zeros(n, np.bool_)
        for batch in staged.iter_batches(columns=["answer"]):
            hit[batch["answer"].to_numpy()] = True
        wanted = np.flatnonzero(hit)
        events = answers.events(wanted).combine_chunks()
        accounts = pa.array(answers.accounts, pa.string())
        operators = pa.array([answers.operators.get(name) for name in answers.accounts], pa.string())
        for batch in staged.iter_batches():
            answer, reason = batch["answer"].to_numpy(), batch["reason"].to_numpy()
            place = pa.array(np.searchsorted(wanted, answer))
            whose, day = pa.array(answers.account[answer]), answers.day[answer]
            columns = {
                "source": pa.array(sources, pa.string()).take(batch["source"]),
                "kind": pa.array(KINDS).take(batch["kind"]),
                "event_id": events["event_id"].combine_chunks().take(place),
                "account_id": accounts.take(whose), "operator_id": operators.take(whose),
                "day": pa.array(day, mask=day == NO_DAY).cast(pa.date32()),
                "model": events["model"].combine_chunks().take(place),
                "bits": pa.array(found.bits(batch["held"].to_numpy())),
                "counted": pa.array(reason == NONE), "reason": pa.array(REASONS).take(batch["reason"]),
            }  # fmt: skip
            arrays = [columns[one.name] if one.name in columns else batch[one.name] for one in MATCHES]
            out.write_batch(pa.RecordBatch.from_arrays(arrays, schema=MATCHES))
