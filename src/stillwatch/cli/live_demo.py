"""`stillwatch serve --demo`: a small world is made and sent to the service as if it happened now, only faster."""

from __future__ import annotations

import io
import time
import urllib.error
import urllib.request
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

SCALE, SEED, SECONDS = 0.3, 7, 30.0
"""Size and seed of the world, and the time in which its days are sent."""
ROWS = 2_000


def make_world(folder: Path) -> None:
    """The world `demo`, if it is not there."""
    from stillwatch.worlds import write_world

    if not (folder / "events").is_dir():
        write_world("demo", folder, scale=SCALE, seed=SEED)


def send(url: str, folder: Path) -> BaseProcess:
    """Start a process that sends the world to the service, day by day."""
    process = get_context("spawn").Process(target=_send, args=(url, folder), daemon=True)
    process.start()
    return process


def _send(url: str, folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from stillwatch.service.children import end_with_parent

    end_with_parent("demo")
    days = [pq.read_table(path, partitioning=None) for path in sorted((folder / "events").rglob("*.parquet"))]
    events = sum(map(len, days))
    began, sent = time.monotonic(), 0
    for day in days:
        for batch in day.sort_by("time").to_batches(ROWS):
            sink = io.BytesIO()
            with pa.ipc.new_stream(sink, batch.schema) as out:
                out.write_batch(batch)
            if not _post(f"{url}/v1/events", sink.getvalue()):
                return
            sent += batch.num_rows
            time.sleep(max(0.0, began + SECONDS * sent / events - time.monotonic()))


def _post(url: str, data: bytes) -> bool:
    """Send a body until it is taken; False if the service has ended."""
    headers = {"content-type": "application/vnd.apache.arrow.stream"}
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60):
                return True
        except urllib.error.HTTPError as error:
            if error.code not in {429, 503}:
                raise
            time.sleep(float(error.headers.get("retry-after", "1")))
        except (urllib.error.URLError, ConnectionError):
            return False
