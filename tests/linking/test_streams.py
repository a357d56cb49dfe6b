"""Streams in accounts that are not the operator's, on logs small enough to read: exact accounts and exact events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.engine.runfolder import table_writer
from stillwatch.linking import dealing, examples, reading, victims
from stillwatch.linking.operators import name
from stillwatch.linking.streams import Streams, find, settled
from stillwatch.model import ACCOUNTS, OPERATORS, SKETCHES, TRAITS

START = datetime(2026, 3, 1, tzinfo=UTC)
RING = [f"ring{k}" for k in range(8)]
PEOPLE = [f"person{k:02}" for k in range(60)]


def event(account: str, number: int, lead: int, **what: Any) -> dict[str, Any]:
    """One request: about the bank's subject if its first words are the bank's or `harvest` is given."""
    harvest = what.pop("harvest", 0 < lead < 100)
    rng = np.random.default_rng(number)
    vector = rng.integers(-30, 30, 64) + 90 * np.eye(64)[5 if harvest else 10 + number % 15]
    return {
        "event_id": f"{account}-{number}", "source_id": 0, "source_row": 1, "model": "m", "account_id": account,
        "time": START + timedelta(hours=what.pop("hour", number)), "lead_skeleton": lead,
        "vector": vector.astype(np.int8).tobytes(), "user_agent": "sdk", "address_prefix": account, **what,
    }  # fmt: skip


def ring(cover: int = 10) -> list[dict[str, Any]]:
    """Eight accounts, each with thirty requests out of a bank of twenty first words, a few in words of their own, and
    cover."""
    rows = []
    for k, account in enumerate(RING):
        rows += [event(account, 1000 + n, 1 + (n + 3 * k) % 20, max_tokens=4096) for n in range(30)]
        rows += [event(account, 2000 + n, 500_000 + 100 * k + n, harvest=True, max_tokens=4096) for n in range(5)]
        rows += [event(account, 3000 + n, 600_000 + 100 * k + n, max_tokens=512) for n in range(cover)]
    return rows


def people() -> list[dict[str, Any]]:
    return [event(a, n, 10_000 + 100 * k + n, max_tokens=512) for k, a in enumerate(PEOPLE) for n in range(15)]


def reseller(account: str = "seller", passes_on: bool = True) -> list[dict[str, Any]]:
    """Twelve customers, one of whom is the ring: 24 of its requests in the bank's words and 6 in others."""
    rows = []
    for customer in range(12):
        user = {"end_user_id": f"user{customer}"} if passes_on else {}
        rows += [
            event(account, 100 * customer + n, 20_000 + 100 * customer + n, max_tokens=512, **user) for n in range(20)
        ]
    user = {"end_user_id": "the ring"} if passes_on else {}
    rows += [event(account, 5000 + n, 1 + n % 20, max_tokens=4096, **user) for n in range(24)]
    return rows + [event(account, 6000 + n, 700_000 + n, harvest=True, max_tokens=4096, **user) for n in range(6)]


def log(rows: list[dict[str, Any]]) -> tuple[Any, pa.Table, pa.Table]:
    """Sketches, traits and operators; the ring is one operator, everybody else alone."""
    counted: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["account_id"], str(row["lead_skeleton"]))
        counted[key] = counted.get(key, 0) + 1
    traits = [{"account_id": a, "view": "lead_skeleton", "token": t, "n": n} for (a, t), n in counted.items()]
    operators = [
        {
            "account_id": a, "operator_id": name("ring0") if a in RING else name(a), "membership_bits": 30.0,
            "proven": True,
        }
        for a in sorted({row["account_id"] for row in rows})
    ]  # fmt: skip
    return (
        pa.Table.from_pylist(rows, schema=SKETCHES), pa.Table.from_pylist(traits, schema=TRAITS),
        pa.Table.from_pylist(operators, schema=OPERATORS),
    )  # fmt: skip


def found_in(rows: list[dict[str, Any]], accounts: pa.Table | None = None) -> Streams:
    return find(*log(rows), accounts)


def outside(found: Streams) -> list[tuple[str, str, int]]:
    rows = [row for row in found.streams.to_pylist() if row["role"] != "member"]
    return [(row["account_id"], row["role"], row["events"]) for row in rows]


def events_of(found: Streams, account: str) -> set[str]:
    return {row["event_id"] for row in found.events.table().to_pylist() if row["account_id"] == account}


DECLARED = pa.Table.from_pylist([{"account_id": "seller", "path": "reseller"}], schema=ACCOUNTS)


def test_a_reseller_s_customer_is_the_ring_in_all_that_it_sends() -> None:
    found = found_in(ring() + people() + reseller(), DECLARED)
    assert outside(found) == [("seller", "reseller", 30)]
    assert events_of(found, "seller") == {f"seller-{n}" for n in (*range(5000, 5024), *range(6000, 6006))}
    row = next(row for row in found.streams.to_pylist() if row["account_id"] == "seller")
    assert row["operator_id"] == name("ring0")
    assert row["marked"] == 24
    assert "end_user" in row["kinds"].split(",")
    assert row["share"] == pytest.approx(30 / 270)


def test_a_reseller_that_passes_nobody_on_still_carries_it() -> None:
    found = found_in(ring() + people() + reseller(passes_on=False), DECLARED)
    assert [(a, role) for a, role, _ in outside(found)] == [("seller", "reseller")]
    assert {f"seller-{n}" for n in range(5000, 5024)} <= events_of(found, "seller")
    assert not events_of(found, "seller") & {f"seller-{n}" for n in range(1200)}


def test_cover_in_the_ring_s_own_accounts_is_not_its_stream() -> None:
    found = found_in(ring(cover=25) + people())
    for account in RING:
        assert events_of(found, account) == {f"{account}-{n}" for n in (*range(1000, 1030), *range(2000, 2005))}
    assert {row["role"] for row in found.streams.to_pylist()} == {"member"}


def test_who_asks_in_the_bank_s_words_like_in_any_others_carries_no_stream() -> None:
    """A person who read the same prompt guide: the same network, client and hours as for all else it asks."""
    reader = [event("reader", n, 30_000 + n if n % 3 else 1 + n // 3, max_tokens=512) for n in range(30)]
    assert outside(found_in(ring() + people() + reader)) == []


def test_a_log_of_honest_people_has_no_streams() -> None:
    found = found_in(people() + reseller())
    assert (len(found.streams), len(found.events), len(found.turns)) == (0, 0, 0)


def test_one_declared_organisation_has_no_streams() -> None:
    declared = [{"account_id": a, "org_id": "one"} for a in RING] + [{"account_id": "seller", "path": "reseller"}]
    found = found_in(ring() + people() + reseller(), pa.Table.from_pylist(declared, schema=ACCOUNTS))
    assert len(found.streams) == 0


def test_an_unlinked_account_with_a_life_of_its_own_is_a_victim() -> None:
    owner = [event("owner", n, 40_000 + n, hour=3 * n, max_tokens=512) for n in range(80)]
    theft = [
        event("owner", 5000 + n, 1 + n % 20, hour=120 + 2 * n, address_prefix="exit", max_tokens=4096)
        for n in range(40)
    ]
    sketches, traits, operators = log(ring() + people() + owner + theft)
    found = find(sketches, traits, operators)
    separated = victims.separate(operators, found.turns, traits)
    assert separated.victims["account_id"].to_pylist() == ["owner"]
    assert separated.victims["operator_id"].to_pylist() == [name("ring0")]
    final = settled(found, separated)
    assert outside(final) == [("owner", "victim", 40)]
    assert events_of(final, "owner") == {f"owner-{n}" for n in range(5000, 5040)}


def test_names_and_the_order_of_rows_do_not_count() -> None:
    rows = ring() + people() + reseller()
    one = found_in(rows, DECLARED)
    new = {a: f"z{k:03}" for k, a in enumerate(sorted({row["account_id"] for row in rows}, reverse=True))}
    order = np.random.default_rng(3).permutation(len(rows))
    changed = [{**rows[k], "account_id": new[rows[k]["account_id"]]} for k in order]
    sketches, traits, operators = log(changed)
    members = {new[a] for a in RING}
    ids = ["op" if a in members else name(a) for a in operators["account_id"].to_pylist()]
    operators = operators.set_column(1, "operator_id", pa.array(ids, pa.string()))
    declared = pa.Table.from_pylist([{"account_id": new["seller"], "path": "reseller"}], schema=ACCOUNTS)
    two = find(sketches, traits, operators, declared)
    assert set(two.events.table()["event_id"].to_pylist()) == set(one.events.table()["event_id"].to_pylist())
    assert [(a, r, n) for a, r, n in outside(two)] == [(new[a], r, n) for a, r, n in outside(one)]


def test_a_victim_of_thieves_in_other_words_is_told_by_their_exits() -> None:
    """Hardly anything that the thief sends is marked or like the bank; it leaves through the ring's exits."""
    pool = [f"exit{k}" for k in range(4)]
    hired = [{**row, "address_prefix": pool[k % 4]} for k, row in enumerate(ring())]
    owner = [event("owner", n, 40_000 + n, hour=3 * n, max_tokens=512) for n in range(80)]
    theft = [
        event("owner", 5000 + n, 90_000 + n if n % 10 else 1 + n // 10, hour=120 + 2 * n, max_tokens=512,
              harvest=False, address_prefix=pool[n % 4])
        for n in range(40)
    ]  # fmt: skip
    sketches, traits, operators = log(hired + people() + owner + theft)
    exits = {(row["account_id"], row["address_prefix"]) for row in hired + people() + owner + theft}
    left = [{"account_id": a, "view": "address_prefix", "token": t, "n": 1} for a, t in sorted(exits)]
    for views, robbed in ((TRAITS.empty_table(), []), (pa.Table.from_pylist(left, schema=TRAITS), ["owner"])):
        # the owner was linked to the ring
        known = [name("ring0") if a == "owner" else o for a, o in zip(*operators_of(operators), strict=True)]
        members = operators.set_column(1, "operator_id", pa.array(known, pa.string()))
        together = pa.concat_tables([traits, views])
        found = find(sketches, together, members)
        assert victims.separate(members, found.turns, together).victims["account_id"].to_pylist() == robbed


def test_how_much_is_read_and_held_at_once_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sketches, traits, operators = log(ring() + people() + reseller())
    whole = find(sketches, traits, operators, DECLARED)
    path = tmp_path / "sketches.parquet"
    with table_writer(path, SKETCHES) as out:
        out.write_table(sketches.take(np.random.default_rng(5).permutation(len(sketches))), 100)
    for module, limit, value in ((reading, "ROWS", 37), (dealing, "BATCH", 50), (examples, "HELD_AT_ONCE", 60)):
        monkeypatch.setattr(module, limit, value)
    parts = find([path], traits, operators, DECLARED, scratch=tmp_path, threads=3)
    assert len(parts.events.places) > 2
    assert parts.streams.equals(whole.streams)
    one, two = (found.events.table() for found in (whole, parts))
    assert two.drop_columns("p").equals(one.drop_columns("p"))
    assert two["p"].to_numpy() == pytest.approx(one["p"].to_numpy(), abs=1e-9)
    assert [left.name for left in tmp_path.iterdir()] == [path.name]


def test_an_event_that_two_operators_claim_is_the_one_s_with_the_better_claim() -> None:
    """The other ring asks from half of the bank and harvests the same subject: it marks what it alone asks."""
    other = [f"other{k}" for k in range(8)]
    asks = [event(a, 1000 + n, 40 + (n + 3 * k) % 20, max_tokens=4096) for k, a in enumerate(other) for n in range(30)]
    seller = reseller()
    seller += [event("seller", 8000 + n, 40 + n % 20, max_tokens=4096, end_user_id="the ring") for n in range(24)]
    sketches, traits, operators = log(ring() + asks + people() + seller)
    ids = ["op_other" if a in other else o for a, o in zip(*operators_of(operators), strict=True)]
    found = find(sketches, traits, operators.set_column(1, "operator_id", pa.array(ids, pa.string())), DECLARED)
    rows = [row for row in found.streams.to_pylist() if row["account_id"] == "seller"]
    assert {row["operator_id"] for row in rows} == {"op_other", name("ring0")}
    claimed = [row for row in found.events.table().to_pylist() if row["account_id"] == "seller"]
    assert len({row["event_id"] for row in claimed}) == len(claimed) < sum(row["events"] for row in rows)
    # the customer asks from the one bank in the first thousands, from the other's in the last
    marked = {(row["event_id"].split("-")[1][0], row["operator_id"]) for row in claimed if row["marked"]}
    assert marked == {("5", name("ring0")), ("8", "op_other")}


def operators_of(operators: pa.Table) -> tuple[list[str], list[str]]:
    return operators["account_id"].to_pylist(), operators["operator_id"].to_pylist()
