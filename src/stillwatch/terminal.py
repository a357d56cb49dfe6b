"""What a person sees while a command runs: two consoles, and progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

out = Console()
err = Console(stderr=True)


class Left(Protocol):
    """Says how long it will take."""

    def begin(self, name: str, total: int | None) -> None:
        """A stage begins."""

    def advance(self, units: int) -> None:
        """Some of it is done."""

    def tell(self, **known: int) -> None:
        """Something is known of what is worked on."""

    def left(self) -> float | None:
        """Seconds; None if unknown."""


class _Share(ProgressColumn):
    """How much of the stage is done, where its size is known."""

    def render(self, task: Task) -> Text:
        return Text("" if task.total is None else f"{task.percentage:3.0f} %")


class _Left(ProgressColumn):
    """What is left of the whole."""

    def __init__(self, said: Callable[[], str]) -> None:
        super().__init__()
        self.said = said

    def render(self, task: Task) -> Text:
        return Text(self.said(), style="dim")


class Display:
    """Progress on a terminal; on anything else one plain line a stage, and at each tenth of a long one."""

    def __init__(self, forecast: Left | None = None, spoken: Callable[[float], str] = "{:.0f} s".format) -> None:
        self.live = err.is_terminal
        self.forecast, self.spoken = forecast, spoken
        self.bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            _Share(),
            TimeElapsedColumn(),
            _Left(self._left),
            console=err,
            transient=True,
            disable=not self.live,
        )
        self.task = self.bar.add_task("starting", total=None)
        self.started = self.told = time.monotonic()
        self.name = ""
        self.total: int | None = None
        self.done = self.tenths = 0

    def stage(self, name: str, total: int | None = None) -> None:
        """Begin a stage; a stage that says its size after it began is told once."""
        again, self.name = name == self.name, name
        self.total, self.done, self.tenths = total, 0, 0
        if self.forecast is not None:
            self.forecast.begin(name, total)
        if self.live:
            self.bar.update(self.task, description=name, completed=0)
            for task in self.bar.tasks:  # `update` takes no total for "as before"
                task.total = total
        elif not again:
            self._line()

    def tell(self, *, events: int = 0, texts: int = 0, accounts: int = 0) -> None:
        """What is known of the log by now."""
        if self.forecast is not None:
            self.forecast.tell(events=events, texts=texts, accounts=accounts)

    def advance(self, units: int = 1) -> None:
        """Some of it is done."""
        if self.forecast is not None:
            self.forecast.advance(units)
        if self.live:
            self.bar.advance(self.task, units)
            return
        self.done += units
        tenths = 10 * self.done // self.total if self.total else 0
        if self.tenths < tenths < 10 and time.monotonic() - self.told >= LONG:
            self.tenths = tenths
            self._line(f" {10 * tenths} %")

    def _line(self, more: str = "") -> None:
        self.told = time.monotonic()
        left = self._left()
        line = f"[{self.told - self.started:6.1f} s] {self.name}{more}" + (f", {left}" if left else "")
        err.print(line, markup=False, highlight=False)

    def _left(self) -> str:
        seconds = self.forecast.left() if self.forecast is not None else None
        return "" if seconds is None else f"about {self.spoken(seconds)} left"

    def __enter__(self) -> Display:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()


LONG = 10.0
"""Seconds between two plain lines on one stage."""
