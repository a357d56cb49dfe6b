"""Matches -> what is counted as evidence and what is not, and how much of whose answers stands in the corpus."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.forensics.data.matching import EXACT, LEAD, NEAR, Matches
from stillwatch.forensics.data.nulls import interval, intervals
from stillwatch.forensics.data.served import NO_DAY, Answers

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Columns = dict[str, npt.NDArray[Any]]
OWN = 4
"""Fingerprints of its own, not taken from the prompt, that an answer has if finding it says anything: some 15 words."""
COMMON, COMMON_SHARE = 4, 1e-3
"""Documents that may hold a text that is still counted: this many, or this share of all if that is more."""
REASONS = ("", "a lead", "short", "in a control corpus", "common")
"""Why a match is not counted; the first is none."""
NONE, A_LEAD, SHORT, CONTROL, WIDESPREAD = range(len(REASONS))

_s, _i, _f = pa.string(), pa.int64(), pa.float64()
MATCHES = pa.schema([
    ("source", _s), ("row", _i), ("part", _i), ("words", pa.int32()), ("kind", _s), ("event_id", _s),
    ("account_id", _s), ("operator_id", _s), ("day", pa.date32()), ("model", _s), ("shared", pa.int32()),
    ("forward", pa.float32()), ("backward", pa.float32()), ("held", _i), ("bits", _f), ("alike", _i),
    ("counted", pa.bool_()), ("reason", _s),
])  # fmt: skip
_SHARES = [("answers", _i), ("exact", _i), ("near", _i), ("leads", _i), ("share", _f), ("low", _f), ("high", _f)]
_SPAN = [("first_day", pa.date32()), ("last_day", pa.date32())]
ACCOUNTS = pa.schema([("account_id", _s), ("operator_id", _s), *_SHARES, *_SPAN])
OPERATORS = pa.schema([("operator_id", _s), ("accounts", _i), *_SHARES, *_SPAN])
DAYS = pa.schema([("day", pa.date32()), *_SHARES])
TESTS = pa.schema([
    ("test", _s), ("null", _s), ("statistic", _s), ("n", _i), ("observed", _f), ("expected", _f), ("p_value", _f),
    ("tests", _i), ("adjusted", _f), ("exact", pa.bool_()),
])  # fmt: skip
CORPORA = pa.schema([
    ("corpus", _s), ("role", _s), ("rows", _i), ("texts", _i), ("exact", _i), ("near", _i), ("leads", _i),
    ("counted", _i), ("share", _f), ("low", _f), ("high", _f),
])  # fmt: skip
TABLES = {
    "matches": MATCHES, "accounts": ACCOUNTS, "operators": OPERATORS, "days": DAYS, "tests": TESTS, "corpora": CORPORA,
}  # fmt: skip


@dataclass
class Tally:
    """What was found of one corpus, in texts."""

    texts: int = 0
    exact: int = 0
    near: int = 0
    leads: int = 0
    counted: int = 0
    """Texts that are a copy (exact or near) that says something."""

    @property
    def copies(self) -> int:
        """Texts that are a copy, exact or near."""
        return self.exact + self.near

    def row(self, corpus: str, role: str, rows: int) -> dict[str, object]:
        """Row of `CORPORA`; the share is that of counted texts, and in control corpora of all copies."""
        found = self.copies if role == "control" else self.counted
        low, high = interval(found, self.texts)
        return {
            "corpus": corpus, "role": role, "rows": rows, "texts": self.texts, "exact": self.exact, "near": self.near,
            "leads": self.leads, "counted": self.counted, "share": found / self.texts if self.texts else 0.0,
            "low": low, "high": high,
        }  # fmt: skip


@dataclass
class Found:
    """Which known answers were found, [answers] each."""

    exact: Bools
    near: Bools
    lead: Bools
    control: Bools
    """Found, exact or near, in a control corpus."""
    documents: int = 0
    """Known answers, and texts of control corpora."""
    own: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """Fingerprints of each answer."""

    @classmethod
    def nothing(cls, answers: Answers) -> Found:
        """Before the first row."""
        n = len(answers.words)
        exact, near, lead, control = (np.zeros(n, np.bool_) for _ in range(4))
        return cls(exact, near, lead, control, n, np.diff(answers.known.offsets))

    @property
    def counted(self) -> Bools:
        """Answers of which a copy was found that says something."""
        return self.exact | self.near

    def reasons(self, matches: Matches) -> npt.NDArray[np.int8]:
        """Why each match is not counted, place in `REASONS`."""
        out = np.zeros(len(matches.row), np.int8)
        out[matches.held > max(COMMON, COMMON_SHARE * self.documents)] = WIDESPREAD
        out[self.control[matches.answer]] = CONTROL
        out[self.own[matches.answer] < OWN] = SHORT
        out[matches.kind == LEAD] = A_LEAD
        return out

    def add(self, matches: Matches, reasons: npt.NDArray[np.int8]) -> None:
        """Note the answers that a batch of the suspect corpus holds."""
        good = reasons == NONE
        self.exact[matches.answer[good & (matches.kind == EXACT)]] = True
        self.near[matches.answer[good & (matches.kind == NEAR)]] = True
        self.lead[matches.answer[matches.kind == LEAD]] = True

    def bits(self, held: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """How rare a text is: -log2 of the share of all documents that hold it."""
        return np.asarray(np.log2(max(self.documents, 1) / np.maximum(held, 1)))


def tallied(texts: int, matches: Matches, reasons: npt.NDArray[np.int8], tally: Tally) -> None:
    """Add a batch: each text counts once, as the best that it is."""
    best = np.full(texts, LEAD + 1, np.int8)
    np.minimum.at(best, matches.row, matches.kind)
    good = np.zeros(texts, np.bool_)
    good[matches.row[reasons == NONE]] = True
    tally.texts += texts
    tally.exact += int((best == EXACT).sum())
    tally.near += int((best == NEAR).sum())
    tally.leads += int((best == LEAD).sum())
    tally.counted += int(good.sum())


def traceable(answers: Answers, found: Found) -> Bools:
    """Served answers whose copy would have been counted: long enough, and in no control corpus."""
    out = (found.own >= OWN) & ~found.control
    out[answers.served :] = False
    return np.asarray(out)


def of_accounts(answers: Answers, found: Found) -> pa.Table:
    """`ACCOUNTS`: accounts of which an answer was found, those with most first."""
    codes = answers.account[: answers.served].astype(np.int64)
    columns = _shares(answers, found, codes, len(answers.accounts))
    columns["account_id"] = np.array(answers.accounts, object)
    columns["operator_id"] = np.array([answers.operators.get(name) for name in answers.accounts], object)
    return _ordered(columns, ACCOUNTS, "account_id")


def of_operators(answers: Answers, found: Found) -> pa.Table:
    """`OPERATORS`: the same by operator; empty where operators are not known."""
    if not answers.operators:
        return OPERATORS.empty_table()
    names = [answers.operators.get(name) or name for name in answers.accounts]
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    whose = np.array([places[name] for name in names], np.int64)
    columns = _shares(answers, found, whose[answers.account[: answers.served]], len(places))
    columns["operator_id"] = np.array(list(places), object)
    held = (found.counted | found.lead)[: answers.served]
    accounts = np.unique(answers.account[: answers.served][held])
    columns["accounts"] = np.bincount(whose[accounts], minlength=len(places))
    return _ordered(columns, OPERATORS, "operator_id")


def of_days(answers: Answers, found: Found) -> pa.Table:
    """`DAYS`: every day with a served answer, in order; null for answers without a time."""
    days, codes = np.unique(answers.day[: answers.served], return_inverse=True)
    columns = _shares(answers, found, codes.astype(np.int64), len(days))
    columns["day"] = days
    return _table(columns, DAYS, np.arange(len(days)))


def _shares(answers: Answers, found: Found, codes: Ints, size: int) -> Columns:
    """Columns of `_SHARES` and `_SPAN` for groups of served answers."""
    n = answers.served
    able = traceable(answers, found)[:n]
    exact, near = found.exact[:n], found.near[:n] & ~found.exact[:n]
    lead = found.lead[:n] & ~found.counted[:n]
    out = {
        name: np.bincount(codes[which], minlength=size)
        for name, which in (("answers", able), ("exact", exact), ("near", near), ("leads", lead))
    }
    copies = out["exact"] + out["near"]
    low, high = intervals(copies, out["answers"])
    first, last = np.full(size, 2**31 - 1, np.int32), np.full(size, NO_DAY, np.int32)
    held = (exact | near) & (answers.day[:n] != NO_DAY)
    np.minimum.at(first, codes[held], answers.day[:n][held])
    np.maximum.at(last, codes[held], answers.day[:n][held])
    return out | {
        "share": copies / np.maximum(out["answers"], 1), "low": low, "high": high, "first_day": first,
        "last_day": last,
    }  # fmt: skip


def _ordered(columns: Columns, schema: pa.Schema, name: str) -> pa.Table:
    """Groups with a match, most copies first, then most leads, then by name."""
    copies = columns["exact"] + columns["near"]
    there = np.flatnonzero((copies > 0) | (columns["leads"] > 0))
    order = sorted(there.tolist(), key=lambda k: (-copies[k], -columns["leads"][k], str(columns[name][k])))
    return _table(columns, schema, np.array(order, np.int64))


def _table(columns: Columns, schema: pa.Schema, order: Ints) -> pa.Table:
    arrays = []
    for one in schema:
        values = columns[one.name][order]
        if pa.types.is_date32(one.type):
            none = (values == NO_DAY) | (values == 2**31 - 1)
            arrays.append(pa.array(values.astype(np.int32), mask=none).cast(one.type))
        else:
            arrays.append(pa.array(values.tolist(), one.type))
    return pa.Table.from_arrays(arrays, schema=schema)
