"""What a policy may ask of a run: each account, its operator's verdict and evidence, and how sure its membership is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from stillwatch.decisions.actions import Certainty
from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import RunError
from stillwatch.model import Dimension, Outcome, Verdict


@dataclass(frozen=True, slots=True)
class OperatorFacts:
    """One operator of a run."""

    operator_id: str
    verdict: Verdict
    fdr: float | None
    """False-discovery rate stated with the verdict; None where nothing was tested."""
    accounts: int
    events: int
    bits: Mapping[Dimension, float | None]
    """Evidence by dimension; None where nothing could be looked at."""
    outcomes: Mapping[Dimension, Outcome]
    """Observed if a finding that is worth bits was; not available is never the same as not observed."""


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """One account of a run."""

    account_id: str
    operator: OperatorFacts
    certainty: Certainty
    membership_bits: float


@dataclass(frozen=True)
class RunFacts:
    """A run as a policy sees it."""

    root: Path
    judged_at: datetime
    """When the run was finished: decisions lapse counted from here."""
    operators: Mapping[str, OperatorFacts]
    accounts: Mapping[str, AccountFacts]
    merged: Mapping[str, str]
    """Operator ids that ended -> the id that took their members, followed to the end."""


OBSERVED = """
select operator_id, dimension from evidence where outcome = 'observed' and bits > 0 group by all
"""
MEMBERS = """
select account_id, operator_id, coalesce(membership_bits, 0) as bits, coalesce(proven, false) as proven from operators
"""


def read_facts(root: Path) -> RunFacts:
    """Facts of a finished run folder; RunError if it is none, or its tables cannot be read."""
    run = RunFolder(root)
    manifest = run.manifest()
    with duckdb.connect(config={"memory_limit": "2GB", "threads": 2}) as connection:
        observed = {(row["operator_id"], row["dimension"]) for row in _rows(connection, run, "evidence", OBSERVED)}
        verdicts = _rows(connection, run, "verdicts", "select * from verdicts")
        members = _rows(connection, run, "operators", MEMBERS)
    try:
        operators = {row["operator_id"]: _operator(row, observed) for row in verdicts}
        accounts = {row["account_id"]: _account(row, operators) for row in members}
    except (KeyError, ValueError, TypeError) as error:
        raise RunError(f"the tables of {root} do not fit together: {error}") from error
    return RunFacts(root, _judged_at(root, manifest), operators, accounts, _merged(manifest))


def _rows(connection: duckdb.DuckDBPyConnection, run: RunFolder, name: str, sql: str) -> list[dict[str, Any]]:
    path = run.path(name)
    if not path.exists():
        raise RunError(f"{run.root} has no table {name}: is it a finished run folder?")
    try:
        quoted = str(path).replace("'", "''")
        connection.execute(f"create or replace temporary view {name} as select * from read_parquet('{quoted}')")
        return list(connection.sql(sql).to_arrow_table().to_pylist())
    except duckdb.Error as error:
        raise RunError(f"table {name} in {run.root} cannot be read: {str(error).splitlines()[0]}") from error


def _operator(row: Mapping[str, Any], observed: set[tuple[str, str]]) -> OperatorFacts:
    bits = {dimension: row[f"bits_{dimension.value}"] for dimension in Dimension}
    outcomes = {}
    for dimension, value in bits.items():
        seen = Outcome.OBSERVED if (row["operator_id"], dimension.value) in observed else Outcome.NOT_OBSERVED
        outcomes[dimension] = Outcome.NOT_AVAILABLE if value is None else seen
    counts = row["accounts"] or 1, row["events"] or 0
    return OperatorFacts(row["operator_id"], Verdict(row["verdict"]), row["fdr"], *counts, bits, outcomes)


def _account(row: Mapping[str, Any], operators: Mapping[str, OperatorFacts]) -> AccountFacts:
    operator = operators[row["operator_id"]]
    known = Certainty.PROVEN if row["proven"] else Certainty.LINKED
    certainty = Certainty.LONE if operator.accounts == 1 else known
    return AccountFacts(row["account_id"], operator, certainty, row["bits"])


def _judged_at(root: Path, manifest: Mapping[str, Any]) -> datetime:
    try:
        read = datetime.fromisoformat(manifest["finished_at"])
        return read if read.tzinfo else read.replace(tzinfo=UTC)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"the manifest of {root} does not say when the run was finished") from error


def _merged(manifest: Mapping[str, Any]) -> dict[str, str]:
    rows = (manifest.get("state") or {}).get("merged_operators", [])
    into = {row["operator_id"]: row["merged_into"] for row in rows}
    out = {}
    for old in into:
        new, seen = old, {old}
        while new in into and into[new] not in seen:
            new = into[new]
            seen.add(new)
        out[old] = new
    return out
