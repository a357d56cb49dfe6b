"""A policy is read or refused; the one that ships blocks nobody by itself."""

from __future__ import annotations

import re
import tomllib
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from stillwatch.decisions.actions import Action, Certainty, Rate
from stillwatch.decisions.decide import Decider
from stillwatch.decisions.docket import Docket
from stillwatch.decisions.policy import Policy, default_policy, default_text, load_policy, parse
from stillwatch.errors import UsageError
from stillwatch.model import Dimension, Outcome, Verdict
from tests.decisions.builders import NOW, facts, member, operator

INNOCENT = [
    Verdict.AUTHORISED_DISTILLATION, Verdict.HEAVY_USE, Verdict.COMPROMISED_ACCOUNT, Verdict.ORDINARY,
    Verdict.INCONCLUSIVE,
]  # fmt: skip


def rule(**words: Any) -> dict[str, Any]:
    return {"name": "r", "verdicts": ["heavy_use"], "action": "monitor", "reason": "because", **words}


def refused(written: dict[str, Any]) -> str:
    with pytest.raises(UsageError) as error:
        parse(tomli_w.dumps(written), "p.toml")
    return str(error.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"acton": "block"}, "rule 1 'r': acton: Extra inputs are not permitted"),
        ({"action": "ban"}, "rule 1 'r': action: Input should be"),
        ({"verdicts": ["guilty"]}, "rule 1 'r': verdicts.0: Input should be"),
        ({"verdicts": []}, "verdicts: Tuple should have at least 1"),
        ({"action": "throttle"}, "a throttle needs a rate"),
        ({"action": "throttle", "rate": "fast"}, "a rate is a whole number"),
        ({"rate": "10/minute"}, "a rate is for a throttle"),
        ({"action": "throttle", "rate": "0/minute"}, "a rate is a whole number"),
        ({"reason": ""}, "reason: String should have at least 1"),
        ({"scope": "model"}, "scope model needs only"),
        ({"only": ["m-1"]}, "scope account takes no only"),
        ({"scope": "region", "only": [" "]}, "only has an empty name"),
        ({"scope": "operator", "certainty": ["proven"]}, "scope operator takes no certainty"),
        ({"scope": "operator", "membership_bits_at_least": 3.0}, "scope operator takes no certainty"),
        ({"observed": ["source"], "not_observed": ["source"]}, "both observed and not_observed"),
        ({"meanwhile": "verify"}, "meanwhile is for a block"),
        ({"action": "block"}, "only unauthorised_distillation can be blocked by a policy"),
        ({"action": "block", "verdicts": ["unauthorised_distillation", "heavy_use"]}, "only unauthorised_distillation"),
        ({"action": "block", "verdicts": ["unauthorised_distillation"], "meanwhile": "block"}, "that takes two people"),
        ({"action": "verify", "verdicts": ["compromised_account"]}, "compromised_account may not be restricted"),
        ({"action": "verify", "verdicts": ["authorised_distillation"]}, "authorised_distillation may not be"),
        ({"days": 0}, "days: Input should be greater"),
        ({"days": 9999}, "days: Input should be less"),
        ({"fdr_at_most": 2}, "fdr_at_most: Input should be less"),
    ],
)
def test_what_a_rule_may_not_say(words: dict[str, Any], said: str) -> None:
    message = refused({"rule": [rule(**words)]})
    assert message.startswith("policy p.toml: ")
    assert said in message


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"mode": "on"}, "mode: Input should be 'shadow' or 'enforce'"),
        ({"rules": []}, "rules: Extra inputs are not permitted"),
        ({"rule": [rule(), rule()]}, "two rules are called 'r'"),
        ({"evidence": "/x/{secret}"}, "only {operator_id} and {account_id}"),
        ({"days": 1000}, "days: Input should be less"),
    ],
)
def test_what_a_policy_may_not_say(written: dict[str, Any], said: str) -> None:
    assert said in refused(written)


def test_the_second_of_two_rules_is_named_as_it_is_counted() -> None:
    assert "rule 2 'other': action" in refused({"rule": [rule(), rule(name="other", action="no")]})


def test_files_that_are_no_policy(tmp_path: Path) -> None:
    for name, content in (("a", b"mode = "), ("b", b"\xff\xfe")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match="not TOML"):
            load_policy(tmp_path / name)
    with pytest.raises(UsageError, match="No such file"):
        load_policy(tmp_path / "none")


def test_shadow_is_the_default() -> None:
    assert Policy().mode == "shadow"
    assert parse("", "empty").mode == "shadow"
    assert default_policy().mode == "shadow"
    assert tomllib.loads(default_text())["mode"] == "shadow"
    assert load_policy(None) == default_policy()


def test_the_default_blocks_nobody_by_itself_and_restricts_none_but_the_accused() -> None:
    """Every verdict, certainty, rate and outcome: what it does, and what it proposes."""
    policy = default_policy().model_copy(update={"mode": "enforce"})
    for verdict, certainty, fdr, seen in product(Verdict, Certainty, (None, 0.0, 0.0005, 0.005, 1.0), Outcome):
        one = operator("op", verdict, fdr=fdr, outcomes=dict.fromkeys(Dimension, seen))
        decision = Decider(facts(member("a", one, certainty)), policy, Docket(), NOW).account("a")
        assert decision.action is not Action.BLOCK
        if verdict in INNOCENT:
            assert not decision.action.restricts
            assert decision.proposed is None
        else:
            assert decision.action.restricts
        block = decision.proposed is Action.BLOCK
        sure = fdr is not None and fdr <= 0.001 and certainty is not Certainty.LINKED and seen is Outcome.OBSERVED
        assert block == (verdict is Verdict.UNAUTHORISED_DISTILLATION and sure)


@pytest.mark.parametrize(("text", "seconds"), [("1/second", 1), ("10/minute", 60), ("60/hour", 3600), ("5/day", 86400)])
def test_rates(text: str, seconds: int) -> None:
    assert str(Rate.parse(text)) == text
    assert Rate.parse(text).seconds == seconds


@pytest.mark.parametrize("text", ["", "10", "10/week", "-1/hour", "1.5/hour", " 1/hour", "1/hour ", "01/hour"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape("10/minute")):
        Rate.parse(text)
