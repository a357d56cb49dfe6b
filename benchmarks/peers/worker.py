"""One peer on one world in a process of its own: `python -m benchmarks.peers.worker NAME WORLD OUT --settings JSON`.

Writes OUT/NAME-K.npz for the K-th setting and OUT/NAME.json with the seconds of each. Runs in the peer's environment:
numpy, scipy, pyarrow and the peer.
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
from pathlib import Path


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("name", help="module in benchmarks/peers")
    words.add_argument("world", type=Path)
    words.add_argument("out", type=Path)
    words.add_argument("--settings", default="[{}]", help="JSON list of keyword arguments")
    words.add_argument(
        "--reference", type=Path, help="a world in which everybody is honest, for peers that learn from it"
    )
    given = words.parse_args()
    look = importlib.import_module(f"benchmarks.peers.{given.name}").look
    more = {"reference": given.reference} if given.reference else {}
    given.out.mkdir(parents=True, exist_ok=True)
    seconds = []
    for number, setting in enumerate(json.loads(given.settings)):
        started = time.perf_counter()
        look(given.world, **setting, **more).save(given.out / f"{given.name}-{number}.npz")
        seconds.append(round(time.perf_counter() - started, 2))
    (given.out / f"{given.name}.json").write_text(json.dumps({"seconds": seconds}), encoding="utf-8")


if __name__ == "__main__":
    main()
