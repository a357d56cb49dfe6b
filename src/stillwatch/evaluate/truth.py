"""The truth of a world: who is behind each account, and behind each event where an account mixes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import InputError

CAMPAIGN = "campaign"
PERMITTED = "permitted_distiller"
VICTIM = "stolen_key_victim"


@dataclass(frozen=True)
class TrueAccount:
    """One account and who is really behind it. Whoever is not of a campaign is honest, the victim of a theft too."""

    account_id: str
    operator_id: str
    label: str
    campaign: str
    """Name of the campaign; empty for honest accounts."""

    @property
    def harvests(self) -> bool:
        """Whether the account belongs to a campaign."""
        return self.label == CAMPAIGN


@dataclass(frozen=True)
class Truth:
    """All accounts by id (those of the log, before pseudonyms), and what the accounts that mix did for campaigns."""

    accounts: dict[str, TrueAccount]
    mixed: dict[str, int] = field(default_factory=dict)
    """Campaign events of each account that truth/events names; 0 if all of its events there are honest."""
    harvested: dict[str, str] = field(default_factory=dict)
    """Campaign of each event that truth/events names as one's."""

    def honest_share(self, account: str, requests: int) -> float:
        """Share of an account's requests that are not a campaign's, in [0, 1]; what mixes is named by truth/events."""
        if account in self.mixed:
            return max(0.0, 1.0 - self.mixed[account] / requests) if requests else 1.0
        return float(not self.accounts[account].harvests)


def read_truth(path: Path) -> Truth:
    """From a world folder, its truth folder, or the accounts table itself; InputError names what is wrong with it."""
    file = _accounts_file(path)
    table = _read(file, ("account_id", "operator_id", "label"), ("campaign",))
    accounts: dict[str, TrueAccount] = {}
    for number, row in enumerate(table.to_pylist(), 1):
        for name in ("account_id", "operator_id", "label"):
            if row[name] is None:
                raise InputError(f"{file}: row {number}: no {name}")
        if row["account_id"] in accounts:
            raise InputError(f"{file}: row {number}: duplicate account_id")
        campaign = (row["campaign"] or row["operator_id"]) if row["label"] == CAMPAIGN else ""
        accounts[row["account_id"]] = TrueAccount(row["account_id"], row["operator_id"], row["label"], campaign)
    events = file.parent / "events.parquet"
    return Truth(accounts, _mixed(events), _harvested(events))


def _accounts_file(path: Path) -> Path:
    if path.is_file():
        return path
    for candidate in (path / "truth" / "accounts.parquet", path / "accounts.parquet"):
        if candidate.is_file():
            return candidate
    raise InputError(f"{path}: no truth there: neither truth/accounts.parquet nor accounts.parquet, nor is it a table")


def _mixed(file: Path) -> dict[str, int]:
    """Campaign events of each account that is named there; empty without the file."""
    if not file.is_file():
        return {}
    table = _read(file, ("account_id", "label"), ())
    counts: dict[str, int] = {}
    for row in table.group_by(["account_id", "label"]).aggregate([([], "count_all")]).to_pylist():
        if row["account_id"] is None:
            raise InputError(f"{file}: {row['count_all']} rows have no account_id")
        harvest = row["count_all"] if row["label"] == CAMPAIGN else 0
        counts[row["account_id"]] = counts.get(row["account_id"], 0) + harvest
    return counts


def _harvested(file: Path) -> dict[str, str]:
    """Campaign (or else operator) of each event named there as a campaign's; empty without the file."""
    if not file.is_file():
        return {}
    table = _read(file, ("account_id", "label"), ("event_id", "operator_id", "campaign"))
    rows = (row for row in table.to_pylist() if row["label"] == CAMPAIGN and row["event_id"] is not None)
    return {row["event_id"]: row["campaign"] or row["operator_id"] or "" for row in rows}


def _read(file: Path, required: tuple[str, ...], optional: tuple[str, ...]) -> pa.Table:
    """The columns as strings; an optional one that is missing is null."""
    try:
        # one file, never a dataset: a folder called day=... above it must not become a column
        source = pq.ParquetFile(file)
        names = set(source.schema_arrow.names)
        for name in required:
            if name not in names:
                raise InputError(f"{file}: the truth needs a column {name}")
        table = source.read(columns=[name for name in (*required, *optional) if name in names])
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{file}: not a readable Parquet file: {error}") from error
    arrays = [table[name].cast(pa.string()) if name in table.column_names else None for name in (*required, *optional)]
    filled = [pa.nulls(len(table), pa.string()) if array is None else array for array in arrays]
    return pa.table(filled, names=[*required, *optional])
