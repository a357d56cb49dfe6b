"""Times of any kind -> microseconds since 1970 UTC."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest import columns
from stillwatch.model import TIME

Ints = npt.NDArray[np.int64]
NONE = np.iinfo(np.int64).min
"""Stands for: no time, or one that was not understood."""
PER_UNIT = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
EARLIEST = 1_420_070_400_000_000
"""2015-01-01: no hosted language model had users before."""
_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d*)?([eE][-+]?\d+)?\s*")


def parse(column: pa.Array | list[Any], unit: str) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """(microseconds with `NONE` for those without, which were given but not understood), both [rows].

    Takes Arrow times and dates of any unit and zone (no zone: UTC), ISO 8601 text, and numbers since 1970 in `unit`;
    with `auto` the unit follows from the magnitude: below 1e11 seconds, 1e14 milliseconds, 1e17 microseconds.
    """
    if not isinstance(column, pa.Array):
        column = _arrow(column)
        if not isinstance(column, pa.Array):
            return _each(column, unit)
    given = np.asarray(column.is_valid())
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        out = _vector(
            column, lambda c: c.cast(pa.timestamp("us", tz=kind.tz if hasattr(kind, "tz") else None), safe=False)
        )
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        out = _numbers(column, unit)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        column = columns.valid_text(column)
        given &= np.asarray(pc.fill_null(pc.not_equal(column, ""), False))
        out = _iso(column)
    else:
        out = None
    if out is None:
        return _each(columns.pylist(column), unit)
    return out, given & (out == NONE)


def _arrow(values: list[Any]) -> pa.Array | list[Any]:
    if any(isinstance(v, bool) for v in values):
        return values  # Arrow would take true for 1 among numbers
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return values


def _vector(column: pa.Array, cast: Callable[[pa.Array], pa.Array]) -> Ints | None:
    try:
        return np.asarray(cast(column).cast(pa.int64()).fill_null(NONE), dtype=np.int64)
    except pa.ArrowException:
        return None


def _iso(column: pa.Array) -> Ints | None:
    """All with a zone, or all without; None where they are mixed or otherwise odd."""
    return (
        _vector(column, lambda c: c.cast(TIME))
        if _zoned(column)
        else _vector(column, lambda c: c.cast(pa.timestamp("us")))
    )


def _zoned(column: pa.Array) -> bool:
    first = next((v for v in column[:64].to_pylist() if v), "")
    return bool(re.search(r"(Z|[+-]\d\d(:?\d\d)?)$", first[10:]))


def _numbers(column: pa.Array, unit: str) -> Ints:
    if pa.types.is_integer(column.type) and unit in {"us", "ms"}:  # exact
        whole = np.asarray(column.cast(pa.int64(), safe=False).fill_null(NONE), dtype=np.int64)
        factor = int(PER_UNIT[unit])
        fits = (whole != NONE) & (np.abs(whole // 2) < 2**61 // factor)
        return np.where(fits, np.where(fits, whole, 0) * factor, NONE)
    values = np.asarray(column.cast(pa.float64(), safe=False).fill_null(np.nan), dtype=np.float64)
    return micros(values, unit)


def micros(values: npt.NDArray[np.float64], unit: str) -> Ints:
    """Numbers since 1970 as microseconds; `NONE` for those that are not finite or too large."""
    size = np.abs(values)
    if unit == "auto":
        factor = np.select([size < 1e11, size < 1e14, size < 1e17], [1e6, 1e3, 1.0], 1e-3)
    else:
        factor = np.full(values.shape, PER_UNIT[unit])
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = np.round(values * factor)
    good = np.isfinite(scaled) & (np.abs(scaled) < 9e18)
    return np.where(good, np.where(good, scaled, 0).astype(np.int64), NONE)


def _each(values: list[Any], unit: str) -> tuple[Ints, npt.NDArray[np.bool_]]:
    out = np.array([_one(v, unit) for v in values], dtype=np.int64)
    given = np.array([v is not None and v != "" for v in values], dtype=bool)
    return out, given & (out == NONE)


def _one(value: Any, unit: str) -> int:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            return _datetime(value.strip())
        value = float(value)
    if isinstance(value, datetime):
        value = value if value.tzinfo else value.replace(tzinfo=UTC)
        return round(value.timestamp() * 1e6)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NONE
    try:
        return int(micros(np.array([float(value)]), unit)[0])
    except OverflowError:
        return NONE


def _datetime(text: str) -> int:
    text = text.removesuffix(" UTC")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return NONE
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except OverflowError:
        return NONE
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
