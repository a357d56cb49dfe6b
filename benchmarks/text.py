"""How fast text is sketched, and what the vectors and labels can tell on real prompts.

    python benchmarks/text.py [--prompts DIR] [--rows N]

Speed is CPU time on one core: 200 random words a prompt, through `sketch_batch` (JSON, masking, shingles, MinHash,
vector, labels). With `--prompts` (Parquet files with columns `prompt` and `role`, file names `role__source.parquet`,
and optionally pipeline_templates.jsonl with `stage` and `text`): accounts of 100 and 150 prompts of one source,
every pair compared by the distance of kernel mean embeddings; and how often each label exceeds .5 and its mean. Writes
benchmarks/results/text.json.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.ingest.sketch import sketch_batch
from stillwatch.ingest.text.profile import accumulate
from stillwatch.ingest.text.vector import unpacked
from stillwatch.model import LABELS
from stillwatch.settings import IngestSettings

RESULTS = Path(__file__).parent / "results" / "text.json"
LEAST, EACH, PER_LABEL = 600, 8, 2_000


def batch(texts: list[str]) -> pa.RecordBatch:
    rows = [orjson.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}]).decode() for text in texts]
    nothing = pa.nulls(len(rows), pa.string())
    return pa.RecordBatch.from_arrays([pa.array(rows), nothing, nothing], names=["messages", "system", "tools"])


def speed(rows: int) -> dict[str, float]:
    rng = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters, k=rng.randint(2, 10))) for _ in range(5_000)]
    events = batch([" ".join(rng.choices(words, k=200)) for _ in range(rows)])
    sketch_batch(events.slice(0, 10))
    seconds = []
    for _ in range(7):
        start = time.process_time()
        sketch_batch(events)
        seconds.append(time.process_time() - start)
    return {"prompts_a_second_best": rows / min(seconds), "prompts_a_second_median": rows / float(np.median(seconds))}


def load(folder: Path) -> dict[str, list[str]]:
    found = {}
    for path in sorted(folder.glob("*.parquet")):
        found[path.stem] = [text for text in pq.read_table(path, columns=["prompt"])["prompt"].to_pylist() if text]
    return found


def pairs(prompts: dict[str, list[str]], size: int, seed: int) -> dict[str, float]:
    """AUROC of same source against different sources over all pairs, and recall at a false-positive rate of 1e-3."""
    rng = np.random.default_rng(seed)
    texts: list[str] = []
    source: list[int] = []
    for place, lines in enumerate(lines for lines in prompts.values() if len(lines) >= LEAST):
        accounts = min(EACH, len(lines) // size)
        texts += [lines[k] for k in rng.permutation(len(lines))[: accounts * size]]
        source += [place] * accounts
    vector = sketch_batch(batch(texts), IngestSettings(exemplars=False)).columns.column("vector")
    vectors, known = unpacked(vector)
    rows = np.repeat(np.arange(len(source)), size)[known]
    sums, counts = accumulate(rows, vectors[known], len(source))
    means = sums / counts[:, None]
    gram = means @ means.T
    near = 2 * gram - np.diag(gram)[:, None] - np.diag(gram)
    upper = np.triu_indices(len(source), 1)
    same = (np.array(source)[:, None] == np.array(source))[upper]
    other, own = np.sort(near[upper][~same]), near[upper][same]
    below = np.searchsorted(other, own, "left") + np.searchsorted(other, own, "right")
    threshold = other[int(np.ceil(len(other) * (1 - 1e-3))) - 1]
    return {
        "accounts": len(source),
        "pairs_same": int(same.sum()),
        "pairs_other": int((~same).sum()),
        "auroc": float(below.mean() / 2 / len(other)),
        "recall_at_1e-3": float((own > threshold).mean()),
    }


def labels(texts: list[str]) -> dict[str, dict[str, float]]:
    columns = sketch_batch(batch(texts), IngestSettings(exemplars=False)).columns
    out = {}
    for name in LABELS:
        sure = np.nan_to_num(np.asarray(columns.column(name).to_numpy(zero_copy_only=False)))
        out[name] = {"mean": float(sure.mean()), "over_half": float((sure >= 0.5).mean())}
    return out


def labelled(folder: Path, prompts: dict[str, list[str]]) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    out: dict[str, Any] = {}
    for name, lines in prompts.items():
        out[name] = {
            "n": min(PER_LABEL, len(lines)),
            **labels([lines[k] for k in rng.permutation(len(lines))[:PER_LABEL]]),
        }
    templates = folder / "pipeline_templates.jsonl"
    if templates.exists():
        stages: dict[str, list[str]] = {}
        for line in templates.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            stages.setdefault(record["stage"], []).append(record["text"])
        out |= {f"template:{stage}": {"n": len(texts), **labels(texts)} for stage, texts in sorted(stages.items())}
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=Path, help="folder of real prompts; without it only speed is measured")
    parser.add_argument("--rows", type=int, default=16_384)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    results: dict[str, Any] = {"speed": speed(given.rows)}
    print(" ".join(f"{name} {value:,.0f}" for name, value in results["speed"].items()))
    if given.prompts is None or not given.prompts.is_dir():
        print("no --prompts DIR: what vectors and labels tell on real prompts was not measured")
    else:
        prompts = load(given.prompts)
        results["pairs"] = {str(size): [pairs(prompts, size, seed) for seed in range(3)] for size in (100, 150)}
        for size, runs in results["pairs"].items():
            for run in runs:
                figures = f"AUROC {run['auroc']:.4f}, recall at 1e-3 {run['recall_at_1e-3']:.3f}"
                print(f"pairs of accounts with {size} prompts: {figures}")
        results["labels"] = labelled(given.prompts, prompts)
        print(f"{'share with a confidence of .5 or more':42s}" + "".join(f"{name[:12]:>14s}" for name in LABELS))
        for name, row in results["labels"].items():
            print(f"{name:36s}{row['n']:6d}" + "".join(f"{row[label]['over_half']:14.3f}" for label in LABELS))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
