"""What is free goes back to the system, and reading runs takes the memory of one thread."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

from stillwatch.decisions import load_policy
from stillwatch.service.keys import Keys
from stillwatch.service.live import Live, Setup
from stillwatch.service.looking import Walk


def test_arrow_takes_its_memory_where_free_memory_is_given_back() -> None:
    code = (
        "import stillwatch.cli, stillwatch.service.server, pyarrow as pa; print(pa.default_memory_pool().backend_name)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "ARROW_DEFAULT_MEMORY_POOL"}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "system"


def test_runs_are_read_in_one_thread_whatever_else_goes_on(tmp_path: Path) -> None:
    walk = Walk(tmp_path / "state", tmp_path, str(tmp_path / "parcels.sqlite"))

    async def read() -> set[int]:
        live = Live(Setup(walk, load_policy(None), Keys(), looks=False))
        try:
            several = [live.aside(threading.get_ident) for _ in range(8)]
            others = [asyncio.to_thread(live.watch.waiting) for _ in range(4)]
            return set((await asyncio.gather(*several, *others))[: len(several)])
        finally:
            await live.stop()

    assert len(asyncio.run(read())) == 1
