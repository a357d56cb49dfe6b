"""Innocent explanations: each is a fitted alternative that says which findings it accounts for.

What it leaves unexplained, in bits, is what speaks against it; the best explanation leaves least. `chance` explains
nothing and is always there, so an explanation is worth having only if it does better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stillwatch.judging.combine import OVERLAP


@dataclass(frozen=True)
class Explanation:
    """An honest kind of customer and the signals that it would raise by itself."""

    name: str
    text: str
    raises: frozenset[str]


def _explanation(name: str, text: str, raises: str) -> Explanation:
    return Explanation(name, text, frozenset(raises.split()))


EXPLANATIONS = (
    _explanation(
        "application",
        "unrelated users of one application, which writes the prompts for them",
        "skeleton_concentration coverage continuity saturation elicitation grading repeated_sampling",
    ),
    _explanation(
        "classroom",
        "a class or course: one place, one hour, one exercise",
        "synchrony elicitation repeated_sampling skeleton_concentration quota_age grading",
    ),
    _explanation(
        "enterprise",
        "one organisation with many keys, which declares itself as one",
        "volume rhythm authorisation skeleton_concentration coverage continuity saturation load_balance synchrony "
        "homogeneity task_bank repeated_sampling release_pivot grading quota_age",
    ),
    _explanation(
        "evaluation",
        "an evaluation harness that asks public benchmarks of every new model",
        "elicitation grading skeleton_concentration coverage release_pivot repeated_sampling continuity saturation "
        "synchrony",
    ),
    _explanation(
        "pipeline",
        "an annotation or classification pipeline with one template and many inputs",
        "volume rhythm skeleton_concentration coverage continuity load_balance task_bank homogeneity authorisation "
        "grading",
    ),
    _explanation(
        "reseller",
        "a reseller or relay that passes on its customers' requests",
        "volume rhythm declared_diversity authorisation load_balance",
    ),
    _explanation(
        "viral",
        "a text that went round and that unrelated people sent at the same time",
        "skeleton_concentration synchrony repeated_sampling",
    ),
    _explanation(
        "household",
        "a family or small team that shares a payment or an address",
        "declared_diversity synchrony",
    ),
    _explanation("chance", "unrelated accounts that look alike by chance", ""),
)


@dataclass(frozen=True)
class Fit:
    """How an explanation does on one operator; `fit_bits` <= 0, the nearer to 0 the better."""

    name: str
    text: str
    fit_bits: float
    against: tuple[tuple[str, float], ...]

    def sentence(self) -> str:
        """One line for people: the explanation and what speaks against it."""
        if not self.against:
            return f"{self.text}; nothing observed speaks against it"
        named = ", ".join(f"{signal} ({value:.0f} bits)" for signal, value in self.against[:3])
        return f"{self.text}; against it: {named}"


def fit(counted: Mapping[str, float]) -> list[Fit]:
    """All explanations, best first, for an operator's counted bits (signal -> bits, larger one of each fact)."""
    raised = {name: value for name, value in counted.items() if value > 1 and name != OVERLAP}
    fits = []
    for explanation in EXPLANATIONS:
        against = sorted(
            ((name, value) for name, value in raised.items() if name not in explanation.raises),
            key=lambda pair: (-pair[1], pair[0]),
        )
        fits.append(Fit(explanation.name, explanation.text, -sum(value for _, value in against), tuple(against)))
    return sorted(fits, key=lambda found: -found.fit_bits)
