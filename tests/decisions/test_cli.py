"""The commands as a user calls them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from stillwatch.cli import app
from stillwatch.decisions import Action, Casebook, Certainty, Subject, default_policy
from stillwatch.decisions.policy import parse
from stillwatch.errors import RunError, UsageError
from stillwatch.ingest.pseudonyms import Pseudonyms, load_key
from stillwatch.model import DECISIONS, Verdict
from tests.decisions.builders import NOW, event, member, operator, write_run
from tests.evaluate.runs import write_truth

ENFORCE = """
mode = "enforce"
[[rule]]
name = "all"
verdicts = ["unauthorised_distillation"]
action = "verify"
reason = "a ring"
"""


def call(*words: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def run(tmp_path: Path) -> Path:
    ring, tutor = operator("op-1", accounts=2), operator("op-2", Verdict.ORDINARY, accounts=1)
    members = [member("a", ring), member("b", ring, Certainty.LINKED), member("c", tutor, Certainty.LONE)]
    events = [event(id, n) for id in "abc" for n in range(4)]
    # the command reads the clock
    return write_run(tmp_path / "run", members, events, finished=datetime.now(UTC))


def test_the_policy_shown_is_the_one_that_ships() -> None:
    assert parse(call("policy", "show"), "shown") == default_policy()


def test_decisions_are_written_beside_the_run(run: Path, tmp_path: Path) -> None:
    said = call("decide", run)
    assert "recorded, not enforced: mode shadow" in said
    table = pq.read_table(run / "decisions.parquet")
    assert table.schema.equals(DECISIONS)
    assert [(row["account_id"], row["action"], row["would"]) for row in table.to_pylist()] == [
        ("a", "allow", "throttle"), ("b", "allow", "verify"), ("c", "allow", "allow"),
    ]  # fmt: skip
    (tmp_path / "p.toml").write_text(ENFORCE)
    assert "enforced" in call("decide", run, "--policy", tmp_path / "p.toml", "--out", tmp_path / "d.parquet")
    assert pq.read_table(tmp_path / "d.parquet")["action"].to_pylist() == ["verify", "verify", "allow"]
    with pytest.raises(RunError, match="cannot write"):
        call("decide", run, "--out", tmp_path / "no" / "d.parquet")


def test_what_people_decided_is_in_the_decisions(run: Path, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(ENFORCE)
    words = ("decide", run, "--policy", tmp_path / "p.toml", "--casebook", tmp_path / "book")
    call(*words)
    with Casebook.open(tmp_path / "book", NOW) as book:
        now = datetime.now(UTC)
        book.allow(Subject("account", "a"), reason="a customer of ours", by="ann", at=now)
        book.kill_switch(on=True, reason="a bad rule", by="ann", at=now)
    assert "recorded, not enforced: the kill switch is on" in call(*words)
    rows = pq.read_table(run / "decisions.parquet").to_pylist()
    assert [(row["action"], row["would"], row["by"]) for row in rows] == [
        ("allow", "allow", "kill_switch"), ("allow", "verify", "kill_switch"), ("allow", "allow", "default"),
    ]  # fmt: skip


def test_an_old_run_decides_nothing_and_says_so(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [member("a", operator("op-1"))], finished=datetime.now(UTC) - timedelta(days=20))
    assert "finished 20 days ago, and what the policy says ends after 14" in call("decide", run)
    assert pq.read_table(run / "decisions.parquet")["would"].to_pylist() == ["allow"]


def test_a_policy_is_tried_with_pseudonyms_and_truth(tmp_path: Path) -> None:
    key = tmp_path / "key"
    load_key(key)
    names = Pseudonyms.from_file(key)
    ring = operator("op-1", accounts=2)
    members = [member(names.one("account_id", id), ring) for id in "ab"]
    events = [event(names.one("account_id", id), n) for id in "ab" for n in range(10)]
    run = write_run(tmp_path / "run", members, events, mode="keyed")
    mixed = [(f"e-{n}", "a", "x", "campaign", "ring") for n in range(4)]
    world = write_truth(tmp_path / "world", [("a", "x", "reseller", None), ("b", "x", "campaign", "ring")], mixed)
    read = json.loads(call("policy", "test", run, "--truth", world, "--key-file", key, "--json"))
    truth = read["yardsticks"][1]
    assert truth["honest"]["total"]["requests"] == 6, "four of a's ten are the ring's"
    assert truth["harvest"]["total"]["requests"] == 14
    assert truth["unknown_accounts"] == 0


def test_the_audit_is_verified(tmp_path: Path) -> None:
    with Casebook.open(tmp_path / "book", NOW) as book:
        book.propose(Subject("account", "a"), Action.MONITOR, reason="look", by="ann", at=NOW)
        head = str(book.head)
    assert "No head was given" in call("audit", "verify", tmp_path / "book")
    assert "entries 1 to 2 are those of the head" in call("audit", "verify", tmp_path / "book", "--head", head)
    read = json.loads(call("audit", "verify", tmp_path / "book", "--json"))
    assert (read["sound"], read["entries"], read["head"], read["covered_by_heads_given"]) == (True, 2, head, 0)
    other = f"2:{'0' * 64}"
    said = call("audit", "verify", tmp_path / "book", "--head", other, code=1)
    assert "NOT SOUND" in said
    with pytest.raises(UsageError):
        call("audit", "verify", tmp_path / "book", "--head", "yesterday")
