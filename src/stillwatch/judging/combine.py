"""From signals to dimensions, without counting one fact twice.

Within a dimension the signals of one fact count once, the larger one; facts add. Facts may still overlap (a template
brings single turns with it), so the sum is calibrated once more, against the same sum on the matched groups: what
dependence adds to them as well is taken off again and shown as the row `overlap`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stillwatch.judging.calibrate import bits, tail_p
from stillwatch.model import Dimension
from stillwatch.population import Floats
from stillwatch.signals import Signal

OVERLAP = "overlap"
"""Name of the evidence row that takes off what several facts say together."""


@dataclass(frozen=True)
class Finding:
    """What one family of groups (G of them) shows; arrays are [signals, G] or [dimensions, G]."""

    statistic: Floats
    null: Floats
    bits: Floats
    dimension_p: Floats
    dimension_bits: Floats
    overlap: Floats


def facts(signal_bits: Floats, signals: Sequence[Signal], dimension: Dimension) -> Floats:
    """Bits of a dimension: the largest of each fact, added; NaN where none is available, [G] or [G, B]."""
    rows: dict[str, list[int]] = {}
    for place, signal in enumerate(signals):
        if signal.dimension is dimension:
            rows.setdefault(signal.fact, []).append(place)
    total = np.zeros(signal_bits.shape[1:])
    seen = np.zeros(signal_bits.shape[1:], dtype=bool)
    for places in rows.values():
        of_fact = signal_bits[places]
        known = np.isfinite(of_fact).any(axis=0)
        total += np.where(known, np.where(np.isfinite(of_fact), of_fact, -np.inf).max(axis=0), 0)
        seen |= known
    return np.where(seen, total, np.nan)


def combine(observed: Floats, nulls: Sequence[Floats], signals: Sequence[Signal]) -> Finding:
    """Calibrate statistics [S, G] against nulls, one [G, B] or [1, B] a signal, and combine them by dimension."""
    signal_bits = np.full(observed.shape, np.nan)
    medians = np.full(observed.shape, np.nan)
    null_bits = []
    for place, (signal, null) in enumerate(zip(signals, nulls, strict=True)):
        signal_bits[place] = bits(tail_p(observed[place], null, signal.resolution))
        medians[place] = _median(null, observed.shape[1])
        null_bits.append(bits(leave_one_out(null)))
    kinds = list(Dimension)
    p = np.full((len(kinds), observed.shape[1]), np.nan)
    total, final = p.copy(), p.copy()
    for row, dimension in enumerate(kinds):
        total[row] = facts(signal_bits, signals, dimension)
        against = facts(_stack(null_bits, signals, dimension), _of(signals, dimension), dimension)
        p[row] = tail_p(total[row], against, resolution=1.0)
        final[row] = np.fmin(total[row], bits(p[row]))
    return Finding(observed, medians, signal_bits, p, final, final - total)


def _of(signals: Sequence[Signal], dimension: Dimension) -> list[Signal]:
    return [signal for signal in signals if signal.dimension is dimension]


def _stack(null_bits: Sequence[Floats], signals: Sequence[Signal], dimension: Dimension) -> Floats:
    """Null bits of a dimension's signals as [signals, G, B]; nulls of another length are resampled evenly to one."""
    mine = [null for null, signal in zip(null_bits, signals, strict=True) if signal.dimension is dimension]
    width = min(null.shape[1] for null in mine)
    height = max(null.shape[0] for null in mine)
    even = [null[:, np.linspace(0, null.shape[1] - 1, width).astype(np.int64)] for null in mine]
    return np.stack([np.broadcast_to(null, (height, width)) for null in even])


def leave_one_out(null: Floats) -> Floats:
    """p-value of each null value among the others of its row."""
    known = np.isfinite(null)
    filled = np.where(known, null, -np.inf)
    ordered = np.sort(filled, axis=1)
    at_least = np.empty(null.shape)
    for row in range(len(null)):
        at_least[row] = null.shape[1] - np.searchsorted(ordered[row], filled[row], side="left")
    return np.where(known, at_least / np.maximum(known.sum(axis=1), 1)[:, None], np.nan)


def _median(null: Floats, groups: int) -> Floats:
    """Median of each row's answers, broadcast to [groups]; NaN where there is none."""
    out = np.full(len(null), np.nan)
    some = np.isfinite(null).any(axis=1)
    out[some] = np.nanmedian(null[some], axis=1)
    return np.broadcast_to(out, (groups,)) if len(out) != groups else out
