"""Is the trace of a data set bounded in memory? The command itself on a corpus of millions of rows, and on a tenth.

    python benchmarks/forensics_large.py [--rows 10000000] [--answers 200000]

Rows of 20 to 30 random words; one in a hundred is an answer, half of these under four other words. The corpus is a
Parquet file; the command runs in a process of its own. Adds `large` to benchmarks/results/forensics_data.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from forensics_data import RESULTS, say, vocabulary
from stillwatch.engine.runfolder import atomic

BATCH = 250_000
SCHEMA = pa.schema([("output", pa.string())])


def texts(count: int, seed: int, least: int = 20, most: int = 30) -> pa.Array:
    """Texts of random words, frequent ones first."""
    rng, words = np.random.default_rng(seed), vocabulary()
    sizes = rng.integers(least, most + 1, count)
    weight = np.cumsum(1 / np.arange(1, len(words) + 1))
    drawn = np.searchsorted(weight / weight[-1], rng.random(int(sizes.sum())))
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), pa.array(words).take(pa.array(drawn))), " ")


def corpus(rows: int, answers: pa.Array) -> Iterator[pa.RecordBatch]:
    """The suspect corpus, `BATCH` rows at a time."""
    for number, start in enumerate(range(0, rows, BATCH)):
        size = min(BATCH, rows - start)
        column = texts(size, 100 + number)
        copied = np.arange(size) % 100 == 0
        which = (start // 100 + np.arange(copied.sum())) % len(answers)
        copies = answers.take(pa.array(which))
        put_before = pc.binary_join_element_wise(texts(len(copies), 10_000 + number, 4, 4), copies, " ")
        copies = pc.if_else(pa.array(np.arange(len(copies)) % 2 == 0), copies, put_before)
        yield pa.record_batch([pc.replace_with_mask(column, pa.array(copied), copies)], schema=SCHEMA)


def traced(folder: Path, rows: int, answers: pa.Array) -> dict[str, Any]:
    """One run of the command: CPU seconds by the child's clock, peak memory, and what was found."""
    path, served = folder / "corpus.parquet", folder / "served.parquet"
    pq.write_table(pa.table({"response": answers}), served)
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as out:
        for batch in corpus(rows, answers):
            out.write_batch(batch, row_group_size=BATCH)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "stillwatch", "trace", "data", str(path), "--served", str(served)]
    subprocess.run([*command, "--out", str(folder / "traced")], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    said = json.loads((folder / "traced" / "manifest.json").read_text(encoding="utf-8"))
    done = {
        "rows": rows, "answers": len(answers), "parquet_gigabytes": path.stat().st_size / 1e9, "cpu_seconds": seconds,
        "rows_a_cpu_second_of_the_whole_command": rows / seconds, "peak_mebibytes": said["peak_mebibytes"]["process"],
        "exact": said["found"]["exact"], "near": said["found"]["near"], "copies": -(-rows // 100),
    }  # fmt: skip
    say(done)
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--answers", type=int, default=200_000)
    given = parser.parse_args()
    load, answers = os.getloadavg()[0], texts(given.answers, 1)
    runs = []
    for rows in (given.rows // 10, given.rows):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(traced(Path(folder), rows, answers))
    result = json.loads(RESULTS.read_text(encoding="utf-8"))
    result["large"] = {"load": load, "runs": runs}
    with atomic(RESULTS) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
