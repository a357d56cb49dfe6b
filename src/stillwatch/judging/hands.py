"""What linking proved about one hand, as evidence of the dimension source.

Linking found a group by what its accounts ask and tested what they share: addresses, cards, sign-ups. That and the
signals (coordination, task bank, hand-over) are two tests of one null, that the accounts are strangers; the smaller p
counts, twice (Bonferroni).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stillwatch.judging.calibrate import P_FLOOR, bits
from stillwatch.judging.combine import Finding
from stillwatch.judging.verdict import SOURCE
from stillwatch.population import Floats

ONE_HAND = "one_hand"
"""Name of the evidence row."""
MOST = float(bits(np.array([P_FLOOR]))[0])
"""Bits that one finding may be worth."""


def weigh(finding: Finding, hand_bits: Floats) -> Finding:
    """The finding with `hand_bits` (-log2 p, [G], NaN where not tested) in the dimension source."""
    by_link = np.clip(np.exp2(-hand_bits), P_FLOOR, 1.0)
    by_signal = finding.dimension_p[SOURCE]
    both = np.minimum(2 * np.fmin(by_link, by_signal), 1.0)
    p, worth = finding.dimension_p.copy(), finding.dimension_bits.copy()
    p[SOURCE] = np.where(np.isfinite(by_link), both, by_signal)
    worth[SOURCE] = np.where(np.isfinite(by_link), bits(p[SOURCE]), worth[SOURCE])
    counted = np.where(np.isfinite(by_link), np.minimum(np.maximum(hand_bits, 0.0), MOST), 0.0)
    facts = np.nan_to_num(finding.dimension_bits[SOURCE] - finding.overlap[SOURCE])
    overlap = finding.overlap.copy()
    overlap[SOURCE] = np.where(np.isfinite(by_link), worth[SOURCE] - counted - facts, overlap[SOURCE])
    return replace(finding, dimension_p=p, dimension_bits=worth, overlap=overlap)
