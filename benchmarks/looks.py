"""Sixty looks at one null: how often an honest group is ever accused, and what keeping the level costs.

Three laws of what a group shows on day t, one number a day, one-sided p from the exact law of the mean so far:

- `fresh`: every day's p-value is new and independent (the worst case for looking again);
- `cumulative`: independent days, pooled: the p-value of today is nearly that of yesterday;
- `persistent`: the same, and half of the variance of a day is the group's own and stays: honest groups differ for good,
  as customers do. A p-value is right on each day, but not given the days before.

Ways of looking: `naive` (the full level every day), `once` (one look, on the last day), `even` (a sixtieth each),
`quadratic` (6 / (pi^2 t^2)), `logarithmic` (1 / (t log^2 t)), `half life H` (judging.sequential), `growing` (the same
with looks only when the log has grown by a quarter), `e mixture` (weighted sum of calibrated p-values, an e-value
whatever the dependence), `e product` (product of each day's own calibrated p-value: a betting martingale, right only if
days are independent given the past).

Prints tables and writes benchmarks/results/looks.json: rates of ever accusing one null group at level .01, and for 200
groups of which 20 harvest the realised false-discovery rate of everybody ever accused (Benjamini-Hochberg, or e-BH).

    python benchmarks/looks.py [--groups 200000] [--logs 300] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from scipy.stats import norm

from stillwatch.evaluate.metrics import clopper_pearson
from stillwatch.judging.calibrate import bits, false_discovery_rates
from stillwatch.judging.sequential import Spending

Floats = npt.NDArray[np.float64]
RESULTS = Path(__file__).parent / "results"
DAYS = 60
LEVEL = 0.01
LAWS = ("fresh", "cumulative", "persistent")
GROWTH = 1.25


def days_of_group(rng: np.random.Generator, law: str, groups: int, effect: Floats | float) -> tuple[Floats, Floats]:
    """p of the pooled days so far and p of each day alone, both [groups, DAYS]; `effect` is a day's mean in its sd."""
    own = 0.5 if law == "persistent" else 0.0
    noise = rng.standard_normal((groups, DAYS)) * np.sqrt(1 - own)
    shown = noise + rng.standard_normal((groups, 1)) * np.sqrt(own) + np.reshape(effect, (-1, 1))
    alone = norm.sf(shown)
    if law == "fresh":
        return alone, alone
    t = np.arange(1, DAYS + 1)
    return norm.sf(np.cumsum(shown, axis=1) / t / np.sqrt(own + (1 - own) / t)), alone


def shares() -> dict[str, Floats]:
    """Share of the level that each of the `DAYS` looks has; 0 where nobody looks."""
    t = np.arange(1, DAYS + 1, dtype=np.float64)
    log = 1 / ((t + 1) * np.log(t + 1) ** 2)
    once = np.zeros(DAYS)
    once[-1] = 1
    out = {"naive": np.ones(DAYS), "once": once, "even": np.full(DAYS, 1 / DAYS), "quadratic": 6 / (np.pi * t) ** 2}
    # sum over all t >= 1 of 1 / ((t + 1) log^2 (t + 1)) is 2.1098
    out["logarithmic"] = log / 2.1098
    for half_life in (3, 7, 14, 30):
        out[f"half life {half_life}"] = spent(Spending(half_life), range(1, DAYS + 1))
    for half_life in (7, 14):
        out[f"half life {half_life}, growing"] = spent(Spending(half_life), growing())
    return out


def spent(spending: Spending, looks: Any) -> Floats:
    out, before = np.zeros(DAYS), 0
    for day in looks:
        out[day - 1], before = spending.share(day, before), day
    return out


def growing() -> list[int]:
    """Days on which a steady log has grown by a quarter since the last look."""
    out = [1]
    for day in range(2, DAYS + 1):
        if day >= GROWTH * out[-1]:
            out.append(day)
    return out


def e_mixture(p: Floats, _: Floats) -> Floats:
    return np.cumsum(spent(Spending(), range(1, DAYS + 1)) * np.exp2(bits(p)), axis=1)


def e_product(_: Floats, alone: Floats) -> Floats:
    return np.exp2(np.cumsum(bits(alone), axis=1))


E_VALUES: dict[str, Callable[[Floats, Floats], Floats]] = {"e mixture": e_mixture, "e product": e_product}


def hits(p: Floats, alone: Floats) -> dict[str, npt.NDArray[np.bool_]]:
    """Way -> whether each group alone is accused at each look, [groups, DAYS]."""
    out = {name: p <= LEVEL * share for name, share in shares().items()}
    return out | {name: make(p, alone) >= 1 / LEVEL for name, make in E_VALUES.items()}


def discoveries(p: Floats, alone: Floats) -> dict[str, npt.NDArray[np.bool_]]:
    """Way -> who of the groups of one log is ever accused, by Benjamini-Hochberg or e-BH at every look, [groups]."""
    adjusted = np.stack([false_discovery_rates(p[:, day]) for day in range(DAYS)], axis=1)
    out = {name: (adjusted <= LEVEL * share).any(axis=1) for name, share in shares().items()}
    for name, make in E_VALUES.items():
        inverse = 1 / make(p, alone)
        adjusted_e = np.stack([_e_bh(inverse[:, day]) for day in range(DAYS)], axis=1)
        out[name] = (adjusted_e <= LEVEL).any(axis=1)
    return out


def _e_bh(inverse: Floats) -> Floats:
    """Wang and Ramdas 2022: Benjamini-Hochberg on 1 / e."""
    return false_discovery_rates(np.minimum(inverse, 1.0))


def one_group(law: str, groups: int, seed: int) -> list[dict[str, Any]]:
    """Rate of ever accusing a null group; power and delay against groups whose single test is sharp or blunt."""
    rng = np.random.default_rng([seed, LAWS.index(law)])
    false: dict[str, int] = {}
    for start in range(0, groups, 20_000):
        for name, found in hits(*days_of_group(rng, law, min(20_000, groups - start), 0.0)).items():
            false[name] = false.get(name, 0) + int(found.any(axis=1).sum())
    effects = {"weak": 0.4, "strong": 1.5} if law != "persistent" else {"weak": 2.6, "strong": 5.0}
    power = {
        strength: {name: _found(found) for name, found in hits(*days_of_group(rng, law, 20_000, effect)).items()}
        for strength, effect in effects.items()
    }
    return [
        {
            "law": law, "way": name, "groups": groups, "ever_accused": count, "rate": count / groups,
            "interval": clopper_pearson(count, groups),
            **{f"{strength}_{what}": found[name][what] for strength, found in power.items() for what in found[name]},
        }
        for name, count in false.items()
    ]  # fmt: skip


def _found(accused: npt.NDArray[np.bool_]) -> dict[str, float]:
    ever = accused.any(axis=1)
    days = np.where(ever, accused.argmax(axis=1) + 1.0, np.inf)
    return {"power": float(ever.mean()), "median_day": float(np.median(days))}


def whole_logs(law: str, logs: int, seed: int, groups: int = 200, harvest: int = 20) -> list[dict[str, Any]]:
    """Realised false-discovery rate of everybody ever accused, and the share of harvests found, over many logs."""
    rng = np.random.default_rng([seed, 10 + LAWS.index(law)])
    effect = np.zeros(groups)
    effect[:harvest] = 5.0 if law == "persistent" else 1.0
    false: dict[str, list[float]] = {}
    found: dict[str, list[float]] = {}
    for _ in range(logs):
        for name, accused in discoveries(*days_of_group(rng, law, groups, effect)).items():
            false.setdefault(name, []).append(accused[harvest:].sum() / max(accused.sum(), 1))
            found.setdefault(name, []).append(accused[:harvest].mean())
    return [
        {
            "law": law, "way": name, "logs": logs, "fdr": float(np.mean(shares_false)),
            "interval": _bootstrap(np.array(shares_false), rng), "power": float(np.mean(found[name])),
        }
        for name, shares_false in false.items()
    ]  # fmt: skip


def _bootstrap(values: Floats, rng: np.random.Generator) -> tuple[float, float]:
    means = values[rng.integers(0, len(values), (2000, len(values)))].mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--groups", type=int, default=200_000)
    words.add_argument("--logs", type=int, default=300)
    words.add_argument("--seed", type=int, default=0)
    given = words.parse_args()
    single = [row for law in LAWS for row in one_group(law, given.groups, given.seed)]
    many = [row for law in LAWS for row in whole_logs(law, given.logs, given.seed)]
    table = Table("law", "way", "ever accused", "weak: found", "day", "strong: found", "day", "FDR", "found")
    for row, log in zip(single, many, strict=True):
        table.add_row(
            row["law"], row["way"], f"{row['rate']:.4f} ({row['interval'][0]:.4f}-{row['interval'][1]:.4f})",
            f"{row['weak_power']:.3f}", f"{row['weak_median_day']:.0f}", f"{row['strong_power']:.3f}",
            f"{row['strong_median_day']:.0f}",
            f"{log['fdr']:.4f} ({log['interval'][0]:.4f}-{log['interval'][1]:.4f})", f"{log['power']:.3f}",
        )  # fmt: skip
    Console(width=150).print(table)
    RESULTS.mkdir(exist_ok=True)
    record = {"seed": given.seed, "level": LEVEL, "looks": DAYS, "one_group": single, "whole_logs": many}
    (RESULTS / "looks.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
