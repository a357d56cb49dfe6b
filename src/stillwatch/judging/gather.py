"""The named tables of a run as a `Population`."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.engine.runfolder import RunFolder
from stillwatch.ingest.accounts import Context
from stillwatch.model import ACCOUNTS
from stillwatch.population import Authorisation, Ints, Population


def gather(run: RunFolder, context: Context) -> Population:
    """The accounts of a run as arrays, from its named tables."""
    accounts = run.read("accounts")
    ids = np.asarray(accounts["account_id"].to_pylist(), dtype=np.str_)
    profiles = run.read("profiles")
    sums = profiles["embedding"].combine_chunks().flatten().to_numpy().reshape(len(ids), -1)
    n = np.maximum(profiles["events"].to_numpy(), 1)[:, None]
    return Population(
        ids=ids,
        summaries=run.read("summaries"),
        traits_table=partial(_view, run),
        accounts=accounts if context.accounts is not None else None,
        hand=_hand(run.read("operators"), ids),
        embedding=(sums / n).astype(np.float32),
        releases=context.releases,
        authorised=_authorised(context, accounts),
        available=_available(run, context),
    )


def _view(run: RunFolder, view: str) -> pa.Table:
    """Traits of one view: together they may be larger than all the rest that judging holds."""
    return run.read("traits", where=("view", [view]))


def _hand(operators: pa.Table, ids: npt.NDArray[np.str_]) -> Ints:
    """Operator of each account as a number; -1 where membership is not proven."""
    proven = pc.index_in(pa.array(ids), value_set=operators["account_id"].combine_chunks())
    codes = operators["operator_id"].combine_chunks().dictionary_encode().indices
    known = pc.if_else(operators["proven"].combine_chunks(), codes, pa.scalar(-1, codes.type))
    return known.take(proven).fill_null(-1).cast(pa.int64()).to_numpy()


def _authorised(context: Context, accounts: pa.Table) -> dict[int, Authorisation]:
    """Row of an account -> its registration, by account or by organisation."""
    granted: dict[int, list[Authorisation]] = {}
    ids, organisations = accounts["account_id"].to_pylist(), accounts["org_id"].to_pylist()
    for item in context.authorisations:
        covered, org_ids = set(item.accounts), set(item.org_ids)
        registered = Authorisation(
            item.id,
            float(item.max_requests_per_day or 0),
            float(item.max_requests_total or 0),
            item.disclosed_at is not None,
        )
        for row, (account, organisation) in enumerate(zip(ids, organisations, strict=True)):
            if account in covered or (organisation is not None and organisation in org_ids):
                granted.setdefault(row, []).append(registered)
    return {row: _together(several) for row, several in granted.items()}


def _together(granted: list[Authorisation]) -> Authorisation:
    """Several registrations of one account: quotas add, where each has one."""
    if len(granted) == 1:
        return granted[0]
    day, total = [item.max_requests_per_day for item in granted], [item.max_requests_total for item in granted]
    return Authorisation(
        "+".join(sorted(item.id for item in granted)),
        sum(day) if all(day) else 0.0,
        sum(total) if all(total) else 0.0,
        all(item.disclosed for item in granted),
    )


def _available(run: RunFolder, context: Context) -> frozenset[str]:
    """`events.X` and `accounts.X` that hold any value."""
    found = set()
    for path in run.parts("sketches"):
        parquet = pq.ParquetFile(path).metadata
        for group in map(parquet.row_group, range(parquet.num_row_groups)):
            for column in map(group.column, range(group.num_columns)):
                counted = column.statistics
                if counted is None or not counted.has_null_count or counted.null_count < group.num_rows:
                    found.add(f"events.{column.path_in_schema.split('.')[0]}")
    if context.accounts is not None:
        found |= {
            f"accounts.{name}" for name in ACCOUNTS.names if context.accounts[name].null_count < len(context.accounts)
        }
    return frozenset(found)
