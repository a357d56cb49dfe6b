"""Is every exact test exact? Each one on innocent suspects, under keys and draws made anew many times.

    python benchmarks/forensics_exact.py [--keys 20000]

The suspects are odd on purpose: they repeat themselves, prefer one side, have ties. A test that counts can only reach
certain levels; `attainable` is the largest of them at or below the stated one, and the realised rate has to lie in the
interval that holds 99 % of a binomial about it. Writes benchmarks/results/forensics_exact.json and the table in
docs/forensics_model.md.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from forensics_page import between
from stillwatch.engine.runfolder import atomic
from stillwatch.forensics.data.nulls import paired, pooled
from stillwatch.forensics.model import canaries, exact, radioactivity, twin_test
from stillwatch.forensics.model.radioactivity import Pairs
from stillwatch.forensics.model.watermark import Scheme

ROOT = Path(__file__).parent.parent
RESULTS, PAGE = ROOT / "benchmarks" / "results" / "forensics_exact.json", ROOT / "docs" / "forensics_model.md"
LEVELS = (0.05, 0.01)
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Sums = tuple[Ints, Callable[[int], float]]
"""What a statistic was under each draw, and the natural logarithm of the p-value that the test gives to a sum."""


def by_sum(sums: Ints, log_p: Callable[[int], float]) -> dict[str, Any]:
    """Realised rates of a test whose p falls as its sum grows."""
    out: dict[str, Any] = {"draws": len(sums)}
    for level in LEVELS:
        low, high = int(sums.min()), int(sums.max()) + 1
        while low < high:
            middle = (low + high) // 2
            if log_p(middle) <= math.log(level):
                high = middle
            else:
                low = middle + 1
        out[str(level)] = _within(int((sums >= low).sum()), len(sums), math.exp(log_p(low)))
    return out


def by_p(p: Floats) -> dict[str, Any]:
    """Realised rates of a test that was run on each draw, with one set of values that p can have."""
    return {"draws": len(p)} | {
        str(level): _within(int((p <= level).sum()), len(p), float(p[p <= level].max(initial=0))) for level in LEVELS
    }


def _within(rejected: int, draws: int, attainable: float) -> dict[str, Any]:
    low, high = stats.binom.ppf([0.005, 0.995], draws, attainable) / draws
    rate = rejected / draws
    return {
        "realised": rate, "attainable": attainable, "low": float(low), "high": float(high),
        "within": bool(low <= rate <= high),
    }  # fmt: skip


def requests_of_one_other(draws: int) -> dict[str, Any]:
    """Data: one answer put away a request; the corpus holds some of the first and some of their twins."""
    rng = np.random.default_rng(1)
    first = rng.random(400) < 0.3
    second = first & (rng.random(400) < 0.2)
    p = []
    for coin in rng.random((draws, 400)) < 0.5:
        served, other = np.where(coin, first, second), np.where(coin, second, first)
        p.append(paired(served, other.astype(np.int64), np.ones(400, np.int64)).p_value)
    return by_p(np.array(p, float))


def requests_of_several_others(draws: int) -> dict[str, Any]:
    """Data: one to four answers put away a request: chances differ, and the sum is Poisson-binomial."""
    rng = np.random.default_rng(2)
    drawn = rng.integers(1, 5, 200)
    held = np.array([rng.integers(0, n + 2) for n in drawn])
    p = []
    for _ in range(draws):
        served = rng.random(200) < held / (drawn + 1)
        p.append(paired(served, held - served, drawn).p_value)
    return by_p(np.array(p, float))


def one_pool(draws: int) -> dict[str, Any]:
    """Data: a pool that a keyed draw divides into 300 served and 900 put away; 80 of it stand in the corpus."""
    served = np.random.default_rng(3).hypergeometric(80, 1120, 300, draws)
    kinds, which = np.unique(served, return_inverse=True)
    p = np.array([pooled(int(k), 300, int(80 - k), 900).p_value for k in kinds], float)
    return by_p(p[which])


def twins(draws: int, ties: bool) -> dict[str, Any]:
    """Twins: a suspect that likes the first answer better, by heavy-tailed amounts; the coins are those of keys."""
    rng = np.random.default_rng(4)
    likes = rng.standard_t(1.5, 150) + 1.0
    likes = np.rint(likes) if ties else likes
    ids, whole = [f"r{n}" for n in range(len(likes))], twin_test.levels(likes)
    weights, counts = np.unique(np.abs(whole)[whole != 0], return_counts=True)
    sums = np.empty(draws, np.int64)
    for n in range(draws):
        sums[n] = ((1 - 2 * twin_test.coins(rng.bytes(32), ids)) * whole).sum()
    return by_sum(sums, lambda s: exact.log_tail(exact.sign(), weights, counts, s))


def text() -> tuple[list[Ints], list[Ints]]:
    """(answers, prompts) of a suspect that says few words again and again."""
    rng = np.random.default_rng(5)
    return [rng.zipf(1.5, 60) % 300 for _ in range(60)], [rng.zipf(1.5, 6) % 300 for _ in range(60)]


def marks(draws: int, scheme: Scheme, pairs: Pairs) -> dict[str, Any]:
    """Watermark: one suspect's pairs under random keys."""
    return by_sum(radioactivity.decoy_totals(pairs, scheme, draws, 6), lambda s: radioactivity.log_p(pairs, scheme, s))


def open_logits() -> Pairs:
    """Next-token probabilities of a suspect less those of a reference: weights of both signs."""
    rng = np.random.default_rng(7)
    return radioactivity.distribution_pairs(
        rng.integers(0, 40, (3_000, 1)), rng.integers(0, 300, 3_000), rng.beta(0.3, 2, 3_000) - rng.beta(0.3, 2, 3_000)
    )


def ranks(draws: int) -> dict[str, Any]:
    """Canaries: a suspect with firm likings of its own that are the same at every place."""
    rng = np.random.default_rng(8)
    scores = rng.normal(size=(40, 100)) + np.linspace(-3, 3, 100)
    above = (scores[:, None, :] >= scores[:, :, None]).sum(axis=2) - 1
    sums = np.empty(draws, np.int64)
    for n in range(draws):
        secret = rng.bytes(32)
        chosen = np.array([canaries.served(secret, f"place {k}", 100) for k in range(40)])
        sums[n] = -above[np.arange(40), chosen].sum()
        if n < 20 and canaries.ranks(scores, chosen).observed != -sums[n]:
            raise AssertionError("the sum of ranks is not the test's")
    return by_sum(sums, lambda s: exact.log_tail(exact.uniform(99), [-1], [40], s))


def tests(keys: int) -> dict[str, Callable[[], dict[str, Any]]]:
    """Every test that is called exact."""
    few = keys // 4
    green, gumbel = Scheme("green", 1, 0.25, 2.0), Scheme("gumbel", 1)
    out: dict[str, Callable[[], dict[str, Any]]] = {
        "data: one answer put away (binomial)": lambda: requests_of_one_other(keys),
        "data: several put away (Poisson-binomial)": lambda: requests_of_several_others(few),
        "data: one pool (hypergeometric)": lambda: one_pool(keys),
        "twins (sign flips)": lambda: twins(few, ties=False),
        "twins_text (sign flips with ties)": lambda: twins(few, ties=True),
    }
    for name, scheme in (("green-list", green), ("Gumbel-max", gumbel)):
        for label, weighted in (("text", False), ("text_weighted", True)):
            out[f"{label}, {name}"] = lambda s=scheme, w=weighted: marks(
                keys, s, radioactivity.text_pairs(*text(), 1, w)
            )  # type: ignore[misc]
        out[f"distribution, {name}"] = lambda s=scheme: marks(keys, s, open_logits())  # type: ignore[misc]
    return out | {"canaries (ranks)": lambda: ranks(few)}


def table(results: dict[str, Any]) -> str:
    """The page's table."""
    heads = [f"at {str(level).lstrip('0')} | attainable | interval" for level in LEVELS]
    lines = ["| exact test | draws | " + " | ".join(heads) + " |", "|---|---" + "|---|---|---" * len(LEVELS) + "|"]
    for name, found in results.items():
        cells = []
        for level in LEVELS:
            one = found[str(level)]
            bad = "" if one["within"] else " **outside**"
            cells += [
                f"{one['realised']:.4f}{bad}",
                f"{one['attainable']:.4f}",
                f"{one['low']:.4f} to {one['high']:.4f}",
            ]
        lines.append(f"| {name} | {found['draws']:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=20_000)
    given, results = parser.parse_args(), {}
    for name, run in tests(given.keys).items():
        started = time.process_time()
        results[name] = run()
        print(f"{name}: {time.process_time() - started:.1f} CPU s, {results[name]}", flush=True)
    with atomic(RESULTS) as temporary:
        temporary.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    between(PAGE, "forensics_exact.py", table(results))


if __name__ == "__main__":
    main()
