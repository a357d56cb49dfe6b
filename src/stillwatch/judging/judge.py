"""The stage operators -> evidence, verdicts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch import __version__
from stillwatch.judging import customers, families, hands
from stillwatch.judging.calibrate import P_FLOOR, bits, false_discovery_rates
from stillwatch.judging.combine import Finding
from stillwatch.judging.evidence import evidence_table, foreign_streams, one_hand, unlike_customers
from stillwatch.judging.explanations import Fit, fit
from stillwatch.judging.matched import Strata
from stillwatch.judging.verdict import ORDER, PURPOSE, Gates, Standing, accusation_p, decide, statement
from stillwatch.model import VERDICTS, Dimension, Verdict
from stillwatch.population import Floats, Groups, Ints, Population
from stillwatch.progress import SILENT, Progress
from stillwatch.settings import JudgingSettings
from stillwatch.signals import Signal, chosen_signals

IN_QUESTION = 0.2
"""p of an accusation up to which an operator is looked at more closely."""
SLACK = 1.0
"""Bits by which it may miss the gates of scale and transparency then."""


@dataclass(frozen=True)
class Judgement:
    """What judging yields."""

    evidence: pa.Table
    verdicts: pa.Table
    explanations: Mapping[str, Sequence[Fit]]
    baseline: Mapping[str, Any]


def judge(
    population: Population,
    operators: pa.Table,
    settings: JudgingSettings,
    *,
    victims: pa.Table | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Judgement:
    """Evidence and a verdict on every operator of `operators` (model.OPERATORS); `victims` as model.VICTIMS."""
    signals = chosen_signals(settings.without)
    names, members = _members(population, operators)
    sizes = np.array([len(rows) for rows in members])
    many = np.flatnonzero(sizes >= 2)
    strata = Strata.of(population, _unlinked(population, [members[place] for place in many]))
    alone = np.flatnonzero(sizes == 1)
    progress.stage("judging", len(many))
    rows_alone = np.concatenate([members[place] for place in alone]) if len(alone) else np.empty(0, np.int64)
    found_alone = families.lone(population, rows_alone, signals, strata, seed=seed)
    order = np.concatenate([many, alone])
    names, members = [names[place] for place in order], [members[place] for place in order]
    groups = Groups.of(members, len(population))
    hand = _of_operator("hand_bits", names, members, operators)
    limit = customers.limit(_of_operator("means_bits", names, members, operators))
    unlike = np.full(len(names), np.nan)
    unlike[: len(many)] = customers.as_one_customer(population, members[: len(many)], signals, strata.eligible, seed)
    found_many = closely(
        population, members[: len(many)], strata, hand[: len(many)], (unlike[: len(many)], limit[: len(many)]),
        settings, seed, progress,
    )  # fmt: skip
    finding = hands.weigh(families.join([found_many, found_alone], len(signals)), hand)
    stolen = _stolen(victims, operators)
    extra = [foreign_streams(stolen), one_hand(names, groups, hand), unlike_customers(names, groups, unlike)]
    evidence = evidence_table(names, finding, signals, population, groups, extra)
    standings = _standings(names, members, groups, population, stolen)
    gates = Gates(stake(finding, signals), unlike, limit)
    verdicts, explanations = _verdicts(
        names, members, standings, finding, gates, signals, population, settings, len(many)
    )
    return Judgement(evidence, verdicts, explanations, _baseline(population, found_alone, signals, settings))


def closely(
    population: Population,
    members: Sequence[Ints],
    strata: Strata,
    hand: Floats,
    alone: tuple[Floats, Floats],
    settings: JudgingSettings,
    seed: int,
    progress: Progress,
) -> Finding:
    """Findings on operators of several accounts; those that may be accused are compared with many more groups.

    `alone`: p of each one's purpose among single customers, and the largest with which it is tested, [G] each.
    The second comparison replaces the first and draws its own groups, so its p-values owe nothing to the choice.
    """
    signals = chosen_signals(settings.without)
    found = families.several(
        population, members, signals, strata, matched_groups=settings.matched_groups, seed=seed, progress=progress
    )
    weighed = hands.weigh(found, hand)
    p = accusation_p(weighed.dimension_p, weighed.dimension_bits, Gates(stake(found, signals), *alone, SLACK))
    again = np.flatnonzero(p <= IN_QUESTION)
    if not len(again) or settings.more_groups <= settings.matched_groups:
        return found
    chosen = [members[k] for k in again.tolist()]
    more = families.several(
        population, chosen, signals, strata, matched_groups=settings.more_groups, seed=seed, stage=3
    )
    return families.replace_columns(found, again, more)


def _members(population: Population, operators: pa.Table) -> tuple[list[str], list[Ints]]:
    """Operator ids in order, and the rows of each one's accounts."""
    rows = {account: row for row, account in enumerate(population.ids.tolist())}
    out: dict[str, list[int]] = {}
    for account, operator in zip(
        operators["account_id"].to_pylist(), operators["operator_id"].to_pylist(), strict=True
    ):
        out.setdefault(operator, []).append(rows[account])
    names = sorted(out)
    return names, [np.array(sorted(out[name]), dtype=np.int64) for name in names]


def _of_operator(column: str, names: Sequence[str], members: Sequence[Ints], operators: pa.Table) -> Floats:
    """A column of each operator of several accounts, NaN where linking did not test it, [G]."""
    known = dict(zip(operators["operator_id"].to_pylist(), operators[column].to_pylist(), strict=True))
    return np.array(
        [
            np.nan if len(rows) < 2 or known[name] is None else known[name]
            for name, rows in zip(names, members, strict=True)
        ],
        dtype=np.float64,
    )


def _unlinked(population: Population, several: Sequence[Ints]) -> npt.NDArray[np.bool_]:
    """Accounts alone or of one declared organisation, none of them registered to distil, [N]: they make the null."""
    organisation = population.codes("org_id")
    out = np.ones(len(population), dtype=bool)
    for rows in several:
        out[rows] = _one_customer(organisation[rows])
    out[list(population.authorised)] = False
    return out


def _one_customer(organisations: Ints) -> bool:
    """All members declare the same organisation."""
    return bool((organisations >= 0).all() and (organisations == organisations[0]).all())


def _stolen(victims: pa.Table | None, operators: pa.Table) -> dict[str, dict[str, Any]]:
    """Operator of one of each victim -> its row of model.VICTIMS, with the bits that one finding may be worth."""
    rows = {} if victims is None else {row["account_id"]: row for row in victims.to_pylist()}
    pairs = zip(operators["account_id"].to_pylist(), operators["operator_id"].to_pylist(), strict=True)
    most = float(bits(np.array([P_FLOOR]))[0])
    return {
        name: {**rows[account], "bits": min(rows[account]["bits"], most)} for account, name in pairs if account in rows
    }


def _standings(
    names: Sequence[str],
    members: Sequence[Ints],
    groups: Groups,
    population: Population,
    stolen: Mapping[str, Mapping[str, Any]],
) -> list[Standing]:
    """What was declared about each operator."""
    organisation = population.codes("org_id")
    events = groups.sum(population.total("volume.events"))
    daily = np.asarray(groups.members @ population.daily("volume.events"))
    peak = daily.max(axis=1) if daily.size else np.zeros(len(groups))
    out = []
    for place, rows in enumerate(members):
        registered = [population.authorised[row] for row in rows.tolist() if row in population.authorised]
        allowed = sum({item.id: item.max_requests_per_day for item in registered}.values())
        total = sum({item.id: item.max_requests_total for item in registered}.values())
        over = max(peak[place] / allowed if allowed else 0.0, events[place] / total if total else 0.0)
        out.append(
            Standing(
                authorised=len(registered) == len(rows),
                within_quota=bool(over <= 1),
                quota_ratio=float(over),
                one_customer=len(rows) >= 2 and _one_customer(organisation[rows]),
                events=int(events[place]),
                victim_of=stolen[names[place]]["operator_id"] if names[place] in stolen else "",
                since=f"{stolen[names[place]]['since']:%Y-%m-%d}" if names[place] in stolen else "",
            )
        )
    return out


def _verdicts(
    names: Sequence[str],
    members: Sequence[Ints],
    standings: Sequence[Standing],
    finding: Finding,
    gates: Gates,
    signals: Sequence[Signal],
    population: Population,
    settings: JudgingSettings,
    many: int,
) -> tuple[pa.Table, dict[str, list[Fit]]]:
    """The verdicts table, and the explanations tried for every operator that is not a lone ordinary account."""
    several = np.arange(len(names)) < many
    free = np.array([not (standing.authorised or standing.one_customer) for standing in standings], dtype=bool)
    p = np.where(free, accusation_p(finding.dimension_p, finding.dimension_bits, gates), np.nan)
    fdr = np.where(several, false_discovery_rates(np.where(several, p, np.nan)), np.nan)
    purpose = finding.dimension_p[PURPOSE]
    purpose_fdr = np.where(
        several,
        false_discovery_rates(np.where(several, purpose, np.nan)),
        false_discovery_rates(np.where(several, np.nan, purpose)),
    )
    first = population.total("volume.first_seen", "min")
    last = population.total("volume.last_seen", "max")
    rows, explanations = [], {}
    for place, name in enumerate(names):
        standing = standings[place]
        verdict = decide(standing, finding.dimension_bits[:, place], fdr[place], settings.fdr, purpose_fdr[place])
        fits = fit(counted(finding.bits[:, place], signals))
        if standing.events and (several[place] or verdict is not Verdict.ORDINARY):
            explanations[name] = fits
        mine = members[place]
        rows.append(
            {
                "operator_id": name,
                "verdict": verdict.value,
                "fdr": _or_none(fdr[place] if several[place] else purpose_fdr[place]),
                **{
                    f"bits_{dimension.value}": _or_none(finding.dimension_bits[row, place])
                    for row, dimension in enumerate(ORDER)
                },
                "accounts": len(mine),
                "events": standing.events,
                "first_seen": _instant(first[mine], np.fmin),
                "last_seen": _instant(last[mine], np.fmax),
                "innocent_explanation": statement(verdict, standing, fits[0].sentence()),
            }
        )
    return pa.Table.from_pylist(rows, schema=VERDICTS), explanations


def stake(finding: Finding, signals: Sequence[Signal]) -> Floats:
    """The most that any signal of scale says of each operator, bits, [G]; -inf where none is available."""
    rows = [place for place, signal in enumerate(signals) if signal.dimension is Dimension.SCALE]
    return np.asarray(np.nan_to_num(finding.bits[rows], nan=-np.inf).max(axis=0))


def counted(signal_bits: Floats, signals: Sequence[Signal]) -> dict[str, float]:
    """Bits of the signals that count: the largest of each fact."""
    best: dict[tuple[str, str], tuple[float, str]] = {}
    for value, signal in zip(signal_bits.tolist(), signals, strict=True):
        key = (signal.dimension.value, signal.fact)
        if np.isfinite(value) and value > best.get(key, (-np.inf, ""))[0]:
            best[key] = (value, signal.name)
    return {name: value for value, name in best.values()}


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _instant(seconds: Floats, pick: np.ufunc) -> int | None:
    """Earliest or latest of some epoch seconds, in microseconds; None if there is none."""
    value = pick.reduce(seconds)
    return int(value * 1_000_000) if np.isfinite(value) else None


def _baseline(
    population: Population, alone: Finding, signals: Sequence[Signal], settings: JudgingSettings
) -> dict[str, Any]:
    """What this log's ordinary accounts look like: quantiles of every signal over lone accounts, with a version."""
    levels = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
    quantiles = {}
    for place, signal in enumerate(signals):
        values = alone.statistic[place][np.isfinite(alone.statistic[place])]
        quantiles[signal.name] = [round(float(q), 6) for q in np.quantile(values, levels)] if len(values) else None
    content = {
        "version": __version__,
        "accounts": len(population),
        "matched_groups": settings.matched_groups,
        "levels": levels,
        "quantiles": quantiles,
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    return {"id": digest, **content}
