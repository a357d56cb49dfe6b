"""What the parts of the detection benchmark share: make a world, scan it, hold it against its truth, keep figures."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

RESULTS = Path(__file__).parent / "results" / "detection"
FIGURES = (
    "campaign_accounts", "campaign_accused", "account_recall", "account_precision", "event_recall", "honest_accounts",
    "honest_accused", "ari", "b_cubed_precision", "b_cubed_recall", "wrong_honest",
)  # fmt: skip
"""Of an evaluation, what is kept."""


def stillwatch(*words: object) -> None:
    """Run a command of the package; its output is shown only if it fails."""
    command = [sys.executable, "-m", "stillwatch", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")


def make(folder: Path, world: Sequence[object]) -> None:
    """The world of `stillwatch world ...` in `folder/world`, if it is not there."""
    if not (folder / "world" / "truth" / "accounts.parquet").exists():
        stillwatch("world", *world, "--out", folder / "world")


def scanned(folder: Path, world: Sequence[object]) -> dict[str, Any]:
    """Make a world in `folder`, scan it, and hold the run against the truth."""
    make(folder, world)
    return looked_at(folder)


def looked_at(folder: Path) -> dict[str, Any]:
    """Scan the world of `folder` and hold the run against the truth."""
    made, run = folder / "world", folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    started = time.perf_counter()
    stillwatch(
        "scan", made / "events", "--out", run, "--accounts", made / "accounts.parquet", "--authorisations",
        made / "authorisations.toml", "--context", made, "--pseudonyms", "none",
    )  # fmt: skip
    return {**of_run(folder), "seconds": round(time.perf_counter() - started, 1)}


def of_run(folder: Path) -> dict[str, Any]:
    """The figures of `folder/run`, a scan of `folder/world`; its seconds are those of its stages."""
    run = folder / "run"
    manifest = json.loads((run / "manifest.json").read_text())
    return {
        "seconds": round(sum(manifest["seconds"].values()), 1),
        "events": manifest["counts"]["kept"],
        "peak_mebibytes": manifest.get("peak_mebibytes"),
        "stages": manifest.get("seconds"),
        **held_against(run, folder / "world"),
    }


def held_against(run: Path, made: Path) -> dict[str, Any]:
    """The figures of one run, and every operator of several accounts that was tested."""
    command = [sys.executable, "-m", "stillwatch", "evaluate", str(run), str(made), "--json"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {
        **{name: found[name] for name in FIGURES},
        "by_label": {row["label"]: [row["accounts"], row["accused"]] for row in found["by_label"]},
        "by_campaign": {
            row["campaign"]: [row["accounts"], row["accused"], row["largest_operator"], row["operators"]]
            for row in found["by_campaign"]
        },
        "tested": tested(run, made),
    }


def tested(run: Path, made: Path) -> list[list[Any]]:
    """Of each operator that was tested: false-discovery rate, accounts, how many of a campaign, most common label."""
    truth = pq.read_table(made / "truth" / "accounts.parquet", columns=["account_id", "label"]).to_pylist()
    label_of = {row["account_id"]: row["label"] for row in truth}
    members: dict[str, list[str]] = {}
    for row in pq.read_table(run / "operators.parquet", columns=["account_id", "operator_id"]).to_pylist():
        members.setdefault(row["operator_id"], []).append(label_of.get(row["account_id"], ""))
    out = []
    for row in pq.read_table(run / "verdicts.parquet").to_pylist():
        if row["accounts"] >= 2 and row["fdr"] is not None:
            labels = members[row["operator_id"]]
            common = max(sorted(set(labels)), key=labels.count)
            out.append([round(row["fdr"], 6), len(labels), labels.count("campaign"), common])
    return sorted(out)


def write(part: str, about: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> None:
    """benchmarks/results/detection/PART.json, a line a run."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(row) for row in rows)
    head = json.dumps(dict(about))[1:-1]
    (RESULTS / f"{part}.json").write_text(f'{{{head}{", " if head else ""}"runs": [\n{lines}\n]}}\n', encoding="utf-8")


def known(part: str) -> list[dict[str, Any]]:
    """The runs that are there already."""
    path = RESULTS / f"{part}.json"
    return list(json.loads(path.read_text())["runs"]) if path.exists() else []


def told(*words: object) -> None:
    """A line of progress with the time."""
    print(time.strftime("%H:%M:%S"), *words, flush=True)
