"""What a comparison with the truth says; all numbers of one run."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class CampaignResult:
    """One campaign."""

    campaign: str
    accounts: int
    absent: int
    """Accounts of the campaign that are not in the run; they count as missed."""
    accused: int
    found: bool
    """Half of its accounts or more are in accused operators."""
    operators: int
    """Operators of the run that its accounts were put into."""
    largest_operator: int
    """Its accounts in the operator that holds most of them."""


@dataclass(frozen=True)
class LabelResult:
    """Everybody of one honest label: whom nobody may accuse."""

    label: str
    operators: int
    accounts: int
    absent: int
    linked: int
    """Accounts that share their operator of the run with another account; linked is not accused."""
    accused: int
    operators_accused: int
    """True operators of which at least one account is accused."""
    verdicts: dict[str, int]
    """Verdict -> accounts."""


@dataclass(frozen=True)
class OperatorResult:
    """One true operator and the verdicts its accounts got."""

    operator_id: str
    accounts: int
    absent: int
    verdicts: dict[str, int]


@dataclass(frozen=True)
class LinkResult:
    """Links of one kind."""

    kind: str
    links: int
    true: int
    """Both ends have one true operator."""


@dataclass(frozen=True)
class Evaluation:
    """A run against its truth. Shares are None where there is nothing to take a share of.

    Doubts go against the run: an account of a campaign that is not in the run counts as missed; an honest one that is
    not in it does not count as spared.
    """

    truth_accounts: int
    run_accounts: int
    absent: int
    """Accounts of the truth that never appear in the run."""
    unlabelled: int
    """Accounts of the run of which the truth knows nothing; they are in no figure but the next."""
    unlabelled_accused: int

    campaign_accounts: int
    campaign_accused: int
    account_recall: float | None
    account_precision: float | None
    """Share of accused accounts that belong to a campaign."""
    campaign_events: int | None
    campaign_events_accused: int | None
    """Campaign events that lie in accused accounts."""
    event_recall: float | None

    honest_accounts: int
    honest_accused: int
    honest_rate: str
    honest_interval: tuple[float, float]
    """95 % Clopper-Pearson interval of the rate of accused honest accounts."""

    campaigns: int
    campaigns_found: int

    ari: float | None
    """Adjusted Rand index of operators against the truth, over the accounts of campaigns in the run."""
    b_cubed_precision: float | None
    b_cubed_recall: float | None
    """B-cubed over the accounts of campaigns; honest accounts in their groups cost precision."""
    b_cubed_precision_all: float | None
    b_cubed_recall_all: float | None
    pair_precision: float | None
    pair_recall: float | None
    """Over all pairs of labelled accounts in the run."""
    wrong_groups: int
    """Operators of 8 accounts or more that hold an account of somebody else."""
    wrong_accounts: int
    """Those accounts: not of the group's largest true operator, or in a group without one."""
    wrong_honest: int
    """The honest ones among them."""

    by_campaign: tuple[CampaignResult, ...]
    by_label: tuple[LabelResult, ...]
    by_link_kind: tuple[LinkResult, ...]
    permitted: tuple[OperatorResult, ...]
    """Registered distillers: `authorised_distillation` is right, `heavy_use` if they broke their quota."""
    compromised: tuple[OperatorResult, ...]
    """Customers whose key was stolen: `compromised_account` is right, an accusation is the worst answer."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, rounded to six decimals."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    def as_json(self) -> str:
        """One JSON object, keys sorted, ASCII only."""
        return json.dumps(self.as_dict(), indent=1, sort_keys=True)


def share(part: float, whole: float) -> float | None:
    """part / whole, None if there is nothing to share."""
    return part / whole if whole else None


def known(value: float) -> float | None:
    """None for NaN."""
    return None if math.isnan(value) else value


def one_in(hits: int, of: int) -> str:
    """A rate as people say it: '1 in 2,000', 'none of 40'."""
    if of == 0:
        return "nobody to accuse"
    return f"none of {of:,}" if hits == 0 else f"1 in {of / hits:,.0f}" if of / hits >= 10 else f"1 in {of / hits:.1f}"


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
