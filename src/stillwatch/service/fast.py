"""The fast path: between looks, accounts are recognised by what they share with operators that are accused already.

A process of its own reads what is durable in the store a moment after it came, takes the tokens of each event by the
same expressions as the walk does, and holds them against what accused operators are known by (`recognise`). Whom it
recognises is to be looked at more closely, never blocked: a look decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import duckdb
import ibis
import pyarrow as pa

from stillwatch.errors import StillwatchError
from stillwatch.ingest import parcels
from stillwatch.ingest.parcels import Parcel, ParcelError
from stillwatch.linking.traits import TOKENS
from stillwatch.model import SKETCHES
from stillwatch.service import memory, recognise
from stillwatch.service.children import end_with_parent
from stillwatch.service.recognise import LEAST_FAMILIES, USED, Known
from stillwatch.service.store import Store
from stillwatch.service.stores import open_store

BYTES = 8 << 20
MOST_ACCOUNTS = 1_000_000
"""Accounts remembered; the oldest are forgotten beyond that."""


@dataclass(frozen=True)
class Recognised:
    """An account that shares enough with an accused operator."""

    account_id: str
    operator_id: str
    bits: float
    threshold: float
    shared: tuple[str, ...]
    """Views, the weightiest first."""


@dataclass
class Passed:
    """What a pass over new parcels brought."""

    upto: int
    events: int = 0
    found: list[Recognised] = field(default_factory=list)


class Fast:
    """Remembers what each account has shown since the start, of what operators are known by."""

    def __init__(self, store: Store) -> None:
        self.store, self.at = store, 0
        self.known = Known(recognise.TOKENS_OF.empty_table())
        self.best: dict[str, dict[str, dict[str, tuple[float, str]]]] = {}
        """Account -> operator -> family -> (bits, view)."""
        self.told: set[tuple[str, str]] = set()
        self.engine = duckdb.connect(config={"threads": 1, "memory_limit": "512MB"})
        self.query = _query()

    def learn(self, known: Known) -> list[Recognised]:
        """Operators as a new run knows them; who is recognised now among the accounts that are remembered.

        What accounts have shown of tokens that were nobody's then is not remembered: the look has seen it.
        """
        self.known = known
        self.engine.register("known", known.tokens)
        worth = {(row["operator_id"], row["family"]) for row in known.tokens.select([0, 3]).to_pylist()}
        for operators in self.best.values():
            for operator in list(operators):
                families = operators[operator]
                operators[operator] = {name: had for name, had in families.items() if (operator, name) in worth}
        self.told.clear()
        return self._over(self.best)

    def step(self) -> Passed:
        """Take what is new in the store."""
        new = self.store.read(self.at, BYTES)
        if not new:
            return Passed(self.at)
        self.at = new[-1].number
        if not len(self.known.tokens):
            return Passed(self.at)
        try:
            whole = parcels.together([Parcel.unpack(one.data) for one in new])
        except ParcelError:  # the look will say so
            return Passed(self.at)
        return Passed(self.at, whole.sketches.num_rows, self.see(whole.sketches))

    def see(self, sketches: pa.RecordBatch) -> list[Recognised]:
        """Events, as model.SKETCHES: who is recognised by them that was not before."""
        self.engine.register("sketches", pa.Table.from_batches([sketches]))
        rows = self.engine.sql(self.query).fetchall()
        touched = set()
        for account, operator, family, view, bits in rows:
            families = self.best.setdefault(account, {}).setdefault(operator, {})
            if bits > families.get(family, (0.0, ""))[0]:
                families[family] = (bits, view)
            touched.add(account)
        while len(self.best) > MOST_ACCOUNTS:
            self.best.pop(next(iter(self.best)))
        return self._over(touched)

    def _over(self, accounts: Iterable[str]) -> list[Recognised]:
        found = []
        for account in sorted(accounts):
            for operator, families in self.best.get(account, {}).items():
                score = sum(bits for bits, _ in families.values())
                new = (account, operator) not in self.told
                if new and len(families) >= LEAST_FAMILIES and score >= self.known.threshold:
                    views = sorted(families.values(), reverse=True)
                    self.told.add((account, operator))
                    found.append(
                        Recognised(account, operator, score, self.known.threshold, tuple(view for _, view in views))
                    )
        return found


def _query() -> str:
    """SQL: account, operator, family, view and bits of the tokens in `sketches` that are in `known`."""
    from stillwatch.linking.views import VIEWS

    named = pa.schema([field for field in SKETCHES if field.name != "vector"])  # Ibis has no bytes of a fixed length
    sketches = ibis.table(ibis.Schema.from_pyarrow(named), name="sketches")
    known = ibis.table(ibis.Schema.from_pyarrow(recognise.TOKENS_OF), name="known")
    parts = [
        sketches.select(
            account_id=sketches.account_id,
            view=ibis.literal(name),
            token=TOKENS[name].spelled(TOKENS[name].parts(sketches)),
        )
        for name in USED
        if name in VIEWS
    ]
    shown = ibis.union(*parts, distinct=True)
    both = shown.join(known, ["view", "token"])
    best = both.group_by(["account_id", "operator_id", "family"]).agg(
        view=both["view"].argmax(both["bits"]), bits=both["bits"].max()
    )
    return str(ibis.to_sql(best.select("account_id", "operator_id", "family", "view", "bits"), dialect="duckdb"))


def loop(where: str, seconds: float, told: Connection) -> None:
    """What the process does: a pass every `seconds`; `told` brings folders of what is known and takes `Passed`."""
    end_with_parent("fast")
    memory.begin()
    fast: Fast | None = None
    while True:
        folder: Path | None = told.recv() if told.poll(seconds) else None
        try:
            fast = fast or Fast(open_store(where))
            passed = fast.step()
            if folder is not None:
                passed.found += fast.learn(recognise.read(folder))
                passed.found = [one for one in passed.found if one.operator_id in fast.known.operators]
        except (StillwatchError, OSError, duckdb.Error):
            continue  # tried again a moment later; what it cannot see, a look will
        if passed.events or passed.found or folder is not None:
            told.send(passed)
