"""The ratio of likelihoods: against another solver, and what it may not depend on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.optimize import minimize

from stillwatch.linking.likeness import COLUMNS, MOST_NATS, RIDGE, fit, logistic
from stillwatch.model import SKETCHES


def events(n: int, seed: int, **what: Any) -> pa.Table:
    """Requests about one thing each, with what is given the same in all."""
    rng = np.random.default_rng(seed)
    row = {"source_id": 0, "source_row": 1, "time": datetime(2026, 3, 1, tzinfo=UTC), "account_id": "a", "model": "m"}
    rows = []
    for k in range(n):
        vector = rng.integers(-40, 40, 64) + 60 * np.eye(64)[what.get("about", 0)]
        content = vector.astype(np.int8).tobytes()
        rest = {name: value for name, value in what.items() if name != "about"}
        rows.append({**row, "event_id": f"{seed}-{k}", "vector": content, "words": int(rng.integers(5, 50)), **rest})
    return pa.Table.from_pylist(rows, schema=SKETCHES).select(COLUMNS)


def test_requests_about_the_operator_s_thing_are_likelier_its_own() -> None:
    fitted = fit(events(300, 1, about=3, max_tokens=4096), events(300, 2, about=9, max_tokens=512))
    mine, theirs = (
        fitted.log_ratio(events(100, seed, about=k, max_tokens=t)) for seed, k, t in ((3, 3, 4096), (4, 9, 512))
    )
    assert (mine > 1).mean() > 0.95
    assert (theirs < -1).mean() > 0.95
    assert np.abs(np.concatenate([mine, theirs])).max() <= MOST_NATS


def test_the_order_of_examples_does_not_count() -> None:
    positive, negative, new = events(80, 1, about=3), events(120, 2, about=9), events(50, 5, about=3)
    order = np.random.default_rng(0).permutation(120)
    one, two = (fit(positive, table).log_ratio(new) for table in (negative, negative.take(pa.array(order))))
    assert two == pytest.approx(one, abs=1e-5)


@pytest.mark.parametrize(("positive", "negative"), [(0, 20), (20, 0), (0, 0)])
def test_without_examples_of_both_kinds_nothing_is_said(positive: int, negative: int) -> None:
    fitted = fit(events(positive, 1), events(negative, 2))
    assert fitted.log_ratio(events(5, 3)).tolist() == [0.0] * 5


def test_events_without_text_are_scored_by_the_rest() -> None:
    blank = events(30, 6, max_tokens=4096).set_column(0, "vector", pa.nulls(30, SKETCHES.field("vector").type))
    fitted = fit(events(200, 1, about=3, max_tokens=4096), events(200, 2, about=9, max_tokens=512))
    assert np.isfinite(fitted.log_ratio(blank)).all()


def test_weights_are_those_of_another_solver() -> None:
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(200, 4)), rng.random(200) < 0.4
    each = np.where(y, 1.3, 0.8)

    def loss(weight: np.ndarray[Any, Any]) -> float:
        odds = weight[0] + x @ weight[1:]
        return float((each * (np.logaddexp(0, odds) - y * odds)).sum() + RIDGE / 2 * (weight[1:] ** 2).sum())

    slow = minimize(loss, np.zeros(5), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 20_000})
    assert logistic(x, y, each) == pytest.approx(slow.x, abs=1e-3)
