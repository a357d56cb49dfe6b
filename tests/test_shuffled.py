"""The shuffled null of the detection benchmark: both margins stay, what goes with what does not."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import shuffled
from stillwatch.worlds import write_world


def test_an_event_gets_the_exits_of_its_accounts_partner_in_turn() -> None:
    of = np.array([0, 1, 0, 1, 1, 2])
    donor = shuffled.donors(of, np.array([1, 0, 2]))
    assert donor.tolist() == [1, 0, 3, 2, 0, 5]


def test_a_world_keeps_what_is_asked_and_deals_the_rest_anew(tmp_path: Path) -> None:
    write_world("quiet", tmp_path, scale=0.03, seed=1)
    before = {name: _read(tmp_path, name) for name in ("events", "accounts.parquet")}
    shuffled.deal(tmp_path, 1)
    after = {name: _read(tmp_path, name) for name in before}
    kept = ["event_id", "account_id", "time", "messages", "system", "output_tokens"]
    assert after["events"].select(kept).equals(before["events"].select(kept))
    assert not after["events"]["client_address"].equals(before["events"]["client_address"])
    assert after["accounts.parquet"]["account_id"].equals(before["accounts.parquet"]["account_id"])
    cards = [sorted(map(str, t["accounts.parquet"]["payment_id"].to_pylist())) for t in (before, after)]
    assert cards[0] == cards[1]
    assert not after["accounts.parquet"]["payment_id"].equals(before["accounts.parquet"]["payment_id"])


def _read(folder: Path, name: str):  # type: ignore[no-untyped-def]
    path = folder / name
    return pq.read_table(path) if path.is_file() else pq.read_table(path, partitioning=None)
