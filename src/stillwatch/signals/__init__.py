"""Signals: one file each, found by scanning this package. To add one, see CONTRIBUTING.md."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from stillwatch.signals.base import Field, Signal

__all__ = ["Field", "Signal", "all_signals"]

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
