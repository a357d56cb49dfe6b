"""Concentration of a group's events on few tokens."""

from __future__ import annotations

from stillwatch.population import Floats, Groups, Population, ratio
from stillwatch.signals._pooled import squares


def simpson(population: Population, groups: Groups, view: str, events: Floats) -> Floats:
    """Simpson's index (1949): the chance that two of a group's `events` ([G]) carry the same token of a view, [G].

    Tokens of a single event may be left out, they add (almost) nothing.
    """
    return ratio(squares(population, groups, view), events**2)
