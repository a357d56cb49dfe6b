"""Slow, obvious twins of what the forensics tests compute, each written from its definition."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from fractions import Fraction


def tail(pmf: Mapping[int, Fraction], weights: list[int], observed: int) -> Fraction:
    """P(sum of weight x X >= observed) by convolution in fractions."""
    law = {0: Fraction(1)}
    for weight in weights:
        new: dict[int, Fraction] = {}
        for total, mass in law.items():
            for value, chance in pmf.items():
                new[total + weight * value] = new.get(total + weight * value, Fraction(0)) + mass * chance
        law = new
    return sum((mass for total, mass in law.items() if total >= observed), Fraction(0))


def sign_flip(whole: list[int]) -> Fraction:
    """Share of all sign patterns whose sum is at least the observed one."""
    sizes = [abs(value) for value in whole]
    hits = sum(
        sum(s * size for s, size in zip(signs, sizes, strict=True)) >= sum(whole)
        for signs in itertools.product((-1, 1), repeat=len(whole))
    )
    return Fraction(hits, 2 ** len(whole))


def rank_test(scores: list[list[float]], chosen: list[int]) -> Fraction:
    """Share of all choices of one answer a place whose ranks, ties at their worst, sum to no more than the observed."""
    above = [sum(other >= row[mine] for other in row) - 1 for row, mine in zip(scores, chosen, strict=True)]
    drawn = len(scores[0])
    hits = sum(sum(ranks) <= sum(above) for ranks in itertools.product(range(drawn), repeat=len(scores)))
    return Fraction(hits, drawn ** len(scores))


def siphash(key: bytes, message: bytes) -> int:
    """SipHash-2-4 in plain Python, from the paper's text."""
    mask = (1 << 64) - 1

    def rotl(x: int, n: int) -> int:
        return ((x << n) | (x >> (64 - n))) & mask

    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rounds(n: int) -> None:
        for _ in range(n):
            v[0] = (v[0] + v[1]) & mask
            v[1] = rotl(v[1], 13) ^ v[0]
            v[0] = rotl(v[0], 32)
            v[2] = (v[2] + v[3]) & mask
            v[3] = rotl(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & mask
            v[3] = rotl(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & mask
            v[1] = rotl(v[1], 17) ^ v[2]
            v[2] = rotl(v[2], 32)

    padded = message + bytes(7 - len(message) % 8) + bytes([len(message) & 255])
    for start in range(0, len(padded), 8):
        word = int.from_bytes(padded[start : start + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 255
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def pairs(answers: list[list[int]], prompts: list[list[int]], width: int) -> set[tuple[int, ...]]:
    """Distinct (window, token) of the answers, less those that stand in prompts."""
    found, given = set(), set()
    for prompt, answer in zip(prompts, answers, strict=True):
        whole = prompt + answer
        for place in range(max(len(prompt), width), len(whole)):
            found.add(tuple(whole[place - width : place + 1]))
        for place in range(width, len(prompt)):
            given.add(tuple(prompt[place - width : place + 1]))
    return found - given


def holm(p: list[float], tests: int) -> list[float]:
    """Holm's corrected p-values: the largest over all subsets' Bonferroni steps, from the smallest up."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    return [min(1.0, max(p[j] * (tests - rank) for rank, j in enumerate(order) if p[j] <= p[i])) for i in range(len(p))]


def binomial_interval(n: int, p: float, level: float = 0.999) -> tuple[int, int]:
    """Counts between which a binomial falls with at least `level`, by summing its law."""
    law = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    side = (1 - level) / 2
    low = next(k for k in range(n + 1) if sum(law[: k + 1]) > side)
    high = next(k for k in range(n, -1, -1) if sum(law[k:]) > side)
    return low, high
