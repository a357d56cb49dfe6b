"""Peers on one world in a process of its own: `python -m benchmarks.peers.worker WORLD OUT '{"NAME": [SETTING, ...]}'`.

Writes OUT/NAME-K.npz for the K-th setting, and at last OUT/NAME.json with the seconds of each, or with the error that a
peer stopped with. Runs in the peers' environment: numpy, scipy, pyarrow and the peers.
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
from pathlib import Path


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("world", type=Path)
    words.add_argument("out", type=Path)
    words.add_argument("jobs", type=json.loads, help="JSON: module in benchmarks/peers -> list of keyword arguments")
    words.add_argument("--reference", type=Path, help="a world in which everybody is honest")
    words.add_argument("--learn", nargs="*", default=(), help="modules that are given it")
    given = words.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for name, settings in given.jobs.items():
        more = {"reference": given.reference} if name in given.learn else {}
        try:
            said: dict[str, object] = {"seconds": asked(name, given.world, given.out, settings, more)}
        # whatever goes wrong inside somebody else's package is reported, and the next one is asked
        except Exception as why:
            said = {"error": f"{type(why).__name__}: {why}"[:300]}
        (given.out / f"{name}.json").write_text(json.dumps(said), encoding="utf-8")


def asked(name: str, world: Path, out: Path, settings: list[dict[str, object]], more: dict[str, Path]) -> list[float]:
    """Ask one peer with every setting; seconds of each."""
    look = importlib.import_module(f"benchmarks.peers.{name}").look
    seconds = []
    for number, setting in enumerate(settings):
        started = time.perf_counter()
        look(world, **setting, **more).save(out / f"{name}-{number}.npz")
        seconds.append(round(time.perf_counter() - started, 2))
    return seconds


if __name__ == "__main__":
    main()
