"""Seconds and memory of linking on drawn traits: `python benchmarks/linking.py [--accounts 50000] [--seed 1]`.

Two rows: all views, and three alone (the plan's measure: at most 15 s and 1 GiB beyond the log itself). Each is
measured in a process of its own, after compiled code was warmed up on a small log. Prints a table and writes
benchmarks/results/linking.json. One core: set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.linking.traitworld import score, standard  # noqa: E402

from stillwatch.linking.link import link  # noqa: E402

THREE = ("lead_skeleton", "address", "payment")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--accounts", type=int, default=50_000)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--only", choices=["three views", "all views"])
    given = words.parse_args()
    target = ROOT / "benchmarks" / "results" / "linking.json"
    rows = json.loads(target.read_text()) if given.only and target.exists() else {}
    rows = {name: row for name, row in rows.items() if isinstance(row, dict) and "processor_seconds" in row}
    for name, views in (("three views", THREE), ("all views", None)):
        if given.only not in (None, name):
            continue
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            rows[name] = pool.submit(measured, given.accounts, given.seed, views).result()
        print(name)
        for field, value in rows[name].items():
            print(f"  {field:18} {value}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def measured(accounts: int, seed: int, views: Sequence[str] | None) -> dict[str, object]:
    """Link a drawn log once; memory is this process's."""
    warm, known = standard(1000, (60,), seed=0).tables()
    link(warm, None, known)
    world = standard(accounts, (1100, 120, 12), seed=seed)
    (traits, known), operators = world.tables(), world.operators()
    if views:
        traits = traits.filter(pc.is_in(traits["view"], pa.array(views)))
    del world
    gc.collect()
    pa.default_memory_pool().release_unused()
    Path("/proc/self/clear_refs").write_text(
        "5"
    )  # the peak is counted from here: drawing the log is no part of linking
    before, start, busy = peak(), time.perf_counter(), time.process_time()
    result = link(traits, None, known)
    seconds, processor, most = time.perf_counter() - start, time.process_time() - busy, peak()
    return {
        "accounts": result.nodes["accounts"],
        "traits": len(traits),
        "seconds": round(seconds, 1),
        "processor_seconds": round(processor, 1),
        "seconds_by_step": result.seconds,
        "peak_mebibytes": most,
        "mebibytes_before": before,
        "links": len(result.links),
        "false_links": result.false_links["control"] + result.false_links["content"],
        "found": score(result.operators, operators),
    }


def peak() -> int:
    """Most memory this process had, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
