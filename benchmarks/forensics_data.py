"""Trace of a data set: speed, recall by edit, false matches, power by dose, and whether the exact test is exact.

    python benchmarks/forensics_data.py [--prompts DIR] [--rows N] [--answers N] [--seeds N] [--only PART,PART]

Rows have about 100 words. Without `--prompts` (Parquet files with a column `prompt`, file names `role__source.parquet`)
text is random: word frequencies fall as 1 / rank. With it, recall and false matches are measured on real text as well:
texts of one source among those of all others, and texts of a bigram model of the real ones. Two real texts of different
sources that share a run of 12 words are copies of one text, not a false match; the rest is printed.

Speed is CPU time on one core (threads are not used). Writes benchmarks/results/forensics_data.json.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import stats

from minhash import bands
from stillwatch.engine.runfolder import RunFolder
from stillwatch.forensics.data.corpus import open_corpus
from stillwatch.forensics.data.index import Index, Known, build
from stillwatch.forensics.data.matching import EXACT, LEAD, NEAR, Matches, match
from stillwatch.forensics.data.nulls import interval, paired
from stillwatch.hashing import buffers
from stillwatch.ingest.ingest import ingest
from stillwatch.ingest.sketch import sketch_batch
from stillwatch.ingest.text.fingerprint import Prints, fingerprints
from stillwatch.settings import IngestSettings

RESULTS = Path(__file__).parent / "results" / "forensics_data.json"
WHOLE = 1 << 30
Words = list[list[str]]
RUN_OF_A_COPY = 12
"""Words in a row that two texts share only if one is copied."""


def say(*parts: object) -> None:
    print(*parts, flush=True)


@cache
def vocabulary(size: int = 20_000) -> npt.NDArray[np.str_]:
    rng = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
    lengths = rng.integers(2, 11, size)
    return np.unique(["".join(rng.choice(letters, n)) for n in lengths])


def random_texts(rng: np.random.Generator, count: int, least: int = 60, most: int = 140) -> Words:
    words = vocabulary()
    weight = 1 / np.arange(1, len(words) + 1)
    drawn = words[np.searchsorted(np.cumsum(weight) / weight.sum(), rng.random(count * most))]
    sizes = rng.integers(least, most + 1, count)
    return [drawn[k * most : k * most + size].tolist() for k, size in enumerate(sizes)]


def prints(texts: list[str], most: int | None = None) -> Prints:
    data, offsets = buffers(pa.array(texts, pa.large_string()))
    return fingerprints(data, offsets) if most is None else fingerprints(data, offsets, most=most)


def index(texts: list[str]) -> Index:
    found = prints(texts)
    return build(Known(found.values, found.offsets, found.text))


def matched(texts: list[str], known: Index) -> Matches:
    return match(prints(texts, WHOLE), known)


# ------------------------------------------------------------------------------------------------------------- speed
def speed(rows: int, answers: int) -> dict[str, Any]:
    """Rows a second and core, from the file to the matches; one row in ten is a copy, half of these lightly edited."""
    rng = np.random.default_rng(1)
    known = [" ".join(words) for words in random_texts(rng, answers)]
    texts = [" ".join(words) for words in random_texts(rng, rows)]
    for k in range(0, rows, 10):
        texts[k] = known[k % answers]
        if k % 20:
            texts[k] = " ".join(replaced(rng, texts[k].split(), 0.08))
    start = time.process_time()
    ready = index(known)
    out: dict[str, Any] = {
        "rows": rows, "answers": answers, "words_a_row": float(np.mean([len(text.split()) for text in texts])),
        "bytes_a_row": float(np.mean([len(text) for text in texts])),
        "answers_indexed_a_second": answers / (time.process_time() - start),
        "fingerprints_an_answer": len(ready.known.values) / answers,
        "index_bytes_an_answer": size_of(ready) / answers,
    }  # fmt: skip
    matched(texts[:1000], ready)
    with tempfile.TemporaryDirectory() as folder:
        for name, path in written(Path(folder), texts).items():
            best = min((once(path, ready) for _ in range(3)), key=lambda parts: sum(parts.values()))
            total = sum(best.values())
            out[name] = {"rows_a_second": rows / total, **{part: s / rows * 1e6 for part, s in best.items()}}
            say(f"speed {name:10s} {rows / total:10,.0f} rows a second and core "
                  + " ".join(f"{part} {s / rows * 1e6:.2f} us" for part, s in best.items()))  # fmt: skip
    return out


def size_of(ready: Index) -> int:
    return sum(part.nbytes for part in (*ready.known, *ready[1:]) if isinstance(part, np.ndarray))


def written(folder: Path, texts: list[str]) -> dict[str, Path]:
    paths = {"parquet": folder / "c.parquet", "jsonl": folder / "c.jsonl", "sharegpt": folder / "s.jsonl"}
    pq.write_table(pa.table({"output": texts}), paths["parquet"], compression="zstd")
    alpaca = ({"instruction": "Say it.", "input": "", "output": text} for text in texts)
    paths["jsonl"].write_text("".join(json.dumps(row) + "\n" for row in alpaca))
    talks = ([{"from": "human", "value": "Say it."}, {"from": "gpt", "value": text}] for text in texts)
    paths["sharegpt"].write_text("".join(json.dumps({"conversations": talk}) + "\n" for talk in talks))
    return paths


def once(path: Path, ready: Index) -> dict[str, float]:
    """CPU seconds by part."""
    spent = {"read": 0.0, "fingerprint": 0.0, "match": 0.0}
    clock = time.process_time()

    def lap(part: str) -> None:
        nonlocal clock
        now = time.process_time()
        spent[part] += now - clock
        clock = now

    for texts in open_corpus([path]).batches():
        lap("read")
        found = fingerprints(texts.data, texts.offsets, most=WHOLE)
        lap("fingerprint")
        match(found, ready)
        lap("match")
    lap("read")
    return spent


def cost_of_answers(rows: int = 16_384, rounds: int = 9) -> dict[str, float]:
    """CPU seconds of sketching events with and without answers, turn by turn: prompts of 200 words, answers of 100."""
    rng = np.random.default_rng(4)
    asked, said = random_texts(rng, rows, 200, 200), random_texts(rng, rows, 100, 100)

    def message(role: str, words: list[str]) -> str:
        return json.dumps([{"role": role, "parts": [{"type": "text", "content": " ".join(words)}]}])

    messages, responses = [message("user", w) for w in asked], [message("assistant", w) for w in said]
    on, off = IngestSettings(), IngestSettings(answers=False)
    columns = {
        "messages": pa.array(messages),
        "system": pa.nulls(rows, pa.string()),
        "tools": pa.nulls(rows, pa.string()),
    }
    bare = pa.RecordBatch.from_pydict(columns)
    full = pa.RecordBatch.from_pydict(columns | {"response": pa.array(responses)})
    spent: dict[str, list[float]] = {"answers": [], "off": [], "no answers in the log": []}
    sketch_batch(full.slice(0, 100), on)
    for _ in range(rounds):
        for name, batch, settings in (("answers", full, on), ("off", full, off), ("no answers in the log", bare, on)):
            start = time.process_time()
            sketch_batch(batch, settings)
            spent[name].append(time.process_time() - start)
    out = {name: float(np.median(seconds)) / rows * 1e6 for name, seconds in spent.items()} | whole_ingest(full)
    pairs = np.array(spent["answers"]) / np.array(spent["off"])
    out |= {"ratio": float(np.median(pairs)), "ratio_without_answers": float(
        np.median(np.array(spent["no answers in the log"]) / np.array(spent["off"])))}  # fmt: skip
    say("ingest, CPU us an event:", {name: round(value, 3) for name, value in out.items()})
    return out


def whole_ingest(events: pa.RecordBatch, rounds: int = 5) -> dict[str, float]:
    """The same for all of reading a log, from a Parquet file to its tables, in one process."""
    n = events.num_rows
    ids = {"event_id": pa.array([f"{k:032x}" for k in range(n)]), "model": pa.array(["m"] * n)}
    ids |= {"account_id": pa.array([f"a{k % 500}" for k in range(n)]), "time": pa.array(np.arange(n) + 1_700_000_000)}
    spent: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.parquet"
        pq.write_table(pa.table(ids | {name: events[name] for name in ("messages", "response")}), path)
        for _ in range(rounds):
            for answers, seconds in spent.items():
                run = RunFolder(Path(folder) / "run")
                run.begin()
                start = time.process_time()
                ingest([path], run, settings=IngestSettings(answers=answers, workers=1))
                seconds.append(time.process_time() - start)
    ratios = np.array(spent[True]) / np.array(spent[False])
    return {"ingest": float(np.median(spent[True])) / n * 1e6, "ingest_off": float(np.median(spent[False])) / n * 1e6,
            "ingest_ratio": float(np.median(ratios))}  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- recall
def replaced(rng: np.random.Generator, words: list[str], share: float, by: list[str] | None = None) -> list[str]:
    others = by or vocabulary()
    hit = rng.random(len(words)) < share
    return [str(others[rng.integers(len(others))]) if gone else word for word, gone in zip(words, hit, strict=True)]


def untidy(rng: np.random.Generator, words: list[str]) -> str:
    """Case, white space and punctuation changed."""
    spaces, signs = np.array([" ", "  ", "\n", "\t"]), np.array(["", "", ",", ".", " -", "**"])
    cased = [word.upper() if rng.random() < 0.2 else word for word in words]
    return "".join(word + str(rng.choice(signs)) + str(rng.choice(spaces)) for word in cased)


EDITS: dict[str, Callable[[np.random.Generator, list[str], list[str]], str]] = {
    "exact": lambda _, words, __: " ".join(words),
    "case, space, punctuation": lambda rng, words, _: untidy(rng, words),
    "5 % of words replaced": lambda rng, words, other: " ".join(replaced(rng, words, 0.05, other)),
    "10 % of words replaced": lambda rng, words, other: " ".join(replaced(rng, words, 0.10, other)),
    "20 % of words replaced": lambda rng, words, other: " ".join(replaced(rng, words, 0.20, other)),
    "35 % of words replaced": lambda rng, words, other: " ".join(replaced(rng, words, 0.35, other)),
    "cut to the first half": lambda _, words, __: " ".join(words[: len(words) // 2]),
    "cut to the first third": lambda _, words, __: " ".join(words[: len(words) // 3]),
    "20 words put before": lambda _, words, other: " ".join(other[:20] + words),
    "between two other texts": lambda _, words, other: " ".join(other + words + other[::-1]),
    "two of three sentences": lambda _, words, __: " ".join(words[: len(words) // 3] + words[2 * len(words) // 3 :]),
}
LIGHT = ("case, space, punctuation", "5 % of words replaced", "10 % of words replaced", "cut to the first half",
         "20 words put before")  # fmt: skip


def recall(texts: Words, seed: int) -> dict[str, Any]:
    """Of copies of each kind, the share that is matched with its answer; beside it the share that has a MinHash band
    (8 of 4 rows over 3-word shingles, as prompts have) in common with it."""
    rng = np.random.default_rng(seed)
    whole = [" ".join(words) for words in texts]
    ready, kept = index(whole), bands(whole)
    out: dict[str, Any] = {"texts": len(texts), "words": float(np.mean([len(words) for words in texts]))}
    for name, edit in EDITS.items():
        rows = [edit(rng, words, texts[int(rng.integers(len(texts)))]) for words in texts]
        found = matched(rows, ready)
        right = found.row == found.answer
        at = {kind: np.unique(found.row[right & (found.kind <= kind)]).size / len(rows) for kind in (EXACT, NEAR, LEAD)}
        wrong = np.unique(found.row[(found.kind <= NEAR) & ~np.isin(found.row, found.row[right])]).size
        same = (bands(rows) == kept).all(axis=2).any(axis=1).mean()
        out[name] = {"exact": at[EXACT], "exact_or_near": at[NEAR], "or_lead": at[LEAD], "wrong": wrong,
                     "minhash_band": float(same)}  # fmt: skip
        say(f"recall {name:26s} exact or near {at[NEAR]:.4f}, with leads {at[LEAD]:.4f}; a MinHash band {same:.4f}")
    return out


# ------------------------------------------------------------------------------------------------------ false matches
def false_matches(known: list[str], rows: int, make: Callable[[int, int], list[str]]) -> dict[str, Any]:
    """Rows that have nothing to do with the known answers, and how many of them match. A model of texts with few
    successors to a word writes the same stretch again and again: what shares a run of 12 words is counted apart."""
    ready, found, copies, leads = index(known), 0, 0, 0
    for seed, start in enumerate(range(0, rows, 50_000)):
        texts = make(seed, min(50_000, rows - start))
        got = matched(texts, ready)
        leads += np.unique(got.row[got.kind == LEAD]).size
        held = longest_runs(got, texts, known)
        found += sum(run < RUN_OF_A_COPY for run in held.values())
        copies += sum(run >= RUN_OF_A_COPY for run in held.values())
    return rate(found, rows, len(known)) | {"leads": leads, "share_a_run_of_12_words": copies}


def longest_runs(got: Matches, texts: list[str], known: list[str]) -> dict[int, int]:
    """Row -> words in a row that it shares with an answer that it matches."""
    close, held = got.kind <= NEAR, {}
    for row, answer in zip(got.row[close].tolist(), got.answer[close].tolist(), strict=True):
        held[row] = max(held.get(row, 0), longest_run(texts[row], known[answer]))
    return held


def rate(found: int, rows: int, answers: int) -> dict[str, Any]:
    most = interval(found, rows)[1]
    return {
        "rows": rows, "answers": answers, "false": found, "a_row": found / rows, "a_row_at_most": most,
        "a_pair": found / rows / answers, "a_pair_at_most": most / answers,
    }  # fmt: skip


def load(folder: Path, least: int) -> dict[str, list[str]]:
    out = {}
    for path in sorted(folder.glob("*.parquet")):
        texts = {text for text in pq.read_table(path, columns=["prompt"])["prompt"].to_pylist() if text}
        out[path.stem] = sorted(text for text in texts if len(text.split()) >= least)
    return {name: texts for name, texts in out.items() if texts}


def longest_run(one: str, other: str) -> int:
    """Words in a row that two texts share."""
    mine, theirs = re.findall(r"\w+", one.lower()), re.findall(r"\w+", other.lower())
    places: dict[str, list[int]] = {}
    for k, word in enumerate(theirs):
        places.setdefault(word, []).append(k)
    best, before = 0, {}
    for word in mine:
        now = {k: before.get(k - 1, 0) + 1 for k in places.get(word, ())}
        best, before = max(best, max(now.values(), default=0)), now
    return best


def across_sources(sources: dict[str, list[str]]) -> dict[str, Any]:
    """Every text of every source among the texts of all others."""
    names = list(sources)
    source = np.repeat(np.arange(len(names)), [len(sources[name]) for name in names])
    texts = [text for name in names for text in sources[name]]
    found = copies = leads = pairs = 0
    for number, name in enumerate(names):
        others = np.flatnonzero(source != number).tolist()
        got = matched(sources[name], index([texts[k] for k in others]))
        pairs += len(sources[name]) * len(others)
        leads += np.unique(got.row[got.kind == LEAD]).size
        held = longest_runs(got, sources[name], [texts[k] for k in others])
        found += sum(run < RUN_OF_A_COPY for run in held.values())
        copies += sum(run >= RUN_OF_A_COPY for run in held.values())
    return rate(found, len(texts), 1) | {
        "answers": pairs / len(texts), "a_pair": found / pairs, "a_pair_at_most": interval(found, pairs)[1],
        "copies_of_one_text": copies, "leads": leads,
    }  # fmt: skip


class Bigrams:
    """Texts in which each word follows the last as in the real ones."""

    def __init__(self, texts: list[str]) -> None:
        coded = pa.array([word for text in texts for word in text.split() if len(word) < 40]).dictionary_encode()
        self.words, code = np.array(coded.dictionary.to_pylist(), object), coded.indices.to_numpy()
        order = np.argsort(code[:-1], kind="stable")
        self.after, self.first = code[1:][order], np.searchsorted(code[:-1][order], np.arange(len(self.words) + 1))

    def texts(self, seed: int, count: int) -> list[str]:
        rng = np.random.default_rng([7, seed])
        at = self.after[rng.integers(len(self.after), size=count)]
        drawn = [at]
        for _ in range(99):
            low, high = self.first[at], self.first[at + 1]
            many = np.maximum(high - low, 1)
            at = self.after[np.minimum(low + (rng.random(count) * many).astype(np.int64), len(self.after) - 1)]
            drawn.append(at)
        return [" ".join(row) for row in self.words[np.stack(drawn, 1)]]


# -------------------------------------------------------------------------------------------------- power, exactness
DOSES = (1.0, 0.1, 0.01, 0.001)
SHARES = (1.0, 0.2, 0.05)


def power(rows: int, seeds: int) -> list[dict[str, Any]]:
    """A corpus of `rows` rows of which a part is harvested, half of it lightly edited; for a keyed share of requests a
    second answer was drawn and put away. How often the exact test is below 1e-6, and its median p."""
    out = []
    for dose in DOSES:
        results: dict[float, list[float]] = {share: [] for share in SHARES}
        found = []
        for seed in range(seeds):
            rng = np.random.default_rng([11, seed])
            harvested = max(1, round(dose * rows))
            one, other = random_texts(rng, harvested), random_texts(rng, harvested)
            known = index([" ".join(words) for words in (*one, *other)])
            corpus = [copied(rng, words) for words in one]
            corpus += [" ".join(words) for words in random_texts(rng, rows - harvested)]
            got = matched(corpus, known)
            hit = np.zeros(2 * harvested, np.bool_)
            hit[got.answer[got.kind <= NEAR]] = True
            found.append(float(hit[:harvested].mean()))
            draw = rng.random(harvested)
            for share in SHARES:
                kept = draw < share
                test = paired(
                    hit[:harvested][kept], hit[harvested:][kept].astype(np.int64), np.ones(kept.sum(), np.int64)
                )
                results[share].append(float(test.p_value or 0.0))
        for share, ps in results.items():
            row = {
                "dose": dose, "rows": rows, "harvested": harvested, "second_answers": share, "seeds": seeds,
                "found": float(np.mean(found)), "power_at_1e-6": float(np.mean(np.array(ps) <= 1e-6)),
                "median_p": float(np.median(ps)),
            }  # fmt: skip
            out.append(row)
            say(f"power dose {dose:6.1%} second answers {share:4.0%}: found {row['found']:.3f}, "
                  f"power at 1e-6 {row['power_at_1e-6']:.2f}, median p {row['median_p']:.1e}")  # fmt: skip
    return out


def copied(rng: np.random.Generator, words: list[str]) -> str:
    if rng.random() < 0.5:
        return " ".join(words)
    return EDITS[LIGHT[int(rng.integers(len(LIGHT)))]](rng, words, words[::-1])


def exactness(draws: int) -> dict[str, Any]:
    """An innocent corpus that shares public texts with the model's answers, in clumps; coins tossed anew many times."""
    rng = np.random.default_rng(13)
    public = random_texts(rng, 60)
    requests = 400
    answers = []
    for _ in range(2 * requests):
        quoted = public[int(rng.integers(len(public)))] if rng.random() < 0.4 else []
        answers.append(" ".join(quoted + random_texts(rng, 1, 20, 60)[0]))
    corpus = [" ".join(words) for words in public[:30]] + [" ".join(words) for words in random_texts(rng, 2_000)]
    got = matched(corpus, index(answers))
    hit = np.zeros(2 * requests, np.bool_)
    hit[got.answer[got.kind <= NEAR]] = True
    one, other = hit[:requests], hit[requests:]
    p = np.empty(draws)
    for k in range(draws):
        coin = rng.random(requests) < 0.5
        test = paired(
            np.where(coin, one, other), np.where(coin, other, one).astype(np.int64), np.ones(requests, np.int64)
        )
        p[k] = 1.0 if test.p_value is None else test.p_value
    n = int((one != other).sum())
    tails = stats.binom.sf(np.arange(-1, n), n, 0.5)
    out: dict[str, Any] = {"draws": draws, "requests_that_tell": n, "answers_found": int(hit.sum())}
    for level in (0.05, 0.01):
        rejected = int((p <= level).sum())
        low, high = interval(rejected, draws)
        out[str(level)] = {"realised": rejected / draws, "low": low, "high": high,
                           "attainable": float(tails[tails <= level].max(initial=0))}  # fmt: skip
        say(f"exact test, innocent corpus, {n} requests that tell: at {level} realised {rejected / draws:.4f} "
              f"[{low:.4f}, {high:.4f}], attainable {out[str(level)]['attainable']:.4f}")  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=Path, help="folder of real texts")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of the corpus whose speed is measured")
    parser.add_argument("--answers", type=int, default=200_000, help="known answers")
    parser.add_argument("--texts", type=int, default=10_000, help="texts whose copies are looked for")
    parser.add_argument("--unrelated", type=int, default=3_000_000, help="rows for the rate of false matches")
    parser.add_argument("--seeds", type=int, default=5, help="corpora of each dose")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--only", help="parts to measure anew, by comma; the others stay as they stand in the results")
    given = parser.parse_args()
    only = set(given.only.split(",")) if given.only else None
    results: dict[str, Any] = json.loads(given.out.read_text()) if only and given.out.exists() else {}
    results["load_average"] = os.getloadavg()[0]

    def keep(name: str, make: Callable[[], Any]) -> None:
        if only is None or name in only:
            results[name] = make()
            given.out.parent.mkdir(parents=True, exist_ok=True)
            given.out.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    keep("ingest", cost_of_answers)
    keep("speed", lambda: speed(given.rows, given.answers))
    keep("recall_random", lambda: recall(random_texts(np.random.default_rng(2), given.texts), 0))
    keep("exact_test", lambda: exactness(4_000))
    if given.prompts is None or not given.prompts.is_dir():
        say("no --prompts DIR: recall and false matches on real text were not measured")
    else:
        real_texts(given, keep)
    keep("power", lambda: power(20_000, given.seeds))


def real_texts(given: argparse.Namespace, keep: Callable[[str, Callable[[], Any]], None]) -> None:
    long = [text.split() for texts in load(given.prompts, 60).values() for text in texts]
    order = np.random.default_rng(3).permutation(len(long))[: given.texts]
    keep("recall_real", lambda: recall([long[k][:200] for k in order], 1))
    sources = load(given.prompts, 15)

    def bigrams() -> dict[str, Any]:
        model = Bigrams([text for group in sources.values() for text in group])
        return false_matches(model.texts(10**6, given.answers), given.unrelated, model.texts)

    keep("false_bigrams", bigrams)
    keep("false_across_sources", lambda: across_sources(sources))


if __name__ == "__main__":
    main()
