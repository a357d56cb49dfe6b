"""Likeness of many events to several operators at once: the same ratios as `likeness`, without a matrix of features.

Each event's features are read where they lie, and a choice adds the weight of its value from a table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest.text.vector import unpacked
from stillwatch.linking.likeness import CHOICES, MOST_NATS, NUMBERS, PARAMETERS, Likeness
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.model import LABELS, VECTOR

FEW = VECTOR + 2 + 2 * len(NUMBERS) + len(LABELS)
"""Columns of `likeness.features` before the choices."""


class Scoring:
    """Of several fitted ratios."""

    def __init__(self, ratios: Sequence[Likeness]) -> None:
        plain = [ratio.weight[1:] / ratio.scale for ratio in ratios]
        self.base = np.array(
            [ratio.weight[0] - float(ratio.mean @ weight) for ratio, weight in zip(ratios, plain, strict=True)]
        )
        self.few = np.array([weight[:FEW] for weight in plain]).reshape(-1, FEW)
        self.values: dict[str, pa.Array] = {}
        self.tables: dict[str, Floats] = {}
        at = [FEW] * len(ratios)
        for name in CHOICES:
            values = sorted({value for ratio in ratios for value in ratio.choices[name]})
            table = np.empty((len(ratios), len(values) + 1))
            for k, ratio in enumerate(ratios):
                known = ratio.choices[name]
                weights = dict(zip(known, plain[k][at[k] :].tolist(), strict=False))
                rest = float(plain[k][at[k] + len(known)])
                table[k] = [*(weights.get(value, rest) for value in values), rest]
                at[k] += len(known) + 1
            self.values[name], self.tables[name] = pa.array(values, pa.string()), table

    def log_ratio(self, events: pa.RecordBatch, row: Ints, which: Ints) -> Floats:
        """Natural log of the ratio `which` at event `row`, [P] each, within `MOST_NATS` of 0."""
        vector, there = unpacked(events["vector"])
        out = np.empty(len(row))
        _ratios(out, row, which, vector, there, _rest(events), self.base, self.few)
        for name in CHOICES:
            codes = (
                _parameters(events, self.values[name])
                if name == "parameters"
                else _coded(events[name], self.values[name])
            )
            out += self.tables[name][which, codes[row]]
        return np.clip(out, -MOST_NATS, MOST_NATS)


def _rest(events: pa.RecordBatch) -> Floats:
    """Columns of `likeness.features` between the vector and the choices, but whether there is a vector, [n, R]."""
    columns = [events["system_skeleton"].is_valid().to_numpy(zero_copy_only=False)]
    for name in NUMBERS:
        value = events[name].cast(pa.float64()).to_numpy(zero_copy_only=False)
        columns += [np.log1p(np.maximum(np.nan_to_num(value), 0.0)), np.isfinite(value)]
    columns += [np.nan_to_num(events[name].cast(pa.float64()).to_numpy(zero_copy_only=False)) for name in LABELS]
    return np.ascontiguousarray(np.stack(columns, axis=1), dtype=np.float64)


def _dictionary(values: pa.Array) -> tuple[pa.Array, Ints]:
    """Different values as text, and the code of each event's; null is a value, `-`."""
    coded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    texts = coded.dictionary.cast(pa.string())
    codes = coded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False).astype(np.int64)
    return pa.concat_arrays([texts, pa.array(["-"], pa.string())]), codes


def _coded(values: pa.Array, known: pa.Array) -> Ints:
    """Place of each event's value among the known ones, their number for another, [n]."""
    texts, codes = _dictionary(values)
    place = pc.index_in(texts, value_set=known).fill_null(len(known)).to_numpy().astype(np.int64)
    return np.asarray(place[codes])


def _parameters(events: pa.RecordBatch, known: pa.Array) -> Ints:
    """The same for the parameters that were asked for together."""
    parts = [_dictionary(events[name]) for name in PARAMETERS]
    shape = tuple(len(texts) for texts, _ in parts)
    different, code = np.unique(np.ravel_multi_index([codes for _, codes in parts], shape), return_inverse=True)
    chosen = zip(parts, np.unravel_index(different, shape), strict=True)
    words = pc.binary_join_element_wise(*(texts.take(pa.array(codes)) for (texts, _), codes in chosen), "|")
    place = pc.index_in(words, value_set=known).fill_null(len(known)).to_numpy().astype(np.int64)
    return np.asarray(place[code.reshape(-1)])


# sums in any order: several products at once
@nb.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _ratios(out, row, which, vector, there, rest, base, few):  # type: ignore[no-untyped-def]
    width = vector.shape[1]
    for k in range(len(out)):
        event, of = row[k], which[k]
        total = base[of]
        if there[event]:
            dot, square = 0.0, 0.0
            for j in range(width):
                value = float(vector[event, j])
                dot += value * few[of, j]
                square += value * value
            length = np.sqrt(square)
            total += dot / max(length, 1e-9)
            if length > 0:
                total += few[of, width]
        for j in range(rest.shape[1]):
            total += rest[event, j] * few[of, width + 1 + j]
        out[k] = total
