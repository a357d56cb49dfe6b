"""How many links the test finds where by construction there are none: on views in which the holders are drawn anew."""

from __future__ import annotations

import numpy as np

from stillwatch.linking import candidates
from stillwatch.linking.fdr import q_values
from stillwatch.linking.matrix import Ints, among
from stillwatch.linking.null import Null, null
from stillwatch.linking.pairs import scan_pairs
from stillwatch.linking.shards import ALONE, Shards
from stillwatch.linking.shuffle import shuffled
from stillwatch.linking.strata import Strata
from stillwatch.settings import LinkingSettings

TESTED = 1_500
"""Nodes whose pairs are tested, drawn by hash of their names."""
SHUFFLED = 12_000
"""Most nodes whose tokens are shuffled, drawn likewise. All 72,000 of a log of 25 million events took 215 CPU seconds,
a third of linking, to find none."""


def false_links(
    control: Null,
    source: Null,
    around: Strata,
    orders: list[Ints],
    settings: LinkingSettings,
    seed: int,
    shards: Shards = ALONE,
) -> dict[str, int]:
    """False links on shuffled views of up to `SHUFFLED` nodes, by kind and view: pairs of `TESTED` of them."""
    some = np.sort(orders[0][:SHUFFLED])
    place = np.full(control.shared.nodes, -1, dtype=np.int64)
    place[some] = np.arange(len(some))
    orders = [place[order][place[order] >= 0] for order in orders[:2]]
    sample = orders[0][:TESTED]
    out: dict[str, int] = {}
    for kind, real in (("control", control), ("content", source)):
        shared = real.shared if len(some) == real.shared.nodes else among(real.shared, some)
        fake = null(shuffled(shared, seed), around.of(some), settings.scales)
        pairs = scan_pairs(fake, candidates.neighbours(fake, orders), settings.weak_log_p, sample, shards)
        links = pairs.where(q_values(pairs.log_p, len(sample) * (len(some) - 1) / 2) <= settings.fdr)
        out |= {kind: len(links)} | {view.name: 0 for view in real.shared.views}
        for v, view in enumerate(shared.views):
            out[view.name] = int(((links.views >> v) & 1).sum())
    return out
