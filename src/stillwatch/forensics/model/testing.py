"""From evidence to findings: each statistic under each key, the control keys beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.errors import InputError
from stillwatch.forensics.model import canaries, exact, radioactivity, twin_test
from stillwatch.forensics.model.canaries import Canary
from stillwatch.forensics.model.evidence import FEEDS, numbers, sequences, strings
from stillwatch.forensics.model.keys import Key
from stillwatch.forensics.model.plan import Plan
from stillwatch.forensics.model.prf import watermark_key
from stillwatch.forensics.model.radioactivity import Pairs
from stillwatch.forensics.model.twins import TwinRow
from stillwatch.forensics.model.verdict import Finding

Floats = npt.NDArray[np.float64]
MARKED_PROMPTS = -5.0
"""log10 of the p-value at which prompts count as marked."""
FEWEST = {"twins": 20, "twins_text": 20, "text": 1000, "text_weighted": 1000, "distribution": 1000, "canaries": 2}
"""Below this a statistic is refused: it could hardly say anything."""


@dataclass(frozen=True)
class Case:
    """What the tests know besides the evidence: keys that served, control keys, and what was logged."""

    plan: Plan
    keys: Mapping[str, Key]
    twins: list[TwinRow] = field(default_factory=list)
    canaries: Mapping[str, list[Canary]] = field(default_factory=dict)
    """Key id -> its places."""
    tokens: Callable[[str], list[int]] | None = None
    """The provider's tokeniser."""


def findings(case: Case, suspect: str, evidence: Mapping[str, pa.Table]) -> list[Finding]:
    """Every statistic of the plan for which there is evidence. A refusal if there is none, or it does not fit."""
    out: list[Finding] = []
    for statistic in case.plan.statistics:
        table = evidence.get(FEEDS[statistic])
        if table is not None:
            out += _TESTS[statistic](case, suspect, statistic, table)
    if not out:
        wanted = ", ".join(sorted({FEEDS[s] for s in case.plan.statistics}))
        raise InputError(f"refused: no evidence for any statistic of the plan (it needs: {wanted})")
    return out


def _enough(statistic: str, number: int, what: str) -> None:
    if number < FEWEST[statistic]:
        raise InputError(f"refused: {statistic} has {number:,} {what}, at least {FEWEST[statistic]:,} are needed")


# --- twins ----------------------------------------------------------------------------------------------------------


def _twins(case: Case, suspect: str, statistic: str, table: pa.Table) -> list[Finding]:
    ids = strings(table, "request_id")
    if len(set(ids)) < len(ids):
        raise InputError("refused: a request_id stands twice in the twins' evidence")
    second_less_first = _preference(table, statistic)
    key_of = {row.request_id: row.key for row in case.twins}
    places = [place for place, id in enumerate(ids) if id in key_of]
    if not places:
        raise InputError("refused: no overlap: none of the evidence's request ids is in the twin log")
    out = []
    for id, key in case.keys.items():
        control = key.role == "control"
        mine = [p for p in places if key_of[ids[p]] == id or (control and key_of[ids[p]] in case.keys)]
        if not mine:
            continue
        _enough(statistic, len(mine), f"twins under {id}")
        signs = 2 * twin_test.coins(key.secret, [ids[p] for p in mine]) - 1
        done = twin_test.sign_flip(signs * second_less_first[mine], case.plan.decoys, case.plan.seed)
        _enough(statistic, done.pairs - done.tied, f"twins under {id} between which the suspect differs")
        out.append(
            Finding(
                suspect, statistic, id, key.role, done.pairs, "twins", done.preferred, 0.5, done.z,
                exact.log10(done.log_p), done.flips, done.as_large,
            )
        )  # fmt: skip
    if not any(finding.role != "control" for finding in out):
        raise InputError("refused: no overlap: no twins of the evidence were served under a key of the plan")
    return out


def _preference(table: pa.Table, statistic: str) -> Floats:
    """How much the suspect prefers the second twin to the first, [n]; a token's mean where their numbers are known."""
    if statistic == "twins_text":
        return numbers(table, "likeness_1") - numbers(table, "likeness_0")
    sides = []
    for side in ("0", "1"):
        value = numbers(table, f"logprob_{side}")
        if f"reference_{side}" in table.column_names:
            value = value - numbers(table, f"reference_{side}")
        if f"tokens_{side}" in table.column_names:
            value = value / np.maximum(numbers(table, f"tokens_{side}"), 1)
        sides.append(value)
    return sides[1] - sides[0]


# --- watermark ------------------------------------------------------------------------------------------------------


def _text(case: Case, suspect: str, statistic: str, table: pa.Table) -> list[Finding]:
    answers = _tokens(case, table, "tokens", "text")
    if {"prompt", "prompt_tokens"} & set(table.column_names):
        prompts = _tokens(case, table, "prompt_tokens", "prompt")
    else:
        prompts = [np.empty(0, np.int64)] * len(answers)
    if not sum(len(answer) for answer in answers):
        raise InputError("refused: the suspect answered nothing")
    width = case.plan.watermark.window
    check_prompts(case, prompts)
    pairs = radioactivity.text_pairs(answers, prompts, width, weighted=statistic == "text_weighted")
    return _marks(case, suspect, statistic, pairs)


def check_prompts(case: Case, prompts: list[npt.NDArray[np.int64]]) -> None:
    """A refusal if the prompts carry a mark themselves: a model that goes on in their manner would seem to have it."""
    scheme = case.plan.watermark.scheme()
    pairs = radioactivity.text_pairs(prompts, [np.empty(0, np.int64)] * len(prompts), scheme.window)
    for id, key in case.keys.items():
        total = radioactivity.total(pairs, scheme, watermark_key(key.secret))
        if len(pairs) and exact.log10(radioactivity.log_p(pairs, scheme, total)) < MARKED_PROMPTS:
            raise InputError(f"refused: the prompts carry the mark of {id}")


def _tokens(case: Case, table: pa.Table, listed: str, text: str) -> list[npt.NDArray[np.int64]]:
    if listed in table.column_names:
        return sequences(table, listed)
    if case.tokens is None:
        raise InputError(f"refused: the evidence has {text} and no {listed}, and the plan names no tokenizer")
    tokens = case.tokens
    return [np.array(tokens(value), dtype=np.int64) for value in strings(table, text)]


def _distribution(case: Case, suspect: str, statistic: str, table: pa.Table) -> list[Finding]:
    windows = sequences(table, "window")
    width = case.plan.watermark.window
    if any(len(window) != width for window in windows):
        raise InputError(f"refused: a window is of {width} tokens by the plan")
    chances = numbers(table, "chance")
    if (np.abs(chances) > 1).any():
        raise InputError("refused: chance is a probability, or a difference of two")
    tokens = numbers(table, "token").astype(np.int64)
    pairs = radioactivity.distribution_pairs(np.array(windows, dtype=np.int64), tokens, chances)
    return _marks(case, suspect, statistic, pairs)


def _marks(case: Case, suspect: str, statistic: str, pairs: Pairs) -> list[Finding]:
    _enough(statistic, len(pairs), "distinct pairs of window and token")
    scheme, plan = case.plan.watermark.scheme(), case.plan
    others = radioactivity.decoy_totals(pairs, scheme, plan.decoys, plan.seed)
    out = []
    for id, key in case.keys.items():
        done = radioactivity.test(pairs, scheme, key.secret, others)
        out.append(
            Finding(
                suspect, statistic, id, key.role, done.pairs, "pairs", done.observed, done.expected, done.z,
                exact.log10(done.log_p), done.decoys, done.as_large,
            )
        )  # fmt: skip
    return out


# --- canaries -------------------------------------------------------------------------------------------------------


def _canaries(case: Case, suspect: str, statistic: str, table: pa.Table) -> list[Finding]:
    places, texts, values = strings(table, "place"), strings(table, "answer"), numbers(table, "logprob")
    score = dict(zip(zip(places, texts, strict=True), values.tolist(), strict=True))
    if len(score) < len(values):
        raise InputError("refused: an answer of a place stands twice in the canaries' evidence")
    out = []
    for id, key in case.keys.items():
        control = key.role == "control"
        drawn = [c for k, cs in case.canaries.items() if k == id or (control and k in case.keys) for c in cs]
        whole = [c for c in drawn if all((c.place, answer) in score for answer in c.answers)]
        if not whole:
            continue
        _enough(statistic, len(whole), f"whole places under {id}")
        if len({len(c.answers) for c in whole}) > 1:
            raise InputError("refused: places of one test must have equally many canaries")
        chosen = np.array([canaries.served(key.secret, c.place, len(c.answers)) for c in whole])
        done = canaries.ranks(np.array([[score[c.place, a] for a in c.answers] for c in whole]), chosen)
        out.append(
            Finding(
                suspect, statistic, id, key.role, done.places, "places", done.rank, 0.5, _rank_z(done),
                exact.log10(done.log_p), 0, 0,
            )
        )  # fmt: skip
    if not any(finding.role != "control" for finding in out):
        raise InputError("refused: no overlap: no place of the plan's canaries is whole in the evidence")
    return out


def _rank_z(done: canaries.Ranks) -> float:
    deviation = float(np.sqrt((done.drawn**2 - 1) / 12 * done.places))
    return (done.places * (done.drawn - 1) / 2 - done.observed) / deviation


_TESTS: Mapping[str, Callable[[Case, str, str, pa.Table], list[Finding]]] = {
    "twins": _twins,
    "twins_text": _twins,
    "text": _text,
    "text_weighted": _text,
    "distribution": _distribution,
    "canaries": _canaries,
}
