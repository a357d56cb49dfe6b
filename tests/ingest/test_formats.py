"""Formats against logs of their real producers (tests/golden/ingest/README.md), and what those logs do not show."""

from __future__ import annotations

import gzip
import importlib.util
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.ingest import formats, work
from stillwatch.ingest.canonical import canonical
from stillwatch.ingest.formats import litellm, messages, otel
from stillwatch.ingest.readers import read
from stillwatch.ingest.sources import Source, open_source
from stillwatch.settings import IngestSettings
from tests.ingest import logs
from tests.ingest.logs import GOLDEN, put, rejected, scan

NOW = int(datetime(2027, 1, 1).timestamp() * 1e6)
GOLDEN_LOGS = {
    "otel.jsonl": "otel", "litellm.jsonl": "litellm", "litellm_spend.csv": "litellm", "bedrock.jsonl": "bedrock",
}  # fmt: skip


def source(path: Path) -> Source:
    return open_source(0, path, path.parent, "auto")


def rows(path: Path, **settings: Any) -> list[dict[str, Any]]:
    """Canonical rows of a log without their nulls, JSON decoded."""
    chosen, out = IngestSettings(**settings), []
    for chunk in read(source(path), chosen):
        raw = work.raw_rows(chunk, chosen)
        unit = "us" if chunk.source.format == "otel" else "auto"
        found = canonical(raw.columns, raw.rows, unit=unit, now=NOW, future_hours=24)
        assert not found.rejects
        assert not raw.rejects
        for row, values in zip(found.rows.tolist(), found.events.to_pylist(), strict=True):
            event = {name: value for name, value in values.items() if value is not None}
            event["time"] = event["time"].isoformat()
            for name in {"messages", "response", "tools"} & event.keys():
                event[name] = json.loads(event[name])
            out.append({"row": row, **event})
    return out


@pytest.mark.parametrize("name", GOLDEN_LOGS)
def test_golden(name: str) -> None:
    path = GOLDEN / name
    assert source(path).format == GOLDEN_LOGS[name]
    assert rows(path) == json.loads((GOLDEN / f"{path.stem}.expected.json").read_text())


@pytest.mark.parametrize("name", GOLDEN_LOGS)
def test_golden_logs_scan(tmp_path: Path, name: str) -> None:
    report, _ = scan(tmp_path, GOLDEN / name)
    assert report.counts["rejected"] == 0
    assert report.counts["kept"] == len(json.loads((GOLDEN / f"{Path(name).stem}.expected.json").read_text()))


@pytest.mark.parametrize("name", ["litellm.jsonl", "bedrock.jsonl", "otel.jsonl"])
def test_the_same_log_in_other_containers(tmp_path: Path, name: str) -> None:
    data = (GOLDEN / name).read_bytes()
    want = [{**row, "row": None} for row in rows(GOLDEN / name)]
    array = json.dumps([json.loads(line) for line in data.splitlines()], indent=2).encode()
    for other, content in {"log.jsonl.gz": gzip.compress(data), "log.json": array, "noending": data}.items():
        assert [{**row, "row": None} for row in rows(put(tmp_path, other, content))] == want


def test_a_lone_payload_laid_out_over_lines(tmp_path: Path) -> None:
    payload = json.loads((GOLDEN / "litellm.jsonl").read_text().splitlines()[0])
    path = put(tmp_path, "time-10-00-00_id.json", json.dumps(payload, indent=4).encode())
    assert rows(path) == rows(GOLDEN / "litellm.jsonl")[:1]


def test_opentelemetry_live(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.common")
    spec = importlib.util.spec_from_file_location("otel_spans", GOLDEN / "otel_spans.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.write(tmp_path / "live.jsonl")
    changing = {"event_id", "time", "duration_ms"}

    def steady(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{k: v for k, v in row.items() if k not in changing} for row in found]

    assert steady(rows(tmp_path / "live.jsonl")) == steady(rows(GOLDEN / "otel.jsonl"))


def test_opentelemetry_attributes_of_the_operator(tmp_path: Path) -> None:
    found = rows(GOLDEN / "otel.jsonl", attributes={"account_id": "tenant.id", "org_id": "service.name"})
    # users on the spans stand back behind the attribute that was asked for
    assert [row["account_id"] for row in found] == ["tenant-7"] * 3
    assert {row["org_id"] for row in found} == {"made-up-gateway"}


def span(number: int, parent: int | None = None, **attributes: str) -> dict[str, Any]:
    return {
        "traceId": "0" * 32, "spanId": f"{number:016x}", "parentSpanId": f"{parent:016x}" if parent else "",
        "startTimeUnixNano": str(logs.START * 10**9 + number), "endTimeUnixNano": logs.START * 10**9 + number + 5,
        "attributes": [{"key": k.replace("__", "."), "value": {"stringValue": v}} for k, v in attributes.items()],
    }  # fmt: skip


def request(*spans: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": list(spans)}]}]}


CHAT = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "m"}


def test_parents_may_come_before_or_after_but_not_too_late() -> None:
    server = {"user__id": "somebody"}
    early = [request(span(1, **server)), request(span(2, 1, **CHAT))]
    late = [request(span(2, 1, **CHAT)), request(span(3, 1, **CHAT)), request(span(1, **server))]
    for sent, wait, want in ((early, 10, ["somebody"]), (late, 10, ["somebody"] * 2), (late, 1, [None, "somebody"])):
        joiner = otel.Joiner(IngestSettings(), wait=wait)
        found = []
        for row, line in enumerate(sent, 1):
            joiner.add(row, line, 100)
            found += joiner.ready()
        found += joiner.ready(end=True)
        assert [raw.get("account_id") for _, raw in found] == want
        assert joiner.late == want.count(None)


def test_spans_that_are_no_requests_are_counted_apart(tmp_path: Path) -> None:
    tool = span(4, 1, gen_ai__operation__name="execute_tool")
    data = logs.lines([request(span(1, user__id="u"), span(2, 1, **CHAT), tool), {"resourceLogs": []}, "text"])
    report, run = scan(tmp_path, put(tmp_path, "spans.jsonl", data + b"{broken\n"))
    assert report.counts["skipped_spans"] == 2
    assert report.counts["kept"] == 1
    assert rejected(run) == [(3, "not a JSON object"), (4, "not JSON")]


def test_opentelemetry_without_an_account_is_rejected(tmp_path: Path) -> None:
    data = logs.lines([request(span(1, **CHAT)), request(span(2, **CHAT, enduser__id="u"))])
    _, run = scan(tmp_path, put(tmp_path, "spans.jsonl", data))
    assert rejected(run) == [(1, "no account_id")]


def test_opentelemetry_of_hostile_shape(tmp_path: Path) -> None:
    odd: list[Any] = [
        {"resourceSpans": 3}, {"resourceSpans": [None, {"scopeSpans": [7, {"spans": ["x", {}]}]}]},
        request({"attributes": [None, {"key": None}, {"key": "gen_ai.request.model", "value": {"intValue": "x"}}]}),
        request({**span(1, **CHAT), "startTimeUnixNano": "soon", "events": [3, {"name": None}], "status": 4}),
    ]  # fmt: skip
    report, run = scan(
        tmp_path, put(tmp_path, "spans.jsonl", logs.lines([*odd, request(span(2, **CHAT, user__id="u"))]))
    )
    assert report.counts["kept"] == 1
    assert [reason for _, reason in rejected(run)] == ["no event_id", "time not understood"]


def test_litellm_failures_and_refusals() -> None:
    spend = {
        "request_id": "r1", "call_type": "acompletion", "startTime": "2026-11-02 10:00:00.5", "api_key": "hash",
        "status": "failure",
        "metadata": json.dumps({"error_information": {"error_class": "ContentPolicyViolationError"}}),
        "messages": "{}", "response": "{}",
    }  # fmt: skip
    found = litellm.row(spend, IngestSettings())
    assert (found["event_id"], found["account_id"], found["status"]) == ("r1", "hash", "refused")
    assert found["messages"] is None
    assert litellm.row({**spend, "metadata": "{}"}, IngestSettings())["status"] == "error"


def test_litellm_content_that_was_left_out_is_no_content() -> None:
    payload = json.loads((GOLDEN / "litellm.jsonl").read_text().splitlines()[0])
    payload["messages"] = [{"role": "user", "content": "redacted-by-litellm"}]
    payload["response"] = {"text": "redacted-by-litellm"}
    found = litellm.row(payload, IngestSettings())
    assert found["messages"] is None
    assert found["response"] is None


def test_columns_can_be_taken_from_elsewhere() -> None:
    found = rows(GOLDEN / "bedrock.jsonl", columns={"account_id": "accountId"})
    assert {row["account_id"] for row in found} == {"111122223333"}
    tenant = rows_or_none(GOLDEN / "bedrock.jsonl", "requestMetadata.tenant")
    assert tenant[5] == "tenant-7"


def rows_or_none(path: Path, where: str) -> list[Any]:
    settings = IngestSettings(columns={"account_id": where})
    return [
        formats.READERS["bedrock"](json.loads(line), settings)["account_id"] for line in path.read_text().splitlines()
    ]


@pytest.mark.parametrize(
    ("text", "container", "want"),
    [
        (b'{"event_id": "e", "time": 1}', "lines", "table"),
        (b'{"schemaType": "ModelInvocationLog", "modelId": "m"}', "lines", "bedrock"),
        (b'{"message": "{\\"requestId\\": \\"r\\", \\"modelId\\": \\"m\\"}"}', "lines", "bedrock"),
        (b'{"resource_spans": []}', "lines", "otel"),
        (b'[\n {"resourceSpans": [', "array", "otel"),
        (b'[\n {"request_id": "r", "call_type": "c", "startTime": "t", "api_key": "k"', "array", "litellm"),
        (b'"request_id";"call_type";"api_key";"startTime"\n', "csv", "litellm"),
        (b"event_id,time\n", "csv", "table"),
        (b"", "lines", "table"),
        (b"\xff\xfe\x00garbage", "lines", "table"),
    ],
)
def test_detect(text: bytes, container: str, want: str) -> None:
    assert formats.detect(Path("log"), container, text) == want


def test_messages_of_each_api_become_one_form() -> None:
    def text(words: str) -> list[dict[str, Any]]:
        return [{"role": "user", "parts": [{"type": "text", "content": words}]}]

    for given in (
        "hi", {"messages": ["hi"]}, [{"role": "user", "content": "hi"}],
        [{"content": [{"type": "text", "text": "hi"}]}],
        [{"role": "user", "content": [{"text": "hi"}]}], text("hi"), json.dumps(text("hi")),
        [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
    ):  # fmt: skip
        assert messages.conversation(given).turns == text("hi")
    for nothing in (None, "", [], {}, [None, 3, {"role": "user", "content": None}], 7, [[]]):
        assert messages.conversation(nothing).turns == []


def test_otlp_values() -> None:
    assert otel.value({"intValue": "12"}) == 12
    assert otel.value({"intValue": 12}) == 12
    assert otel.value({"arrayValue": {"values": [{"stringValue": "a"}, {"boolValue": True}]}}) == ["a", True]
    assert otel.value({"kvlistValue": {"values": [{"key": "k", "value": {"doubleValue": 0.5}}]}}) == {"k": 0.5}
    assert otel.value({}) is None
    assert np.isscalar(otel.value({"intValue": "9" * 40}))
