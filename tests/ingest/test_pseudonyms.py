"""Pseudonyms: keyed, stable, apart by kind, and a key that is kept from others."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import UsageError
from stillwatch.ingest.pseudonyms import KINDS, Pseudonyms, default_key_path, load_key

KEY = bytes(range(32))


@pytest.mark.parametrize("kind", KINDS)
def test_a_pseudonym_is_the_keyed_hash_of_a_value_for_its_kind(kind: str) -> None:
    names = Pseudonyms.keyed(KEY)
    want = hashlib.blake2b("wert ü".encode(), key=KEY, digest_size=16, person=KINDS[kind].encode()).hexdigest()
    assert names.one(kind, "wert ü") == f"{KINDS[kind]}_{want}"
    values = pa.array(["wert ü", None, "x", "wert ü"])
    assert names.array(kind, values).to_pylist() == [f"{KINDS[kind]}_{want}", None, names.one(kind, "x"),
                                                     f"{KINDS[kind]}_{want}"]  # fmt: skip


@given(st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=80)), st.integers(0, 3))
def test_ids_of_events_are_named_at_once_as_one_by_one(values: list[str | None], start: int) -> None:
    names = Pseudonyms.keyed(KEY)
    array = pa.array(values, pa.string())[start:]
    want = [None if value is None else names.one("event_id", value) for value in values[start:]]
    assert names.array("event_id", array).to_pylist() == want


def test_kinds_and_keys_keep_names_apart() -> None:
    names = Pseudonyms.keyed(KEY)
    assert names.one("account_id", "x")[2:] != names.one("org_id", "x")[2:]
    assert names.one("account_id", "x") != Pseudonyms.keyed(KEY[::-1]).one("account_id", "x")
    assert names.fingerprint != Pseudonyms.keyed(KEY[::-1]).fingerprint
    assert len(set(KINDS.values())) == len(KINDS)


def test_every_byte_of_a_long_key_counts() -> None:
    long, other = bytes(80), bytes(79) + b"x"
    assert Pseudonyms.keyed(long).one("org_id", "x") != Pseudonyms.keyed(other).one("org_id", "x")


def test_none_leaves_names_alone() -> None:
    names = Pseudonyms.none()
    assert names.accounts(["a", "b"]) == ["a", "b"]
    assert names.array("account_id", pa.array(["a"])).to_pylist() == ["a"]
    assert (names.mode, names.fingerprint) == ("none", None)


def test_workers_get_the_same_names() -> None:
    names = Pseudonyms.keyed(KEY)
    assert pickle.loads(pickle.dumps(names)).accounts(["a"]) == names.accounts(["a"])


def test_the_key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "down" / "key"
    key, mark = load_key(path)
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_key(path) == (key, mark)
    assert key.hex() not in mark
    assert [p.name for p in path.parent.iterdir()] == ["key"]
    monkeypatch.setenv("STILLWATCH_KEY_FILE", str(path))
    assert Pseudonyms.from_file().fingerprint == mark
    monkeypatch.delenv("STILLWATCH_KEY_FILE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_key_path() == tmp_path / "stillwatch" / "pseudonym.key"


def test_key_files_that_will_not_do(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for content, complaint in (("zz" * 32, "hexadecimal"), ("ab", "too short"), ("", "too short")):
        path.write_text(content)
        path.chmod(0o600)
        with pytest.raises(UsageError, match=complaint):
            load_key(path)
    path.write_text("ab" * 32)
    path.chmod(0o644)
    with pytest.raises(UsageError, match="read by others"):
        load_key(path)
    with pytest.raises(UsageError):
        load_key(path / "below-a-file")
    with pytest.raises(UsageError, match="too short"):
        Pseudonyms.keyed(b"short")


@pytest.mark.parametrize("names", [Pseudonyms.none(), Pseudonyms.keyed(b"k" * 32)])
def test_they_reach_worker_processes(names: Pseudonyms) -> None:
    assert pickle.loads(pickle.dumps(names)).one("account_id", "x") == names.one("account_id", "x")
