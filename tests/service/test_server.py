"""The HTTP surface, over a real socket: what is taken, what is refused, and that a rude client harms nobody."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import orjson
import psutil
import pyarrow as pa
import pytest

from stillwatch.model import EVENTS
from tests.service.serving import LINES, Service, event, lines, serving, zipped

ARROW = "application/vnd.apache.arrow.stream"
NUMBERS = iter(range(10**6, 10**9, 1000))
"""Ids that no other test has used."""


def some(count: int) -> list[dict[str, Any]]:
    start = next(NUMBERS)
    return [event(start + number) for number in range(count)]


def arrow(rows: list[dict[str, Any]], names: list[str] | None = None) -> bytes:
    sink = io.BytesIO()
    table = pa.Table.from_pylist([{name: row.get(name) for name in (names or EVENTS.names)} for row in rows])
    with pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table)
    return sink.getvalue()


@pytest.mark.parametrize("kind", ["lines", "array", "object", "gzip", "arrow"])
def test_events_are_taken_in_every_shape(service: Service, kind: str) -> None:
    rows = some(1 if kind == "object" else 50)
    data, headers = {
        "lines": (lines(rows), {"content-type": LINES + "; charset=utf-8"}),
        "array": (orjson.dumps(rows), {"content-type": "application/json"}),
        "object": (orjson.dumps(rows[0]), {"content-type": "application/json"}),
        "gzip": (zipped(lines(rows)), {"content-type": LINES, "content-encoding": "gzip"}),
        "arrow": (arrow(rows), {"content-type": ARROW}),
    }[kind]
    before = service.status()["received_events"]
    answer = service.client.post("/v1/events", content=data, headers=headers)
    assert answer.status_code == 200
    assert answer.json() == {"accepted": len(rows), "rejected": 0, "reasons": {}, "rows": []}
    service.until(received_events=before + len(rows))


def test_a_tenth_broken_is_a_tenth_refused_and_named(service: Service) -> None:
    rows: list[Any] = some(100)
    broken = list(range(3, 100, 10))
    for place in broken:
        rows[place] = [{"event_id": "only"}, {**rows[place], "account_id": None}, "text"][place % 3]
    told = service.send(rows).json()
    assert (told["accepted"], told["rejected"]) == (90, 10)
    assert [one["row"] for one in told["rows"]] == [place + 1 for place in broken]
    assert sum(told["reasons"].values()) == 10
    assert set(told["reasons"]) == {"no time", "no account_id", "not a JSON object"}


def test_a_skewed_clock_is_refused_by_the_row(service: Service) -> None:
    rows = some(3)
    rows[0]["time"] = time.time() + 3 * 86_400
    rows[1]["time"] = 1.0
    told = service.send(rows).json()
    assert (told["accepted"], told["reasons"]) == (1, {"time in the future": 1, "time out of range": 1})


def test_records_of_a_gateway_are_read_as_in_its_log(service: Service) -> None:
    record = {
        "id": "x", "litellm_call_id": f"call-{next(NUMBERS)}", "call_type": "acompletion", "model": "m",
        "startTime": 1_760_000_000.0, "endTime": 1_760_000_001.0, "messages": [{"role": "user", "content": "hello"}],
        "response": "hi",
        "metadata": {"user_api_key_user_id": "someone", "user_api_key_hash": "h"}, "status": "success",
        "model_group": "m", "custom_llm_provider": "openai", "model_parameters": {},
    }  # fmt: skip
    told = service.send([record], params={"format": "litellm"}).json()
    assert (told["accepted"], told["rejected"]) == (1, 0)


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        (b"{broken", {"content-type": LINES}, 400),
        (b'{"event_id": "1"}\n', {"content-type": LINES}, 400),
        (b"not gzip", {"content-type": LINES, "content-encoding": "gzip"}, 400),
        (zipped(bytes(32 << 20)), {"content-type": LINES, "content-encoding": "gzip"}, 413),
        (bytes(3 << 20), {"content-type": LINES}, 413),
        (b"x", {"content-type": "text/html"}, 415),
        (b"x", {"content-type": LINES, "content-encoding": "br"}, 415),
        (b"no stream", {"content-type": ARROW}, 400),
        (arrow([event(1)])[:-40], {"content-type": ARROW}, 400),
        (b"x\n" * 501, {"content-type": LINES}, 400),
    ],
)
def test_what_cannot_be_used_is_refused_whole(
    service: Service, data: bytes, headers: dict[str, str], status: int
) -> None:
    before = service.status()["received_events"]
    answer = service.client.post("/v1/events", content=data, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.json()
    assert "Traceback" not in answer.text
    assert service.status()["received_events"] == before


def test_an_arrow_stream_that_lies_about_its_offsets_is_refused(service: Service) -> None:
    """An offset in the middle that points outside would read foreign memory; only a full check sees it."""
    offsets = pa.array([0, 2_000_000_000, 5], pa.int32()).buffers()[1]
    evil = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"hello")])
    columns = {"event_id": evil, "account_id": evil, "model": evil, "time": pa.array([1_760_000_000] * 2)}
    sink = io.BytesIO()
    batch = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    with pa.ipc.new_stream(sink, batch.schema) as out:
        out.write_batch(batch)
    answer = service.client.post("/v1/events", content=sink.getvalue(), headers={"content-type": ARROW})
    assert answer.status_code == 400
    assert service.send(some(1)).status_code == 200


def test_a_dictionary_that_unfolds_to_terabytes_is_refused(service: Service) -> None:
    long = pa.array(["x" * 1_500_000])
    codes = pa.array([0] * 100_000, pa.int8())
    column = pa.DictionaryArray.from_arrays(codes, long)
    columns = dict.fromkeys(("event_id", "account_id", "model"), column)
    batch = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, batch.schema, options=options) as out:
        out.write_batch(batch)
    assert len(sink.getvalue()) < 1 << 20
    answer = service.client.post("/v1/events", content=sink.getvalue(), headers={"content-type": ARROW})
    assert answer.status_code in (400, 413)
    assert service.send(some(1)).status_code == 200


def raw(service: Service, data: bytes) -> socket.socket:
    place = urlsplit(service.url)
    made = socket.create_connection((place.hostname, place.port), timeout=20)
    made.sendall(data)
    return made


def test_a_body_that_never_ends_is_hung_up_on(service: Service) -> None:
    head = f"POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: {LINES}\r\ncontent-length: 999\r\n\r\n"
    with raw(service, head.encode() + b"{") as slow:
        began = time.monotonic()
        assert slow.recv(4096).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - began < 15


def test_a_client_that_never_reads_holds_nothing_up(service: Service) -> None:
    asked = orjson.dumps({"accounts": [f"account-{n}" for n in range(20_000)]})
    head = f"POST /v1/decisions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(asked)}\r\n\r\n".encode()
    deaf = [raw(service, head + asked) for _ in range(20)]
    try:
        for _ in range(20):
            assert service.client.get("/v1/decisions/account-1").status_code == 200
        assert service.send(some(5)).status_code == 200
    finally:
        for one in deaf:
            one.close()
    assert service.client.get("/healthz").json() == {"ok": True}


@pytest.mark.parametrize("requests", [1, 2])
def test_a_client_that_never_reads_is_hung_up_on_and_a_slow_one_is_not(tmp_path: Path, requests: int) -> None:
    """Its connection is gone with all that waited for it, also where the next request came before the answer."""
    asked = orjson.dumps({"accounts": [f"account-{n}" for n in range(20_000)]})
    head = f"POST /v1/decisions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(asked)}\r\n\r\n".encode()
    with serving(tmp_path, limits="look_seconds = 3600.0\nbulk = 20000\nsend_seconds = 3.0\n") as service:
        place = urlsplit(service.url)
        deaf, slow = (socket.socket() for _ in range(2))
        for one, times, size in ((deaf, requests, 65_536), (slow, 20, 1 << 20)):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
            one.connect((place.hostname, place.port))
            one.sendall((head + asked) * times)
        taken, until = 0, time.monotonic() + 60
        while held(service, deaf) and time.monotonic() < until:
            taken += len(slow.recv(400_000))
            time.sleep(0.2)
        assert not held(service, deaf)
        assert held(service, slow)
        assert taken > 0
        said = [line["what"] for line in service.said()]
        assert said.count("a client did not read its answer") == 1
        slow.close()
        deaf.close()


def held(service: Service, by: socket.socket) -> bool:
    """Whether the service holds its end of a connection."""
    ends = urlsplit(service.url).port, by.getsockname()[1]
    every = psutil.net_connections("tcp")
    return any(c.raddr and (c.laddr.port, c.raddr.port) == ends and c.status == "ESTABLISHED" for c in every)


def test_decisions_of_strangers_allow(service: Service) -> None:
    one = service.client.get("/v1/decisions/some%20one/with/slashes").json()
    assert (one["account"], one["action"], one["would"], one["by"]) == (
        "some one/with/slashes",
        "allow",
        "allow",
        "default",
    )
    assert one["mode"] == "shadow"
    odd = "a\nb\x00%2F..//ü"
    assert service.client.get(f"/v1/decisions/{quote(odd, safe='')}").json()["account"] == odd
    many = service.client.post("/v1/decisions", json={"accounts": ["a", "b", "a"]}).json()["decisions"]
    assert [row["account"] for row in many] == ["a", "b", "a"]
    for wrong in ({}, {"accounts": "a"}, {"accounts": [1]}, [], "x"):
        assert service.client.post("/v1/decisions", json=wrong).status_code == 400
    assert service.client.post("/v1/decisions", json={"accounts": ["a"] * 20_001}).status_code == 413


def test_a_long_poll_waits_and_ends(service: Service) -> None:
    now = service.client.get("/v1/decisions").json()
    assert now["whole"] is True
    began = time.monotonic()
    later = service.client.get("/v1/decisions", params={"after": now["number"], "wait": 1}).json()
    assert 0.9 < time.monotonic() - began < 15
    assert later == {"number": now["number"], "whole": False, "decisions": []}
    ahead = service.client.get("/v1/decisions", params={"after": now["number"] + 5}).json()
    assert ahead["whole"] is True
    for wrong in ("x", "-1", "1e3", "9" * 30):
        assert service.client.get("/v1/decisions", params={"after": wrong}).status_code == 400


def test_a_long_poll_about_named_accounts_waits_and_ends(service: Service) -> None:
    now = service.client.post("/v1/decisions", json={"accounts": ["a"]}).json()
    assert "whole" not in now
    asked = {"accounts": ["a", "b"], "after": now["number"], "wait": 1}
    began = time.monotonic()
    later = service.client.post("/v1/decisions", json=asked).json()
    assert time.monotonic() - began > 0.9
    assert later == {"number": now["number"], "whole": False, "decisions": []}
    old = service.client.post("/v1/decisions", json={**asked, "after": 1}).json()
    assert (old["whole"], [row["account"] for row in old["decisions"]]) == (True, ["a", "b"])
    for wrong in ({"after": "x"}, {"after": -1}, {"wait": 1.5}, {"wait": True}, {"after": None}):
        assert service.client.post("/v1/decisions", json={**asked, **wrong}).status_code == 400


def test_figures_and_health_are_there(service: Service) -> None:
    service.client.get("/v1/decisions/a-secret-account")
    service.send([{"event_id": "half"}])
    text = service.client.get("/metrics").text
    assert 'stillwatch_request_seconds_count{route="/v1/decisions/{account:anything}",status="200"}' in text
    assert 'stillwatch_events_total{kind="events",outcome="kept"}' in text
    assert "a-secret-account" not in text
    assert service.client.get("/healthz").json() == {"ok": True}
    assert set(service.status()) >= {"version", "mode", "run", "age_seconds", "received_events"}
    document = service.client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert service.client.get("/nowhere").status_code == 404
    assert service.client.put("/v1/events").status_code == 405


def test_the_log_is_lines_of_json_without_text_or_ids(service: Service) -> None:
    secret = "Kilimanjaro-9931"
    rows = [event(next(NUMBERS), account_id=secret, messages=secret), {"event_id": secret}]
    service.send(rows)
    service.client.get(f"/v1/decisions/{secret}")
    service.client.post("/v1/events", content=secret.encode(), headers={"content-type": ARROW})
    text = service.log.read_text(encoding="utf-8")
    assert secret not in text
    for line in text.splitlines():
        assert {"at", "level", "what"} <= set(json.loads(line))


def test_what_is_no_http_is_a_line_of_the_log_too(service: Service) -> None:
    start, secret = service.log.stat().st_size, b"Kilimanjaro-9932"
    with socket.create_connection(("127.0.0.1", int(service.url.rpartition(":")[2])), timeout=10) as line:
        line.sendall(secret + b"\r\n\r\n")
        assert line.recv(1 << 16).startswith(b"HTTP/1.1 400")
    written = service.log.read_bytes()[start:]
    assert secret not in written
    warned = [json.loads(one) for one in written.splitlines()]
    assert {one["library"] for one in warned if one["what"] == "a library warns"} == {"uvicorn.error"}
    assert any("Invalid HTTP request" in one.get("said", "") for one in warned)


def test_to_be_told_to_stop_is_worth_no_other_words(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        assert service.stop() == 0
        assert len(service.said()) == len(service.log.read_text(encoding="utf-8").splitlines())


def test_without_keys_only_names_of_this_machine_are_answered(service: Service) -> None:
    port = urlsplit(service.url).port
    for name in ("rebound.example", "localhost.example", f"rebound.example:{port}"):
        for _ in range(2):
            assert service.client.get("/v1/status", headers={"host": name}).status_code == 403, name
    for name in ("localhost", f"LOCALHOST:{port}", "127.0.0.1:1", "[::1]"):
        assert service.client.get("/v1/status", headers={"host": name}).status_code == 200, name
    assert httpx.get(f"http://localhost:{port}/v1/status", timeout=30).status_code == 200


def test_many_senders_at_once(service: Service) -> None:
    before = service.status()["received_events"]
    answers: list[int] = []

    def send() -> None:
        for _ in range(5):
            answers.append(service.send(some(40)).json()["accepted"])

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [40] * 30
    service.until(received_events=before + 1200)
