"""How fast decisions are: making a snapshot, looking up, changing the casebook, checking its log.

    python benchmarks/decisions.py

Writes benchmarks/results/decisions.json. Everything is measured in one run, in one process.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from stillwatch.decisions import Action, Casebook, Certainty, Snapshot, Subject, default_policy, snapshot
from stillwatch.decisions.audit import Entry, make, verify
from stillwatch.decisions.facts import AccountFacts, OperatorFacts, RunFacts
from stillwatch.model import Dimension, Outcome, Verdict

NOW = datetime(2026, 9, 20, tzinfo=UTC)
RESULTS = Path(__file__).parent / "results" / "decisions.json"
ACCOUNTS, ACCUSED, LOOKUPS, CHANGES, ENTRIES = 200_000, 20_000, 200_000, 200, 100_000


def facts() -> RunFacts:
    """A tenth of the accounts are one operator's and accused, the others are ordinary and alone."""
    seen = dict.fromkeys(Dimension, Outcome.OBSERVED)
    bits = dict.fromkeys(Dimension, 12.0)
    ring = OperatorFacts("op-ring", Verdict.UNAUTHORISED_DISTILLATION, 1e-4, ACCUSED, 10**6, bits, seen)
    accounts = {f"r-{n}": AccountFacts(f"r-{n}", ring, Certainty.PROVEN, 30.0) for n in range(ACCUSED)}
    operators = {"op-ring": ring}
    for n in range(ACCOUNTS - ACCUSED):
        alone = OperatorFacts(f"op-{n}", Verdict.ORDINARY, None, 1, 20, bits, seen)
        operators[alone.operator_id] = alone
        accounts[f"a-{n}"] = AccountFacts(f"a-{n}", alone, Certainty.LONE, 0.0)
    return RunFacts(Path(), NOW, operators, accounts, {})


def lookups(held: Snapshot) -> dict[str, float]:
    """Microseconds of one look-up, half of them of accused accounts."""
    rng = random.Random(1)
    ids = [f"r-{rng.randrange(ACCUSED)}" if n % 2 else f"a-{rng.randrange(ACCOUNTS - ACCUSED)}" for n in range(LOOKUPS)]
    took = np.empty(LOOKUPS)
    for n, id in enumerate(ids):
        start = time.perf_counter()
        held.get(id, NOW)
        took[n] = time.perf_counter() - start
    return {f"p{q}": round(float(np.percentile(took, q)) * 1e6, 2) for q in (50, 99, 99.9)}


def changes(root: Path) -> dict[str, float]:
    """Milliseconds of one change that is on the disk, on the file system of the temporary folder."""
    took = []
    with Casebook.open(root, NOW) as book:
        for n in range(CHANGES):
            start = time.perf_counter()
            book.propose(Subject("account", f"a-{n}"), Action.MONITOR, reason="look", by="bench", at=NOW)
            took.append(time.perf_counter() - start)
    return {f"p{q}": round(float(np.percentile(took, q)) * 1e3, 2) for q in (50, 99)}


def checked() -> float:
    """Entries checked a second."""
    entries: list[Entry] = []
    for n in range(ENTRIES):
        entries.append(make(entries[-1].head if entries else None, NOW, "bench", "noted", {"text": f"note {n}"}))
    # what was parsed while the chain was made is to be parsed again
    fresh = [Entry(entry.prev, entry.body, entry.hash) for entry in entries]
    start = time.perf_counter()
    assert verify(fresh).sound
    return round(ENTRIES / (time.perf_counter() - start))


def main() -> None:
    """Measure, print, write."""
    load = os.getloadavg()[0]
    known, policy = facts(), default_policy()
    with tempfile.TemporaryDirectory() as folder, Casebook.open(Path(folder) / "empty", NOW) as book:
        start, cpu = time.perf_counter(), time.process_time()
        held = snapshot(known, policy, book.docket, NOW)
        made = {"wall": round(time.perf_counter() - start, 2), "cpu": round(time.process_time() - cpu, 2)}
        result = {
            "accounts": ACCOUNTS, "accused": ACCUSED, "snapshot_seconds": made, "lookup_microseconds": lookups(held),
            "change_milliseconds": changes(Path(folder) / "book"), "entries_checked_a_second": checked(),
            "load": [round(load, 1), round(os.getloadavg()[0], 1)], "cores": os.cpu_count(),
        }  # fmt: skip
    print(json.dumps(result, indent=1))
    RESULTS.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
