"""Answer length: how many tokens does an answer yield?

Training data is bought by the token: reasoning written out, solutions with tests, long documents. Customers want the
answer, and most of theirs are short.
"""

from __future__ import annotations

from collections.abc import Mapping

import ibis

from stillwatch.model import Dimension
from stillwatch.population import Floats, Groups, Population
from stillwatch.signals.base import Field, Signal, exact


class AnswerLength(Signal):
    """Mean log2 of the output tokens."""

    name = "answer_length"
    dimension = Dimension.PURPOSE
    fact = "length"
    question = "Are the answers long?"
    statistic = "mean over members of the mean log2 of output tokens of answers that have any"
    null = "matched groups"
    resolution = 0.1
    needs = ("events.output_tokens",)

    def fields(self) -> Mapping[str, Field]:
        """Sum of log2 of output tokens, and answers."""
        return {
            "bits": Field(lambda t: exact(_answered(t).log2()).sum()),
            "answers": Field(lambda t: _answered(t).count()),
        }

    def measure(self, population: Population, groups: Groups) -> Floats:
        """log2 tokens; NaN where no request has an answer of known length."""
        return groups.share(population.total("answer_length.bits"), population.total("answer_length.answers"))


def _answered(t: ibis.Table) -> ibis.Column:
    return (t.output_tokens > 0).ifelse(t.output_tokens, None).cast("float64")


SIGNAL = AnswerLength()
