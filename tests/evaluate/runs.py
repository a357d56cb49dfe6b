"""Hand-made run folders and truths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.engine.runfolder import RunFolder
from stillwatch.model import LINKS, OPERATORS, SKETCHES, VERDICTS


def write_run(
    root: Path,
    operator_of: Mapping[str, str],
    verdict_of: Mapping[str, str],
    *,
    links: Sequence[tuple[str, str, str]] = (),
    events: Mapping[str, int] | None = None,
    mode: str = "none",
) -> Path:
    """A finished run: account -> operator, operator -> verdict (ordinary if left out), events an account."""
    run = RunFolder(root)
    run.begin()
    rows = [{"account_id": a, "operator_id": o, "membership_bits": 1.0, "proven": True} for a, o in operator_of.items()]
    run.write("operators", pa.Table.from_pylist(rows, schema=OPERATORS))
    operators = sorted(set(operator_of.values()))
    run.write(
        "verdicts",
        pa.Table.from_pylist(
            [{"operator_id": o, "verdict": verdict_of.get(o, "ordinary")} for o in operators], schema=VERDICTS
        ),
    )
    run.write(
        "links",
        pa.Table.from_pylist([{"account_a": a, "account_b": b, "kind": kind} for a, b, kind in links], schema=LINKS),
    )
    if events is not None:
        run.write("sketches", _sketches(events))
    run.write_manifest({"pseudonyms": {"mode": mode}})
    return root


def _sketches(events: Mapping[str, int]) -> pa.Table:
    rows = [
        {"event_id": f"{a}-{n}", "source_id": 0, "source_row": n, "time": 0, "account_id": a, "model": "m"}
        for a, count in events.items()
        for n in range(count)
    ]
    return pa.Table.from_pylist(rows, schema=SKETCHES)


def write_truth(
    root: Path,
    accounts: Sequence[tuple[str, str, str, str | None]],
    events: Sequence[tuple[str, str, str, str, str | None]] = (),
) -> Path:
    """A world folder: truth rows (account, operator, label, campaign), and the same with the event before it."""
    folder = root / "truth"
    folder.mkdir(parents=True)
    names = ["account_id", "operator_id", "label", "campaign"]
    _write(folder / "accounts.parquet", names, accounts)
    if events:
        _write(folder / "events.parquet", ["event_id", *names], events)
    return root


def _write(path: Path, names: list[str], rows: Sequence[tuple[str | None, ...]]) -> None:
    table = pa.table({n: pa.array([r[i] for r in rows], pa.string()) for i, n in enumerate(names)})
    pq.write_table(table, path)
