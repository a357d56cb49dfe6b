"""honeypotllm's own scorer over a world, in its own environment: `python -m benchmarks.live_scorer WORLD`.

Prints one line of JSON: events, the CPU seconds that scoring them took (the log is read before), and every account's
score as `benchmarks/peers/honeypot.py` makes it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.peers import honeypot, world


def main() -> None:
    """Score and print."""
    folder = Path(sys.argv[1])
    log = world.read(folder)
    before = time.process_time()
    answer = honeypot.look(folder)
    cpu = time.process_time() - before
    scores = dict(zip(answer.accounts, answer.score.tolist(), strict=True))
    print(json.dumps({"events": len(log.event), "cpu_seconds": cpu, "scores": scores}))


if __name__ == "__main__":
    main()
