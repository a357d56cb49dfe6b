"""Looking every day at one level: how much of the stated rate each look may spend.

Of a whole series of looks only so much may be wrong as of one. Each look is therefore judged at its own, smaller level,
and the levels of all looks, however many there will be, add up to the stated one (alpha spending: Lan and DeMets 1983,
with the union bound in place of a known joint law, since an operator's evidence changes and so do operators).

It holds for the false-discovery rate of everybody *ever* accused, with no assumption on how looks depend. Let V_t of
R_t accusations of look t be false, and V of R over all looks. Every false accusation is false at some look and R is at
least each R_t, so V / max(R, 1) <= sum_t V_t / max(R_t, 1), whose expectation is at most the sum of the levels.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Spending:
    """Share of the level that is spent up to day t: t / (t + half_life). It never reaches 1.

    The first days get little, as there is little to see; later ones fall with the square of time. The clock is the day
    and not the look, so whoever looks once a week has the week's share for it.
    """

    half_life: float = 7.0
    """Days after which half of the level is spent."""

    def __post_init__(self) -> None:
        if not self.half_life > 0:
            raise ValueError(f"a half life of {self.half_life} days is not positive")

    def spent(self, day: int) -> float:
        """Share spent at the end of day `day` (1 is the first); in [0, 1), rising."""
        return self.spent_at(day)

    def spent_at(self, time: float) -> float:
        """The same at any time, in days from the start: whoever looks more than once a day has a part of the day's."""
        return time / (time + self.half_life)

    def share(self, day: float, before: float = 0) -> float:
        """Share for a look at the end of day `day`, or of a part of it, after one at `before` (0: none); ValueError
        unless before < day."""
        if not 0 <= before < day:
            raise ValueError(f"a look on day {day} cannot follow one on day {before}")
        # spent(day) - spent(before) without its cancellation
        return self.half_life * (day - before) / ((day + self.half_life) * (before + self.half_life))
