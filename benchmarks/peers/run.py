"""Stillwatch and every peer on the same worlds: `python benchmarks/peers/run.py [--seeds 1 2] [--levels none cover]`.

Worlds come from `stillwatch world`. Each peer's setting, threshold and least group size are chosen on worlds of the
tuning seeds, all levels together (nobody knows beforehand how a campaign evades), for most campaign accounts accused
with at most `--rates` of the honest ones; then the choice is held against worlds of other seeds. Stillwatch runs as it
comes. Detectors that learn from honest traffic get a world `quiet` of yet another seed. Writes
benchmarks/results/peers.json; `python benchmarks/peers/page.py` turns it into docs/peers.md. One process at a time;
worlds and answers are kept under `--work`, so a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
# the folder of this file must not be searched: a peer's module has the name of its package's topic
sys.path[0] = str(ROOT)

from benchmarks.peers import scoring, venvs  # noqa: E402
from benchmarks.peers.answer import Answer, Bools, Ints  # noqa: E402
from benchmarks.peers.process import run as process  # noqa: E402
from benchmarks.peers.registry import PEERS, Peer  # noqa: E402
from benchmarks.peers.tuning import Choice, Outcome, Truth, best, majority, tally  # noqa: E402
from benchmarks.peers.world import KEPT, keep, read  # noqa: E402

Answers = dict[Path, list[Answer]]
"""World -> a peer's answers, one a setting."""
Ours = dict[str, tuple[Outcome, Outcome]]
"""Level -> Stillwatch's verdicts, and its groups as one who knows the truth would judge them."""

RESULTS = ROOT / "benchmarks" / "results" / "peers.json"
LEVELS = ("none", "paraphrase", "cover", "one_address+identities", "no_skeleton+fresh_tasks", "all", "quiet")
LIMIT = 600
"""Seconds after which a peer is given up on a world."""


def told(*words: object) -> None:
    print(time.strftime("%H:%M:%S"), *words, flush=True)


def make(given: argparse.Namespace, level: str, seed: int) -> Path:
    """World of a level and seed, made unless it is there."""
    scale = 1.0 if level == "demo" else given.scale
    text = "-prompts" if given.prompts else ""
    folder = given.work / f"{level}-{seed}-{scale:g}{text}" / "world"
    if not (folder / "truth" / "accounts.parquet").exists():
        shutil.rmtree(folder.parent, ignore_errors=True)
        name = level if level in ("quiet", "innocent", "demo") else "evaded"
        words = ["world", name, "--out", folder, "--scale", scale, "--seed", seed]
        if name == "evaded" and level != "none":
            words += ["--evasion", level.replace("+", ",")]
        if given.prompts:
            words += ["--prompts", given.prompts]
        process([sys.executable, "-m", "stillwatch", *words])
    keep(folder)
    return folder


def scanned(world: Path) -> dict[str, Any]:
    """Scan a world with Stillwatch as it comes; its operators and verdicts stay beside the world."""
    run, kept = world.parent / "run", world.parent / "stillwatch.json"
    if not kept.exists():
        words = [
            "scan", world / "events", "--out", run, "--accounts", world / "accounts.parquet", "--authorisations",
            world / "authorisations.toml", "--context", world, "--pseudonyms", "none",
        ]  # fmt: skip
        spent = process([sys.executable, "-m", "stillwatch", *words])
        for file in run.iterdir():
            if file.name not in ("operators.parquet", "verdicts.parquet", "manifest.json"):
                file.unlink()
        kept.write_text(json.dumps(spent), encoding="utf-8")
    return dict(json.loads(kept.read_text(encoding="utf-8")))


def asked(
    jobs: Mapping[str, Sequence[object]], python: str, world: Path, reference: Path, out: Path
) -> dict[str, float]:
    """Ask peers of one environment about a world; seconds and memory of their process."""
    learn = [peer.name for peer in PEERS if peer.learns]
    words = [python, "-m", "benchmarks.peers.worker", world, out, json.dumps(jobs), "--reference", reference]
    return process([*words, "--learn", *learn], limit=LIMIT * len(jobs))


def answers(peer: Peer, world: Path) -> list[Answer]:
    """A peer's answers on a world, one a setting of its grid; RuntimeError if it failed there."""
    out = world.parent / "answers"
    said = json.loads((out / f"{peer.name}.json").read_text(encoding="utf-8"))
    if "error" in said:
        raise RuntimeError(said["error"])
    return [Answer.load(out / f"{peer.name}-{number}.npz") for number in range(len(peer.grid))]


class Bench:
    """The worlds of a run, and what is known of them."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        levels, hold = list(given.levels), [*given.levels, *(["demo"] if given.demo else [])]
        tuned = given.tuning_levels or levels
        self.tuning = [make(given, level, seed) for seed in given.tuning for level in tuned]
        self.reference = make(given, "quiet", given.reference)
        self.held = {level: [make(given, level, seed) for seed in given.seeds] for level in hold}
        self.worlds = [*self.tuning, *(world for worlds in self.held.values() for world in worlds)]
        self.truths: dict[Path, Truth] = {}

    def truth(self, world: Path, accounts: list[str]) -> Truth:
        """Read once; the order of accounts is that of their ids for every peer."""
        if world not in self.truths:
            self.truths[world] = scoring.truth(world, accounts)
        return self.truths[world]

    def counted(self, found: Answers, worlds: Sequence[Path], choice: Choice | None, judged: bool = False) -> Outcome:
        """What a choice gives on worlds; without one nobody is accused. judged: see `curve`."""
        made = choice or Choice(0, float("inf"), 10**9)
        said = []
        for world in worlds:
            answer = found[world][made.setting]
            truth = self.truth(world, answer.accounts)
            groups = answer.groups(made.threshold)
            accused = answer.accused(made.threshold, made.least, truth.customer, truth.registered)
            if judged:
                accused &= majority(groups, truth.harvests)
            said.append((accused, groups if answer.grouped else None))
        return tally(said, [self.truth(world, found[world][0].accounts) for world in worlds])

    def best(
        self, peer: Peer, found: Answers, worlds: Sequence[Path], most: int, judged: bool = False
    ) -> Choice | None:
        """The choice of most hits with at most `most` honest accounts accused."""
        settings = [[found[world][number] for world in worlds] for number in range(len(peer.grid))]
        truths = [self.truth(world, found[world][0].accounts) for world in worlds]
        return best(settings, truths, peer.leasts, most, judged)

    def honest(self, answers_of: dict[Path, list[Answer]], worlds: Sequence[Path]) -> int:
        """Honest accounts of worlds."""
        return sum(int((~self.truth(world, answers_of[world][0].accounts).harvests).sum()) for world in worlds)


def ask(bench: Bench, peers: Sequence[Peer], python: str) -> None:
    """Ask peers of one environment about all worlds, a process a world; what was answered before is kept."""
    for world in bench.worlds:
        out = world.parent / "answers"
        jobs = {peer.name: peer.grid for peer in peers if not answered(out / f"{peer.name}.json")}
        if jobs:
            asked(jobs, python, world, bench.reference, out)


def answered(file: Path) -> bool:
    """Whether a peer's answers are there; one that failed is asked again."""
    return file.exists() and "error" not in json.loads(file.read_text(encoding="utf-8"))


def peer_row(bench: Bench, peer: Peer, ours: Ours) -> dict[str, Any]:
    """All figures of one peer."""
    found: Answers = {world: answers(peer, world) for world in bench.worlds}
    choices: dict[str, Choice | None] = {"default": peer.default}
    for rate in bench.given.rates:
        choices[str(rate)] = bench.best(peer, found, bench.tuning, int(rate * bench.honest(found, bench.tuning)))
    row: dict[str, Any] = {name: {} for name in (*choices, "equal", "loose", "judged")}
    row["choices"] = {name: described(peer, choice) for name, choice in choices.items()}
    for level, worlds in bench.held.items():
        for name, choice in choices.items():
            row[name][level] = scoring.row(bench.counted(found, worlds, choice))
        mine, known_mine = ours[level]
        if not mine.campaign:
            continue
        most = int(max(bench.given.rates) * mine.honest)
        hindsight = {"equal": (mine.false, False), "loose": (most, False), "judged": (known_mine.false, True)}
        for name, (allowed, judged) in hindsight.items():
            if judged and not found[worlds[0]][0].grouped:
                continue
            choice = bench.best(peer, found, worlds, allowed, judged)
            outcome = scoring.row(bench.counted(found, worlds, choice, judged))
            row[name][level] = outcome | {"choice": described(peer, choice)}
    told(peer.title, {level: row[str(min(bench.given.rates))][level]["recall"] for level in bench.held})
    return row


def described(peer: Peer, choice: Choice | None) -> dict[str, Any] | None:
    """A choice for people."""
    return None if choice is None else {**asdict(choice), "setting": dict(peer.grid[choice.setting])}


def cost(bench: Bench, peer: Peer, python: str, setting: object) -> dict[str, float]:
    """Seconds and memory of a process that runs one setting on one held-out world, from the log itself."""
    world, out = next(iter(bench.held.values()))[0], bench.given.work / "cost"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(world, out / "world", ignore=shutil.ignore_patterns(KEPT, "vectors-*", "truth"))
    spent = asked({peer.name: [setting]}, python, out / "world", bench.reference, out)
    shutil.rmtree(out)
    return spent


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--seeds", type=int, nargs="+", default=[1, 2], help="worlds the figures are from")
    words.add_argument("--tuning", type=int, nargs="+", default=[101], help="worlds the peers are tuned on")
    words.add_argument("--reference", type=int, default=201, help="seed of the honest world to learn from")
    words.add_argument(
        "--levels", nargs="+", default=list(LEVELS), help="evasions joined by +, all, none, quiet, innocent"
    )
    words.add_argument("--tuning-levels", nargs="+", help="levels to tune on, if not all")
    words.add_argument("--prompts", type=Path, help="folder of real prompts in Parquet to use as text")
    words.add_argument("--no-demo", dest="demo", action="store_false", help="leave the world `demo` out")
    words.add_argument("--scale", type=float, default=0.5)
    words.add_argument(
        "--rates", type=float, nargs="+", default=[0.001, 0.01], help="honest accounts accused when tuning"
    )
    words.add_argument(
        "--peers", nargs="+", default=[peer.name for peer in PEERS], help="modules; others keep their figures"
    )
    words.add_argument("--no-cost", dest="cost", action="store_false", help="do not measure what each peer costs")
    words.add_argument("--work", type=Path, default=ROOT / "out" / "bench-peers")
    given = words.parse_args()
    if set(given.tuning) & set(given.seeds) or given.reference in {*given.tuning, *given.seeds}:
        words.error("seeds to tune on, to learn from and to measure on must differ")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    bench = Bench(given)
    told("worlds are made")
    same = {
        "scale": given.scale, "prompts": bool(given.prompts), "seeds": given.seeds, "tuning": given.tuning,
        "tuned_on": given.tuning_levels or given.levels, "reference": given.reference, "rates": given.rates,
        "levels": list(bench.held),
    }  # fmt: skip
    machine = {"machine": f"{platform.machine()}, {os.cpu_count()} cores", "python": platform.python_version()}
    before = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    old = before["peers"] if before and all(before.get(name) == value for name, value in same.items()) else {}
    results: dict[str, Any] = {**same, **machine, "peers": {}, "skipped": {}}
    results["stillwatch"], ours = stillwatch(bench)
    results["peers"] = {name: row for name, row in old.items() if name not in given.peers}
    for extra, group in itertools.groupby(PEERS, key=lambda peer: peer.extra):
        peers = [peer for peer in group if peer.name in given.peers]
        try:
            ask(bench, peers, venvs.python(extra, any(peer.own for peer in peers)))
        except (venvs.NotInstalledError, RuntimeError) as why:
            results["skipped"] |= {peer.name: str(why) for peer in peers}
            told("skipped", *(peer.title for peer in peers), why)
            continue
        for peer in peers:
            try:
                results["peers"][peer.name] = peer_row(bench, peer, ours)
            except RuntimeError as why:
                results["skipped"][peer.name] = str(why)
                told("skipped", peer.title, why)
            write(results)
    for peer in PEERS:
        if peer.name in results["peers"] and given.cost:
            costs(bench, peer, results["peers"][peer.name], old.get(peer.name, {}))
            write(results)


def costs(bench: Bench, peer: Peer, row: dict[str, Any], old: dict[str, Any]) -> None:
    """Add what the peer's choice costs, unless that is known already."""
    if "cost" in old and old["choices"] == row["choices"]:
        row["cost"] = old["cost"]
    if "cost" not in row:
        chosen = row["choices"][str(min(bench.given.rates))] or row["choices"]["default"]
        row["cost"] = cost(bench, peer, venvs.python(peer.extra, peer.own), chosen["setting"])
        told(peer.title, row["cost"])


def write(results: dict[str, Any]) -> None:
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def stillwatch(bench: Bench) -> tuple[dict[str, Any], Ours]:
    """Stillwatch on the held-out worlds."""
    rows: dict[str, Any] = {"levels": {}, "judged": {}}
    ours: Ours = {}
    for level, worlds in bench.held.items():
        spent = [scanned(world) for world in worlds]
        truths = [bench.truth(world, read(world).accounts) for world in worlds]
        found = [scoring.of_run(world.parent / "run", read(world).accounts) for world in worlds]
        linked = [(known(groups, truth), groups) for (_, groups), truth in zip(found, truths, strict=True)]
        ours[level] = tally(found, truths), tally(linked, truths)
        rows["levels"][level], rows["judged"][level] = map(scoring.row, ours[level])
        told("stillwatch", level, rows["levels"][level])
        rows.setdefault("cost", spent[0])
    return rows, ours


def known(groups: Ints, truth: Truth) -> Bools:
    """Whom one who knows the truth would accuse of these groups: those of two and more that are a campaign's."""
    return majority(groups, truth.harvests) & (np.bincount(groups)[groups] >= 2)


if __name__ == "__main__":
    main()
