"""The decision on one account, written down from the rules of docs/decisions.md, slow and obvious."""

from __future__ import annotations

from datetime import datetime, timedelta

from stillwatch.decisions.actions import Action, Certainty
from stillwatch.decisions.docket import Docket, Order, Status
from stillwatch.decisions.facts import RunFacts
from stillwatch.decisions.policy import Policy, Rule
from stillwatch.model import Outcome, Verdict

Said = tuple[str, str, str | None, str, str, datetime | None]
"""action, would, proposed, by, rule, expires_at"""


def decide(facts: RunFacts, policy: Policy, docket: Docket, now: datetime, account: str) -> Said:
    would, proposed, by, rule, ends = below_the_switch(facts, policy, docket, now, account)
    if ends is not None and ends <= now:
        would, proposed, by = "allow", None, "default"
    if docket.killed and by != "default":
        return "allow", would, proposed, "kill_switch", rule, ends
    return ("allow" if policy.mode == "shadow" else would), would, proposed, by, rule, ends


def below_the_switch(
    facts: RunFacts, policy: Policy, docket: Docket, now: datetime, account: str
) -> tuple[str, str | None, str, str, datetime | None]:
    mine = facts.accounts.get(account)
    ids = {mine.operator.operator_id} if mine else set()
    ids |= {old for old, new in facts.merged.items() if new in ids}
    verdict = mine.operator.verdict if mine else None
    # 1. the allow list
    for kind in ("account", "operator"):
        names = {account} if kind == "account" else ids
        listed = [e for e in docket.listings.values() if e.subject.kind == kind and e.subject.id in names]
        listed = [e for e in listed if not e.ended_by and e.at <= now < e.lapses_at]
        if listed:
            return "allow", None, "allow_list", listed[-1].id, listed[-1].lapses_at
    blocks = [o for o in docket.orders.values() if o.status is Status.PROPOSED and now < o.lapses_at]
    proposed = "block" if any(account in o.accounts for o in blocks) else None
    # 2. people's orders: of the account before of its operator, the newest last
    orders = [o for o in docket.orders.values() if o.status is Status.IN_FORCE and now < o.lapses_at]
    own = [o for o in orders if o.subject.kind == "account" and o.subject.id == account]
    named = [o for o in orders if o.subject.kind == "operator" and account in o.accounts]
    open_ = [o for o in orders if o.subject.kind == "operator" and not o.accounts and o.subject.id in ids]
    for found in (own, named, open_):
        if found:
            return ordered(found[-1], verdict, proposed)
    # 3. the policy's first rule that fits
    for rule in policy.rule:
        if mine is not None and holds(rule, facts, account):
            days = policy.days if rule.days is None else rule.days
            ends = facts.judged_at + timedelta(days=days)
            if rule.action == "block":
                return rule.meanwhile.value, "block", "policy", rule.name, ends
            return rule.action.value, proposed, "policy", rule.name, ends
    return "allow", proposed, "default", "", None


def ordered(order: Order, verdict: Verdict | None, proposed: str | None) -> tuple[str, str | None, str, str, datetime]:
    action = order.action.value
    if verdict in ("authorised_distillation", "compromised_account") and action in ("verify", "throttle", "block"):
        action = Action.MONITOR.value
    return action, proposed, "order", order.id, order.lapses_at


def holds(rule: Rule, facts: RunFacts, account: str) -> bool:
    mine = facts.accounts[account]
    group = mine.operator
    if group.verdict not in rule.verdicts or mine.certainty not in rule.certainty:
        return False
    if group.accounts < rule.accounts_at_least:
        return False
    if group.events < rule.events_at_least:
        return False
    if rule.fdr_at_most is not None:
        if group.fdr is None:
            return False
        if group.fdr > rule.fdr_at_most:
            return False
    least = rule.membership_bits_at_least
    if least is not None and mine.certainty != Certainty.LONE and mine.membership_bits < least:
        return False
    for dimension in rule.observed:
        if group.outcomes[dimension] != Outcome.OBSERVED:
            return False
    for dimension in rule.not_observed:
        if group.outcomes[dimension] != Outcome.NOT_OBSERVED:
            return False
    for dimension, bits in rule.bits_at_least.items():
        known = group.bits[dimension]
        if known is None or known < bits:
            return False
    return True
