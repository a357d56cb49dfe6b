"""OTLP over HTTP: what the real SDK exports is what its log would have given."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from stillwatch.ingest.parcels import Parcel
from stillwatch.service import otlp
from stillwatch.service.reading import Body, read
from stillwatch.settings import IngestSettings
from tests.service.serving import Service, reading

PROTOBUF = "application/x-protobuf"


def spans(count: int, account: str | None = "someone") -> list[ReadableSpan]:
    """A server span with the caller, and below it a request to a model."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "gateway"}))
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("test")
    for number in range(count):
        who = {"user.id": account} if account else {}
        server: dict[str, Any] = {**who, "client.address": "192.0.2.9", "user_agent.original": "sdk/9"}
        messages = [{"role": "user", "parts": [{"type": "text", "content": f"What is {number}?"}]}]
        with (
            tracer.start_as_current_span("POST /chat", kind=SpanKind.SERVER, attributes=server),
            tracer.start_as_current_span("chat m") as span,
        ):
            span.set_attributes(
                {
                    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m",
                    "gen_ai.usage.input_tokens": number, "gen_ai.request.temperature": 0.5,
                    "gen_ai.input.messages": json.dumps(messages), "gen_ai.response.finish_reasons": ["stop"],
                }
            )  # fmt: skip
    return list(kept.get_finished_spans())


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_the_exporter_of_the_sdk_is_understood(service: Service, compression: Compression) -> None:
    before = service.status()["received_events"]
    exporter = OTLPSpanExporter(f"{service.url}/v1/traces", compression=compression)
    assert exporter.export(spans(30)) is SpanExportResult.SUCCESS
    service.until(received_events=before + 30)


def test_protobuf_and_json_say_the_same() -> None:
    request = encode_spans(spans(5))
    packed = request.SerializeToString()
    mine = otlp.read(packed, PROTOBUF)
    text = orjson.dumps(mine)
    a = Parcel.unpack(read(Body("traces", PROTOBUF, "", packed), reading()).parcel or b"")
    b = Parcel.unpack(read(Body("traces", "application/json", "", text), reading()).parcel or b"")
    assert a.sketches.equals(b.sketches)
    (first, *_) = a.sketches.to_pylist()
    span = spans(1)[0]
    assert len(first["event_id"]) == len(f"{span.context.trace_id:032x}-{span.context.span_id:016x}")  # type: ignore[union-attr]
    # who called stands on the parent
    assert (first["account_id"], first["user_agent"], first["address"]) == ("someone", "sdk/9", "192.0.2.9")
    assert (first["temperature"], first["finish_reason"], first["skeleton"] is not None) == (0.5, "stop", True)


@pytest.mark.parametrize("kind", [PROTOBUF, "application/json"])
def test_success_is_partial_where_spans_are_nobodys(service: Service, kind: str) -> None:
    request = encode_spans([*spans(3), *spans(2, account=None)])
    data = (
        request.SerializeToString()
        if kind == PROTOBUF
        else orjson.dumps(otlp.read(request.SerializeToString(), PROTOBUF))
    )
    answer = httpx.post(f"{service.url}/v1/traces", content=data, headers={"content-type": kind}, timeout=60)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    if kind == PROTOBUF:
        told = ExportTraceServiceResponse.FromString(answer.content).partial_success
        assert (told.rejected_spans, told.error_message) == (2, "no account_id: 2")
    else:
        assert answer.json() == {"partialSuccess": {"rejectedSpans": "2", "errorMessage": "no account_id: 2"}}


def test_a_parent_in_another_export_is_not_found(service: Service) -> None:
    """Whichever of the two comes first; a span that says itself who called is taken, and what it misses is counted."""
    pair = spans(1)
    child, parent = sorted(pair, key=lambda span: span.parent is None)
    for order in ((child, parent), (parent, child)):
        for span in order:
            data = encode_spans([span]).SerializeToString()
            answer = httpx.post(
                f"{service.url}/v1/traces", content=data, headers={"content-type": PROTOBUF}, timeout=60
            )
            told = ExportTraceServiceResponse.FromString(answer.content).partial_success
            assert answer.status_code == 200
            assert (told.rejected_spans, told.error_message) == ((1, "no account_id: 1") if span is child else (0, ""))
    how = reading()
    own = IngestSettings(attributes={"account_id": "gen_ai.request.model"})
    found = read(Body("traces", PROTOBUF, "", encode_spans([child]).SerializeToString()), replace(how, settings=own))
    parcel = Parcel.unpack(found.parcel or b"")
    (row,) = parcel.sketches.to_pylist()
    assert (row["account_id"], row["user_agent"], row["address"]) == ("m", None, None)
    assert parcel.counts["late_parents"] == 1


def test_what_is_no_export_is_refused(service: Service) -> None:
    for data, kind, status in (
        (b"\xff\xff\xff", PROTOBUF, 400), (b"[]", "application/json", 400), (b"{", "application/json", 400),
        (b'{"resourceSpans": 7}', "application/json", 400), (b"", "text/plain", 415),
    ):  # fmt: skip
        answer = httpx.post(f"{service.url}/v1/traces", content=data, headers={"content-type": kind}, timeout=60)
        assert answer.status_code == status, data
    empty = httpx.post(f"{service.url}/v1/traces", content=b"", headers={"content-type": PROTOBUF}, timeout=60)
    assert (empty.status_code, empty.content) == (200, b"")
