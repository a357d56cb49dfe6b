"""One raw column -> one column of the canonical type. A value of the wrong type becomes null and is counted.

Every function takes an Arrow array or a list of Python values and returns (Arrow array, number of values made null).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest.streams import BAD_BYTES

Raw: TypeAlias = "pa.Array | list[Any]"
Cast: TypeAlias = tuple[pa.Array, int]


def words(column: Raw) -> Cast:
    """Short strings; whole numbers are written out, empty strings are null."""
    if isinstance(column, pa.Array):
        kind = column.type
        if pa.types.is_integer(kind):
            column = column.cast(pa.string())
        elif _is_text(kind):
            column = valid_text(column)
        else:
            column = pylist(column)
    return _blank(*_strings(column, _word))


def texts(column: Raw) -> Cast:
    """Content: strings as they are, lists and objects as JSON."""
    if isinstance(column, pa.Array):
        column = valid_text(column) if _is_text(column.type) else pylist(column)
    return _blank(*_strings(column, _text))


def floats(column: Raw, *, least: float = -math.inf) -> Cast:
    """Finite numbers >= `least`."""
    given, values = _numbers(column)
    with np.errstate(invalid="ignore"):
        good = np.isfinite(values) & (values >= least)
    return pa.array(np.where(good, values, 0.0), mask=~good), int((given & ~good).sum())


def integers(column: Raw, *, least: int = -(2**63)) -> Cast:
    """Whole numbers from `least` that fit 64 bits; 3.0 is one, 3.5 is not."""
    if isinstance(column, pa.Array) and pa.types.is_integer(column.type) and not pa.types.is_uint64(column.type):
        whole = column.cast(pa.int64())
    else:
        values = pylist(column) if isinstance(column, pa.Array) else column
        try:
            if any(isinstance(v, bool | float) for v in values):
                raise pa.ArrowInvalid("Arrow would take true for 1 and 3.5 for 3")
            whole = pa.array(values, type=pa.int64())
        except (pa.ArrowException, OverflowError, TypeError, ValueError):
            whole = pa.array([_integer(v) for v in values], type=pa.int64())
        bad = sum(_given(a) and b is None for a, b in zip(values, whole.to_pylist(), strict=True))
        return _at_least(whole, least, bad)
    return _at_least(whole, least, 0)


def _given(value: Any) -> bool:
    """NaN is how data frames write "none"."""
    return value is not None and value != "" and not (isinstance(value, float) and math.isnan(value))


def _at_least(whole: pa.Array, least: int, bad: int) -> Cast:
    low = pc.fill_null(pc.less(whole, least), False)
    count = pc.sum(low).as_py() or 0
    return (pc.if_else(low, None, whole) if count else whole), bad + count


def _integer(value: Any) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = value if isinstance(value, int) else float(value)
        whole = int(value) if isinstance(value, str) and value.strip().lstrip("+-").isdecimal() else int(number)
    except (TypeError, ValueError, OverflowError):
        return None
    return whole if whole == number and -(2**63) <= whole < 2**63 else None


def _numbers(column: Raw) -> tuple[Any, Any]:
    """(which are given [rows], float64 with NaN for those without a number [rows])."""
    if isinstance(column, pa.Array):
        kind = column.type
        if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
            values = np.asarray(column.cast(pa.float64(), safe=False).fill_null(np.nan))
            # NaN is how data frames write "none"
            return np.asarray(column.is_valid()) & ~np.isnan(values), values
        column = pylist(column)
    given = np.array([v is not None and v != "" for v in column], dtype=bool)
    return given, np.array([_float(v) for v in column], dtype=np.float64)


def _float(value: Any) -> float:
    if isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


BAD = object()
"""Stands for a value that cannot be had; it fits no column."""


def pylist(column: pa.Array) -> list[Any]:
    """Python values; `BAD` where nested text is not UTF-8."""
    if _is_text(column.type):
        column = valid_text(column)
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        return [_py(value) for value in column]


def _py(value: pa.Scalar) -> Any:
    try:
        return value.as_py()
    except UnicodeDecodeError:
        return BAD


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind) or pa.types.is_null(kind) or kind in (pa.string_view(), pa.binary_view())
    )  # fmt: skip


def valid_text(column: pa.Array) -> pa.Array:
    """Text or bytes as valid text: Parquet readers take a string column's bytes on trust."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        text = column.cast(pa.string())
        text.validate(full=True)
    except pa.ArrowException:
        raw = column.cast(pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary())
        text = pa.array([v if v is None else v.decode("utf-8", BAD_BYTES) for v in raw.to_pylist()], pa.string())
    return text


def _blank(column: pa.Array, bad: int) -> Cast:
    empty = pc.fill_null(pc.equal(column, ""), False)
    return (pc.if_else(empty, None, column) if pc.any(empty).as_py() else column), bad


def _strings(column: Raw, convert: Callable[[Any], str | None]) -> Cast:
    if isinstance(column, pa.Array):
        return column, 0
    try:
        return pa.array(column, type=pa.string()), 0
    except (pa.ArrowException, UnicodeError, TypeError, ValueError):
        out = [convert(v) for v in column]
        bad = sum(a is not None and b is None for a, b in zip(column, out, strict=True))
        return pa.array(out, type=pa.string()), bad


def _word(value: Any) -> str | None:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", BAD_BYTES)
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():  # an integer column with nulls, as data frames keep it
        value = int(value)
    return str(value) if isinstance(value, int) else None


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", BAD_BYTES)
    if isinstance(value, dict | list | tuple):
        try:
            return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
        except (TypeError, ValueError):  # nested too deep, or no text
            return None
    return None


def _clean(text: str) -> str:
    """Lone surrogates cannot be written as UTF-8."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", BAD_BYTES)
