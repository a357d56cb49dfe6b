"""A world folder as a peer may read it: everything but the truth. Read once a process, with pyarrow alone."""

from __future__ import annotations

import json
import pickle
import re
import tomllib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

COLUMNS = ("event_id", "account_id", "time", "system", "messages", "client_address", "user_agent", "ja4")
DECLARED_PATHS = ("enterprise", "reseller")
OPENING_WORDS = 8
VIEWS = {
    "text": ("opening", "prompt", "system"),
    "hands": ("address", "prefix", "payment", "phone", "registration", "client"),
    "all": ("opening", "prompt", "system", "address", "prefix", "payment", "phone", "registration", "client"),
    "opening": ("opening",),
    "address": ("address",),
}
"""What two accounts can share, by the name that a setting gives it."""


@dataclass(frozen=True)
class Log:
    """Events in order of time, and the accounts table with one row for every account of the log."""

    accounts: list[str]
    """Ids, sorted; every other place counts from here."""
    event: list[str]
    account: Ints
    """Account of each event, [events]."""
    time: Floats
    """Seconds since 1970, [events]."""
    prompt: list[str]
    """Last user message of each event; empty where there is none."""
    system: list[str]
    address: list[str]
    client: list[str]
    """User agent and TLS fingerprint."""
    table: dict[str, list[object]]
    """Columns of the accounts table, [accounts] each; None where the account has no row."""
    shared: dict[str, list[str]] = field(default_factory=dict)
    """What `objects` found, by view."""


KEPT = "log.pickle"
"""File beside a world that saves the peers from reading it again; see `keep`."""


@lru_cache(maxsize=2)
def read(world: Path) -> Log:
    """The log of a world folder."""
    kept = world / KEPT
    if kept.exists():
        with kept.open("rb") as file:
            return Log(**pickle.load(file))
    return _read(world)


def keep(world: Path) -> None:
    """Read a world for all peers at once, views included."""
    if not (world / KEPT).exists():
        log = _read(world)
        for view in ("opening", "prompt", "system"):
            objects(log, view)
        fresh = world / f"{KEPT}.tmp"
        with fresh.open("wb") as file:
            pickle.dump(vars(log), file, protocol=4)
        fresh.rename(world / KEPT)


def _read(world: Path) -> Log:
    # one file after the other: a folder called day=... must not become a column
    parts = [pq.ParquetFile(file).read(columns=list(COLUMNS)) for file in sorted((world / "events").rglob("*.parquet"))]
    columns: dict[str, list[object]] = {name: [] for name in COLUMNS}
    for part in parts:
        for name in COLUMNS:
            values = part[name].cast("int64") if name == "time" else part[name]
            columns[name].extend(values.to_pylist())
    order = np.argsort(np.array(columns["time"], np.int64), kind="stable").tolist()
    of = {name: [values[k] for k in order] for name, values in columns.items()}
    accounts = sorted({str(name) for name in of["account_id"]})
    place = {name: k for k, name in enumerate(accounts)}
    return Log(
        accounts=accounts,
        event=[str(name) for name in of["event_id"]],
        account=np.array([place[str(name)] for name in of["account_id"]], np.int64),
        time=np.array(of["time"], np.int64) / 1e6,
        prompt=[last_message(text) for text in of["messages"]],
        system=[str(text or "") for text in of["system"]],
        address=[str(text or "") for text in of["client_address"]],
        client=[f"{a}|{b}" if a or b else "" for a, b in zip(of["user_agent"], of["ja4"], strict=True)],
        table=_table(world / "accounts.parquet", place),
    )


def last_message(messages: object) -> str:
    """Text of the last user message of a column `messages`."""
    if not isinstance(messages, str):
        return ""
    for message in reversed(json.loads(messages)):
        if message.get("role") == "user":
            return " ".join(str(part.get("content", "")) for part in message.get("parts", []))
    return ""


def _table(file: Path, place: dict[str, int]) -> dict[str, list[object]]:
    source = pq.ParquetFile(file).read()
    ids = source["account_id"].to_pylist()
    out: dict[str, list[object]] = {}
    for name in source.column_names:
        values: list[object] = [None] * len(place)
        for account, value in zip(ids, source[name].to_pylist(), strict=True):
            if account in place:
                values[place[account]] = value
        out[name] = values
    return out


def masked(text: str) -> str:
    """In small letters, digits and quotations masked, white space single."""
    plain = re.sub(r"\"[^\"]*\"|“[^”]*”", '"', text.lower())
    return " ".join(re.sub(r"\d+", "0", plain).split())


def opening(text: str) -> str:
    """First words of the masked text: what a prompt keeps when its slots are filled anew."""
    return " ".join(masked(text).split()[:OPENING_WORDS])


def prefix(address: str) -> str:
    """/24 of an IPv4 address, /48 of an IPv6 address."""
    return ":".join(address.split(":")[:3]) if ":" in address else ".".join(address.split(".")[:3])


def objects(log: Log, view: str) -> list[str]:
    """What each event shares in a view of events, [events]; empty for nothing."""
    if view not in log.shared:
        log.shared[view] = _objects(log, view)
    return log.shared[view]


def _objects(log: Log, view: str) -> list[str]:
    if view == "opening":
        return [" ".join(text.split()[:OPENING_WORDS]) for text in objects(log, "prompt")]
    if view == "prompt":
        return [masked(text) for text in log.prompt]
    if view == "system":
        once = {text: masked(text) for text in set(log.system)}
        return [once[text] for text in log.system]
    if view == "prefix":
        return [prefix(text) if text else "" for text in log.address]
    return log.address if view == "address" else log.client


def incidence(log: Log, views: str, least: int = 2) -> tuple[Ints, Ints]:
    """Pairs (account, token), each once, of all `views`; tokens of fewer than `least` accounts are left out."""
    token_of: dict[tuple[str, str], int] = {}
    pairs: set[tuple[int, int]] = set()
    for view in VIEWS[views]:
        if view in ("payment", "phone", "registration"):
            values = _declared(log, view)
            owners = list(range(len(log.accounts)))
        else:
            values, owners = objects(log, view), log.account.tolist()
        pairs.update(
            (owner, token_of.setdefault((view, value), len(token_of)))
            for owner, value in zip(owners, values, strict=True)
            if value
        )
    rows, columns = (np.array(side, np.int64) for side in zip(*sorted(pairs), strict=True))
    keep = np.bincount(columns)[columns] >= least
    _, columns = np.unique(columns[keep], return_inverse=True)
    return rows[keep], columns.astype(np.int64)


def _declared(log: Log, view: str) -> list[str]:
    """What an account declared at sign-up; a registration is path, country, mail domain and hour."""
    t = log.table
    if view in ("payment", "phone"):
        return [str(value or "") for value in t[f"{view}_id"]]
    rows = zip(t["path"], t["country"], t["email_domain"], t["created_at"], strict=True)
    return [f"{a}|{b}|{c}|{d:%Y-%m-%d %H}" if d else "" for a, b, c, d in rows]


def customers(world: Path, accounts: list[str]) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Declared customer of each account, and whether its use is registered, [accounts] both.

    Accounts of an organisation that the provider verified, or that signed up as enterprise or reseller, are one
    customer: Stillwatch reads the same from the same tables.
    """
    place = {name: k for k, name in enumerate(accounts)}
    table = _table(world / "accounts.parquet", place)
    found: dict[str, int] = {}
    out = []
    for k, (org, verified, path) in enumerate(zip(table["org_id"], table["verified"], table["path"], strict=True)):
        known = org and (verified or path in DECLARED_PATHS)
        out.append(found.setdefault(f"org {org}" if known else f"account {k}", len(found)))
    registered = np.zeros(len(accounts), np.bool_)
    file = world / "authorisations.toml"
    for entry in tomllib.loads(file.read_text("utf-8")).get("authorisation", []) if file.exists() else []:
        names = [*entry.get("accounts", [])]
        orgs = set(entry.get("org_ids", []))
        registered[[place[name] for name in names if name in place]] = True
        registered |= np.array([org in orgs for org in table["org_id"]], np.bool_)
    return np.array(out, np.int64), registered
