"""Victims apart from attackers, on logs small enough to read."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.linking.operators import name
from stillwatch.linking.streams import find
from stillwatch.linking.victims import STRAY, Separated, change, turn
from stillwatch.linking.victims import separate as separate_turns
from stillwatch.model import ACCOUNTS, OPERATORS, SKETCHES, TRAITS

START = datetime(2026, 3, 1, tzinfo=UTC)
BANK = 77


def event(account: str, hour: float, lead: int, origin: str) -> dict[str, Any]:
    return {
        "event_id": f"{account}-{origin}-{hour}", "source_id": 0, "source_row": 1, "model": "m", "account_id": account,
        "time": START + timedelta(hours=hour), "lead_skeleton": lead, "address_prefix": origin, "user_agent": "sdk",
    }  # fmt: skip


def world(extra: list[dict[str, Any]]) -> tuple[Any, pa.Table, pa.Table]:
    """Eight hired accounts that ask from one template, whatever else is given, and forty strangers."""
    rows = [event(f"hired{k}", 240 + h, BANK, f"proxy{k}") for k in range(8) for h in range(24)]
    rows += [event("hired0", 230 + h / 10, 900 + h, "proxy0") for h in range(40)] + extra
    rows += [event(f"stranger{k}", 6 * h, 10_000 + 100 * k + h, f"line{k}") for k in range(40) for h in range(20)]
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
            {"account_id": a, "operator_id": name(a), "membership_bits": 0.0, "proven": True}
            if a.startswith("stranger")
            else {"account_id": a, "operator_id": name(accounts[0]), "membership_bits": 30.0, "proven": True}
            for a in accounts
        ],
        schema=OPERATORS,
    )
    return sketches, traits, operators


def separate(sketches: Any, traits: pa.Table, operators: pa.Table, accounts: pa.Table | None = None) -> Separated:
    return separate_turns(operators, find(sketches, traits, operators).turns, traits, accounts)


OWNER = [event("owner", h * 6, 1000 + h, "home") for h in range(60)]
THEFT = [event("owner", 250 + h, BANK, "proxy9") for h in range(40)]


def test_the_owner_of_a_stolen_key_stands_alone() -> None:
    result = separate(*world(OWNER + THEFT))
    assert result.victims["account_id"].to_pylist() == ["owner"]
    row = result.victims.to_pylist()[0]
    assert (row["own_events"], row["foreign_events"]) == (60, 40)
    assert row["since"] == START + timedelta(hours=250)
    by_account = dict(zip(*(result.operators[c].to_pylist() for c in ("account_id", "operator_id")), strict=True))
    assert by_account["owner"] == name("owner")
    assert {by_account[f"hired{k}"] for k in range(8)} == {name("hired0")}


def test_the_operator_is_renamed_when_its_least_member_was_the_victim() -> None:
    rows = [{**row, "account_id": "a-owner"} for row in OWNER + THEFT]
    result = separate(*world(rows))
    assert result.victims["account_id"].to_pylist() == ["a-owner"]
    assert {name("hired0"), name("a-owner")} <= set(result.operators["operator_id"].to_pylist())
    assert result.victims["operator_id"].to_pylist() == [name("hired0")]


@pytest.mark.parametrize(("others", "victims"), [("hired3", []), ("someone", ["owner"])])
def test_who_pays_with_a_hired_account_s_card_is_hired(others: str, victims: list[str]) -> None:
    sketches, traits, operators = world(OWNER + THEFT)
    cards = [{"account_id": a, "view": "payment", "token": "card", "n": 1} for a in ("owner", others)]
    traits = pa.concat_tables([traits, pa.Table.from_pylist(cards, schema=TRAITS)])
    assert separate(sketches, traits, operators).victims["account_id"].to_pylist() == victims


def test_who_opened_the_account_with_the_others_is_hired() -> None:
    opened = [{"account_id": f"hired{k}", "created_at": START - timedelta(days=k)} for k in range(8)]
    for days, victims in ((90, ["owner"]), (2, [])):
        owner = {"account_id": "owner", "created_at": START - timedelta(days=days)}
        accounts = pa.Table.from_pylist([*opened, owner], schema=ACCOUNTS)
        assert separate(*world(OWNER + THEFT), accounts).victims["account_id"].to_pylist() == victims


@pytest.mark.parametrize(("days", "victims"), [(40, ["owner"]), (10, [])])
def test_an_owner_of_some_weeks_is_one_though_the_ring_is_older(days: int, victims: list[str]) -> None:
    opened = [{"account_id": f"hired{k}", "created_at": START - timedelta(days=180 - k)} for k in range(8)]
    owner = {"account_id": "owner", "created_at": START - timedelta(days=days)}
    accounts = pa.Table.from_pylist([*opened, owner], schema=ACCOUNTS)
    assert separate(*world(OWNER + THEFT), accounts).victims["account_id"].to_pylist() == victims


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
    by_account = dict(zip(*(result.operators[c].to_pylist() for c in ("account_id", "operator_id")), strict=True))
    assert by_account["owner"] == by_account["hired7"] == name("hired0")


def test_an_owner_who_once_asked_in_the_operators_words_is_still_one() -> None:
    rows = [*OWNER[:3], event("owner", 20, BANK, "home"), *OWNER[3:], *THEFT]
    result = separate(*world(rows))
    assert result.victims["account_id"].to_pylist() == ["owner"]
    assert result.victims["since"].to_pylist() == [START + timedelta(hours=250)]


@pytest.mark.parametrize(
    ("why", "days", "victims"),
    [
        ("an old customer", 110, ["owner"]),
        ("opened with the operator's accounts", 25, []),
        ("of whom nothing is known", None, []),
    ],
)
def test_of_a_theft_in_a_logs_first_days_age_speaks(why: str, days: int | None, victims: list[str]) -> None:
    """Six requests before the turn, of some in ten: 10 to 20 bits."""
    own = [event("owner", 6 * h, 1000 + h, "home") for h in range(6)]
    own += [event("owner", 50.5 + 6 * h, 2000 + h, "home") for h in range(30)]
    theft = [event("owner", 40 + h, BANK, "proxy9") for h in range(300)]
    opened = [{"account_id": f"hired{k}", "created_at": START - timedelta(days=30 - k)} for k in range(8)]
    if days is not None:
        opened.append({"account_id": "owner", "created_at": START - timedelta(days=days)})
    accounts = pa.Table.from_pylist(opened, schema=ACCOUNTS)
    given_world = world(own + theft)
    bits = find(*given_world).turns.filter(pc.field("account_id") == "owner")["bits"].to_pylist()
    assert [10 <= one < 20 for one in bits] == [True], why
    assert separate(*given_world, accounts).victims["account_id"].to_pylist() == victims, why
    assert separate(*given_world).victims.num_rows == 0


def test_cover_from_the_exits_of_the_harvest_is_no_owner_s() -> None:
    """An account whose first days are cover only, and which goes on with cover beside the harvest."""
    foreign = np.array([False] * 40 + [True, False] * 40)
    times = np.arange(120) * 3 * 3_600_000_000
    elsewhere = np.where(foreign, 1, 0)
    same = np.where(np.arange(120) < 40, 0, 1)
    assert turn(times, elsewhere, foreign) is not None
    assert turn(times, same, foreign) is None


@pytest.mark.parametrize("shared", [False, True])
def test_a_weak_turn_is_none_where_the_owner_is_once_seen_at_the_thief_s(shared: bool) -> None:
    foreign = np.array([False] * 6 + [True] * 10 + [False, True, True, True] * 30)
    origin = np.where(foreign, 1, 0)
    origin[-4] = int(shared)
    found = turn(np.arange(len(foreign)) * 3 * 3_600_000_000, origin, foreign)
    assert (found is None) == shared
    assert found is None or 10 <= float(str(found["bits"])) < 20


@settings(deadline=None)
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
