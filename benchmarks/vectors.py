"""Which content vector links best, for its price: `python benchmarks/vectors.py --prompts DIR [--models DIR]`.

Accounts of real prompts (`accounts.py`), embedded by several encoders (`encoders.py`) into kernel mean embeddings,
linked as the project links: whitened by the log's own covariance, compared by cosine, grouped by
`linking.sources.by_embedding`. Figures a split: AUROC of pairs of one campaign against pairs of different sources,
recall at one false pair in a thousand, the same recall for two accounts of one honest product, and recall and precision
of the best source found for each campaign; intervals are t intervals over splits, which deal the same corpora anew.
Speed is CPU time on one core, all in one run. Encoders that are not installed are not available. The transformer is
slow and comes last, on the scenes of `--transformer`. Writes benchmarks/results/vectors.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
from scipy.stats import t as student  # noqa: E402

import accounts  # noqa: E402
import encoders  # noqa: E402
from stillwatch.ingest.text import profile  # noqa: E402
from stillwatch.linking import embeddings, sources  # noqa: E402

Floats = npt.NDArray[np.float64]
RESULTS = Path(__file__).parent / "results" / "vectors.json"
FEATURES = 512
BANDWIDTH = profile.BANDWIDTH
"""Of the Gaussian kernel, for every space: on seed 99, which is no split of the results, .9 to 2 made no difference."""
FDR = 0.01
FALSE = 1e-3
CANDIDATES = {
    # name: parts (space, features, events an account)
    "lexical, as kept": (("lexical", profile.FREQUENCIES.shape[1] * 2, accounts.SIZE),),
    "lexical, 512 features": (("lexical", FEATURES, accounts.SIZE),),
    "words and trigrams, 256-d": (("words", FEATURES, accounts.SIZE),),
    "words and trigrams, 256-d, 128 features": (("words", 128, accounts.SIZE),),
    "words and trigrams, 256-d, 256 features": (("words", 256, accounts.SIZE),),
    "words and trigrams, 128-d": (("narrower", FEATURES, accounts.SIZE),),
    # a control: as wide as what is kept, so that what differs from it is the tokeniser alone
    "words and trigrams, 64-d": (("narrow", FEATURES, accounts.SIZE),),
    "3- to 5-grams, 1024-d": (("ngrams", FEATURES, accounts.SIZE),),
    "static, every event": (("static", FEATURES, accounts.SIZE),),
    "static, 50 events": (("static", FEATURES, 50),),
    "static, 20 events": (("static", FEATURES, 20),),
    # a control: two embeddings have twice the axes of one, whatever is in them
    "lexical and 3- to 5-grams": (("lexical", 128, accounts.SIZE), ("ngrams", FEATURES, accounts.SIZE)),
    "256-d words and static, 50 events": (("words", FEATURES, accounts.SIZE), ("static", FEATURES, 50)),
    "lexical and static, every event": (("lexical", 128, accounts.SIZE), ("static", FEATURES, accounts.SIZE)),
    "transformer, 20 events": (("transformer", FEATURES, 20),),
    "lexical and static, 50 events": (("lexical", 128, accounts.SIZE), ("static", FEATURES, 50)),
    "lexical and transformer, 20 events": (("lexical", 128, accounts.SIZE), ("transformer", FEATURES, 20)),
}


def means(space: encoders.Space, name: str, prompts: accounts.Ints, features: int) -> Floats:
    """Kernel mean embedding of each account, [A, features]."""
    kept = name == "lexical" and features == profile.FREQUENCIES.shape[1] * 2
    out = []
    for rows in np.array_split(prompts, max(1, len(prompts) // 40)):
        vectors = space.rows(rows.ravel())
        if kept:
            phi = profile.features(np.rint(vectors * profile.SCALE).astype(np.int8))
        else:
            phi = encoders.embed(vectors, encoders.fourier(vectors.shape[1], features, BANDWIDTH, 5))
        out.append(phi.reshape(len(rows), prompts.shape[1], -1).mean(axis=1))
    return np.concatenate(out).astype(np.float64)


def points(parts: list[Floats]) -> Floats:
    """Whitened means of length 1, side by side with equal weight, [A, D]."""
    white = [embeddings.whiten(part) for part in parts]
    unit = [w / np.maximum(np.linalg.norm(w, axis=1, keepdims=True), 1e-12) for w in white]
    return np.concatenate(unit, axis=1) / np.sqrt(len(unit))


def pairs(score: Floats, log: accounts.Log) -> dict[str, float]:
    """How well a score of pairs [A, A] tells pairs of one campaign from pairs of different sources."""
    upper = np.triu_indices(len(score), 1)
    same = (log.group[:, None] == log.group)[upper] & (log.group[upper[0]] >= 0)
    campaign = same & (log.role[upper[0]] == accounts.CAMPAIGN)
    values = score[upper]
    wrong = np.sort(values[~same])
    threshold = wrong[int(np.ceil(len(wrong) * (1 - FALSE))) - 1]
    return {
        "auroc": auroc(values[campaign], wrong),
        "recall": float((values[campaign] > threshold).mean()),
        "product_recall": float((values[same & ~campaign] > threshold).mean()),
    }


def auroc(right: Floats, wrong: Floats) -> float:
    """Chance that a right value is above a wrong one, ties half; `wrong` is sorted."""
    below = np.searchsorted(wrong, right, "left") + np.searchsorted(wrong, right, "right")
    return float(below.mean() / 2 / len(wrong))


def groups(unit: Floats, log: accounts.Log, seed: int) -> dict[str, float]:
    """Recall and precision of the source that fits each campaign best by F1, mean over campaigns; 0 for none.

    `honest` counts the honest accounts, other than of that campaign, in sources of which a campaign is the majority.
    """
    found = [s.members for s in sources.by_embedding(embeddings.Points(np.arange(len(unit)), unit), seed, FDR)]
    out: dict[str, list[float]] = {"recall": [], "precision": [], "product_recall": []}
    for group in np.unique(log.group[log.group >= 0]):
        own = np.flatnonzero(log.group == group)
        hits = [(len(np.intersect1d(own, m)), len(m)) for m in found]
        best = max(hits, key=lambda hit: 2 * hit[0] / (len(own) + hit[1]), default=(0, 1))
        recall, precision = best[0] / len(own), best[0] / best[1]
        if log.role[own[0]] == accounts.CAMPAIGN:
            out["recall"].append(recall)
            out["precision"].append(precision)
        else:
            out["product_recall"].append(recall)
    wrong: set[int] = set()
    for members in found:
        guilty = log.role[members] == accounts.CAMPAIGN
        if guilty.mean() > 0.5:
            wrong |= set(members[~guilty].tolist())
    return {**{name: float(np.mean(values)) for name, values in out.items()}, "honest": float(len(wrong))}


def interval(values: list[float]) -> list[float]:
    """Mean, and the ends of its 95 % t interval."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return [mean, mean, mean]
    half = float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return [round(mean, 4), round(mean - half, 4), round(mean + half, 4)]


def speed(available: dict[str, encoders.Encoder], texts: list[str]) -> dict[str, Any]:
    """Prompts a second of each encoder, median of three runs of CPU time, on the same prompts."""
    out: dict[str, Any] = {}
    for name, encode in available.items():
        some = texts[: 400 if name == "transformer" else 8_000]
        encode(some[:64])
        seconds = []
        for _ in range(3):
            start = time.process_time()
            encode(some)
            seconds.append(time.process_time() - start)
        out[name] = round(len(some) / float(np.median(seconds)), 1)
    return {"prompts_a_second": out, "median_characters": float(np.median([len(t) for t in texts[:8_000]])),
            "mean_characters": float(np.mean([len(t) for t in texts[:8_000]]))}  # fmt: skip


def embedding_speed() -> dict[str, float]:
    """Events a second whose Fourier features are made, by width and number of features; median of five runs."""
    out = {}
    for width, features in ((64, 128), (128, 512), (256, 128), (256, 256), (256, 512)):
        vectors = encoders.unit(np.random.default_rng(0).normal(size=(8_192, width)))
        frequencies = encoders.fourier(width, features, BANDWIDTH, 5)
        seconds = []
        for _ in range(5):
            start = time.process_time()
            encoders.embed(vectors, frequencies)
            seconds.append(time.process_time() - start)
        out[f"{width}-d, {features} features"] = round(len(vectors) / float(np.median(seconds)), 1)
    return out


def measure(
    spaces: dict[str, encoders.Space], found: accounts.Corpora, scene: str, seed: int, slow: bool, only: list[str]
) -> dict[str, dict[str, float]]:
    """Figures of every candidate that needs the transformer (`slow`) or not, by name and size of the accounts."""
    log, dealer = accounts.deal(found, scene, seed)
    out: dict[str, dict[str, float]] = {
        "dealt": {"again": dealer.again / dealer.dealt, "accounts": float(len(log.role))}
    }
    made: dict[tuple[str, int, int], Floats] = {}
    for size in (50, accounts.SIZE):
        for name, parts in CANDIDATES.items():
            used = {space for space, _, _ in parts}
            if name not in only or used - spaces.keys() or slow != ("transformer" in used):
                continue
            keys = [(space, features, min(events, size)) for space, features, events in parts]
            for key in keys:
                if key not in made:
                    made[key] = means(spaces[key[0]], key[0], log.prompts[:, : key[2]], key[1])
            unit = points([made[key] for key in keys])
            row = {f"pair_{k}": v for k, v in pairs(unit @ unit.T, log).items()}
            row |= {f"group_{k}": v for k, v in groups(unit, log, seed).items()}
            if len(keys) == 1:
                mean = made[keys[0]]
                gram = mean @ mean.T
                near = 2 * gram - np.diag(gram)[:, None] - np.diag(gram)
                row |= {f"mmd_{k}": v for k, v in pairs(near, log).items()}
            out[f"{name} | {size}"] = {k: round(v, 5) for k, v in row.items()}
    return out


def summary(runs: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, list[float]]]:
    return {name: {k: interval([run[name][k] for run in runs]) for k in runs[0][name]} for name in runs[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=Path, help="folder of real prompts, Parquet files role__source.parquet")
    parser.add_argument("--models", type=Path, help="folder of unpacked wheels; default: what is installed")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="seed of the first split")
    parser.add_argument("--scenes", nargs="*", default=list(accounts.COVER))
    parser.add_argument("--transformer", nargs="*", default=["hard"], help="scenes that the transformer is measured on")
    parser.add_argument("--only", nargs="+", default=list(CANDIDATES), help="candidates; results of others are kept")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    if given.prompts is None or not given.prompts.is_dir():
        print("no --prompts DIR: nothing was measured")
        return
    found = accounts.corpora(encoders.load(given.prompts, 12_000, 1), given.prompts / "pipeline_templates.jsonl")
    every: dict[str, encoders.Encoder | None] = {
        "lexical": encoders.lexical, "words": encoders.hashed(256, 3, 3, 2),
        "narrower": encoders.hashed(128, 3, 3, 2), "narrow": encoders.hashed(64, 3, 3, 2),
        "ngrams": encoders.hashed(1024, 3, 5, 2),
        "static": encoders.static(given.models), "transformer": encoders.transformer(given.models),
    }  # fmt: skip
    available = {name: encode for name, encode in every.items() if encode}
    for name in every.keys() - available.keys():
        print(f"{name}: not available")
    mixed = [found.texts[k] for k in np.random.default_rng(0).permutation(len(found.texts))[:8_000]]
    results: dict[str, Any] = {"speed": {}, "splits": given.splits, "scenes": {}}
    if given.only != list(CANDIDATES) and given.out.exists():
        results = json.loads(given.out.read_text(encoding="utf-8"))
    else:
        results["speed"] = speed(available, mixed)
    results["speed"]["events_embedded_a_second"] = embedding_speed()
    print(results["speed"], flush=True)
    spaces = {name: encoders.Space(found.texts, encode) for name, encode in available.items()}
    passes = [(scene, False) for scene in given.scenes] + [(scene, True) for scene in given.transformer]
    for scene, slow in passes:
        start = time.perf_counter()
        seeds = range(given.first, given.first + given.splits)
        runs = [measure(spaces, found, scene, seed, slow, given.only) for seed in seeds]
        into = results["scenes"].setdefault(scene, {"mean": {}, "runs": [{} for _ in runs]})
        into["mean"] |= summary(runs)
        for kept, run in zip(into["runs"], runs, strict=True):
            kept.update(run)
        print(f"{scene}: {time.perf_counter() - start:.0f} s", flush=True)
        for name, row in summary(runs).items():
            shown = " ".join(f"{k} {v[0]:.3f}" for k, v in row.items())
            print(f"{scene:6s} {name:42s} {shown}", flush=True)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
