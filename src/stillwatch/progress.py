"""How a long stage says how far it is; the command line shows it, libraries pass `SILENT`."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of each stage and each step; must be cheap and must never raise."""

    def stage(self, name: str, total: int | None = None) -> None:
        """A stage begins; `total` units of work, or None if unknown."""

    def advance(self, units: int = 1) -> None:
        """Some units of the current stage are done."""


class _Silent:
    def stage(self, name: str, total: int | None = None) -> None:
        pass

    def advance(self, units: int = 1) -> None:
        pass


SILENT: Progress = _Silent()
