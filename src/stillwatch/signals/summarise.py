"""Sketches -> summaries: every signal's fields in one pass, and their merge.

summarise(a + b) == merge(summarise(a), summarise(b)), for any cut of the log.
"""

from __future__ import annotations

from collections.abc import Sequence

import ibis.expr.types as ir

from stillwatch.signals.base import Field, Signal


def columns(signals: Sequence[Signal]) -> dict[str, Field]:
    """`signal.field` -> Field, over all signals."""
    return {f"{signal.name}.{name}": kept for signal in signals for name, kept in signal.fields().items()}


def summarise(sketches: ir.Table, signals: Sequence[Signal]) -> ir.Table:
    """One row an account and UTC day, one column a field; days without events have no row."""
    dated = sketches.mutate(day=sketches.time.date())
    values = {name: kept.value(dated).cast("float64") for name, kept in columns(signals).items()}
    return dated.group_by("account_id", "day").aggregate(**values).order_by("account_id", "day")


def merge(summaries: ir.Table, signals: Sequence[Signal]) -> ir.Table:
    """Rows of the same account and day become one; sums add, minima and maxima hold, null is neutral."""
    values = {name: getattr(summaries[name], kept.merge)() for name, kept in columns(signals).items()}
    return summaries.group_by("account_id", "day").aggregate(**values).order_by("account_id", "day")
