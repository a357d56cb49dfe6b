"""What is derived from the sketches of whole UTC days, and how days become the tables of a run.

Summaries are by account and day as they are. Traits and profiles are kept by account and day and merge by adding
counts and exact sums, so that the merge is bit by bit what a scan of all days computes. A token that one account alone
held on a day may be shared later, so it is dropped only when days are put together; but for views whose tokens name a
time within the day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.engine.duckdb import DuckDBEngine
from stillwatch.engine.runfolder import RunFolder
from stillwatch.ingest.text.profile import EXACT
from stillwatch.linking.manner import STEP
from stillwatch.linking.profiles import COLUMNS, summed, table
from stillwatch.linking.traits import TOKENS, counted, shared, spelled
from stillwatch.linking.views import VIEWS
from stillwatch.model import MANNER, PROFILE, TRAITS
from stillwatch.signals import all_signals
from stillwatch.signals.summarise import summarise

WITHIN_A_DAY = frozenset({"model_day", "active_hour"})
"""Views whose tokens name a time within one UTC day: no other day can have them."""
DAY_TRAITS = pa.schema([("day", pa.date32()), *((field.name, field.type) for field in TRAITS)])
DAY_PROFILES = pa.schema(
    [("day", pa.date32()), ("account_id", pa.string()), ("events", pa.int64()),
     ("sums", pa.list_(pa.int64(), PROFILE)), ("manner", pa.list_(pa.int64(), MANNER))]
)  # fmt: skip
"""`sums` in steps of 2^-24 (`ingest.text.profile`), `manner` of 2^-16 (`linking.manner`)."""
TABLES = ("summaries", "traits", "profiles")
ROWS = 65_536


def derive(engine: DuckDBEngine, sketches: Sequence[Path], days: Sequence[date], out: RunFolder) -> None:
    """Write summaries, traits and profiles of `days` into `out`, from all tables of sketches that have any of them."""
    t = engine.table(sketches)
    t = t.filter(t.time.date().isin(list(days)))
    out.write("summaries", engine.run(summarise(t, all_signals())))
    _write(out, "traits", engine.run(traits_by_day(t)).select(DAY_TRAITS.names).cast(DAY_TRAITS))
    _write(out, "profiles", profiles_by_day(sketches, days))


def _write(out: RunFolder, name: str, table: pa.Table) -> None:
    # the name is that of a run's table, the columns are not
    with out.writer(name, table.schema) as writer:
        writer.write_table(table)


def traits_by_day(sketches: ir.Table) -> ir.Table:
    """DAY_TRAITS of a sketches table, by day, view, token and account."""
    dated = sketches.mutate(day=sketches.time.date())
    parts = [_view(dated, name) for name in TOKENS]
    return ibis.union(*parts, distinct=False).order_by(["day", "view", "token", "account_id"])


def _view(dated: ir.Table, name: str) -> ir.Table:
    counts, keys = counted(dated, name, "day")
    if name in WITHIN_A_DAY and not VIEWS[name].single:
        counts = shared(counts, keys)
    return spelled(counts, name, keys, "day").select(DAY_TRAITS.names)


def together(parts: ir.Table) -> ir.Table:
    """DAY_TRAITS of several days -> model.TRAITS by view, token and account, as `linking.traits.from_sketches` gives.

    Tokens of one account only are dropped where their view drops them: first by a hash, which is cheap and errs only by
    keeping, then by what they are.
    """
    single = [view.name for view in VIEWS.values() if view.single]
    kept, rest = parts.filter(parts["view"].isin(single)), parts.filter(parts["view"].notin(single))
    rest = rest.mutate(h=rest.token.hash())
    shared = rest.group_by(["view", "h"]).agg(least=rest.account_id.min(), most=rest.account_id.max())
    shared = shared.filter(shared.least != shared.most)
    rest = _added(rest.semi_join(shared, ["view", "h"]))
    rest = rest.mutate(held=ibis._.count().over(ibis.window(group_by=["view", "token"])))
    rest = rest.filter(rest.held > 1).drop("held")
    return ibis.union(_added(kept), rest, distinct=False).order_by(["view", "token", "account_id"])


def _added(parts: ir.Table) -> ir.Table:
    total = parts.group_by(["account_id", "view", "token"]).agg(n=parts.n.sum())
    return total.select("account_id", "view", "token", n=total.n.cast("int64"))


def profiles_by_day(sketches: Sequence[Path], days: Sequence[date]) -> pa.Table:
    """DAY_PROFILES of `days`, by day and account."""
    wanted = pa.array(sorted(days), pa.date32())
    parts = [DAY_PROFILES.empty_table()]
    for path in sketches:
        for batch in pq.ParquetFile(path).iter_batches(ROWS, columns=["time", *COLUMNS]):
            day = batch["time"].cast(pa.timestamp("us")).cast(pa.date32())
            here = pc.is_in(day, value_set=wanted)
            part = pa.table({"day": day, **{name: batch[name] for name in COLUMNS}}).filter(here)
            if len(part):
                parts.append(_profiles(part.combine_chunks()))
    return _sum(pa.concat_tables(parts), ["day", "account_id"])


def _profiles(part: pa.Table) -> pa.Table:
    keys, rows = _rows(part, ["day", "account_id"])
    sums, counts, ways = summed(part.to_batches()[0], rows, len(keys))
    return _table(keys, counts, *(np.rint(x * n).astype(np.int64) for x, n in ((sums, EXACT), (ways, STEP))))


def _rows(table: pa.Table, names: list[str]) -> tuple[pa.Table, npt.NDArray[np.int64]]:
    """Distinct keys in order, and the place among them of each row."""
    numbered = table.select(names).append_column("row", pa.array(np.arange(len(table))))
    keys = numbered.group_by(names).aggregate([]).sort_by([(name, "ascending") for name in names])
    keys = keys.append_column("place", pa.array(np.arange(len(keys))))
    joined = numbered.join(keys, names).sort_by("row")
    return keys.select(names), joined["place"].to_numpy()


def _sum(parts: pa.Table, names: list[str]) -> pa.Table:
    """Rows of the same key become one."""
    if not len(parts):
        return parts.select([*names, "events", "sums", "manner"])
    keys, rows = _rows(parts, names)
    order = np.argsort(rows, kind="stable")
    starts = np.searchsorted(rows[order], np.arange(len(keys)))
    counts = np.add.reduceat(parts["events"].to_numpy()[order], starts)
    lists = (_rows_of(parts, name)[order] for name in ("sums", "manner"))
    return _table(keys, counts, *(np.add.reduceat(values, starts, axis=0) for values in lists))


def _rows_of(table: pa.Table, name: str) -> npt.NDArray[np.int64]:
    """A column of lists of one length as rows."""
    flat = np.concatenate([chunk.flatten().to_numpy() for chunk in table[name].chunks])
    return np.asarray(flat.reshape(len(table), -1))


def _table(
    keys: pa.Table, counts: npt.NDArray[np.int64], sums: npt.NDArray[np.int64], ways: npt.NDArray[np.int64]
) -> pa.Table:
    out = keys.append_column("events", pa.array(counts))
    for name, values, width in (("sums", sums, PROFILE), ("manner", ways, MANNER)):
        out = out.append_column(name, pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), width))
    return out


def profiles_together(parts: pa.Table, accounts: pa.Array) -> pa.Table:
    """DAY_PROFILES of several days -> model.PROFILES in the order of `accounts`, as `linking.profiles` gives."""
    total = _sum(parts, ["account_id"])
    sums, counts = np.zeros((len(accounts), PROFILE)), np.zeros(len(accounts), np.int64)
    ways = np.zeros((len(accounts), MANNER))
    if len(total):
        rows = pc.index_in(total["account_id"].combine_chunks(), value_set=accounts).to_numpy().astype(np.int64)
        sums[rows], ways[rows] = _rows_of(total, "sums") / EXACT, _rows_of(total, "manner") / STEP
        counts[rows] = total["events"].to_numpy()
    return table(accounts, counts, sums, ways)
