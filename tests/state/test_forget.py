"""What is to be forgotten is in no byte of the state, and what remains is the log without it."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.pipeline import ScanRequest
from stillwatch.settings import Settings
from stillwatch.state import StateRequest, scan_state
from stillwatch.state.folder import State
from tests.smalllog import START, SmallLog
from tests.state.days import Rows, at_once, from_days, merge, pieces, report_of, rows_of, same, write

SECRET = "Describe the lighthouse of the northern harbour in winter."


def held(root: Path) -> bytes:
    """Every byte of the folder, and every text in its tables (their pages are compressed)."""
    found = []
    for path in root.rglob("*"):
        if path.is_file():
            found.append(path.read_bytes())
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            for column in table.columns:
                if pa.types.is_string(column.type):
                    found += [text.encode() for text in pc.unique(column).to_pylist() if text is not None]
    return b"\n".join(found)


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def listed(root: Path) -> set[str]:
    state = State.open(root, Pseudonyms.none())
    parts = [*state.batches, *([state.contents.memory] if state.contents.memory else [])]
    return {str(state.of(part).path(name).relative_to(root)) for part in parts for name in part.files}


def merged(tmp_path: Path, seed: int = 5) -> tuple[Path, Rows, str]:
    """A state of three pieces, the rows, and an account that says something nobody else says."""
    rows, rng = rows_of(seed), random.Random(seed)
    log = SmallLog(seed + 1)
    talker = log.account()
    for _ in range(9):
        log.ask(talker, SECRET)
    rows += log.events
    for k, part in enumerate(pieces(rows, rng, 3)):
        merge(tmp_path / "state", write(part, tmp_path / f"{k}.parquet"))
    return tmp_path / "state", rows, talker


def test_an_account_is_gone_from_every_byte(tmp_path: Path) -> None:
    state, rows, talker = merged(tmp_path)
    other = next(row["account_id"] for row in rows if row["account_id"] != talker)
    assert talker.encode() in held(state)
    assert SECRET.split()[1].encode() in held(state)
    kept = merge(state, forget=(talker, other))
    gone = [row for row in rows if row["account_id"] in (talker, other)]
    assert (kept.forgotten.accounts, kept.forgotten.events) == (2, len(gone))
    stored = held(state)
    assert talker.encode() not in stored
    assert other.encode() not in stored
    assert not any(row["event_id"].encode() in stored for row in gone)
    assert b"lighthouse" not in stored
    assert files(state) == listed(state) | {"lock", "state.json"}
    left = [row for row in rows if row["account_id"] not in (talker, other)]
    expected, _ = at_once([write(left, tmp_path / "left.parquet")], tmp_path / "whole")
    same(from_days(state, tmp_path / "run"), expected)
    for read in report_of(state).inputs:
        assert read["rows_in"] == read["kept"] + sum(read["rejected"].values())


def test_a_forgotten_account_is_not_taken_in_again(tmp_path: Path) -> None:
    state, rows, talker = merged(tmp_path)
    merge(state, forget=(talker,))
    kept = merge(state, write(rows[::-1], tmp_path / "again.parquet"))
    assert kept.merged.events == 0
    assert talker.encode() not in held(state)
    counts = report_of(state).counts
    assert counts["rejected_by_reason"]["account forgotten"] == 2 * 9
    assert counts["rows_in"] == counts["kept"] + counts["rejected"]


def test_by_clear_id_through_the_key_or_by_pseudonym(tmp_path: Path) -> None:
    rows, names = rows_of(6), Pseudonyms.keyed(b"k" * 16)
    accounts = sorted({row["account_id"] for row in rows})
    wanted = ScanRequest([write(rows, tmp_path / "log.parquet")], tmp_path, pseudonyms=names)
    scan_state(StateRequest(tmp_path / "state", wanted, run=False))
    hidden = names.accounts(accounts)
    assert hidden[0].encode() in held(tmp_path / "state")
    empty = ScanRequest([], tmp_path, pseudonyms=names)
    kept = scan_state(StateRequest(tmp_path / "state", empty, run=False, forget=(accounts[0], hidden[1])))
    assert kept.forgotten.accounts == 2
    stored = held(tmp_path / "state")
    assert hidden[0].encode() not in stored
    assert hidden[1].encode() not in stored
    assert hidden[2].encode() in stored


def test_nobody_is_forgotten_by_an_unknown_name(tmp_path: Path) -> None:
    state, rows, _ = merged(tmp_path)
    kept = merge(state, forget=("nobody",))
    assert (kept.forgotten.accounts, kept.forgotten.events, kept.events) == (0, 0, len(rows))


@pytest.mark.parametrize("how", ["option", "settings"])
def test_days_that_are_not_retained_are_gone(how: str, tmp_path: Path) -> None:
    state, rows, _ = merged(tmp_path, 7)
    newest = max(row["time"] for row in rows).date()
    first = newest - timedelta(days=4)
    old = [row for row in rows if row["time"].date() < first]
    if how == "option":
        kept = merge(state, retain=5)
    else:
        wanted = ScanRequest([], tmp_path, settings=Settings.model_validate({"state": {"retain_days": 5}}))
        kept = scan_state(StateRequest(state, wanted, run=False))
    assert (kept.retired.events, kept.days) == (len(old), 5)
    stored = held(state)
    assert not any(row["event_id"].encode() in stored for row in old)
    left = [row for row in rows if row["time"].date() >= first]
    silent = {row["account_id"] for row in old} - {row["account_id"] for row in left}
    assert kept.retired.accounts == len(silent)
    assert not any(account.encode() in stored for account in silent)
    expected, _ = at_once([write(left, tmp_path / "left.parquet")], tmp_path / "whole")
    same(from_days(state, tmp_path / "run"), expected)
    # again changes nothing
    before = (state / "state.json").read_bytes()
    merge(state, retain=5)
    assert (state / "state.json").read_bytes() == before


def test_batches_of_which_nothing_is_left_go_with_the_names_of_their_files(tmp_path: Path) -> None:
    rows = sorted(rows_of(8), key=lambda row: row["time"])
    half = START + timedelta(days=7)
    merge(tmp_path / "state", write([r for r in rows if r["time"] < half], tmp_path / "old-name.parquet"))
    merge(tmp_path / "state", write([r for r in rows if r["time"] >= half], tmp_path / "new.parquet"), retain=3)
    assert b"old-name" not in held(tmp_path / "state")
    assert len(State.open(tmp_path / "state", Pseudonyms.none()).batches) == 1


def test_the_memory_of_operators_forgets_too(tmp_path: Path) -> None:
    log = SmallLog(9)
    log.ordinary(40)
    log.a_ring(8)
    log.write(tmp_path)
    member = sorted(log.ring)[0]
    wanted = ScanRequest([tmp_path / "events.parquet"], tmp_path / "run")
    scan_state(StateRequest(tmp_path / "state", wanted))
    memory = next((tmp_path / "state" / "operators").rglob("operators.parquet"))
    assert member in pq.read_table(memory)["account_id"].to_pylist()
    merge(tmp_path / "state", forget=(member,))
    assert member.encode() not in held(tmp_path / "state")
    memory = next((tmp_path / "state" / "operators").rglob("operators.parquet"))
    assert len(pq.read_table(memory)) == 47
