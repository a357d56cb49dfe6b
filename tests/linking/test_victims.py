"""Victims apart from attackers, on logs small enough to read."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.linking.operators import name
from stillwatch.linking.victims import STRAY, change, separate
from stillwatch.model import OPERATORS, SKETCHES, TRAITS

START = datetime(2026, 3, 1, tzinfo=UTC)
BANK = 77


def event(account: str, hour: float, lead: int, origin: str) -> dict[str, Any]:
    return {
        "event_id": f"{account}-{hour}", "source_id": 0, "source_row": 1, "model": "m", "account_id": account,
        "time": START + timedelta(hours=hour), "lead_skeleton": lead, "address_prefix": origin, "user_agent": "sdk",
    }  # fmt: skip


def world(extra: list[dict[str, Any]]) -> tuple[Any, pa.Table, pa.Table]:
    """Eight hired accounts that ask from one template, and whatever else is given."""
    rows = [event(f"hired{k}", 240 + h, BANK, f"proxy{k}") for k in range(8) for h in range(24)]
    rows += [event("hired0", 230 + h / 10, 900 + h, "proxy0") for h in range(40)] + extra
    sketches = pa.Table.from_pylist(rows, schema=SKETCHES)
    counted: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["account_id"], str(row["lead_skeleton"]))
        counted[key] = counted.get(key, 0) + 1
    traits = pa.Table.from_pylist(
        [{"account_id": a, "view": "lead_skeleton", "token": t, "n": n} for (a, t), n in counted.items()], schema=TRAITS
    )
    accounts = sorted({row["account_id"] for row in rows})
    operators = pa.Table.from_pylist(
        [
            {"account_id": a, "operator_id": name(accounts[0]), "membership_bits": 30.0, "proven": True}
            for a in accounts
        ],
        schema=OPERATORS,
    )
    return ibis.memtable(sketches), traits, operators


OWNER = [event("owner", h * 6, 1000 + h, "home") for h in range(60)]
THEFT = [event("owner", 250 + h, BANK, "proxy9") for h in range(40)]


def test_the_owner_of_a_stolen_key_stands_alone() -> None:
    result = separate(*world(OWNER + THEFT))
    assert result.victims["account_id"].to_pylist() == ["owner"]
    row = result.victims.to_pylist()[0]
    assert (row["own_events"], row["foreign_events"]) == (60, 40)
    assert row["since"] == START + timedelta(hours=250)
    by_account = dict(zip(*(result.operators[c].to_pylist() for c in ("account_id", "operator_id")), strict=True))
    assert by_account.pop("owner") == name("owner")
    assert set(by_account.values()) == {name("hired0")}


def test_the_operator_is_renamed_when_its_least_member_was_the_victim() -> None:
    rows = [{**row, "account_id": "a-owner"} for row in OWNER + THEFT]
    result = separate(*world(rows))
    assert result.victims["account_id"].to_pylist() == ["a-owner"]
    assert set(result.operators["operator_id"].to_pylist()) == {name("hired0"), name("a-owner")}


@pytest.mark.parametrize(
    ("why", "rows"),
    [
        ("warmed up from the same address", [{**row, "address_prefix": "proxy9"} for row in OWNER] + THEFT),
        ("own traffic only afterwards", THEFT + [event("owner", 400 + h, 1000 + h, "home") for h in range(60)]),
        ("mixed from the first hour", OWNER + [event("owner", 6 * h, BANK, "proxy9") for h in range(40)]),
        ("hardly any traffic of its own", OWNER[:10] + THEFT),
    ],
)
def test_members_that_are_no_victims_stay(why: str, rows: list[dict[str, Any]]) -> None:
    result = separate(*world(rows))
    assert result.victims.num_rows == 0, why
    assert result.operators["operator_id"].unique().to_pylist() == [name("hired0")]


def test_an_owner_who_once_asked_in_the_operators_words_is_still_one() -> None:
    rows = [*OWNER[:3], event("owner", 20, BANK, "home"), *OWNER[3:], *THEFT]
    result = separate(*world(rows))
    assert result.victims["account_id"].to_pylist() == ["owner"]
    assert result.victims["since"].to_pylist() == [START + timedelta(hours=250)]


@given(st.lists(st.booleans(), max_size=60))
def test_the_turn_is_the_likeliest_place_at_its_exact_chance(flags: list[bool]) -> None:
    n, m = len(flags), sum(flags)
    tried = []
    for place in range(1, n):
        before = sum(flags[:place])
        if flags[place] and before <= STRAY * place:
            ways = sum(math.comb(m, j) * math.comb(n - m, place - j) for j in range(before + 1) if place - j <= n - m)
            tried.append((ways / math.comb(n, place), place))
    place, bits = change(np.array(flags, dtype=bool))
    if not tried:
        assert (place, bits) == (0, 0.0)
        return
    least = min(tried)[0]
    assert bits == pytest.approx(max(-math.log2(least * len(tried)), 0.0), abs=1e-6)
    assert {b: a for a, b in tried}[place] == pytest.approx(least)
