"""A log small enough to know by heart: ordinary customers, a ring of accounts, an organisation that declares itself."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.model import ACCOUNTS, EVENTS

START = datetime(2026, 9, 1, tzinfo=UTC)
DAYS = 14
TASK = "Write the solution and every intermediate step of your complete reasoning before the final answer: "


@dataclass
class SmallLog:
    """Rows and who they belong to."""

    seed: int = 1
    events: list[dict[str, Any]] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    ring: set[str] = field(default_factory=set)
    organisation: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        letters = "abcdefghijklmnopqrstuvwxyz"
        self.words = ["".join(self.rng.choices(letters, k=self.rng.randint(2, 9))) for _ in range(3000)]

    def account(self, **declared: Any) -> str:
        name = f"{self.rng.getrandbits(64):016x}"
        self.accounts.append({"account_id": name, "quota_per_day": 200, **declared})
        return name

    def ask(self, account: str, text: str, **columns: Any) -> None:
        self.events.append(
            {
                "event_id": f"{self.rng.getrandbits(64):016x}", "account_id": account, "model": "m-1",
                "time": START + timedelta(days=self.rng.random() * DAYS),
                "messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}]),
                "input_tokens": 60, "output_tokens": self.rng.randint(20, 900), "cached_tokens": 0, "max_tokens": 1000,
                "user_agent": self.rng.choice(["sdk/1", "sdk/2"]), **columns,
            }
        )  # fmt: skip

    def phrase(self, least: int, most: int) -> str:
        return " ".join(self.rng.choices(self.words, k=self.rng.randint(least, most)))

    def ordinary(self, count: int) -> None:
        for k in range(count):
            account = self.account(
                org_id=f"o{k}", payment_id=f"p{k}", email_domain=self.rng.choice(["a.example", "b.example"]),
                country=self.rng.choice(["DE", "US"]), created_at=START - timedelta(days=self.rng.random() * 200),
            )  # fmt: skip
            for _ in range(1 + int(self.rng.lognormvariate(2.5, 1.2))):
                self.ask(account, self.phrase(5, 60), client_address=f"10.{k % 250}.{k // 250}.5")

    def a_ring(self, count: int) -> None:
        for k in range(count):
            account = self.account(
                org_id=f"q{k}", payment_id=f"v{k // 5}", email_domain=self.rng.choice(["a.example", "b.example"]),
                country=self.rng.choice(["DE", "US"]), created_at=START - timedelta(days=5 + self.rng.random()),
            )  # fmt: skip
            self.ring.add(account)
            for _ in range(200):
                self.ask(account, TASK + self.phrase(20, 40), client_address=f"172.16.{k // 6}.7")

    def an_organisation(self, count: int) -> None:
        for k in range(count):
            account = self.account(
                org_id="firm", payment_id="firm", email_domain="firm.example", country="DE", verified=True,
                path="enterprise", created_at=START - timedelta(days=300 + k),
            )  # fmt: skip
            self.organisation.add(account)
            for _ in range(150):
                self.ask(account, "Classify this ticket: " + self.phrase(20, 40), client_address="192.0.2.9")

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(self.events, schema=EVENTS), folder / "events.parquet")
        pq.write_table(pa.Table.from_pylist(self.accounts, schema=ACCOUNTS), folder / "accounts.parquet")
        return folder


def small_log(seed: int = 1) -> SmallLog:
    log = SmallLog(seed)
    log.ordinary(400)
    log.a_ring(30)
    log.an_organisation(12)
    return log
