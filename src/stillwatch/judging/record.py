"""Verdicts over time: an accusation once made stays on record with its first day, also when later looks withdraw it.

A new accusation has to be made at the level of its look. One that was made is upheld as long as the operator's
false-discovery rate is within the stated level of all looks: that what was spent per look becomes smaller day by day
says nothing about the operator. Upheld or withdrawn, it has been counted once (`sequential`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.judging.sequential import Spending
from stillwatch.model import TIME, Verdict

_s, _i, _f, _d = pa.string(), pa.int64(), pa.float64(), pa.date32()

LOOKS = pa.schema([
    ("day", _d), ("until", TIME), ("level", _f), ("events", _i), ("accounts", _i), ("operators_accused", _i),
    ("accounts_accused", _i), ("new_operators", _i), ("new_accounts", _i), ("operators_withdrawn", _i),
    ("accounts_withdrawn", _i),
])  # fmt: skip
"""One row a look, which knows what came before `until`, on the day `day`: events and accounts that had arrived; accused
at this look, for the first time, and no longer."""

FIRST_ACCUSED = pa.schema([
    ("account_id", _s), ("operator_id", _s), ("day", _d), ("until", TIME), ("first_event", TIME), ("days", _f),
    ("events_gone", _i), ("events", _i), ("share_gone", _f), ("withdrawn", _d),
])  # fmt: skip
"""One row an account ever accused. `days` from its first event to that look; `events` in the whole log;
`withdrawn`: day of the first look from which on it was no longer accused, null if it is accused at the last one."""

ACCUSED_OPERATORS = pa.schema([
    ("operator_id", _s), ("day", _d), ("until", TIME), ("fdr", _f), ("accounts", _i), ("events_gone", _i),
    ("withdrawn", _d), ("merged_into", _s),
])  # fmt: skip
"""One row an operator ever accused, as it was then. `merged_into` holds most of its accounts, where its id ended."""

MERGED = pa.schema([("day", _d), ("operator_id", _s), ("merged_into", _s)])
"""Ids of operators of several accounts that ended, because another operator came to hold most of these."""

EXCUSED = [Verdict.AUTHORISED_DISTILLATION.value, Verdict.COMPROMISED_ACCOUNT.value]


@dataclass
class _Entry:
    until: datetime
    operator: str
    accounts: int
    gone: int
    fdr: float | None
    withdrawn: datetime | None = None


class Records:
    """Takes looks in the order of their times."""

    def __init__(
        self, arrivals: pa.Table, spending: Spending, level: float, period: timedelta = timedelta(days=1)
    ) -> None:
        """`arrivals` has until (the end of a period), account_id, events, first, sorted by until; `level` is that of
        all looks together."""
        self.spending, self.all_level = spending, level
        columns = (arrivals[name].to_pylist() for name in ("until", "account_id", "events"))
        self.rows = list(zip(*columns, strict=True))
        periods = sorted({row[0] for row in self.rows})
        self.clock = {until: number * (period / timedelta(days=1)) for number, until in enumerate(periods, 1)}
        whole = arrivals.group_by("account_id").aggregate([("events", "sum"), ("first", "min")])
        ids = whole["account_id"].to_pylist()
        self.events = dict(zip(ids, whole["events_sum"].to_pylist(), strict=True))
        self.first = dict(zip(ids, whole["first_min"].to_pylist(), strict=True))
        self.at = 0
        self.gone: Counter[str] = Counter()
        self.looks: list[dict[str, Any]] = []
        self.accounts: dict[str, _Entry] = {}
        self.operators: dict[str, _Entry] = {}
        self.merged: list[dict[str, Any]] = []

    def level(self, until: datetime) -> float:
        """Level of a look at `until`, the end of a period, the last look being the last one taken.

        The clock counts periods that have events: what comes later cannot change an earlier level.
        """
        before = self.clock[self.looks[-1]["until"]] if self.looks else 0
        return self.all_level * self.spending.share(self.clock[until], before)

    def state(self) -> str:
        """In words, for a progress display."""
        return f"{self.looks[-1]['accounts_accused'] if self.looks else 0:,} accounts accused"

    def upheld(self, verdicts: pa.Table) -> pa.ChunkedArray:
        """Rows of model.VERDICTS that accuse no longer at this look's level, but whose accusation stands."""
        on_record = pc.is_in(verdicts["operator_id"], value_set=pa.array(list(self.operators), pa.string()))
        stands = pc.and_(
            pc.fill_null(pc.less_equal(verdicts["fdr"], self.all_level), False), pc.greater(verdicts["accounts"], 1)
        )
        accuses = pc.equal(verdicts["verdict"], Verdict.UNAUTHORISED_DISTILLATION.value)
        excused = pc.is_in(verdicts["verdict"], value_set=pa.array(EXCUSED))
        return pc.and_(pc.and_(on_record, stands), pc.invert(pc.or_(accuses, excused)))

    def take(self, until: datetime, operators: pa.Table, verdicts: pa.Table, merges: pa.Table) -> None:
        """A look: its operators and verdicts (model.OPERATORS, VERDICTS) and the ids that ended with it."""
        level = self.level(until)
        while self.at < len(self.rows) and self.rows[self.at][0] <= until:
            _, account, events = self.rows[self.at]
            self.gone[account] += events
            self.at += 1
        guilty = verdicts.filter(pc.equal(verdicts["verdict"], Verdict.UNAUTHORISED_DISTILLATION.value))
        fdr = dict(zip(guilty["operator_id"].to_pylist(), guilty["fdr"].to_pylist(), strict=True))
        concerned = operators.filter(pc.is_in(operators["operator_id"], value_set=pa.array(list(fdr), pa.string())))
        members: dict[str, list[str]] = {}
        accounts, owners = concerned["account_id"].to_pylist(), concerned["operator_id"].to_pylist()
        for account, operator in zip(accounts, owners, strict=True):
            members.setdefault(operator, []).append(account)
        self.merged += [{"day": day_of(until), **row} for row in merges.to_pylist()]
        fresh = self._enter(until, members, fdr)
        self._withdraw(until, members)
        self.looks.append(
            {
                "day": day_of(until), "until": until, "level": level, "events": self.gone.total(),
                "accounts": len(self.gone),
                "operators_accused": len(members), "accounts_accused": sum(map(len, members.values())),
                "new_operators": fresh[0], "new_accounts": fresh[1],
                "operators_withdrawn": sum(entry.withdrawn is not None for entry in self.operators.values()),
                "accounts_withdrawn": sum(entry.withdrawn is not None for entry in self.accounts.values()),
            }
        )  # fmt: skip

    def _enter(self, until: datetime, members: dict[str, list[str]], fdr: dict[str, float | None]) -> tuple[int, int]:
        """Put down who is accused for the first time; how many operators and accounts that are."""
        before = len(self.operators), len(self.accounts)
        for operator, accounts in sorted(members.items()):
            gone = sum(self.gone[account] for account in accounts)
            self.operators.setdefault(operator, _Entry(until, operator, len(accounts), gone, fdr[operator]))
            for account in accounts:
                self.accounts.setdefault(account, _Entry(until, operator, 1, self.gone[account], fdr[operator]))
        return len(self.operators) - before[0], len(self.accounts) - before[1]

    def _withdraw(self, until: datetime, members: dict[str, list[str]]) -> None:
        """Mark who was accused and is so no longer, and unmark who is again."""
        accused = {account for accounts in members.values() for account in accounts}
        for account, entry in self.accounts.items():
            entry.withdrawn = None if account in accused else entry.withdrawn or until
        for operator, entry in self.operators.items():
            entry.withdrawn = None if self._heir(operator, members) in members else entry.withdrawn or until

    def _heir(self, operator: str, alive: dict[str, list[str]]) -> str:
        """Who holds the accounts of an operator now: itself, or the one it last merged into, and so on."""
        into = {row["operator_id"]: row["merged_into"] for row in self.merged}
        passed = {operator}
        while operator not in alive and into.get(operator, operator) not in passed:
            operator = into[operator]
            passed.add(operator)
        return operator

    def tables(self) -> dict[str, pa.Table]:
        """looks, first_accused, accused_operators and merged, sorted."""
        into = {row["operator_id"]: row["merged_into"] for row in self.merged}
        accounts = [self._account(account, entry) for account, entry in sorted(self.accounts.items())]
        operators = [
            {
                "operator_id": operator, "day": day_of(entry.until), "until": entry.until, "fdr": entry.fdr,
                "accounts": entry.accounts, "events_gone": entry.gone, "withdrawn": _day(entry.withdrawn),
                "merged_into": into.get(operator),
            }
            for operator, entry in sorted(self.operators.items())
        ]  # fmt: skip
        return {
            "looks": pa.Table.from_pylist(self.looks, schema=LOOKS),
            "first_accused": pa.Table.from_pylist(accounts, schema=FIRST_ACCUSED),
            "accused_operators": pa.Table.from_pylist(operators, schema=ACCUSED_OPERATORS),
            "merged": pa.Table.from_pylist(self.merged, schema=MERGED),
        }

    def _account(self, account: str, entry: _Entry) -> dict[str, Any]:
        first, events = self.first.get(account), self.events.get(account, 0)
        return {
            "account_id": account, "operator_id": entry.operator, "day": day_of(entry.until), "until": entry.until,
            "first_event": first, "days": None if first is None else (entry.until - first) / timedelta(days=1),
            "events_gone": entry.gone, "events": events, "share_gone": entry.gone / events if events else None,
            "withdrawn": _day(entry.withdrawn),
        }  # fmt: skip


def day_of(until: datetime) -> date:
    """The day of which `until` is the end, or the end of a part."""
    return (until - timedelta.resolution).date()


def said(until: datetime) -> str:
    """The time of a look in words: the day if it is an evening."""
    day = day_of(until)
    return f"{day}" if until == evening(day) else f"{until:%Y-%m-%d %H:%M}"


def _day(until: datetime | None) -> date | None:
    return None if until is None else day_of(until)


def evening(day: date) -> datetime:
    """The end of a day, UTC; the end of time for its last day."""
    if day == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return datetime.combine(day, time(), UTC) + timedelta(days=1)
