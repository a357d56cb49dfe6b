"""Casting against its obvious twin, value by value."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.ingest import columns, times

MOMENT = datetime(2026, 11, 2, 10, 20, 30, 123456, UTC)
MICROS = 1_793_614_830_123_456


def test_the_moment_of_these_tests() -> None:
    assert int((MOMENT - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) == MICROS


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-02T10:20:30.123456Z", "2026-11-02 10:20:30.123456", "2026-11-02T12:20:30.123456+02:00",
        "2026-11-02 10:20:30.123456+00", "2026-11-02T10:20:30.123456789Z", "2026-11-02 10:20:30.123456 UTC",
        MICROS, MICROS * 1000, str(MICROS), MICROS / 1e6, f"{MICROS / 1e6:.6f}", MOMENT,
    ],
)  # fmt: skip
def test_ways_to_write_a_time(value: Any) -> None:
    found, odd = times.parse([value], "auto")
    assert abs(int(found[0]) - MICROS) <= 1
    assert not odd[0]
    mixed, _ = times.parse([value, None, "no time"], "auto")  # falls back to one value at a time
    assert abs(int(mixed[0]) - MICROS) <= 1
    assert mixed[1] == mixed[2] == times.NONE


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_arrow_times(unit: str, zone: str | None) -> None:
    whole = MICROS // 1_000_000 * 1_000_000
    scale = {"s": 1e-6, "ms": 1e-3, "us": 1, "ns": 1e3}[unit]
    column = pa.array([int(whole * scale), None], pa.timestamp(unit, tz=zone))
    found, odd = times.parse(column, "auto")
    assert found.tolist() == [whole, times.NONE]
    assert not odd.any()
    assert times.parse(pa.array([date(2026, 11, 2)]), "auto")[0][0] == 1_793_577_600_000_000


@given(st.lists(st.one_of(st.none(), st.integers(-(2**66), 2**66), st.floats(), st.text(max_size=5), st.booleans())))
def test_times_never_fail_and_agree_with_the_twin(values: list[Any]) -> None:
    found, odd = times.parse(values, "auto")
    for value, micros, is_odd in zip(values, found.tolist(), odd.tolist(), strict=True):
        if isinstance(value, bool) or value in (None, ""):
            assert micros == times.NONE
        elif isinstance(value, int | float) and math.isfinite(value) and 1e8 < value < 1e11:
            assert abs(micros - round(value * 1e6)) <= abs(value * 1e6) * 1e-15 + 1
        assert is_odd == (micros == times.NONE and value not in (None, "") and not _nan(value)) or _nan(value)


def _nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _whole(value: Any) -> int | None:
    """The obvious way to read a whole number."""
    if isinstance(value, bool) or value is None or isinstance(value, list):
        return None
    try:
        number = float(value) if isinstance(value, float) else int(value) if isinstance(value, int) else float(value)
        if number != int(number):
            return None
    except (ValueError, OverflowError):
        return None
    exact = int(value) if not isinstance(value, str) or value.strip().lstrip("+-").isdecimal() else int(number)
    return exact if -(2**63) <= exact < 2**63 else None


_any = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.sampled_from(["3", " 4", "x", "", "2.0"]),
    st.lists(st.integers(), max_size=1),
)  # fmt: skip


@given(st.lists(_any))
def test_integers_agree_with_the_twin(values: list[Any]) -> None:
    found, bad = columns.integers(values)
    want = [_whole(value) for value in values]
    assert found.to_pylist() == want
    given = [v is not None and v != "" and not _nan(v) for v in values]
    assert bad == sum(g and w is None for g, w in zip(given, want, strict=True))


@given(st.lists(_any))
def test_floats_agree_with_the_twin(values: list[Any]) -> None:
    def twin(value: Any) -> float | None:
        if isinstance(value, bool | list) or value is None:
            return None
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return None
        return number if math.isfinite(number) else None

    assert columns.floats(values)[0].to_pylist() == [twin(value) for value in values]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())])
def test_text_of_any_arrow_type(kind: pa.DataType) -> None:
    column = pa.array(["a", "", None, "b"]).cast(kind)
    for cast in (columns.words, columns.texts):
        found, bad = cast(column)
        assert found.to_pylist() == ["a", None, None, "b"]
        assert bad == 0


def test_words_of_numbers() -> None:
    assert columns.words([1, 2.0, 2.5, "x", True, None, b"\xff"])[0].to_pylist() == [
        "1", "2", None, "x", None, None, "\ufffdff",
    ]  # fmt: skip
    assert columns.words(pa.array([1, 2]))[0].to_pylist() == ["1", "2"]
    assert columns.words(pa.array([1.0, None]))[0].to_pylist() == ["1", None]


def test_content_that_is_structured() -> None:
    nested = [[{"role": "user", "parts": [{"type": "text", "content": "é"}]}], {"a": 1}, "x", 3]
    found, bad = columns.texts(nested)
    assert found.to_pylist() == ['[{"role":"user","parts":[{"type":"text","content":"é"}]}]', '{"a":1}', "x", None]
    assert bad == 1
    assert columns.texts(pa.array(nested[:1]))[0].to_pylist() == found.to_pylist()[:1]


def test_numbers_below_what_can_be() -> None:
    assert columns.integers(pa.array([5, -1, None]), least=0)[0].to_pylist() == [5, None, None]
    assert columns.floats([1.0, -2.0, math.inf], least=0.0) == (pa.array([1.0, None, None]), 2)
    assert UTC is UTC
