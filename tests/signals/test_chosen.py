"""Signals that are left out by the settings."""

from __future__ import annotations

import pytest

from stillwatch.errors import UsageError
from stillwatch.model import Dimension
from stillwatch.signals import all_signals, chosen_signals


def test_those_named_are_left_out() -> None:
    names = {signal.name for signal in chosen_signals(("rhythm", "coverage"))}
    assert names == {signal.name for signal in all_signals()} - {"rhythm", "coverage"}


def test_a_name_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="no signal is called 'rythm'"):
        chosen_signals(("rythm",))


@pytest.mark.parametrize("dimension", list(Dimension))
def test_no_dimension_may_be_empty(dimension: Dimension) -> None:
    with pytest.raises(UsageError, match=f"no signal of {dimension.value} is left"):
        chosen_signals([signal.name for signal in all_signals() if signal.dimension is dimension])
