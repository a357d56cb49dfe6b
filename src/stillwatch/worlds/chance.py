"""Chance without state: hashes of (seed, purpose, index), so that any day can be generated alone and in any process."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

Array = np.ndarray[Any, np.dtype[Any]]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_A, _B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def mix(values: Any) -> Array:
    """splitmix64's finaliser (Steele, Lea and Flood 2014), elementwise on uint64."""
    with np.errstate(over="ignore"):
        x = np.atleast_1d(np.asarray(values)).astype(np.uint64) + _GOLDEN
        x = (x ^ (x >> _S30)) * _A
        x = (x ^ (x >> _S27)) * _B
        return np.asarray(x ^ (x >> _S31))


def word(text: str) -> int:
    """A purpose's name as a number; equal on every machine."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def draw(*parts: Any) -> Array:
    """64 random bits a row from seeds, purposes (str) and indices; parts broadcast."""
    state: Array = np.zeros(1, np.uint64)
    for part in parts:
        state = mix(state ^ mix(np.uint64(word(part)) if isinstance(part, str) else part))
    return state


def uniform(bits: Array) -> Array:
    """Bits as floats in [0, 1)."""
    return (bits >> _S11) * (1.0 / (1 << 53))


def hex_ids(*parts: Any, chars: int = 24) -> pa.Array:
    """Random-looking lower-case hexadecimal names, one a row: the only form of id in a world."""
    words = [draw("id", number, *parts) for number in range((chars + 15) // 16)]
    bits = np.stack(words, axis=1)
    octets = bits.astype(">u8").view(np.uint8).reshape(len(bits), 8 * len(words))
    letters = np.empty((len(bits), octets.shape[1] * 2), np.uint8)
    letters[:, 0::2], letters[:, 1::2] = _HEX[octets >> 4], _HEX[octets & 15]
    data = np.ascontiguousarray(letters[:, :chars])
    offsets = np.arange(len(bits) + 1, dtype=np.int32) * chars
    return pa.StringArray.from_buffers(len(bits), pa.py_buffer(offsets), pa.py_buffer(data))


def quantile_draw(levels: tuple[float, ...], values: tuple[float, ...], u: Array) -> Array:
    """Draws from a measured distribution given at `levels`, log-linear between them and flat beyond."""
    return np.exp(np.interp(u, levels, np.log(np.maximum(values, 1e-9))))


def choose(rng: np.random.Generator, weights: Any, n: int) -> Array:
    """n indices drawn with `weights`, not necessarily summing to one."""
    cumulative = np.cumsum(np.asarray(weights, float))
    return np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right").astype(np.int32)


def groups(rng: np.random.Generator, n: int, sizes: tuple[int, ...], weights: tuple[float, ...]) -> Array:
    """Group number of each of n members, groups being of random `sizes`, in order."""
    drawn = np.asarray(sizes)[choose(rng, weights, n)]
    return np.repeat(np.arange(n), drawn)[:n]
