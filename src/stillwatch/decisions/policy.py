"""A policy: from what a run says of an account to what is done, in TOML; every unknown word is refused.

The first rule that fits decides. What a policy may not say is refused when it is read: to block by itself, to restrict
registered use or a victim, to block without an accusation, to act without a reason or without an end.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from stillwatch.decisions.actions import PROTECTED, Action, Certainty, Rate, Scope
from stillwatch.errors import UsageError
from stillwatch.model import Dimension, Verdict

DEFAULT = "policy.toml"
LONGEST_DAYS = 90


def _rate(text: str) -> str:
    return str(Rate.parse(text))


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Section):
    """If all that it names holds of an account, this is done."""

    name: str = Field(min_length=1, max_length=80)
    verdicts: tuple[Verdict, ...] = Field(min_length=1)
    certainty: tuple[Certainty, ...] = tuple(Certainty)
    """How sure the account's membership must be."""
    membership_bits_at_least: float | None = None
    """Evidence of the membership; an operator of one account has none to show."""
    fdr_at_most: float | None = Field(default=None, ge=0, le=1)
    """False-discovery rate stated with the verdict; a verdict without one does not fit."""
    observed: tuple[Dimension, ...] = ()
    """Dimensions in which something was observed. Not available is not observed."""
    not_observed: tuple[Dimension, ...] = ()
    """Dimensions that were looked at and in which nothing was observed. Not available does not fit."""
    bits_at_least: dict[Dimension, float] = Field(default_factory=dict)
    """Evidence by dimension. Not available does not fit."""
    accounts_at_least: int = Field(default=1, ge=1)
    """Accounts of the operator."""
    events_at_least: int = Field(default=0, ge=0)
    """Requests of the operator in the run."""

    action: Action
    meanwhile: Action = Action.MONITOR
    """Of a block: what holds until two people have put it in force."""
    rate: Annotated[str, AfterValidator(_rate)] | None = None
    scope: Scope = Scope.ACCOUNT
    only: tuple[str, ...] = ()
    reason: str = Field(min_length=1, max_length=500)
    days: int | None = Field(default=None, ge=1, le=LONGEST_DAYS)

    @property
    def acts(self) -> Action:
        """What the rule does by itself."""
        return self.meanwhile if self.action is Action.BLOCK else self.action

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for holds, message in (
            (self.meanwhile is Action.BLOCK, "meanwhile cannot be block: that takes two people"),
            (self.action is not Action.BLOCK and "meanwhile" in self.model_fields_set, "meanwhile is for a block"),
            (self.acts is Action.THROTTLE and self.rate is None, 'a throttle needs a rate, as in rate = "10/minute"'),
            (self.acts is not Action.THROTTLE and self.rate is not None, "a rate is for a throttle"),
            (self.scope.named and not self.only, f"scope {self.scope} needs only = [...]"),
            (not self.scope.named and bool(self.only), f"scope {self.scope} takes no only"),
            (any(not name.strip() for name in self.only), "only has an empty name"),
            (self.scope is Scope.OPERATOR and self._about_members, "scope operator takes no certainty: it is for all"),
            (bool(set(self.observed) & set(self.not_observed)), "a dimension is both observed and not_observed"),
            (self.action.restricts and bool(self._protected), f"{self._protected} may not be restricted"),
            (self.action is Action.BLOCK and set(self.verdicts) != {Verdict.UNAUTHORISED_DISTILLATION},
             "only unauthorised_distillation can be blocked by a policy; whoever else is to be blocked takes people"),
        ):  # fmt: skip
            if holds:
                raise ValueError(message)
        return self

    @property
    def _protected(self) -> str:
        return ", ".join(sorted(PROTECTED & set(self.verdicts)))

    @property
    def _about_members(self) -> bool:
        return set(self.certainty) != set(Certainty) or self.membership_bits_at_least is not None


class Policy(_Section):
    """Rules in order, and what holds for all of them."""

    mode: Literal["shadow", "enforce"] = "shadow"
    days: int = Field(default=14, ge=1, le=LONGEST_DAYS)
    """A decision lapses so many days after the run that it rests on was finished."""
    evidence: str = Field(default="/operators/{operator_id}", max_length=500)
    """Link to the evidence; `{operator_id}` and `{account_id}` are filled in, percent-encoded."""
    rule: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [rule.name for rule in self.rule]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two rules are called {name!r}")
        left = self.evidence.replace("{operator_id}", "").replace("{account_id}", "")
        if "{" in left or "}" in left:
            raise ValueError("evidence: only {operator_id} and {account_id} can be filled in")
        return self


def default_policy() -> Policy:
    """The policy that ships with the package: shadow mode."""
    return parse(default_text(), DEFAULT)


def default_text() -> str:
    """The shipped policy as TOML, with its comments."""
    return files("stillwatch.decisions").joinpath(DEFAULT).read_text(encoding="utf-8")


def load_policy(path: Path | None) -> Policy:
    """A policy from a file, or the default; UsageError names the word that is wrong."""
    if path is None:
        return default_policy()
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise UsageError(f"policy {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"policy {path}: not TOML: {error}") from error


def parse(text: str, name: str) -> Policy:
    """A policy from TOML; UsageError names rule and word."""
    try:
        written = tomllib.loads(text)
        return Policy.model_validate(written)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"policy {name}: not TOML: {error}") from error
    except ValidationError as error:
        lines = [f"{_place(written, e['loc'])}{e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
        raise UsageError(f"policy {name}: " + "; ".join(lines)) from error


def _place(written: dict[str, object], loc: tuple[int | str, ...]) -> str:
    """Where something is wrong: a rule by its number and name rather than by an index."""
    rules = written.get("rule")
    if len(loc) > 1 and loc[0] == "rule" and isinstance(loc[1], int) and isinstance(rules, list):
        rule = rules[loc[1]] if loc[1] < len(rules) else None
        called = f" {rule['name']!r}" if isinstance(rule, dict) and isinstance(rule.get("name"), str) else ""
        inner = ".".join(str(part) for part in loc[2:])
        return f"rule {loc[1] + 1}{called}: " + (f"{inner}: " if inner else "")
    return f"{'.'.join(map(str, loc))}: " if loc else ""
