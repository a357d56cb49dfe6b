"""A policy tried on a run's history: whom it would have hit, and how much of it is honest traffic.

The decisions of today are laid over all the traffic of the run, as if they had held from its first day: more than
would have been turned away in truth, since nobody is accused before there is evidence. What people decided is left out;
a block is counted both ways, as it holds until two people approve it, and as if they had.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stillwatch.decisions.actions import Action, Decision, Scope
from stillwatch.decisions.decide import Decider
from stillwatch.decisions.docket import Docket
from stillwatch.decisions.facts import RunFacts
from stillwatch.decisions.policy import Policy, Rule
from stillwatch.decisions.prices import Prices
from stillwatch.decisions.traffic import NOTHING, Amount, Touched, Traffic, traffic_of
from stillwatch.engine.runfolder import RunFolder
from stillwatch.model import Verdict


@dataclass(frozen=True)
class Honesty:
    """Whose traffic is honest, by some yardstick."""

    name: str
    """`verdict` or `truth`."""
    share: Mapping[str, float]
    """Account -> share of its requests that are honest; an account that is missing is known to nobody."""
    label: Mapping[str, str]
    """Account -> what it is called by that yardstick."""


@dataclass(frozen=True)
class RuleReach:
    """What one rule would have done. The rule without a name is what no rule fits."""

    rule: str
    action: str
    proposed: str | None
    """What waits for two people."""
    rate: str | None
    scope: str
    accounts: int
    operators: int
    touched: Amount
    turned_away: Amount
    turned_away_if_approved: Amount


@dataclass(frozen=True)
class Side:
    """Honest traffic, or the rest: all of it, what a customer would have felt, and what would have been turned away."""

    accounts: int
    accounts_restricted: int
    total: Amount
    restricted: Amount
    turned_away: Amount
    turned_away_if_approved: Amount


@dataclass(frozen=True)
class LabelReach:
    """Accounts of one label by what would have been done to them."""

    label: str
    accounts: int
    actions: Mapping[str, int]
    blocks_proposed: int


@dataclass(frozen=True)
class Yardstick:
    """Both sides by one yardstick. Accounts that mix count on both, by their share of requests."""

    name: str
    honest: Side
    harvest: Side
    unknown_accounts: int
    by_label: tuple[LabelReach, ...]


@dataclass(frozen=True)
class Trial:
    """What a policy would have done on a run."""

    mode: str
    currency: str | None
    total: Amount
    accounts: int
    rules: tuple[RuleReach, ...]
    yardsticks: tuple[Yardstick, ...]
    unpriced: Mapping[str, int]
    """Requests of models that have no price."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, rounded to six decimals; revenue is null without a price table."""
        return dict(_plain(asdict(self), self.currency is not None))

    def as_json(self) -> str:
        """One JSON object, keys sorted, ASCII only."""
        return json.dumps(self.as_dict(), indent=1, sort_keys=True)


def _plain(value: Any, priced: bool) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {
            name: None if name == "revenue" and not priced else _plain(inner, priced) for name, inner in value.items()
        }
    return [_plain(inner, priced) for inner in value] if isinstance(value, list | tuple) else value


def by_verdict(facts: RunFacts) -> Honesty:
    """The run's own opinion: who is not accused is honest."""
    accused = Verdict.UNAUTHORISED_DISTILLATION
    labels = {id: account.operator.verdict.value for id, account in facts.accounts.items()}
    return Honesty("verdict", {id: float(label != accused) for id, label in labels.items()}, labels)


def requests_of(facts: RunFacts) -> dict[str, int]:
    """Requests of each account of a run."""
    with traffic_of(RunFolder(facts.root), None) as traffic:
        return {id: int(amount.requests) for id, amount in traffic.of_accounts().items()}


@dataclass(frozen=True)
class _Hit:
    """An account's decision, and what it touches, turns away, and would turn away once approved."""

    decision: Decision
    touched: Amount = NOTHING
    turned_away: Amount = NOTHING
    if_approved: Amount = NOTHING


def try_policy(facts: RunFacts, policy: Policy, prices: Prices | None, yardsticks: list[Honesty]) -> Trial:
    """Lay a policy over the history of a run; RunError if its tables cannot be read."""
    decider = Decider(facts, policy, Docket(), facts.judged_at)
    decided: dict[str, list[Decision]] = {}
    for id in facts.accounts:
        decision = decider.account(id)
        decided.setdefault(decision.rule, []).append(decision)
    with traffic_of(RunFolder(facts.root), prices) as traffic:
        whole = traffic.of_accounts()
        unpriced = traffic.unpriced() if prices else {}
        rules = [(rule, _hits(traffic, rule, decided.get(rule.name, []))) for rule in policy.rule]
    rest = [_Hit(decision, whole.get(decision.account_id, NOTHING)) for decision in decided.get("", [])]
    hits = {hit.decision.account_id: hit for _, found in rules for hit in found} | {
        hit.decision.account_id: hit for hit in rest
    }
    return Trial(
        policy.mode,
        prices.currency if prices else None,
        _sum(whole.values()),
        len(facts.accounts),
        (*(_reach(rule, found) for rule, found in rules), _reach(None, rest)),
        tuple(_yardstick(honesty, hits, whole) for honesty in yardsticks),
        unpriced,
    )


def _hits(traffic: Traffic, rule: Rule, decisions: list[Decision]) -> list[_Hit]:
    ids = [decision.account_id for decision in decisions]
    found = traffic.touched(ids, rule.acts, rule.rate, rule.scope, rule.only)
    hits = []
    for decision in decisions:
        touched = found.get(decision.account_id, Touched(NOTHING, NOTHING))
        blocked = touched.touched if rule.action is Action.BLOCK else touched.turned_away
        hits.append(_Hit(decision, touched.touched, touched.turned_away, blocked))
    return hits


def _sum(amounts: Iterable[Amount]) -> Amount:
    total = NOTHING
    for amount in amounts:
        total += amount
    return total


def _reach(rule: Rule | None, hits: list[_Hit]) -> RuleReach:
    return RuleReach(
        rule=rule.name if rule else "",
        action=rule.acts.value if rule else Action.ALLOW.value,
        proposed=Action.BLOCK.value if rule and rule.action is Action.BLOCK else None,
        rate=rule.rate if rule else None,
        scope=rule.scope.value if rule else Scope.ACCOUNT.value,
        accounts=len(hits),
        operators=len({hit.decision.operator_id for hit in hits}),
        touched=_sum(hit.touched for hit in hits),
        turned_away=_sum(hit.turned_away for hit in hits),
        turned_away_if_approved=_sum(hit.if_approved for hit in hits),
    )


def _yardstick(honesty: Honesty, hits: Mapping[str, _Hit], whole: Mapping[str, Amount]) -> Yardstick:
    known = {id: share for id, share in honesty.share.items() if id in hits}
    return Yardstick(
        name=honesty.name,
        honest=_side(known, hits, whole),
        harvest=_side({id: 1 - share for id, share in known.items()}, hits, whole),
        unknown_accounts=len(hits) - len(known),
        by_label=_labels(honesty, hits),
    )


def _side(share: Mapping[str, float], hits: Mapping[str, _Hit], whole: Mapping[str, Amount]) -> Side:
    mine = {id: part for id, part in share.items() if part > 0}
    felt = [id for id in mine if hits[id].decision.would.restricts]
    return Side(
        accounts=len(mine),
        accounts_restricted=len(felt),
        total=_sum(whole.get(id, NOTHING) * part for id, part in mine.items()),
        restricted=_sum(hits[id].touched * mine[id] for id in felt),
        turned_away=_sum(hits[id].turned_away * part for id, part in mine.items()),
        turned_away_if_approved=_sum(hits[id].if_approved * part for id, part in mine.items()),
    )


def _labels(honesty: Honesty, hits: Mapping[str, _Hit]) -> tuple[LabelReach, ...]:
    actions: dict[str, Counter[str]] = {}
    blocks: Counter[str] = Counter()
    for id, hit in hits.items():
        label = honesty.label.get(id, "unknown")
        actions.setdefault(label, Counter())[hit.decision.would.value] += 1
        blocks[label] += hit.decision.proposed is Action.BLOCK
    return tuple(
        LabelReach(label, actions[label].total(), dict(sorted(actions[label].items())), blocks[label])
        for label in sorted(actions)
    )
