"""A log as it would have arrived: exact days, nothing from the future, a record that is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.cli import main
from stillwatch.engine.meter import Meter
from stillwatch.engine.runfolder import RunFolder
from stillwatch.ingest.accounts import Authorisation, Context, load_context
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.judging.record import ACCUSED_OPERATORS, FIRST_ACCUSED, LOOKS, MERGED, Records, evening
from stillwatch.judging.sequential import Spending
from stillwatch.model import ACCOUNTS, EVENTS, OPERATORS, TIME, VERDICTS
from stillwatch.pipeline import ScanRequest, read_log, scan
from stillwatch.replay import ReplayRequest, arrivals_in, as_of, known_by, look, look_times, replay
from tests.smalllog import START, SmallLog, small_log

DERIVED = (
    "sketches",
    "summaries",
    "accounts",
    "traits",
    "profiles",
    "links",
    "operators",
    "victims",
    "streams",
    "stream_events",
    "evidence",
    "verdicts",
)


FIRST_DAY = date(2026, 9, 2)
"""When the ring of the small log is first accused; the first look is a day earlier."""


def stillwatch(*words: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stillwatch", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done


def tables(folder: RunFolder) -> dict[str, pa.Table]:
    return {name: folder.read(name) for name in ("looks", "first_accused", "accused_operators", "merged")}


# --- a planted ring, by the command line ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def log() -> SmallLog:
    return small_log()


@pytest.fixture(scope="module")
def world(log: SmallLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = log.write(tmp_path_factory.mktemp("log"))
    (folder / "truth").mkdir()
    rows = [
        {
            "account_id": row["account_id"],
            "operator_id": "ring" if row["account_id"] in log.ring else row["account_id"],
            "label": "campaign" if row["account_id"] in log.ring else "ordinary",
            "campaign": "the ring" if row["account_id"] in log.ring else None,
        }
        for row in log.accounts
    ]
    schema = pa.schema([(name, pa.string()) for name in ("account_id", "operator_id", "label", "campaign")])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "truth" / "accounts.parquet")
    return folder


@pytest.fixture(scope="module")
def replayed(world: Path) -> RunFolder:
    out = world / "replayed"
    done = stillwatch(
        "replay", world / "events.parquet", "--by", "day", "--out", out, "--accounts", world / "accounts.parquet",
        "--pseudonyms", "none", "--truth", world, "--growth", "1.25",
    )  # fmt: skip
    assert "the ring" in done.stdout
    assert str(FIRST_DAY) in done.stdout
    assert "look 3 of 9: 2026-09-03" in done.stderr
    return RunFolder(out)


def test_the_ring_is_first_accused_on_its_day_and_nobody_else_on_any(replayed: RunFolder, log: SmallLog) -> None:
    found = replayed.read("first_accused")
    assert set(found["account_id"].to_pylist()) == log.ring
    assert set(found["day"].to_pylist()) == {FIRST_DAY}
    (operator,) = replayed.read("accused_operators").to_pylist()
    assert (operator["day"], operator["accounts"], operator["withdrawn"]) == (FIRST_DAY, 30, None)
    end = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) + timedelta(days=1)
    assert operator["events_gone"] == sum(e["account_id"] in log.ring and e["time"] < end for e in log.events)


def test_accounts_have_their_own_share_gone(replayed: RunFolder, log: SmallLog) -> None:
    end = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) + timedelta(days=1)
    for row in replayed.read("first_accused").to_pylist():
        mine = sorted(event["time"] for event in log.events if event["account_id"] == row["account_id"])
        assert row["events"] == len(mine) == 200
        assert row["events_gone"] == sum(at < end for at in mine)
        assert row["share_gone"] == row["events_gone"] / 200
        assert row["first_event"] == mine[0]
        assert row["days"] == pytest.approx((end - mine[0]) / timedelta(days=1))


def test_looks_as_the_log_grows_each_at_the_share_of_its_days(replayed: RunFolder, log: SmallLog) -> None:
    looks = replayed.read("looks").to_pylist()
    assert [row["day"].day for row in looks] == [1, 2, 3, 4, 6, 8, 10, 13, 14]
    shares = [Spending().share(k, j) for j, k in pairwise([0, 1, 2, 3, 4, 6, 8, 10, 13, 14])]
    assert [row["level"] for row in looks] == pytest.approx([0.01 * share for share in shares])
    for row in looks:
        arrived = [event for event in log.events if event["time"].date() <= row["day"]]
        assert row["until"] == evening(row["day"])
        assert (row["events"], row["accounts"]) == (len(arrived), len({event["account_id"] for event in arrived}))
        guilty = 30 * (row["day"] >= FIRST_DAY)
        assert (row["accounts_accused"], row["new_accounts"]) == (guilty, 30 * (row["day"] == FIRST_DAY))
        assert (row["operators_withdrawn"], row["accounts_withdrawn"]) == (0, 0)


def test_looks_within_the_day_share_what_the_day_has(world: Path, log: SmallLog, tmp_path: Path) -> None:
    """By six hours, as the log doubles: the clock runs in quarters of a day, and a look knows nothing later."""
    done = stillwatch(
        "replay", world / "events.parquet", "--by", "6h", "--out", tmp_path / "out", "--accounts",
        world / "accounts.parquet", "--pseudonyms", "none", "--truth", world, "--growth", "2",
    )  # fmt: skip
    folder = RunFolder(tmp_path / "out")
    looks = folder.read("looks").to_pylist()
    assert f"look 1 of {len(looks)}: 2026-09-01 06:00" in done.stderr
    assert "\n09-01 06:00 " in done.stdout
    quarters, seen = [], 0
    for quarter in range(1, 57):  # each has events
        events = sum(event["time"] < START + timedelta(hours=6 * quarter) for event in log.events)
        if events >= 2 * seen or quarter == 56:
            quarters.append(quarter)
            seen = events
    assert [row["until"] for row in looks] == [START + timedelta(hours=6 * quarter) for quarter in quarters]
    assert any(quarter % 4 for quarter in quarters[1:-1])
    assert [row["day"] for row in looks] == [START.date() + timedelta(days=-(-q // 4) - 1) for q in quarters]
    shares = [Spending().share(k / 4, j / 4) for j, k in pairwise([0, *quarters])]
    assert [row["level"] for row in looks] == pytest.approx([0.01 * share for share in shares])
    assert folder.manifest()["spending"]["spent"] == pytest.approx(0.01 * 14 / 21)
    for row in looks:
        assert row["events"] == sum(event["time"] < row["until"] for event in log.events)
    found = folder.read("first_accused").to_pylist()
    assert {row["account_id"] for row in found} == log.ring
    for row in found:
        assert row["events_gone"] == sum(
            event["account_id"] == row["account_id"] and event["time"] < row["until"] for event in log.events
        )


def test_the_ring_has_one_id_from_the_first_accusation_to_the_last_look(replayed: RunFolder, log: SmallLog) -> None:
    (operator,) = replayed.read("accused_operators")["operator_id"].to_pylist()
    last = RunFolder(replayed.root / "last")
    mine = [row for row in last.read("operators").to_pylist() if row["account_id"] in log.ring]
    assert {row["operator_id"] for row in mine} == {operator}
    verdicts = {row["operator_id"]: row["verdict"] for row in last.read("verdicts").to_pylist()}
    assert verdicts[operator] == "unauthorised_distillation"
    assert operator in set(last.read("evidence")["operator_id"].to_pylist())
    assert operator in last.manifest()["explanations"]
    assert operator in stillwatch("explain", last.root, operator).stdout


def test_the_folder_is_whole(replayed: RunFolder) -> None:
    listed = {"looks.parquet", "first_accused.parquet", "accused_operators.parquet", "merged.parquet", "manifest.json"}
    assert {path.name for path in replayed.root.iterdir()} == {*listed, "last"}
    for name_, schema in (
        ("looks", LOOKS), ("first_accused", FIRST_ACCUSED), ("accused_operators", ACCUSED_OPERATORS), ("merged", MERGED)
    ):  # fmt: skip
        assert replayed.read(name_).schema.equals(schema)
    manifest = replayed.manifest()
    assert manifest["counts"]["looks"] == 9
    assert manifest["spending"] == {"half_life_days": 7.0, "spent": pytest.approx(0.01 * 14 / 21)}
    assert (replayed.root / "last" / "report.html").stat().st_size > 10_000


def test_the_truth_says_what_had_gone(replayed: RunFolder, world: Path, log: SmallLog) -> None:
    from stillwatch.evaluate import timing

    found = timing(replayed.root, world)
    (ring,) = found.campaigns
    mine = sorted(event["time"] for event in log.events if event["account_id"] in log.ring)
    end = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) + timedelta(days=1)
    assert (ring.campaign, ring.accounts, ring.exchanges) == ("the ring", 30, 6000)
    for moment in (ring.first_account, ring.half_of_accounts):
        assert moment is not None
        assert (moment.day, moment.exchanges) == (str(FIRST_DAY), sum(at < end for at in mine))
        assert moment.share == moment.exchanges / 6000
        assert moment.days == pytest.approx((end - mine[0]) / timedelta(days=1))
        assert moment.accounts_used == 30
    assert (ring.ever_accused, ring.accused_at_end) == (30, 30)
    assert (found.honest_accounts, found.honest_ever_accused, found.honest_accused_at_end) == (412, 0, 0)
    assert found.looks == 9


# --- nothing from the future ----------------------------------------------------------------------------------------


def tiny(folder: Path) -> Path:
    """A log with closures, an account that is not in the table, one without a date, a release, and a registration."""
    log = SmallLog(3)
    log.ordinary(80)
    log.a_ring(12)
    for k, row in enumerate(log.accounts):
        if k % 3 == 0:
            row |= {"closed_at": START + timedelta(days=k % 14, hours=7), "closed_reason": "abuse"}
        if k % 5 == 0:
            row["created_at"] = START + timedelta(days=k % 14)
    log.accounts[7]["created_at"] = None
    log.accounts.append({"account_id": "silent", "payment_id": "v0"})
    del log.accounts[9]
    log.write(folder)
    (folder / "releases.csv").write_text("model,released_at\nm-1,2026-09-06\n")
    covered = log.accounts[3]["account_id"]
    (folder / "authorisations.toml").write_text(
        f'[[authorisation]]\nid = "a"\norganisation = "q"\norg_ids = ["q0"]\naccounts = ["{covered}"]\n'
        "valid_from = 2026-09-03\nvalid_until = 2026-12-31\ndisclosed_at = 2026-09-08\nmax_requests_per_day = 9\n"
    )
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("tiny"))


def request(folder: Path, out: Path, events: str = "events.parquet") -> ScanRequest:
    context = load_context(
        accounts=folder / "accounts.parquet", authorisations=folder / "authorisations.toml", context=folder,
        pseudonyms=Pseudonyms.none(),
    )  # fmt: skip
    return ScanRequest([folder / events], out, context=context)


@pytest.fixture(scope="module")
def read_once(small: Path) -> tuple[RunFolder, ScanRequest]:
    wanted = request(small, small / "whole")
    whole = RunFolder(small / "whole")
    whole.begin()
    read_log(whole, wanted, Meter())
    return whole, wanted


def cut(folder: Path, out: Path, end: datetime) -> ScanRequest:
    """The log and what is beside it as somebody would have had them at `end`, written row by row."""
    out.mkdir(exist_ok=True)
    events = [row for row in pq.read_table(folder / "events.parquet").to_pylist() if row["time"] < end]
    sent = {row["account_id"] for row in events}
    accounts = []
    for row in pq.read_table(folder / "accounts.parquet").to_pylist():
        if row["account_id"] not in sent if row["created_at"] is None else row["created_at"] >= end:
            continue
        if row["closed_at"] is not None and row["closed_at"] >= end:
            row["closed_at"] = row["closed_reason"] = None
        accounts.append(row)
    pq.write_table(pa.Table.from_pylist(events, schema=EVENTS), out / "events.parquet")
    pq.write_table(pa.Table.from_pylist(accounts, schema=ACCOUNTS), out / "accounts.parquet")
    released = [
        line
        for line in (folder / "releases.csv").read_text().splitlines()[1:]
        if end > datetime(2026, 9, 6, tzinfo=UTC)
    ]
    (out / "releases.csv").write_text("\n".join(["model,released_at", *released]) + "\n")
    registered = (folder / "authorisations.toml").read_text() if end > datetime(2026, 9, 8, tzinfo=UTC) else ""
    (out / "authorisations.toml").write_text(registered)
    return request(out, out / "run")


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hours=st.sampled_from([24, 12, 6, 3, 1]), data=st.data())
def test_a_look_is_the_scan_of_the_log_cut_there(
    hours: int, data: st.DataObject, read_once: tuple[RunFolder, ScanRequest], small: Path, tmp_path: Path
) -> None:
    whole, wanted = read_once
    arrived = arrivals_in(whole, wanted, hours)
    until = data.draw(st.sampled_from(look_times(arrived)))
    run = RunFolder(tmp_path / "look")
    look(whole, run, until, as_of(wanted, until, arrived, 0.01))
    done = scan(cut(small, tmp_path / f"cut{until:%d%H}", until))
    for name_ in DERIVED:
        mine, theirs = run.read(name_), done.read(name_)
        if name_ == "sketches":  # rows of the cut file have other numbers
            mine, theirs = (table.drop_columns(["source_row"]) for table in (mine, theirs))
        assert mine.equals(theirs), name_


def test_later_events_change_no_earlier_look(replayed: RunFolder, log: SmallLog, tmp_path: Path) -> None:
    """The log cut on the evening of the first accusation: the same looks, and the same accounts are accused then."""
    short = SmallLog(events=[event for event in log.events if event["time"].date() <= FIRST_DAY], accounts=log.accounts)
    folder = short.write(tmp_path / "log")
    (folder / "authorisations.toml").write_text("")
    wanted = request(folder, tmp_path / "replay")
    mine, full = tables(replay(ReplayRequest(wanted, growth=1.25))), tables(replayed)
    assert mine["looks"].to_pylist() == [row for row in full["looks"].to_pylist() if row["day"] <= FIRST_DAY]
    assert len(mine["first_accused"]) == 30
    for name_, later in (
        ("first_accused", ["events", "share_gone", "withdrawn"]),
        ("accused_operators", ["withdrawn"]),
    ):
        assert mine[name_].drop_columns(later).equals(full[name_].drop_columns(later))


def test_the_last_look_is_the_scan_of_the_whole_log_but_for_ids(small: Path, tmp_path: Path) -> None:
    wanted = request(small, tmp_path / "replay")
    replayed_ = replay(ReplayRequest(wanted, every=14))
    looks = replayed_.read("looks").to_pylist()
    assert len(looks) == 1
    end = START + timedelta(days=14)
    done = scan(cut(small, tmp_path / "all", end))
    last = RunFolder(replayed_.root / "last")
    for name_ in ("summaries", "accounts", "traits", "links", "operators"):
        assert last.read(name_).equals(done.read(name_)), name_
    assert looks[0]["level"] == pytest.approx(0.01 * 14 / 21)


def test_the_same_replay_gives_the_same_tables_and_leaves_other_files_alone(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "replay"
    out.mkdir()
    (out / "accounts.parquet").write_bytes(b"somebody else's")
    first = tables(replay(ReplayRequest(request(small, out), every=7)))
    again = tables(replay(ReplayRequest(request(small, out), every=7)))
    assert first == again
    assert (out / "accounts.parquet").read_bytes() == b"somebody else's"
    assert not list(out.glob(".*"))


ROWS = [
    {"account_id": "old", "created_at": START, "closed_at": START + timedelta(days=9), "closed_reason": "abuse"},
    {"account_id": "new", "created_at": START + timedelta(days=6)},
    {"account_id": "undated", "plan": "free"},
    {"account_id": "undated, silent", "plan": "free", "closed_reason": "asked"},
]


@pytest.mark.parametrize(
    ("days", "known", "closed"),
    [
        (0, ["undated"], []),
        (5, ["old", "undated"], []),
        (7, ["old", "new", "undated"], []),
        (10, ["old", "new", "undated"], ["old"]),
    ],
)
def test_what_happens_to_an_account_later_is_hidden(days: int, known: list[str], closed: list[str]) -> None:
    context = Context(accounts=pa.Table.from_pylist(ROWS, schema=ACCOUNTS))
    seen = pa.array(["old", "undated"])
    found = known_by(context, START + timedelta(days=days), seen).accounts
    assert found["account_id"].to_pylist() == known
    assert [row["account_id"] for row in found.to_pylist() if row["closed_at"] is not None] == closed
    assert [row["account_id"] for row in found.to_pylist() if row["closed_reason"] is not None] == closed


def test_releases_and_registrations_are_hidden_until_they_are_known() -> None:
    def registered(valid: int, disclosed: int | None) -> Authorisation:
        end = START + timedelta(days=400)
        at = None if disclosed is None else START + timedelta(days=disclosed)
        return Authorisation(f"{valid}/{disclosed}", "o", START + timedelta(days=valid), end, disclosed_at=at)

    context = Context(
        releases=(("m-1", START), ("m-2", START + timedelta(days=5))),
        authorisations=(registered(0, None), registered(0, 6), registered(6, 0), registered(-300, -9)),
    )
    found = known_by(context, START + timedelta(days=5), pa.array([], pa.string()))
    assert [model for model, _ in found.releases] == ["m-1"]
    assert [item.id for item in found.authorisations] == ["0/None", "-300/-9"]
    assert found.accounts is None


# --- the record -----------------------------------------------------------------------------------------------------


def arrivals(*counts: int) -> pa.Table:
    """Accounts a, b and c send so many events each, day after day."""
    rows = [
        {
            "until": START + timedelta(days=k + 1),
            "account_id": account,
            "events": n,
            "first": START + timedelta(days=k),
        }
        for k, n in enumerate(counts)
        for account in "abc"
        if n
    ]
    schema = pa.schema([("until", TIME), ("account_id", pa.string()), ("events", pa.int64()), ("first", TIME)])
    return pa.Table.from_pylist(rows, schema=schema)


def take(
    records: Records, day: int, parts: dict[str, str], accused: str = "", merges: dict[str, str] | None = None
) -> None:
    owned = [{"account_id": a, "operator_id": operator} for operator, accounts in parts.items() for a in accounts]
    judged = [
        {
            "operator_id": operator,
            "verdict": "unauthorised_distillation" if operator in accused else "ordinary",
            "fdr": 0.001,
        }
        for operator in parts
    ]
    merged = [{"operator_id": old, "merged_into": new} for old, new in (merges or {}).items()]
    records.take(
        START + timedelta(days=day + 1),
        pa.Table.from_pylist(owned, schema=OPERATORS),
        pa.Table.from_pylist(judged, schema=VERDICTS),
        pa.Table.from_pylist(merged, schema=pa.schema([("operator_id", pa.string()), ("merged_into", pa.string())])),
    )


def by(table: pa.Table, column: str, *keys: str) -> dict[str, Any]:
    return {"".join(str(row[key]) for key in keys): row[column] for row in table.to_pylist()}


def test_an_accusation_stays_on_record_when_it_is_withdrawn_and_is_unmarked_when_it_returns() -> None:
    records = Records(arrivals(10, 10, 10, 10), Spending(), 0.01)
    take(records, 0, {"X": "ab", "c": "c"}, "X")
    take(records, 1, {"X": "abc"})
    assert by(records.tables()["first_accused"], "withdrawn", "account_id") == dict.fromkeys("ab", date(2026, 9, 2))
    take(records, 2, {"X": "abc"}, "X")
    take(records, 3, {"X": "ac", "b": "b"}, "X")
    found = records.tables()
    assert by(found["first_accused"], "withdrawn", "account_id") == {"a": None, "b": date(2026, 9, 4), "c": None}
    assert by(found["first_accused"], "day", "account_id") == {
        "a": date(2026, 9, 1),
        "b": date(2026, 9, 1),
        "c": date(2026, 9, 3),
    }
    assert by(found["first_accused"], "events_gone", "account_id") == {"a": 10, "b": 10, "c": 30}
    assert by(found["first_accused"], "share_gone", "account_id") == {"a": 0.25, "b": 0.25, "c": 0.75}
    assert by(found["accused_operators"], "withdrawn", "operator_id") == {"X": None}
    assert by(found["accused_operators"], "events_gone", "operator_id") == {"X": 20}
    assert found["looks"]["accounts_withdrawn"].to_pylist() == [0, 2, 0, 1]
    assert found["looks"]["operators_withdrawn"].to_pylist() == [0, 1, 0, 0]
    assert found["looks"]["new_accounts"].to_pylist() == [2, 0, 1, 0]
    assert found["looks"]["events"].to_pylist() == [30, 60, 90, 120]


def test_an_operator_that_merges_into_an_accused_one_is_not_withdrawn() -> None:
    records = Records(arrivals(1, 1, 1), Spending(), 0.01)
    take(records, 0, {"X": "ab", "Y": "c"}, "XY")
    take(records, 1, {"Y": "abc"}, "Y", {"X": "Y"})
    assert by(records.tables()["accused_operators"], "withdrawn", "operator_id") == {"X": None, "Y": None}
    assert by(records.tables()["accused_operators"], "merged_into", "operator_id") == {"X": "Y", "Y": None}
    take(records, 2, {"Y": "abc"}, "")
    assert by(records.tables()["accused_operators"], "withdrawn", "operator_id") == dict.fromkeys(
        "XY", date(2026, 9, 3)
    )
    assert records.tables()["merged"].to_pylist() == [{"day": date(2026, 9, 2), "operator_id": "X", "merged_into": "Y"}]


def test_an_accusation_is_upheld_at_the_level_of_all_looks_and_made_at_that_of_its_own() -> None:
    records = Records(arrivals(1, 1), Spending(), 0.01)
    take(records, 0, {"X": "ab", "Y": "c"}, "X")
    rows = [
        # operator, fdr, accounts, verdict, upheld
        ("X", 0.009, 2, "ordinary", True), ("X", 0.009, 2, "heavy_use", True), ("X", 0.011, 2, "ordinary", False),
        ("X", None, 2, "heavy_use", False), ("X", 0.009, 1, "ordinary", False), ("Y", 0.009, 2, "ordinary", False),
        ("X", 0.009, 2, "authorised_distillation", False), ("X", 0.009, 2, "compromised_account", False),
        ("X", 0.0001, 2, "unauthorised_distillation", False),
    ]  # fmt: skip
    for operator, fdr, accounts, verdict, expected in rows:
        row = {"operator_id": operator, "fdr": fdr, "accounts": accounts, "verdict": verdict}
        assert records.upheld(pa.Table.from_pylist([row], schema=VERDICTS)).to_pylist() == [expected], row


def test_operators_that_merged_in_a_circle_end_the_search() -> None:
    records = Records(arrivals(1, 1, 1), Spending(), 0.01)
    take(records, 0, {"X": "ab", "Y": "c"}, "XY")
    take(records, 1, {"Y": "abc"}, "", {"X": "Y"})
    take(records, 2, {"Z": "abc"}, "Z", {"Y": "X"})
    assert set(by(records.tables()["accused_operators"], "withdrawn", "operator_id")) == {"X", "Y", "Z"}


def test_days_without_events_have_no_look_and_no_share() -> None:
    counts = arrivals(5, 0, 0, 5, 5)
    assert look_times(counts) == [evening(date(2026, 9, day)) for day in (1, 4, 5)]
    records = Records(counts, Spending(), 0.01)
    take(records, 0, {"X": "abc"})
    assert records.level(evening(date(2026, 9, 4))) == pytest.approx(0.01 * Spending().share(2, 1))


@pytest.mark.parametrize(
    ("every", "growth", "days"),
    [
        (1, 1.0, [1, 2, 3, 4, 5, 6, 7]),
        (3, 1.0, [3, 6, 7]),
        (9, 1.0, [7]),
        (1, 1.5, [1, 2, 3, 5, 7]),
        (2, 2.0, [2, 4, 7]),
    ],
)
def test_looks_are_on_the_days_asked_for_and_the_last(every: int, growth: float, days: list[int]) -> None:
    found = look_times(arrivals(*[4] * 7), every, growth)
    assert found == [evening(date(2026, 9, day)) for day in days]


def test_what_is_said_of_a_victim_names_the_operator_by_its_id() -> None:
    from stillwatch.renaming import retold

    text = "a customer's own account into which traffic of op_1 came, since 2026-09-01"
    assert retold(text, {"op_1": "op_9"}, "compromised_account") == text.replace("op_1", "op_9")
    assert retold("op_1 is a word", {"op_1": "op_9"}, "ordinary") == "op_1 is a word"


# --- what a user can do wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--every", "0"], 2, "every"),
        (["--growth", "0.5"], 2, "growth"),
        (["--by", "week"], 2, "day"),
        (["--json"], 2, "--truth"),
        (["--truth", "nowhere"], 3, "nowhere"),
        (["--accounts", "nowhere.csv"], 3, "nowhere.csv"),
    ],
)
def test_errors_name_the_word(
    words: list[str], code: int, says: str, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refused(
        ["replay", small / "events.parquet", "--out", tmp_path / "out", "--pseudonyms", "none", *words], code, capsys
    )
    assert not (tmp_path / "out").exists()


def refused(words: list[str | Path], code: int, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says on standard error when it ends with `code`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["stillwatch", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == code
    return capsys.readouterr().err


def test_a_log_that_is_not_there_is_an_input_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words: list[str | Path] = ["replay", tmp_path / "nothing", "--out", tmp_path / "out", "--pseudonyms", "none"]
    assert "nothing" in refused(words, 3, capsys)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_folder_that_cannot_be_written_is_an_error_of_the_run(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    words = ["replay", small / "events.parquet", "--out", tmp_path / "file", "--pseudonyms", "none"]
    assert "cannot write" in refused(words, 4, capsys)


def test_with_keyed_pseudonyms_the_truth_still_fits(small: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("7c" * 32)
    key.chmod(0o600)
    ring = [row["account_id"] for row in pq.read_table(small / "accounts.parquet").to_pylist() if (row["payment_id"] or "").startswith("v")]  # fmt: skip  # noqa: E501
    events = pq.read_table(small / "events.parquet").to_pylist()
    truth = [{"account_id": a, "operator_id": "ring" if a in ring else a, "label": "campaign" if a in ring else "ordinary"} for a in sorted({row["account_id"] for row in events})]  # fmt: skip  # noqa: E501
    truth = [row | {"campaign": None} for row in truth]
    mixed = ring[0]
    mine = [row["event_id"] for row in events if row["account_id"] == mixed]
    named = [
        {"event_id": e, "account_id": mixed, "operator_id": "ring", "label": "campaign", "campaign": None}
        for e in mine[:50]
    ]
    (tmp_path / "truth").mkdir()
    pq.write_table(pa.Table.from_pylist(truth), tmp_path / "truth" / "accounts.parquet")
    pq.write_table(pa.Table.from_pylist(named), tmp_path / "truth" / "events.parquet")
    done = stillwatch(
        "replay", small / "events.parquet", "--out", tmp_path / "out", "--key-file", key, "--every", "14",
        "--truth", tmp_path, "--json",
    )  # fmt: skip
    found = json.loads(done.stdout)
    sent = sum(row["account_id"] in ring for row in events)
    assert [(c["campaign"], c["exchanges"]) for c in found["campaigns"]] == [("ring", sent - len(mine) + 50)]
    stored = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert not any(account.encode() in stored for account in ring)
