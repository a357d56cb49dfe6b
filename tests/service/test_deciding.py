"""What holds now: recognition stays below a look's word, changes have numbers, and the kill switch stops everything."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest

from stillwatch.decisions import Action, By, Casebook, Policy, RunFacts, Snapshot, Subject, default_policy
from stillwatch.decisions.actions import Certainty
from stillwatch.decisions.facts import AccountFacts, OperatorFacts
from stillwatch.model import Dimension, Outcome, Verdict
from stillwatch.service.deciding import MOST, Decisions, as_dict
from stillwatch.service.fast import Recognised
from stillwatch.service.keys import Keys
from stillwatch.service.live import Live, Setup
from stillwatch.service.looking import Walk
from tests.service.serving import Service

NOW = datetime.now(UTC)
ENFORCE: Policy = default_policy().model_copy(update={"mode": "enforce"})


def facts(**verdicts: Verdict) -> RunFacts:
    """Operators `o-NAME` of an account NAME each."""
    operators, accounts = {}, {}
    for name, verdict in verdicts.items():
        bits = MappingProxyType(dict.fromkeys(Dimension, 20.0))
        seen = MappingProxyType(dict.fromkeys(Dimension, Outcome.OBSERVED))
        operators[f"o-{name}"] = OperatorFacts(f"o-{name}", verdict, 1e-4, 3, 99, bits, seen)
        accounts[name] = AccountFacts(name, operators[f"o-{name}"], Certainty.PROVEN, 30.0)
    return RunFacts(Path("run"), NOW, operators, accounts, {})


def made(tmp_path: Path, policy: Policy = ENFORCE, **verdicts: Verdict) -> Decisions:
    decisions = Decisions(policy, Casebook.open(tmp_path / "casebook", NOW), "verify", 24.0)
    found = facts(**verdicts)
    decisions.facts = found
    decisions.take(decisions.made(), Path("run"), found)
    return decisions


GUILTY = {"harvester": Verdict.UNAUTHORISED_DISTILLATION, "robbed": Verdict.COMPROMISED_ACCOUNT,
          "customer": Verdict.ORDINARY}  # fmt: skip


def seen(account: str) -> Recognised:
    return Recognised(account, "o-harvester", 20.0, 13.3, ("lead_skeleton", "address"))


def test_who_is_recognised_is_to_be_verified_and_no_more(tmp_path: Path) -> None:
    decisions = made(tmp_path, **GUILTY)
    assert decisions.recognised([seen(name) for name in ("new", "customer", "robbed", "harvester")], NOW) == 4
    new = decisions.get("new", NOW)
    assert (new.action, new.would) == (Action.VERIFY, Action.VERIFY)
    assert (new.rule, new.operator_id) == ("recognised", "o-harvester")
    assert "20.0 bits" in new.reason
    assert new.expires_at == NOW + timedelta(hours=24)
    assert decisions.get("customer", NOW).action is Action.VERIFY
    # a victim is protected, and what the look says of an accused stands
    assert decisions.get("robbed", NOW).rule == "victim"
    assert decisions.get("harvester", NOW).would is Action.THROTTLE
    assert decisions.get("new", NOW + timedelta(hours=25)).action is Action.ALLOW
    assert decisions.get("nobody", NOW).by is By.DEFAULT


def test_in_shadow_nothing_is_enforced(tmp_path: Path) -> None:
    decisions = made(tmp_path, default_policy(), **GUILTY)
    decisions.recognised([seen("new")], NOW)
    for name in ("new", "harvester"):
        found = decisions.get(name, NOW)
        assert found.action is Action.ALLOW
        assert found.would is not Action.ALLOW
        assert as_dict(found, name, decisions.snapshot.mode)["mode"] == "shadow"


def test_the_allow_list_and_the_kill_switch_hold_at_once(tmp_path: Path) -> None:
    decisions = made(tmp_path, **GUILTY)
    decisions.recognised([seen("new"), seen("listed")], NOW)
    decisions.book.allow(Subject("account", "listed"), reason="known to us", by="ann", at=NOW)
    assert decisions.stale()
    decisions.take(decisions.made())
    assert not decisions.stale()
    assert decisions.get("listed", NOW).by is By.ALLOW_LIST
    assert decisions.get("new", NOW).action is Action.VERIFY
    before = decisions.number
    # another process turns the switch
    with Casebook.open(tmp_path / "casebook", NOW) as other:
        other.kill_switch(on=True, reason="outage", by="ben", at=NOW)
    assert decisions.stale()
    decisions.take(decisions.made())
    for name in ("new", "harvester"):
        assert decisions.get(name, NOW).action is Action.ALLOW
    assert decisions.since(before) is None  # everything may have changed
    decisions.book.close()


@pytest.mark.parametrize("adopted", [False, True])
def test_what_is_decided_while_a_snapshot_is_made_is_not_lost_to_it(tmp_path: Path, adopted: bool) -> None:
    walk = Walk(tmp_path / "state", tmp_path, str(tmp_path / "parcels.sqlite"))
    found = facts(**GUILTY)

    async def meanwhile() -> tuple[bool, bool]:
        live = Live(Setup(walk, ENFORCE, Keys(), looks=False))
        decisions, make = live.decisions, live.decisions.made
        await live.anew(Path("run"), facts())

        def slow(of: RunFacts | None = None) -> Snapshot:
            made = make(of)
            if not decisions.book.docket.killed:
                decisions.book.kill_switch(on=True, reason="outage", by="ben", at=NOW)
            return made

        decisions.made = slow  # type: ignore[method-assign]
        try:
            await (live.anew(Path("next"), found) if adopted else live.anew())
            return bool(decisions.snapshot.killed), decisions.facts is found
        finally:
            await live.stop()

    assert asyncio.run(meanwhile()) == (True, adopted)


def test_changes_have_numbers(tmp_path: Path) -> None:
    decisions = made(tmp_path, **GUILTY)
    start = decisions.number
    decisions.recognised([seen("new")], NOW)
    assert decisions.since(start) == {"new"}
    assert decisions.since(decisions.number) == frozenset()
    decisions.take(decisions.made())  # nothing differs
    assert decisions.since(start) == {"new"}
    found = facts(**{**GUILTY, "customer": Verdict.UNAUTHORISED_DISTILLATION})
    decisions.facts = found
    decisions.take(decisions.made(), Path("next"), found)
    assert decisions.since(start) == {"new", "customer"}
    assert decisions.since(start + 1) == {"customer"}
    assert decisions.since(decisions.number + 1) is None
    assert decisions.since(0) is None
    assert decisions.since(start - 1000) is None  # of a process that began a second earlier
    # a newer run that renews what stands is no change
    later = replace(found, judged_at=NOW + timedelta(hours=1))
    decisions.facts = later
    before = decisions.number
    decisions.take(decisions.made(), Path("third"), later)
    assert decisions.number == before


@pytest.mark.parametrize("verdict", [Verdict.ORDINARY, Verdict.INCONCLUSIVE, Verdict.AUTHORISED_DISTILLATION])
def test_recognition_ends_when_the_operator_is_accused_no_more(verdict: Verdict, tmp_path: Path) -> None:
    decisions = made(tmp_path, **GUILTY)
    decisions.recognised([seen("new")], NOW)
    still = facts(**GUILTY)
    decisions.facts = still
    decisions.take(decisions.made(), Path("next"), still)
    assert decisions.get("new", NOW).action is Action.VERIFY
    cleared = facts(harvester=verdict)
    decisions.facts = cleared
    decisions.take(decisions.made(), Path("third"), cleared)
    assert decisions.get("new", NOW).action is Action.ALLOW


def test_changes_that_name_too_many_accounts_are_forgotten(tmp_path: Path) -> None:
    """How many changes are remembered is bounded by what they weigh; who is behind that starts anew."""
    decisions = made(tmp_path, **GUILTY)
    start = decisions.number
    for part in range(8):
        decisions.recognised([seen(f"{part}-{number}") for number in range(MOST // 4)], NOW)
    assert decisions.since(start) is None
    recent = decisions.since(decisions.number - 2)
    assert recent is not None
    assert len(recent) == 2 * (MOST // 4)
    assert sum(len(names or ()) for _, names in decisions.changes) <= MOST


def test_waiting_ends_with_a_change_or_with_the_time(tmp_path: Path) -> None:
    decisions = made(tmp_path, **GUILTY)

    async def waits() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await decisions.wait(decisions.number, 0.2)
        timed = loop.time() - began
        loop.call_later(0.1, decisions.recognised, [seen("new")], NOW)
        await asyncio.wait_for(decisions.wait(decisions.number, 30), 10)
        return timed, loop.time() - began - timed

    timed, woken = asyncio.run(waits())
    assert timed >= 0.19
    assert woken < 5


def test_waiting_for_accounts_ends_with_a_change_about_them(tmp_path: Path) -> None:
    decisions = made(tmp_path, **GUILTY)

    async def waits() -> tuple[bool, frozenset[str] | None]:
        start = decisions.number
        waiting = asyncio.create_task(decisions.wait(start, 60, frozenset({"mine", "unheard of"})))
        await asyncio.sleep(0)
        decisions.recognised([seen("another")], NOW)
        for _ in range(5):
            await asyncio.sleep(0)
        woken = waiting.done()
        decisions.recognised([seen("mine")], NOW)
        await asyncio.wait_for(waiting, 30)
        return woken, decisions.since(start)

    assert asyncio.run(waits()) == (False, {"another", "mine"})


@pytest.mark.parametrize("path", ["/v1/decisions/x"])
def test_the_service_answers_as_documented(service: Service, path: str) -> None:
    told = service.client.get(path).json()
    document = service.client.get("/openapi.json").json()
    assert set(told) == set(document["components"]["schemas"]["Decision"]["properties"])
