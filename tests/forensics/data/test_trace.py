"""The walk of `trace data`, from a log to a folder, and what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from math import log2
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import InputError, RunError, StillwatchError, UsageError
from stillwatch.forensics.data import TraceRequest, trace
from stillwatch.forensics.data.findings import TABLES
from stillwatch.forensics.data.nulls import interval
from stillwatch.forensics.data.show import render
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.model import REJECTS
from stillwatch.pipeline import ScanRequest
from stillwatch.state import StateRequest, scan_state
from tests.forensics.data.logs import REFUSAL, AnswerLog, lines

ROOT = Path(__file__).parents[3]
DOCS = (ROOT / "docs" / "forensics.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log, its state, and corpora."""
    folder = tmp_path_factory.mktemp("traced")
    AnswerLog().write(folder)
    keep(folder / "state", folder / "log.parquet")
    return folder


def keep(state: Path, *sources: Path, pseudonyms: Pseudonyms | None = None, **more: Any) -> None:
    names = pseudonyms or Pseudonyms.none()
    scan_state(StateRequest(state, ScanRequest(list(sources), state, pseudonyms=names), run=False, **more))


def wanted(made: Path, out: Path, corpus: str = "corpus.jsonl", **more: Any) -> TraceRequest:
    return TraceRequest([made / corpus], out, **{"state": made / "state", **more})


@pytest.fixture(scope="module")
def traced(made: Path) -> RunFolder:
    request = wanted(
        made, made / "out", unserved=[made / "unserved.parquet"], controls=[made / "control.jsonl"], tests=2
    )
    return trace(request)


def test_every_copy_is_found_with_whose_it_was(traced: RunFolder) -> None:
    log, rows = AnswerLog(), traced.read("matches").to_pylist()
    own = {row["row"]: row for row in rows if row["reason"] != "in a control corpus"}
    for number, answer in enumerate(log.harvested, 1):
        if answer == REFUSAL:
            assert number not in own
            continue
        event = next(event for event in log.events if answer in event["response"])
        found = own.pop(number)
        assert (found["kind"], found["event_id"], found["account_id"]) == (
            "exact",
            event["event_id"],
            event["account_id"],
        )
        assert found["day"] == event["time"].date()
        assert found["counted"]
        assert found["model"] == "m"
        assert found["bits"] == pytest.approx(log2(traced.manifest()["found"]["documents"]))
    assert own == {}


def test_what_everybody_is_told_is_listed_and_not_counted(traced: RunFolder) -> None:
    refused = [row for row in traced.read("matches").to_pylist() if row["reason"] == "in a control corpus"]
    assert {row["row"] for row in refused} == {k for k, text in enumerate(AnswerLog().harvested, 1) if text == REFUSAL}
    assert {(row["counted"], row["kind"], row["held"]) for row in refused} == {(False, "exact", 13)}


def test_the_exact_test_counts_the_requests_that_tell(traced: RunFolder) -> None:
    paired, ranked = traced.read("tests").to_pylist()
    log = AnswerLog()
    twins = {one["event_id"] for one in log.unserved}
    tell = [k for k in range(log.requests) if f"e{k}" in twins and k % 10 < 3 and k % 25]
    assert (paired["n"], paired["observed"], paired["exact"], paired["tests"]) == (len(tell), len(tell), True, 2)
    assert paired["p_value"] == pytest.approx(2.0 ** -len(tell))
    assert paired["adjusted"] == pytest.approx(2 * 2.0 ** -len(tell))
    assert (ranked["p_value"], ranked["exact"]) == (0.5, False)
    assert "drew on what was served" in traced.manifest()["conclusion"]


def test_accounts_and_days_say_how_much_of_theirs_is_there(traced: RunFolder) -> None:
    accounts = {row["account_id"]: row for row in traced.read("accounts").to_pylist()}
    log = AnswerLog()
    assert set(accounts) == {"acct-0", "acct-1", "acct-2"}
    for name, row in accounts.items():
        own = [e for e in log.events if e["account_id"] == name and REFUSAL not in e["response"]]
        assert (row["answers"], row["exact"], row["near"]) == (len(own), len(own), 0)
        assert (row["low"], row["high"]) == interval(len(own), len(own))
        assert (row["first_day"], row["last_day"]) == (own[0]["time"].date(), own[-1]["time"].date())
    days = traced.read("days").to_pylist()
    assert [row["day"] for row in days] == sorted({event["time"].date() for event in log.events})
    assert sum(row["exact"] for row in days) == sum(row["exact"] for row in accounts.values())


def test_the_tables_have_their_schemas(traced: RunFolder) -> None:
    for name, schema in {**TABLES, "rejects": REJECTS}.items():
        assert pq.read_schema(traced.path(name)).equals(schema), name
    assert {path.stem for path in traced.root.glob("*.parquet")} == {*TABLES, "rejects"}
    described = DOCS[DOCS.index("**The folder**") :]
    listed = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", described, flags=re.MULTILINE)
    assert set(re.findall(r"\w+", " ".join(listed))) >= {*TABLES, "rejects"}
    words = set(re.findall(r"`(\w+)`", described))
    assert words >= set(TABLES["matches"].names) - {"words"}


def test_the_manifest_says_what_it_does_not_show(traced: RunFolder) -> None:
    said = traced.manifest()
    assert said["kind"] == "trace data"
    assert said["corpus"]["inputs"][0]["sha256"]
    assert "route" in said["not_shown"][0]
    remains = {one["name"]: one["remains"] for one in said["innocent_explanations"]}
    assert remains["published by a customer"]
    assert not remains["a public text that the model repeats"]
    assert said["answers"]["never_served"] == len(AnswerLog().unserved)
    assert said["found"]["answers_never_served"] == 0


def test_the_order_of_a_corpus_does_not_matter(made: Path, traced: RunFolder, tmp_path: Path) -> None:
    rows = (made / "corpus.jsonl").read_text().splitlines()
    (tmp_path / "corpus.jsonl").write_text("\n".join(rows[::-1] + rows[:5]) + "\n")
    request = wanted(made, tmp_path / "out", unserved=[made / "unserved.parquet"], controls=[made / "control.jsonl"])
    again = trace(replace(request, corpus=[tmp_path / "corpus.jsonl"], tests=2))
    for name in ("accounts", "days", "tests"):
        assert again.read(name).equals(traced.read(name)), name


def test_an_innocent_corpus_is_not_accused(made: Path, tmp_path: Path) -> None:
    done = trace(wanted(made, tmp_path / "out", "innocent.jsonl", unserved=[made / "unserved.parquet"]))
    said = done.manifest()
    assert said["found"]["counted"] == 0
    assert said["tests"][0]["p_value"] == 1
    assert "does not clear" in said["conclusion"]


def test_without_a_null_there_is_no_p_value(made: Path, tmp_path: Path) -> None:
    done = trace(wanted(made, tmp_path / "out"))
    assert len(done.read("tests")) == 0
    assert "cannot be said" in done.manifest()["conclusion"]
    assert any("not available" in str(part) for part in render(done))


def test_a_pool_without_requests_is_divided(made: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"response": [one["response"] for one in AnswerLog().unserved]}), tmp_path / "u.parquet")
    (test,) = trace(wanted(made, tmp_path / "out", unserved=[tmp_path / "u.parquet"])).read("tests").to_pylist()
    assert test["test"] == "served against unserved, pooled"
    assert test["exact"]
    assert test["p_value"] < 1e-10


def test_a_table_of_served_answers_takes_the_place_of_a_state(made: Path, traced: RunFolder, tmp_path: Path) -> None:
    done = trace(wanted(made, tmp_path / "out", state=None, served=[made / "log.parquet"],
                        controls=[made / "control.jsonl"]))  # fmt: skip
    names = ["row", "kind", "event_id", "account_id", "day", "counted", "reason"]
    assert done.read("matches").select(names).equals(traced.read("matches").select(names))
    assert not (done.root / ".scratch").exists()
    kept = b"".join(path.read_bytes() for path in done.root.iterdir())
    assert REFUSAL.encode() not in kept


def test_without_times_there_are_no_days(made: Path, tmp_path: Path) -> None:
    table = pq.read_table(made / "log.parquet", columns=["event_id", "account_id", "response"])
    pq.write_table(table, tmp_path / "served.parquet")
    run = trace(wanted(made, tmp_path / "out", state=None, served=[tmp_path / "served.parquet"]))
    assert run.read("matches")["day"].null_count == len(run.read("matches")) > 0
    assert run.read("days")["day"].to_pylist() == [None]
    assert run.read("accounts")["first_day"].null_count == len(run.read("accounts"))


def test_more_answers_than_fit_are_refused(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stillwatch.forensics.data.served._available_bytes", lambda: 10_000)
    with pytest.raises(InputError, match=r"need 0\.0 GiB of memory .* trace against a part of them"):
        trace(wanted(made, tmp_path / "out"))


def test_keyed_pseudonyms_are_paired_by_their_key(made: Path, tmp_path: Path) -> None:
    names = Pseudonyms.keyed(b"k" * 16)
    keep(tmp_path / "state", made / "log.parquet", pseudonyms=names)
    request = wanted(made, tmp_path / "out", state=tmp_path / "state", unserved=[made / "unserved.parquet"])
    with pytest.raises(InputError, match="none of its event ids"):
        trace(request)
    done = trace(replace(request, pseudonym=lambda one: names.one("event_id", one)))
    assert done.read("tests")["p_value"][0].as_py() < 1e-8
    assert "acct-0" not in str(done.read("matches")["account_id"].to_pylist())


def test_what_is_forgotten_is_traced_no_more(made: Path, tmp_path: Path) -> None:
    keep(tmp_path / "state", made / "log.parquet")
    keep(tmp_path / "state", forget=["acct-1"])
    accounts = trace(wanted(made, tmp_path / "out", state=tmp_path / "state")).read("accounts")
    assert set(accounts["account_id"].to_pylist()) == {"acct-0", "acct-2"}
    keep(tmp_path / "state", retain=3)
    days = trace(wanted(made, tmp_path / "out", state=tmp_path / "state")).read("days")["day"].to_pylist()
    assert len(days) == 3


def _no_answers(made: Path, folder: Path) -> TraceRequest:
    rows = [{**event, "response": None} for event in AnswerLog(requests=20).events]
    pq.write_table(pa.Table.from_pylist(rows), folder / "bare.parquet")
    keep(folder / "state", folder / "bare.parquet")
    return wanted(made, folder / "out", state=folder / "state")


def _short_answers(made: Path, folder: Path) -> TraceRequest:
    lines(folder / "served.jsonl", "response", ["Yes.", "No, not today.", "Perhaps."])
    return wanted(made, folder / "out", state=None, served=[folder / "served.jsonl"])


def _no_text(made: Path, folder: Path) -> TraceRequest:
    lines(folder / "c.jsonl", "label", ["a", "b"])
    return replace(wanted(made, folder / "out"), corpus=[folder / "c.jsonl"])


def _other_requests(made: Path, folder: Path) -> TraceRequest:
    pq.write_table(pa.table({"event_id": ["x1"], "response": ["one two three"]}), folder / "u.parquet")
    return wanted(made, folder / "out", unserved=[folder / "u.parquet"])


def _foreign_folder(made: Path, folder: Path) -> TraceRequest:
    pq.write_table(pa.table({"a": [1]}), folder / "mine.parquet")
    return wanted(made, folder)


def _served_ones(made: Path, folder: Path) -> TraceRequest:
    served = pq.read_table(made / "log.parquet", columns=["event_id", "response"])
    pq.write_table(served.filter(served["response"].is_valid()), folder / "u.parquet")
    return wanted(made, folder / "out", unserved=[folder / "u.parquet"])


REFUSED: dict[str, tuple[Callable[[Path, Path], TraceRequest], type[StillwatchError], str]] = {
    "no answers kept": (_no_answers, InputError, "keeps no answers: the log had no column `response`"),
    "too short to trace": (_short_answers, InputError, "none of the 3 answers known is long enough"),
    "no column of text": (_no_text, InputError, "no column of text among label"),
    "unserved answers to other requests": (_other_requests, InputError, "none of its event ids is among the answers"),
    "answers that were served": (_served_ones, InputError, "its answers are those that were served"),
    "itself as control": (
        lambda made, to: wanted(made, to / "out", controls=[made / "corpus.jsonl"]), InputError, "of the suspect corpus"
    ),
    "a folder of somebody else": (_foreign_folder, UsageError, "did not write"),
    "no state": (lambda made, to: wanted(made, to / "out", state=to / "no"), RunError, "there is no state"),
    "an unfinished run": (lambda made, to: wanted(made, to / "out", state=None, run=made), RunError, "finished run"),
    "nothing known": (lambda made, to: wanted(made, to / "out", state=None), UsageError, "one of --state"),
    "two things known": (lambda made, to: wanted(made, to / "out", run=made), UsageError, "one of --state"),
    "no corpus": (lambda made, to: wanted(made, to / "out", "nothing.jsonl"), InputError, "no such file"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_and_no_number_is_given(case: str, made: Path, tmp_path: Path) -> None:
    make, error, said = REFUSED[case]
    request = make(made, tmp_path)
    with pytest.raises(error, match=re.escape(said)):
        trace(request)
    assert not (request.out / "manifest.json").exists()
    assert not (request.out / ".scratch").exists()


def test_the_command_prints_and_gives_json(made: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from stillwatch.cli import app

    given = {"--state": made / "state", "--out": tmp_path / "out", "--unserved": made / "unserved.parquet"}
    words = ["trace", "data", str(made / "corpus.jsonl"), *(str(one) for pair in given.items() for one in pair)]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0
    assert json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)["tests"][0]["exact"]
    refused = CliRunner().invoke(app, [*words, "--key-file", str(tmp_path / "no.key")])
    assert isinstance(refused.exception, UsageError)
