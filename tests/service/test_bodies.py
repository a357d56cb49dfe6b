"""Decompression within a limit."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.service.bodies import decoded
from stillwatch.service.problems import ProblemError


@given(st.lists(st.binary(max_size=4000), min_size=1, max_size=4), st.booleans())
def test_what_was_packed_comes_out(parts: list[bytes], padded: bool) -> None:
    packed = b"".join(map(gzip.compress, parts)) + b"\0" * 7 * padded
    assert decoded(packed, "gzip", 20_000) == b"".join(parts)
    assert decoded(zlib.compress(parts[0]), "deflate", 20_000) == parts[0]
    assert decoded(parts[0], "", 20_000) == decoded(parts[0], "identity", 20_000) == parts[0]


def test_a_bomb_stops_at_the_limit() -> None:
    bomb = gzip.compress(bytes(300 << 20), 9)
    assert len(bomb) < 1 << 20
    with pytest.raises(ProblemError, match="longer than") as caught:
        decoded(bomb, "gzip", 1 << 20)
    assert caught.value.status == 413
    exact = gzip.compress(bytes(1 << 20))
    assert len(decoded(exact, "gzip", 1 << 20)) == 1 << 20
    with pytest.raises(ProblemError, match="longer than"):
        decoded(exact, "gzip", (1 << 20) - 1)


@pytest.mark.parametrize(
    ("data", "encoding", "status"),
    [
        (b"not gzip", "gzip", 400),
        (gzip.compress(b"whole" * 100, mtime=0)[:-9], "gzip", 400),
        (gzip.compress(b"x", mtime=0) + b"garbage", "gzip", 400),
        (b"x", "br", 415),
        (b"", "zstd", 415),
    ],
)
def test_what_cannot_be_decoded_is_said(data: bytes, encoding: str, status: int) -> None:
    with pytest.raises(ProblemError) as caught:
        decoded(data, encoding, 1 << 20)
    assert caught.value.status == status
