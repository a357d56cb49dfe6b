"""Accounts of real prompts for `vectors.py`: campaigns, honest products, classes, ordinary people; dealt anew a split.

Three scenes. plain: a campaign draws from one corpus. cover: as plain, and 70 % of what a campaign account sends is
what ordinary people ask. hard: a campaign mixes tasks of a dozen corpora in shares of its own, under 60 % cover, so
that nothing but the shares is its own. Honest products (accounts of one bot, pipeline or evaluation harness) and
classes (a pool of exercises that all pupils share) are in every scene; two accounts of one are one source, and rightly.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stillwatch.hashing import mix64

Ints = npt.NDArray[np.int64]
CAMPAIGNS = ("alpaca_52k", "alpaca_zh_hikariming", "codealpaca", "gpteacher_toolformer", "apibench", "identity_probe",
             "evolve", "grade", "reason")  # fmt: skip
PRODUCTS = ("banking77", "clinc150", "sgd_dialogues", "review_pipeline", "news_pipeline", "t0_templates", "gsm8k",
            "math_test", "trivia_questions")  # fmt: skip
ORDINARY = ("people", "sharegpt92k_sample", "msmarco_queries", "nq_questions", "trivia_questions", "clinc150",
            "sgd_dialogues")  # fmt: skip
PEOPLE = ("alpaca_eval_805", "arena_hard_v0.1", "instructionwild_users", "koala_test", "mt_bench", "user_oriented")
TASKS = ("alpaca_52k", "codealpaca", "gpteacher_toolformer", "apibench", "identity_probe", "alpaca_zh_hikariming",
         "gsm8k", "math_test", "t0_templates", "ag_news_test", "nq_questions", "trivia_questions")  # fmt: skip
WRAPPED = {
    "evolve": ("wizardlm_createConstraintsPrompt", "alpaca_52k"),
    "grade": ("skyt1_scripts_grading_prompt", "gsm8k"),
    "reason": ("skyt1_CONVERT_PROMPT", "math_test"),
}
"""Campaign kinds that put items into a published template: its name, and where its items come from."""
PIPELINES = {
    "review_pipeline": ("Is this review positive or negative? Answer with one word.\n\n{text}", "sst2"),
    "news_pipeline": ("Sort the report into World, Sports, Business or Technology.\nReport: {text}", "ag_news_test"),
}
SIZE = 200
COVER = {"plain": 0.0, "cover": 0.7, "hard": 0.6}
CAMPAIGN, PRODUCT, ORDINARILY = 0, 1, 2


@dataclass(frozen=True)
class Corpora:
    """All prompts in one list, and the places of each corpus in it."""

    texts: list[str]
    rows: dict[str, Ints]


@dataclass(frozen=True)
class Log:
    """Accounts: places of their prompts [A, SIZE] in the order of the events' hashes, role and group (-1: none) [A]."""

    prompts: Ints
    role: Ints
    group: Ints


def corpora(prompts: dict[str, list[str]], templates: Path) -> Corpora:
    """Corpora and what is made of them: people's chat in one, pipelines, and templates filled with items."""
    named = dict(prompts)
    named["people"] = [line for name in PEOPLE for line in prompts.get(name, [])]
    for name, (template, items) in PIPELINES.items():
        named[name] = [template.format(text=item) for item in prompts.get(items, [])]
    texts = {}
    if templates.exists():
        records = map(json.loads, templates.read_text(encoding="utf-8").splitlines())
        texts = {record["name"]: record["text"] for record in records}
    for name, (template, items) in WRAPPED.items():
        if template in texts:
            named[name] = [filled(texts[template], item) for item in prompts.get(items, [])[:3_000]]
    every: list[str] = []
    rows = {}
    for name, lines in named.items():
        rows[name] = np.arange(len(every), len(every) + len(lines))
        every += lines
    return Corpora(every, rows)


def filled(template: str, item: str) -> str:
    """The template with the item in its last slot and nothing in the others."""
    slots = list(re.finditer(r"\{+ ?[\w .]+ ?\}+", template))
    if not slots:
        return f"{template}\n\n{item}"
    last = slots[-1]
    return re.sub(r"\{+ ?[\w .]+ ?\}+", "", template[: last.start()]) + item + template[last.end() :]


class Dealer:
    """Deals each corpus without repetition; begins again, and counts it, when a corpus is used up."""

    def __init__(self, rows: dict[str, Ints], rng: np.random.Generator) -> None:
        self._decks = {name: rng.permutation(some) for name, some in rows.items() if len(some)}
        self._next = dict.fromkeys(self._decks, 0)
        self.dealt = 0
        self.again = 0

    def deal(self, name: str, n: int) -> Ints:
        """The next n prompts of a corpus."""
        deck, at = self._decks[name], self._next[name]
        self._next[name] = at + n
        self.dealt += n
        self.again += min(n, max(0, at + n - len(deck)))
        return deck[np.arange(at, at + n) % len(deck)]

    def mixed(self, shares: dict[str, float], n: int, rng: np.random.Generator) -> Ints:
        """n prompts of corpora drawn by their shares."""
        names = sorted(shares)
        weight = np.array([shares[name] for name in names])
        counts = rng.multinomial(n, weight / weight.sum())
        parts = [self.deal(name, int(k)) for name, k in zip(names, counts, strict=True) if k]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def deal(found: Corpora, scene: str, seed: int, small: bool = False) -> tuple[Log, Dealer]:
    """The accounts of one scene; ValueError if corpora that it needs are not there."""
    rng = np.random.default_rng(seed)
    dealer = Dealer(found.rows, rng)
    missing = {*CAMPAIGNS, *PRODUCTS, *ORDINARY, *TASKS} - set(dealer._decks)
    if missing:
        raise ValueError(f"no prompts of {', '.join(sorted(missing))}")
    rows: list[Ints] = []
    who: list[tuple[int, int]] = []

    def ordinary(n: int) -> Ints:
        # few are many-sided: a small concentration makes most people ask mainly one or two kinds of thing
        lean = dict(zip(ORDINARY, rng.dirichlet(np.full(len(ORDINARY), 0.5)).tolist(), strict=True))
        return dealer.mixed(lean, n, rng)

    def add(role: int, group: int, *parts: Ints) -> None:
        rows.append(np.concatenate(parts))
        who.append((role, group))

    group = 0
    covered = round(COVER[scene] * SIZE)
    for name in range(6) if scene == "hard" else CAMPAIGNS:
        shares = {str(name): 1.0}
        if scene == "hard":
            shares = dict(zip(TASKS, rng.dirichlet(np.full(len(TASKS), 0.7)).tolist(), strict=True))
        for _ in range(4 if small else 16 if scene == "hard" else 12):
            add(CAMPAIGN, group, dealer.mixed(shares, SIZE - covered, rng), ordinary(covered))
        group += 1
    for name in PRODUCTS:
        for _ in range(3 if small else 8):
            add(PRODUCT, group, dealer.deal(name, SIZE))
        group += 1
    for subject in ("math_test", "gsm8k"):
        exercises = dealer.deal(subject, 80)
        for _ in range(4 if small else 15):
            add(PRODUCT, group, rng.choice(exercises, SIZE // 2), ordinary(SIZE // 2))
        group += 1
    for _ in range(30 if small else 160):
        add(ORDINARILY, -1, ordinary(SIZE))
    return Log(by_hash(np.array(rows), seed), np.array([r for r, _ in who]), np.array([g for _, g in who])), dealer


def by_hash(prompts: Ints, seed: int) -> Ints:
    """Each account's prompts in the order of their event's hash: the first k are a sample that no order can bias."""
    keys = [[mix64((seed << 40) + (a << 20) + k) for k in range(prompts.shape[1])] for a in range(len(prompts))]
    return np.take_along_axis(prompts, np.argsort(np.array(keys, np.uint64), axis=1), axis=1)
