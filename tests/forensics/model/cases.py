"""A case as a provider would have it: committed keys, logged twins, a plan; suspects of known lineage."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.forensics.model.commitments import Commitments
from stillwatch.forensics.model.keys import KeyStore
from stillwatch.forensics.model.plan import fingerprint, load_plan
from stillwatch.forensics.model.trace import Request, Traced, trace
from stillwatch.forensics.model.twins import TwinLog, log_head
from stillwatch.forensics.model.watermark import Marker, Scheme
from tests.forensics.model.ngrams import Trigrams, human, words

START = datetime(2026, 3, 1, tzinfo=UTC)
SERVED, TWINS = START + timedelta(days=1), 300
SCHEME = Scheme("green", 1, 0.25, 3.0)
PLAN = """
name = "case-17"
suspects = ["acme", "other"]
statistics = ["twins", "twins_text", "text", "text_weighted"]
controls = ["control@1"]
twin_log = "twins.jsonl"
max_tokens = 40
[keys]
"op@1" = 2026-03-02T00:00:00Z
"everyone@1" = 2026-03-02T00:00:00Z
[watermark]
window = 1
delta = 3.0
"""


@dataclass
class Provider:
    """Its folder, and what it served to the operator."""

    folder: Path
    served: list[np.ndarray]

    def commit_plan(self, text: str = PLAN) -> None:
        path = self.folder / "plan.toml"
        path.write_text(text)
        plan = load_plan(path)
        Commitments(self.folder / "commitments.jsonl").append("plan", plan.name, fingerprint(plan))

    def trace(self, *sources: Path | str, suspect: str = "acme") -> Traced:
        f = self.folder
        names = [str(source) for source in sources]
        return trace(
            Request(f / "plan.toml", f / "keys", f / "commitments.jsonl", names, suspect, f / "out", command="test")
        )


@cache
def teacher() -> Trigrams:
    return Trigrams([human()[: len(human()) // 2]])


def provider(folder: Path) -> Provider:
    """Keys, a sealed log of twins under `op@1` (and few under `everyone@1`), a committed plan."""
    store, chain = KeyStore(folder / "keys"), Commitments(folder / "commitments.jsonl")
    # secrets of their own would make one run in a hundred find a lead: the tests are exact
    with patch.object(secrets, "token_bytes", np.random.default_rng(17).bytes):
        keys = [
            store.new(name, role)  # type: ignore[arg-type]
            for name, role in (("op", "operator"), ("everyone", "everyone_else"), ("control", "control"))
        ]
    for key in keys:
        chain.append("key", key.id, key.commitment, now=START)
    served = []
    with TwinLog(folder / "twins.jsonl") as log:
        for key in keys[:2]:
            texts = [teacher().answers(TWINS, seed, Marker(key, SCHEME)) for seed in (1, 2)]
            for n, (first, second) in enumerate(zip(*texts, strict=True)):
                second = np.concatenate([first[:2], second[2:]])  # noqa: PLW2901 - one prompt for both
                both = (first, second)
                coin = log.add(f"{key.name}-{n}", key, words(first[:2]), [" " + words(t[2:]) for t in both], now=SERVED)
                if key.name == "op":
                    served.append(both[coin])
    chain.append("log", "twins.jsonl", log_head(folder / "twins.jsonl")[1])
    made = Provider(folder, served)
    made.commit_plan()
    return made


def harvester(case: Provider) -> Trigrams:
    """A student of everything that the operator was served."""
    return Trigrams(case.served)


def innocent() -> Trigrams:
    """A model of human text that the teacher did not see."""
    return Trigrams([human()[len(human()) // 2 :]])


def twins_table(case: Provider, model: Trigrams) -> pa.Table:
    """What a blind expert fills in."""
    from stillwatch.forensics.model.twins import read_log

    rows = list(read_log(case.folder / "twins.jsonl"))
    texts = [[np.array((row.prompt + a).split(), dtype=np.int64) for a in row.answers] for row in rows]
    return pa.table(
        {
            "request_id": [row.request_id for row in rows],
            **{f"logprob_{side}": [model.logprob(pair[side]) for pair in texts] for side in (0, 1)},
        }
    )


def tokens_table(model: Trigrams, count: int = 300) -> pa.Table:
    texts = model.answers(count, seed=9)
    return pa.table({"prompt_tokens": [t[:2].tolist() for t in texts], "tokens": [t[2:].tolist() for t in texts]})


def written(table: pa.Table, path: Path) -> Path:
    pq.write_table(table, path)
    return path
