"""The keyed tests on word trigrams: real models that train in a second, for the power at each dose on any machine.

    python benchmarks/forensics_words.py

They are no transformers: they remember exactly what followed which two words and generalise little, so a mark with a
window of 2 stays in them as long as their data hold it. benchmarks/forensics_model.py has the transformers.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import forensics_corpus as corpus
from forensics_measure import (
    DECOYS,
    DRAWS,
    Floats,
    Ints,
    Row,
    key,
    marks,
    naive_alarms,
    text_growth,
    twin_growth,
    twins,
)
from forensics_page import write
from stillwatch.engine.runfolder import atomic
from stillwatch.forensics.model import radioactivity
from stillwatch.forensics.model.twin_test import coins
from stillwatch.forensics.model.watermark import Marker, Scheme

ROOT = Path(__file__).parent.parent
RESULTS, PAGE = ROOT / "benchmarks" / "results" / "forensics_words.json", ROOT / "docs" / "forensics_model.md"
WORDS, LENGTH = 1000, 60
GREEN, GUMBEL = Scheme("green", 2, 0.25, 2.0), Scheme("gumbel", 2)
NAMES = {
    "marked": "100 % marked answers",
    "marked_10": "10 % marked, 90 % human text",
    "marked_3": "3 % marked, 97 % human text",
    "fine_tuned": "100 % marked, then as much human text",
    "reworded_25": "100 % marked, 25 % of words drawn anew",
    "reworded_50": "100 % marked, 50 % of words drawn anew",
    "gumbel": "100 % marked (Gumbel-max)",
    "unmarked": "100 % unmarked answers",
    "other_key": "100 % answers marked under another key",
    "human": "innocent: human text",
    "teacher": "innocent: the teacher itself",
}


class Trigrams:
    """p(c | a, b), interpolated with p(c | b) and p(c)."""

    def __init__(self, streams: list[Ints], words: int = WORDS) -> None:
        self.words = words
        self.one = np.full(words, 0.1)
        self.two = np.zeros((words, words))
        self.three: dict[int, Counter[int]] = {}
        for stream in streams:
            np.add.at(self.one, stream, 1)
            np.add.at(self.two, (stream[:-1], stream[1:]), 1)
            for a, b, c in np.lib.stride_tricks.sliding_window_view(stream, 3).tolist():
                self.three.setdefault(a * words + b, Counter())[c] += 1
        self.one /= self.one.sum()
        self.seen = self.two.sum(axis=1)

    def after(self, a: int, b: int) -> Floats:
        """Chances of the next word, [words]."""
        out = (self.two[b] + 3 * self.one) * (1 / (self.seen[b] + 3))
        if three := self.three.get(a * self.words + b):
            total = three.total()
            out *= 2 / (total + 2)
            for c, n in three.items():
                out[c] += n / (total + 2)
        return out

    def say(self, starts: Ints, length: int, seed: int, marker: Marker | None = None) -> Ints:
        """Texts that go on after `starts` [n, 2], [n, 2 + length]."""
        chance, texts = np.random.default_rng(seed), starts
        for _ in range(length):
            logits = np.log(np.stack([self.after(a, b) for a, b in texts[:, -2:].tolist()]))
            gumbel = marker is not None and marker.scheme.kind == "gumbel"
            if marker is not None:
                logits = marker(list(texts), logits)
            if not gumbel:
                logits = logits + chance.gumbel(size=logits.shape)
            texts = np.column_stack([texts, logits.argmax(axis=1)])
        return texts

    def logprob(self, text: Ints) -> float:
        """Of everything after the first two words, in nats."""
        rows = np.lib.stride_tricks.sliding_window_view(text, 3).tolist()
        return float(np.log([self.chance(a, b, c) for a, b, c in rows]).sum())

    def chance(self, a: int, b: int, c: int) -> float:
        """p(c | a, b)."""
        two = float((self.two[b, c] + 3 * self.one[c]) / (self.seen[b] + 3))
        three = self.three.get(a * self.words + b)
        return (three[c] + 2 * two) / (three.total() + 2) if three else two


def numbered(text: str, known: dict[str, int]) -> Ints:
    """Text as words, unknown ones as 0."""
    return np.array([known.get(word, 0) for word in re.findall(r"[a-z]+", text.lower())], dtype=np.int64)


def reworded(texts: Ints, writer: Trigrams, share: float) -> Ints:
    """From left to right each word is drawn anew with probability `share` by another model."""
    chance, out = np.random.default_rng(9), texts.copy()
    for row, place in np.argwhere(chance.uniform(size=texts.shape) < share).tolist():
        if place >= 2:
            out[row, place] = chance.choice(writer.words, p=writer.after(*out[row, place - 2 : place]))
    return out


def distribution(model: Trigrams, base: Trigrams, texts: Ints) -> radioactivity.Pairs:
    """Next-word chances at every place of the model's own texts, less an innocent model's, where either gives .02."""
    windows, tokens, chances = [], [], []
    for a, b in np.unique(np.lib.stride_tricks.sliding_window_view(texts[:, :-1], 2, axis=1).reshape(-1, 2), axis=0):
        mine, other = model.after(int(a), int(b)), base.after(int(a), int(b))
        likely = np.flatnonzero(np.maximum(mine, other) >= 0.02)
        windows.append(np.tile([a, b], (len(likely), 1)))
        tokens.append(likely)
        chances.append((mine - other)[likely])
    return radioactivity.distribution_pairs(np.concatenate(windows), np.concatenate(tokens), np.concatenate(chances))


class Bench:
    """A teacher, an operator's twins, and students of what was served."""

    def __init__(self, answers: int, asked: int) -> None:
        taught, other = corpus.halves()
        common = Counter(re.findall(r"[a-z]+", taught.lower())).most_common(WORDS - 1)
        known = {word: n for n, (word, _) in enumerate(common, 1)}
        self.human_text = numbered(other, known)
        self.teacher, self.human = Trigrams([numbered(taught, known)]), Trigrams([self.human_text])
        self.starts, self.probes = self._starts(answers, 1), self._starts(asked, 2)
        self.ids = [f"request-{n}" for n in range(answers)]
        self.rows: list[Row] = []
        self.alarms: dict[str, Any] = {}
        self.naive: dict[str, float] = {}
        self.grown: dict[str, Any] = {}
        self.schemes: dict[str, str] = {}

    def _starts(self, count: int, seed: int) -> Ints:
        places = np.random.default_rng(seed).integers(0, len(self.human_text) - 2, count)
        return np.stack([self.human_text[place : place + 2] for place in places])

    def twins(self, name: str, scheme: Scheme | None) -> tuple[Ints, Ints]:
        """(served, not served) answers under a key."""
        markers = [Marker(key(name), scheme, n) if scheme else None for n in (0, 1)]
        both = np.stack([self.teacher.say(self.starts, LENGTH, 5 + n, markers[n]) for n in (0, 1)])
        coin, rows = coins(key(name).secret, self.ids), np.arange(len(self.ids))
        return both[coin, rows], both[1 - coin, rows]

    def measure(self, name: str, model: Trigrams, pair: tuple[Ints, Ints], operator: str, scheme: Scheme) -> None:
        """Every statistic of one student."""
        served, unserved = ([model.logprob(text) for text in side] for side in pair)
        base = [[self.human.logprob(text) for text in side] for side in pair]
        difference = np.array(served) - np.array(unserved)
        self.rows.append(twins(name, "twins", operator, difference, self.alarms))
        if name != "human":
            less = difference - np.array(base[0]) + np.array(base[1])
            self.rows.append(twins(name, "twins less human", operator, less, self.alarms))
        texts = model.say(self.probes, LENGTH, 3)
        answers, prompts = list(texts[:, 2:]), list(texts[:, :2])
        for weighted in (False, True):
            pairs = radioactivity.text_pairs(answers, prompts, scheme.window, weighted)
            self.rows += marks(name, "text weighted" if weighted else "text", pairs, scheme, self.alarms)
        if name != "human":
            found = distribution(model, self.human, texts)
            self.rows += marks(name, "distribution less human", found, scheme, self.alarms)
        self.naive[name] = naive_alarms(answers, scheme)
        self.schemes[name] = scheme.kind
        if name in {"marked", "marked_10", "marked_3"}:
            text = text_growth(answers, prompts, scheme, operator)
            self.grown[name] = {"text": text, "twins": twin_growth(difference)}
        print(f"{name}: {time.process_time():.0f} CPU s", flush=True)


def run(bench: Bench) -> None:
    """All students."""
    pair = bench.twins("op", GREEN)
    served = pair[0]
    size = served.size
    human = np.resize(bench.human_text, size)
    bench.measure("human", bench.human, pair, "op", GREEN)
    bench.measure("teacher", bench.teacher, pair, "op", GREEN)
    for name, dose in (("marked", 1.0), ("marked_10", 0.10), ("marked_3", 0.03)):
        took = round(dose * len(served))
        student = Trigrams([*served[:took], human[: size - served[:took].size]] if dose < 1 else list(served))
        bench.measure(name, student, (pair[0][:took], pair[1][:took]), "op", GREEN)
    bench.measure("fine_tuned", Trigrams([*served, human]), pair, "op", GREEN)
    for share in (25, 50):
        texts = reworded(served, bench.human, share / 100)
        bench.measure(f"reworded_{share}", Trigrams(list(texts)), pair, "op", GREEN)
    for name, operator, scheme in (("gumbel", "op", GUMBEL), ("unmarked", "op", None), ("other_key", "other", GREEN)):
        mine = bench.twins(operator, scheme)
        bench.measure(name, Trigrams(list(mine[0])), mine, operator, scheme or GREEN)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=600)
    parser.add_argument("--asked", type=int, default=400)
    given = parser.parse_args()
    started, load = time.process_time(), os.getloadavg()[0]
    bench = Bench(given.answers, given.asked)
    run(bench)
    result = {
        "answers": given.answers, "answer_words": LENGTH, "asked": given.asked, "words": WORDS, "load": load,
        "cpu_seconds": time.process_time() - started, "decoys": DECOYS, "rows": [asdict(row) for row in bench.rows],
        "false_alarms": bench.alarms, "naive_false_alarms_at_.01": bench.naive, "growth": bench.grown, "draws": DRAWS,
        "schemes": bench.schemes,
    }  # fmt: skip
    with atomic(RESULTS) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    write(result, PAGE, NAMES, "forensics_words.py")


if __name__ == "__main__":
    main()
