"""One log on both engines: seconds by stage on DuckDB in the process and on Spark, and that the tables are the same.

    python benchmarks/spark.py [--scales 0.3 1] [--masters local[2] local-cluster[2,1,1024]] [--work DIR]

Two scales tell what Spark takes in any case from what it takes for each event. Each scan runs in a process of its own
(`benchmarks/scale.py`); processor seconds are of all its processes, the JVMs and Python workers of Spark among them. On
one machine Spark can only lose: it says what a cluster has to make up for.
Writes benchmarks/results/spark.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from scale import scan, world_at
from stillwatch.engine.runfolder import RunFolder

RESULTS = Path(__file__).parent / "results" / "spark.json"
STAGES = ("starting spark", "reading and sketching", "summaries", "traits", "profiles")
SAME = ("sketches", "skeletons", "summaries", "accounts", "traits", "profiles", "links", "operators", "verdicts")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--scales", nargs="+", type=float, default=[0.3, 1.0])
    words.add_argument("--masters", nargs="+", default=["local[2]"])
    words.add_argument("--threads", type=int, default=2)
    words.add_argument("--memory", default="2GB")
    words.add_argument("--work", type=Path, default=Path("out/bench-scale"))
    words.set_defaults(pseudonyms="none")
    given = words.parse_args()
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    logs = []
    for scale in given.scales:
        logs.append({"scale": scale, "runs": both(scale, given)})
        RESULTS.write_text(json.dumps({"machine": machine, "logs": logs}, indent=1) + "\n")
        show(logs[-1]["runs"])


def both(scale: float, given: argparse.Namespace) -> dict[str, Any]:
    """The log of a scale on DuckDB, then on each master."""
    world, runs = world_at(scale, given.work), dict[str, Any]()
    for name in ("duckdb", *given.masters):
        more = [] if name == "duckdb" else ["--engine", "spark", "--spark", name]
        folder = given.work / f"engine-{len(runs)}"
        runs[name] = {"load": round(os.getloadavg()[0], 1), **scan(world / "events", world, folder, given, *more)}
        runs[name]["same"] = [
            table
            for table in SAME
            if RunFolder(folder).read(table).equals(RunFolder(given.work / "engine-0").read(table))
        ]
    return runs


def show(runs: dict[str, Any]) -> None:
    table = Table("engine", *STAGES, "CPU s", "peak MiB", "same tables")
    for name, run in runs.items():
        seconds = [f"{run['seconds_by_stage'].get(stage, 0):.1f}" for stage in STAGES]
        same = f"{len(run['same'])} of {len(SAME)}"
        table.add_row(name, *seconds, f"{run['cpu']:.0f}", f"{run['peak_mebibytes']:,}", same)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
