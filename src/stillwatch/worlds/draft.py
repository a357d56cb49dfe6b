"""A campaign's columns, taken out of the plan to be changed and put back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stillwatch.worlds.chance import Array
from stillwatch.worlds.habits import Habits
from stillwatch.worlds.infrastructure import COUNTRY_ZONE
from stillwatch.worlds.plan import ACCOUNT_FIELDS, COVER, HARVEST, PROBE, STREAM_FIELDS, Columns, Plan
from stillwatch.worlds.specs import Lab
from stillwatch.worlds.traffic import expectation

Mark = tuple[int, int, int, int]
"""Blocks and rows of accounts and streams that a plan has at some moment."""


def mark(plan: Plan) -> Mark:
    """Where the plan ends now."""
    return len(plan.accounts.blocks), plan.accounts.size, len(plan.streams.blocks), plan.streams.size


@dataclass
class Draft:
    """One campaign. `accounts` are its own, in the plan's rows from `first` on; `streams` also those that it sends over
    accounts of others. Columns as in `ACCOUNT_FIELDS` and `STREAM_FIELDS`; topics [streams, 8], intents
    [streams, intents]."""

    plan: Plan
    habits: Habits
    number: int
    lab: Lab
    events: float
    """Requests that the campaign is to send in all."""
    names: frozenset[str]
    """The evasions."""
    start: Mark
    first: int
    accounts: dict[str, Array]
    streams: dict[str, Array]
    topics: Array
    intents: Array

    @classmethod
    def take(
        cls, plan: Plan, habits: Habits, number: int, lab: Lab, events: float, names: frozenset[str], start: Mark
    ) -> Draft:
        """Everything added to the plan since `start`; the plan keeps the accounts' rows and loses the streams."""
        accounts, streams = Columns(ACCOUNT_FIELDS), Columns(STREAM_FIELDS)
        accounts.blocks, accounts.size = plan.accounts.blocks[start[0] :], plan.accounts.size - start[1]
        streams.blocks, streams.size = plan.streams.blocks[start[2] :], plan.streams.size - start[3]
        topics, intents = np.concatenate(plan.topics[start[2] :]), np.concatenate(plan.intents[start[2] :])
        _cut(plan, start)
        own, columns = accounts.finish(), streams.finish()
        # the accounts keep their rows while others are added behind them
        plan.accounts.blocks[start[0] :] = [(accounts.size, own)]
        return cls(plan, habits, number, lab, events, names, start, start[1], own, columns, topics, intents)

    def put(self) -> None:
        """The streams back into the plan; the accounts are there, as they were changed."""
        self.plan.streams.add(len(self.topics), **self.streams)
        self.plan.topics.append(self.topics)
        self.plan.intents.append(self.intents)

    # ------------------------------------------------------------------------------------------------------- looking
    def rng(self, *purpose: Any) -> np.random.Generator:
        """Chance for one purpose in this campaign."""
        return self.plan.rng("evasion", self.number, *purpose)

    @property
    def size(self) -> int:
        """Accounts of its own."""
        return len(self.accounts["path"])

    @property
    def own(self) -> Array:
        """Whether a stream is on an account of its own, [streams]."""
        return (self.streams["account"] >= self.first) & (self.streams["account"] < self.first + self.size)

    @property
    def local(self) -> Array:
        """Each stream's account as a row of `accounts`; 0 for accounts of others, [streams]."""
        return np.where(self.own, self.streams["account"] - self.first, 0)

    @property
    def harvest(self) -> Array:
        """Rows of streams that harvest, wherever they run."""
        return np.flatnonzero(self.streams["aim"] == HARVEST)

    def zones(self, rows: Array) -> Array:
        """Hours from UTC of the countries that these streams' accounts claim; of any country for others' accounts."""
        country = self.accounts["country"][self.local[rows]]
        return np.asarray(COUNTRY_ZONE[country])

    def expected(self) -> Array:
        """Requests that each stream is expected to send in the window, [streams]."""
        columns = dict(self.streams)
        closed = np.nan_to_num(self.accounts["closed"], nan=np.inf)[self.local]
        created = self.accounts["created"][self.local]
        columns["start"] = np.where(self.own, np.maximum(columns["start"], created), columns["start"])
        columns["end"] = np.where(self.own, np.minimum(columns["end"], closed), columns["end"])
        return expectation(self.plan.days, columns)

    def by_account(self, values: Array, rows: Array) -> Array:
        """Sums over streams of each own account, [accounts]."""
        rows = rows[self.own[rows]]
        return np.bincount(self.local[rows], values[rows], minlength=self.size)

    # ------------------------------------------------------------------------------------------------------ changing
    def set(self, rows: Array, **columns: Any) -> None:
        """New values of columns in these streams."""
        for name, values in columns.items():
            self.streams[name][rows] = values

    def keep(self, rows: Array) -> None:
        """Drop all streams but these (mask or row numbers)."""
        self.streams = {name: column[rows] for name, column in self.streams.items()}
        self.topics, self.intents = self.topics[rows], self.intents[rows]

    def copy(self, rows: Array, **columns: Any) -> Array:
        """Append copies of these streams with other values in some columns; returns the new rows."""
        first = len(self.topics)
        self.streams = {name: np.concatenate([column, column[rows]]) for name, column in self.streams.items()}
        self.topics = np.concatenate([self.topics, self.topics[rows]])
        self.intents = np.concatenate([self.intents, self.intents[rows]])
        new = np.arange(first, len(self.topics))
        self.set(new, **columns)
        return new

    def write(self, habit: Callable[..., Array], rng: np.random.Generator, account: Array, **columns: Any) -> Array:
        """Append one stream of a habit for each of these own accounts (rows of `accounts`); returns the new rows."""
        before = mark(self.plan)
        country = self.accounts["country"][account]
        habit(rng, account + self.first, country, np.ones(len(account)), **columns)
        added = Columns(STREAM_FIELDS)
        added.blocks, added.size = self.plan.streams.blocks[before[2] :], len(account)
        topics, intents = self.plan.topics[before[2] :], self.plan.intents[before[2] :]
        _cut(self.plan, before)
        first, new = len(self.topics), added.finish()
        self.streams = {name: np.concatenate([column, new[name]]) for name, column in self.streams.items()}
        self.topics = np.concatenate([self.topics, *topics])
        self.intents = np.concatenate([self.intents, *intents])
        return np.arange(first, len(self.topics))

    def give(self, rows: Array, wanted: Array) -> None:
        """Set rates by which these streams are expected to send `wanted` requests each."""
        expected = self.expected()[rows]
        self.streams["rate"][rows] *= np.where(expected > 0, wanted / np.maximum(expected, 1e-9), 0.0)

    def give_all(self, wanted: float) -> None:
        """Scale the rates of all streams on its own accounts so that they are expected to send `wanted` in all."""
        rows = np.flatnonzero(self.own)
        self.streams["rate"][rows] *= wanted / self.expected()[rows].sum()

    def places(self, account: Array) -> dict[str, Any]:
        """From where, and with what client and key, each of these accounts sends its harvest (or whatever it sends)."""
        row = np.zeros(self.size, np.int64)
        for aim in (COVER, PROBE, HARVEST):
            rows = np.flatnonzero(self.own & (self.streams["aim"] == aim))
            row[self.local[rows]] = rows
        columns = ("net", "network", "mobile", "address", "lease", "away", "spots", "pool", "client", "lag", "key",
                   "keys", "platform", "conversations")  # fmt: skip
        return {name: self.streams[name][row[account]] for name in columns}


def expect(plan: Plan, start: Mark, wanted: Array) -> None:
    """Set rates by which the streams that were added since `start` are expected to send `wanted` requests each."""
    added = Columns(STREAM_FIELDS)
    added.blocks, added.size = plan.streams.blocks[start[2] :], len(wanted)
    columns = added.finish()
    columns["rate"] = columns["rate"] * wanted / np.maximum(expectation(plan.days, columns), 1e-9)
    plan.streams.blocks[start[2] :] = [(len(wanted), columns)]


def _cut(plan: Plan, start: Mark) -> None:
    """Take the streams since `start` out of the plan."""
    del plan.streams.blocks[start[2] :], plan.topics[start[2] :], plan.intents[start[2] :]
    plan.streams.size = start[3]
