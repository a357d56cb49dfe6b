"""Asks a suspect for what the plan's statistics need, and gives it back as tables of evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from stillwatch.errors import InputError
from stillwatch.forensics.model.evidence import FEEDS
from stillwatch.forensics.model.suspects.base import Scored, Suspect
from stillwatch.forensics.model.suspects.likeness import likeness
from stillwatch.forensics.model.testing import Case, check_prompts
from stillwatch.progress import Progress

_BATCH = 64


def collect(suspect: Suspect, case: Case, progress: Progress) -> tuple[dict[str, pa.Table], list[str]]:
    """Tables of evidence, and notes on what the suspect did not give."""
    wanted = {FEEDS[statistic] for statistic in case.plan.statistics}
    out: dict[str, pa.Table | None] = {}
    notes: list[str] = []
    if "twins" in wanted:
        out["twins"] = _twins(suspect, case, progress)
    if "twins_text" in wanted:
        out["twins_text"] = _twins_text(suspect, case, progress)
    if "canaries" in wanted:
        out["canaries"] = _canaries(suspect, case, progress)
    if {"tokens", "distribution"} & wanted:
        answers = _answers(suspect, case, progress)
        if "tokens" in wanted:
            out["tokens"] = pa.table({"prompt": [p for p, _ in answers], "text": [a for _, a in answers]})
        if "distribution" in wanted:
            out["distribution"] = _distribution(suspect, case, answers, notes)
    for name in ("twins", "canaries"):
        if name in wanted and out[name] is None:
            notes.append(f"the suspect gives no log-probabilities of given text: no {name}")
    return {name: table for name, table in out.items() if table is not None}, notes


def _score(suspect: Suspect, pairs: Sequence[tuple[str, str]], progress: Progress, what: str) -> list[Scored] | None:
    progress.stage(what, len(pairs))
    out: list[Scored] = []
    for start in range(0, len(pairs), _BATCH):
        part = suspect.score(pairs[start : start + _BATCH])
        if part is None:
            return None
        out += part
        progress.advance(len(part))
    return out


def _twins(suspect: Suspect, case: Case, progress: Progress) -> pa.Table | None:
    rows = [row for row in case.twins if row.key in case.keys]
    asked = [(row.prompt, answer) for row in rows for answer in row.answers]
    done = _score(suspect, asked, progress, "log-probabilities of twins")
    if done is None:
        return None
    first, second = done[0::2], done[1::2]
    return pa.table(
        {
            "request_id": [row.request_id for row in rows],
            "logprob_0": [s.logprob for s in first],
            "logprob_1": [s.logprob for s in second],
            "tokens_0": [s.tokens for s in first],
            "tokens_1": [s.tokens for s in second],
        }
    )


def _twins_text(suspect: Suspect, case: Case, progress: Progress) -> pa.Table:
    rows = [row for row in case.twins if row.key in case.keys]
    own = _generate(suspect, [row.prompt for row in rows], case, progress, "answers to the twins' prompts")
    return pa.table(
        {
            "request_id": [row.request_id for row in rows],
            "likeness_0": [likeness(text, row.answers[0]) for text, row in zip(own, rows, strict=True)],
            "likeness_1": [likeness(text, row.answers[1]) for text, row in zip(own, rows, strict=True)],
        }
    )


def _canaries(suspect: Suspect, case: Case, progress: Progress) -> pa.Table | None:
    asked = [
        (canary.place, canary.prompt, answer)
        for drawn in case.canaries.values()
        for canary in drawn
        for answer in canary.answers
    ]
    done = _score(suspect, [(prompt, answer) for _, prompt, answer in asked], progress, "log-probabilities of canaries")
    if done is None:
        return None
    return pa.table(
        {
            "place": [place for place, _, _ in asked],
            "answer": [answer for _, _, answer in asked],
            "logprob": [scored.logprob for scored in done],
        }
    )


def _answers(suspect: Suspect, case: Case, progress: Progress) -> list[tuple[str, str]]:
    """The plan's prompts and the suspect's answers to them, `samples` each."""
    if case.plan.prompts is None:
        raise InputError("refused: the plan names no prompts to ask the suspect")
    prompts = read_prompts(case.plan.prompts)
    if case.tokens is not None:
        check_prompts(case, [np.array(case.tokens(prompt), dtype=np.int64) for prompt in prompts])
    prompts *= case.plan.samples
    return list(zip(prompts, _generate(suspect, prompts, case, progress, "the suspect's answers"), strict=True))


def _generate(suspect: Suspect, prompts: list[str], case: Case, progress: Progress, what: str) -> list[str]:
    progress.stage(what, len(prompts))
    out: list[str] = []
    for start in range(0, len(prompts), _BATCH):
        part = prompts[start : start + _BATCH]
        out += suspect.generate(part, case.plan.max_tokens, case.plan.temperature, case.plan.seed + start)
        progress.advance(len(part))
    if not any(out):
        raise InputError("refused: the suspect answered nothing")
    return out


def _distribution(suspect: Suspect, case: Case, answers: list[tuple[str, str]], notes: list[str]) -> pa.Table | None:
    got = suspect.positions(answers, case.plan.tokenizer, case.plan.watermark.window)
    if isinstance(got, str):
        notes.append(f"no distribution: {got}")
        return None
    windows = pa.array(list(got.windows), pa.list_(pa.int64()))
    return pa.table({"window": windows, "token": got.tokens, "chance": got.chances})


def read_prompts(path: Path) -> list[str]:
    """The `prompt` of each line of a JSON lines file. InputError with the line that has none."""
    out = []
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            prompt = json.loads(line)["prompt"]
            if not isinstance(prompt, str):
                raise InputError(f"prompts {path}: line {number} has no text")
            out.append(prompt)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"prompts {path}: {error!r}") from error
    if not out:
        raise InputError(f"prompts {path}: it is empty")
    return out
