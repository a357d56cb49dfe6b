"""Questions to a run folder, answered by DuckDB on the rows and columns needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import RunError

ACCUSED = "unauthorised_distillation"
RANK = (ACCUSED, "compromised_account", "inconclusive", "authorised_distillation", "heavy_use", "ordinary")
"""Verdicts in the order in which a reader wants them."""


class Look:
    """Rows of a run's tables as dictionaries; `tables` are known to SQL by their names."""

    def __init__(self, run: RunFolder, connection: duckdb.DuckDBPyConnection) -> None:
        self.run, self.connection = run, connection
        for path in sorted(run.root.glob("*.parquet")):
            # a cluster writes a table as a folder of parts
            quoted = str(path / "*.parquet" if path.is_dir() else path).replace("'", "''")
            self.connection.execute(f"create view {path.stem} as select * from read_parquet('{quoted}')")

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of a query with `?` in place of values."""
        try:
            return list(self.connection.sql(sql, params=list(values)).to_arrow_table().to_pylist())
        except duckdb.Error as error:
            raise RunError(f"the tables of {self.run.root} cannot be read: {str(error).splitlines()[0]}") from error

    def one(self, sql: str, *values: Any) -> dict[str, Any] | None:
        """First row, or None."""
        return next(iter(self.rows(sql, *values)), None)

    def operators(self, most: int) -> list[dict[str, Any]]:
        """Verdict rows a reader asks for: everything but lone ordinary accounts, the gravest first."""
        order = "case verdict " + " ".join(f"when '{v}' then {k}" for k, v in enumerate(RANK)) + " else 9 end"
        return self.rows(
            f"select * from verdicts where (verdict <> 'ordinary' or accounts > 1) and events > 0 "
            f"order by {order}, bits_purpose + bits_source desc nulls last, events desc, operator_id limit ?",
            most,
        )

    def evidence(self, operator: str) -> list[dict[str, Any]]:
        """Evidence rows of an operator."""
        return self.rows("select * from evidence where operator_id = ? order by dimension, signal", operator)

    def streams(self, operator: str) -> list[dict[str, Any]]:
        """Streams that an operator's own accounts carry, and those of an accused operator in others' accounts.

        `carrier` is the account's operator, `accused` whether the stream's is accused; the largest first. A run of an
        older version has none.
        """
        if not self.run.path("streams").exists():
            return []
        return self.rows(
            "select streams.*, operators.operator_id as carrier, verdict = ? as accused from streams "
            "join operators using (account_id) join verdicts on verdicts.operator_id = streams.operator_id "
            "where (streams.operator_id = ? or operators.operator_id = ?) "
            "and (role = 'victim' or role = 'member' or verdict = ?) "
            "order by events desc, account_id, streams.operator_id",
            ACCUSED, operator, operator, ACCUSED,
        )  # fmt: skip


@contextmanager
def looking(run: RunFolder) -> Iterator[Look]:
    """Open a finished run; RunError if it is none."""
    run.manifest()
    with duckdb.connect(config={"memory_limit": "2GB", "threads": 2}) as connection:
        yield Look(run, connection)
