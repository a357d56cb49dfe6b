"""A run folder: one named Parquet table per stage and a manifest.

A table appears under its name only once it is whole: it is written beside it as `.NAME.parquet.tmp`, flushed to disk
and renamed. The manifest is written last, so a folder without one was not finished.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import RunError
from stillwatch.model import TABLES

MANIFEST = "manifest.json"


@contextmanager
def atomic(path: Path, writer: str = "") -> Iterator[Path]:
    """A temporary path beside `path` that replaces it when the block ends well, and is removed when it does not.

    `writer` tells several writers of one path apart.
    """
    temporary = path.with_name(f".{path.name}{writer and '-' + writer}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


UNIQUE = frozenset({"event_id", "source_row", "time", "item", "skeleton", "vector", "duration_ms"})
"""Columns whose values hardly repeat: a dictionary of them costs time and room and is given up in the end."""


def table_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A Parquet writer, compressed, with dictionaries where values repeat."""
    leaves = [
        f"{column.name}.list.element" if pa.types.is_nested(column.type) else column.name
        for column in schema
        if column.name not in UNIQUE
    ]
    return pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=leaves)


class RunFolder:
    """Tables and manifest of one run under `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def begin(self) -> None:
        """Make the folder ready: an older run's manifest goes first, so that it cannot vouch for new tables."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            (self.root / MANIFEST).unlink(missing_ok=True)
            # tables may be folders of parts; scratch files are those of a run that was killed
            for pattern in ("*.parquet", ".*.tmp", ".scratch-*", "report.html"):
                for stale in self.root.glob(pattern):
                    shutil.rmtree(stale) if stale.is_dir() else stale.unlink(missing_ok=True)
        except OSError as error:
            raise RunError(f"cannot write the run folder {self.root}: {error.strerror}") from error

    def path(self, name: str) -> Path:
        """Where table `name` lies."""
        return self.root / f"{name}.parquet"

    def parts(self, name: str) -> list[Path]:
        """Files of table `name`, in order: one, or the parts that the executors of a cluster wrote."""
        path = self.path(name)
        return sorted(path.glob("*.parquet")) if path.is_dir() else [path]

    @contextmanager
    def writer(self, name: str, schema: pa.Schema | None = None) -> Iterator[pq.ParquetWriter]:
        """A Parquet writer for table `name`; the table exists only if the block ends without an error."""
        try:
            with (
                atomic(self.path(name)) as temporary,
                table_writer(temporary, schema or TABLES[name]) as out,
            ):
                yield out
        except OSError as error:
            raise RunError(f"cannot write table {name} in {self.root}: {error.strerror or error}") from error

    def write(self, name: str, table: pa.Table | Iterable[pa.RecordBatch]) -> None:
        """Write a whole table at once, cast to its schema where `model.TABLES` fixes one."""
        if not isinstance(table, pa.Table):
            table = pa.Table.from_batches(table, schema=TABLES[name])
        if name in TABLES:
            table = table.select(TABLES[name].names).cast(TABLES[name])
        with self.writer(name, table.schema) as out:
            out.write_table(table)

    def read(
        self, name: str, columns: list[str] | None = None, where: tuple[str, Collection[str]] | None = None
    ) -> pa.Table:
        """Table `name`, or its rows in whose column `where[0]` stands one of `where[1]`.

        RunError if it is not there or cannot be read.
        """
        chosen = None if where is None else [(where[0], "in", sorted(where[1]))]
        try:
            return pq.read_table(self.path(name), columns=columns, filters=chosen)
        except FileNotFoundError as error:
            raise RunError(f"{self.root} has no table {name}: is it a finished run folder?") from error
        except (OSError, pa.ArrowInvalid) as error:
            raise RunError(f"table {name} in {self.root} cannot be read: {error}") from error

    def pieces(self, name: str) -> Iterator[pa.Table]:
        """Table `name`, a row group at once; RunError if it is not there or cannot be read."""
        for path in self.parts(name):
            try:
                with pq.ParquetFile(path) as file:
                    for k in range(file.num_row_groups):
                        yield file.read_row_group(k)
            except FileNotFoundError as error:
                raise RunError(f"{self.root} has no table {name}: is it a finished run folder?") from error
            except (OSError, pa.ArrowInvalid) as error:
                raise RunError(f"table {name} in {self.root} cannot be read: {error}") from error

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Write `manifest.json`, the sign that the run is whole."""
        with atomic(self.root / MANIFEST) as temporary:
            temporary.write_text(json.dumps(manifest, indent=2, sort_keys=True, default=str) + "\n", encoding="utf-8")

    def manifest(self) -> dict[str, Any]:
        """The manifest of a finished run; RunError if there is none."""
        try:
            return dict(json.loads((self.root / MANIFEST).read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise RunError(f"{self.root} is not a finished run folder: it has no {MANIFEST}") from error
        except ValueError as error:
            raise RunError(f"{self.root / MANIFEST} is not JSON: {error}") from error
