"""A command in a process of its own, with the seconds and the memory it took."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]


def run(command: Sequence[object], limit: float = 3600.0) -> dict[str, float]:
    """Wall seconds, CPU seconds, and the most memory that the process and its children held at once, in MiB.

    Memory is looked at five times a second: what the kernel reports at the end begins with that of this process.

    RuntimeError with the last lines of what it said if it fails, or is stopped after `limit` seconds.
    """
    words = [str(word) for word in command]
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(words, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)
        timer = threading.Timer(limit, child.kill)
        timer.start()
        peak = 0
        while True:
            done, status, used = os.wait4(child.pid, os.WNOHANG)
            if done:
                break
            peak = max(peak, resident(child.pid))
            time.sleep(0.2)
        timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        if child.returncode:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines()
            why = f"stopped after {limit:.0f} s" if seconds >= limit else "; ".join(lines[-3:])
            raise RuntimeError(f"{Path(words[0]).name} {' '.join(words[1:4])}: {why}"[-400:])
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "mebibytes": round(peak / 2**20),
    }


def resident(pid: int) -> int:
    """Bytes that a process and its children hold; 0 once it has ended."""
    total = 0
    try:
        for one in (found := psutil.Process(pid), *found.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.Error:
        pass
    return total
