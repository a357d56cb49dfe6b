"""honeypotllm (PyPI): suspicion of one API key from its rate, pauses, volume and the likeness of consecutive prompts.

The package's own scorer, fed with the log in order of time. It reads the clock of the machine, so the clock it sees is
set to each event's; a key is known from its first event on, since an unset last request lies in the machine's present
and would count as negative idle time, which raises the score. Its state is kept for 10,000 keys; logs here are smaller.

The score of an account is the highest its key ever had (the package marks answers from .75 on). It is capped at 1, so
among accounts that reached 1 the share of requests at .75 or more is added: a threshold above 1 asks for that share.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
from benchmarks.peers.answer import Answer, scored
from benchmarks.peers.world import read

MARKED = 0.75


def look(world: Path, *, slower: float = 1.0, similarity: float = 0.4, gap: float = 0.5) -> Answer:
    """slower: factor on the package's limits of requests a minute, hour and day; the other two as it calls them."""
    from honeypotllm import scoring
    from honeypotllm.config import ScoringConfig

    log = read(world)
    clock = SimpleNamespace(now=0.0)
    scoring.time = SimpleNamespace(time=lambda: clock.now)
    config = ScoringConfig(
        requests_per_minute_threshold=max(1, round(30 * slower)),
        requests_per_hour_threshold=max(1, round(500 * slower)),
        requests_per_day_threshold=max(1, round(5000 * slower)),
        sequential_input_similarity_threshold=similarity,
        min_gap_seconds=gap,
    )
    scorer = scoring.SuspicionScorer(config, suspicion_threshold=MARKED)
    n = len(log.accounts)
    peak, marked = np.zeros(n), np.zeros(n)
    keys = [scorer.hash_key(name) for name in log.accounts]
    for place, moment, prompt in zip(log.account.tolist(), log.time.tolist(), log.prompt, strict=True):
        clock.now = moment
        key = keys[place]
        if key not in scorer._states:
            scorer._states[key] = scoring.ScoringState(key_hash=key, last_seen=moment)
        found = scorer.score_request(key, prompt=prompt)
        peak[place] = max(peak[place], found.score_after)
        marked[place] += found.should_honeypot
    share = marked / np.maximum(np.bincount(log.account, minlength=n), 1)
    return scored(log.accounts, np.where(peak >= 1.0, 1.0 + share, peak))
