"""Events dealt into batches of whole accounts, against a sort of all of them in memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.errors import RunError
from stillwatch.linking import dealing
from stillwatch.linking.claims import Claims
from stillwatch.linking.dealing import RECORD, Dealt, numbered
from stillwatch.model import STREAM_EVENTS

EVENTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(0, 3)), min_size=1, max_size=60)


def records(rows: list[tuple[int, int, int]]) -> tuple[np.ndarray, pa.Array]:
    """Account, case and time of each; ids fall as places rise, and one is not ASCII."""
    out = np.zeros(len(rows), RECORD)
    for k, (account, case, time) in enumerate(rows):
        out[k]["account"], out[k]["case"], out[k]["time"], out[k]["row"], out[k]["unit"] = account, case, time, k, 7 * k
    return out, pa.array([f"é{10_000 - k}" if k % 7 == 3 else f"e{10_000 - k}" for k in range(len(rows))], pa.string())


class Read(NamedTuple):
    """A batch, while it is there."""

    rows: list[int]
    names: list[str]
    account: list[int]
    case: list[int]
    starts: list[int]


def read(part: dealing.Batch) -> Read:
    row, account, case = (part.column(name).tolist() for name in ("row", "account", "case"))
    assert part.ids(np.arange(0)).to_pylist() == []
    return Read(row, part.ids(np.arange(len(part))).to_pylist(), account, case, part.starts.tolist())


@settings(deadline=None, max_examples=60)
@given(EVENTS, st.integers(1, 20), st.integers(1, 25))
def test_batches_are_whole_accounts_in_order(rows: list[tuple[int, int, int]], batch: int, at_once: int) -> None:
    held, ids = records(rows)
    sizes = np.bincount(held["account"], minlength=6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dealing, "BATCH", batch)
        patch.setattr(dealing, "ROWS", at_once)
        dealt = Dealt(sizes)
        for start in range(0, len(rows), at_once):
            dealt.add(held[start : start + at_once].copy(), ids.slice(start, at_once))
        batches = [read(part) for part in dealt.batches()]
    names = ids.to_pylist()
    wanted = sorted(range(len(rows)), key=lambda k: (*rows[k], names[k].encode()))
    assert [row for part in batches for row in part.rows] == wanted
    assert [name for part in batches for name in part.names] == [names[k] for k in wanted]
    groups = [
        set(zip(part.account[low:high], part.case[low:high], strict=True))
        for part in batches
        for low, high in zip(part.starts[:-1], part.starts[1:], strict=True)
    ]
    assert all(len(group) == 1 for group in groups)
    assert sorted(one for group in groups for one in group) == sorted({row[:2] for row in rows})
    accounts = [set(part.account) for part in batches]
    assert sum(map(len, accounts)) == len({row[0] for row in rows})


def test_an_account_larger_than_a_batch_is_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dealing, "BATCH", 5)
    held, ids = records([(k % 2, 0, k) for k in range(40)])
    dealt = Dealt(np.array([20, 20]))
    dealt.add(held, ids)
    assert [len(part) for part in dealt.batches()] == [20, 20]


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 4), max_size=30), min_size=1, max_size=6))
def test_values_are_numbered_by_where_they_stand_first(groups: list[list[int]]) -> None:
    values = np.array([value for group in groups for value in group], np.uint64)
    starts = np.cumsum([0, *map(len, groups)])
    wanted = []
    for group in groups:
        codes: dict[int, int] = {}
        wanted += [codes.setdefault(value, len(codes)) for value in group]
    assert numbered(values, starts).tolist() == wanted


def test_a_folder_that_is_not_there_is_said(tmp_path: Any) -> None:
    with pytest.raises(RunError, match="scratch files"):
        Claims(tmp_path / "none")


def test_claims_come_back_as_they_went_in_under_new_ids() -> None:
    rows = [{"event_id": f"e{k}", "account_id": "a", "operator_id": f"op{k % 3}", "p": k / 10, "marked": k % 2 == 0}
            for k in range(9)]  # fmt: skip
    table = pa.Table.from_pylist(rows, schema=STREAM_EVENTS)
    claims = Claims()
    for start in (0, 4):
        claims.add(table.slice(start, 4 if start == 0 else 5))
    again = claims.renamed({"op1": "new", "other": "no"})
    assert len(claims) == 9
    assert claims.table().equals(table)
    assert again.table().to_pylist() == [
        {**row, "operator_id": "new" if row["operator_id"] == "op1" else row["operator_id"]} for row in rows
    ]
