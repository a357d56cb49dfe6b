"""Requests, tokens and revenue of each account of a run, and what a rule would have touched and turned away of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from stillwatch.decisions.actions import Action, Rate, Scope
from stillwatch.decisions.prices import Price, Prices
from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import RunError


@dataclass(frozen=True, slots=True)
class Amount:
    """Traffic. `revenue` is 0 where no price is known."""

    requests: float = 0
    tokens: float = 0
    revenue: float = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.requests + other.requests, self.tokens + other.tokens, self.revenue + other.revenue)

    def __mul__(self, share: float) -> Amount:
        return Amount(self.requests * share, self.tokens * share, self.revenue * share)


NOTHING = Amount()


@dataclass(frozen=True, slots=True)
class Touched:
    """Of one account: the requests that an action is for, and those of them that it turns away."""

    touched: Amount
    turned_away: Amount


PRICED = """
create temporary view priced as
select account_id, event_id, time, sketches.model, country,
  coalesce(input_tokens, 0) + coalesce(output_tokens, 0) as tokens,
  coalesce(greatest(coalesce(input_tokens, 0) - coalesce(cached_tokens, 0), 0) * input
    + least(coalesce(cached_tokens, 0), coalesce(input_tokens, 0)) * cached
    + coalesce(output_tokens, 0) * output, 0) / 1e6 as revenue,
  input is null as unpriced
from sketches left join prices on prices.model = sketches.model
"""
TOUCHED = """
with mine as (
  select priced.* from priced join those using (account_id) where {scope}),
ranked as (
  select *, {turned} as turned from mine)
select account_id, count(*) as n, sum(tokens) as t, sum(revenue) as r,
  count(*) filter (turned) as an, coalesce(sum(tokens) filter (turned), 0) as at,
  coalesce(sum(revenue) filter (turned), 0) as ar
from ranked group by account_id
"""
OVER = "row_number() over (partition by account_id, epoch_us(time) // {us} order by time, event_id) > {most}"
"""Beyond the first so many of each stretch of the clock."""


class Traffic:
    """Questions to the sketches of a run."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, run: RunFolder) -> None:
        self.connection, self.run = connection, run

    def of_accounts(self) -> dict[str, Amount]:
        """All of it, by account."""
        rows = self._rows("select account_id, count(*), sum(tokens), sum(revenue) from priced group by account_id")
        return {account: Amount(*amount) for account, *amount in rows}

    def unpriced(self) -> dict[str, int]:
        """Requests of models without a price, the most first."""
        return dict(
            self._rows("select model, count(*) as n from priced where unpriced group by all order by n desc, model")
        )

    def touched(
        self, accounts: Iterable[str], action: Action, rate: str | None, scope: Scope, only: tuple[str, ...]
    ) -> dict[str, Touched]:
        """What an action is for, and turns away, of some accounts.

        What a request's capability is, a run does not know: such a rule is taken to be for all of them.
        """
        self.connection.register("those", pa.table({"account_id": pa.array(sorted(accounts), pa.string())}))
        column = {Scope.MODEL: "model", Scope.REGION: "country"}.get(scope)
        turned = "true" if action is Action.BLOCK else "false"
        if action is Action.THROTTLE and rate is not None:
            parsed = Rate.parse(rate)
            turned = OVER.format(us=parsed.seconds * 1_000_000, most=parsed.requests)
        sql = TOUCHED.format(scope=f"{column} in (select unnest(?))" if column else "true", turned=turned)
        rows = self._rows(sql, [list(only)] if column else [])
        return {a: Touched(Amount(n, t, r), Amount(an, at, ar)) for a, n, t, r, an, at, ar in rows}

    def _rows(self, sql: str, values: list[object] | None = None) -> list[Any]:
        try:
            return self.connection.execute(sql, values or []).fetchall()
        except duckdb.Error as error:
            raise RunError(f"the sketches of {self.run.root} cannot be read: {str(error).splitlines()[0]}") from error


@contextmanager
def traffic_of(run: RunFolder, prices: Prices | None) -> Iterator[Traffic]:
    """Open a run's sketches; RunError if there are none."""
    path = run.path("sketches")
    if not path.exists():
        raise RunError(f"{run.root} has no table sketches: is it a finished run folder?")
    with duckdb.connect(config={"memory_limit": "2GB", "threads": 2}) as connection:
        connection.register("prices", _prices(prices.models if prices else {}))
        quoted = str(path).replace("'", "''")
        connection.execute(f"create temporary view sketches as select * from read_parquet('{quoted}')")
        connection.execute(PRICED)
        yield Traffic(connection, run)


def _prices(models: Mapping[str, Price]) -> pa.Table:
    known = [(name, price.input, price.output, price.input if price.cached_input is None else price.cached_input)
             for name, price in models.items()]  # fmt: skip
    schema = pa.schema([("model", pa.string()), *((name, pa.float64()) for name in ("input", "output", "cached"))])
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in known], schema=schema)
