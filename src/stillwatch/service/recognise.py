"""By what an accused operator is known: traits with bits against the log's background, and how many bits it takes.

An account scores, for each operator, the best token of each family of views that it shares with it: bits are log2 of
how often the operator's proven members hold the token over how often everybody else does. Views of one family tell one
fact, so they do not add; one fact alone, however rare, recognises nobody.

How many bits it takes is not worked out from a model but read off the log: every account that is honest as far as the
run knows is scored as a newcomer would be (its own holding taken out of the counts), with all that it ever held. A
newcomer's first requests hold less, so its chance is smaller. The threshold lets through at most the stated share of
them, and no log can show a smaller share than its size allows: `upper` says what it does show.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp
from scipy.stats import beta

from stillwatch.engine.runfolder import RunFolder
from stillwatch.linking.matrix import Floats, Ints
from stillwatch.linking.traits import TOKENS
from stillwatch.linking.views import VIEWS
from stillwatch.model import Verdict
from stillwatch.state.derived import WITHIN_A_DAY

LEAST_MEMBERS = 5
"""Proven members from which there is something to know an operator by."""
LEAST_HOLDERS = 3
"""Of these, members that must hold a token."""
LEAST_FAMILIES = 2
_FROM_EVENTS = (name for name in TOKENS if VIEWS[name].kind != "context" and name not in WITHIN_A_DAY)
USED = tuple(sorted(_FROM_EVENTS))
"""Views that a single event shows and a later event can show again."""

_s, _i, _f = pa.string(), pa.int64(), pa.float64()
TOKENS_OF = pa.schema([
    ("operator_id", _s), ("view", _s), ("token", _s), ("family", _s), ("bits", _f), ("members", _i), ("others", _i),
])  # fmt: skip
"""A token that speaks for an operator; how many proven members and how many others of the run hold it."""


@dataclass(frozen=True)
class Known:
    """What accused operators are known by."""

    tokens: pa.Table
    """TOKENS_OF."""
    threshold: float = math.inf
    """Bits from which an account is taken for the operator's."""
    rate: float = 0.0
    """False-positive rate that was asked for."""
    honest: int = 0
    """Accounts that the threshold was read off."""
    taken: int = 0
    """Of these, accounts that would be recognised."""
    operators: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Accused operator -> members that were `proven`, and the share of them that would be `recognised`."""

    @property
    def upper(self) -> float:
        """95 % upper bound of the false-positive rate, Clopper and Pearson (1934)."""
        return float(beta.ppf(0.95, self.taken + 1, self.honest - self.taken)) if self.honest > self.taken else 1.0

    def as_dict(self) -> dict[str, Any]:
        """All but the tokens, as plain values."""
        return {
            "threshold_bits": None if math.isinf(self.threshold) else round(self.threshold, 3), "rate": self.rate,
            "honest": self.honest, "taken": self.taken, "upper": self.upper, "operators": self.operators,
        }  # fmt: skip

    def write(self, folder: Path) -> None:
        """As a folder `tokens.parquet` and `known.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(self.tokens, folder / "tokens.parquet")
        (folder / "known.json").write_text(json.dumps(self.as_dict(), indent=1) + "\n", encoding="utf-8")


def build(
    run: RunFolder, rate: float, without: tuple[str, ...] = (), accused_by: Collection[str] | None = None
) -> Known:
    """From a finished run. Known by nothing: who is not accused, or has too few proven members.

    accused_by: operators whose accusation by the run the service stands by; None is all of them. Members of the others
    are not among the honest either.
    """
    operators = run.read("operators")
    accused = _accused(run)
    everyone = sorted(set(operators["account_id"].to_pylist()))
    place = {account: row for row, account in enumerate(everyone)}
    chosen = accused if accused_by is None else accused.filter(pc.is_in(accused, pa.array(sorted(accused_by), _s)))
    members = _members(operators, chosen, place)
    apart = set(operators.filter(pc.is_in(operators["operator_id"], value_set=accused))["account_id"].to_pylist())
    for name in ("victims", "streams"):
        apart |= set(run.read(name, ["account_id"])["account_id"].to_pylist())
    honest = np.array([place[account] for account in everyone if account not in apart], np.int64)
    traits = run.read("traits")
    used = [name for name in USED if name not in without]
    held = _Held.of(traits.filter(pc.is_in(traits["view"], value_set=pa.array(used, _s))), place)
    return _calibrated(held, members, honest, rate)


def _accused(run: RunFolder) -> pa.Array:
    verdicts = run.read("verdicts", ["operator_id", "verdict"])
    guilty = verdicts.filter(pc.equal(verdicts["verdict"], Verdict.UNAUTHORISED_DISTILLATION.value))
    return guilty["operator_id"].combine_chunks()


def _members(operators: pa.Table, accused: pa.Array, place: dict[str, int]) -> dict[str, Ints]:
    """Rows of the proven members of accused operators that have enough of them."""
    proven = operators.filter(pc.and_(operators["proven"], pc.is_in(operators["operator_id"], value_set=accused)))
    found: dict[str, list[int]] = {}
    for account, operator in zip(proven["account_id"].to_pylist(), proven["operator_id"].to_pylist(), strict=True):
        found.setdefault(operator, []).append(place[account])
    return {name: np.array(rows, np.int64) for name, rows in sorted(found.items()) if len(rows) >= LEAST_MEMBERS}


@dataclass(frozen=True)
class _Held:
    """Who holds which token."""

    rows: sp.csr_matrix
    """Ones, [accounts, tokens]."""
    views: list[str]
    tokens: list[str]
    families: Ints
    """Number of each token's family."""

    @classmethod
    def of(cls, traits: pa.Table, place: dict[str, int]) -> _Held:
        word = pc.binary_join_element_wise(traits["view"], traits["token"], "\t").combine_chunks().dictionary_encode()
        row = pc.index_in(traits["account_id"].combine_chunks(), value_set=pa.array(list(place), _s))
        shape = (len(place), len(word.dictionary))
        rows = sp.csr_matrix((np.ones(len(traits)), (row.to_numpy(), word.indices.to_numpy())), shape=shape)
        rows.data[:] = 1.0
        split = [text.split("\t", 1) for text in word.dictionary.to_pylist()]
        names = sorted({VIEWS[view].family for view, _ in split})
        families = np.array([names.index(VIEWS[view].family) for view, _ in split], np.int64)
        return cls(rows, [view for view, _ in split], [token for _, token in split], families)


def bits(members: Floats, of: float, others: Floats, among: float) -> Floats:
    """log2 of the share of members that hold a token over that of others, half a holder added to each."""
    return np.asarray(np.log2((members + 0.5) / (of + 1.0)) - np.log2((others + 0.5) / (among + 1.0)), np.float64)


def _scores(held: sp.csr_matrix, families: Ints, worth: Floats) -> Floats:
    """Score of each row: the best token of each family, added; nothing if fewer than two families speak."""
    best = np.zeros((held.shape[0], int(families.max(initial=0)) + 1))
    found = held.tocoo()
    np.maximum.at(best, (found.row, families[found.col]), worth[found.col])
    return np.where((best > 0).sum(axis=1) >= LEAST_FAMILIES, best.sum(axis=1), 0.0)


def _calibrated(held: _Held, members: dict[str, Ints], honest: Ints, rate: float) -> Known:
    others = np.asarray(held.rows[honest].sum(axis=0), np.float64).ravel()
    worst, own = np.zeros(len(honest)), dict[str, Floats]()
    tables = [TOKENS_OF.empty_table()]
    for operator, rows in members.items():
        holders = np.asarray(held.rows[rows].sum(axis=0), np.float64).ravel()
        worth = bits(holders, len(rows), others, len(honest))
        some = np.flatnonzero((holders >= LEAST_HOLDERS) & (worth > 0))
        if not len(some):
            continue
        families = held.families[some]
        # as a newcomer: who is scored does not count among those who hold
        alone = bits(holders[some], len(rows), np.maximum(others[some] - 1.0, 0.0), len(honest) - 1.0)
        worst = np.maximum(worst, _scores(held.rows[honest][:, some], families, alone))
        less = bits(holders[some] - 1.0, len(rows) - 1.0, others[some], len(honest))
        own[operator] = _scores(held.rows[rows][:, some], families, less)
        tables.append(_table(operator, held, some, worth, holders, others))
    threshold = _threshold(worst, rate, len(own))
    facts = {
        operator: {"proven": len(scores), "recognised": round(float((scores >= threshold).mean()), 4)}
        for operator, scores in own.items()
    }
    taken = int((worst >= threshold).sum())
    return Known(pa.concat_tables(tables), threshold, rate, len(honest), taken, facts)


def _threshold(worst: Floats, rate: float, operators: int) -> float:
    """Above all but a share `rate` of the honest, and never below what chance alone would ask for."""
    if not operators or not len(worst):
        return math.inf
    allowed = int(rate * len(worst))
    highest = float(np.sort(worst)[::-1][allowed]) if allowed < len(worst) else 0.0
    return max(float(np.nextafter(highest, math.inf)), math.log2(operators / rate))


def _table(operator: str, held: _Held, some: Ints, worth: Floats, holders: Floats, others: Floats) -> pa.Table:
    return pa.table(
        [
            pa.array([operator] * len(some), _s),
            pa.array([held.views[k] for k in some], _s),
            pa.array([held.tokens[k] for k in some], _s),
            pa.array([VIEWS[held.views[k]].family for k in some], _s),
            pa.array(worth[some]),
            pa.array(holders[some].astype(np.int64)),
            pa.array(others[some].astype(np.int64)),
        ],
        schema=TOKENS_OF,
    )


def read(folder: Path) -> Known:
    """What `Known.write` wrote."""
    told = json.loads((folder / "known.json").read_text(encoding="utf-8"))
    threshold = math.inf if told["threshold_bits"] is None else told["threshold_bits"]
    tokens = pq.read_table(folder / "tokens.parquet")
    return Known(tokens, threshold, told["rate"], told["honest"], told["taken"], told["operators"])
