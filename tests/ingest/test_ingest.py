"""The stage as a whole: every bad input of a log is a clear error or a counted reject, and the rows add up."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import InputError, RunError, UsageError
from stillwatch.ingest import ingest as stage
from stillwatch.ingest import work, workers
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.model import SKETCHES
from tests.ingest import logs
from tests.ingest.logs import CONTAINERS, event, events, put, rejected, scan


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_gives_the_same_events(tmp_path: Path, name: str) -> None:
    report, run = scan(tmp_path, put(tmp_path, name, CONTAINERS[name](events(20))))
    found = run.read("sketches")
    assert found.schema.equals(SKETCHES)
    assert found["event_id"].to_pylist() == [f"event-{i}" for i in range(20)]
    assert found["source_row"].to_pylist() == list(range(1, 21))
    assert found["max_tokens"].to_pylist() == [64] * 20
    assert found["time"][3].as_py().timestamp() == logs.START + 3
    assert found["address_prefix"].to_pylist() == ["192.0.2.0/24"] * 20
    assert report.counts["rejected"] == 0
    assert "user_agent" in report.missing_columns
    assert "messages" not in report.missing_columns
    assert not (tmp_path / "run" / ".sketches.stage.parquet.tmp").exists()


@pytest.mark.parametrize("name", CONTAINERS)
def test_null_ids_are_rejected_each_with_its_reason(tmp_path: Path, name: str) -> None:
    rows = events(6)
    rows[1]["event_id"] = None
    rows[2]["account_id"] = ""
    rows[3]["model"] = None
    rows[4]["time"] = None
    report, run = scan(tmp_path, put(tmp_path, name, CONTAINERS[name](rows)))
    assert rejected(run) == [(2, "no event_id"), (3, "no account_id"), (4, "no model"), (5, "no time")]
    assert report.counts["kept"] == 2


@pytest.mark.parametrize("unit", [1, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("name", ["log.jsonl", "log.csv", "log.parquet"])
def test_times_in_any_unit(tmp_path: Path, name: str, unit: float) -> None:
    rows = [event(i, time=int((logs.START + i) * unit)) for i in range(4)]
    _, run = scan(tmp_path, put(tmp_path, name, CONTAINERS[name](rows)))
    assert [t.timestamp() for t in run.read("sketches")["time"].to_pylist()] == [logs.START + i for i in range(4)]


def test_times_that_cannot_be(tmp_path: Path) -> None:
    odd = [time.time() + 30 * 3600, 12, "yesterday", True, {"a": 1}, "2014-12-31T23:59:59Z", time.time() + 3600, 1e300]
    _, run = scan(tmp_path, put(tmp_path, "log.jsonl", logs.lines([event(i, time=t) for i, t in enumerate(odd)])))
    assert rejected(run) == [
        (1, "time in the future"), (2, "time out of range"), (3, "time not understood"), (4, "time not understood"),
        (5, "time not understood"), (6, "time out of range"), (8, "time not understood"),
    ]  # fmt: skip


def test_of_duplicates_the_least_by_time_account_and_columns_stays(tmp_path: Path) -> None:
    first = put(tmp_path, "log/a.jsonl", logs.lines([event(0), event(1), event(1, model="later")]))
    put(tmp_path, "log/b.csv", logs.table([event(1, model="other file"), event(2)]))
    report, run = scan(tmp_path, tmp_path / "log")
    assert run.read("sketches").select(["event_id", "model"]).to_pylist() == [
        {"event_id": f"event-{i}", "model": model} for i, model in enumerate(["model-1", "later", "model-1"])
    ]
    assert report.counts["duplicates"] == 2
    assert {(r["source"], r["row"]) for r in run.read("rejects").to_pylist()} == {
        (str(first), 2), (str(tmp_path / "log/b.csv"), 1),
    }  # fmt: skip
    assert {r["reason"] for r in run.read("rejects").to_pylist()} == {"duplicate event_id"}


def test_wrong_types_in_optional_columns_are_made_null_and_counted(tmp_path: Path) -> None:
    rows = [
        event(0, temperature="warm", max_tokens=-4, user_agent=["x"], duration_ms=float("nan"), client_address="home"),
        event(1, temperature="0.25", max_tokens="12", input_tokens=3.0, output_tokens=3.5, seed=2**70, messages=5),
    ]
    report, run = scan(tmp_path, put(tmp_path, "log.jsonl", logs.lines(rows)))
    found = run.read("sketches")
    assert found["temperature"].to_pylist() == [None, 0.25]
    assert found["max_tokens"].to_pylist() == [None, 12]
    assert found["input_tokens"].to_pylist() == [None, 3]
    assert report.counts["repaired"] == {
        "client_address": 1, "max_tokens": 1, "messages": 1, "output_tokens": 1, "seed": 1, "temperature": 1,
        "user_agent": 1,
    }  # fmt: skip


def test_wrong_types_in_required_columns_are_rejected(tmp_path: Path) -> None:
    rows = [event(0, account_id={"name": "x"}), event(1, event_id=True), event(2, model=["m"]), event(3, account_id=77)]
    _, run = scan(tmp_path, put(tmp_path, "log.jsonl", logs.lines(rows)))
    assert rejected(run) == [
        (1, "wrong type in account_id"), (2, "wrong type in event_id"), (3, "wrong type in model"),
    ]  # fmt: skip
    assert run.read("sketches")["account_id"].to_pylist() == ["77"]


@pytest.mark.parametrize("name", CONTAINERS)
def test_unknown_columns_are_named(tmp_path: Path, name: str) -> None:
    data = CONTAINERS[name](events(3, colour="red", flavour="sour"))
    report, _ = scan(tmp_path, put(tmp_path, name, data))
    assert report.unknown_columns == ["colour", "flavour"]


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_missing_required_column_is_named_with_those_that_are_there(tmp_path: Path, name: str) -> None:
    rows = [{k: v for k, v in row.items() if k != "account_id"} | {"customer": "c"} for row in events(3)]
    path = put(tmp_path, name, CONTAINERS[name](rows))
    with pytest.raises(InputError, match=r"(?s)log.*account_id is missing.*customer.*--format table"):
        scan(tmp_path, path)
    report, run = scan(tmp_path, path, settings={"columns": {"account_id": "customer"}})
    assert run.read("sketches")["account_id"].to_pylist() == ["c"] * 3
    assert report.unknown_columns == []


def test_an_empty_log_is_an_error(tmp_path: Path) -> None:
    for name, data in {"a.jsonl": b"", "b.csv": b"event_id,time,account_id,model\n", "c.json": b"[]"}.items():
        with pytest.raises(InputError, match="no events"):
            scan(tmp_path, put(tmp_path, name, data))
    with pytest.raises(InputError, match="no events"):
        scan(tmp_path, put(tmp_path, "d.parquet", logs.parquet([event(0, model=None)])))
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="no events"):
        scan(tmp_path, tmp_path / "folder")
    with pytest.raises(InputError, match="there is no such file"):
        scan(tmp_path, tmp_path / "nowhere")


def test_an_error_leaves_no_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"every row was rejected \(no account_id: 2\)"):
        scan(tmp_path, put(tmp_path, "a.jsonl", logs.lines([event(0), event(1, account_id=None)][1:] * 2)))
    assert not list((tmp_path / "run").glob("rejects*"))


def test_one_account(tmp_path: Path) -> None:
    _report, run = scan(tmp_path, put(tmp_path, "log.jsonl", logs.lines(events(5, account_id="only"))))
    assert set(run.read("sketches")["account_id"].to_pylist()) == {"only"}


def test_a_log_without_content(tmp_path: Path) -> None:
    rows = [{k: row[k] for k in ("event_id", "time", "account_id", "model")} for row in events(5)]
    report, run = scan(tmp_path, put(tmp_path, "log.parquet", logs.parquet(rows)))
    assert run.read("sketches")["skeleton"].null_count == 5
    assert {"messages", "system", "client_address"} <= set(report.missing_columns)


@pytest.mark.parametrize("name", [n for n in CONTAINERS if n not in {"log.json", "log.parquet"}])
def test_invalid_utf8_is_kept_apart_and_counted(tmp_path: Path, name: str) -> None:
    rows = [event(i, account_id=f"acc-{c}") for i, c in enumerate("ABC")]
    data = logs.lines(rows) if ".jsonl" in name else logs.table(rows)
    data = data.replace(b"acc-A", b"acc-\xff").replace(b"acc-B", b"acc-\xfe")
    data = gzip.compress(data) if name.endswith("gz") else logs.zstd(data) if name.endswith("zst") else data
    report, run = scan(tmp_path, put(tmp_path, name, data))
    assert len(set(run.read("sketches")["account_id"].to_pylist())) == 3
    assert report.counts["invalid_utf8"] == 2


def test_invalid_utf8_in_parquet(tmp_path: Path) -> None:
    raw = pa.array([b"ok", b"\xff\xfe", b"fine"]).view(pa.string())
    nested = pa.array([[b"ok"], [b"\xff"], [b"fine"]], pa.list_(pa.binary())).cast(pa.list_(pa.binary()))
    nested = pa.ListArray.from_arrays(nested.offsets, nested.values.view(pa.string()))
    table = pa.table({
        "event_id": ["a", "b", "c"], "time": [logs.START] * 3, "account_id": raw, "model": ["m"] * 3,
        "messages": raw, "system": nested, "user_agent": nested,
    })  # fmt: skip
    pq.write_table(table, tmp_path / "log.parquet")
    report, run = scan(tmp_path, tmp_path / "log.parquet")
    assert run.read("sketches")["account_id"].to_pylist() == ["ok", "\ufffdff\ufffdfe", "fine"]
    assert report.counts["repaired"] == {"system": 1, "user_agent": 3}


def test_lone_surrogates_and_nan(tmp_path: Path) -> None:
    good = json.dumps(event(0)).encode()
    odd = good.replace(b"event-0", rb"\ud800x").replace(b"0.5", b"NaN")
    _, run = scan(tmp_path, put(tmp_path, "log.jsonl", odd + b"\n" + good + b"\n"))
    assert run.read("sketches")["temperature"].to_pylist() == [None, 0.5]


def test_deep_json(tmp_path: Path) -> None:
    def deep(depth: int) -> bytes:
        return json.dumps(event(depth)).encode()[:-1] + b', "tools": ' + b"[" * depth + b"]" * depth + b"}\n"

    data = deep(100) + deep(600) + deep(100_000) + logs.lines([event(1)])
    report, run = scan(tmp_path, put(tmp_path, "log.jsonl", data))
    assert rejected(run) == [(3, "JSON nested too deep")]
    assert report.counts["repaired"] == {"tools": 1}
    content = json.dumps(event(7, messages="[" * 100_000 + "]" * 100_000))
    scan(tmp_path, put(tmp_path, "text.jsonl", content.encode()))


@pytest.mark.parametrize("name", ["log.jsonl", "log.csv", "log.parquet", "log.json"])
def test_a_prompt_of_ten_megabytes(tmp_path: Path, name: str) -> None:
    long = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "word " * 2_000_000}]}])
    report, _run = scan(tmp_path, put(tmp_path, name, CONTAINERS[name]([event(0), event(1, messages=long), event(2)])))
    assert report.counts["kept"] == 3
    assert report.counts["cut_texts"] == 1


def test_hostile_text_is_only_data(tmp_path: Path) -> None:
    evil = ["=1+1", "'; DROP TABLE sketches; --", "\x1b[2J", "<script>alert(1)</script>", "a\x00b", "x" * 5000]
    rows = [event(i, account_id=text, event_id=f"{text}{i}", user_agent=text) for i, text in enumerate(evil)]
    for name in ("log.jsonl", "log.csv", "log.parquet"):
        _, run = scan(tmp_path, put(tmp_path, name, CONTAINERS[name](rows)))
        assert run.read("sketches")["account_id"].to_pylist() == evil


@pytest.mark.parametrize("name", CONTAINERS)
def test_truncated_files_keep_what_came_before(tmp_path: Path, name: str) -> None:
    rows = [event(i, user_agent=f"{i * 7919 % 10_007}") for i in range(3000)]
    whole = CONTAINERS[name](rows)
    put(tmp_path, f"log/cut-{name}", whole[: len(whole) // 2])
    put(tmp_path, "log/good.jsonl", logs.lines([event(9999)]))
    report, run = scan(tmp_path, tmp_path / "log")
    [(row, reason)] = rejected(run)
    kept = report.inputs[0]["kept"]
    if name == "log.parquet":
        assert (row, kept) == (0, 0)
        assert "Parquet" in reason
    else:
        assert 0 < kept < 3000
        assert row == kept + 1
        assert reason.startswith(f"truncated after row {kept}") or reason == "wrong number of fields"
    assert run.read("sketches")["event_id"].to_pylist() == [*(f"event-{i}" for i in range(kept)), "event-9999"]


def test_a_damaged_row_group_ends_a_parquet_file(tmp_path: Path) -> None:
    data = bytearray(logs.parquet([event(i, user_agent=str(i)) for i in range(400)], group=100))
    place = pq.ParquetFile(pa.BufferReader(bytes(data))).metadata.row_group(2).column(0).data_page_offset
    data[place : place + 400] = b"\xff" * 400
    report, run = scan(tmp_path, put(tmp_path, "log.parquet", bytes(data)))
    assert report.counts["kept"] == 200
    assert rejected(run) == [(201, "truncated after row 200: Parquet data is damaged")]


def test_the_only_file_must_be_readable(tmp_path: Path) -> None:
    for name in ("log.parquet", "log.jsonl.gz", "log.csv.zst"):
        with pytest.raises(InputError, match=name):
            scan(tmp_path, put(tmp_path, name, b"PAR1 this is none" if "parquet" in name else b""))


def test_folders_of_days_and_other_keys(tmp_path: Path) -> None:
    rows = [{k: v for k, v in row.items() if k != "model"} for row in events(2)]
    put(tmp_path, "log/day=2025-10-09/model=small%2F1/part.parquet", logs.parquet(rows))
    put(tmp_path, "log/day=2025-10-10/part.jsonl", logs.lines([event(7)]))
    put(tmp_path, "log/_SUCCESS", b"")
    put(tmp_path, "log/notes.md", b"hello")
    report, run = scan(tmp_path, tmp_path / "log")
    assert run.read("sketches")["model"].to_pylist() == ["small/1", "small/1", "model-1"]
    assert report.ignored_files == [str(tmp_path / "log/notes.md")]


def test_a_world_folder_is_read_from_its_events(tmp_path: Path) -> None:
    put(tmp_path, "world/events/day=2025-10-09/part.parquet", logs.parquet(events(2)))
    put(tmp_path, "world/accounts.parquet", logs.parquet([{"account_id": "account-0"}]))
    put(tmp_path, "world/truth/accounts.parquet", logs.parquet([{"account_id": "account-0", "label": "ordinary"}]))
    report, _ = scan(tmp_path, tmp_path / "world")
    assert len(report.inputs) == 1


def test_globs(tmp_path: Path) -> None:
    for i in range(3):
        put(tmp_path, f"log-{i}.jsonl", logs.lines([event(i)]))
    report, _ = scan(tmp_path, str(tmp_path / "log-*.jsonl"))
    assert report.counts["kept"] == 3


def test_threads_change_nothing(tmp_path: Path) -> None:
    for i in range(4):
        rows = [event(1000 * i + j, account_id=None if j % 97 == 5 else "a") for j in range(500)]
        put(tmp_path, f"log/{i}.parquet", logs.parquet(rows))
    names = Pseudonyms.keyed(b"k" * 32)
    tables = []
    for count in (1, 3):
        report, run = scan(tmp_path, tmp_path / "log", pseudonyms=names, settings={"workers": count})
        assert report.counts["rejected"] == 4 * 6
        tables.append([run.read(name) for name in ("sketches", "answers", "skeletons", "rejects")])
    assert tables[0] == tables[1]
    assert tables[0][0]["vector"].null_count == 0


def test_an_error_in_a_thread_ends_the_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "log/a.parquet", logs.parquet(events(9)))

    def fail(*_: object, **__: object) -> None:
        raise RunError("no more")

    monkeypatch.setattr(work, "process", fail)
    with pytest.raises(RunError, match="no more"):
        scan(tmp_path, tmp_path / "log", settings={"workers": 2})
    assert not (tmp_path / "run" / "sketches.parquet").exists()


class Told:
    """Progress that keeps what it was told of the log."""

    def __init__(self) -> None:
        self.known: list[dict[str, int]] = []

    def stage(self, name: str, total: int | None = None) -> None:
        pass

    def advance(self, units: int = 1) -> None:
        pass

    def tell(self, *, events: int = 0, texts: int = 0, accounts: int = 0) -> None:
        self.known.append({"events": events, "texts": texts, "accounts": accounts})


@pytest.mark.parametrize("name", ["log.jsonl", "log.parquet"])
def test_what_a_log_holds_is_told_while_it_is_read(tmp_path: Path, name: str) -> None:
    rows = [event(i, account_id=f"account {i % 3000}") for i in range(6000)]
    for row in rows[::3]:
        row["messages"] = None
    told = Told()
    scan(tmp_path, put(tmp_path, name, (logs.parquet if name.endswith("parquet") else logs.lines)(rows)), progress=told)
    last = told.known[-1]
    assert (last["events"], last["texts"]) == (6000, 4000)
    assert last["accounts"] == pytest.approx(3000, rel=0.5), "a sample of one in 64"


def test_worker_processes_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(4):
        rows = [event(1000 * i + j, account_id=None if j % 97 == 5 else "a") for j in range(500)]
        put(tmp_path, f"log/{i}.jsonl", logs.lines(rows))
    names = Pseudonyms.keyed(b"k" * 32)
    _, run = scan(tmp_path, tmp_path / "log", pseudonyms=names)
    alone = {name: run.read(name) for name in ("sketches", "skeletons", "rejects")}
    monkeypatch.setattr(workers, "SMALL", 0)
    _, run = scan(tmp_path, tmp_path / "log", pseudonyms=names, settings={"workers": 2})
    assert all(run.read(name).equals(alone[name]) for name in alone)


def test_keyed_pseudonyms_leave_no_identifier(tmp_path: Path) -> None:
    rows = events(5, org_id="org-secret", key_id="key-secret", conversation_id="talk-secret")
    path = put(tmp_path, "log.jsonl", logs.lines(rows))
    _, run = scan(tmp_path, path, pseudonyms=Pseudonyms.keyed(b"k" * 32))
    text = json.dumps(run.read("sketches").drop_columns(["time", "vector"]).to_pylist())
    for secret in ("account-", "event-", "secret", "192.0.2"):
        assert secret not in text
    assert len(set(run.read("sketches")["address_prefix"].to_pylist())) == 1


def test_a_run_folder_that_cannot_be_written(tmp_path: Path) -> None:
    path = put(tmp_path, "log.jsonl", logs.lines(events(2)))
    put(tmp_path, "file", b"")
    with pytest.raises(RunError):
        stage.ingest([path], RunFolder(tmp_path / "file" / "run"))


def test_a_full_disk_leaves_no_table(tmp_path: Path) -> None:
    log = put(tmp_path, "log.jsonl", logs.lines(events(3000)))
    program = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from stillwatch.engine.runfolder import RunFolder; from stillwatch.errors import RunError\n"
        "from stillwatch.ingest.ingest import ingest\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try: ingest([sys.argv[1]], RunFolder(Path(sys.argv[2])))\n"
        "except RunError as error: print('RunError', error)\n"
    )
    command = [sys.executable, "-c", program, str(log), str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"NUMBA_CACHE_DIR": ""})
    assert done.stdout.startswith("RunError cannot write table sketches")
    assert not list((tmp_path / "run").iterdir())


def test_words_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    path = put(tmp_path, "log.jsonl", logs.lines(events(1)))
    with pytest.raises(UsageError, match="unknown format xml"):
        scan(tmp_path, path, format="xml")
    with pytest.raises(UsageError, match=r"ingest\.columns: acount_id is no column"):
        scan(tmp_path, path, settings={"columns": {"acount_id": "user"}})


_values = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8),
    st.lists(st.integers(), max_size=2), st.sampled_from(["event-1", "2025-10-09T10:00:00+02:00", logs.START * 1000]),
)  # fmt: skip
_names = st.sampled_from(["event_id", "time", "account_id", "model", "temperature", "seed", "messages", "system"])
_rows = st.lists(st.dictionaries(_names, _values, max_size=4), min_size=1, max_size=30)


def _surviving(value: Any) -> Any:
    return value if not isinstance(value, str) else value.encode("utf-8", "replace").decode()


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("name", CONTAINERS)
def test_rows_in_are_kept_or_rejected(tmp_path: Path, name: str, data: st.DataObject) -> None:
    changes = data.draw(_rows)
    rows = [event(i) | {k: _surviving(v) for k, v in change.items()} for i, change in enumerate(changes)]
    if name == "log.parquet":  # a column has one type there
        rows = [{k: v if v is None else str(v) for k, v in row.items()} for row in rows]
    raw = CONTAINERS[name](rows)
    for _ in range(data.draw(st.integers(0, 3))):  # damage bytes, or cut
        place = data.draw(st.integers(0, len(raw) - 1))
        raw = raw[:place] + data.draw(st.binary(max_size=6)) + raw[place + data.draw(st.integers(0, 6)) :]
    raw = raw[: data.draw(st.integers(1, len(raw)))] if data.draw(st.booleans()) else raw
    put(tmp_path, f"log/{name}", raw)
    put(tmp_path, "log/good.jsonl", logs.lines([event(10_000)]))
    with suppress(InputError):  # the damage may hit the header or every key
        report, _ = scan(tmp_path, tmp_path / "log")  # checks the sum
        assert report.counts["kept"] >= 1
