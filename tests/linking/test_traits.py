from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.engine.duckdb import DuckDBEngine
from stillwatch.engine.room import Room
from stillwatch.linking import content, traits
from stillwatch.linking.collapse import collapse
from stillwatch.linking.views import VIEWS
from stillwatch.model import PROFILES, SKETCHES, TRAITS

START = datetime(2026, 3, 1, 22, 55, tzinfo=UTC)


def sketches(count: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)

    def draw(most: int) -> list[int | None]:
        return [None if x == 0 else int(x) * 11400714819323198485 % 2**64 for x in rng.integers(0, most, count)]

    columns: dict[str, object] = {name: [None] * count for name in SKETCHES.names}
    columns |= {
        "event_id": [str(k) for k in range(count)],
        "source_id": [0] * count,
        "source_row": list(range(count)),
        "time": [START + timedelta(minutes=int(m)) for m in rng.integers(0, 300, count)],
        "account_id": [f"a{x}" for x in rng.integers(0, 12, count)],
        "model": [f"m{x}" for x in rng.integers(0, 2, count)],
        "lead_skeleton": draw(5),
        "system_skeleton": draw(4),
        "item": draw(60),
        "turns": [None if x == 0 else int(x) for x in rng.integers(0, 4, count)],
        "address": [None if x == 0 else f"it's {x}" for x in rng.integers(0, 9, count)],
        "asn": rng.integers(1, 4, count).tolist(),
        "user_agent": [None if x == 0 else f"ua|{x}" for x in rng.integers(0, 3, count)],
        "max_tokens": [None if x == 0 else 100 for x in rng.integers(0, 2, count)],
    }
    return pa.table([pa.array(columns[f.name], f.type) for f in SKETCHES], schema=SKETCHES)


def expected(table: pa.Table) -> Counter[tuple[str, str, str]]:
    """Views counted event by event."""
    out: Counter[tuple[str, str, str]] = Counter()
    for row in table.to_pylist():
        at = int(row["time"].timestamp())
        lead, item = row["lead_skeleton"], row["item"]
        tokens = {
            "lead_skeleton": lead,
            "system_skeleton": row["system_skeleton"],
            "item_sample": None if item is None or item % 4 else f"{'-' if lead is None else lead}:{item}",
            "address": row["address"],
            "carrier": row["asn"],
            "client": None if row["user_agent"] is None else f"{row['user_agent']}|-",
            "parameters": None if row["max_tokens"] is None else f"{row['max_tokens']}|-|-",
            "active_hour": at // 3600 if row["turns"] in (None, 1) else None,
            "model_day": f"{row['model']}|{row['time']:%Y-%m-%d}",
        }
        out.update((row["account_id"], view, str(token)) for view, token in tokens.items() if token is not None)
    holders = Counter((view, token) for _, view, token in out)
    return Counter({k: n for k, n in out.items() if VIEWS[k[1]].single or holders[k[1:]] > 1})


def test_traits_of_events_agree_with_counting_one_by_one(tmp_path: Path) -> None:
    table = sketches(400, 0)
    pq.write_table(table, tmp_path / "sketches.parquet")
    engine = DuckDBEngine(Room(memory=500 << 20, threads=1))
    views = traits.from_sketches(engine.table(tmp_path / "sketches.parquet"))
    found = pa.concat_tables([engine.run(view).select(TRAITS.names).cast(TRAITS) for view in views])
    engine.close()
    rows = [(r["account_id"], r["view"], r["token"], r["n"]) for r in found.to_pylist()]
    assert {row[:3]: row[3] for row in rows} == expected(table)
    assert rows == sorted(rows, key=lambda row: (row[1], row[2], row[0]))
    assert traits.combine(found, None).schema.names == TRAITS.names


def test_traits_of_accounts_agree_with_the_table() -> None:
    created = [START, START + timedelta(minutes=2), START + timedelta(days=3), None]
    accounts = pa.table(
        {
            "account_id": ["b", "a", "c", "d"],
            "payment_id": ["card", None, "card", "other"],
            "created_at": pa.array(created, pa.timestamp("us", tz="UTC")),
            "country": ["XA", "XA", None, "XA"],
            "email_domain": pa.array([None] * 4, pa.string()),
        }
    )
    hour, ten = int(START.timestamp()) // 3600, int(START.timestamp()) // 600
    assert [(r["account_id"], r["view"], r["token"], r["n"]) for r in traits.from_accounts(accounts).to_pylist()] == [
        ("b", "payment", "card", 1),
        ("c", "payment", "card", 1),
        ("d", "payment", "other", 1),
        ("c", "registration", f"-|{hour + 72}", 1),
        ("a", "registration", f"XA|{hour}", 1),
        ("b", "registration", f"XA|{hour}", 1),
        ("a", "signup_burst", str(ten), 1),
        ("b", "signup_burst", str(ten), 1),
        ("c", "signup_burst", str(ten + 432), 1),
    ]


def test_accounts_of_one_source_share_cells() -> None:
    rng = np.random.default_rng(0)
    source = np.repeat(np.arange(4), 100)
    means = rng.normal(0, 1, (4, 128))[source] + rng.normal(0, 0.3, (400, 128))
    events = rng.integers(5, 60, 400)
    ids = pa.array([f"a{k:04d}" for k in range(400)])
    flat = pa.array((means * events[:, None]).astype(np.float32).ravel())
    manner = pa.nulls(len(ids), PROFILES.field("manner").type)
    profiles = pa.table([ids, pa.array(events), pa.FixedSizeListArray.from_arrays(flat, 128), manner], schema=PROFILES)
    cells = content.cells(profiles, collapse(ids, None), 0)["profile"]
    assert set(np.diff(cells.indptr)[events >= 20]) == {3}
    assert set(np.diff(cells.indptr)[events < 20]) == {0}
    enough = np.flatnonzero(events >= 20)
    shared = (cells[enough] @ cells[enough].T).toarray() > 0
    same = source[enough][:, None] == source[enough][None, :]
    assert shared[same].mean() > 0.4
    assert shared[~same].mean() < 0.1
