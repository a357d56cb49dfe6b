"""A log in pieces, merged one by one in any order, is the log."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.engine.duckdb import DuckDBEngine
from stillwatch.engine.runfolder import RunFolder
from stillwatch.ingest.accounts import Context, load_context
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.judging.record import evening
from stillwatch.linking.operators import name as name_of
from stillwatch.model import ACCOUNTS
from stillwatch.pipeline import ScanRequest, scan
from stillwatch.replay import arrivals_in, as_of
from stillwatch.state import StateRequest, scan_state
from stillwatch.state.derived import WITHIN_A_DAY, traits_by_day
from stillwatch.state.folder import State
from tests.smalllog import START, small_log
from tests.state.days import again, at_once, by_reason, from_days, merge, pieces, report_of, rows_of, same, write
from tests.test_replay import cut, request, tiny

few = settings(
    max_examples=5, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def check_pieces(folder: Path, seed: int, count: int) -> None:
    """Merged in any order they are the log, on its last day and on one before."""
    rng = random.Random(seed)
    rows = rows_of(seed)
    rows += again(rows, rng)
    files = [write(part, folder / f"{k}.parquet") for k, part in enumerate(pieces(rows, rng, count))]
    expected, report = at_once([write(rows, folder / "all.parquet")], folder / "whole")
    for file in files:
        merge(folder / "state", file)
    same(from_days(folder / "state", folder / "run"), expected)
    mine = report_of(folder / "state")
    for name in ("rows_in", "kept", "rejected", "rejected_by_reason", "duplicates"):
        assert mine.counts[name] == report.counts[name], name
    assert mine.missing_columns == sorted(report.missing_columns)
    rejects = pq.read_table(folder / "run" / "rejects.parquet")
    assert by_reason(rejects) == by_reason(pq.read_table(folder / "whole" / "rejects.parquet"))
    for read in mine.inputs:
        assert read["rows_in"] == read["kept"] + sum(read["rejected"].values())
    # the past is what the log was then
    day = START.date() + timedelta(days=rng.randrange(2, 13))
    early = [row for row in rows if row["time"].date() <= day]
    past, _ = at_once([write(early, folder / "early.parquet")], folder / "early")
    same(from_days(folder / "state", folder / "past", day), past)


@few
@given(seed=st.integers(0, 10**6), count=st.integers(2, 5))
def test_pieces_merged_in_any_order_are_the_log(
    seed: int, count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    check_pieces(tmp_path_factory.mktemp("cut"), seed, count)


@pytest.mark.slow
@settings(few, max_examples=60)
@given(seed=st.integers(10**6, 10**9), count=st.integers(2, 8))
def test_many_pieces_merged_in_any_order_are_the_log(
    seed: int, count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    check_pieces(tmp_path_factory.mktemp("cut"), seed, count)


def test_sources_lead_back_to_the_rows_of_the_files(tmp_path: Path) -> None:
    rows = rows_of(1)
    files = [write(rows[k::3], tmp_path / f"{k}.parquet") for k in range(3)]
    for file in files:
        merge(tmp_path / "state", file)
    from_days(tmp_path / "state", tmp_path / "run")
    inputs = report_of(tmp_path / "state").inputs
    assert [read["id"] for read in inputs] == [0, 1, 2]
    logs = {read["id"]: pq.read_table(read["path"])["event_id"].to_pylist() for read in inputs}
    found = pq.read_table(tmp_path / "run" / "sketches.parquet", columns=["event_id", "source_id", "source_row"])
    for row in found.to_pylist():
        assert logs[row["source_id"]][row["source_row"] - 1] == row["event_id"]


def test_a_day_again_changes_nothing(tmp_path: Path) -> None:
    rows = rows_of(2)
    one, two = write(rows[:200], tmp_path / "1.parquet"), write(rows[150:], tmp_path / "2.parquet")
    merge(tmp_path / "state", one)
    merge(tmp_path / "state", two)
    before = (tmp_path / "state" / "state.json").read_bytes()
    assert merge(tmp_path / "state", one, two).merged.files == 0
    assert (tmp_path / "state" / "state.json").read_bytes() == before
    # under another name it is read, and every row is a duplicate
    renamed = write(rows[:200], tmp_path / "copy.parquet")
    kept = merge(tmp_path / "state", renamed)
    assert (kept.merged.files, kept.merged.events, kept.merged.duplicates) == (1, 0, 200)
    same(from_days(tmp_path / "state", tmp_path / "run"), at_once([one, two, renamed], tmp_path / "whole")[0])


def test_of_two_rows_of_one_id_the_earlier_stays_whichever_came_first(tmp_path: Path) -> None:
    early = rows_of(3)[0] | {"time": START, "model": "early"}
    late = early | {"time": START + timedelta(days=3), "model": "late"}
    for name, order in (("a", (early, late)), ("b", (late, early))):
        for k, row in enumerate(order):
            merge(tmp_path / name, write([row], tmp_path / f"{name}{k}.parquet"))
        run = from_days(tmp_path / name, tmp_path / f"run-{name}")
        assert run["sketches"]["model"].to_pylist() == ["early"]
        assert run["summaries"]["day"].to_pylist() == [START.date()]


def test_views_within_a_day_have_no_token_on_two_days(tmp_path: Path) -> None:
    """Else dropping a day's lone tokens would lose some that become shared."""
    expected = at_once([write(rows_of(4), tmp_path / "log.parquet")], tmp_path / "run")[0]
    engine = DuckDBEngine()
    t = traits_by_day(engine.table(tmp_path / "run" / "sketches.parquet"))
    found = engine.run(t.group_by(["view", "token"]).agg(days=t.day.nunique())).to_pylist()
    twice = {row["view"] for row in found if row["days"] > 1}
    assert twice.isdisjoint(WITHIN_A_DAY)
    assert {"address", "system_skeleton", "item", "client"} & twice
    assert len(expected["traits"])


# --- the whole walk -------------------------------------------------------------------------------------------------

AFTER = ("links", "operators", "victims", "evidence", "verdicts")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("tiny"))


def halves(small: Path, folder: Path) -> tuple[Path, Path]:
    """The log up to the evening of day 7, and the rest with a few rows of days before."""
    rows = pq.read_table(small / "events.parquet").to_pylist()
    late = [row for k, row in enumerate(rows) if k % 50 == 0]
    first = [row for k, row in enumerate(rows) if k % 50 and row["time"] < START + timedelta(days=7)]
    rest = [row for k, row in enumerate(rows) if k % 50 and row["time"] >= START + timedelta(days=7)]
    return write(first, folder / "first.parquet"), write(late + rest, folder / "rest.parquet")


def beside(small: Path, sources: list[Path], out: Path) -> ScanRequest:
    context = load_context(
        accounts=small / "accounts.parquet", authorisations=small / "authorisations.toml", context=small,
        pseudonyms=Pseudonyms.none(),
    )  # fmt: skip
    return ScanRequest(list(sources), out, context=context)


def up_to_ids(mine: pa.Table, theirs: pa.Table, ids: dict[str, str]) -> None:
    """Tables are equal when operators of `theirs` are called as in `mine`."""
    if "operator_id" in theirs.column_names:
        new = pa.array([ids[one] for one in theirs["operator_id"].to_pylist()], pa.string())
        theirs = theirs.set_column(theirs.schema.get_field_index("operator_id"), "operator_id", new)
    assert mine.equals(theirs)


def test_the_run_of_a_state_is_the_scan_of_all_logs_but_for_ids_that_stay(small: Path, tmp_path: Path) -> None:
    first, rest = halves(small, tmp_path)
    state = tmp_path / "state"
    scan_state(StateRequest(state, beside(small, [first], tmp_path / "half")))
    run = scan_state(StateRequest(state, beside(small, [rest], tmp_path / "run"))).run
    whole = scan(beside(small, [first, rest], tmp_path / "whole"))
    assert run is not None
    pairs = zip(whole.read("operators")["operator_id"].to_pylist(), run.read("operators")["operator_id"].to_pylist(),
                strict=True)  # fmt: skip
    ids = dict(pairs)
    assert len(set(ids.values())) == len(ids)
    for name in ("summaries", "accounts", "traits", "profiles", *AFTER):
        up_to_ids(run.read(name), whole.read(name), ids)
    manifest, expected = run.manifest(), whole.manifest()
    for name in ("counts", "missing_columns", "baseline", "false_links", "inputs"):
        assert manifest[name] == expected[name], name
    assert manifest["state"]["batches"] == 2
    assert expected["state"] is None
    assert (run.root / "report.html").stat().st_size > 10_000
    # looking again changes nothing; nor does a look at a past day, which is the scan of the log cut there
    root = (state / "state.json").read_bytes()
    again_ = scan_state(StateRequest(state, beside(small, [], tmp_path / "again"))).run
    assert again_ is not None
    for name in AFTER:
        assert again_.read(name).equals(run.read(name)), name
    day = START.date() + timedelta(days=6)
    past = scan_state(StateRequest(state, beside(small, [], tmp_path / "past"), as_of=day)).run
    assert past is not None
    assert (state / "state.json").read_bytes() == root
    then = scan(cut(small, tmp_path / "cut", START + timedelta(days=7)))
    ids = dict(
        zip(then.read("operators")["operator_id"].to_pylist(), past.read("operators")["operator_id"].to_pylist(),
            strict=True)
    )  # fmt: skip
    for name in ("summaries", "accounts", "traits", "profiles", *AFTER):
        up_to_ids(past.read(name), then.read(name), ids)
    assert past.manifest()["state"]["as_of"] == str(day)


def test_a_ring_keeps_its_id_when_an_account_joins_that_would_give_it_another(tmp_path: Path) -> None:
    log = small_log()
    least = min(log.ring)
    half = START + timedelta(days=10)
    first = [row for row in log.events if row["time"] < half and row["account_id"] != least]
    rest = [row for row in log.events if row["time"] >= half]
    ids = []
    for number, (rows, known) in enumerate(((first, log.ring - {least}), (rest, log.ring))):
        accounts = [row for row in log.accounts if row["account_id"] != least or number]
        context = Context(accounts=pa.Table.from_pylist(accounts, schema=ACCOUNTS))
        source = write(rows, tmp_path / f"{number}.parquet")
        wanted = ScanRequest([source], tmp_path / f"run{number}", context=context)
        run = scan_state(StateRequest(tmp_path / "state", wanted)).run
        assert run is not None
        owner = {row["account_id"]: row["operator_id"] for row in run.read("operators").to_pylist()}
        (one,) = {owner[account] for account in log.ring if account in owner}
        assert known <= set(owner)
        ids.append(one)
        for name in ("evidence", "verdicts"):
            assert one in run.read(name)["operator_id"].to_pylist()
        assert one in run.manifest()["explanations"]
    assert ids[0] == ids[1] != name_of(least)


def test_what_was_not_known_on_a_day_is_what_replay_does_not_know(small: Path, tmp_path: Path) -> None:
    from stillwatch.state.look import _at

    state = tmp_path / "state"
    scan_state(StateRequest(state, beside(small, [small / "events.parquet"], tmp_path), run=False))
    opened, day = State.open(state, Pseudonyms.none()), START.date() + timedelta(days=4)
    days = [one for one in opened.contents.days if one <= day]
    mine = _at(opened, beside(small, [], tmp_path / "run"), day, days).context
    from_days(state, tmp_path / "events")
    wanted = request(small, tmp_path / "events")
    theirs = as_of(wanted, evening(day), arrivals_in(RunFolder(tmp_path / "events"), wanted), 0.01).context
    assert mine.accounts.equals(theirs.accounts)
    assert (mine.releases, mine.authorisations) == (theirs.releases, theirs.authorisations)
