"""Signals: one file each, found by scanning this package. To add one, see CONTRIBUTING.md."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection
from functools import cache

from stillwatch.errors import UsageError
from stillwatch.signals.base import Field, Signal

__all__ = ["Field", "Signal", "all_signals", "chosen_signals"]

_NOT_SIGNALS = {"base", "summarise"}


@cache
def all_signals() -> tuple[Signal, ...]:
    """Every signal of this package, by dimension and name."""
    found = [
        importlib.import_module(f"{__name__}.{module.name}").SIGNAL
        for module in pkgutil.iter_modules(__path__)
        if module.name not in _NOT_SIGNALS and not module.name.startswith("_")
    ]
    return tuple(sorted(found, key=lambda signal: (signal.dimension, signal.name)))


def chosen_signals(without: Collection[str]) -> tuple[Signal, ...]:
    """Every signal but those named; UsageError if one does not exist or a dimension has none left."""
    unknown = sorted(set(without) - {signal.name for signal in all_signals()})
    if unknown:
        raise UsageError(f"settings: judging.without: no signal is called {unknown[0]!r}")
    kept = tuple(signal for signal in all_signals() if signal.name not in without)
    empty = sorted({s.dimension.value for s in all_signals()} - {s.dimension.value for s in kept})
    if empty:
        raise UsageError(f"settings: judging.without: no signal of {empty[0]} is left")
    return kept
