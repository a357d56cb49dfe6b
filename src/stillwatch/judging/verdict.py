"""From evidence to a verdict.

An accusation is an intersection-union test (Berger 1982): source and purpose must each stand by itself, so its p-value
is the larger of theirs. Scale and transparency decide who is tested at all: one hand that uses no more than customers
do, or that declares what it is, is not accused. The false-discovery rate is over all operators tested. Links alone are
never guilt, nor is scale, nor is content.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.model import Dimension, Verdict
from stillwatch.population import Floats

ORDER = list(Dimension)
SOURCE, SCALE = ORDER.index(Dimension.SOURCE), ORDER.index(Dimension.SCALE)
TRANSPARENCY, PURPOSE = ORDER.index(Dimension.TRANSPARENCY), ORDER.index(Dimension.PURPOSE)

LARGE_BITS = 3.0
"""Bits of scale from which use counts as heavy: about one customer in forty."""


CONTRADICTION_BITS = 2.0
"""Bits of transparency from which declarations contradict what was measured."""


@dataclass(frozen=True)
class Standing:
    """What was declared about an operator, before anything is measured."""

    authorised: bool = False
    """Every member is covered by a registration."""
    within_quota: bool = True
    quota_ratio: float = 0.0
    """Busiest day over the registered daily quota."""
    one_customer: bool = False
    """All members declare the same organisation."""
    events: int = 0
    victim_of: str = ""
    """Operator whose stream came into this account, if one did."""
    since: str = ""


@dataclass(frozen=True)
class Gates:
    """What an operator must be before it is tested at all; columns as in the finding."""

    stake: Floats
    """The most that any fact of scale says, bits, [G]: what is at stake may be volume alone."""
    unlike: Floats
    """p of its purpose among single customers, [G]."""
    limit: Floats
    """Largest such p with which it is tested, [G]."""
    slack: float = 0.0
    """Bits by which scale and transparency may miss their gates."""

    def open(self, dimension_bits: Floats) -> npt.NDArray[np.bool_]:
        """Which operators are tested, [G]: they use more than customers do, otherwise than customers do, and did not
        declare it."""
        known = np.isfinite(dimension_bits[TRANSPARENCY])
        disclosed = known & (dimension_bits[TRANSPARENCY] < CONTRADICTION_BITS - self.slack)
        return np.asarray((self.stake >= LARGE_BITS - self.slack) & ~disclosed & (self.unlike <= self.limit))


def accusation_p(dimension_p: Floats, dimension_bits: Floats, gates: Gates) -> Floats:
    """p-value of 'this is not a covert harvest', [G]; NaN for operators that are not tested."""
    needed = np.maximum(dimension_p[SOURCE], dimension_p[PURPOSE])
    return np.where(gates.open(dimension_bits), needed, np.nan)


def decide(standing: Standing, dimension_bits: Floats, fdr: float, level: float, purpose_fdr: float) -> Verdict:
    """Verdict on one operator; `dimension_bits` is [4], `fdr` NaN for an operator that cannot be accused."""
    large = bool(dimension_bits[SCALE] >= LARGE_BITS)
    by_use = Verdict.HEAVY_USE if large else Verdict.ORDINARY
    cases = (
        (standing.victim_of != "", Verdict.COMPROMISED_ACCOUNT),
        (standing.events == 0, Verdict.INCONCLUSIVE),
        (standing.authorised and standing.within_quota, Verdict.AUTHORISED_DISTILLATION),
        (standing.authorised, Verdict.HEAVY_USE),
        (standing.one_customer, by_use),
        (fdr <= level, Verdict.UNAUTHORISED_DISTILLATION),
        (purpose_fdr <= level and large, Verdict.INCONCLUSIVE),
    )
    return next((verdict for holds, verdict in cases if holds), by_use)


def statement(verdict: Verdict, standing: Standing, best_explanation: str) -> str:
    """The column `innocent_explanation`: the best one and what speaks against it, or why no accusation is made."""
    if standing.victim_of:
        return f"a customer's own account into which traffic of {standing.victim_of} came, since {standing.since}"
    if standing.authorised:
        note = "within its quota" if standing.within_quota else f"at {standing.quota_ratio:.1f} times its daily quota"
        return f"registered distillation, {note}"
    if verdict is Verdict.UNAUTHORISED_DISTILLATION:
        return best_explanation
    if standing.events == 0:
        return "no events in this log"
    if standing.one_customer:
        return "one declared organisation"
    return best_explanation if verdict is not Verdict.ORDINARY else "nothing beyond ordinary use in what was looked at"
