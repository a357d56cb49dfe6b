"""A replay against the truth of its world: how much each campaign had got, and how long it had run, when it was found.

"Gone" counts a campaign's exchanges up to the look at which the accusation was made: nothing is stopped, so it is
what the earliest possible reaction would still have come too late for.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import InputError, RunError, UsageError
from stillwatch.evaluate.metrics import clopper_pearson
from stillwatch.evaluate.show import clean
from stillwatch.evaluate.truth import Truth, read_truth

DAY = np.timedelta64(1, "D")
Sent = tuple[npt.NDArray[np.datetime64], npt.NDArray[np.object_]]
"""Times of a campaign's exchanges, ascending, and the account of each."""


@dataclass(frozen=True)
class Moment:
    """The state of a campaign at the look of one accusation."""

    day: str
    until: str
    """The time of the look, ISO 8601: the end of `day`, or of a part of it."""
    days: float
    """Since the campaign's first exchange."""
    exchanges: int
    """Gone by then."""
    share: float
    """Of all its exchanges in the log."""
    accounts_used: int
    """Accounts it had sent anything from."""


@dataclass(frozen=True)
class CampaignTiming:
    """One campaign; a moment is None if it never came."""

    campaign: str
    accounts: int
    exchanges: int
    days: float
    """From its first exchange to its last."""
    first_account: Moment | None
    half_of_accounts: Moment | None
    ever_accused: int
    accused_at_end: int


@dataclass(frozen=True)
class Timing:
    """All campaigns, and the honest accounts that were accused on any day."""

    looks: int
    campaigns: tuple[CampaignTiming, ...]
    honest_accounts: int
    honest_ever_accused: int
    honest_interval: tuple[float, float]
    """95 %, Clopper-Pearson; accounts of one operator are accused together, so it is too narrow."""
    honest_accused_at_end: int
    operators_ever_accused: int
    operators_withdrawn: int

    def as_json(self) -> str:
        """Indented, keys sorted."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)


def timing(replayed: Path, truth: Path, *, pseudonyms: Callable[[str, list[str]], list[str]] | None = None) -> Timing:
    """Hold the folder of a replay against the truth of its world; errors as for `evaluate`.

    `pseudonyms(kind, ids)` turns ids of the log (`account_id`, `event_id`) into those of the replay.
    """
    folder, exact = RunFolder(replayed), read_truth(truth)
    manifest = folder.manifest()
    if manifest.get("pseudonyms", {}).get("mode") == "none":
        pseudonyms = _same
    elif pseudonyms is None:
        raise UsageError(f"the replay {replayed} holds keyed pseudonyms: the key they were made with is needed")
    names = dict(zip(exact.accounts, pseudonyms("account_id", list(exact.accounts)), strict=True))
    accused = folder.read("first_accused")
    sent = _exchanges(RunFolder(replayed / "last"), exact, names, pseudonyms)
    if exact.accounts and not set(names.values()) & set(_accounts(RunFolder(replayed / "last"))):
        raise InputError(f"{truth}: none of its accounts is in the replay {replayed}: another world, or another key?")
    first = dict(zip(accused["account_id"].to_pylist(), accused["until"].to_pylist(), strict=True))
    standing = set(accused.filter(accused["withdrawn"].is_null())["account_id"].to_pylist())
    honest = [names[name] for name, account in exact.accounts.items() if not account.harvests]
    ever = sum(name in first for name in honest)
    operators = folder.read("accused_operators")
    return Timing(
        looks=len(folder.read("looks", ["day"])),
        campaigns=tuple(_campaigns(exact, names, sent, first, standing)),
        honest_accounts=len(honest),
        honest_ever_accused=ever,
        honest_interval=clopper_pearson(ever, len(honest)),
        honest_accused_at_end=sum(name in standing for name in honest),
        operators_ever_accused=len(operators),
        operators_withdrawn=len(operators) - operators["withdrawn"].null_count,
    )


def _same(kind: str, ids: list[str]) -> list[str]:
    return ids


def _accounts(run: RunFolder) -> list[str]:
    return list(run.read("accounts", ["account_id"])["account_id"].to_pylist())


def _exchanges(
    run: RunFolder, truth: Truth, names: dict[str, str], pseudonyms: Callable[[str, list[str]], list[str]]
) -> dict[str, Sent]:
    """Campaign -> its exchanges: all of its accounts', but of accounts that mix only those named as its."""
    campaign_of = {names[name]: account.campaign for name, account in truth.accounts.items() if account.harvests}
    mixed = [names[name] for name in truth.mixed if name in names]
    named = dict(zip(pseudonyms("event_id", list(truth.harvested)), truth.harvested.values(), strict=True))
    concerned = pa.array(sorted({*campaign_of, *mixed}), pa.string())
    found: dict[str, list[tuple[np.datetime64, str]]] = defaultdict(list)
    mixing = set(mixed)
    try:
        source = pq.ParquetFile(run.path("sketches"))
        for batch in source.iter_batches(1 << 16, columns=["event_id", "account_id", "time"]):
            rows = batch.filter(pc.is_in(batch["account_id"], value_set=concerned))
            times = rows["time"].cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)
            for event, account, at in zip(
                rows["event_id"].to_pylist(), rows["account_id"].to_pylist(), times, strict=True
            ):
                campaign = named.get(event) if account in mixing else campaign_of[account]
                if campaign:
                    found[campaign].append((at, account))
    except (OSError, pa.ArrowException) as error:
        raise RunError(f"table sketches in {run.root} cannot be read: {error}") from error
    return {campaign: _ordered(sent) for campaign, sent in found.items()}


def _ordered(sent: list[tuple[np.datetime64, str]]) -> Sent:
    sent.sort()
    return np.array([at for at, _ in sent], "datetime64[us]"), np.array([account for _, account in sent], object)


def _campaigns(
    truth: Truth, names: dict[str, str], sent: dict[str, Sent], first: dict[str, datetime], standing: set[str]
) -> Iterator[CampaignTiming]:
    """One campaign after another, by name."""
    members: dict[str, list[str]] = defaultdict(list)
    for name, account in truth.accounts.items():
        if account.harvests:
            members[account.campaign].append(names[name])
    for campaign, accounts in sorted(members.items()):
        looks = sorted(first[account] for account in accounts if account in first)
        times, owners = sent.get(campaign, (np.empty(0, "datetime64[us]"), np.empty(0, object)))
        half = -(-len(accounts) // 2)
        yield CampaignTiming(
            campaign=campaign,
            accounts=len(accounts),
            exchanges=len(times),
            days=float((times[-1] - times[0]) / DAY) if len(times) else 0.0,
            first_account=_moment(looks[0], times, owners) if looks else None,
            half_of_accounts=_moment(looks[half - 1], times, owners) if len(looks) >= half else None,
            ever_accused=len(looks),
            accused_at_end=sum(account in standing for account in accounts),
        )


def _moment(until: datetime, times: npt.NDArray[np.datetime64], owners: npt.NDArray[np.object_]) -> Moment:
    """What had gone by `until`; a campaign accused before it sent anything has lost nothing."""
    end = np.datetime64(until.replace(tzinfo=None), "us")
    gone = int(np.searchsorted(times, end, side="left"))
    since = float((end - times[0]) / DAY) if len(times) else 0.0
    share = gone / len(times) if len(times) else 0.0
    day = (until - timedelta.resolution).date()
    return Moment(str(day), until.isoformat(), since, gone, share, len(set(owners[:gone].tolist())))


def render_timing(found: Timing) -> Iterator[RenderableType]:
    """Campaigns, then the honest accounts; each a Rich renderable. Names come from a file and are made harmless."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("campaign", no_wrap=True)
    for name in ("accounts", "exchanges", "first accused", "half accused", "ever", "at end"):
        table.add_column(name, justify="right", no_wrap=True)
    for c in found.campaigns:
        counts = (f"{c.ever_accused:,}", f"{c.accused_at_end:,}")
        moments = (_cell(c.first_account), _cell(c.half_of_accounts))
        table.add_row(*map(Text, (clean(c.campaign), f"{c.accounts:,}", f"{c.exchanges:,}", *moments, *counts)))
    if found.campaigns:
        yield table
    low, high = found.honest_interval
    yield Text(
        f"honest accounts accused on any day: {found.honest_ever_accused:,} of {found.honest_accounts:,} "
        f"(95 %: {low:.2g} to {high:.2g}); still at the last look: {found.honest_accused_at_end:,}"
    )


def _cell(moment: Moment | None) -> str:
    """Days since the first exchange, and what had gone."""
    return "never" if moment is None else f"{moment.days:.1f} d, {100 * moment.share:.1f} %"
