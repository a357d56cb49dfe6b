"""Masked text of skeletons that repeat, gathered in bounded memory while sketches stream past."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from stillwatch.engine.duckdb import limits, no_room
from stillwatch.engine.room import Room
from stillwatch.model import SKELETONS

_PARTS = {"whole": "skeleton", "lead": "lead_skeleton", "trail": "trail_skeleton", "system": "system_skeleton"}


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

    def table(self, sketches: Path | Sequence[Path], room: Room | None = None, scratch: Path | None = None) -> pa.Table:
        """`model.SKELETONS` of those that at least two events of the tables `sketches` have, by part and skeleton."""
        paths = [sketches] if isinstance(sketches, Path) else sketches
        if not paths:
            return SKELETONS.empty_table()
        keys = sorted(self.texts)
        known = pa.table({
            "part": pa.array([part for part, _ in keys], pa.string()),
            "skeleton": pa.array([value for _, value in keys], pa.uint64()),
            "text": pa.array([self.texts[key][0] for key in keys], pa.string()),
        })  # fmt: skip
        counted = " union all ".join(
            f"select '{part}' as part, {column} as skeleton, count(*) as events from read_parquet($path)"
            f" where {column} in (select skeleton from known where part = '{part}') group by all"
            for part, column in _PARTS.items()
        )
        room = room or Room()
        with duckdb.connect(config=limits(room, scratch)) as engine, no_room(room, "counting skeletons"):
            engine.register("known", known)
            found = engine.sql(
                f"select skeleton, part, text, events from known join ({counted}) using (part, skeleton)"
                " where events > 1 order by part, skeleton",
                params={"path": [str(path) for path in paths]},
            ).to_arrow_table()
        return found.cast(SKELETONS)
