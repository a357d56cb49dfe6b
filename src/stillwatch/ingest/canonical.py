"""Raw columns of any format -> a batch of `model.EVENTS`: cast, times parsed, required values checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest import columns, times
from stillwatch.ingest.columns import Cast, Raw
from stillwatch.model import EVENTS, TIME

Ints = npt.NDArray[np.int64]
IDS = ("event_id", "account_id", "model")
_CONTENT = {"system", "messages", "response", "tools"}
_SIGNED = {"seed"}
_COUNT = partial(columns.integers, least=0)


@dataclass
class Canonical:
    """Events, the row of each in its file, and what did not fit."""

    events: pa.RecordBatch
    rows: Ints
    rejects: list[tuple[int, str]]
    repaired: Counter[str] = field(default_factory=Counter)
    """Values of a wrong type made null, by column."""


def canonical(raw: Mapping[str, Raw], rows: Ints, *, unit: str, now: int, future_hours: float) -> Canonical:
    """Cast raw columns (missing ones are null) of `rows`; `now` in microseconds. Every row comes out or is rejected.

    The first failing check names the reason: event_id, time, account_id, model.
    """
    size = len(rows)
    repaired: Counter[str] = Counter()
    out: dict[str, pa.Array] = {}
    wrong: dict[str, npt.NDArray[np.bool_]] = {}
    for column in EVENTS:
        if column.name == "time":
            continue
        source = raw.get(column.name)
        if source is None:
            out[column.name] = pa.nulls(size, column.type)
            continue
        cast, bad = _cast(column, source)
        if bad and column.nullable:
            repaired[column.name] += bad
        elif bad:
            wrong[column.name] = _given(source)
        out[column.name] = cast
    reasons, stamps = _check(out, wrong, raw.get("time"), size, unit, now, future_hours)
    out["time"] = pa.array(stamps, mask=reasons != "").cast(TIME)
    batch = pa.RecordBatch.from_arrays([out[name] for name in EVENTS.names], schema=_nullable())
    keep = reasons == ""
    rejects = [(int(row), str(reason)) for row, reason in zip(rows[~keep], reasons[~keep], strict=True)]
    if rejects:
        batch = batch.filter(pa.array(keep))
    return Canonical(batch.cast(EVENTS), rows[keep], rejects, repaired)


def _nullable() -> pa.Schema:
    return pa.schema([column.with_nullable(True) for column in EVENTS])


def _cast(column: pa.Field, source: Raw) -> Cast:
    if column.name in _CONTENT:
        return columns.texts(source)
    if pa.types.is_string(column.type):
        return columns.words(source)
    if pa.types.is_floating(column.type):
        return columns.floats(source, least=0.0 if column.name == "duration_ms" else -np.inf)
    return columns.integers(source) if column.name in _SIGNED else _COUNT(source)


def _given(source: Raw) -> npt.NDArray[np.bool_]:
    values = columns.pylist(source) if isinstance(source, pa.Array) else source
    return np.array([v is not None and v != "" for v in values], dtype=bool)


def _check(
    out: Mapping[str, pa.Array],
    wrong: Mapping[str, Any],
    time: Raw | None,
    size: int,
    unit: str,
    now: int,
    hours: float,
) -> tuple[npt.NDArray[np.object_], Ints]:
    """(reason of each row, "" if none; microseconds of each row), both [rows]."""
    if time is None:
        stamps, odd = np.full(size, times.NONE), np.zeros(size, dtype=bool)
    else:
        stamps, odd = times.parse(time, unit)
    reasons = np.full(size, "", dtype=object)

    def reject(mask: npt.NDArray[np.bool_], reason: str) -> None:
        reasons[mask & (reasons == "")] = reason

    def null(name: str) -> None:
        empty = np.asarray(pc.is_null(out[name]))
        if not empty.any():
            return
        if name in wrong:
            reject(empty & wrong[name], f"wrong type in {name}")
        reject(empty, f"no {name}")

    null("event_id")
    reject(odd, "time not understood")
    reject(stamps == times.NONE, "no time")
    reject(stamps > now + hours * 3.6e9, "time in the future")
    reject(stamps < times.EARLIEST, "time out of range")
    null("account_id")
    null("model")
    return reasons, stamps
