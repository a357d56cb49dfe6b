"""GenAI spans from the real OpenTelemetry SDK, as the collector's file exporter writes them (OTLP/JSON lines).

    python otel_spans.py     # writes otel.jsonl; the tests also run it live

Needs opentelemetry-sdk and opentelemetry-exporter-otlp-proto-common. The exporter's own encoder makes the protobuf
message; its JSON has ids in base64 where OTLP/JSON has hex, so those are put right, as the collector does.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path

from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode

HERE = Path(__file__).parent


class FileExporter(SpanExporter):
    """One ExportTraceServiceRequest a line."""

    def __init__(self, path: Path) -> None:
        self.out = path.open("w", encoding="utf-8")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        request = MessageToDict(encode_spans(spans), use_integers_for_enums=True)
        for group in request["resourceSpans"]:
            for scope in group["scopeSpans"]:
                for span in scope["spans"]:
                    for name in {"traceId", "spanId", "parentSpanId"} & span.keys():
                        span[name] = base64.b64decode(span[name]).hex()
        self.out.write(json.dumps(request, ensure_ascii=False) + "\n")
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.out.close()


def parts(role: str, text: str) -> dict[str, object]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def write(path: Path) -> None:
    """Write seven spans of two services' worth of instrumentations: new names, deprecated ones, span events."""
    provider = TracerProvider(resource=Resource({"service.name": "made-up-gateway", "tenant.id": "tenant-7"}))
    exporter = FileExporter(path)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("made-up.instrumentation", "1.0")
    server = {"user.id": "user-alpha", "client.address": "192.0.2.17", "user_agent.original": "made-up-sdk/1.2"}
    with tracer.start_as_current_span("POST /v1/chat", kind=SpanKind.SERVER, attributes=server):
        with (
            tracer.start_as_current_span("invoke_agent helper", attributes={"gen_ai.operation.name": "invoke_agent"}),
            tracer.start_as_current_span("chat small-model", kind=SpanKind.CLIENT) as span,
        ):
            current(span)
        with tracer.start_as_current_span("SELECT", attributes={"db.system": "postgresql"}):
            pass
    with tracer.start_as_current_span("chat old-model", kind=SpanKind.CLIENT) as span:
        deprecated(span)
    with tracer.start_as_current_span("chat event-model", kind=SpanKind.CLIENT) as span:
        events(span)
    provider.shutdown()


def current(span: Span) -> None:
    """Attributes of the conventions as they are now."""
    span.set_attributes({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "small-model",
        "gen_ai.conversation.id": "conversation-1", "gen_ai.request.temperature": 0.3, "gen_ai.request.top_p": 0.95,
        "gen_ai.request.max_tokens": 256, "gen_ai.request.choice.count": 2, "gen_ai.request.seed": 11,
        "gen_ai.usage.input_tokens": 21, "gen_ai.usage.output_tokens": 34,
        "gen_ai.usage.reasoning.output_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 8,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "You are brief."}]),
        "gen_ai.input.messages": json.dumps([parts("user", "Wie heißt der höchste Berg?")]),
        "gen_ai.output.messages": json.dumps([{**parts("assistant", "A made-up answer."), "finish_reason": "stop"}]),
        "gen_ai.tool.definitions": json.dumps([{"type": "function", "name": "lookup", "parameters": {}}]),
    })  # fmt: skip


def deprecated(span: Span) -> None:
    """Attributes of older versions, and a call that failed."""
    span.set_attributes({
        "gen_ai.system": "anthropic", "gen_ai.request.model": "old-model", "enduser.id": "user-beta",
        "gen_ai.usage.prompt_tokens": 9, "gen_ai.usage.completion_tokens": 0,
        "gen_ai.prompt.0.role": "system", "gen_ai.prompt.0.content": "You translate.",
        "gen_ai.prompt.1.role": "user", "gen_ai.prompt.1.content": "Good morning <script>alert(1)</script>",
    })  # fmt: skip
    span.set_status(Status(StatusCode.ERROR, "made-up failure"))


def events(span: Span) -> None:
    """Content as span events."""
    span.set_attributes({
        "gen_ai.operation.name": "chat", "gen_ai.system": "aws.bedrock", "gen_ai.request.model": "event-model",
        "enduser.id": "user-gamma", "gen_ai.response.finish_reasons": ["content_filter"],
    })  # fmt: skip
    span.add_event("gen_ai.system.message", {"content": "You are careful."})
    span.add_event("gen_ai.user.message", {"content": "A question that is refused."})
    span.add_event("gen_ai.choice", {"index": 0, "finish_reason": "content_filter", "message": '{"content": "No."}'})


if __name__ == "__main__":
    write(HERE / "otel.jsonl")
