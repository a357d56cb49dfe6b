"""Hashes are what the definition says, wherever and however they are computed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.hashing import hash64, hash64_array, keep

TEXTS = st.lists(st.one_of(st.none(), st.text(max_size=30)), max_size=20)


def naive(data: bytes) -> int:
    """FNV-1a, then splitmix64's finaliser, from their definitions."""
    h = 14695981039346656037
    for byte in data:
        h ^= byte
        h = h * 1099511628211 % 2**64
    h = (h ^ h >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    h = (h ^ h >> 27) * 0x94D049BB133111EB % 2**64
    return h ^ h >> 31


def test_known_values() -> None:
    # frozen: stored tables hold these numbers
    assert [hash64(text) for text in ("", "a", "distillation")] == [naive(b""), naive(b"a"), naive(b"distillation")]
    assert hash64("") == KNOWN[""]
    assert hash64("né 漢") == KNOWN["né 漢"]


KNOWN = {"": 17665956581633026203, "né 漢": 4544039273090774172}


@given(st.binary(max_size=60))
def test_one_value_is_the_definition(data: bytes) -> None:
    assert hash64(data) == naive(data)


@given(TEXTS, st.sampled_from([pa.string(), pa.large_string()]), st.integers(0, 5))
def test_columns_agree_with_single_values(texts: list[str | None], kind: pa.DataType, skip: int) -> None:
    clean = [text and text.encode("utf-8", "ignore").decode() for text in texts]
    column = pa.array(clean, kind).slice(skip)
    assert hash64_array(column).tolist() == [hash64(text or "") for text in clean[skip:]]
    assert hash64_array(pa.chunked_array([column, column])).tolist() == 2 * hash64_array(column).tolist()
    assert hash64_array(column.cast(pa.binary())).tolist() == hash64_array(column).tolist()


def test_a_null_is_empty_whatever_bytes_lie_under_it() -> None:
    body, offsets = pa.py_buffer(b"secret"), pa.py_buffer(np.array([0, 6], np.int32).tobytes())
    column = pa.StringArray.from_buffers(1, offsets, body, pa.py_buffer(b"\x00"), 1)
    assert hash64_array(column).tolist() == [hash64("")]


def test_numbers_are_no_text() -> None:
    with pytest.raises(pa.ArrowException):
        hash64_array(pa.array([1.5]))


IDS = pa.array([f"id-{number}" for number in range(20_000)])


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 1.0])
def test_a_sample_has_its_share(share: float) -> None:
    found = int(keep(IDS, share, seed=3).sum())
    assert abs(found - share * len(IDS)) <= 5 * np.sqrt(len(IDS) * share * (1 - share))


def test_samples_are_nested_and_seeds_independent() -> None:
    small, large, other = keep(IDS, 0.2, 1), keep(IDS, 0.5, 1), keep(IDS, 0.5, 2)
    assert not (small & ~large).any()
    assert abs((large & other).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / len(IDS))


def test_a_sample_does_not_depend_on_the_batch() -> None:
    whole = keep(IDS, 0.3, 7)
    assert np.array_equal(np.concatenate([keep(IDS.slice(0, 777), 0.3, 7), keep(IDS.slice(777), 0.3, 7)]), whole)
    assert np.array_equal(keep(hash64_array(IDS), 0.3, 7), whole)


def test_every_bit_of_the_input_flips_half_of_the_bits() -> None:
    rng = np.random.default_rng(0)
    flips = []
    for _ in range(300):
        data = bytearray(rng.bytes(9))
        before = hash64(bytes(data))
        bit = int(rng.integers(72))
        data[bit // 8] ^= 1 << bit % 8
        flips.append((before ^ hash64(bytes(data))).bit_count())
    assert 31 < np.mean(flips) < 33
