"""A log with answers, a second answer to some requests, and a corpus that was made from some of it."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.forensics.data.test_fingerprint import phrase

START = datetime(2026, 3, 1, tzinfo=UTC)
REFUSAL = "I am sorry, but I cannot help with that; is there something else that I can do for you today, my friend?"


def message(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


@dataclass
class AnswerLog:
    """`harvested` are the answers of accounts 0 to 2 of ten; every second request has an answer that was put away."""

    seed: int = 0
    requests: int = 300
    events: list[dict[str, Any]] = field(default_factory=list)
    unserved: list[dict[str, Any]] = field(default_factory=list)
    harvested: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        words = phrase(self.rng, 2_000).split()
        self.say = lambda n: " ".join(self.rng.choices(words, k=n))
        for k in range(self.requests):
            answer = REFUSAL if k % 25 == 0 else self.say(self.rng.randint(40, 120))
            self.events.append({
                "event_id": f"e{k}", "time": START + timedelta(hours=k), "account_id": f"acct-{k % 10}", "model": "m",
                "messages": message("user", self.say(12)), "response": message("assistant", answer),
            })  # fmt: skip
            if k % 2:
                self.unserved.append({"event_id": f"e{k}", "response": self.say(self.rng.randint(40, 120))})
            if k % 10 < 3:
                self.harvested.append(answer)

    def write(self, folder: Path) -> None:
        """log.parquet, unserved.parquet, corpus.jsonl, control.jsonl and innocent.jsonl."""
        pq.write_table(pa.Table.from_pylist(self.events), folder / "log.parquet")
        pq.write_table(pa.Table.from_pylist(self.unserved), folder / "unserved.parquet")
        other = [self.say(80) for _ in range(200)]
        lines(folder / "corpus.jsonl", "output", [*self.harvested, *other])
        lines(folder / "control.jsonl", "text", [self.say(80) for _ in range(300)] + [REFUSAL])
        lines(folder / "innocent.jsonl", "text", [self.say(80) for _ in range(200)])


def lines(path: Path, name: str, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({name: text}) + "\n" for text in texts), encoding="utf-8")
    return path
