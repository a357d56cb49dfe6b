"""docs/evaluation.md from benchmarks/results: `python benchmarks/evaluation_page.py`; no results, no part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stillwatch.evaluate.metrics import clopper_pearson

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
LEVELS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)

HEAD = """# How right the verdicts are

Written by `python benchmarks/evaluation_page.py` from `benchmarks/results/`; every number has its command. Worlds are
synthetic and labelled; intervals are 95 % Clopper-Pearson.
"""

BLIND = """
## What Stillwatch cannot see

- answers that are passed on outside the service: bought transcripts, logs of a partner, files copied offline;
- one account, or a few, whose use stays within what single customers do;
- operators whose accounts are fully independent: own identities, own homes and clients, no common time, prompts as
  people write them, and much real people's traffic besides;
- a campaign of which the log holds neither text nor anything that accounts could share;
- who stands behind an operator: it finds accounts in one hand, not names.

Known to be weak: accounts with an address of their own each and cards shared by a few each, where the ring is small
(38 accounts were linked by their text and shared too little to prove one hand); two campaigns of twelve accounts on
small logs, whose use does not exceed that of single customers; a community of text that consists mostly of households.
"""


def interval(hits: int, of: int) -> str:
    low, high = clopper_pearson(hits, of)
    return f"{hits} of {of:,} ({low:.4f} to {high:.4f})"


def calibration(found: dict[str, Any]) -> str:
    runs = found["runs"]
    labels: dict[str, list[int]] = {}
    for run in runs:
        for label, (accounts, accused) in run["by_label"].items():
            total = labels.setdefault(label, [0, 0])
            total[0] += accounts
            total[1] += accused
    honest, accused = sum(r["honest_accounts"] for r in runs), sum(r["honest_accused"] for r in runs)
    lines = [
        "\n## Nobody guilty: stated against realised\n",
        f"{len(runs)} worlds `innocent` at scale {found['scale']:g} (seeds {runs[0]['seed']} to {runs[-1]['seed']}, "
        f"{sum(r['events'] for r in runs):,} events): honest accounts accused at the default level of .01: "
        f"{interval(accused, honest)}. Where nobody is guilty every accusation is false, so the realised",
        "false-discovery rate is the share of worlds in which anybody is accused:\n",
        "| stated | worlds with an accusation |", "|---|---|",
    ]  # fmt: skip
    for level in LEVELS:
        hits = sum(any(row["fdr"] <= level for row in run["tested"]) for run in runs)
        lines.append(f"| {level:g} | {interval(hits, len(runs))} |")
    lines += ["\nBy kind of customer:\n", "| label | accounts accused |", "|---|---|"]
    lines += [f"| {label} | {interval(hits, of)} |" for label, (of, hits) in sorted(labels.items())]
    lines.append("\n`python benchmarks/detection.py calibration --seeds 50 --scale 0.2`\n")
    return "\n".join(lines)


def main() -> None:
    parts = [HEAD]
    path = RESULTS / "detection" / "calibration.json"
    if path.exists():
        parts.append(calibration(json.loads(path.read_text())))
    parts.append("\nHow looking every day is paid for: [replay.md](replay.md), `python benchmarks/looks.py`.\n")
    parts.append(BLIND)
    (ROOT / "docs" / "evaluation.md").write_text("".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
