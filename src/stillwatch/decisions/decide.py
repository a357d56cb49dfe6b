"""From what a run says, a policy and what people decided, to the decision on each account.

The strongest voice decides: the kill switch, the allow list, an order on the account, an order on its operator, the
policy's first rule that fits. Registered use and victims are restricted by nobody.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import quote

from stillwatch.decisions.actions import PROTECTED, Action, By, Certainty, Decision, Scope
from stillwatch.decisions.docket import Docket, Listing, Order, Subject
from stillwatch.decisions.facts import AccountFacts, OperatorFacts, RunFacts
from stillwatch.decisions.policy import Policy, Rule
from stillwatch.model import Dimension, Outcome


def fits(rule: Rule, facts: AccountFacts) -> bool:
    """Whether all that the rule names holds. What could not be looked at never fits."""
    operator = facts.operator
    return (
        operator.verdict in rule.verdicts
        and facts.certainty in rule.certainty
        and operator.accounts >= rule.accounts_at_least
        and operator.events >= rule.events_at_least
        and (rule.fdr_at_most is None or (operator.fdr is not None and operator.fdr <= rule.fdr_at_most))
        and (rule.membership_bits_at_least is None or _sure(facts, rule.membership_bits_at_least))
        and all(operator.outcomes[dimension] is Outcome.OBSERVED for dimension in rule.observed)
        and all(operator.outcomes[dimension] is Outcome.NOT_OBSERVED for dimension in rule.not_observed)
        and all(_has(operator, dimension, bits) for dimension, bits in rule.bits_at_least.items())
    )


def _sure(facts: AccountFacts, bits: float) -> bool:
    return facts.certainty is Certainty.LONE or facts.membership_bits >= bits


def _has(operator: OperatorFacts, dimension: Dimension, bits: float) -> bool:
    known = operator.bits[dimension]
    return known is not None and known >= bits


class Decider:
    """Decides on accounts of one run under one policy, as the docket stands at `now`."""

    def __init__(self, facts: RunFacts, policy: Policy, docket: Docket, now: datetime) -> None:
        self.facts, self.policy, self.docket, self.now = facts, policy, docket, now
        self._for_account: dict[str, Order] = {}
        self._for_operator: dict[str, Order] = {}
        self._waiting: dict[str, Order] = {}
        self._listed: dict[Subject, Listing] = {}
        self._judged = {verdict for rule in policy.rule for verdict in rule.verdicts}
        self._read_orders()
        self._read_listings()

    def _read_orders(self) -> None:
        live = [order for order in self.docket.orders.values() if order.holds(self.now)]
        # what is said of an account by itself is said over what is said of its operator
        for order in sorted(live, key=lambda order: order.subject.kind == "account"):
            if order.subject.kind == "operator" and not order.accounts:
                self._for_operator[self._today(order.subject.id)] = order
            for account in order.accounts or ([order.subject.id] if order.subject.kind == "account" else []):
                self._for_account[account] = order
        for order in self.docket.waiting(self.now):
            self._waiting |= dict.fromkeys(order.accounts, order)

    def _read_listings(self) -> None:
        for listing in self.docket.listings.values():
            if listing.holds(self.now):
                subject = listing.subject
                # an operator that another took in stays protected: its people are still among the other's
                today = subject if subject.kind == "account" else Subject("operator", self._today(subject.id))
                self._listed[today] = listing

    def _today(self, operator: str) -> str:
        return self.facts.merged.get(operator, operator)

    @property
    def named(self) -> set[str]:
        """Accounts that people decided on, whether the run has them or not."""
        listed = {subject.id for subject in self._listed if subject.kind == "account"}
        return {*self._for_account, *self._waiting, *listed}

    def silent(self, id: str, operator: OperatorFacts) -> bool:
        """Whether nobody can have said anything of an account (or, with an empty id, of whoever joins the operator).

        True of nearly all accounts of a log, which are then not decided on one by one.
        """
        return not (
            operator.verdict in self._judged
            or id in self._for_account
            or id in self._waiting
            or operator.operator_id in self._for_operator
            or (self._listed and not self._listed.keys().isdisjoint(_subjects(id, operator.operator_id)))
        )

    def account(self, id: str) -> Decision:
        """The decision on an account, of the run or not."""
        facts = self.facts.accounts.get(id)
        operator = facts.operator.operator_id if facts else ""
        blank = Decision(
            id, operator, facts.operator.verdict.value if facts else "", facts.certainty.value if facts else "",
            Action.ALLOW, Action.ALLOW, evidence=self._evidence(operator, id) if facts else "",
        )  # fmt: skip
        return self._enforced(self._spoken(blank, facts))

    def operator(self, id: str) -> Decision | None:
        """What holds for whoever joins an operator later; None if nothing does."""
        operator = self.facts.operators.get(id)
        if operator is None:
            return None
        stranger = AccountFacts("", operator, Certainty.LINKED, 0.0)
        blank = Decision("", id, operator.verdict.value, Certainty.LINKED.value, Action.ALLOW, Action.ALLOW,
                         evidence=self._evidence(id, ""))  # fmt: skip
        said = self._spoken(blank, stranger)
        for_all = said.by is By.ALLOW_LIST or said.by is By.ORDER or said.scope is Scope.OPERATOR
        return self._enforced(said) if for_all else None

    def _spoken(self, blank: Decision, facts: AccountFacts | None) -> Decision:
        """What would be done, by the strongest voice below the kill switch."""
        found = (self._listed.get(subject) for subject in _subjects(blank.account_id, blank.operator_id))
        listing = next((one for one in found if one is not None), None)
        if listing is not None:
            return replace(
                blank, by=By.ALLOW_LIST, rule=listing.id, reason=listing.reason, expires_at=listing.lapses_at
            )
        order = self._for_account.get(blank.account_id) or self._for_operator.get(blank.operator_id)
        said = self._ordered(blank, order, facts) if order else self._ruled(blank, facts)
        waiting = self._waiting.get(blank.account_id)
        return replace(said, proposed=waiting.action) if waiting else said

    def _ordered(self, blank: Decision, order: Order, facts: AccountFacts | None) -> Decision:
        said = replace(
            blank, action=order.action, would=order.action, by=By.ORDER, rule=order.id, reason=order.reason,
            rate=order.rate, scope=order.scope, only=order.only, expires_at=order.lapses_at,
        )  # fmt: skip
        if order.action.restricts and facts is not None and facts.operator.verdict in PROTECTED:
            reason = f"order {order.id} is suspended: the verdict is now {facts.operator.verdict}"
            gentle = Action.MONITOR
            return replace(said, action=gentle, would=gentle, reason=reason, rate=None, scope=Scope.ACCOUNT, only=())
        return said

    def _ruled(self, blank: Decision, facts: AccountFacts | None) -> Decision:
        rule = next((rule for rule in self.policy.rule if fits(rule, facts)), None) if facts else None
        if rule is None:
            return blank
        return replace(
            blank, action=rule.acts, would=rule.acts, by=By.POLICY, rule=rule.name, reason=rule.reason,
            proposed=Action.BLOCK if rule.action is Action.BLOCK else None, rate=rule.rate, scope=rule.scope,
            only=rule.only, expires_at=self.facts.judged_at + timedelta(days=rule.days or self.policy.days),
        )  # fmt: skip

    def _enforced(self, said: Decision) -> Decision:
        said = said.at(self.now)
        if self.docket.killed and said.by is not By.DEFAULT:
            return replace(said, action=Action.ALLOW, by=By.KILL_SWITCH, reason=f"kill switch: {self.docket.killed}")
        return replace(said, action=Action.ALLOW) if self.policy.mode == "shadow" else said

    def _evidence(self, operator: str, account: str) -> str:
        filled = self.policy.evidence.replace("{operator_id}", quote(operator, safe=""))
        return filled.replace("{account_id}", quote(account, safe=""))


def _subjects(account: str, operator: str) -> tuple[Subject, Subject]:
    return Subject("account", account), Subject("operator", operator)
