"""A run folder against its truth, table by table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import InputError, RunError, UsageError
from stillwatch.evaluate.evaluation import (
    CampaignResult,
    Evaluation,
    LabelResult,
    LinkResult,
    OperatorResult,
    known,
    one_in,
    share,
)
from stillwatch.evaluate.metrics import Bools, adjusted_rand, b_cubed, clopper_pearson, pair_scores, strangers
from stillwatch.evaluate.truth import PERMITTED, VICTIM, TrueAccount, Truth, read_truth
from stillwatch.model import Verdict

LARGE_GROUP = 8
"""Accounts from which a group with strangers in it counts as wrong."""

AccountPseudonym = Callable[[list[str]], list[str]]


class _Figures(TypedDict):
    ari: float | None
    b_cubed_precision: float | None
    b_cubed_recall: float | None
    b_cubed_precision_all: float | None
    b_cubed_recall_all: float | None
    pair_precision: float | None
    pair_recall: float | None
    wrong_groups: int
    wrong_accounts: int
    wrong_honest: int


@dataclass(frozen=True)
class _Run:
    """What is needed of a run, with the accounts named as in the truth where the truth knows them."""

    operator_of: dict[str, str]
    verdict_of: dict[str, str]
    """Of each operator."""
    absent: frozenset[str]

    def verdict(self, account: str) -> str | None:
        """Verdict on the operator of an account; None if the account is not in the run."""
        return self.verdict_of.get(self.operator_of.get(account, ""))

    def accused(self, account: str) -> bool:
        """Whether the account's operator is accused."""
        return self.verdict(account) == Verdict.UNAUTHORISED_DISTILLATION

    @cached_property
    def sizes(self) -> Counter[str]:
        """Accounts of each operator."""
        return Counter(self.operator_of.values())

    def linked(self, account: str) -> bool:
        """Whether the account shares its operator with another."""
        return self.sizes[self.operator_of.get(account, "")] >= 2


def evaluate(run: Path, truth: Path, *, account_pseudonym: AccountPseudonym | None = None) -> Evaluation:
    """Hold the run folder `run` against `truth` (a world folder, its truth folder, or the table of true accounts).

    `account_pseudonym` turns ids of the log into those of the run, in order; it is needed unless the run was made
    without pseudonyms. UsageError if it is missing, InputError if the truth cannot be used or is not this run's,
    RunError if the run cannot be read.
    """
    folder, exact = RunFolder(run), read_truth(truth)
    names = _names(folder, list(exact.accounts), account_pseudonym)
    mine = _read_run(folder, names)
    if exact.accounts and mine.operator_of and len(mine.absent) == len(exact.accounts):
        raise InputError(f"{truth}: none of its accounts is in the run {run}: another world's truth, or another key?")
    return _evaluation(mine, exact, _event_counts(folder, names), _links(folder, names, exact))


def _names(folder: RunFolder, ids: list[str], account_pseudonym: AccountPseudonym | None) -> dict[str, str]:
    """Id in the run -> id in the truth."""
    if folder.manifest().get("pseudonyms", {}).get("mode") == "none":
        return {name: name for name in ids}
    if account_pseudonym is None:
        raise UsageError(f"the run {folder.root} holds keyed pseudonyms: the key they were made with is needed")
    return dict(zip(account_pseudonym(ids), ids, strict=True))


def _read_run(folder: RunFolder, names: dict[str, str]) -> _Run:
    """Operators and verdicts; an account that the truth does not know keeps the name it has in the run, marked."""
    operators = folder.read("operators", ["account_id", "operator_id"])
    operator_of: dict[str, str] = {}
    for account, operator in zip(
        operators["account_id"].to_pylist(), operators["operator_id"].to_pylist(), strict=True
    ):
        name = names.get(account, f"\0{account}")
        if name in operator_of:
            raise RunError(f"table operators in {folder.root} has an account twice")
        operator_of[name] = operator
    verdicts = folder.read("verdicts", ["operator_id", "verdict"])
    verdict_of = dict(zip(verdicts["operator_id"].to_pylist(), verdicts["verdict"].to_pylist(), strict=True))
    if lost := set(operator_of.values()) - set(verdict_of):
        raise RunError(f"table verdicts in {folder.root} lacks {len(lost)} operators")
    return _Run(operator_of, verdict_of, frozenset(names.values()) - frozenset(operator_of))


def _event_counts(folder: RunFolder, names: dict[str, str]) -> dict[str, int] | None:
    """Events of each true account in the run; None if the run's sketches were not kept."""
    if not folder.path("sketches").exists():
        return None
    try:
        column = pq.read_table(folder.path("sketches"), columns=["account_id"], read_dictionary=["account_id"]).column(
            0
        )
    except (OSError, pa.ArrowException) as error:
        raise RunError(f"table sketches in {folder.root} cannot be read: {error}") from error
    found = column.unify_dictionaries().value_counts()
    names_found = found.field("values").cast(pa.string()).to_pylist()
    counts = Counter(dict(zip(names_found, found.field("counts").to_pylist(), strict=True)))
    return {true: counts[mine] for mine, true in names.items()}


def _links(folder: RunFolder, names: dict[str, str], truth: Truth) -> tuple[LinkResult, ...]:
    """Links between accounts of the truth, by kind."""
    table = folder.read("links", ["account_a", "account_b", "kind"])
    links: Counter[str] = Counter()
    true: Counter[str] = Counter()
    for a, b, kind in zip(*(table[name].to_pylist() for name in ("account_a", "account_b", "kind")), strict=True):
        if a in names and b in names:
            links[kind] += 1
            true[kind] += truth.accounts[names[a]].operator_id == truth.accounts[names[b]].operator_id
    return tuple(LinkResult(kind, links[kind], true[kind]) for kind in sorted(links))


def _evaluation(
    run: _Run, truth: Truth, events: dict[str, int] | None, by_link_kind: tuple[LinkResult, ...]
) -> Evaluation:
    """All figures."""
    accounts = list(truth.accounts.values())
    harvest = [account for account in accounts if account.harvests]
    present = [account for account in accounts if account.account_id not in run.absent]
    honest = [account for account in present if not account.harvests]
    unlabelled = [name for name in run.operator_of if name not in truth.accounts]
    guilty_accused = sum(run.accused(account.account_id) for account in harvest)
    honest_accused = sum(run.accused(account.account_id) for account in honest)
    by_campaign = _by_campaign(run, harvest)
    campaign_events, accused_events = _campaign_events(run, truth, events)
    return Evaluation(
        truth_accounts=len(accounts),
        run_accounts=len(run.operator_of),
        absent=len(run.absent),
        unlabelled=len(unlabelled),
        unlabelled_accused=sum(map(run.accused, unlabelled)),
        campaign_accounts=len(harvest),
        campaign_accused=guilty_accused,
        account_recall=share(guilty_accused, len(harvest)),
        account_precision=share(guilty_accused, guilty_accused + honest_accused),
        campaign_events=campaign_events,
        campaign_events_accused=accused_events,
        event_recall=None if campaign_events is None else share(accused_events or 0, campaign_events),
        honest_accounts=len(honest),
        honest_accused=honest_accused,
        honest_rate=one_in(honest_accused, len(honest)),
        honest_interval=clopper_pearson(honest_accused, len(honest)),
        campaigns=len(by_campaign),
        campaigns_found=sum(campaign.found for campaign in by_campaign),
        **_partitions(run, present),
        by_campaign=by_campaign,
        by_label=_by_label(run, accounts),
        by_link_kind=by_link_kind,
        permitted=_by_operator(run, (account for account in accounts if account.label == PERMITTED)),
        compromised=_by_operator(run, (account for account in accounts if account.label == VICTIM)),
    )


def _partitions(run: _Run, present: Sequence[TrueAccount]) -> _Figures:
    """How well the run's operators agree with the true ones."""
    found = _codes(run.operator_of[account.account_id] for account in present)
    true = _codes(account.operator_id for account in present)
    harvests: Bools = np.array([account.harvests for account in present], dtype=np.bool_)
    precision, recall = b_cubed(found, true, harvests)
    precision_all, recall_all = b_cubed(found, true)
    pair_precision, pair_recall = pair_scores(found, true)
    wrong = strangers(found, true, LARGE_GROUP)
    return {
        "ari": known(adjusted_rand(found[harvests], true[harvests])),
        "b_cubed_precision": known(precision),
        "b_cubed_recall": known(recall),
        "b_cubed_precision_all": known(precision_all),
        "b_cubed_recall_all": known(recall_all),
        "pair_precision": known(pair_precision),
        "pair_recall": known(pair_recall),
        "wrong_groups": len(np.unique(found[wrong])),
        "wrong_accounts": int(wrong.sum()),
        "wrong_honest": int((wrong & ~harvests).sum()),
    }


def _by_campaign(run: _Run, harvest: Sequence[TrueAccount]) -> tuple[CampaignResult, ...]:
    out = []
    for name, members in _grouped(harvest, lambda account: account.campaign):
        accused = sum(run.accused(account.account_id) for account in members)
        spread = Counter(run.operator_of[a.account_id] for a in members if a.account_id not in run.absent)
        out.append(
            CampaignResult(
                campaign=name,
                accounts=len(members),
                absent=len(members) - spread.total(),
                accused=accused,
                found=2 * accused >= len(members),
                operators=len(spread),
                largest_operator=max(spread.values(), default=0),
            )
        )
    return tuple(out)


def _by_label(run: _Run, accounts: Sequence[TrueAccount]) -> tuple[LabelResult, ...]:
    out = []
    for label, members in _grouped((a for a in accounts if not a.harvests), lambda account: account.label):
        ids = [account.account_id for account in members]
        out.append(
            LabelResult(
                label=label,
                operators=len({account.operator_id for account in members}),
                accounts=len(members),
                absent=sum(name in run.absent for name in ids),
                linked=sum(map(run.linked, ids)),
                accused=sum(map(run.accused, ids)),
                operators_accused=len({a.operator_id for a in members if run.accused(a.account_id)}),
                verdicts=_verdicts(run, ids),
            )
        )
    return tuple(out)


def _by_operator(run: _Run, accounts: Iterable[TrueAccount]) -> tuple[OperatorResult, ...]:
    out = []
    for operator, members in _grouped(accounts, lambda account: account.operator_id):
        ids = [account.account_id for account in members]
        absent = sum(name in run.absent for name in ids)
        out.append(OperatorResult(operator, len(ids), absent, _verdicts(run, ids)))
    return tuple(out)


def _campaign_events(run: _Run, truth: Truth, events: dict[str, int] | None) -> tuple[int | None, int | None]:
    """Campaign events of the log, and those in accused accounts.

    An account that truth/events names did for the campaign what stands there; any other account of a campaign did all
    of its events for it.
    """
    if events is None:
        return None, None
    counts = {account.account_id: events[account.account_id] for account in truth.accounts.values() if account.harvests}
    counts |= {name: count for name, count in truth.mixed.items() if name in truth.accounts}
    return sum(counts.values()), sum(count for name, count in counts.items() if run.accused(name))


def _verdicts(run: _Run, ids: Iterable[str]) -> dict[str, int]:
    counts = Counter(verdict for name in ids if (verdict := run.verdict(name)) is not None)
    return dict(sorted(counts.items()))


def _grouped(accounts: Iterable[TrueAccount], key: Callable[[TrueAccount], str]) -> list[tuple[str, list[TrueAccount]]]:
    groups: dict[str, list[TrueAccount]] = defaultdict(list)
    for account in accounts:
        groups[key(account)].append(account)
    return sorted(groups.items())


def _codes(names: Iterable[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Whole numbers for names, by order of first appearance."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)
