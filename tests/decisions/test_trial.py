"""A policy tried on history, held against a count row by row."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.decisions.actions import Action, Certainty, Rate, Scope
from stillwatch.decisions.decide import Decider
from stillwatch.decisions.docket import Docket
from stillwatch.decisions.facts import read_facts
from stillwatch.decisions.policy import Policy, Rule
from stillwatch.decisions.prices import Price, Prices, load_prices
from stillwatch.decisions.traffic import Amount
from stillwatch.decisions.trial import Honesty, Trial, by_verdict, requests_of, try_policy
from stillwatch.errors import UsageError
from stillwatch.model import Verdict
from tests.decisions.builders import NOW, event, member, operator, write_run

PRICES = Prices(
    currency="EUR", models={"m-1": Price(input=3, output=15, cached_input=1), "m-2": Price(input=1, output=1)}
)
HARVEST, HEAVY = Verdict.UNAUTHORISED_DISTILLATION, Verdict.HEAVY_USE


def rule(name: str, action: Action, *verdicts: Verdict, **words: Any) -> Rule:
    rate = "2/minute" if Action.THROTTLE in (action, words.get("meanwhile")) else None
    return Rule(name=name, verdicts=verdicts, action=action, rate=rate, reason="because", **words)


POLICY = Policy(
    rule=[
        rule("sure", Action.BLOCK, HARVEST, certainty=[Certainty.PROVEN], meanwhile=Action.THROTTLE),
        rule("one model", Action.THROTTLE, HARVEST, scope=Scope.MODEL, only=["m-1"]),
        rule("at home", Action.VERIFY, HEAVY, scope=Scope.REGION, only=["DE"]),
    ]
)
MEMBERS = [
    member("a", operator("op-1", accounts=2)),
    member("b", operator("op-1", accounts=2), Certainty.LINKED),
    member("c", operator("op-2", HEAVY, accounts=1), Certainty.LONE),
    member("d", operator("op-3", Verdict.ORDINARY, accounts=1), Certainty.LONE),
]

rows = st.builds(
    event,
    st.sampled_from("abcd"),
    st.floats(0, 200).map(lambda second: round(second, 3)),
    model=st.sampled_from(["m-1", "m-2", "m-3"]),
    country=st.none() | st.sampled_from(["DE", "FR"]),
    input_tokens=st.none() | st.integers(0, 5000),
    output_tokens=st.none() | st.integers(0, 5000),
    cached_tokens=st.none() | st.integers(0, 6000),
)


def price(row: dict[str, Any]) -> float:
    known = PRICES.models.get(row["model"])
    if known is None:
        return 0.0
    read, written = row["input_tokens"] or 0, row["output_tokens"] or 0
    cached = min(row["cached_tokens"] or 0, read)
    dear = known.input if known.cached_input is None else known.cached_input
    return ((read - cached) * known.input + cached * dear + written * known.output) / 1e6


def counted(events: list[dict[str, Any]], rule: Rule, account: str) -> tuple[Amount, Amount]:
    """What the rule touches of an account, and what of it is turned away, in the order of time."""
    touched, away = Amount(), Amount()
    seen: dict[int, int] = defaultdict(int)
    numbered = [(row["time"], f"e-{n}", row) for n, row in enumerate(events, 1) if row["account_id"] == account]
    for time, _, row in sorted(numbered, key=lambda item: item[:2]):
        if rule.scope is Scope.MODEL and row["model"] not in rule.only:
            continue
        if rule.scope is Scope.REGION and row["country"] not in rule.only:
            continue
        one = Amount(1, (row["input_tokens"] or 0) + (row["output_tokens"] or 0), price(row))
        touched += one
        if rule.acts is Action.THROTTLE:
            rate = Rate.parse(str(rule.rate))
            stretch = int(time.timestamp()) // rate.seconds
            seen[stretch] += 1
            if seen[stretch] > rate.requests:
                away += one
    return touched, away


def near(amount: Amount) -> Any:
    return (pytest.approx(amount.requests), pytest.approx(amount.tokens), pytest.approx(amount.revenue))


def parts(amount: Amount) -> tuple[float, float, float]:
    return amount.requests, amount.tokens, amount.revenue


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, max_size=60))
def test_the_same_as_counted_row_by_row(tmp_path: Path, events: list[dict[str, Any]]) -> None:
    facts = read_facts(write_run(tmp_path / "run", MEMBERS, events))
    truth = Honesty("truth", {"a": 0.25, "b": 1.0, "c": 1.0}, {"a": "campaign", "b": "ordinary", "c": "startup"})
    trial = try_policy(facts, POLICY, PRICES, [by_verdict(facts), truth])
    rule_of = {"a": POLICY.rule[0], "b": POLICY.rule[1], "c": POLICY.rule[2]}
    reach = {one.rule: one for one in trial.rules}
    expected = {id: counted(events, rule_of[id], id) for id in "abc"}
    for id, (touched, away) in expected.items():
        one = reach[rule_of[id].name]
        assert (one.accounts, one.operators) == (1, 1)
        assert parts(one.touched) == near(touched)
        assert parts(one.turned_away) == near(away)
        assert parts(one.turned_away_if_approved) == near(touched if id == "a" else away)
    assert reach[""].accounts == 1
    assert parts(reach[""].touched) == near(whole(events, "d"))
    honest = trial.yardsticks[1].honest
    share = {"a": 0.25, "b": 1.0, "c": 1.0}
    assert parts(honest.restricted) == near(total(expected[id][0] * share[id] for id in share))
    assert parts(honest.turned_away) == near(total(expected[id][1] * share[id] for id in share))
    assert parts(honest.total) == near(total(whole(events, id) * share[id] for id in share))
    assert trial.yardsticks[1].unknown_accounts == 1
    assert sum(trial.unpriced.values()) == sum(row["model"] == "m-3" for row in events)
    assert requests_of(facts) == {id: n for id in "abcd" if (n := sum(r["account_id"] == id for r in events))}


def total(amounts: Any) -> Amount:
    out = Amount()
    for amount in amounts:
        out += amount
    return out


def whole(events: list[dict[str, Any]], account: str) -> Amount:
    anything = Rule(name="x", verdicts=[HEAVY], action=Action.MONITOR, reason="x")
    return counted(events, anything, account)[0]


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    events = [event(account, n, input_tokens=100, output_tokens=10) for account in "aabcd" for n in range(5)]
    facts = read_facts(write_run(tmp_path / "run", MEMBERS, events))
    truth = Honesty("truth", {"a": 0.0, "b": 1.0, "c": 1.0, "d": 1.0}, {"a": "campaign", "b": "tutor\x1b[2J"})
    return try_policy(facts, POLICY, None, [by_verdict(facts), truth])


def test_honest_by_the_verdict_is_who_is_not_accused(trial: Trial) -> None:
    verdict, truth = trial.yardsticks
    assert (verdict.honest.accounts, verdict.harvest.accounts) == (2, 2)
    assert verdict.honest.accounts_restricted == 1
    assert truth.honest.accounts_restricted == 2
    assert truth.honest.restricted.requests == 5, "b's; c's come from no region"
    assert truth.honest.turned_away.requests == 3, "b's beyond two a minute"
    assert truth.harvest.turned_away_if_approved.requests == 10


def test_json_is_whole_and_says_when_there_is_no_price(trial: Trial) -> None:
    read = json.loads(trial.as_json())
    assert read["currency"] is None
    assert read["total"] == {"requests": 25, "tokens": 2750, "revenue": None}
    assert [one["rule"] for one in read["rules"]] == ["sure", "one model", "at home", ""]
    assert read["rules"][0]["turned_away_if_approved"]["requests"] == 10


def test_what_is_shown_fits_and_is_inert(trial: Trial) -> None:
    import io

    from rich.console import Console

    from stillwatch.decisions.show import render_trial

    out = io.StringIO()
    console = Console(file=out, width=80)
    for part in render_trial(trial):
        console.print(part)
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "tutor\\u001b[2J" in text
    assert "by the truth" in text
    assert "…" not in text.split("by the")[0]


def test_decisions_of_a_trial_are_those_of_the_policy(trial: Trial, tmp_path: Path) -> None:
    facts = read_facts(tmp_path / "run")
    decider = Decider(facts, POLICY, Docket(), NOW)
    assert [decider.account(id).rule for id in "abcd"] == ["sure", "one model", "at home", ""]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("currency = 'EUR'", "models: Field required"),
        ("currency = 'EUR'\n[models]", "models: Dictionary should have at least 1"),
        ("currency = 'EUR'\n[models.m]\ninput = -1\noutput = 1", "models.m.input"),
        ("currency = 'EUR'\n[models.m]\ninput = inf\noutput = 1", "models.m.input"),
        ("currency = 'EUR'\n[models.m]\ninput = 1", "models.m.output: Field required"),
        ("[models", "not TOML"),
    ],
)
def test_what_is_no_price_table(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        load_prices(path)
