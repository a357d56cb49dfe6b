"""coordination-network-toolkit (PyPI, QUT): accounts that post the same within a time window, counted.

Its own preprocessing and network computation on an SQLite file. A message is a prompt; which text is put there, and
whether its co-tweet or its co-link network is computed, is the setting. A link weighs as many messages as the toolkit
counts (the mean of its two directions).
"""

from __future__ import annotations

import contextlib
import io
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from benchmarks.peers.answer import Answer, linked
from benchmarks.peers.world import Log, objects, read


def look(world: Path, *, network: str = "co_tweet", shared: str = "prompt", window: int = 60) -> Answer:
    """network: co_tweet or co_link. shared: a view of events. window: seconds."""
    from coordination_network_toolkit.compute_networks import compute_co_link_network, compute_co_tweet_network
    from coordination_network_toolkit.preprocess import preprocess_data

    log = read(world)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        database = str(Path(folder) / "posts.db")
        preprocess_data(database, _messages(log, network, shared))
        compute = compute_co_tweet_network if network == "co_tweet" else compute_co_link_network
        compute(database, window, n_threads=1, min_edge_weight=1)
        with contextlib.closing(sqlite3.connect(database)) as found:
            rows = found.execute(f"select user_1, user_2, weight from {network}_network").fetchall()
    return _answer(log, rows)


def _messages(log: Log, network: str, shared: str) -> Iterator[tuple[object, ...]]:
    """Rows as the toolkit wants them; what is empty is left out."""
    values = objects(log, shared)
    rows = zip(log.event, log.account.tolist(), log.time.tolist(), values, strict=True)
    for event, account, moment, value in rows:
        if value:
            text, urls = (value, []) if network == "co_tweet" else ("", [value])
            yield event, account, "", "", "", text, moment, urls


def _answer(log: Log, rows: list[tuple[int, int, int]]) -> Answer:
    table = np.array(rows or np.empty((0, 3)), np.float64).reshape(-1, 3)
    table = table[table[:, 0] != table[:, 1]]
    low, high = np.minimum(table[:, 0], table[:, 1]), np.maximum(table[:, 0], table[:, 1])
    pairs, place = np.unique(np.stack([low, high]), axis=1, return_inverse=True)
    weight = np.bincount(place.ravel(), table[:, 2], minlength=pairs.shape[1]) / 2
    return linked(log.accounts, pairs[0], pairs[1], weight)
