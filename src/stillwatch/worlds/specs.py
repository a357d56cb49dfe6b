"""The named worlds: how long, how large, which campaigns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from stillwatch.errors import UsageError

START = datetime(2026, 3, 2, tzinfo=UTC)
"""First midnight of every world, a Monday."""


@dataclass(frozen=True)
class Lab:
    """One campaign: its way of working (1, 2 or 3, as reported), accounts and exchanges at scale 1."""

    name: str
    kind: int
    accounts: float
    events: float
    least: int = 12


@dataclass(frozen=True)
class Spec:
    """A named world. Honest numbers are at scale 1."""

    name: str
    about: str
    days: int
    honest_accounts: float
    honest_events: float
    labs: tuple[Lab, ...]
    occasions: bool = False
    """Whether unrelated people also do the same thing at the same time: `occasions`."""
    default_unit: float = 1.0
    """What scale 1 is, in units of `seed` at scale 1: sizes of organisations follow it."""


SEED_HONEST = (500_000.0, 86_000_000.0)
"""More than 20 honest accounts for a campaign account and 5 honest events for a campaign event."""
_QUARTER = 0.05 / 4
_SMALL = (3_500.0, 250_000.0)

SPECS = {
    "demo": Spec(
        "demo",
        "two weeks, two small campaigns and every kind of innocent look-alike; made in seconds",
        14,
        2_900,
        112_000,
        (Lab("harvest-a", 3, 60, 16_000), Lab("harvest-b", 2, 25, 9_000)),
        default_unit=0.0058,
    ),
    "seed": Spec(
        "seed",
        "four weeks, three labs in the proportions that were reported; scale 1 is 24,000 accounts, 16.55 M exchanges",
        28,
        *SEED_HONEST,
        (
            Lab("lab-1", 1, 600, 150_000),
            Lab("lab-2", 2, 800, 3_400_000),
            Lab("lab-3", 3, 22_600, 13_000_000),
        ),
    ),
    "evaded": Spec(
        "evaded",
        "two weeks, two rings and the evasions asked for; made in seconds, to be made many times",
        14,
        *_SMALL,
        # at 26 and 60 requests an account and day, for as long as an account of the ring lives
        (Lab("ring-a", 3, 150, 37_500), Lab("ring-b", 2, 60, 44_000)),
        occasions=True,
        default_unit=0.007,
    ),
    "quiet": Spec(
        "quiet",
        "the honest part of `evaded` alone",
        14,
        *_SMALL,
        (),
        occasions=True,
        default_unit=0.007,
    ),
    "innocent": Spec(
        "innocent",
        "four weeks without any campaign; scale 1 is about a million events",
        28,
        SEED_HONEST[0] * _QUARTER,
        SEED_HONEST[1] * _QUARTER,
        (),
        default_unit=_QUARTER,
    ),
}


def spec(name: str) -> Spec:
    """The world of that name; UsageError if there is none."""
    if name not in SPECS:
        raise UsageError(f"no world is called {name!r}: there are {', '.join(SPECS)}")
    return SPECS[name]
