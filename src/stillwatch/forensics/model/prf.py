"""The keyed random functions of all tests. Who does not have the key sees nothing but chance.

Few and long values come from HMAC-SHA256 (RFC 2104): coins, choices, canaries. A watermark needs one value for each
token of a vocabulary at each step, so it has SipHash-2-4 (Aumasson and Bernstein 2012) under a key derived by HMAC. The
whole window goes into the hash: a seed of key times token, as some libraries have it, gives two keys one watermark.
"""

from __future__ import annotations

import hmac

import numba as nb
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]


def derive(secret: bytes, purpose: str, *parts: str | bytes) -> bytes:
    """32 bytes for one purpose, HMAC-SHA256 of the purpose and parts; no two lists of parts give one message."""
    message = bytearray()
    for part in (purpose, *parts):
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        message += len(raw).to_bytes(8, "little") + raw
    return hmac.digest(secret, bytes(message), "sha256")


def fraction(secret: bytes, purpose: str, *parts: str | bytes) -> float:
    """A number in [0, 1) for one purpose."""
    return (int.from_bytes(derive(secret, purpose, *parts)[:8], "little") >> 11) * 2.0**-53


def coin(secret: bytes, purpose: str, *parts: str | bytes) -> int:
    """0 or 1 for one purpose."""
    return derive(secret, purpose, *parts)[0] & 1


def watermark_key(secret: bytes) -> Words:
    """The two words of a watermark's SipHash key, [2]."""
    return np.frombuffer(derive(secret, "stillwatch watermark v1")[:16], dtype="<u8").astype(np.uint64)


@nb.njit(cache=True, nogil=True, inline="always")
def _round(v0, v1, v2, v3):  # type: ignore[no-untyped-def]
    v0 = v0 + v1
    v1 = ((v1 << np.uint64(13)) | (v1 >> np.uint64(51))) ^ v0
    v0 = (v0 << np.uint64(32)) | (v0 >> np.uint64(32))
    v2 = v2 + v3
    v3 = ((v3 << np.uint64(16)) | (v3 >> np.uint64(48))) ^ v2
    v0 = v0 + v3
    v3 = ((v3 << np.uint64(21)) | (v3 >> np.uint64(43))) ^ v0
    v2 = v2 + v1
    v1 = ((v1 << np.uint64(17)) | (v1 >> np.uint64(47))) ^ v2
    v2 = (v2 << np.uint64(32)) | (v2 >> np.uint64(32))
    return v0, v1, v2, v3


@nb.njit(cache=True, nogil=True, inline="always")
def _word(v0, v1, v2, v3, m):  # type: ignore[no-untyped-def]
    v3 = v3 ^ m
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ m, v1, v2, v3


@nb.njit(cache=True, nogil=True, inline="always")
def _start(key):  # type: ignore[no-untyped-def]
    k0, k1 = key[0], key[1]
    return (
        k0 ^ np.uint64(0x736F6D6570736575),
        k1 ^ np.uint64(0x646F72616E646F6D),
        k0 ^ np.uint64(0x6C7967656E657261),
        k1 ^ np.uint64(0x7465646279746573),
    )


@nb.njit(cache=True, nogil=True, inline="always")
def _finish(v0, v1, v2, v3, words):  # type: ignore[no-untyped-def]
    v0, v1, v2, v3 = _word(v0, v1, v2, v3, np.uint64(words * 8 & 255) << np.uint64(56))
    v2 = v2 ^ np.uint64(255)
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@nb.njit(cache=True, nogil=True)
def _pairs(key, windows, tokens, out):  # type: ignore[no-untyped-def]
    width = windows.shape[1]
    for row in range(len(tokens)):
        v0, v1, v2, v3 = _start(key)
        for place in range(width):
            v0, v1, v2, v3 = _word(v0, v1, v2, v3, np.uint64(windows[row, place]))
        v0, v1, v2, v3 = _word(v0, v1, v2, v3, np.uint64(tokens[row]))
        out[row] = _finish(v0, v1, v2, v3, width + 1)


@nb.njit(cache=True, nogil=True)
def _vocabulary(key, windows, out):  # type: ignore[no-untyped-def]
    width = windows.shape[1]
    for row in range(out.shape[0]):
        a0, a1, a2, a3 = _start(key)
        for place in range(width):
            a0, a1, a2, a3 = _word(a0, a1, a2, a3, np.uint64(windows[row, place]))
        for token in range(out.shape[1]):
            v0, v1, v2, v3 = _word(a0, a1, a2, a3, np.uint64(token))
            out[row, token] = _finish(v0, v1, v2, v3, width + 1)


def hash_pairs(key: Words, windows: Ints, tokens: Ints) -> Words:
    """SipHash of each window [n, width] and token [n], as 8-byte little-endian words in order, [n]."""
    out = np.empty(len(tokens), dtype=np.uint64)
    _pairs(key, np.ascontiguousarray(windows, np.int64), np.ascontiguousarray(tokens, np.int64), out)
    return out


def hash_vocabulary(key: Words, windows: Ints, size: int) -> Words:
    """`hash_pairs` of each window [n, width] with every token below `size`, [n, size]."""
    out = np.empty((len(windows), size), dtype=np.uint64)
    _vocabulary(key, np.ascontiguousarray(windows, np.int64), out)
    return out


def unit(hashes: Words) -> Floats:
    """Hashes as numbers within (0, 1), never 0 or 1."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53 + 2.0**-54
