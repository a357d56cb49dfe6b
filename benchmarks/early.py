"""How much of each campaign had gone when it was first accused, in the first days of a world of any size.

    python benchmarks/early.py [--scale 1] [--background 0.1] [--days 4] [--seed 0] [--world FOLDER]

A replay of a world of a hundred million events would take a day; its first days do not. Only their events are given to
`stillwatch replay`, whose looks spend the level as they would with the rest to come (judging/sequential.py), and what
had gone is counted against the whole campaign. Writes benchmarks/results/detection/early.json.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq

from runs import RESULTS, make, stillwatch, told

WORK = Path("out/bench-early")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--scale", type=float, default=1.0)
    words.add_argument("--background", type=float, default=0.1)
    words.add_argument("--days", type=int, default=4)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--world", type=Path, help="a world `seed` of that scale and background that is there already")
    words.add_argument("--work", type=Path, default=WORK)
    given = words.parse_args()
    if given.world is None:
        make(given.work, ["seed", "--scale", given.scale, "--background", given.background, "--seed", given.seed])
    world = given.world or given.work / "world"
    part = given.work / "first-days"
    part.mkdir(parents=True, exist_ok=True)
    for day in sorted((world / "events").iterdir())[: given.days]:
        for file in day.iterdir():
            target = part / f"{day.name}-{file.name}"
            target.unlink(missing_ok=True)
            os.link(file, target)
    told("replaying the first", given.days, "days")
    stillwatch(
        "replay", part, "--out", given.work / "replayed", "--accounts", world / "accounts.parquet", "--authorisations",
        world / "authorisations.toml", "--context", world, "--pseudonyms", "none",
    )  # fmt: skip
    found = held(given.work / "replayed", world, part, given)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "early.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    told(json.dumps(found))


def held(replayed: Path, world: Path, part: Path, given: argparse.Namespace) -> dict[str, Any]:
    """The record of the replay against the truth; volumes are those of the whole world, over campaign accounts."""
    rows = pq.read_table(world / "truth" / "accounts.parquet").to_pylist()
    truth = {row["account_id"]: row["campaign"] if row["label"] == "campaign" else None for row in rows}
    label = {row["account_id"]: row["label"] for row in rows}
    counts = ds.dataset(world / "events", partitioning="hive").to_table(columns=["account_id", "day"])
    counted = counts.group_by(["account_id", "day"]).aggregate([("day", "count")]).to_pylist()
    sent: dict[str, dict[str, int]] = {name: {} for name in set(truth.values()) if name}
    for row in counted:
        name = truth.get(row["account_id"])
        if name:
            day = str(row["day"])
            sent[name][day] = sent[name].get(day, 0) + row["day_count"]
    accused = pq.read_table(replayed / "first_accused.parquet").to_pylist()
    campaigns = []
    for name, by_day in sorted(sent.items()):
        mine = [row for row in accused if truth.get(row["account_id"]) == name]
        first = min((str(row["day"]) for row in mine), default=None)
        whole = sum(by_day.values())
        gone = sum(n for day, n in by_day.items() if first and day <= first)
        accounts = sum(of == name for of in truth.values())
        campaigns.append(
            {"campaign": name, "accounts": accounts, "exchanges": whole, "day": first,
             "share": gone / whole if first else None, "accused": len(mine),
             "by_day": dict(sorted(Counter(str(row["day"]) for row in mine).items()))}
        )  # fmt: skip
    return {
        "scale": given.scale, "background": given.background, "days": given.days, "seed": given.seed,
        "events": ds.dataset(part, format="parquet").count_rows(), "campaigns": campaigns,
        "honest_ever_accused": sum(truth.get(row["account_id"]) is None for row in accused),
        "honest_by_label": Counter(label[row["account_id"]] for row in accused if truth.get(row["account_id"]) is None),
        "honest_accounts": sum(of is None for of in truth.values()),
    }  # fmt: skip


if __name__ == "__main__":
    main()
