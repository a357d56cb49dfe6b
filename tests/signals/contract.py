"""What every signal has to keep, for use on signals of one's own: `check_metadata`, `check_answers`, `check_groups`."""

from __future__ import annotations

import dataclasses
import random
import warnings
from collections.abc import Sequence

import numpy as np

from stillwatch.model import ACCOUNTS, EVENTS, Dimension
from stillwatch.population import Floats, Groups, Ints, Population
from stillwatch.signals import Signal


def check_metadata(signal: Signal) -> None:
    """Texts that the report prints, and words that other stages look up."""
    for text in (signal.name, signal.fact, signal.question, signal.statistic, signal.null):
        assert text.strip() == text != ""
    assert signal.name.isidentifier()
    assert signal.question.endswith("?")
    assert isinstance(signal.dimension, Dimension)
    assert signal.background in ("matched", "customers")
    assert signal.min_accounts >= 1
    assert signal.resolution > 0
    known = {f"events.{name}" for name in EVENTS.names} | {f"accounts.{name}" for name in ACCOUNTS.names}
    assert set(signal.needs) <= known
    assert all(name.isidentifier() and kept.merge in ("sum", "min", "max") for name, kept in signal.fields().items())


def answers(signal: Signal, population: Population, groups: Groups) -> Floats:
    """A signal's statistics, with every warning an error, twice: asking must not change the population."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, again = signal.statistics(population, groups), signal.statistics(population, groups)
        support = signal.support(population, groups)
    for values in (first, support):
        assert values.shape == (len(groups),)
        assert values.dtype == np.float64
        assert not np.isinf(values).any()
    assert (support >= 0).all()
    np.testing.assert_array_equal(first, again)
    return first


def check_invariance(signal: Signal, population: Population, lists: Sequence[Ints], rng: random.Random) -> None:
    """Neither the order of accounts, of table rows and of members matters, nor which other groups are asked about."""
    expected = answers(signal, population, Groups.of(lists, len(population)))
    order = np.asarray(rng.sample(range(len(population)), len(population)), dtype=np.int64)
    place = np.argsort(order)
    other = dataclasses.replace(
        population,
        ids=population.ids[order],
        hand=None if population.hand is None else population.hand[order],
        authorised={int(place[row]): value for row, value in population.authorised.items()},
        summaries=_shuffled(population.summaries, rng),
        traits_table=_shuffled(population.traits_table, rng),
        accounts=None if population.accounts is None else _shuffled(population.accounts, rng),
    )
    moved = [place[np.asarray(rng.sample(rows.tolist(), len(rows)), dtype=np.int64)] for rows in lists]
    asked = [number for number in range(len(lists)) if rng.random() < 0.5]
    got = answers(signal, other, Groups.of([moved[number] for number in asked], len(other)))
    np.testing.assert_allclose(got, expected[asked], rtol=1e-9, atol=1e-9, err_msg=signal.name)


def _shuffled(table, rng: random.Random):  # type: ignore[no-untyped-def]
    return table.take(rng.sample(range(len(table)), len(table)))
