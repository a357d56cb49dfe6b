"""The casebook as people would use and misuse it, held against a second one kept on paper."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stillwatch.decisions.actions import Action
from stillwatch.decisions.audit import check, verify
from stillwatch.decisions.casebook import Casebook
from stillwatch.decisions.docket import Docket, Status, Subject
from stillwatch.decisions.procedure import RefusedError
from stillwatch.errors import UsageError
from tests.decisions.builders import DAY, NOW

PEOPLE = ("ann", "Bo", "cy")
SUBJECTS = (Subject("operator", "op-1"), Subject("operator", "op-2"), Subject("account", "a"))


@dataclass
class Paper:
    """What somebody with pen and paper would write down."""

    orders: dict[str, dict[str, object]] = field(default_factory=dict)
    listed: dict[str, tuple[Subject, datetime, bool]] = field(default_factory=dict)
    appeals: dict[str, tuple[Subject, str]] = field(default_factory=dict)
    killed: bool = False

    def in_force(self, now: datetime) -> dict[Subject, str]:
        """The last order of each subject that came into force and has neither ended nor expired."""
        found = {}
        started = [(o["started"], id) for id, o in self.orders.items() if o["started"] is not None]
        for _, id in sorted(started, key=lambda pair: pair[0]):  # type: ignore[arg-type, return-value]
            found[self.orders[id]["subject"]] = id
        return {
            subject: id  # type: ignore[misc]
            for subject, id in found.items()
            if not self.orders[id]["ended"] and now < self.orders[id]["until"]  # type: ignore[operator]
        }

    def waiting(self, now: datetime) -> set[str]:
        return {
            id
            for id, o in self.orders.items()
            if o["started"] is None and not o["ended"] and now < o["asked"] + 14 * DAY  # type: ignore[operator]
        }


class Desk(RuleBasedStateMachine):
    """Three people, three subjects, a clock that runs, and a casebook that is closed and opened in between."""

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.now, self.paper, self.turn = NOW, Paper(), 0
        self.book = Casebook.open(self.root / "book", self.now)

    def teardown(self) -> None:
        if hasattr(self, "book"):
            self.book.close()
            shutil.rmtree(self.root)

    def tick(self) -> None:
        """Entries of one moment have an order too: the turn."""
        self.turn += 1

    @rule(subject=st.sampled_from(SUBJECTS), action=st.sampled_from(Action), by=st.sampled_from(PEOPLE),
          days=st.integers(1, 20))  # fmt: skip
    def propose(self, subject: Subject, action: Action, by: str, days: int) -> None:
        self.tick()
        words = {"accounts": ["a", "b"]} if action.restricts else {}
        again = any(self.paper.orders[id]["subject"] == subject for id in self.paper.waiting(self.now))
        try:
            order = self.book.propose(
                subject, action, reason="because", days=days, by=by, at=self.now,
                rate="5/day" if action is Action.THROTTLE else None, **words,
            )  # fmt: skip
        except RefusedError:
            assert action is Action.BLOCK
            assert again
            return
        assert not (again and action is Action.BLOCK)
        block = action is Action.BLOCK
        self.paper.orders[order.id] = {
            "subject": subject, "by": by, "second": "", "asked": self.now, "started": None if block else self.turn,
            "until": self.now + days * DAY, "days": days, "ended": False, "block": block,
        }  # fmt: skip

    @precondition(lambda self: self.paper.orders)
    @rule(data=st.data(), by=st.sampled_from([*PEOPLE, " ANN", "ｂｏ"]))
    def approve(self, data: st.DataObject, by: str) -> None:
        self.tick()
        id = data.draw(st.sampled_from(list(self.paper.orders)))
        order, waits = self.paper.orders[id], id in self.paper.waiting(self.now)
        other = {"ann": "ann", "Bo": "bo", "cy": "cy", " ANN": "ann", "ｂｏ": "bo"}[by] != str(order["by"]).lower()
        try:
            self.book.approve(id, by=by, at=self.now)
        except RefusedError:
            assert not waits or not other
            return
        assert waits
        assert other, "the same person approved"
        order |= {"started": self.turn, "second": by, "until": self.now + order["days"] * DAY}  # type: ignore[operator]

    @precondition(lambda self: self.paper.orders)
    @rule(data=st.data(), by=st.sampled_from(PEOPLE), how=st.sampled_from(["decline", "lift"]))
    def end(self, data: st.DataObject, by: str, how: str) -> None:
        self.tick()
        id = data.draw(st.sampled_from(list(self.paper.orders)))
        live = self.paper.waiting(self.now) if how == "decline" else set(self.paper.in_force(self.now).values())
        try:
            getattr(self.book, how)(id, reason="enough", by=by, at=self.now)
        except RefusedError:
            assert id not in live
            return
        assert id in live
        self.paper.orders[id]["ended"] = True

    @rule(subject=st.sampled_from(SUBJECTS), by=st.sampled_from(PEOPLE), days=st.integers(1, 20))
    def allow(self, subject: Subject, by: str, days: int) -> None:
        already = any(s == subject and not over and self.now < ends for s, ends, over in self.paper.listed.values())
        try:
            listing = self.book.allow(subject, reason="customer", days=days, by=by, at=self.now)
        except RefusedError:
            assert already
            return
        assert not already
        self.paper.listed[listing.id] = (subject, self.now + days * DAY, False)

    @precondition(lambda self: self.paper.listed)
    @rule(data=st.data(), by=st.sampled_from(PEOPLE))
    def unlist(self, data: st.DataObject, by: str) -> None:
        id = data.draw(st.sampled_from(list(self.paper.listed)))
        subject, ends, over = self.paper.listed[id]
        try:
            self.book.unlist(id, reason="no customer", by=by, at=self.now)
        except RefusedError:
            assert over or self.now >= ends
            return
        assert not over
        assert self.now < ends
        self.paper.listed[id] = (subject, ends, True)

    @rule(subject=st.sampled_from(SUBJECTS), by=st.sampled_from(PEOPLE))
    def appeal(self, subject: Subject, by: str) -> None:
        open_ = any(s == subject and state == "open" for s, state in self.paper.appeals.values())
        try:
            made = self.book.appeal(subject, text="we are a class of forty", by=by, at=self.now)
        except RefusedError:
            assert open_
            return
        assert not open_
        self.paper.appeals[made.id] = (subject, "open")

    @precondition(lambda self: self.paper.appeals)
    @rule(data=st.data(), by=st.sampled_from(PEOPLE), upheld=st.booleans())
    def answer(self, data: st.DataObject, by: str, upheld: bool) -> None:
        self.tick()
        id = data.draw(st.sampled_from(list(self.paper.appeals)))
        subject, state = self.paper.appeals[id]
        live = {*self.paper.waiting(self.now), *self.paper.in_force(self.now).values()}
        live = {o for o in live if self.paper.orders[o]["subject"] == subject}
        judges = {str(self.paper.orders[o][who]).strip().lower() for o in live for who in ("by", "second")}
        biased = not upheld and by.lower() in {name.replace("ｂｏ", "bo") for name in judges}
        try:
            self.book.answer(id, upheld=upheld, reason="we looked", by=by, at=self.now, days=10)
        except RefusedError:
            assert state != "open" or biased
            return
        assert state == "open"
        assert not biased
        self.paper.appeals[id] = (subject, "upheld" if upheld else "turned down")
        if upheld:
            for order in live:
                self.paper.orders[order]["ended"] = True
            self.paper.listed[f"l-{self.book.head.seq}"] = (subject, self.now + 10 * DAY, False)

    @rule(on=st.booleans(), by=st.sampled_from(PEOPLE))
    def kill_switch(self, on: bool, by: str) -> None:
        try:
            self.book.kill_switch(on=on, reason="a bad rule", by=by, at=self.now)
        except RefusedError:
            assert self.paper.killed == on
            return
        assert self.paper.killed != on
        self.paper.killed = on

    @rule(hours=st.integers(1, 24 * 12))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def sweep(self) -> None:
        self.book.sweep(self.now)
        assert self.book.docket.lapsed(self.now) == []
        assert self.book.sweep(self.now) == []

    @rule()
    def opened_again(self) -> None:
        docket, head = self.book.docket, self.book.head
        self.book.close()
        self.book = Casebook.open(self.root / "book", self.now)
        assert (self.book.docket, self.book.head) == (docket, head)

    @invariant()
    def the_same_as_on_paper(self) -> None:
        if not hasattr(self, "book"):
            return
        docket = self.book.docket
        assert {s: o.id for s in SUBJECTS if (o := docket.order_on(s, self.now))} == self.paper.in_force(self.now)
        assert {order.id for order in docket.waiting(self.now)} == self.paper.waiting(self.now)
        listed = {id for id, (_, ends, over) in self.paper.listed.items() if not over and self.now < ends}
        assert {one.id for one in docket.listings.values() if one.holds(self.now)} == listed
        assert {one.id for one in docket.appeals.values() if one.open} == {
            id for id, (_, state) in self.paper.appeals.items() if state == "open"
        }
        assert bool(docket.killed) == self.paper.killed

    @invariant()
    def nobody_is_blocked_by_one_person(self) -> None:
        for order in self.book.docket.orders.values() if hasattr(self, "book") else ():
            if order.action is Action.BLOCK and order.since is not None:
                names = {n.strip().lower().replace("ｂｏ", "bo") for n in (order.proposed_by, order.approved_by)}
                assert len(names) == 2

    @invariant()
    def the_log_says_it_all(self) -> None:
        if hasattr(self, "book"):
            entries = self.book.entries()
            assert verify(entries, [self.book.head]).sound
            again = Docket()
            for entry in entries:
                again.fold(entry)
            assert again == self.book.docket


TestDesk = Desk.TestCase
TestDesk.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)


@pytest.fixture
def book(tmp_path: Path) -> Casebook:
    return Casebook.open(tmp_path / "book", NOW)


OP, ACCOUNT = SUBJECTS[0], SUBJECTS[2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"reason": "  "}, "a reason is needed"),
        ({"reason": "x" * 5000}, "longer than 4,000"),
        ({"days": 0}, "from 1 to 90"),
        ({"days": 91}, "from 1 to 90"),
        ({"by": " "}, "who does this"),
        ({"by": "Stillwatch"}, "who does this"),
        ({"action": Action.THROTTLE}, "needs a rate"),
        ({"rate": "5/day"}, "needs a rate"),
        ({"action": Action.THROTTLE, "rate": "often"}, "a rate is a whole number"),
        ({"scope": "model"}, "has to say which"),
        ({"only": ["m"]}, "names nothing"),
        ({"scope": "operator"}, "scope operator is a policy's"),
        ({"accounts": [""]}, "each an id"),
        ({"subject": Subject("account", "x" * 600)}, "at most 512 characters"),
        ({"subject": Subject("operator", "x" * 600)}, "longer than 512"),
        ({"subject": OP, "accounts": ()}, "is for named accounts"),
        ({"verdict": "compromised_account"}, "may not be restricted"),
        ({"verdict": "authorised_distillation"}, "may not be restricted"),
    ],
)
def test_what_an_order_may_not_say(book: Casebook, words: dict[str, object], said: str) -> None:
    from stillwatch.decisions.actions import Scope

    before = book.head
    given = {"subject": OP, "action": Action.VERIFY, "reason": "because", "by": "ann", "accounts": ["a"]} | words
    given["scope"] = Scope(given.get("scope", "account"))
    with pytest.raises(UsageError, match=said):
        book.propose(at=NOW, **given)
    assert book.head == before
    assert book.docket.orders == {}


def test_unknown_ids(book: Casebook) -> None:
    for call in (
        lambda: book.approve("o-99", by="ann", at=NOW),
        lambda: book.lift("o-99", reason="x", by="ann", at=NOW),
        lambda: book.unlist("l-99", reason="x", by="ann", at=NOW),
        lambda: book.answer("a-99", upheld=True, reason="x", by="ann", at=NOW),
    ):
        with pytest.raises(UsageError, match="there is no"):
            call()


def test_a_time_without_a_zone_is_a_mistake_of_ours(book: Casebook) -> None:
    with pytest.raises(ValueError, match="time zone"):
        book.note(OP, text="x", by="ann", at=NOW.replace(tzinfo=None))
    assert book.docket.notes == []


def test_two_processes_write_one_log(tmp_path: Path) -> None:
    with Casebook.open(tmp_path / "book", NOW) as one, Casebook.open(tmp_path / "book", NOW) as two:
        order = one.propose(OP, Action.BLOCK, accounts=["a"], reason="ring", by="ann", at=NOW)
        with pytest.raises(RefusedError, match="somebody else"):
            two.approve(order.id, by="ann", at=NOW)
        two.approve(order.id, by="bo", at=NOW)
        with pytest.raises(RefusedError, match="in force"):
            one.approve(order.id, by="cy", at=NOW)
        assert one.docket == two.docket
        two.note(OP, text="seen", by="bo", at=NOW)
        assert one.refresh()
        assert not one.refresh()
        assert one.docket == two.docket
    assert check(tmp_path / "book").entries == 4


def test_what_expires_is_written_down_by_the_system(book: Casebook) -> None:
    order = book.propose(OP, Action.BLOCK, accounts=["a"], reason="ring", by="ann", at=NOW)
    book.allow(ACCOUNT, reason="customer", days=3, by="ann", at=NOW)
    late = NOW + 14 * DAY
    with pytest.raises(RefusedError, match="expired"):
        book.approve(order.id, by="bo", at=late)
    assert book.docket.orders[order.id].status is Status.EXPIRED
    last = book.entries()[-1]
    assert (last.by, last.kind, last.data["ids"]) == ("stillwatch", "expired", ["o-2", "l-3"])
    assert last.at == late


def test_the_policy_in_force_is_on_record_once(book: Casebook) -> None:
    assert book.policy_is("ab" * 32, "shadow", NOW)
    assert not book.policy_is("ab" * 32, "shadow", NOW)
    assert book.policy_is("ab" * 32, "enforce", NOW)
    assert [entry.kind for entry in book.entries()] == ["opened", "policy", "policy"]


def test_a_reader_never_sees_the_docket_change(book: Casebook) -> None:
    before = book.docket
    copy = replace(before, orders=dict(before.orders), notes=list(before.notes))
    book.propose(OP, Action.BLOCK, accounts=["a"], reason="ring", by="ann", at=NOW)
    book.note(OP, text="x", by="ann", at=NOW)
    assert before == copy
    assert book.docket != before
