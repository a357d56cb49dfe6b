"""Masked text of skeletons that repeat, gathered in bounded memory while sketches stream past."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.engine.base import Engine
from stillwatch.model import SKELETONS

_PARTS = {"whole": "skeleton", "lead": "lead_skeleton", "system": "system_skeleton"}


class Exemplars:
    """Texts by part and skeleton, with how often batches named them; when there are too many, the rarest go."""

    def __init__(self, limit: int = 200_000) -> None:
        self.limit = limit
        self.texts: dict[tuple[str, int], tuple[str, int]] = {}

    def add(self, skeletons: pa.RecordBatch | pa.Table) -> None:
        """Take a batch of `model.SKELETONS`."""
        for row in skeletons.to_pylist():
            key = (row["part"], row["skeleton"])
            text, n = self.texts.get(key, (row["text"], 0))
            self.texts[key] = (text, n + row["events"])
        if len(self.texts) > self.limit:
            order = sorted(self.texts, key=lambda key: (-self.texts[key][1], key))
            self.texts = {key: self.texts[key] for key in order[: self.limit // 2]}

    def known(self) -> pa.Table:
        """part, skeleton and text of what was gathered, in order."""
        keys = sorted(self.texts)
        return pa.table({
            "part": pa.array([part for part, _ in keys], pa.string()),
            "skeleton": pa.array([value for _, value in keys], pa.uint64()),
            "text": pa.array([self.texts[key][0] for key in keys], pa.string()),
        })  # fmt: skip

    def table(self, sketches: Sequence[Path], engine: Engine, scratch: Path) -> pa.Table:
        """`model.SKELETONS` of those that at least two events of the tables `sketches` have, by part and skeleton."""
        if not sketches or not self.texts:
            return SKELETONS.empty_table()
        known = scratch / "known.parquet"
        pq.write_table(self.known(), known)
        return engine.run(counted(engine.table(sketches), engine.table(known))).cast(SKELETONS)


def counted(sketches: ir.Table, known: ir.Table) -> ir.Table:
    """Of the texts `known` those that at least two events have, with how many, by part and skeleton."""
    counts = []
    for part, column in _PARTS.items():
        wanted = known.filter(known.part == part).select("skeleton")
        here = sketches.select(skeleton=column).semi_join(wanted, "skeleton")
        counts.append(here.group_by("skeleton").agg(events=here.count()).mutate(part=ibis.literal(part)))
    found = known.inner_join(ibis.union(*counts, distinct=False), ["part", "skeleton"])
    found = found.filter(found.events > 1).order_by("part", "skeleton")
    return found.select("skeleton", "part", "text", "events")
