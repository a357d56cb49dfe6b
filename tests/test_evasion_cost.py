"""The evasion-cost table: prices are read with care, and what a campaign used is counted and priced as by hand."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tomli_w

from stillwatch.model import ACCOUNTS, SKETCHES

FILE = Path(__file__).parent.parent / "benchmarks" / "evasion_cost.py"
START = datetime(2026, 9, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def cost() -> ModuleType:
    spec = importlib.util.spec_from_file_location("evasion_cost", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["evasion_cost"] = module
    spec.loader.exec_module(module)
    return module


def test_the_prices_given_are_marked_as_assumptions(cost: ModuleType) -> None:
    text = FILE.with_name("prices.toml").read_text(encoding="utf-8")
    assert "EVERY FIGURE IS AN ASSUMPTION" in text
    assert all(entry["assumption"] for entry in tomllib.loads(text).values())
    assert set(cost.read_prices(FILE.with_name("prices.toml"))) == cost.PRICES | cost.AMOUNTS


@pytest.mark.parametrize(
    ("name", "entry", "says"),
    [
        ("card", None, "card"),
        ("yacht", {"usd": 1, "assumption": "none"}, "yacht"),
        ("card", {"usd": -1, "assumption": "x"}, "card.usd"),
        ("card", {"usd": float("inf"), "assumption": "x"}, "card.usd"),
        ("card", {"usd": True, "assumption": "x"}, "card.usd"),
        ("hour", {"usd": 1}, "assumed"),
    ],
)
def test_a_wrong_price_table_is_refused(
    cost: ModuleType, tmp_path: Path, name: str, entry: dict[str, object] | None, says: str
) -> None:
    table = tomllib.loads(FILE.with_name("prices.toml").read_text(encoding="utf-8"))
    table.pop(name, None)
    if entry is not None:
        table[name] = entry
    (tmp_path / "prices.toml").write_text(tomli_w.dumps(table))
    with pytest.raises(SystemExit, match=says):
        cost.read_prices(tmp_path / "prices.toml")


def test_what_a_campaign_used_is_priced_as_by_hand(cost: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "last").mkdir()
    (tmp_path / "truth").mkdir()
    events = [
        # account, day, network, address, input, output
        ("a", 0, "hosting", "h1", 100, 50),
        ("a", 1, "hosting", "h1", 100, 50),
        ("a", 40, "hosting", "h1", 100, 50),
        ("b", 2, "residential_proxy", "r1", 1000, None),
        ("b", 3, "mobile", "r2", 500, 500),
        ("honest", 0, "hosting", "h9", 7, 7),
        ("b", 90, "hosting", "late", 9, 9),
    ]
    rows = [
        {
            "event_id": str(k), "source_id": 0, "source_row": k, "time": START + timedelta(days=day), "model": "m",
            "account_id": account, "network_kind": network, "address": address, "input_tokens": i, "output_tokens": o,
        }
        for k, (account, day, network, address, i, o) in enumerate(events)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=SKETCHES), tmp_path / "last" / "sketches.parquet")
    accounts = [
        {"account_id": "a", "payment_id": "p", "phone_id": "f"}, {"account_id": "b", "payment_id": "p"},
        {"account_id": "unused", "payment_id": "q"}, {"account_id": "honest", "payment_id": "z"},
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(accounts, schema=ACCOUNTS), tmp_path / "accounts.parquet")
    truth = [
        {"account_id": a, "operator_id": "x", "label": "ordinary" if a == "honest" else "campaign", "campaign": "c"}
        for a in ("a", "b", "unused", "honest")
    ]
    pq.write_table(pa.Table.from_pylist(truth), tmp_path / "truth" / "accounts.parquet")
    prices = {
        "account": 4.0, "phone": 0.5, "card": 3.0, "residential_gigabyte": 2.0, "address_month": 7.0,
        "million_input_tokens": 1e6, "million_output_tokens": 2e6, "hour": 60.0, "setup_minutes": 5.0,
        "bytes_per_token": 1e6,
    }  # fmt: skip
    found = cost.spent(tmp_path, tmp_path, "c", START + timedelta(days=60), prices)
    assert (found.accounts, found.phones, found.cards, found.requests) == (2, 1, 1, 5)
    assert found.address_months == 2, "one address, in its first month and in its second"
    proxied = 1000 + 500 + 500  # input and output; an unknown number counts as none
    assert found.residential_gigabytes == pytest.approx(proxied * 1e6 / 1e9)
    tokens = (100 * 3 + 1000 + 500) * 1.0 + (50 * 3 + 500) * 2.0
    assert found.usd == pytest.approx(2 * 4 + 0.5 + 3 + 2.0 * 2 + 2 * 7 + tokens + 2 * 5 / 60 * 60)
    nothing = cost.spent(tmp_path, tmp_path, "c", START, prices)
    assert (nothing.accounts, nothing.requests, nothing.usd) == (0, 0, 0.0)


def test_going_on_takes_as_many_operators_as_the_harvest_needs(cost: ModuleType) -> None:
    whole = cost.Spent(60, 0, 60, 0.0, 5, 1000, 1.0, 6.0, 900.0)
    end = {"exchanges": 300, "accounts": 20, "days": 4.0, "usd": 400.0}
    on = cost.going_on(1000, whole, 30.0, end)
    assert (on["operators"], on["accounts"]) == (4, 67)
    assert on["days"] == pytest.approx(4.0 * 10 / 3)
    assert on["usd"] == pytest.approx(400 * 10 / 3)
    assert on["extra_usd"] == pytest.approx(400 * 10 / 3 - 900)
    never = cost.going_on(1000, whole, 30.0, None)
    assert (never["operators"], never["usd"], never["extra_usd"]) == (1, 900.0, 0.0)
    assert cost.going_on(1000, whole, 30.0, end | {"exchanges": 0})["operators"] is None
