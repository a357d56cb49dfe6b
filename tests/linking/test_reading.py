"""The log in passes: the same from a table and from files, whatever is read at once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.engine.runfolder import table_writer
from stillwatch.hashing import hash64
from stillwatch.linking import reading
from stillwatch.linking.reading import hashed, joined, parts, sizes
from stillwatch.model import SKETCHES

ACCOUNTS = ["a", "b", "ü", None]


def log(n: int = 50) -> pa.Table:
    rows = [
        {"event_id": f"e{k}", "source_id": 0, "source_row": k, "time": datetime(2026, 3, 1, tzinfo=UTC), "model": "m",
         "account_id": ["a", "b", "ü", "unknown"][k * k % 4], "key_id": [None, "", "k"][k % 3]}
        for k in range(n)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=SKETCHES)


def files(folder: Path) -> list[Path]:
    """The same log as two files of several row groups."""
    out = []
    for k, piece in enumerate((log().slice(0, 33), log().slice(33))):
        out.append(folder / f"{k}.parquet")
        with table_writer(out[-1], SKETCHES) as writer:
            writer.write_table(piece, 7)
    return out


@pytest.mark.parametrize("at_once", [4, 1000])
def test_files_and_tables_read_alike(at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ROWS", at_once)
    ids = pa.array(["a", "b", "ü"])
    names = log()["account_id"].to_pylist()
    wanted = [ids.to_pylist().index(name) if name != "unknown" else -1 for name in names]
    for source in (log(), files(tmp_path)):
        found: list[Any] = list(parts(source, ("event_id", "key_id"), ids))
        assert [row for part in found for row in part.account.tolist()] == wanted
        assert [name for part in found for name in part.events["event_id"].to_pylist()] == [f"e{k}" for k in range(50)]
        assert [part.start for part in found] == np.cumsum([0, *(len(part.events) for part in found)])[:-1].tolist()
        keys = np.concatenate([hashed(part.events["key_id"]) for part in found]).tolist()
        assert keys == [0 if key is None else hash64(key) for key in log()["key_id"].to_pylist()]
        assert sizes(source, ids).tolist() == [names.count(name) for name in ids.to_pylist()]


def test_what_is_joined_tells_order_and_parts() -> None:
    one, two = np.array([1, 2, 0, 0], np.uint64), np.array([2, 1, 3, 0], np.uint64)
    assert len(set(joined(one, two).tolist())) == 4
    assert joined(one, two).tolist() != joined(two, one).tolist()
    assert joined(one, two)[0] == joined(two, one)[1]
    assert not set(joined(one, two).tolist()) & set(joined(one).tolist())
