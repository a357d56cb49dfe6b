"""The casebook: a folder with the audit log in a database, from which everything else follows.

    casebook/
      casebook.sqlite    the log, entry by entry
      head               number and hash of the newest entry

A change is checked, written, flushed to disk and only then folded into the docket that is in memory, so nothing is
shown that could be lost. Several processes may write: each takes the database's lock, reads what the others wrote, and
checks anew. The log is checked from its first entry whenever it is opened.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from stillwatch.decisions import procedure
from stillwatch.decisions.actions import Action
from stillwatch.decisions.audit import ANCHOR, DATABASE, FORMAT, GENESIS, Entry, Head, chain, make, read_anchor, verify
from stillwatch.decisions.docket import SYSTEM, Appeal, Docket, Listing, Order, Subject
from stillwatch.engine.runfolder import atomic
from stillwatch.errors import RunError

SCHEMA = """
create table if not exists entries (
  seq integer primary key check (seq > 0), prev text not null unique, body text not null, hash text not null unique
) strict;
create trigger if not exists entries_stay before update on entries begin select raise(abort, 'append only'); end;
create trigger if not exists entries_last before delete on entries begin select raise(abort, 'append only'); end;
"""
"""No two entries follow the same one, and a slip in our own code cannot change what is written."""
WAIT_SECONDS = 10.0


class Casebook:
    """An open casebook. Its methods may be called from any thread; each returns once its change is on the disk.

    Whoever calls says who acts (`by`) and when (`at`, with a time zone). UsageError for words that cannot be used,
    `procedure.RefusedError` for what does not fit what stands, RunError for a disk or a log that is not in order.
    """

    def __init__(self, root: Path, connection: sqlite3.Connection, anchor: Path) -> None:
        self.root, self.anchor = root, anchor
        self.docket = Docket()
        self.head: Head | None = None
        self.anchor_failed = ""
        """Why the newest head could not be kept; empty if it was."""
        self._connection, self._lock = connection, threading.RLock()
        self._pending: Entry | None = None

    @classmethod
    def open(cls, root: Path, at: datetime, anchor: Path | None = None) -> Casebook:
        """Open the folder, made if absent; `anchor` keeps the newest head, best on another disk than the log's.

        RunError if the log was changed by anybody else, or ends before the head that was kept.
        """
        try:
            root.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                root / DATABASE, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False
            )
            # on the disk, and the folder too, before a commit returns
            connection.execute("pragma synchronous = extra")
            connection.executescript(SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise RunError(f"cannot open the casebook {root}: {error}") from error
        book = cls(root, connection, anchor or root / ANCHOR)
        try:
            book._start(at)
        except BaseException:
            connection.close()
            raise
        return book

    def _start(self, at: datetime) -> None:
        entries = self.entries()
        kept = read_anchor(self.anchor)
        found = verify(entries, [kept] if kept else [])
        if not found.sound:
            raise RunError(
                f"the casebook {self.root} is not as it was written: {found.problems[0]}. Nothing was changed; compare "
                "it with a backup (`stillwatch audit verify` lists everything)"
            )
        if not entries:
            with self._writing():
                if self.head is None:
                    self._insert("opened", {"log_id": uuid.uuid4().hex, "format": FORMAT}, SYSTEM, at)
            return
        if entries[0].kind != "opened" or entries[0].data.get("format") != FORMAT:
            raise RunError(f"the casebook {self.root} is of another version of Stillwatch")
        self._fold(entries)

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Casebook:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def entries(self, after: int = 0) -> list[Entry]:
        """The log after entry number `after`."""
        with self._lock:
            try:
                rows = self._connection.execute(
                    "select prev, body, hash from entries where seq > ? order by seq", (after,)
                ).fetchall()
            except sqlite3.Error as error:
                raise RunError(f"the casebook {self.root} cannot be read: {error}") from error
        return [Entry(*row) for row in rows]

    # what people do

    def propose(self, subject: Subject, action: Action, *, by: str, at: datetime, **words: Any) -> Order:
        """An order (`procedure.propose`); a block waits for `approve`."""
        entry = self._do(partial(procedure.propose, subject=subject, action=action, at=at, **words), by, at)
        return self.docket.orders[f"o-{entry.seq}"]

    def approve(self, order: str, *, by: str, at: datetime) -> Order:
        """Put a proposed block in force; by somebody else than who proposed it."""
        self._do(partial(procedure.approve, id=order, by=by, at=at), by, at)
        return self.docket.orders[order]

    def decline(self, order: str, *, reason: str, by: str, at: datetime) -> Order:
        """End a proposal."""
        self._do(partial(procedure.decline, id=order, reason=reason, at=at), by, at)
        return self.docket.orders[order]

    def lift(self, order: str, *, reason: str, by: str, at: datetime) -> Order:
        """End an order that is in force."""
        self._do(partial(procedure.lift, id=order, reason=reason, at=at), by, at)
        return self.docket.orders[order]

    def allow(self, subject: Subject, *, reason: str, by: str, at: datetime, days: int = 90) -> Listing:
        """Put a subject on the allow list."""
        entry = self._do(partial(procedure.allow, subject=subject, reason=reason, at=at, days=days), by, at)
        return self.docket.listings[f"l-{entry.seq}"]

    def unlist(self, listing: str, *, reason: str, by: str, at: datetime) -> Listing:
        """Take a subject off the allow list."""
        self._do(partial(procedure.unlist, id=listing, reason=reason, at=at), by, at)
        return self.docket.listings[listing]

    def appeal(self, subject: Subject, *, text: str, by: str, at: datetime) -> Appeal:
        """Take down an appeal."""
        entry = self._do(partial(procedure.appeal, subject=subject, text=text), by, at)
        return self.docket.appeals[f"a-{entry.seq}"]

    def answer(self, appeal: str, *, upheld: bool, reason: str, by: str, at: datetime, days: int = 90) -> Appeal:
        """Decide on an appeal."""
        ask = partial(procedure.answer, id=appeal, upheld=upheld, reason=reason, by=by, at=at, days=days)
        self._do(ask, by, at)
        return self.docket.appeals[appeal]

    def note(self, subject: Subject, *, text: str, by: str, at: datetime) -> None:
        """Write a remark beside a subject."""
        self._do(partial(procedure.note, subject=subject, text=text), by, at)

    def kill_switch(self, *, on: bool, reason: str, by: str, at: datetime) -> None:
        """Stop or resume all enforcement."""
        self._do(partial(procedure.kill_switch, on=on, reason=reason), by, at)

    # what happens by itself

    def sweep(self, at: datetime) -> list[str]:
        """Write down what has expired by `at`; the ids. What has expired has no effect even before."""
        with self._writing():
            ids = self.docket.lapsed(at)
            if ids:
                self._insert("expired", {"ids": ids}, SYSTEM, at)
            return ids

    def policy_is(self, sha256: str, mode: str, at: datetime) -> bool:
        """Write down under which policy decisions are made from now on; False if it is the one that stands."""
        policy = {"sha256": sha256, "mode": mode}
        with self._writing():
            changed = self.docket.policy != policy
            if changed:
                self._insert("policy", policy, SYSTEM, at)
            return changed

    def refresh(self) -> bool:
        """Take in what other processes wrote; whether there was anything."""
        before = self.head
        with self._lock:
            self._catch_up()
        return self.head != before

    def _do(self, ask: Callable[[Docket], procedure.Change], by: str, at: datetime) -> Entry:
        """Ask whether a change may be made, under the database's lock, and write it."""
        who = procedure.person(by)
        if self.docket.lapsed(at):
            self.sweep(at)
        with self._writing():
            kind, data = ask(self.docket)
            return self._insert(kind, data, who, at)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the database for one entry at most; it is folded in once it is on the disk, and not at all otherwise."""
        with self._lock:
            try:
                self._connection.execute("begin immediate")
                try:
                    self._catch_up()
                    yield
                    self._connection.execute("commit")
                except BaseException:
                    self._pending = None
                    with suppress(sqlite3.Error):
                        self._connection.execute("rollback")
                    raise
            except sqlite3.Error as error:
                raise RunError(f"cannot write the casebook {self.root}: {error}; nothing was changed") from error
            if self._pending is not None:
                entry, self._pending = self._pending, None
                self._fold([entry])
                self._keep_head()

    def _insert(self, kind: str, data: dict[str, Any], by: str, at: datetime) -> Entry:
        if at.tzinfo is None:
            raise ValueError("a time without a time zone")
        entry = make(self.head, at, by, kind, data)
        self._connection.execute(
            "insert into entries (seq, prev, body, hash) values (?, ?, ?, ?)",
            (entry.seq, entry.prev, entry.body, entry.hash),
        )
        self._pending = entry
        return entry

    def _catch_up(self) -> None:
        """Fold in what others wrote, if it follows what we know."""
        newer = self.entries(self.head.seq if self.head else 0)
        for entry in newer:
            if entry.prev != (self.head.hash if self.head else GENESIS) or chain(entry.prev, entry.body) != entry.hash:
                raise RunError(f"the casebook {self.root} was changed by something else than Stillwatch: stop and look")
            self._fold([entry])

    def _fold(self, entries: list[Entry]) -> None:
        """A new docket in the place of the old one, so that nobody who reads it sees it change."""
        docket = self.docket.copy()
        try:
            for entry in entries:
                docket.fold(entry)
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"the casebook {self.root} holds what this version of Stillwatch does not know: {error}; use the "
                "version that wrote it"
            ) from error
        self.docket = docket
        if entries:
            self.head = entries[-1].head

    def _keep_head(self) -> None:
        """The head into its file. The change stands even if that fails, so that is only remembered."""
        try:
            with atomic(self.anchor) as temporary:
                temporary.write_text(f"{self.head}\n", encoding="utf-8")
            self.anchor_failed = ""
        except OSError as error:
            self.anchor_failed = f"{self.anchor}: {error.strerror or error}"
