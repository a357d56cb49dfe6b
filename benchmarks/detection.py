"""How right the verdicts are: calibration, evasions and named worlds. Each part writes its own JSON.

    python benchmarks/detection.py calibration [--seeds 50] [--scale 0.2]   many innocent worlds
    python benchmarks/detection.py evasions [--seeds 2] [--levels A B+C]    each evasion alone, and all together
    python benchmarks/detection.py named WORLD [--scale S] [--seeds 1]      one named world, at any size

Worlds are made and scanned by the commands that a user would type, held against their truth, and deleted. Results go to
benchmarks/results/detection/PART.json; `python benchmarks/evaluation_page.py` turns them into docs/evaluation.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

RESULTS = Path(__file__).parent / "results" / "detection"
WORK = Path("out/bench-detection")


def stillwatch(*words: object) -> None:
    """Run a command of the package; its output is shown only if it fails."""
    command = [sys.executable, "-m", "stillwatch", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")


def scanned(folder: Path, world: Sequence[object], settings: Path | None = None) -> dict[str, Any]:
    """Make a world in `folder` if it is not there, scan it, and hold the run against the truth."""
    if not (folder / "world" / "truth" / "accounts.parquet").exists():
        stillwatch("world", *world, "--out", folder / "world")
    return looked_at(folder, settings)


def looked_at(folder: Path, settings: Path | None = None) -> dict[str, Any]:
    """Scan the world of `folder` and hold the run against the truth."""
    made, run = folder / "world", folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    more = ["--settings", settings] if settings else []
    started = time.perf_counter()
    stillwatch(
        "scan", made / "events", "--out", run, "--accounts", made / "accounts.parquet", "--authorisations",
        made / "authorisations.toml", "--context", made, "--pseudonyms", "none", *more,
    )  # fmt: skip
    return {"seconds": round(time.perf_counter() - started, 1), **held_against(run, made)}


def held_against(run: Path, made: Path) -> dict[str, Any]:
    """The figures of one run, and every operator of several accounts that was tested."""
    command = [sys.executable, "-m", "stillwatch", "evaluate", str(run), str(made), "--json"]
    evaluation = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {
        "events": json.loads((run / "manifest.json").read_text())["counts"]["kept"],
        "evaluation": evaluation,
        "tested": tested(run, made),
    }


def tested(run: Path, made: Path) -> list[dict[str, Any]]:
    """Of each operator that was tested: its false-discovery rate, accounts, how many harvest, and whose it is."""
    truth = pq.read_table(made / "truth" / "accounts.parquet", columns=["account_id", "label"]).to_pylist()
    label_of = {row["account_id"]: row["label"] for row in truth}
    members: dict[str, list[str]] = {}
    for row in pq.read_table(run / "operators.parquet", columns=["account_id", "operator_id"]).to_pylist():
        members.setdefault(row["operator_id"], []).append(label_of.get(row["account_id"], ""))
    out = []
    for row in pq.read_table(run / "verdicts.parquet").to_pylist():
        if row["accounts"] >= 2 and row["fdr"] is not None:
            labels = members[row["operator_id"]]
            out.append(
                {
                    "fdr": row["fdr"],
                    "accounts": len(labels),
                    "campaign": labels.count("campaign"),
                    "label": max(sorted(set(labels)), key=labels.count),
                }
            )
    return sorted(out, key=lambda row: row["fdr"])


def write(part: str, content: Any) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{part}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def told(*words: object) -> None:
    print(time.strftime("%H:%M:%S"), *words, flush=True)


def calibration(given: argparse.Namespace) -> None:
    """Many innocent worlds."""
    rows = []
    for seed in range(given.first, given.first + given.seeds):
        folder = given.work / f"innocent-{seed}"
        row = {"seed": seed, **scanned(folder, ["innocent", "--scale", given.scale, "--seed", seed])}
        rows.append(row)
        shutil.rmtree(folder)
        told("innocent", seed, "honest accused", row["evaluation"]["honest_accused"], "tested", len(row["tested"]))
        write("calibration", {"scale": given.scale, "runs": rows})


def evasions(given: argparse.Namespace) -> None:
    """The world `evaded` with each evasion alone, with none and with all; levels that are there already are kept."""
    from stillwatch.worlds import ALL_BUT_INDEPENDENT, EVASIONS

    levels = given.levels or ["none", *EVASIONS, "+".join(ALL_BUT_INDEPENDENT)]
    path = RESULTS / "evasions.json"
    rows = json.loads(path.read_text())["runs"] if path.exists() and not given.anew else []
    for seed in range(given.first, given.first + given.seeds):
        for level in levels:
            rows = [row for row in rows if (row["evasion"], row["seed"]) != (level, seed)]
            folder = given.work / f"evaded-{seed}"
            words = ["evaded", "--scale", given.scale, "--seed", seed, "--evasion", level.replace("+", ",")]
            row = {"evasion": level, "seed": seed, **scanned(folder, words)}
            rows.append(row)
            shutil.rmtree(folder)
            found = row["evaluation"]
            told(level, seed, "recall", found["account_recall"], "honest", found["honest_accused"], row["seconds"], "s")
            write("evasions", {"scale": given.scale, "runs": rows})


def named(given: argparse.Namespace) -> None:
    """A named world, several seeds."""
    rows = []
    for seed in range(given.first, given.first + given.seeds):
        folder = given.work / f"{given.world}-{given.scale:g}-{seed}"
        words = [
            given.world,
            "--scale",
            given.scale,
            "--seed",
            seed,
            *(["--prompts", given.prompts] if given.prompts else []),
        ]
        row = {"seed": seed, **scanned(folder, words)}
        rows.append(row)
        found = row["evaluation"]
        told(
            given.world, seed, "recall", found["account_recall"], "honest", found["honest_accused"], "ari", found["ari"]
        )
        suffix = "-prompts" if given.prompts else ""
        write(
            f"named-{given.world}-{given.scale:g}{suffix}", {"world": given.world, "scale": given.scale, "runs": rows}
        )
        if not given.keep:
            shutil.rmtree(folder)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = words.add_subparsers(dest="part", required=True)
    for name, run, seeds, scale in (
        ("calibration", calibration, 50, 0.2), ("evasions", evasions, 2, 1.0), ("named", named, 1, 1.0),
    ):  # fmt: skip
        part = parts.add_parser(name)
        part.set_defaults(run=run)
        if name == "named":
            part.add_argument("world")
        part.add_argument("--seeds", type=int, default=seeds)
        part.add_argument("--first", type=int, default=0, help="the first seed")
        part.add_argument("--scale", type=float, default=scale)
        if name == "evasions":
            part.add_argument("--levels", nargs="+", help="evasions, several joined by +; default: each alone and all")
            part.add_argument("--anew", action="store_true", help="forget what was measured before")
        part.add_argument("--prompts", type=Path, help="folder of real prompts in Parquet")
        part.add_argument("--keep", action="store_true", help="keep worlds and runs")
        part.add_argument("--work", type=Path, default=WORK)
    given = words.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
