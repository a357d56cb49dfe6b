"""Ratios of many events to several operators at once, against `likeness` one operator at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.linking.likeness import COLUMNS, EMPTY, Likeness, fit
from stillwatch.linking.scoring import Scoring


def events(n: int, seed: int) -> pa.Table:
    """Requests of all kinds, nulls in every column that may have them."""
    rng = np.random.default_rng(seed)

    def some(values: list[Any]) -> Any:
        return values[rng.integers(len(values))]

    rows = []
    for _ in range(n):
        vector = some([rng.bytes(64), bytes(64), None, rng.integers(0, 9, 64, np.int8).tobytes()])
        rows.append(
            {
                "vector": vector, "system_skeleton": some([None, 7]), "max_tokens": some([None, 512, 4096, 77]),
                "temperature": some([None, 0.0, 0.7, 1e-7]), "top_p": some([None, 1.0]),
                "tools_skeleton": some([None, 3, 2**63]), "model": some(["m", "n"]),
                "script": some([None, "latin", "-"]), "turns": some([None, 1, 9]), "words": some([None, 0, 300]),
                "output_tokens": some([None, 5]), "reasoning_tokens": some([None, 50]), "elicitation": some([0.0, 0.4]),
                "grading": some([None, 0.9]),
            }
        )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=EMPTY.schema).select(COLUMNS)


@pytest.mark.parametrize("coded", [False, True])
def test_ratios_are_those_of_each_operator_alone(coded: bool) -> None:
    ratios: list[Likeness] = [fit(events(200, k), events(150, 10 + k)) for k in range(3)] + [fit(EMPTY, EMPTY)]
    rare = events(30, 5)
    rare = rare.set_column(rare.schema.get_field_index("model"), "model", pa.array(["rare"] * 30, pa.string()))
    ratios.append(fit(rare.cast(EMPTY.schema), events(30, 6)))
    table = events(300, 99)
    batch = table.combine_chunks().to_batches()[0]
    if coded:
        for name in ("model", "script"):
            batch = batch.set_column(batch.schema.get_field_index(name), name, batch[name].dictionary_encode())
    # a part of a batch begins within its columns
    batch = batch.slice(20)
    rng = np.random.default_rng(0)
    row, which = rng.integers(0, 280, 900), rng.integers(0, len(ratios), 900)
    alone = np.stack([ratio.log_ratio(table.slice(20)) for ratio in ratios])
    assert Scoring(ratios).log_ratio(batch, row, which) == pytest.approx(alone[which, row], abs=1e-9)
    assert np.abs(alone[which, row]).max() > 1
