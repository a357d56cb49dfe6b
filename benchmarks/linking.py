"""Seconds and memory of linking on drawn traits: `python benchmarks/linking.py [--accounts 50000] [--seed 1]`.

Prints a table and writes benchmarks/results/linking.json. One core; compiled code is warmed up on a small log first.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.linking.traitworld import score, standard  # noqa: E402

from stillwatch.linking.link import link  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    warm, accounts = standard(1000, (60,), seed=0).tables()
    link(warm, None, accounts)
    world = standard(chosen.accounts, (1100, 120, 12), seed=chosen.seed)
    traits, accounts = world.tables()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    result = link(traits, None, accounts)
    seconds = time.perf_counter() - start
    out = {
        "accounts": result.nodes["accounts"],
        "traits": len(traits),
        "seconds": round(seconds, 1),
        "seconds_by_step": result.seconds,
        "peak_mebibytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "mebibytes_before": round(before),
        "links": len(result.links),
        "false_links": result.false_links["control"] + result.false_links["content"],
        "found": score(result.operators, world.operators()),
    }
    for name, value in out.items():
        print(f"{name:18} {value}")
    target = ROOT / "benchmarks" / "results" / "linking.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(out, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
