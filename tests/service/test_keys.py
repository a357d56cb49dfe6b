"""API keys: only a hash is kept, roles imply what they should, and a file that others can read is refused."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stillwatch.cli.app import app
from stillwatch.errors import UsageError
from stillwatch.service import keys
from stillwatch.service.keys import LOCAL, Keys, Role

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_a_key_holds_for_its_roles_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    made = {role: keys.add(path, (role,), f"{role}'s") for role in Role}
    assert path.stat().st_mode & 0o777 == 0o600
    known = Keys.load(path)
    may = {role: {other for other in Role if known.caller(key, NOW).may(other)} for role, (_, key) in made.items()}  # type: ignore[union-attr]
    assert may == {
        Role.INGEST: {Role.INGEST},
        Role.VIEWER: {Role.VIEWER},
        Role.ANALYST: {Role.VIEWER, Role.ANALYST},
        Role.APPROVER: {Role.VIEWER, Role.ANALYST, Role.APPROVER},
    }
    both = keys.add(path, (Role.INGEST, Role.VIEWER), "gateway")[1]
    known.refresh()
    assert known.caller(both, NOW).roles == {Role.INGEST, Role.VIEWER}  # type: ignore[union-attr]


def test_the_file_does_not_hold_the_key(tmp_path: Path) -> None:
    entry, key = keys.add(tmp_path / "keys.json", (Role.VIEWER,), "one")
    assert re.fullmatch(r"sw_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", key)
    text = (tmp_path / "keys.json").read_text()
    assert key.split("_", 2)[2] not in text
    assert entry.sha256 in text


def test_other_keys_do_not_hold(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    entry, key = keys.add(path, (Role.VIEWER,), "one", NOW + timedelta(days=1))
    known = Keys.load(path)
    assert known.caller(key, NOW)
    other = "A" if key[-1] != "A" else "B"
    for bad in (None, "", "sw_", key[:-1], key + "x", key[:-1] + other, f"sw_000000000000_{key[-43:]}", entry.sha256):
        assert known.caller(bad, NOW) is None
    assert known.caller(key, NOW + timedelta(days=1)) is None


def test_a_revoked_key_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    entry, key = keys.add(path, (Role.VIEWER,), "one")
    keys.add(path, (Role.VIEWER,), "two")
    known = Keys.load(path)
    keys.revoke(path, entry.id)
    known.refresh()
    assert known.caller(key, NOW) is None
    with pytest.raises(UsageError, match="there is no key"):
        keys.revoke(path, entry.id)


def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(UsageError, match="No such file"):
        Keys.load(path)
    keys.add(path, (Role.VIEWER,), "one")
    path.chmod(0o640)
    with pytest.raises(UsageError, match="chmod 600"):
        Keys.load(path)
    path.chmod(0o600)
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "admin": True}))
    with pytest.raises(UsageError, match="admin"):
        Keys.load(path)
    path.write_text(json.dumps({"keys": []}))
    with pytest.raises(UsageError, match="has no key"):
        Keys.load(path)


def test_without_a_file_everybody_is_local() -> None:
    assert Keys.load(None).caller(None, NOW) is LOCAL


def test_the_command_prints_the_key_once(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    run = CliRunner()
    words = ["key", "add", "--role", "viewer", "--role", "ingest", "--name", "gateway", "--file", str(path)]
    made = run.invoke(app, words)
    key = made.stdout.strip()
    caller = Keys.load(path).caller(key, NOW)
    assert caller is not None
    assert (caller.name, caller.roles) == ("gateway", {Role.VIEWER, Role.INGEST})
    listed = run.invoke(app, ["key", "list", "--file", str(path)]).stdout
    assert caller.id in listed
    assert key[-43:] not in listed
    assert "revoked" in run.invoke(app, ["key", "revoke", caller.id, "--file", str(path)]).stdout
    wrong = run.invoke(app, ["key", "add", "--role", "root", "--name", "x", "--file", str(path)])
    assert isinstance(wrong.exception, UsageError)
