"""Keys, commitments and plans: what is fixed beforehand stays fixed, and what is not is refused."""

from __future__ import annotations

import json
import multiprocessing
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stillwatch.errors import InputError, UsageError
from stillwatch.forensics.model.commitments import Commitments, required
from stillwatch.forensics.model.keys import ENVIRONMENT, KeyStore
from stillwatch.forensics.model.plan import committed_keys, committed_plan, fingerprint, load_plan
from stillwatch.forensics.model.twins import TwinLog, TwinServer, log_head, read_log, sealed_rows

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def test_a_key_is_its_owners_alone_and_says_nothing(tmp_path: Path) -> None:
    store = KeyStore(tmp_path / "keys")
    made = store.new("op-17", "operator")
    path = tmp_path / "keys" / "op-17@1.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert store.get("op-17") == store.get("op-17@1") == made
    assert made.secret.hex() not in repr(made) + made.commitment
    path.chmod(0o644)
    with pytest.raises(InputError, match="can be read by others"):
        store.get("op-17")


def test_rotation_keeps_older_versions(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    first = store.new("op", "operator")
    second = store.rotate("op")
    assert (first.id, second.id) == ("op@1", "op@2")
    assert first.secret != second.secret
    assert store.latest("op") == second
    assert [key.id for key in store.all()] == ["op@1", "op@2"]
    store.new("control", "control")
    with pytest.raises(UsageError, match="never serves"):
        store.rotate("control")
    with pytest.raises(UsageError, match="already"):
        store.new("op", "operator")


@pytest.mark.parametrize("name", ["", "../x", "Op", "a" * 65, "a@1", "a b", ".x"])
def test_names_that_could_lead_astray_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        KeyStore(tmp_path).new(name, "operator")
    assert list(tmp_path.iterdir()) == []


def test_a_secret_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = KeyStore(tmp_path)
    made = store.new("op-17", "operator")
    monkeypatch.setenv(f"{ENVIRONMENT}OP_17_1", "ab" * 32)
    assert store.get("op-17").secret == b"\xab" * 32
    assert store.get("op-17").commitment != made.commitment
    monkeypatch.setenv(f"{ENVIRONMENT}OP_17_1", "ab")
    with pytest.raises(InputError, match="64 hexadecimal digits") as caught:
        store.get("op-17")
    assert made.secret.hex() not in str(caught.value)


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"secret": "zz", "role": "operator", "made": "2026-01-01"}'])
def test_a_broken_key_file_is_refused_without_its_content(tmp_path: Path, body: str) -> None:
    path = tmp_path / "op@1.json"
    path.write_text(body)
    path.chmod(0o600)
    with pytest.raises(InputError, match=r"op@1\.json"):
        KeyStore(tmp_path).get("op")


def test_commitments_chain_and_a_change_breaks_them(tmp_path: Path) -> None:
    chain = Commitments(tmp_path / "commitments.jsonl")
    for number in range(4):
        chain.append("key", f"k{number}@1", f"{number:064x}", now=NOW + timedelta(seconds=number))
    again = chain.append("key", "k1@1", f"{1:064x}", now=NOW + timedelta(days=1))
    assert again.number == 2
    lines = chain.read()
    assert [line.number for line in lines] == [1, 2, 3, 4]
    assert chain.head() == lines[-1].this
    text = chain.path.read_text()
    for wrong in (text.replace("2026-05-01T00:00:02", "2026-04-01T00:00:02"), "\n".join(text.split("\n")[1:])):
        chain.path.write_text(wrong)
        with pytest.raises(InputError, match="broken at line"):
            chain.read()
    chain.path.write_text("{}\n")
    with pytest.raises(InputError, match="line 1 is no commitment"):
        chain.read()


def test_a_line_that_was_cut_off_never_counted(tmp_path: Path) -> None:
    chain = Commitments(tmp_path / "c.jsonl")
    chain.append("key", "a@1", "0", now=NOW)
    with chain.path.open("a") as out:
        out.write('{"number": 2, "ti')
    assert len(chain.read()) == 1
    chain.append("key", "b@1", "1", now=NOW)
    assert [line.name for line in chain.read()] == ["a@1", "b@1"]


def test_a_clock_that_went_back_is_refused(tmp_path: Path) -> None:
    chain = Commitments(tmp_path / "c.jsonl")
    chain.append("key", "a@1", "0", now=NOW)
    with pytest.raises(InputError, match="the clock says"):
        chain.append("key", "b@1", "1", now=NOW - timedelta(hours=1))


def _append(path: Path, number: int) -> None:
    for part in range(5):
        Commitments(path).append("log", f"{number}", f"{part}")


def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_append, args=(path, n)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(Commitments(path).read()) == 20


def test_what_is_missing_or_other_is_refused(tmp_path: Path) -> None:
    chain = Commitments(tmp_path / "c.jsonl")
    with pytest.raises(InputError, match="nothing was committed"):
        chain.read()
    chain.append("key", "a@1", "00", now=NOW)
    with pytest.raises(InputError, match="was never committed"):
        required(chain.read(), "key", "b@1", "00")
    with pytest.raises(InputError, match="not the one that was committed"):
        required(chain.read(), "key", "a@1", "11")


PLAN = """
name = "case-1"
suspects = ["acme"]
statistics = ["text"]
controls = ["control@1"]
[keys]
"op@1" = 2026-06-01T00:00:00Z
"""


@pytest.fixture
def fixed(tmp_path: Path) -> tuple[Path, KeyStore, Commitments]:
    store, chain = KeyStore(tmp_path / "keys"), Commitments(tmp_path / "c.jsonl")
    for name, role in (("op", "operator"), ("control", "control")):
        made = store.new(name, role)  # type: ignore[arg-type]
        chain.append("key", made.id, made.commitment, now=NOW)
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path, store, chain


def test_a_plan_is_what_was_committed(fixed: tuple[Path, KeyStore, Commitments]) -> None:
    path, store, chain = fixed
    plan = load_plan(path)
    with pytest.raises(InputError, match="plan case-1 was never committed"):
        committed_plan(plan, chain.read())
    chain.append("plan", plan.name, fingerprint(plan), now=NOW)
    assert committed_plan(plan, chain.read()).kind == "plan"
    path.write_text(PLAN.replace('["text"]', '["text", "text_weighted"]'))
    with pytest.raises(InputError, match="not the one that was committed"):
        committed_plan(load_plan(path), chain.read())
    assert set(committed_keys(plan, store, chain.read())) == {"op@1", "control@1"}


def test_a_plans_files_are_part_of_it(fixed: tuple[Path, KeyStore, Commitments]) -> None:
    path = fixed[0]
    path.write_text(PLAN.replace("[keys]", 'prompts = "prompts.jsonl"\n[keys]'))
    (path.parent / "prompts.jsonl").write_text('{"prompt": "a"}\n')
    before = fingerprint(load_plan(path))
    (path.parent / "prompts.jsonl").write_text('{"prompt": "b"}\n')
    assert fingerprint(load_plan(path)) != before


def test_a_key_committed_after_its_data_is_refused(fixed: tuple[Path, KeyStore, Commitments]) -> None:
    path, store, chain = fixed
    path.write_text(PLAN.replace("2026-06-01", "2026-04-01"))
    with pytest.raises(InputError, match="not before its data"):
        committed_keys(load_plan(path), store, chain.read())


def test_a_key_that_is_said_to_serve_later_than_now_is_refused(fixed: tuple[Path, KeyStore, Commitments]) -> None:
    path, store, chain = fixed
    path.write_text(PLAN.replace("2026-06-01", "2999-06-01"))
    with pytest.raises(InputError, match=r"op@1 first serves at 2999-06-01.*to come"):
        committed_keys(load_plan(path), store, chain.read())


def test_a_key_of_the_wrong_role_is_refused(fixed: tuple[Path, KeyStore, Commitments]) -> None:
    path, store, chain = fixed
    path.write_text(PLAN.replace("control@1", "x").replace("op@1", "control@1").replace('"x"', '"op@1"'))
    with pytest.raises(InputError, match="is a key of role"):
        committed_keys(load_plan(path), store, chain.read())


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('suspects = ["acme"]', "", "suspects"),
        ('["text"]', '["style"]', "statistics"),
        ('["text"]', '["twins"]', "twin_log"),
        ('controls = ["control@1"]', "controls = []", "controls"),
        ('"op@1" = 2026-06-01T00:00:00Z', '"op@1" = 2026-06-01T00:00:00', "keys"),
        ('"op@1"', '"op"', "NAME@VERSION"),
        ('name = "case-1"', 'name = "case-1"\ndecoys = 10', "decoys"),
        ('name = "case-1"', 'name = "case-1"\nlevel = 1', "level"),
        ('name = "case-1"', "name = ", "Invalid value"),
    ],
)
def test_an_unfit_plan_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN.replace(old, new))
    with pytest.raises(InputError, match=says):
        load_plan(path)


# --- twins ----------------------------------------------------------------------------------------------------------


def test_a_keyed_share_gets_twins_and_a_keyed_half_is_served(tmp_path: Path) -> None:
    server = TwinServer(KeyStore(tmp_path).new("op", "operator"), 0.2)
    ids = [f"r{n}" for n in range(4000)]
    chosen = [id for id in ids if server.chosen(id)]
    assert len(chosen) == pytest.approx(800, abs=90)
    assert sum(server.serve(id) for id in chosen) == pytest.approx(len(chosen) / 2, abs=60)
    assert chosen == [id for id in ids if server.chosen(id)]
    with pytest.raises(UsageError, match="never serves"):
        TwinServer(KeyStore(tmp_path).new("c", "control"), 0.2)


def test_a_log_does_not_tell_the_coin_and_is_sealed(tmp_path: Path) -> None:
    key, path, chain = KeyStore(tmp_path).new("op", "operator"), tmp_path / "twins.jsonl", Commitments(tmp_path / "c")
    with TwinLog(path) as log:
        coins = [log.add(f"r{n}", key, "Why?", ["because", "since"]) for n in range(20)]
        with pytest.raises(UsageError, match="a coin is used once"):
            log.add("r3", key, "Why?", ["a", "b"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert set(coins) == {0, 1}
    assert {row.answers[0] for row in read_log(path)} == {"because"}
    with pytest.raises(InputError, match="never committed"):
        sealed_rows(path, path.name, [])
    rows, digest = log_head(path)
    chain.append("log", path.name, digest)
    with TwinLog(path) as log:
        log.add("late", key, "Why?", ["a", "b"])
    kept, late = sealed_rows(path, path.name, chain.read())
    assert (rows, len(kept), late) == (20, 20, 1)


@pytest.mark.parametrize("damage", ["answer", "order", "missing", "type"])
def test_a_changed_log_is_refused(tmp_path: Path, damage: str) -> None:
    key, path = KeyStore(tmp_path).new("op", "operator"), tmp_path / "twins.jsonl"
    with TwinLog(path) as log:
        for n in range(5):
            log.add(f"r{n}", key, "Why?", ["because", "since"])
    lines = path.read_text().splitlines(keepends=True)
    if damage == "answer":
        lines[2] = lines[2].replace("because", "Because")
    elif damage == "order":
        lines[1], lines[2] = lines[2], lines[1]
    elif damage == "missing":
        del lines[1]
    else:
        lines[2] = json.dumps({**json.loads(lines[2]), "answers": "because"}) + "\n"
    path.write_text("".join(lines))
    with pytest.raises(InputError, match=r"row [23]"):
        list(read_log(path))
    with pytest.raises(InputError):
        TwinLog(path)


def test_a_log_cut_off_in_a_line_goes_on(tmp_path: Path) -> None:
    key, path = KeyStore(tmp_path).new("op", "operator"), tmp_path / "twins.jsonl"
    with TwinLog(path) as log:
        log.add("a", key, "Why?", ["1", "2"])
    with path.open("a") as out:
        out.write('{"number": 2,')
    with TwinLog(path) as log:
        log.add("b", key, "Why?", ["1", "2"])
    assert [row.request_id for row in read_log(path)] == ["a", "b"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError):
        KeyStore(tmp_path / "keys").new("op", "operator")
