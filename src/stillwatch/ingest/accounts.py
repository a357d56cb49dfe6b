"""What is known beside the log: accounts, authorisations, releases, networks, applications.

All of it is optional. Identifiers become the same pseudonyms as those of the log.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.errors import InputError
from stillwatch.ingest import columns, times
from stillwatch.ingest.addresses import Network, NetworkInfo, Networks
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.ingest.tables import SmallTable, read_small
from stillwatch.model import ACCOUNTS, TIME


@dataclass(frozen=True)
class Authorisation:
    """A registered use: who may do what, how much and until when."""

    id: str
    organisation: str
    valid_from: datetime
    valid_until: datetime
    accounts: tuple[str, ...] = ()
    org_ids: tuple[str, ...] = ()
    purpose: str | None = None
    models: tuple[str, ...] = ()
    max_requests_per_day: int | None = None
    max_requests_total: int | None = None
    disclosed_at: datetime | None = None
    contact: str | None = None


@dataclass(frozen=True)
class Application:
    """A public application, known by its skeleton or by a pattern (regular expression) of its user agent."""

    name: str
    skeleton: str | None = None
    user_agent: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Context:
    """Everything known beside the log. `accounts` is a table of `model.ACCOUNTS`, or None if there is none."""

    accounts: pa.Table | None = None
    authorisations: tuple[Authorisation, ...] = ()
    releases: tuple[tuple[str, datetime], ...] = ()
    networks: Networks = field(default_factory=Networks)
    applications: tuple[Application, ...] = ()
    rejects: tuple[tuple[str, int, str], ...] = ()
    """(file, row, reason) of rows that could not be used."""
    files: tuple[Path, ...] = ()


def load_context(
    *,
    accounts: Path | None = None,
    authorisations: Path | None = None,
    context: Path | None = None,
    pseudonyms: Pseudonyms,
) -> Context:
    """Read what is given; from the folder `context` its files releases, networks and applications, if there.

    InputError names the file, and the row or entry, of what cannot be used at all.
    """
    rejects: list[tuple[str, int, str]] = []
    files = [path for path in (accounts, authorisations) if path is not None]
    if context is not None and not context.is_dir():
        raise InputError(f"{context}: the context must be a folder")
    found = {name: _find(context, name) if context else None for name in ("releases", "networks", "applications")}
    files += [path for path in found.values() if path is not None]
    releases, networks, applications = found["releases"], found["networks"], found["applications"]
    return Context(
        accounts=read_accounts(accounts, pseudonyms, rejects) if accounts else None,
        authorisations=read_authorisations(authorisations, pseudonyms) if authorisations else (),
        releases=read_releases(releases) if releases else (),
        networks=read_networks(networks) if networks else Networks(),
        applications=read_applications(applications) if applications else (),
        rejects=tuple(rejects),
        files=tuple(files),
    )


def _find(folder: Path, name: str) -> Path | None:
    endings = (".parquet", ".toml", ".csv", ".jsonl", ".json")
    return next((path for ending in endings if (path := folder / f"{name}{ending}").is_file()), None)


def everyone(account_ids: pa.Array | pa.ChunkedArray, accounts: pa.Table | None) -> pa.Table:
    """One row of `model.ACCOUNTS` for each account of the log or of the table, by id; what is not known is null."""
    seen = set(pc.unique(account_ids).to_pylist())
    declared = ACCOUNTS.empty_table() if accounts is None else accounts
    ids = pa.array(sorted(seen.union(declared["account_id"].to_pylist())), pa.string())
    if not len(declared):
        return pa.table([ids] + [pa.nulls(len(ids), f.type) for f in list(ACCOUNTS)[1:]], schema=ACCOUNTS)
    place = pc.index_in(ids, value_set=declared["account_id"].combine_chunks())
    return declared.take(place).set_column(0, ACCOUNTS.field(0), ids).cast(ACCOUNTS)


def read_accounts(path: Path, pseudonyms: Pseudonyms, rejects: list[tuple[str, int, str]]) -> pa.Table:
    """The accounts table; rows without an id, or with one that came before, are added to `rejects`."""
    table = read_small(path)
    table.require("account_id")
    rejects += [(str(path), row, reason) for row, reason in table.rejects]
    out = {field.name: _account_column(field, table) for field in ACCOUNTS}
    keep = []
    seen: set[str] = set()
    for row, value in zip(table.rows, out["account_id"].to_pylist(), strict=True):
        reason = "no account_id" if value is None else "duplicate account_id" if value in seen else None
        keep.append(reason is None)
        seen.add(value or "")
        if reason:
            rejects.append((str(path), row, reason))
    found = pa.table(out).filter(pa.array(keep, pa.bool_()))
    return pseudonyms.table(found).cast(ACCOUNTS)


def _account_column(field: pa.Field, table: SmallTable) -> pa.Array:
    values = table.get(field.name)
    if field.name == "email_domain":
        values = [v.strip().lower().rpartition("@")[2] if isinstance(v, str) else v for v in values]
    if field.type == TIME:
        stamps, _ = times.parse(values, "auto")
        return pa.array(stamps, mask=stamps == times.NONE).cast(TIME)
    if pa.types.is_boolean(field.type):
        return pa.array([_BOOLEANS.get(str(v).strip().lower()) for v in values], pa.bool_())
    return (columns.integers(values, least=0) if pa.types.is_integer(field.type) else columns.words(values))[0]


_BOOLEANS = {"true": True, "1": True, "yes": True, "t": True, "false": False, "0": False, "no": False, "f": False}


def read_authorisations(path: Path, pseudonyms: Pseudonyms) -> tuple[Authorisation, ...]:
    """Authorisations from TOML (`[[authorisation]]`) or a table; every entry must be right, as it clears people."""
    return tuple(
        _authorisation(f"{path}, {where}", entry, pseudonyms) for where, entry in _entries(path, "authorisation")
    )


def _entries(path: Path, word: str) -> list[tuple[str, Mapping[str, Any]]]:
    """(where it stands, values) of the entries `[[WORD]]` or `[[WORDs]]` of a TOML file, or of the rows of a table."""
    if path.suffix != ".toml":
        table = read_small(path)
        if table.rejects:
            row, reason = table.rejects[0]
            raise InputError(f"{path}: row {row}: {reason}")
        return [(f"row {row}", record) for row, record in table.records()]
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML: {error}") from error
    unknown = set(document) - {word, f"{word}s"}
    if unknown:
        raise InputError(f"{path}: unknown word {sorted(unknown)[0]}: entries are written [[{word}]]")
    entries = document.get(word, document.get(f"{word}s", []))
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise InputError(f"{path}: entries are written [[{word}]]")
    return [(f"entry {number}", entry) for number, entry in enumerate(entries, 1)]


def _authorisation(where: str, entry: Mapping[str, Any], pseudonyms: Pseudonyms) -> Authorisation:
    accounts, org_ids = _strings(where, entry, "accounts"), _strings(where, entry, "org_ids")
    if not accounts and not org_ids:
        raise InputError(f"{where}: accounts or org_ids must name somebody")
    start, end = _moment(where, entry, "valid_from"), _moment(where, entry, "valid_until", last=True)
    if start is None or end is None:
        raise InputError(f"{where}: valid_{'from' if start is None else 'until'} is missing")
    if end < start:
        raise InputError(f"{where}: valid_until is before valid_from")
    return Authorisation(
        id=_text(where, entry, "id"),
        organisation=_text(where, entry, "organisation"),
        valid_from=start,
        valid_until=end,
        accounts=tuple(pseudonyms.one("account_id", name) for name in accounts),
        org_ids=tuple(pseudonyms.one("org_id", name) for name in org_ids),
        purpose=_text(where, entry, "purpose", optional=True) or None,
        models=_strings(where, entry, "models"),
        max_requests_per_day=_count(where, entry, "max_requests_per_day"),
        max_requests_total=_count(where, entry, "max_requests_total"),
        disclosed_at=_moment(where, entry, "disclosed_at"),
        contact=_text(where, entry, "contact", optional=True) or None,
    )


def _text(where: str, entry: Mapping[str, Any], name: str, *, optional: bool = False) -> str:
    value = entry.get(name)
    if value in (None, "") and optional:
        return ""
    if not isinstance(value, str) or not value:
        raise InputError(f"{where}: {name} {'is missing' if value in (None, '') else 'must be text'}")
    return value


def _strings(where: str, entry: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list of strings, or in a table one string with spaces, commas or semicolons between them."""
    value = entry.get(name)
    if isinstance(value, str):
        value = [part for part in re.split(r"[\s,;]+", value) if part]
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
        raise InputError(f"{where}: {name} must be a list of texts")
    return tuple(value)


def _count(where: str, entry: Mapping[str, Any], name: str) -> int | None:
    value = entry.get(name)
    whole, bad = columns.integers([value], least=0)
    if bad:
        raise InputError(f"{where}: {name} must be a whole number")
    return None if value in (None, "") else whole[0].as_py()


def _moment(where: str, entry: Mapping[str, Any], name: str, *, last: bool = False) -> datetime | None:
    """A time, UTC; a bare day means its beginning or, with `last`, its end."""
    value = entry.get(name)
    if value in (None, ""):
        return None
    bare = isinstance(value, date) and not isinstance(value, datetime)
    bare = bare or (isinstance(value, str) and len(value.strip()) == 10)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time(), UTC)
    stamps, _ = times.parse([value], "auto")
    if stamps[0] == times.NONE:
        raise InputError(f"{where}: {name} is not a time")
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(stamps[0]))
    return moment + timedelta(days=1, microseconds=-1) if bare and last else moment


def read_releases(path: Path) -> tuple[tuple[str, datetime], ...]:
    """(model, released at) from a table, by time."""
    out = []
    for where, entry in _entries(path, "release"):
        moment = _moment(f"{path}, {where}", entry, "released_at")
        if moment is None:
            raise InputError(f"{path}, {where}: released_at is missing")
        out.append((_text(f"{path}, {where}", entry, "model"), moment))
    return tuple(sorted(out, key=lambda release: (release[1], release[0])))


def read_networks(path: Path) -> Networks:
    """Networks by prefix or by autonomous system number."""
    prefixes: list[tuple[Network, NetworkInfo]] = []
    asns: dict[int, NetworkInfo] = {}
    for place, entry in _entries(path, "network"):
        where = f"{path}, {place}"
        asn = _count(where, entry, "asn")
        country = _text(where, entry, "country", optional=True) or None
        info = NetworkInfo(_text(where, entry, "kind"), asn, country)
        if entry.get("prefix"):
            try:
                prefixes.append((ipaddress.ip_network(str(entry["prefix"]).strip(), strict=False), info))
            except ValueError as error:
                raise InputError(f"{where}: prefix is not a network") from error
        elif asn is not None:
            asns[asn] = info
        else:
            raise InputError(f"{where}: prefix or asn is missing")
    return Networks(prefixes, asns)


def read_applications(path: Path) -> tuple[Application, ...]:
    """Public applications and how to know them."""
    out = []
    for place, entry in _entries(path, "application"):
        where = f"{path}, {place}"
        skeleton, pattern, source = (
            _text(where, entry, name, optional=True) or None for name in ("skeleton", "user_agent", "source")
        )
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise InputError(f"{where}: user_agent is not a regular expression: {error}") from error
        if not (pattern or skeleton):
            raise InputError(f"{where}: skeleton or user_agent must be there")
        out.append(Application(_text(where, entry, "name"), skeleton, pattern, source))
    return tuple(out)
