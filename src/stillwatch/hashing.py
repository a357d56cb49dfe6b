"""The one place where hashes are defined: 64 bits, not cryptographic, the same on every machine and engine.

FNV-1a over UTF-8 bytes (Fowler, Noll, Vo), then the finaliser of splitmix64 (Steele, Lea, Flood 2014), because FNV
alone mixes its high bits badly. Engines hash differently, so they never hash: they are given these numbers.
"""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

OFFSET = np.uint64(0xCBF29CE484222325)
PRIME = np.uint64(0x100000001B3)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MASK = (1 << 64) - 1


@nb.njit(cache=True, nogil=True, inline="always")
def mix(h):  # type: ignore[no-untyped-def]
    """Finaliser of splitmix64."""
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@nb.njit(cache=True, nogil=True, inline="always")
def chain(h, value):  # type: ignore[no-untyped-def]
    """Hash of a sequence one hash longer: order and length count. Start at `OFFSET`."""
    h = (h ^ value) * np.uint64(0x9E3779B97F4A7C15)
    return h ^ (h >> np.uint64(32))


@nb.njit(cache=True, nogil=True)
def _hash_many(data, offsets, out):  # type: ignore[no-untyped-def]
    for row in range(len(out)):
        h = OFFSET
        for place in range(offsets[row], offsets[row + 1]):
            h = (h ^ np.uint64(data[place])) * PRIME
        out[row] = mix(h)


def mix64(h: int) -> int:
    """`mix` in plain Python."""
    h = ((h ^ (h >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    h = ((h ^ (h >> 27)) * 0x94D049BB133111EB) & _MASK
    return h ^ (h >> 31)


def hash64(text: str | bytes) -> int:
    """Hash of one text, in plain Python; lone surrogates count as Python's `surrogatepass` writes them."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    h = int(OFFSET)
    for byte in data:
        h = ((h ^ byte) * int(PRIME)) & _MASK
    return mix64(h)


def hash64_array(values: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """Hash of each string or binary value, [n]; a null hashes like the empty string. ArrowException for other types."""
    if values.null_count:
        # Arrow does not promise that a null has no bytes
        values = values.cast(pa.large_binary()).fill_null(b"")
    data, offsets = buffers(values)
    out = np.empty(len(values), dtype=np.uint64)
    _hash_many(data, offsets, out)
    return out


def buffers(values: pa.Array | pa.ChunkedArray) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Bytes of a string array, and where each value begins, [n + 1]."""
    large = values.cast(pa.large_binary())
    if isinstance(large, pa.ChunkedArray):
        large = large.combine_chunks()
    if not len(large):
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    _, starts, bytes_ = large.buffers()
    offsets = np.frombuffer(starts, dtype=np.int64, count=large.offset + len(large) + 1)[large.offset :]
    data = np.frombuffer(bytes_, dtype=np.uint8) if bytes_ is not None else np.empty(0, np.uint8)
    return data, offsets


def keep(
    ids: pa.Array | pa.ChunkedArray | npt.NDArray[np.uint64], share: float, seed: int = 0
) -> npt.NDArray[np.bool_]:
    """A sample of ids (or of their hashes) that depends on nothing but id and seed: True for about `share` of them.

    Samples of one seed are nested, a smaller share within a larger one; samples of two seeds are independent.
    """
    hashes = ids if isinstance(ids, np.ndarray) else hash64_array(ids)
    with np.errstate(over="ignore"):
        salted = mix.py_func(hashes * _GOLDEN + np.uint64(hash64(str(seed))))
    return np.asarray((salted >> np.uint64(11)).astype(np.float64) / 2**53 < share)
