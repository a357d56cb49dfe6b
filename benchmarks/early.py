"""How much of each campaign had gone when it was first accused, in the first days of a world of any size.

    python benchmarks/early.py [--scale 1] [--background 0.1] [--days 4] [--by 6h] [--seed 0] [--world FOLDER]

A replay of a world of a hundred million events would take a day; its first days do not. Only their events are given to
`stillwatch replay`, whose looks spend the level as they would with the rest to come (judging/sequential.py), and what
had gone is counted against the whole campaign. Writes benchmarks/results/detection/early.json, or early-BY.json for
looks within the day.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from runs import RESULTS, make, stillwatch, told
from stillwatch.judging.record import said

WORK = Path("out/bench-early")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--scale", type=float, default=1.0)
    words.add_argument("--background", type=float, default=0.1)
    words.add_argument("--days", type=int, default=4)
    words.add_argument("--by", default="day", help="what passes from one look to the next, as for `stillwatch replay`")
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
        "replay", part, "--by", given.by, "--out", given.work / "replayed", "--accounts", world / "accounts.parquet",
        "--authorisations", world / "authorisations.toml", "--context", world, "--pseudonyms", "none",
    )  # fmt: skip
    found = held(given.work / "replayed", world, part, given)
    RESULTS.mkdir(parents=True, exist_ok=True)
    name = "early.json" if given.by == "day" else f"early-{given.by}.json"
    (RESULTS / name).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    told(json.dumps(found))


def held(replayed: Path, world: Path, part: Path, given: argparse.Namespace) -> dict[str, Any]:
    """The record of the replay against the truth; volumes are those of the whole world, over campaign accounts."""
    rows = pq.read_table(world / "truth" / "accounts.parquet").to_pylist()
    truth = {row["account_id"]: row["campaign"] if row["label"] == "campaign" else None for row in rows}
    label = {row["account_id"]: row["label"] for row in rows}
    accused = pq.read_table(replayed / "first_accused.parquet").to_pylist()
    mine = {name: [row for row in accused if truth.get(row["account_id"]) == name] for name in set(truth.values())}
    first = {name: min((row["until"] for row in rows), default=None) for name, rows in mine.items() if name}
    whole, gone = sent(world, truth, first)
    campaigns = [
        {"campaign": name, "accounts": sum(of == name for of in truth.values()), "exchanges": whole[name],
         "day": until and said(until), "share": gone[name] / whole[name] if until else None, "accused": len(mine[name]),
         "by_day": dict(sorted(Counter(said(row["until"]) for row in mine[name]).items()))}
        for name, until in sorted(first.items())
    ]  # fmt: skip
    return {
        "scale": given.scale, "background": given.background, "days": given.days, "by": given.by, "seed": given.seed,
        "events": ds.dataset(part, format="parquet").count_rows(), "campaigns": campaigns,
        "honest_ever_accused": sum(truth.get(row["account_id"]) is None for row in accused),
        "honest_by_label": Counter(label[row["account_id"]] for row in accused if truth.get(row["account_id"]) is None),
        "honest_accounts": sum(of is None for of in truth.values()),
    }  # fmt: skip


def sent(
    world: Path, truth: dict[str, str | None], first: dict[str, datetime | None]
) -> tuple[Counter[str], Counter[str]]:
    """Exchanges of each campaign in the whole world, and before a moment of each."""
    names = sorted(first)
    harvesting = [account for account, name in truth.items() if name]
    of = np.array([names.index(truth[account] or "") for account in harvesting])
    whole, gone = np.zeros(len(names), np.int64), np.zeros(len(names), np.int64)
    ends = np.array([np.datetime64((first[n] or datetime.min).replace(tzinfo=None), "us") for n in names])
    known = pa.array(harvesting)
    for batch in ds.dataset(world / "events").to_batches(columns=["account_id", "time"]):
        place = pc.index_in(batch["account_id"].cast(pa.string()), value_set=known)
        rows = batch.filter(place.is_valid())
        campaign = of[place.drop_null().to_numpy()]
        times = rows["time"].cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)
        whole += np.bincount(campaign, minlength=len(names))
        gone += np.bincount(campaign[times < ends[campaign]], minlength=len(names))
    counted = [Counter({name: int(count[k]) for k, name in enumerate(names)}) for count in (whole, gone)]
    return counted[0], counted[1]


if __name__ == "__main__":
    main()
