"""Accounts, authorisations and context: what is read, and what is said when it cannot be."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import InputError
from stillwatch.ingest import addresses
from stillwatch.ingest.accounts import Context, everyone, load_context
from stillwatch.ingest.addresses import NetworkInfo, Networks
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.model import ACCOUNTS
from tests.ingest import logs
from tests.ingest.logs import CONTAINERS, put, rejected, scan

NONE = Pseudonyms.none()
ROWS: list[dict[str, Any]] = [
    {"account_id": "a1", "org_id": "o1", "created_at": "2026-01-02T03:04:05Z", "verified": "true",
     "quota_per_day": 100, "email_domain": "Someone@Example.ORG"},
    {"account_id": None, "org_id": "o1", "created_at": None, "verified": None, "quota_per_day": None,
     "email_domain": None},
    {"account_id": "a1", "org_id": "o2", "created_at": None, "verified": "false", "quota_per_day": None,
     "email_domain": None},
    {"account_id": "a2", "org_id": "o2", "created_at": None, "verified": "0", "quota_per_day": None,
     "email_domain": "example.org"},
]  # fmt: skip
GRANT = """
[[authorisation]]
id = "grant-1"
organisation = "Made-up Labs"
accounts = ["a1"]
org_ids = ["o9"]
max_requests_per_day = 500
valid_from = 2026-01-01
valid_until = 2026-12-31
disclosed_at = "2025-12-01T00:00:00Z"
"""


@pytest.mark.parametrize("name", CONTAINERS)
def test_accounts_of_any_container(tmp_path: Path, name: str) -> None:
    path = put(tmp_path, name, CONTAINERS[name](ROWS))
    context = load_context(accounts=path, pseudonyms=NONE)
    assert context.accounts is not None
    assert context.accounts.schema.equals(ACCOUNTS)
    first, second = context.accounts.to_pylist()
    assert first["created_at"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (first["verified"], first["quota_per_day"], first["email_domain"]) == (True, 100, "example.org")
    assert (second["account_id"], second["verified"]) == ("a2", False)
    assert context.rejects == ((str(path), 2, "no account_id"), (str(path), 3, "duplicate account_id"))


def test_accounts_get_the_pseudonyms_of_the_log(tmp_path: Path) -> None:
    names = Pseudonyms.keyed(b"k" * 32)
    accounts = put(tmp_path, "accounts.jsonl", logs.lines([{"account_id": "account-1", "payment_id": "card-1"}]))
    grants = put(tmp_path, "grants.toml", GRANT.replace('"a1"', '"account-1"').encode())
    context = load_context(accounts=accounts, authorisations=grants, pseudonyms=names)
    log = put(tmp_path, "log.jsonl", logs.lines(logs.events(3)))
    _, run = scan(tmp_path, log, pseudonyms=names, context=context)
    known = run.read("sketches")["account_id"].to_pylist()
    assert context.accounts is not None
    assert context.accounts["account_id"][0].as_py() == known[1]
    assert context.authorisations[0].accounts == (known[1],)
    assert "card-1" not in json.dumps(context.accounts.to_pylist(), default=str)


def test_rejects_of_the_accounts_table_reach_the_run(tmp_path: Path) -> None:
    context = load_context(accounts=put(tmp_path, "accounts.csv", logs.table(ROWS)), pseudonyms=NONE)
    log = put(tmp_path, "log.jsonl", logs.lines(logs.events(3)))
    report, run = scan(tmp_path, log, context=context)
    assert report.counts["context_rejected"] == 2
    assert rejected(run) == [(2, "no account_id"), (3, "duplicate account_id")]


def test_everyone_of_the_log_and_of_the_table_has_a_row() -> None:
    table = pa.table({"account_id": ["b", "z"], "plan": ["free", "paid"]})
    full = pa.table(
        [table[f.name] if f.name in table.column_names else pa.nulls(2, f.type) for f in ACCOUNTS], schema=ACCOUNTS
    )
    log = ["a", "b", "c"]
    for known, ids, plans in (
        (full, [*log, "z"], [None, "free", None, "paid"]),
        (None, log, [None] * 3),
        (full.slice(0, 0), log, [None] * 3),
    ):
        found = everyone(pa.chunked_array([["c", "a"], ["b", "a"]]), known)
        assert found.schema.equals(ACCOUNTS)
        assert found["account_id"].to_pylist() == ids
        assert found["plan"].to_pylist() == plans


def test_authorisations(tmp_path: Path) -> None:
    [grant] = load_context(authorisations=put(tmp_path, "a.toml", GRANT.encode()), pseudonyms=NONE).authorisations
    assert (grant.id, grant.accounts, grant.org_ids, grant.max_requests_per_day) == ("grant-1", ("a1",), ("o9",), 500)
    assert grant.valid_from == datetime(2026, 1, 1, tzinfo=UTC)
    assert grant.valid_until == datetime(2026, 12, 31, 23, 59, 59, 999999, UTC)
    row = {
        "id": "g",
        "organisation": "o",
        "accounts": "a1; a2",
        "valid_from": "2026-01-01",
        "valid_until": "2026-02-01",
    }
    [grant] = load_context(authorisations=put(tmp_path, "a.csv", logs.table([row])), pseudonyms=NONE).authorisations
    assert grant.accounts == ("a1", "a2")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('"a1"', "7"), "entry 1: accounts must be a list of texts"),
        (('accounts = ["a1"]\norg_ids = ["o9"]', ""), "entry 1: accounts or org_ids"),
        (('"grant-1"', '""'), "entry 1: id is missing"),
        (("valid_from = 2026-01-01", ""), "entry 1: valid_from is missing"),
        (("2026-12-31", '"one day"'), "entry 1: valid_until is not a time"),
        (("2026-12-31", "2025-12-31"), "entry 1: valid_until is before valid_from"),
        (("500", '"many"'), "entry 1: max_requests_per_day must be a whole number"),
        (("[[authorisation]]", "[[permission]]"), "unknown word permission"),
        (("[[authorisation]]", "authorisation = ["), "not TOML"),
    ],
)
def test_authorisations_that_are_wrong(tmp_path: Path, change: tuple[str, str], complaint: str) -> None:
    path = put(tmp_path, "grants.toml", GRANT.replace(*change).encode())
    with pytest.raises(InputError, match=rf"grants\.toml.*{complaint}"):
        load_context(authorisations=path, pseudonyms=NONE)


def test_the_context_folder(tmp_path: Path) -> None:
    releases = [{"model": "m2", "released_at": "2026-05-01"}, {"model": "m1", "released_at": 1_760_000_000}]
    put(tmp_path, "releases.parquet", logs.parquet([{k: str(v) for k, v in row.items()} for row in releases]))
    networks = [
        {"prefix": "192.0.2.0/25", "asn": None, "kind": "hosting"},
        {"prefix": "", "asn": 64500, "kind": "mobile"},
    ]
    put(tmp_path, "networks.csv", logs.table(networks))
    put(tmp_path, "applications.toml", b'[[application]]\nname = "made-up chat"\nuser_agent = "^made-up/"\n')
    put(tmp_path, "something-else.txt", b"")
    context = load_context(context=tmp_path, pseudonyms=NONE)
    assert [model for model, _ in context.releases] == ["m1", "m2"]
    assert context.applications[0].user_agent == "^made-up/"
    rows = [logs.event(0), logs.event(1, client_address="192.0.2.200"), logs.event(2, client_address=None, asn=64500)]
    _, run = scan(tmp_path, put(tmp_path, "log.jsonl", logs.lines(rows)), context=context)
    assert run.read("sketches")["network_kind"].to_pylist() == ["hosting", None, "mobile"]


def test_nothing_given_is_nothing_known(tmp_path: Path) -> None:
    for empty in (load_context(pseudonyms=NONE), load_context(context=tmp_path, pseudonyms=NONE), Context()):
        assert (empty.accounts, empty.authorisations, empty.releases, empty.files) == (None, (), (), ())
        assert not empty.networks


@pytest.mark.parametrize(
    ("name", "data", "complaint"),
    [
        ("networks.csv", b"prefix,kind\nnowhere,hosting\n", "row 1: prefix is not a network"),
        ("networks.csv", b"prefix,kind\n,hosting\n", "row 1: prefix or asn is missing"),
        ("releases.csv", b"model,released_at\nm,\n", "row 1: released_at is missing"),
        ("applications.toml", b'[[application]]\nname = "x"\nuser_agent = "("\n', "not a regular expression"),
        ("applications.csv", b"name\nx\n", "skeleton or user_agent"),
        ("releases.parquet", b"PAR1", "Parquet"),
    ],
)
def test_context_that_is_wrong(tmp_path: Path, name: str, data: bytes, complaint: str) -> None:
    put(tmp_path, name, data)
    with pytest.raises(InputError, match=rf"{name}.*{complaint}"):
        load_context(context=tmp_path, pseudonyms=NONE)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for given_name in ("accounts", "authorisations", "context"):
        paths: dict[str, Any] = {given_name: tmp_path / "nowhere.csv"}
        with pytest.raises(InputError, match="nowhere"):
            load_context(**paths, pseudonyms=NONE)
    with pytest.raises(InputError, match="account_id is missing; there are: name"):
        load_context(accounts=put(tmp_path, "a.csv", b"name\nx\n"), pseudonyms=NONE)


_networks = st.lists(
    st.tuples(st.integers(0, 2**32 - 1), st.sampled_from([0, 8, 16, 24, 25, 32])), min_size=1, max_size=8
)


@given(_networks, st.integers(0, 2**32 - 1))
def test_the_longest_prefix_wins(prefixes: list[tuple[int, int]], value: int) -> None:
    known = {ip_network((base, length), strict=False): NetworkInfo(str(i)) for i, (base, length) in enumerate(prefixes)}
    for address in (ip_address(value), ip_address(prefixes[0][0])):
        holding = [network for network in known if address in network]
        want = known[max(holding, key=lambda network: network.prefixlen)] if holding else None
        assert Networks(known.items()).find(address.packed) == want


@pytest.mark.parametrize(
    ("text", "address", "prefix"),
    [
        ("192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
        ("192.0.2.77:443", "192.0.2.77", "192.0.2.0/24"),
        (" 192.0.2.77, 198.51.100.1", "192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
        ("2001:DB8:1:2::3", "2001:db8:1:2::3", "2001:db8:1::/48"),
        ("[2001:db8:1:2::3]:80", "2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::1", "fe80::/48"),
    ],
)
def test_addresses(text: str, address: str, prefix: str) -> None:
    found = addresses.parse(text)
    assert found is not None
    assert (addresses.write(found), addresses.prefix(found)) == (address, prefix)


@given(st.ip_addresses())
def test_addresses_agree_with_the_standard_library(address: IPv4Address | IPv6Address) -> None:
    found = addresses.parse(address.exploded)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    assert found == (mapped or address).packed
    around = ip_network(((mapped or address).packed, 24 if len(found) == 4 else 48), strict=False)
    assert ip_network(addresses.prefix(found)) == around


@pytest.mark.parametrize("text", ["nobody", "", "1.2.3", "256.1.1.1", "1.2.3.4\0", "１.2.3.4", ":::", "[", "%"])
def test_what_is_no_address(text: str) -> None:
    assert addresses.parse(text) is None
