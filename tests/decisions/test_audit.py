"""Whatever is done to the log afterwards is found; what cannot be found without a head kept apart is said."""

from __future__ import annotations

import json
import random
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.decisions.actions import Action
from stillwatch.decisions.audit import GENESIS, Entry, Head, chain, check, make, read_log, verify, write_lines
from stillwatch.decisions.casebook import Casebook
from stillwatch.decisions.docket import Subject
from stillwatch.errors import InputError, RunError, UsageError
from tests.decisions.builders import DAY, NOW

texts = st.text(max_size=8)


@st.composite
def logs(draw: st.DrawFn) -> list[Entry]:
    entries: list[Entry] = []
    for n in range(draw(st.integers(1, 8))):
        head = entries[-1].head if entries else None
        data = {"text": draw(texts), "n": draw(st.integers() | st.floats(allow_nan=False, allow_infinity=False))}
        entries.append(make(head, NOW + n * DAY, draw(texts), "noted", data))
    return entries


def forged(entries: list[Entry], place: int, body: str) -> list[Entry]:
    """The log made anew from `place` on, as somebody with write access and the code can."""
    out = entries[:place]
    for n, entry in enumerate(entries[place:]):
        prev = out[-1].hash if out else GENESIS
        text = body if n == 0 else entry.body
        out.append(Entry(prev, text, chain(prev, text)))
    return out


@settings(max_examples=60, deadline=None)
@given(logs(), st.data())
def test_every_change_is_found(entries: list[Entry], data: st.DataObject) -> None:
    assert verify(entries).problems == ()
    place = data.draw(st.integers(0, len(entries) - 1))
    other = data.draw(st.integers(0, len(entries) - 1))
    one = entries[place]
    changed: list[list[Entry]] = [
        [*entries[:place], replace(one, body=one.body.replace('"noted"', '"quoted"')), *entries[place + 1 :]],
        [*entries[:place], one, *entries[place:]],
        [*entries[:place], replace(one, body=one.body + " "), *entries[place + 1 :]],
        [*entries[:place], replace(one, hash=chain(one.hash, "x")), *entries[place + 1 :]],
        [*entries[:place], replace(one, prev=chain(one.hash, "y")), *entries[place + 1 :]],
    ]
    if place < len(entries) - 1:
        changed.append(entries[:place] + entries[place + 1 :])
    if place != other:
        swapped = list(entries)
        swapped[place], swapped[other] = swapped[other], swapped[place]
        changed.append(swapped)
    for log in changed:
        assert not verify(log).sound


@settings(max_examples=40, deadline=None)
@given(logs(), st.data())
def test_what_only_a_head_kept_apart_can_find(entries: list[Entry], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(entries) - 1))
    kept = entries[data.draw(st.integers(0, len(entries) - 1))].head
    assert verify(entries, [kept]).covered == kept.seq
    cut = entries[:place]
    anew = forged(entries, place, entries[place].body.replace('"noted"', '"quoted"'))
    assert verify(cut).sound
    assert verify(anew).sound, "a chain without a secret cannot show that it was made anew"
    assert verify(cut).covered == verify(anew).covered == 0
    # a head finds what happened up to its entry, and nothing beyond
    assert verify(cut, [kept]).sound == (kept.seq <= place)
    assert verify(anew, [kept]).sound == (kept.seq <= place)


def test_two_heads_of_one_number() -> None:
    entry = make(None, NOW, "ann", "noted", {})
    assert not verify([entry], [entry.head, Head(1, chain(GENESIS, "z"))]).sound


def test_an_empty_log_has_no_head() -> None:
    assert verify([]) == verify(iter([]))
    assert verify([]).head is None
    assert not verify([], [Head(1, GENESIS)]).sound


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", "null", '{"seq":"1"}', "[" * 100_000, '{"seq":1,"at":"x","by":"","kind":"","data":{}}']
)
def test_what_is_no_entry(body: str) -> None:
    (problem,) = verify([Entry(GENESIS, body, chain(GENESIS, body))]).problems
    assert problem == "entry 1: not an entry"


def filled(root: Path) -> Path:
    with Casebook.open(root, NOW) as book:
        for n in range(6):
            book.note(Subject("operator", f"op-{n}"), text=f"note {n} \x1b[31m \ud800", by="ann", at=NOW + n * DAY)
    return root


TAMPER: dict[str, tuple[list[str], str]] = {
    "edited": (["update entries set body = replace(body, 'note 2', 'note 9') where seq = 4"], "entry 4: was edited"),
    "removed": (["delete from entries where seq = 4"], "entry 4: has number 5 where 4 should be"),
    "moved": (
        [
            "update entries set seq = 100 where seq = 4", "update entries set seq = 4 where seq = 5",
            "update entries set seq = 5 where seq = 100",
        ],
        "entry 4: has number 5 where 4 should be",
    ),
    "cut off": (["delete from entries where seq > 5"], "entry 7 is missing, of which a head was kept apart"),
    "first removed": (["delete from entries where seq = 1"], "entry 1: has number 2 where 1 should be"),
    "emptied": (["delete from entries"], "entry 7 is missing"),
}  # fmt: skip


@pytest.mark.parametrize("how", TAMPER)
def test_a_casebook_that_was_tampered_with_is_not_opened(tmp_path: Path, how: str) -> None:
    root = filled(tmp_path / "book")
    sound = check(root)
    assert (sound.entries, sound.sound) == (7, True)
    statements, said = TAMPER[how]
    with sqlite3.connect(root / "casebook.sqlite") as connection:
        connection.executescript("drop trigger entries_stay; drop trigger entries_last;")
        for statement in statements:
            connection.execute(statement)
    found = check(root)
    assert not found.sound
    assert said in found.problems[0]
    with pytest.raises(RunError, match="not as it was written"):
        Casebook.open(root, NOW)
    # with the head that lies beside it thrown away too, a lost end shows only against one kept elsewhere
    (root / "head").unlink()
    assert check(root).sound == (how in {"cut off", "emptied"})
    assert not check(root, [str(sound.head)]).sound


def test_a_casebook_of_a_later_version_is_not_guessed_at(tmp_path: Path) -> None:
    root = filled(tmp_path / "book")
    last = read_log(root)[-1]
    for data, kind in (({}, "of"), ({}, "pardoned"), ({"order": "o-99"}, "approved")):
        later = make(last.head, NOW, "ann", kind, data)
        with sqlite3.connect(root / "casebook.sqlite") as connection:
            connection.execute("drop trigger if exists entries_last")
            connection.execute("delete from entries where seq = ?", (later.seq,))
            row = (later.seq, later.prev, later.body, later.hash)
            connection.execute("insert into entries (seq, prev, body, hash) values (?, ?, ?, ?)", row)
        with pytest.raises(RunError, match="does not know"):
            Casebook.open(root, NOW)


def test_the_database_itself_refuses_changes(tmp_path: Path) -> None:
    root = filled(tmp_path / "book")
    with sqlite3.connect(root / "casebook.sqlite") as connection:
        for statement in ("update entries set body = 'x'", "delete from entries where seq = 7"):
            with pytest.raises(sqlite3.IntegrityError, match="append only"):
                connection.execute(statement)


def test_any_byte_of_an_export_that_changes_is_found_or_refused(tmp_path: Path) -> None:
    root = filled(tmp_path / "book")
    text = "".join(write_lines(read_log(root)))
    export = tmp_path / "audit.jsonl"
    export.write_text(text, encoding="utf-8")
    assert check(export, [str(root / "head")]).covered == 7
    rng = random.Random(3)
    for _ in range(300):
        place = rng.randrange(len(text))
        export.write_text(text[:place] + rng.choice('0az"\\ \n{é') + text[place + 1 :], encoding="utf-8")
        try:
            same = read_log(export) == read_log(root)
        except InputError:
            continue
        assert same or not check(export).sound


def test_what_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"prev": 1}\n')
    for path, said in ((tmp_path / "x.jsonl", "line 1 is not an entry"), (tmp_path / "no", "No such file")):
        with pytest.raises(InputError, match=said):
            check(path)
    with sqlite3.connect(tmp_path / "y.sqlite") as connection:
        connection.execute("create table other (x)")
    with pytest.raises(InputError, match="cannot be read as a casebook"):
        check(tmp_path / "y.sqlite")
    with pytest.raises(UsageError, match="a head is a number"):
        check(filled(tmp_path / "book"), ["17:abc"])


def test_an_entry_is_written_to_the_byte_as_documented() -> None:
    """A check by hand, as somebody without this program would do it."""
    import hashlib

    body = '{"at":"2026-09-20T12:00:00+00:00","by":"ann","data":{"order":"o-2"},"kind":"approved","seq":1}'
    entry = make(None, NOW, "ann", "approved", {"order": "o-2"})
    assert entry.body == body
    assert entry.hash == hashlib.sha256(f"{'0' * 64}\n{body}".encode()).hexdigest()
    assert json.loads(next(write_lines([entry]))) == {"prev": "0" * 64, "body": body, "hash": entry.hash}


def test_heads_are_kept_where_they_are_wanted(tmp_path: Path) -> None:
    kept = tmp_path / "elsewhere" / "head"
    with Casebook.open(tmp_path / "book", NOW, anchor=kept) as book:
        assert "No such file" in book.anchor_failed
        kept.parent.mkdir()
        order = book.propose(Subject("account", "a"), Action.MONITOR, reason="look", by="ann", at=NOW)
        assert book.anchor_failed == ""
        assert kept.read_text().strip() == str(book.head)
        assert order.id == "o-2"
