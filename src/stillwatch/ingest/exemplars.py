"""Masked text of skeletons that repeat, gathered in bounded memory while sketches stream past."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from stillwatch.model import SKELETONS

_BITS = 1 << 27
_PARTS = {"whole": "skeleton", "lead": "lead_skeleton", "trail": "trail_skeleton", "system": "system_skeleton"}


class Exemplars:
    """Keeps the text of a skeleton from its second appearance on; of the rarest it forgets when there are too many.

    Which were seen once is kept in a bitmap by hash (16 MiB): a collision only keeps a text early, and the exact
    counts taken from the sketches at the end drop it again.
    """

    def __init__(self, limit: int = 200_000, text: int = 2_000) -> None:
        self.limit, self.text = limit, text
        self.seen = np.zeros(_BITS // 8, dtype=np.uint8)
        self.texts: dict[tuple[str, int], tuple[str, int]] = {}

    def add(self, skeletons: pa.RecordBatch) -> None:
        """Take a batch of `model.SKELETONS`."""
        if not skeletons.num_rows:
            return
        hashes = skeletons.column("skeleton").to_numpy(zero_copy_only=False).astype(np.uint64)
        counts = skeletons.column("events").to_numpy(zero_copy_only=False)
        place = hashes % np.uint64(_BITS)
        byte, bit = (place >> np.uint64(3)).astype(np.int64), np.uint8(1) << (place & np.uint64(7)).astype(np.uint8)
        wanted = ((self.seen[byte] & bit) != 0) | (counts > 1)
        np.bitwise_or.at(self.seen, byte, bit)
        for row in np.flatnonzero(wanted).tolist():
            key = (skeletons.column("part")[row].as_py(), int(hashes[row]))
            text, n = self.texts.get(key, ("", 0))
            self.texts[key] = (text or skeletons.column("text")[row].as_py()[: self.text], n + int(counts[row]))
        if len(self.texts) > self.limit:
            order = sorted(self.texts, key=lambda key: (-self.texts[key][1], key))
            self.texts = {key: self.texts[key] for key in order[: self.limit // 2]}

    def table(self, sketches: Path) -> pa.Table:
        """`model.SKELETONS` of those that at least two events of the table `sketches` have, by part and skeleton."""
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
        with duckdb.connect(config={"memory_limit": "1GB", "threads": 2}) as engine:
            engine.register("known", known)
            found = engine.sql(
                f"select skeleton, part, text, events from known join ({counted}) using (part, skeleton)"
                " where events > 1 order by part, skeleton",
                params={"path": str(sketches)},
            ).to_arrow_table()
        return found.cast(SKELETONS)
