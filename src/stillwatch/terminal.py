"""What a person sees while a command runs: two consoles, and progress."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

out = Console()
err = Console(stderr=True)


class Display:
    """Progress on a terminal; on anything else one plain line a stage."""

    def __init__(self) -> None:
        self.live = err.is_terminal
        self.bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=err,
            transient=True,
            disable=not self.live,
        )
        self.task = self.bar.add_task("starting", total=None)
        self.started = time.monotonic()
        self.name = ""

    def stage(self, name: str, total: int | None = None) -> None:
        """Begin a stage; a stage that says its size after it began is told once."""
        again, self.name = name == self.name, name
        if self.live:
            self.bar.update(self.task, description=name, total=total, completed=0)
        elif not again:
            err.print(f"[{time.monotonic() - self.started:6.1f} s] {name}", markup=False, highlight=False)

    def advance(self, units: int = 1) -> None:
        """Some of it is done."""
        if self.live:
            self.bar.advance(self.task, units)

    def __enter__(self) -> Display:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()
