"""Looking again and again: all looks together keep the stated level, and what only the run accuses is pending."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from math import erfc
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.decisions import Action, Casebook, RunFacts, default_policy, snapshot
from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import RunError
from stillwatch.judging.calibrate import false_discovery_rates
from stillwatch.model import Verdict
from stillwatch.service import levels, recognise
from stillwatch.service.deciding import stood_by
from stillwatch.service.levels import Levels, Seen, after
from stillwatch.service.looking import Looker
from stillwatch.service.reading import Reading
from stillwatch.service.sqlite import SQLiteStore
from tests.service.test_deciding import facts
from tests.service.test_looking import sent, walk
from tests.service.test_recognise import random_run
from tests.test_replay import tiny

LEVEL = 0.01
START = datetime(2026, 9, 1, tzinfo=UTC)


def at(days: float, events: int = 1_000, **fdr: float) -> Seen:
    """A run of a log that has gone on for so many days, with an event on each."""
    newest = START + timedelta(days=days)
    there = frozenset(START.date() + timedelta(days=n) for n in range(int(days) + 1))
    return Seen(there, newest, events, fdr)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("tiny"))


moments = st.lists(st.tuples(st.floats(0, 400), st.integers(1, 10**9)), min_size=1, max_size=100)


@given(moments, st.booleans())
def test_the_levels_of_all_looks_add_up_to_less_than_the_stated_one(looks: list[tuple[float, int]], sort: bool) -> None:
    """Whenever the looks are, whatever comes late or is forgotten in between."""
    now, total = Levels(), 0.0
    for days, events in sorted(looks) if sort else looks:
        before, now = now, after(now, at(days, events), LEVEL)
        assert now.clock >= before.clock
        assert now.days >= before.days
        assert now.level == 0 or now.last - before.last >= levels.STEP
        total += now.level
    assert total == pytest.approx(now.spent)
    assert total == pytest.approx(LEVEL * levels.SPENDING.spent_at(now.last))
    assert total < LEVEL


def test_the_clock_is_days_that_have_events_and_doublings() -> None:
    assert after(Levels(), at(0.25), LEVEL).clock == 0.25
    assert after(Levels(), at(0.25, 4_000), LEVEL).clock == 2.25
    assert after(Levels(), at(3.5, 10), LEVEL).clock == 3.5
    gap = Seen(frozenset([date(2026, 9, 1), date(2026, 12, 1)]), datetime(2026, 12, 1, 12, tzinfo=UTC), 10)
    first = after(Levels(), gap, LEVEL)
    assert (first.days, first.clock) == (2, 1.5)
    # what is not kept any more has been, and a day that comes late is no new day
    later = Seen(frozenset([date(2026, 12, 2), date(2026, 11, 1)]), datetime(2026, 12, 2, tzinfo=UTC), 5)
    second = after(first, later, LEVEL)
    assert (second.days, second.clock, second.newest) == (3, 2.0, date(2026, 12, 2))


def test_a_look_accuses_what_its_own_share_allows() -> None:
    first = after(Levels(), at(2.0, sure=1e-4, weak=0.009), LEVEL)
    assert first.level == pytest.approx(LEVEL * 2 / 16)
    assert (first.accused, first.pending) == (("sure",), ("weak",))
    # half an hour later there is nothing to spend: nobody new, and who stands accused still is, at the stated level
    second = after(first, at(2.02, sure=0.008, weak=0.009, new=1e-6), LEVEL)
    assert (second.level, second.accused, second.pending) == (0.0, ("sure",), ("new", "weak"))
    # the run does not accuse it any more, so neither does the service; its accusation stays on record
    third = after(second, at(3.0, new=1e-6), LEVEL)
    assert (third.accused, third.pending, third.record) == (("new",), (), ("new", "sure"))
    assert after(third, at(3.1, sure=0.01, new=1e-6), LEVEL).accused == ("new", "sure")


def test_not_shared_every_look_has_the_whole() -> None:
    now = Levels()
    for n in range(3):
        now = after(now, at(2 + n / 1000, one=0.01), LEVEL, shared=False)
        assert (now.level, now.accused, now.pending) == (LEVEL, ("one",), ())


def ever_accused(seed: int, level: float, *, shared: bool) -> bool:
    """Whether anybody of 20 honest groups is, in 14 days with eight looks each; half of a day's variance stays."""
    rng = np.random.default_rng(seed)
    days, groups = 14, 20
    daily = rng.standard_normal((groups, days)) * 0.5**0.5 + rng.standard_normal((groups, 1)) * 0.5**0.5
    now, names = Levels(), [f"g{n}" for n in range(groups)]
    for look in range(8, 8 * days):
        whole, part = divmod(look, 8)
        weights = np.r_[np.ones(whole), part / 8 + 1e-9, np.zeros(days - whole - 1)]
        spread = np.sqrt(0.5 + 0.5 * (weights**2).sum() / weights.sum() ** 2)
        z = daily @ weights / weights.sum() / spread
        p = np.array([0.5 * erfc(value / 2**0.5) for value in z])
        fdr = false_discovery_rates(p)
        guilty = {name: float(rate) for name, rate in zip(names, fdr, strict=True) if rate <= level}
        now = after(now, at(look / 8, 10_000 * look, **guilty), level, shared=shared)
        if now.record:
            return True
    return False


def test_nobody_is_accused_more_often_than_stated_however_often_is_looked() -> None:
    worlds, level = 300, 0.1
    shared = sum(ever_accused(seed, level, shared=True) for seed in range(worlds)) / worlds
    naive = sum(ever_accused(seed, level, shared=False) for seed in range(worlds)) / worlds
    assert shared <= level
    assert naive > 2 * level


def test_what_was_written_is_read_and_damage_is_said(tmp_path: Path) -> None:
    made = after(after(Levels(), at(2.0, sure=1e-4, weak=0.009), LEVEL), at(2.6), LEVEL)
    made.write(tmp_path)
    assert levels.read(tmp_path) == made
    assert levels.read(None) == levels.read(tmp_path / "none") == Levels()
    (tmp_path / levels.FILE).write_text('{"days": 1}', encoding="utf-8")
    with pytest.raises(RunError, match="not known"):
        levels.read(tmp_path)


def test_who_is_pending_is_watched_and_nothing_more(tmp_path: Path) -> None:
    found = facts(sure=Verdict.UNAUTHORISED_DISTILLATION, weak=Verdict.UNAUTHORISED_DISTILLATION)
    book = Casebook.open(tmp_path, START)
    said: RunFacts = stood_by(found, ["o-weak", "o-gone"])
    decided = snapshot(said, default_policy(), book.docket, found.judged_at)
    book.close()
    assert decided.get("sure", found.judged_at).would is Action.THROTTLE
    weak = decided.get("weak", found.judged_at)
    assert (weak.would, weak.proposed, weak.verdict, weak.rule) == (Action.MONITOR, None, "inconclusive", "look closer")
    assert found.operators["o-weak"].verdict is Verdict.UNAUTHORISED_DISTILLATION


def test_the_fast_path_knows_only_whom_the_service_accuses(tmp_path: Path) -> None:
    run, _ = random_run(tmp_path / "run", 1)
    everybody, nobody = recognise.build(run, 1e-4), recognise.build(run, 1e-4, accused_by=())
    assert len(everybody.tokens)
    assert not len(nobody.tokens)
    assert everybody.honest == nobody.honest  # a pending operator's members are not the honest that rates are read off
    assert recognise.build(run, 1e-4, accused_by=["op"]).tokens.equals(everybody.tokens)


def test_looks_keep_the_levels_from_run_to_run(small: Path, tmp_path: Path) -> None:
    wanted = walk(small, tmp_path)
    how = Reading(wanted.settings.ingest, wanted.pseudonyms, wanted.context.networks, wanted.limits)
    store = SQLiteStore(tmp_path / "parcels.sqlite")
    rows = sorted(pq.read_table(small / "events.parquet").to_pylist(), key=lambda row: str(row["time"]))
    found = []
    for part in (rows[: len(rows) // 2], rows[len(rows) // 2 : -50], rows[-50:]):
        sent(part, how, store, random.Random(0))
        done = Looker(wanted).look()
        assert done is not None
        assert done.run is not None
        found.append((levels.read(done.run), levels.seen(RunFolder(done.run))))
    store.close()
    now = Levels()
    for told, run in found:
        now = after(now, run, wanted.settings.judging.fdr)
        assert told == now
    assert [told.level > 0 for told, _ in found] == [True, True, False]
    assert found[1][0].days == len(found[1][1].days) > 1
