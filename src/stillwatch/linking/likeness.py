"""How much likelier an event is an operator's than anybody else's: a ratio of likelihoods learnt from the log itself.

Positive examples are the conversations of an operator's members in which a mark of its stands, negative ones those of
accounts that have nothing to do with it; marks themselves are no feature. A ridge logistic regression with both classes
weighed alike gives log odds, which are log likelihood ratios then. Members' other conversations are not examples: they
are what is to be told apart (learning from positive and unlabelled data; Elkan and Noto 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest.text.vector import unpacked
from stillwatch.linking.matrix import Floats
from stillwatch.model import LABELS, SKETCHES

CHOICES = ("parameters", "tools_skeleton", "model", "script")
NUMBERS = ("turns", "words", "output_tokens", "reasoning_tokens")
"""As log(1 + x), with one more column that says whether the number is there."""
PARAMETERS = ("max_tokens", "temperature", "top_p")
COLUMNS = ("vector", "system_skeleton", *PARAMETERS, *CHOICES[1:], *NUMBERS, *LABELS)
"""Of model.SKETCHES, that are read."""
EMPTY = pa.schema([SKETCHES.field(name) for name in COLUMNS]).empty_table()
MOST_CHOICES = 16
RIDGE = 1.0
STEPS = 10
MOST_NATS = 6.0
"""Most that one event says, whichever way."""


def _parameters(events: pa.Table) -> pa.Array:
    parts = [events[name].cast(pa.string()).fill_null("-").combine_chunks() for name in PARAMETERS]
    return pc.binary_join_element_wise(*parts, "|")


def _choice(events: pa.Table, name: str) -> pa.Array:
    column = _parameters(events) if name == "parameters" else events[name].cast(pa.string()).combine_chunks()
    return column.fill_null("-")


@dataclass(frozen=True)
class Likeness:
    """A fitted ratio; `log_ratio` gives natural logs, [n]."""

    choices: dict[str, list[str]]
    mean: Floats
    scale: Floats
    weight: Floats

    def log_ratio(self, events: pa.Table) -> Floats:
        """Of each event of a table with `COLUMNS`, within `MOST_NATS` of 0."""
        x = (features(events, self.choices) - self.mean) / self.scale
        return np.clip(x @ self.weight[1:] + self.weight[0], -MOST_NATS, MOST_NATS)


def features(events: pa.Table, choices: dict[str, list[str]]) -> Floats:
    """[n, F]: the content vector at length 1, what is there and how much of it, labels, and one column a choice."""
    vector = unpacked(events["vector"])[0].astype(np.float64)
    length = np.sqrt((vector**2).sum(axis=1, keepdims=True))
    blocks = [vector / np.maximum(length, 1e-9), length > 0, events["system_skeleton"].is_valid().to_numpy()[:, None]]
    for name in NUMBERS:
        value = events[name].cast(pa.float64()).to_numpy()
        blocks += [np.log1p(np.maximum(np.nan_to_num(value), 0.0))[:, None], np.isfinite(value)[:, None]]
    blocks += [np.nan_to_num(events[name].cast(pa.float64()).to_numpy())[:, None] for name in LABELS]
    for name, values in choices.items():
        at = pc.index_in(_choice(events, name), value_set=pa.array(values, pa.string())).fill_null(len(values))
        blocks.append(np.eye(len(values) + 1)[np.asarray(at.to_numpy(zero_copy_only=False), np.int64)])
    return np.hstack([np.asarray(block, np.float64) for block in blocks])


def fit(positive: pa.Table, negative: pa.Table) -> Likeness:
    """From examples, both with `COLUMNS`; with no positive or no negative one the ratio is 1 everywhere."""
    events = pa.concat_tables([positive.select(COLUMNS), negative.select(COLUMNS)]).combine_chunks()
    choices = {name: _frequent(events, name) for name in CHOICES}
    x = features(events, choices)
    mean, scale = x.mean(axis=0) if len(x) else np.zeros(x.shape[1]), np.ones(x.shape[1])
    if len(positive) and len(negative):
        scale = np.maximum(x.std(axis=0), 1e-3)
    y = np.arange(len(x)) < len(positive)
    each = np.where(y, 0.5 / max(len(positive), 1), 0.5 / max(len(negative), 1)) * len(x)
    weight = np.zeros(x.shape[1] + 1)
    if len(positive) and len(negative):
        weight = logistic((x - mean) / scale, y, each)
    return Likeness(choices, mean, scale, weight)


def logistic(x: Floats, y: np.ndarray, each: Floats) -> Floats:
    """Weights of a ridge logistic regression, the intercept first and free, by Newton's method."""
    design = np.hstack([np.ones((len(x), 1)), x])
    ridge = np.full(design.shape[1], RIDGE)
    ridge[0] = 1e-6
    weight = np.zeros(design.shape[1])
    rooted = np.empty_like(design)
    for _ in range(STEPS):
        odds = np.clip(design @ weight, -30, 30)
        p = 1.0 / (1.0 + np.exp(-odds))
        slope = design.T @ (each * (p - y)) + ridge * weight
        # a matrix times its own transpose is worked out by halves
        np.multiply(design, np.sqrt(each * np.maximum(p * (1 - p), 1e-6))[:, None], out=rooted)
        curve = rooted.T @ rooted + np.diag(ridge)
        step = np.linalg.solve(curve, slope)
        weight -= step
        if np.abs(step).max() < 1e-6:
            break
    return weight


def _frequent(events: pa.Table, name: str) -> list[str]:
    """The choices that stand most often, ties by name."""
    counted = pc.value_counts(_choice(events, name)).to_pylist()
    return sorted(
        str(row["values"]) for row in sorted(counted, key=lambda r: (-r["counts"], r["values"]))[:MOST_CHOICES]
    )
