"""The whole walk measured: worlds `seed` and `innocent`, and a log over real prompts if a folder of them is given.

Each world is made, scanned in a process of its own by the command line a user would type, and held against its truth.
Prints a table and writes benchmarks/results/walk.json. Worlds are kept under --work and made again only if absent.

    python benchmarks/walk.py [--scale 0.05] [--seeds 0 1] [--prompts DIR] [--work DIR] [--only seed]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


def run_measured(command: list[str]) -> tuple[float, int]:
    """Seconds, and the largest resident memory in MiB that the process and its children held together."""
    peak = 0
    started = time.perf_counter()
    with subprocess.Popen(command) as process:

        def watch() -> None:
            nonlocal peak
            while process.poll() is None:
                try:
                    root = psutil.Process(process.pid)
                    held = sum(one.memory_info().rss for one in [root, *root.children(recursive=True)])
                    peak = max(peak, held)
                except psutil.Error:
                    pass
                time.sleep(0.2)

        watcher = threading.Thread(target=watch)
        watcher.start()
        code = process.wait()
        watcher.join()
    if code:
        raise SystemExit(f"{' '.join(command)} exited with {code}")
    return time.perf_counter() - started, peak // 2**20


def stillwatch(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "stillwatch", *map(str, words)]


def one(name: str, work: Path, *, scale: float, seed: int, prompts: Path | None) -> dict[str, Any]:
    """Make, scan and evaluate one world."""
    label = f"{name}-{scale:g}-{seed}" + ("-prompts" if prompts else "")
    world, run = work / label / "world", work / label / "run"
    made = 0.0
    if not (world / "truth" / "accounts.parquet").exists():
        extra = ["--prompts", prompts] if prompts else []
        made, _ = run_measured(
            stillwatch("world", name, "--out", world, "--scale", str(scale), "--seed", str(seed), *extra)
        )
    seconds, peak = run_measured(
        stillwatch(
            "scan", world / "events", "--out", run, "--accounts", world / "accounts.parquet",
            "--authorisations", world / "authorisations.toml", "--context", world, "--pseudonyms", "none",
        )
    )  # fmt: skip
    text = subprocess.run(stillwatch("evaluate", run, world, "--json"), check=True, capture_output=True, text=True)
    manifest = json.loads((run / "manifest.json").read_text())
    return {
        "world": label,
        "seconds_world": round(made, 1),
        "seconds_scan": round(seconds, 1),
        "peak_mebibytes": peak,
        "events": manifest["counts"].get("kept"),
        "seconds_by_stage": manifest["seconds"],
        "evaluation": json.loads(text.stdout),
    }


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--scale", type=float, default=0.05)
    words.add_argument("--innocent-scale", type=float, default=1.0)
    words.add_argument("--seeds", type=int, nargs="+", default=[0])
    words.add_argument("--prompts", type=Path, help="folder of real prompts in Parquet; skipped without it")
    words.add_argument("--prompts-scale", type=float, default=0.005)
    words.add_argument("--work", type=Path, default=Path("out/bench-walk"))
    words.add_argument("--only", choices=["seed", "innocent", "prompts"])
    given = words.parse_args()
    os.environ.setdefault("PYTHONHASHSEED", "0")
    done = []
    for seed in given.seeds:
        if given.only in (None, "seed"):
            done.append(one("seed", given.work, scale=given.scale, seed=seed, prompts=None))
        if given.only in (None, "innocent"):
            done.append(one("innocent", given.work, scale=given.innocent_scale, seed=seed, prompts=None))
        if given.prompts and given.only in (None, "prompts"):
            done.append(one("seed", given.work, scale=given.prompts_scale, seed=seed, prompts=given.prompts))
    if not given.prompts:
        print("no --prompts DIR given: the log over real prompts was skipped", file=sys.stderr)
    show(done)
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    (RESULTS / "walk.json").write_text(json.dumps({"machine": machine, "runs": done}, indent=1) + "\n")


def show(done: list[dict[str, Any]]) -> None:
    """The figures a reader asks for first."""
    table = Table("world", "events", "scan s", "peak MiB", "recall", "honest accused", "campaigns found", "ARI")
    for row in done:
        found = row["evaluation"]
        table.add_row(
            row["world"],
            f"{row['events']:,}",
            f"{row['seconds_scan']:.0f}",
            f"{row['peak_mebibytes']:,}",
            str(found.get("account_recall")),
            f"{found.get('honest_accused')} of {found.get('honest_accounts')}",
            f"{found.get('campaigns_found')} of {found.get('campaigns')}",
            str(found.get("ari")),
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
