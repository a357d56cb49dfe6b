"""docs/decisions.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from stillwatch.decisions.actions import Action, Scope
from stillwatch.decisions.audit import GENESIS
from stillwatch.decisions.policy import Policy, Rule, default_policy
from stillwatch.decisions.prices import load_prices
from stillwatch.decisions.procedure import LONGEST_LISTING, LONGEST_ORDER, PROPOSAL_DAYS
from tests import doc_tables

PAGE = (Path(__file__).parents[2] / "docs" / "decisions.md").read_text(encoding="utf-8")


def test_actions_and_scopes() -> None:
    section = doc_tables.sections(PAGE)["Actions"]
    assert [row[0].strip("`") for row in doc_tables.rows(section)] == list(Action)
    assert {scope for scope in Scope if f"`{scope}`" in section} == set(Scope)


def test_words_of_a_rule() -> None:
    section = doc_tables.sections(PAGE)["A policy"]
    conditions = {word for row in doc_tables.rows(section) for word in re.findall(r"`(\w+)`", row[0])}
    named = conditions | {"name", "action", "meanwhile", "rate", "scope", "only", "reason", "days"}
    assert named == set(Rule.model_fields)
    for word in named - {"name"}:
        assert f"`{word}`" in section, word


def test_what_ends_when() -> None:
    assert f"orders after at most {LONGEST_ORDER} days, the allow list after {LONGEST_LISTING}" in PAGE
    assert f"nobody approves after {PROPOSAL_DAYS}" in PAGE
    assert len(GENESIS) == 64
    assert Policy().mode == "shadow"
    assert "`10/day`" in PAGE
    assert next(rule.rate for rule in default_policy().rule if rule.action is Action.BLOCK) == "10/day"


def test_the_price_table_shown_can_be_read(tmp_path: Path) -> None:
    (shown,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "prices.toml").write_text(shown, encoding="utf-8")
    prices = load_prices(tmp_path / "prices.toml")
    assert prices.models["model-large"].cached_input == 0.3
