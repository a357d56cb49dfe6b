"""Who decides on an account, held against the rules written down slowly."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.decisions.actions import PROTECTED, Action, By, Certainty, Scope
from stillwatch.decisions.casebook import Casebook
from stillwatch.decisions.decide import Decider
from stillwatch.decisions.docket import Docket, Listing, Order, Status, Subject
from stillwatch.decisions.facts import RunFacts, read_facts
from stillwatch.decisions.policy import Policy, Rule, default_policy
from stillwatch.decisions.snapshot import decisions_table, snapshot
from stillwatch.errors import RunError
from stillwatch.model import DECISIONS, Dimension, Outcome, Verdict
from tests.decisions import naive
from tests.decisions.builders import DAY, NOW, facts, member, operator, write_run

ENFORCED = default_policy().model_copy(update={"mode": "enforce"})
OPERATORS = ("op-1", "op-2", "op-old")
ACCOUNTS = ("a", "b", "c", "gone")

some_bits = st.none() | st.sampled_from([0.0, 3.0, 9.0])
operators = st.builds(
    operator,
    st.sampled_from(OPERATORS[:2]),
    st.sampled_from(Verdict),
    accounts=st.integers(1, 4),
    events=st.integers(0, 2),
    fdr=st.none() | st.sampled_from([0.0, 0.0005, 0.005]),
    bits=st.fixed_dictionaries(dict.fromkeys(Dimension, some_bits)),
    outcomes=st.dictionaries(st.sampled_from(Dimension), st.sampled_from(Outcome)),
)


@st.composite
def runs(draw: st.DrawFn) -> RunFacts:
    known = {one.operator_id: one for one in draw(st.lists(operators, min_size=1, max_size=2))}
    members = [
        member(id, draw(st.sampled_from(list(known.values()))), draw(st.sampled_from(Certainty)), draw(bits))
        for id in ACCOUNTS[:3]
        for bits in [st.sampled_from([0.0, 5.0, 30.0])]
    ]
    merged = {"op-old": "op-1"} if draw(st.booleans()) else {}
    return facts(*members, judged_at=NOW - draw(st.integers(0, 20)) * DAY, merged=merged)


@st.composite
def rules(draw: st.DrawFn, name: str) -> Rule:
    action = draw(st.sampled_from(Action))
    verdicts = [Verdict.UNAUTHORISED_DISTILLATION]
    if action is not Action.BLOCK:
        verdicts = draw(st.lists(st.sampled_from([v for v in Verdict if v not in PROTECTED or not action.restricts]),
                                 min_size=1, unique=True))  # fmt: skip
    seen = draw(st.lists(st.sampled_from(Dimension), max_size=2, unique=True))
    words = {"meanwhile": draw(st.sampled_from([Action.ALLOW, Action.VERIFY]))} if action is Action.BLOCK else {}
    return Rule(
        name=name, verdicts=verdicts, action=action, rate="5/hour" if action is Action.THROTTLE else None,
        certainty=draw(st.lists(st.sampled_from(Certainty), min_size=1, unique=True)),
        membership_bits_at_least=draw(st.none() | st.just(5.0)), fdr_at_most=draw(st.none() | st.just(0.001)),
        observed=seen[:1], not_observed=seen[1:], accounts_at_least=draw(st.integers(1, 3)),
        events_at_least=draw(st.integers(0, 1)),
        bits_at_least=draw(st.dictionaries(st.sampled_from(Dimension), st.just(3.0), max_size=1)),
        reason="because", days=draw(st.none() | st.integers(1, 20)), **words,
    )  # fmt: skip


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    count = draw(st.integers(0, 4))
    mode = draw(st.sampled_from(["shadow", "enforce"]))
    return Policy(mode=mode, rule=[draw(rules(f"r{n}")) for n in range(count)])


subjects = st.builds(Subject, st.just("operator"), st.sampled_from(OPERATORS)) | st.builds(
    Subject, st.just("account"), st.sampled_from(ACCOUNTS)
)


@st.composite
def dockets(draw: st.DrawFn) -> Docket:
    made = Docket(killed=draw(st.sampled_from(["", "", "a bad rule"])))
    for n in range(draw(st.integers(0, 4))):
        subject, action = draw(subjects), draw(st.sampled_from(Action))
        accounts = frozenset(draw(st.lists(st.sampled_from(ACCOUNTS), min_size=1))) if action.restricts else frozenset()
        if subject.kind == "account":
            accounts = frozenset([subject.id])
        status = Status.PROPOSED if action is Action.BLOCK and draw(st.booleans()) else Status.IN_FORCE
        made.orders[f"o-{n}"] = Order(
            f"o-{n}", subject, action, "because", "ann", NOW - DAY, NOW + draw(st.integers(-1, 2)) * DAY, 5,
            rate="1/day" if action is Action.THROTTLE else None, accounts=accounts, status=status,
        )  # fmt: skip
    for n in range(draw(st.integers(0, 2))):
        ends = NOW + draw(st.integers(-1, 2)) * DAY
        made.listings[f"l-{n}"] = Listing(f"l-{n}", draw(subjects), "customer", "ann", NOW - DAY, ends)
    return made


@settings(max_examples=100, deadline=None)
@given(runs(), policies(), dockets())
def test_the_same_as_written_down_slowly(run: RunFacts, policy: Policy, docket: Docket) -> None:
    held = snapshot(run, policy, docket, NOW)
    for account in (*ACCOUNTS, "stranger"):
        found = held.get(account, NOW)
        said = (found.action, found.would, found.proposed, found.by, found.rule, found.expires_at)
        assert said == naive.decide(run, policy, docket, NOW, account)
        if found.verdict in PROTECTED:
            assert not found.would.restricts
        if policy.mode == "shadow" or docket.killed:
            assert found.action is Action.ALLOW


@settings(max_examples=30, deadline=None)
@given(runs(), policies(), dockets(), st.integers(0, 30))
def test_a_snapshot_that_grows_old_never_restricts_more(
    run: RunFacts, policy: Policy, docket: Docket, days: int
) -> None:
    held = snapshot(run, policy, docket, NOW)
    for account in ACCOUNTS:
        before, after = held.get(account, NOW), held.get(account, NOW + days * DAY)
        assert after == before or (after.action is Action.ALLOW and after.by is By.DEFAULT)


@settings(max_examples=20, deadline=None)
@given(runs(), policies(), dockets())
def test_the_table_is_the_snapshot(run: RunFacts, policy: Policy, docket: Docket) -> None:
    table, held = decisions_table(run, policy, docket, NOW), snapshot(run, policy, docket, NOW)
    assert table.schema == DECISIONS
    rows = {row["account_id"]: row for row in table.to_pylist() if row["account_id"] is not None}
    assert set(rows) >= set(run.accounts)
    for id, row in rows.items():
        found = held.get(id, NOW)
        assert (row["action"], row["would"], row["by"]) == (found.action, found.would, found.by)
        assert (row["reason"] or "") == found.reason
    joining = {row["operator_id"]: row["would"] for row in table.to_pylist() if row["account_id"] is None}
    assert joining == {id: decision.would for id, decision in held.joining.items()}


def test_a_rule_for_operators_binds_whoever_joins() -> None:
    rule = Rule(name="all", verdicts=["unauthorised_distillation"], action="verify", scope="operator", reason="ring")
    held = snapshot(facts(member("a", operator("op-1"))), Policy(mode="enforce", rule=[rule]), Docket(), NOW)
    found = held.of_operator("op-1", NOW)
    assert found is not None
    assert (found.action, found.scope) == (Action.VERIFY, Scope.OPERATOR)
    assert held.of_operator("op-9", NOW) is None
    assert snapshot(facts(member("a", operator("op-1"))), ENFORCED, Docket(), NOW).of_operator("op-1", NOW) is None


def test_an_order_outlives_the_run_that_it_was_made_on(tmp_path: Path) -> None:
    """The ring is gone from the log, since it was blocked: the block stands, for the accounts that people saw."""
    with Casebook.open(tmp_path / "book", NOW) as book:
        ring = Subject("operator", "op-1")
        order = book.propose(ring, Action.BLOCK, accounts=["a", "b"], reason="ring", by="ann", at=NOW)
        book.approve(order.id, by="bo", at=NOW)
        later = facts(member("c", operator("op-1")), member("d", operator("op-2", Verdict.ORDINARY, accounts=1)))
        held = snapshot(later, ENFORCED, book.docket, NOW + DAY)
    assert held.get("a", NOW + DAY).action is Action.BLOCK
    assert held.get("c", NOW + DAY).action is Action.THROTTLE, "who joined later was seen by nobody"
    assert held.get("a", NOW + 14 * DAY).action is Action.ALLOW
    assert held.get("d", NOW + DAY).action is Action.ALLOW


def test_a_block_is_suspended_when_the_use_turns_out_to_be_registered(tmp_path: Path) -> None:
    with Casebook.open(tmp_path / "book", NOW) as book:
        order = book.propose(Subject("account", "a"), Action.BLOCK, reason="ring", by="ann", at=NOW)
        book.approve(order.id, by="bo", at=NOW)
        for verdict in sorted(PROTECTED):
            one = snapshot(facts(member("a", operator("op", verdict))), ENFORCED, book.docket, NOW).get("a", NOW)
            assert one.action is Action.MONITOR
            assert "suspended" in one.reason


def test_links_to_the_evidence_are_escaped() -> None:
    policy = ENFORCED.model_copy(update={"evidence": "https://x.example/?o={operator_id}&a={account_id}"})
    decider = Decider(facts(member("a/../&x", operator("op?#"))), policy, Docket(), NOW)
    assert decider.account("a/../&x").evidence == "https://x.example/?o=op%3F%23&a=a%2F..%2F%26x"


def test_facts_are_those_of_the_run(tmp_path: Path) -> None:
    bits = {Dimension.SCALE: None, Dimension.TRANSPARENCY: 0.0}
    one = operator("op-1", bits=bits, outcomes={Dimension.TRANSPARENCY: Outcome.NOT_OBSERVED})
    lone = operator("op-2", Verdict.ORDINARY, accounts=1, fdr=None)
    members = [member("a", one), member("b", one, Certainty.LINKED, 3.0), member("c", lone, Certainty.LONE, 0.0)]
    merged = [
        {"operator_id": old, "merged_into": new} for old, new in (("x", "y"), ("y", "op-1"), ("p", "q"), ("q", "p"))
    ]
    found = read_facts(write_run(tmp_path / "run", members, state={"merged_operators": merged}))
    assert list(found.accounts.values()) == members
    assert found.operators == {"op-1": one, "op-2": lone}
    assert found.judged_at == NOW
    assert found.merged["x"] == found.merged["y"] == "op-1"
    assert set(found.merged) == {"x", "y", "p", "q"}, "a circle must end"


def test_a_run_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a finished run"):
        read_facts(tmp_path)
    run = write_run(tmp_path / "run", [member("a", operator("op-1"))])
    (run / "verdicts.parquet").write_bytes(b"PAR1")
    with pytest.raises(RunError, match="verdicts"):
        read_facts(run)
    (run / "verdicts.parquet").unlink()
    with pytest.raises(RunError, match="no table verdicts"):
        read_facts(run)


def test_expiry_counts_from_the_run_not_from_the_look() -> None:
    run = facts(member("a", operator("op-1")), judged_at=NOW)
    late = NOW + timedelta(days=13, hours=23)
    assert snapshot(run, ENFORCED, Docket(), late).get("a", late).action is Action.THROTTLE
    assert snapshot(run, ENFORCED, Docket(), late).get("a", NOW + 14 * DAY).action is Action.ALLOW
    stale = snapshot(run, ENFORCED, Docket(), NOW + 15 * DAY).get("a", NOW + 15 * DAY)
    assert stale.action is Action.ALLOW
    assert stale.reason.startswith("expired on 2026-10-04")
    assert stale.at(NOW + 16 * DAY) == stale, "once is enough"
