"""Seconds and peak memory of each stage, for the manifest."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

from stillwatch.progress import SILENT, Progress


class Meter:
    """Collects `seconds` by stage name, in the order in which stages ran, and tells the progress display."""

    def __init__(self, progress: Progress = SILENT) -> None:
        self.seconds: dict[str, float] = {}
        self.progress = progress

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[None]:
        """Time a stage; stages of one name add."""
        self.progress.stage(name, total)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - start, 3)

    @staticmethod
    def peak_mebibytes() -> dict[str, int]:
        """Largest resident size so far of this process and of its largest finished child, in MiB."""
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        return {"process": own // 1024, "largest_child": child // 1024}
