"""A new day merged into a state against a scan of all days: seconds by stage, side by side in one run; size on disk.

Each world is made, all days but the last are merged (one a day, or in --merges parts), and then, in turns, the last day
is merged into a copy of the state and judged, and all days are scanned at once; both in processes of their own, with
one thread for numerical libraries. CPU seconds are of the process and its children: on a machine that is shared they
say more than the wall clock's. Writes benchmarks/results/state.json.

    python benchmarks/state.py [--worlds demo:1 innocent:0.3] [--repeat 1] [--merges N] [--work DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def measured(*words: str | Path) -> dict[str, float]:
    """Wall and CPU seconds of a command."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "stillwatch", *map(str, words)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **THREADS})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": round(time.perf_counter() - started, 1), "cpu": round(cpu, 1)}


def beside(world: Path) -> list[str | Path]:
    return ["--accounts", world / "accounts.parquet", "--authorisations", world / "authorisations.toml",
            "--context", world, "--pseudonyms", "none"]  # fmt: skip


def one(name: str, scale: float, work: Path, repeat: int, merges: int) -> dict[str, Any]:
    """One world."""
    label = f"{name}-{scale:g}"
    world, base = work / label / "world", work / label / "state"
    if not (world / "truth" / "accounts.parquet").exists():
        measured("world", name, "--out", world, "--scale", str(scale))
    days = sorted((world / "events").iterdir())
    if not (base / "state.json").exists():
        size = -(-len(days[:-1]) // (merges or len(days)))
        for first in range(0, len(days) - 1, size):
            measured("scan", *days[:-1][first : first + size], "--state", base, *beside(world))
    rows = []
    for number in range(repeat):
        state, run, whole = (work / label / f"{part}{number}" for part in ("copy", "run", "whole"))
        for old in (state, run, whole):
            shutil.rmtree(old, ignore_errors=True)
        shutil.copytree(base, state)
        day = measured("scan", days[-1], "--state", state, "--out", run, *beside(world))
        full = measured("scan", world / "events", "--out", whole, *beside(world))
        day["stages"], full["stages"] = stages(run), stages(whole)
        assert pq.read_table(run / "traits.parquet").equals(pq.read_table(whole / "traits.parquet"))
        rows.append({"day": day, "full": full, **ratios(day, full)})
    events = pq.read_metadata(run / "sketches.parquet").num_rows
    return {
        "world": label, "days": len(days), "events": events, "merges_before": len(list((base / "batches").iterdir())),
        "events_of_the_day": sum(pq.read_metadata(path).num_rows for path in days[-1].rglob("*.parquet")),
        "bytes_an_event": sizes(state, events), "measured": rows,
    }  # fmt: skip


def stages(run: Path) -> Any:
    return json.loads((run / "manifest.json").read_text())["seconds"]


def ratios(day: dict[str, Any], full: dict[str, Any]) -> dict[str, float]:
    pairs = {"wall": (day["wall"], full["wall"]), "cpu": (day["cpu"], full["cpu"]),
             "before_linking": (before_linking(day), before_linking(full))}  # fmt: skip
    return {f"{name}_ratio": round(a / b, 3) for name, (a, b) in pairs.items()}


def before_linking(run: dict[str, Any]) -> float:
    """Wall seconds of what a state saves, and of what it does for it: all stages but those that see all days anyway."""
    return round(
        sum(s for name, s in run["stages"].items() if name not in ("linking", "streams", "judging", "report")), 1
    )


def sizes(state: Path, events: int) -> dict[str, float]:
    """Bytes on disk per event, by table."""
    out: dict[str, float] = {}
    for path in state.rglob("*"):
        if path.is_file():
            name = f"memory of {path.stem}" if path.parent.parent.name == "operators" else path.stem
            out[name] = out.get(name, 0.0) + path.stat().st_size / events
    return {name: round(size, 2) for name, size in sorted({**out, "all": sum(out.values())}.items())}


def show(done: list[dict[str, Any]]) -> None:
    table = Table(
        "world", "days", "events", "a day: CPU s (wall)", "all: CPU s (wall)", "CPU", "before linking", "bytes/event"
    )
    for row in done:
        for m in row["measured"]:
            seconds = [f"{m[part]['cpu']} ({m[part]['wall']})" for part in ("day", "full")]
            size = f"{row['bytes_an_event']['all']:.0f}"
            table.add_row(
                row["world"],
                str(row["days"]),
                f"{row['events']:,}",
                *seconds,
                str(m["cpu_ratio"]),
                str(m["before_linking_ratio"]),
                size,
            )
    Console(width=140).print(table)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--worlds", nargs="+", default=["demo:1", "innocent:0.3"], help="name:scale")
    words.add_argument("--repeat", type=int, default=1)
    words.add_argument("--merges", type=int, default=0, help="merges of the days before; 0 is one a day")
    words.add_argument("--work", type=Path, default=Path("out/bench-state"))
    given = words.parse_args()
    worlds = ((word.split(":")[0], float(word.split(":")[1])) for word in given.worlds)
    RESULTS.mkdir(exist_ok=True)
    done = []
    for name, scale in worlds:
        done.append(one(name, scale, given.work, given.repeat, given.merges))
        machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version(),
                   "load": round(os.getloadavg()[0], 1)}  # fmt: skip
        (RESULTS / "state.json").write_text(json.dumps({"machine": machine, "runs": done}, indent=1) + "\n")
    show(done)


if __name__ == "__main__":
    main()
