"""Lines and array elements against the obvious way of cutting them, over every way the blocks may fall."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.ingest import streams
from stillwatch.ingest.streams import CutError, Lines, blocks, elements, lines
from tests.ingest import logs


def pieces(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        if data[at : at + size]:
            yield data[at : at + size]
        at += size
    if data[at:]:
        yield data[at:]


def joined(parts: Iterator[Lines]) -> list[tuple[int, bytes]]:
    """(row, line) of all that is not blank."""
    return [
        (row, line) for part in parts for row, line in enumerate(part.data.split(b"\n"), part.first) if line.strip()
    ]


@given(st.lists(st.binary(max_size=12)), st.lists(st.integers(1, 20)))
def test_lines_are_those_of_split(content: list[bytes], sizes: list[int]) -> None:
    data = b"\n".join(content)
    want = [(row, line) for row, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    assert joined(lines(pieces(data, sizes))) == want


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(_json), st.lists(st.integers(1, 9)), st.sampled_from([None, 1]))
def test_elements_are_those_of_the_array(values: list[object], sizes: list[int], indent: int | None) -> None:
    data = json.dumps(values, indent=indent, ensure_ascii=False).encode("utf-8", "replace")
    found = joined(elements(pieces(data, sizes)))
    assert [json.loads(line) for _, line in found] == json.loads(data)
    assert [row for row, _ in found] == list(range(1, len(values) + 1))


@given(st.lists(st.dictionaries(st.text(max_size=3), _json, max_size=3), min_size=1), st.lists(st.integers(1, 9)))
def test_objects_one_after_another(values: list[dict[str, object]], sizes: list[int]) -> None:
    data = "\n".join(json.dumps(value, indent=2) for value in values).encode()
    assert [json.loads(line) for _, line in joined(elements(pieces(data, sizes)))] == values


def test_an_array_that_is_not_closed() -> None:
    found = []
    with pytest.raises(CutError):  # noqa: PT012
        for part in elements(iter([b'[{"a": 1}, {"b": "x'])):
            found.append(part.data)
    assert found == [b'{"a": 1}\n']


@pytest.mark.parametrize("name", ["x.gz", "x.zst"])
def test_cut_streams_give_all_that_came_before(tmp_path: Path, name: str) -> None:
    draw = random.Random(1)
    data = b"".join(b"%d %x\n" % (i, draw.getrandbits(64)) for i in range(60_000))
    packed = gzip.compress(data) if name == "x.gz" else logs.zstd(data)
    compression = "gzip" if name == "x.gz" else "zstd"
    assert b"".join(blocks(logs.put(tmp_path, name, packed), compression)) == data
    assert b"".join(blocks(logs.put(tmp_path, name, packed + packed), compression)) == data + data
    got = []
    with pytest.raises(CutError):  # noqa: PT012
        for block in blocks(logs.put(tmp_path, name, packed[: len(packed) // 2]), compression):
            got.append(block)
    assert len(b"".join(got)) > 0.3 * len(data)
    assert data.startswith(b"".join(got))


def test_a_line_that_never_ends_does_not_fill_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LIMIT", 1 << 21)
    bomb = gzip.compress(b'{"a": 1}\n' + b" " * (40 << 20) + b'\n{"b": 2}\n', 9)
    assert len(bomb) < 100_000
    parts = list(lines(blocks(logs.put(tmp_path, "x.gz", bomb), "gzip")))
    assert sum(len(part.data) for part in parts) < 100
    assert [reject for part in parts for reject in part.rejects] == [(2, "longer than 64 MiB")]
    assert joined(iter(parts)) == [(1, b'{"a": 1}'), (3, b'{"b": 2}')]


def test_an_element_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LIMIT", 1 << 21)
    with pytest.raises(CutError, match="longer"):
        list(elements(iter([b'[{"a": "', *[b"x" * (1 << 20)] * 40])))


def test_bytes_that_are_not_utf8_stay_different() -> None:
    assert b"a\xffb".decode("utf-8", streams.BAD_BYTES) == "a\ufffdffb"
    assert b"\xff".decode("utf-8", streams.BAD_BYTES) != b"\xfe".decode("utf-8", streams.BAD_BYTES)
