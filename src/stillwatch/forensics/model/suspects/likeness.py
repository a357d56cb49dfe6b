"""How like two texts are: F1 of their character 6-grams (Popović 2015 with one length), from 0 to 1."""

from __future__ import annotations

from collections import Counter

SIZE = 6


def likeness(one: str, other: str) -> float:
    """0 if they share nothing or one is shorter than a gram, 1 if their grams are the same."""
    a, b = _grams(one), _grams(other)
    common = sum((a & b).values())
    return 2 * common / (a.total() + b.total()) if common else 0.0


def _grams(text: str) -> Counter[str]:
    return Counter(text[place : place + SIZE] for place in range(len(text) - SIZE + 1))
