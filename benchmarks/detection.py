"""How right the verdicts are: calibration, evasions and named worlds. Each part writes its own JSON.

    python benchmarks/detection.py innocent [--seeds 50] [--scale 0.2]      many worlds without a campaign
    python benchmarks/detection.py quiet [--seeds 50] [--scale 0.3]         the same, with conferences and outages
    python benchmarks/detection.py shuffled --prompts DIR [--seeds 50]      real text; hands dealt anew (shuffled.py)
    python benchmarks/detection.py evasions [--seeds 2] [--levels A B+C]    each evasion alone, and all together
    python benchmarks/detection.py named WORLD [--scale S] [--seeds 1]      one named world, at any size
                                               [--scanned FOLDER]           whose world and run are there already

Worlds are made and scanned by the commands that a user would type, held against their truth, and deleted. A part that
was broken off goes on where it was. Results go to benchmarks/results/detection/PART.json; `python
benchmarks/evaluation_page.py` turns them into docs/evaluation.md.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runs import known, looked_at, make, of_run, scanned, told, write
from shuffled import deal

WORK = Path("out/bench-detection")
Row = dict[str, Any]


def repeated(given: argparse.Namespace, part: str, keys: list[str], run: Callable[[str, int, Path], Row]) -> None:
    """`run` for each key and seed that is not in the results yet; what it leaves is deleted."""
    rows = [] if given.anew else known(part)
    about = {"scale": given.scale, "prompts": given.prompts is not None}
    for seed in range(given.first, given.first + given.seeds):
        for key in keys:
            if any((row["key"], row["seed"]) == (key, seed) for row in rows):
                continue
            folder = given.work / f"{part}-{key.replace('+', '-')[:60]}-{seed}"
            row = {"key": key, "seed": seed, **run(key, seed, folder)}
            rows.append(row)
            write(part, about, rows)
            told(key, seed, *(f"{name} {row[name]}" for name in ("account_recall", "honest_accused", "ari", "seconds")))
            if not given.keep and folder.exists():
                shutil.rmtree(folder)


def nobody(given: argparse.Namespace) -> None:
    """Many worlds `innocent` or `quiet`."""
    world = given.part
    repeated(given, world, [world], lambda _, seed, folder: scanned(folder, _words(given, world, seed)))


def shuffled(given: argparse.Namespace) -> None:
    """Many worlds `quiet` over real prompts, in which exits and identities are dealt anew."""
    if given.prompts is None:
        raise SystemExit("shuffled needs --prompts: a folder of real prompts in Parquet")

    def run(_: str, seed: int, folder: Path) -> Row:
        make(folder, _words(given, "quiet", seed))
        deal(folder / "world", seed)
        return looked_at(folder)

    repeated(given, "shuffled", ["shuffled"], run)


def evasions(given: argparse.Namespace) -> None:
    """The world `evaded` with each evasion alone, with none and with all."""
    from stillwatch.worlds import ALL_BUT_INDEPENDENT, EVASIONS

    levels = given.levels or ["none", *EVASIONS, "+".join(ALL_BUT_INDEPENDENT)]

    def run(level: str, seed: int, folder: Path) -> Row:
        return scanned(folder, [*_words(given, "evaded", seed), "--evasion", level.replace("+", ",")])

    repeated(given, "evasions", levels, run)


def named(given: argparse.Namespace) -> None:
    """A named world, several seeds."""
    part = f"named-{given.world}-{given.scale:g}{'-prompts' if given.prompts else ''}"
    more = ["--background", given.background]

    def run(_: str, seed: int, folder: Path) -> Row:
        return of_run(given.scanned) if given.scanned else scanned(folder, [*_words(given, given.world, seed), *more])

    repeated(given, part, [given.world], run)


def _words(given: argparse.Namespace, world: str, seed: int) -> list[object]:
    prompts = ["--prompts", given.prompts] if given.prompts else []
    return [world, "--scale", given.scale, "--seed", seed, *prompts]


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = words.add_subparsers(dest="part", required=True)
    for name, run, seeds, scale in (
        ("innocent", nobody, 50, 0.2), ("quiet", nobody, 50, 0.3), ("shuffled", shuffled, 50, 0.3),
        ("evasions", evasions, 2, 1.0), ("named", named, 1, 1.0),
    ):  # fmt: skip
        part = parts.add_parser(name)
        part.set_defaults(run=run)
        if name == "named":
            part.add_argument("world")
            part.add_argument("--scanned", type=Path, help="a folder with `world` and its `run` (benchmarks/scale.py)")
            part.add_argument("--background", type=float, default=1.0, help="honest part, as a multiple")
        if name == "evasions":
            part.add_argument("--levels", nargs="+", help="evasions, several joined by +; default: each alone and all")
        part.add_argument("--seeds", type=int, default=seeds)
        part.add_argument("--first", type=int, default=0, help="the first seed")
        part.add_argument("--scale", type=float, default=scale)
        part.add_argument("--anew", action="store_true", help="forget what was measured before")
        part.add_argument("--prompts", type=Path, help="folder of real prompts in Parquet")
        part.add_argument("--keep", action="store_true", help="keep worlds and runs")
        part.add_argument("--work", type=Path, default=WORK)
    given = words.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
