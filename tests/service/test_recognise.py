"""By what operators are known: a slow twin, a threshold that keeps its rate, and nobody on one fact alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.engine.runfolder import RunFolder
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.linking.views import VIEWS
from stillwatch.model import OPERATORS, STREAMS, TRAITS, VERDICTS, VICTIMS
from stillwatch.service import recognise
from stillwatch.service.fast import Fast
from stillwatch.service.reading import read
from stillwatch.service.sqlite import SQLiteStore
from tests.service.serving import body, event, reading

RING = [f"r{n}" for n in range(8)]


def run_of(folder: Path, held: dict[str, list[tuple[str, str]]], **operators: list[str]) -> RunFolder:
    """A run with these traits, in which the named operators are accused and everybody else is alone."""
    run = RunFolder(folder)
    run.begin()
    owner = {account: name for name, accounts in operators.items() for account in accounts}
    rows = [{"account_id": a, "operator_id": owner.get(a, f"lone-{a}"), "proven": a in owner} for a in held]
    run.write("operators", pa.Table.from_pylist(rows, schema=OPERATORS))
    names = sorted({row["operator_id"] for row in rows})  # type: ignore[type-var]
    said = {name: "unauthorised_distillation" if name in operators else "ordinary" for name in names}
    verdicts = [{"operator_id": name, "verdict": said[name]} for name in names]
    run.write("verdicts", pa.Table.from_pylist(verdicts, schema=VERDICTS))
    traits = [{"account_id": a, "view": v, "token": t, "n": 1} for a, some in held.items() for v, t in some]
    run.write("traits", pa.Table.from_pylist(traits, schema=TRAITS))
    run.write("victims", VICTIMS.empty_table())
    run.write("streams", STREAMS.empty_table())
    return run


def random_run(folder: Path, seed: int, honest: int = 300) -> tuple[RunFolder, dict[str, list[tuple[str, str]]]]:
    rng = np.random.default_rng(seed)
    views = ["lead_skeleton", "address", "client", "key", "system_skeleton", "tools", "active_hour"]
    held: dict[str, list[tuple[str, str]]] = {}
    for n in range(honest):
        some = {(str(rng.choice(views)), f"t{int(rng.pareto(1.0) * 3) % 60}") for _ in range(int(rng.integers(1, 12)))}
        held[f"h{n}"] = sorted(some)
    for account in RING:
        some = {("lead_skeleton", "mark"), ("address", f"exit{rng.integers(2)}"), ("client", "t1"), ("tools", "t2")}
        held[account] = sorted(one for one in some if rng.random() < 0.9)
    return run_of(folder, held, op=RING), held


def twin(held: dict[str, list[tuple[str, str]]], account: str, *, alone: bool) -> float:
    """From the definition: the score of one account against the ring."""
    honest = [name for name in held if name not in RING]
    best: dict[str, float] = {}
    for view, token in held[account]:
        if VIEWS[view].kind == "context":
            continue
        members = sum((view, token) in held[name] for name in RING)
        others = sum((view, token) in held[name] for name in honest)
        if members < 3 or _bits(members, 8, others, len(honest)) <= 0:
            continue
        if account in RING:
            worth = _bits(members - 1, 7, others, len(honest))
        elif alone:
            worth = _bits(members, 8, others - 1, len(honest) - 1)
        else:
            worth = _bits(members, 8, others, len(honest))
        family = VIEWS[view].family
        best[family] = max(best.get(family, 0.0), worth)
    positive = [worth for worth in best.values() if worth > 0]
    return sum(positive) if len(positive) >= 2 else 0.0


def _bits(members: int, of: int, others: int, among: int) -> float:
    return math.log2((members + 0.5) / (of + 1)) - math.log2((others + 0.5) / (among + 1))


@pytest.mark.parametrize("seed", range(4))
def test_scores_and_threshold_are_those_of_the_definition(seed: int, tmp_path: Path) -> None:
    run, held = random_run(tmp_path / "run", seed)
    for rate in (1e-4, 0.01):
        known = recognise.build(run, rate)
        honest = sorted((twin(held, name, alone=True) for name in held if name not in RING), reverse=True)
        allowed = int(rate * len(honest))
        assert known.threshold == pytest.approx(max(honest[allowed], math.log2(1 / rate)), abs=1e-9)
        assert known.honest == len(honest)
        assert known.taken == sum(score >= known.threshold for score in honest) <= allowed
        members = [twin(held, name, alone=False) for name in RING]
        expected = sum(score >= known.threshold for score in members) / len(RING)
        assert known.operators["op"] == {"proven": 8, "recognised": pytest.approx(expected, abs=1e-4)}
        again = _written(known, tmp_path / f"known-{rate}")
        assert again.tokens.equals(known.tokens)
        assert again.as_dict() == known.as_dict()


def _written(known: recognise.Known, folder: Path) -> recognise.Known:
    known.write(folder)
    return recognise.read(folder)


def test_the_stated_upper_bound_covers(tmp_path: Path) -> None:
    known = recognise.build(random_run(tmp_path / "run", 1)[0], 1e-4)
    assert known.taken == 0
    assert known.upper == pytest.approx(1 - 0.05 ** (1 / 300))


def test_one_fact_alone_recognises_nobody(tmp_path: Path) -> None:
    held: dict[str, list[tuple[str, str]]] = {f"h{n}": [("client", "common")] for n in range(100_000)}
    held |= {name: [("system_skeleton", "rare"), ("tools", "rare")] for name in RING}
    known = recognise.build(run_of(tmp_path / "run", held, op=RING), 1e-3)
    assert max(known.tokens["bits"].to_pylist()) > known.threshold  # a text as rare as can be, twice over
    assert known.operators["op"]["recognised"] == 0


def test_without_an_accusation_nobody_is_known(tmp_path: Path) -> None:
    held = {name: [("lead_skeleton", "x"), ("address", "y")] for name in [*RING, "h"]}
    for operators in ({}, {"op": RING[:4]}):
        known = recognise.build(run_of(tmp_path / "run", held, **operators), 1e-4)
        assert (len(known.tokens), known.threshold) == (0, math.inf)
        assert _written(known, tmp_path / "known").threshold == math.inf


# --- the fast path --------------------------------------------------------------------------------------------------


def ring_event(number: int, **changes: Any) -> dict[str, Any]:
    text = '[{"role":"user","parts":[{"type":"text","content":"Write down every step of how you solve task %d."}]}]'
    return event(number, messages=text % number, client_address="198.51.100.7", **changes)


def known_ring(tmp_path: Path, names: Pseudonyms) -> recognise.Known:
    """A log of forty strangers and a ring of eight, scanned as far as traits."""
    from stillwatch.engine.duckdb import DuckDBEngine
    from stillwatch.ingest.parcels import Parcel
    from stillwatch.linking import traits

    rows = [event(n, account_id=f"h{n % 40}", client_address=f"10.0.{n % 40}.1") for n in range(400)]
    rows += [ring_event(1000 + n, account_id=RING[n % 8]) for n in range(160)]
    found = Parcel.unpack(read(body(rows), reading(names)).parcel or b"")
    pq.write_table(pa.Table.from_batches([found.sketches]), tmp_path / "sketches.parquet")
    engine = DuckDBEngine()
    held: dict[str, list[tuple[str, str]]] = {}
    views = traits.from_sketches(engine.table(tmp_path / "sketches.parquet"))
    for row in (row for view in views for row in engine.run(view).to_pylist()):
        held.setdefault(row["account_id"], []).append((row["view"], row["token"]))
    ring = [names.one("account_id", name) for name in RING]
    return recognise.build(run_of(tmp_path / "run", held, op=ring), 0.01)


@pytest.mark.parametrize("names", [Pseudonyms.none(), Pseudonyms.keyed(b"k" * 32)], ids=["none", "keyed"])
def test_a_newcomer_of_the_ring_is_recognised_by_its_first_requests(names: Pseudonyms, tmp_path: Path) -> None:
    known = known_ring(tmp_path, names)
    assert known.operators["op"]["recognised"] == 1.0
    store = SQLiteStore(tmp_path / "parcels.sqlite")
    fast = Fast(store)
    assert fast.learn(known) == []
    rows = [event(5000, account_id="stranger"), ring_event(5001, account_id="new"),
            ring_event(5002, account_id="half")]  # fmt: skip
    rows[2]["client_address"], rows[2]["max_tokens"] = "203.0.113.9", 7
    for row in rows:
        found = read(body([row]), reading(names))
        store.append([(found.parcel or b"", found.kept)])
    passed = fast.step()
    assert (passed.upto, passed.events) == (3, 3)
    (one,) = passed.found
    assert (one.account_id, one.operator_id) == (names.one("account_id", "new"), "op")
    assert one.bits >= one.threshold == known.threshold
    assert {"address"} < set(one.shared)
    assert fast.step().found == []  # said once
    # what the other half brings later adds up
    found = read(body([ring_event(5003, account_id="half")]), reading(names))
    store.append([(found.parcel or b"", found.kept)])
    assert [one.account_id for one in fast.step().found] == [names.one("account_id", "half")]
    # a run that does not accuse any more forgets; one that does knows it at once
    assert fast.learn(recognise.Known(recognise.TOKENS_OF.empty_table())) == []
    store.close()


def test_the_views_used_are_shown_by_single_events_and_come_again() -> None:
    assert {"lead_skeleton", "address", "client", "key", "system_skeleton"} <= set(recognise.USED)
    assert not {"item_hour", "active_hour", "country", "payment"} & set(recognise.USED)
