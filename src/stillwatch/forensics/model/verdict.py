"""What p-values amount to: corrected for all that was tried, in tiers, never as a probability of guilt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Tier = Literal["accusation", "lead", "nothing shown", "void"]
ACCUSATION, LEAD, NULL = -6.0, -2.0, 0.01
"""log10 of the corrected p-values of the tiers; level at which a control key counts as not null."""

NULLS = {
    "twins": "the suspect's log-probabilities do not depend on which twin the key's coins served",
    "twins_text": "the suspect's own answers do not depend on which twin the key's coins served",
    "text": "the suspect's text does not depend on the key: scores of distinct pairs are independent, of known law",
    "text_weighted": "as for text; pairs weigh by how often the suspect repeats them",
    "distribution": "the suspect's next-token probabilities do not depend on the key",
    "canaries": "the served canaries rank among those drawn and never served as if drawn afterwards",
}
NOT_SHOWN = (
    "the route: answers may have come through an account, a third party's data set, or the public web",
    "who trained the model, and whether they knew where its data came from",
    "how much of its training data were ours: strength does not measure dose",
    "if nothing is found: that our answers were not used; a paraphrase can take a mark away, and small doses hide",
)
EXPLANATIONS = (
    "our answers, once served, were published and collected by others: compare with the everyone-else key",
    "the suspect is a customer whose training on our answers was allowed: look at registrations",
    "whoever holds the key can make such a result: see who held it, and the head of the commitments that was published",
    "the suspect's answers passed through our service when they were collected: have another party collect them",
)


@dataclass(frozen=True)
class Finding:
    """One test: a statistic of a suspect under a key."""

    suspect: str
    statistic: str
    key: str
    role: str
    units: int
    unit: str
    observed: float
    expected: float
    z: float
    log10_p: float
    checks: int
    as_large: int
    """Random keys (or flips) drawn as a check on the exact p-value, and how many did as well as the key."""
    log10_adjusted: float = 0.0

    @property
    def check_p(self) -> float:
        """(1 + b) / (1 + m); 1 where there was no such check."""
        return (1 + self.as_large) / (1 + self.checks)


@dataclass(frozen=True)
class Judgement:
    """What the findings on one suspect amount to."""

    tier: Tier
    because: str
    findings: tuple[Finding, ...]
    tests: int


def holm(log10_p: list[float], tests: int) -> list[float]:
    """Holm (1979) over `tests` hypotheses; those not looked at count as p = 1. log10 in, log10 out, in order."""
    if tests < len(log10_p):
        raise ValueError("more tests than the plan has")
    out, worst = [0.0] * len(log10_p), -math.inf
    for rank, place in enumerate(sorted(range(len(log10_p)), key=log10_p.__getitem__)):
        worst = max(worst, log10_p[place] + math.log10(tests - rank))
        out[place] = min(0.0, worst)
    return out


def judge(findings: list[Finding], tests: int) -> Judgement:
    """Correct for `tests` in all, look at the controls, and say which tier is reached."""
    served = [finding for finding in findings if finding.role != "control"]
    controls = [finding for finding in findings if finding.role == "control"]
    done = []
    for group, number in ((served, tests), (controls, len(controls))):
        adjusted = holm([finding.log10_p for finding in group], number)
        done += [_with(finding, value) for finding, value in zip(group, adjusted, strict=True)]
    tier, because = _tier(done)
    return Judgement(tier, because, tuple(done), tests)


def _with(finding: Finding, adjusted: float) -> Finding:
    return Finding(**{**finding.__dict__, "log10_adjusted": adjusted})


def _tier(findings: list[Finding]) -> tuple[Tier, str]:
    served = [f for f in findings if f.role != "control"]
    controls = [f for f in findings if f.role == "control"]
    loud = [f for f in controls if f.log10_adjusted <= math.log10(NULL)]
    odd = [f for f in served if f.checks and f.log10_p <= math.log10(1e-4) and f.check_p > NULL]
    best = min(served, key=lambda f: f.log10_adjusted, default=None)
    if loud:
        return "void", f"the control key {loud[0].key} is not null ({loud[0].statistic}): something else is at work"
    if odd:
        return "void", f"random keys do as well as {odd[0].key} ({odd[0].statistic}): its p-value cannot be right"
    if best is None or best.log10_adjusted > LEAD:
        return "nothing shown", "no corrected p-value is .01 or less; this does not show that our answers were not used"
    what = f"{best.statistic} under {best.key}: corrected p = {power_of_ten(best.log10_adjusted)}"
    if best.log10_adjusted > ACCUSATION:
        return "lead", f"{what}; an accusation needs 1e-6"
    if not any(f.statistic == best.statistic for f in controls):
        return "lead", f"{what}, but no control key could be tested beside it"
    return "accusation", f"{what}; the control keys are null"


def power_of_ten(log10_value: float) -> str:
    """A p-value to read, however small."""
    if not math.isfinite(log10_value):
        return "0"
    if log10_value > -4:
        return f"{10**log10_value:.3g}"
    whole = math.floor(log10_value)
    return f"{10 ** (log10_value - whole):.1f}e{whole}"
