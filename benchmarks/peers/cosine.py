"""TF-IDF cosine (scikit-learn): one document an account, accounts linked by the cosine of their documents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from benchmarks.peers.answer import Answer, linked
from benchmarks.peers.world import Log, objects, read

LEAST = 0.05
"""Cosines below are no links at any threshold."""


def look(world: Path, *, analyser: str = "word", system: bool = True, prompts: int = 40) -> Answer:
    """analyser: `word` (one and two words) or `char` (four letters). system: whether instructions are read too."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    log = read(world)
    shape = (
        {"analyzer": "word", "ngram_range": (1, 2)}
        if analyser == "word"
        else {"analyzer": "char_wb", "ngram_range": (4, 4)}
    )
    matrix = TfidfVectorizer(sublinear_tf=True, min_df=2, max_df=0.5, dtype=np.float32, **shape).fit_transform(
        documents(log, prompts, system)
    )
    found = (matrix @ matrix.T).tocoo()
    keep = (found.row < found.col) & (found.data >= LEAST)
    return linked(log.accounts, found.row[keep], found.col[keep], found.data[keep])


def documents(log: Log, prompts: int, system: bool) -> list[str]:
    """Of each account: its first `prompts` different prompts, and its different system instructions."""
    texts: list[dict[str, None]] = [{} for _ in log.accounts]
    instructions: list[dict[str, None]] = [{} for _ in log.accounts]
    for account, prompt, words in zip(
        log.account.tolist(), objects(log, "prompt"), objects(log, "system"), strict=True
    ):
        if prompt and len(texts[account]) < prompts:
            texts[account].setdefault(prompt)
        if system and words and len(instructions[account]) < prompts:
            instructions[account].setdefault(words)
    return ["\n".join([*a, *b]) for a, b in zip(texts, instructions, strict=True)]
