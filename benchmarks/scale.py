"""How a scan grows with the log: seconds by stage, peak memory, and the ratio to reading the same columns.

    python benchmarks/scale.py [--scales 1 3 10] [--repeat 1] [--threads 2] [--memory 3GB] [--no-text] [--words N]
    python benchmarks/scale.py --world FOLDER --called NAME [--threads 2] [--memory 3GB]

A scale of 1 is the world `innocent` at full size, about 1.07 million events of 6,000 accounts over 28 days; at 10 it
has ten times the events and the accounts. In each run DuckDB first reads all columns that the scan reads, decoded, with
as many threads; then the command line scans in a process of its own, whose memory and processor seconds (with its
children's) are sampled, and what its display said about the time left is kept. On a machine that others use, wall clock
says little: processor seconds are what to compare. With --no-text the log has no columns of text, as if sketches were
there already. With --words N prompts are longer, N words in the median: other prompts of the file stand behind them.
With --repeat N the 28 days come N times, one after the other, as later days of the same accounts: ids of events and
conversations are new, all else is as before; so a log of a hundred million events need not be drawn.
With --world FOLDER the log is that of the world which is there already, and its run stays in FOLDER/run
(`benchmarks/detection.py named --scanned` holds it against the truth: its ids stay as they are, where all other scans
make pseudonyms, as a scan does if nothing is said). Results are added to benchmarks/results/scale.json;
docs/performance.md is written from them (benchmarks/performance_page.py).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import threading
import time
import zlib
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from stillwatch.ingest.tally import unused
from stillwatch.model import EVENTS
from stillwatch.settings import IngestSettings

RESULTS = Path(__file__).parent / "results" / "scale.json"
PAUSE = 2.0
"""Seconds between two looks at a process: asking for its share of memory costs time of its own."""
DAYS = 28
"""Of the world."""
TEXT = ("system", "messages", "tools", "response")
BEGINS, ENDS = '"content":"', '"}]}]'
"""Around the last text of messages, as worlds write them."""
SPREAD = 0.8
"""Standard deviation of the logarithm of a prompt's length."""
LINE = re.compile(r"\[ *([\d.]+) s\] (.*?)(?: \d+ %)?(?:, about (.+) left)?$")


def world_at(scale: float, work: Path) -> Path:
    """The world, made if it is not there."""
    world = work / f"world-{scale:g}"
    if not (world / "truth" / "accounts.parquet").exists():
        subprocess.run(stillwatch("world", "innocent", "--out", world, "--scale", str(scale)), check=True)
    return world


def without_text(world: Path, work: Path) -> Path:
    """Its events without columns of text."""
    out = work / f"{world.name}-no-text"
    if not (out / ".whole").exists():
        shutil.rmtree(out, ignore_errors=True)
        for path in sorted((world / "events").rglob("*.parquet")):
            target = out / path.relative_to(world / "events")
            target.parent.mkdir(parents=True, exist_ok=True)
            names = [name for name in pq.read_schema(path).names if name not in TEXT]
            pq.write_table(pq.read_table(path, columns=names, partitioning=None), target, compression="zstd")
        (out / ".whole").touch()
    return out


def lengthened(events: Path, words: int, work: Path) -> Path:
    """Its events with prompts of log-normal length, `words` in the median: what others ask is put behind them."""
    out = work / f"{events.parent.name}-words-{words}"
    if not (out / ".whole").exists():
        shutil.rmtree(out, ignore_errors=True)
        names = [path.relative_to(events) for path in sorted(events.rglob("*.parquet"))]
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            for done in [pool.submit(_lengthen, events, name, words, out) for name in names]:
                done.result()
        (out / ".whole").touch()
    return out


def _lengthen(events: Path, name: Path, words: int, out: Path) -> None:
    """One file of it."""
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    table = pq.read_table(events / name, partitioning=None)
    rng = np.random.default_rng([words, zlib.crc32(str(name).encode())])
    longer = pa.array(_longer(table["messages"].to_pylist(), words, rng), table.schema.field("messages").type)
    table = table.set_column(table.column_names.index("messages"), "messages", longer)
    pq.write_table(table, out / name, compression="zstd")


def _longer(messages: list[str | None], words: int, rng: np.random.Generator) -> list[str | None]:
    """Messages, in JSON, whose last text goes on with texts of others until it is as long as was drawn."""
    texts = [
        text[text.rindex(BEGINS) + len(BEGINS) : -len(ENDS)]
        for text in messages
        if text and text.endswith(ENDS) and BEGINS in text
    ]
    wanted = words * np.exp(SPREAD * rng.standard_normal(len(messages)))
    out: list[str | None] = []
    for text, length in zip(messages, wanted.tolist(), strict=True):
        if text and text.endswith(ENDS) and texts:
            parts = [text[: -len(ENDS)]]
            count = parts[0].count(" ")
            while count < length:
                parts.append(texts[int(rng.integers(len(texts)))])
                count += parts[-1].count(" ") + 1
            out.append(" ".join(parts) + ENDS)
        else:
            out.append(text)
    return out


def repeated(events: Path, times: int, work: Path) -> Path:
    """The log `times` times, as later days of the same accounts; ids of events and conversations are new each time."""
    out = work / f"{events.parent.name}-{events.name}-times-{times}"
    if not (out / ".whole").exists():
        shutil.rmtree(out, ignore_errors=True)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            paths = sorted(events.rglob("*.parquet"))
            for done in [pool.submit(_repeat, path, number, out) for number in range(times) for path in paths]:
                done.result()
        (out / ".whole").touch()
    return out


def _repeat(path: Path, number: int, out: Path) -> None:
    """One file of it, as so many times 28 days later."""
    target = out / f"{number:02d}" / f"{path.parent.name.replace('=', '-')}-{path.name}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"threads": 1, "preserve_insertion_order": True}) as engine:
        engine.execute("set enable_progress_bar = false")
        engine.execute(
            f"copy (select * replace (event_id || '-{number}' as event_id, "
            f"conversation_id || '-{number}' as conversation_id, time + interval {DAYS * number} day as time) "
            f"from read_parquet('{path}', hive_partitioning = false)) to '{target}' (format parquet, compression zstd)"
        )


def stillwatch(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "stillwatch", *map(str, words)]


def read_all(events: Path, threads: int) -> dict[str, float]:
    """Wall and CPU seconds in which DuckDB reads and decodes every column that a scan reads."""
    files = sorted(map(str, events.rglob("*.parquet")))
    names = [
        name for name in pq.read_schema(files[0]).names if name in EVENTS.names and name not in unused(IngestSettings())
    ]
    with duckdb.connect(config={"threads": threads}) as engine:
        kinds = dict(
            engine.execute("select column_name, column_type from (describe from read_parquet(?))", [files]).fetchall()
        )
        terms = [f"sum({_decoded(name, kinds[name])})" for name in names]
        started, busy = time.perf_counter(), time.process_time()
        engine.execute(f"select {', '.join(terms)} from read_parquet(?, hive_partitioning = false)", [files]).fetchall()
        return {
            "wall": round(time.perf_counter() - started, 2), "cpu": round(time.process_time() - busy, 2),
            "columns": len(names),
        }  # fmt: skip


def _decoded(name: str, kind: str) -> str:
    """A number that cannot be had without decoding the value."""
    if kind == "VARCHAR":
        return f"strlen({name})"
    return f"epoch_us({name})" if kind.startswith("TIMESTAMP") else f"cast({name} as double)"


def scan(events: Path, world: Path, run: Path, given: argparse.Namespace, *more: str) -> dict[str, Any]:
    """Scan in a process of its own: seconds, memory by stage, and what was said about the time left."""
    shutil.rmtree(run, ignore_errors=True)
    command = stillwatch(
        "scan", events, "--out", run, "--accounts", world / "accounts.parquet", "--authorisations",
        world / "authorisations.toml", "--context", world, "--pseudonyms", given.pseudonyms,
        "--threads", str(given.threads), "--memory", given.memory, *more,
    )  # fmt: skip
    said: list[tuple[float, str, str | None]] = []
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    key = {"STILLWATCH_KEY_FILE": str(run.parent / "bench.key")}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env={**os.environ, **key}
    ) as process:
        watch = Watch(process.pid, said)
        watch.start()
        for line in process.stderr or ():
            sys.stderr.write(line)
            found = LINE.match(line.rstrip())
            if found:
                said.append((float(found[1]), found[2], found[3]))
        code = process.wait()
        watch.stop.set()
        watch.join()
    if code:
        raise SystemExit(f"{' '.join(command)} exited with {code}")
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    manifest = json.loads((run / "manifest.json").read_text())
    return {
        "seconds": round(seconds, 1), "seconds_by_stage": manifest["seconds"],
        # processes that sketch text are children of a server, which is not waited for: they are sampled alone
        "cpu": round(max(_used(after) - _used(before), sum(watch.cpu.values())), 1),
        "cpu_by_stage": {stage: round(busy, 1) for stage, busy in watch.cpu.items()},
        "peak_mebibytes": max(watch.peaks.values()), "peak_mebibytes_by_stage": watch.peaks,
        "counts": {name: manifest["counts"][name] for name in ("kept", "accounts", "operators", "links", "verdicts")},
        "traits": pq.read_metadata(run / "traits.parquet").num_rows, "median_words": median_words(run),
        "bytes_of_run": {path.stem: _size(path) for path in sorted(run.glob("*.parquet"))},
        "forecast": forecast(said, seconds),
    }  # fmt: skip


def median_words(run: Path) -> float | None:
    """Of the prompts that have text."""
    with duckdb.connect() as engine:
        found = engine.execute("select median(words) from read_parquet(?)", [str(run / "sketches.parquet")]).fetchone()
    return found[0] if found else None


def _used(children: resource.struct_rusage) -> float:
    return children.ru_utime + children.ru_stime


def _size(path: Path) -> int:
    """Bytes of a table, which a cluster writes as a folder."""
    return sum(part.stat().st_size for part in path.rglob("*")) if path.is_dir() else path.stat().st_size


class Watch(threading.Thread):
    """Samples a process and its children: by the stage that its display named last, memory and processor seconds."""

    def __init__(self, pid: int, said: list[tuple[float, str, str | None]]) -> None:
        super().__init__()
        self.root, self.said, self.stop = psutil.Process(pid), said, threading.Event()
        self.peaks: dict[str, int] = {}
        self.cpu: dict[str, float] = {}
        self.before = 0.0

    def run(self) -> None:
        while not self.stop.wait(PAUSE):
            try:
                family = [self.root, *self.root.children(recursive=True)]
                held, busy = sum(map(_resident, family)) >> 20, sum(map(_busy, family))
            except psutil.Error:
                return
            stage = self.said[-1][1] if self.said else "starting"
            self.peaks[stage] = max(self.peaks.get(stage, 0), held)
            self.cpu[stage] = self.cpu.get(stage, 0.0) + max(busy - self.before, 0.0)
            self.before = max(busy, self.before)


def _resident(process: psutil.Process) -> int:
    """Memory that is the process's own, and its share of what it has in common with others."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def _busy(process: psutil.Process) -> float:
    """Processor seconds of a process and of its children that have ended."""
    try:
        return float(sum(process.cpu_times()[:4]))
    except psutil.Error:
        return 0.0


def forecast(said: list[tuple[float, str, str | None]], seconds: float) -> list[dict[str, Any]]:
    """Each time the display said what was left: when, how much, and how much it really was, in seconds."""
    units = {"s": 1.0, "min": 60.0, "h": 3600.0}
    out = []
    for at, stage, left in said:
        if left:
            number, unit = left.split()
            out.append({"at": at, "stage": stage, "said": float(number) * units[unit], "was": round(seconds - at, 1)})
    return out


def one(scale: float, given: argparse.Namespace) -> dict[str, Any]:
    world = world_at(scale, given.work)
    events = without_text(world, given.work) if given.no_text else world / "events"
    events = lengthened(events, given.words, given.work) if given.words else events
    events = repeated(events, given.repeat, given.work) if given.repeat > 1 else events
    about = {"scale": scale * given.repeat, "repeat": given.repeat, "text": not given.no_text}
    about |= {"words": given.words} if given.words else {}
    return {**about, **measured(events, world, given.work / f"run-{scale:g}", given)}


def there_already(world: Path, given: argparse.Namespace) -> dict[str, Any]:
    """The log of a world that somebody made."""
    row = measured(world / "events", world, world.parent / "run", given)
    return {"scale": round(row["events"] / 1_067_202, 1), "repeat": 1, "text": True, "world": given.called, **row}


def measured(events: Path, world: Path, run: Path, given: argparse.Namespace) -> dict[str, Any]:
    """The read and then the scan of a log, side by side."""
    read = read_all(events, given.threads)
    load = os.getloadavg()[0]
    found = scan(events, world, run, given)
    return {
        "events": found["counts"]["kept"], "bytes": sum(path.stat().st_size for path in events.rglob("*.parquet")),
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
        "threads": given.threads, "memory": given.memory, "pseudonyms": given.pseudonyms, "read": read, **found,
        "ratio_to_read": round(found["seconds"] / read["wall"], 1), "cpu_ratio": round(found["cpu"] / read["cpu"], 1),
    }  # fmt: skip


def keep(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Put a row in place of the one of its scale and kind."""
    old = json.loads(RESULTS.read_text())["runs"] if RESULTS.exists() else []
    runs = [one for one in old if _kind(one) != _kind(row)] + [row]
    runs.sort(key=lambda run: (not run["text"], run["scale"]))
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine, "runs": runs}, indent=1) + "\n")
    return runs


def _kind(row: dict[str, Any]) -> tuple[Any, ...]:
    return row.get("world"), row["scale"], row["text"], row.get("words")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--scales", nargs="+", type=float, default=[1.0, 3.0, 10.0])
    words.add_argument("--world", type=Path, help="a world that is there already, in place of those scales")
    words.add_argument("--called", default="world", help="its name in the results")
    words.add_argument("--repeat", type=int, default=1)
    words.add_argument("--threads", type=int, default=2)
    words.add_argument("--memory", default="3GB")
    words.add_argument("--no-text", action="store_true")
    words.add_argument("--words", type=int, default=0, help="longer prompts, so many words in the median")
    words.add_argument("--work", type=Path, default=Path("out/bench-scale"))
    given = words.parse_args()
    given.pseudonyms = "none" if given.world else "keyed"
    if given.words and given.no_text:
        words.error("--words and --no-text exclude each other")
    table = Table("events", "text", "read s (CPU)", "scan s (CPU)", "CPU ratio", "peak MiB", "accounts", "traits")
    for scale in [None] if given.world else given.scales:
        runs = keep(there_already(given.world, given) if scale is None else one(scale, given))
    for run in runs:
        read, counts = run["read"], run["counts"]
        seconds = [
            f"{one['wall']:.1f} ({one['cpu']:.1f})" for one in (read, {"wall": run["seconds"], "cpu": run["cpu"]})
        ]
        sizes = [f"{n:,}" for n in (run["peak_mebibytes"], counts["accounts"], run["traits"])]
        table.add_row(f"{run['events']:,}", "yes" if run["text"] else "no", *seconds, f"{run['cpu_ratio']:.1f}", *sizes)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
