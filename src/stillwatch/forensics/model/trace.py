"""The walk of `stillwatch trace model`: check plan and commitments, get evidence, test, judge, write."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import __version__
from stillwatch.engine.runfolder import atomic
from stillwatch.errors import InputError, UsageError
from stillwatch.forensics.model import canaries
from stillwatch.forensics.model.canaries import Canary
from stillwatch.forensics.model.commitments import Commitment, Commitments
from stillwatch.forensics.model.evidence import FEEDS, read_evidence
from stillwatch.forensics.model.keys import Key, KeyStore
from stillwatch.forensics.model.plan import Plan, check_before, committed_keys, committed_plan, fingerprint, load_plan
from stillwatch.forensics.model.suspects import ask, is_live
from stillwatch.forensics.model.testing import Case, findings
from stillwatch.forensics.model.tokenizer import load_tokenizer
from stillwatch.forensics.model.twins import TwinRow, sealed_rows
from stillwatch.forensics.model.verdict import EXPLANATIONS, NOT_SHOWN, NULLS, Judgement, judge
from stillwatch.progress import SILENT, Progress

RESULT = "result.json"


@dataclass(frozen=True)
class Request:
    """What to test against what."""

    plan: Path
    keys: Path
    commitments: Path
    sources: Sequence[str]
    """Of one suspect: a URL, a transformers folder, or evidence files."""
    suspect: str | None
    """Its name in the plan; None if the plan has but one."""
    folder: Path
    model: str = ""
    """The name by which an endpoint knows the model."""
    command: str = ""


@dataclass(frozen=True)
class Traced:
    """The outcome, as it was written."""

    suspect: str
    judgement: Judgement
    result: dict[str, Any]
    path: Path


def trace(request: Request, progress: Progress = SILENT) -> Traced:
    """Test one suspect. InputError, and no number, for whatever does not fit."""
    progress.stage("checking plan and commitments")
    _begin(request.folder)
    plan = load_plan(request.plan)
    suspect = _name(plan, request.suspect)
    lines = Commitments(request.commitments).read()
    fixed = committed_plan(plan, lines)
    keys = committed_keys(plan, KeyStore(request.keys), lines)
    case, notes = _case(plan, keys, lines)
    progress.stage("asking the suspect")
    evidence, more = _evidence(request, case, progress)
    progress.stage("testing")
    judgement = judge(findings(case, suspect, evidence), plan.tests)
    result = _result(request, plan, fixed, keys, suspect, judgement, notes + more)
    _write(request.folder, evidence, result)
    return Traced(suspect, judgement, result, request.folder / RESULT)


def _name(plan: Plan, given: str | None) -> str:
    if given is None:
        if len(plan.suspects) > 1:
            raise UsageError(f"the plan has {len(plan.suspects)} suspects: say which with --as")
        return plan.suspects[0]
    if given not in plan.suspects:
        raise InputError(f"refused: {given} is not a suspect of the plan ({', '.join(plan.suspects)})")
    return given


def _case(plan: Plan, keys: Mapping[str, tuple[Key, Commitment]], lines: list[Commitment]) -> tuple[Case, list[str]]:
    """What was served, as it was logged and committed, and notes on what was left out."""
    twins: list[TwinRow] = []
    notes: list[str] = []
    if plan.twin_log is not None:
        twins, late = sealed_rows(plan.twin_log, plan.twin_log.name, lines)
        if late:
            notes.append(f"{late:,} twins were logged after the last seal and are not used")
        for row in twins:
            if row.key in keys:
                check_before(keys[row.key][1], datetime.fromisoformat(row.time), f"the key {row.key} was committed")
    drawn = _canaries(plan, keys) if plan.canaries is not None else {}
    tokens = load_tokenizer(plan.tokenizer) if plan.tokenizer is not None else None
    return Case(plan, {id: key for id, (key, _) in keys.items()}, twins, drawn, tokens), notes


def _canaries(plan: Plan, keys: Mapping[str, tuple[Key, Commitment]]) -> dict[str, list[Canary]]:
    """The canaries of the plan's table, drawn again from their keys."""
    assert plan.canaries is not None
    out: dict[str, list[Canary]] = {}
    for number, line in enumerate(plan.canaries.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            if row["key"] not in plan.keys:
                continue
            key = keys[row["key"]][0]
            made = canaries.draw(key, row["place"], row["prompt"], row.get("count", 1000), row.get("digits", 8))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"canaries {plan.canaries}: line {number}: {error!r}") from error
        out.setdefault(key.id, []).append(made)
    return out


def _evidence(request: Request, case: Case, progress: Progress) -> tuple[dict[str, pa.Table], list[str]]:
    """Tables by name, each from one source, and notes."""
    out: dict[str, pa.Table] = {}
    notes: list[str] = []
    for source in request.sources:
        if is_live(source):
            got, more = ask(source, request.model, case, progress)
            notes += more
        else:
            kind, table = read_evidence(Path(source))
            got = {kind: table}
        for kind, table in got.items():
            if kind in out:
                raise InputError(f"refused: two sources give {kind}: name one")
            out[kind] = table
    return out, notes


def _result(
    request: Request,
    plan: Plan,
    fixed: Commitment,
    keys: Mapping[str, tuple[Key, Commitment]],
    suspect: str,
    judgement: Judgement,
    notes: list[str],
) -> dict[str, Any]:
    looked = {finding.statistic for finding in judgement.findings}
    missing = [name for name in plan.statistics if name not in looked]
    return {
        "version": __version__,
        "command": request.command,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "suspect": suspect,
        "sources": list(request.sources),
        "tier": judgement.tier,
        "because": judgement.because,
        "tests": judgement.tests,
        "plan": {"name": plan.name, "fingerprint": fingerprint(plan), "committed": fixed.time, "line": fixed.number},
        "keys": {
            id: {"role": key.role, "commitment": key.commitment, "committed": made.time, "line": made.number}
            for id, (key, made) in keys.items()
        },
        "findings": [
            {**asdict(finding), "check_p": finding.check_p, "null": NULLS[finding.statistic]}
            for finding in judgement.findings
        ],
        "not_available": {name: f"no table of {FEEDS[name]}" for name in missing},
        "not_shown": list(NOT_SHOWN),
        "innocent_explanations": list(EXPLANATIONS),
        "notes": notes,
        "seed": plan.seed,
        "versions": {"python": platform.python_version(), **{n: version(n) for n in ("numpy", "scipy", "pyarrow")}},
    }


def _begin(folder: Path) -> None:
    """An older result goes first, so that it cannot be taken for that of a refused run."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RESULT).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from error


def _write(folder: Path, evidence: Mapping[str, pa.Table], result: dict[str, Any]) -> None:
    """The evidence as it was tested, then the result: a folder without one is not finished."""
    try:
        for kind, table in evidence.items():
            with atomic(folder / f"{kind}.parquet") as temporary:
                pq.write_table(table, temporary, compression="zstd")
        with atomic(folder / RESULT) as temporary:
            temporary.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from error
