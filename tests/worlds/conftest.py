from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.worlds import WorldSummary, write_world


@dataclass
class Written:
    """A world on disk and its tables."""

    root: Path
    summary: WorldSummary

    @cached_property
    def events(self) -> pa.Table:
        """All events with the day's folder left out, in the order of files."""
        files = sorted(self.root.glob("events/*/*.parquet"))
        return pa.concat_tables([pq.ParquetFile(file).read() for file in files])

    @cached_property
    def accounts(self) -> pa.Table:
        return pq.read_table(self.root / "accounts.parquet")

    @cached_property
    def truth(self) -> pa.Table:
        return pq.read_table(self.root / "truth" / "accounts.parquet")

    @cached_property
    def mixed(self) -> pa.Table:
        return pq.read_table(self.root / "truth" / "events.parquet")

    def labels(self) -> dict[str, str]:
        return dict(zip(self.truth["account_id"].to_pylist(), self.truth["label"].to_pylist(), strict=True))


@pytest.fixture(scope="session")
def seed_world(tmp_path_factory: pytest.TempPathFactory) -> Written:
    root = tmp_path_factory.mktemp("seed")
    return Written(root, write_world("seed", root, scale=0.002, seed=3))


@pytest.fixture(scope="session")
def innocent_world(tmp_path_factory: pytest.TempPathFactory) -> Written:
    root = tmp_path_factory.mktemp("innocent")
    return Written(root, write_world("innocent", root, scale=0.06, seed=3))


@pytest.fixture(scope="session")
def demo_world(tmp_path_factory: pytest.TempPathFactory) -> Written:
    root = tmp_path_factory.mktemp("demo")
    return Written(root, write_world("demo", root, scale=0.25, seed=3))
