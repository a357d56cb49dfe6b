"""OTLP over HTTP (opentelemetry.io/docs/specs/otlp): protobuf as the plain values of OTLP/JSON, and the answers.

Ids are bytes in protobuf and hexadecimal in OTLP/JSON; protobuf's own JSON writer would make them base64, so what is
needed is read by hand.
"""

from __future__ import annotations

from typing import Any

import orjson

from stillwatch.service.problems import ProblemError

PROTOBUF, JSON = "application/x-protobuf", "application/json"


def read(body: bytes, content_type: str) -> dict[str, Any]:
    """An ExportTraceServiceRequest as OTLP/JSON has it; ProblemError if it is none."""
    if content_type == PROTOBUF:
        return _of_protobuf(body)
    if content_type == JSON:
        try:
            found = orjson.loads(body)
        except ValueError as error:
            raise ProblemError(400, "the body is not JSON") from error
        if not isinstance(found, dict) or not isinstance(found.get("resourceSpans", []), list):
            raise ProblemError(400, "the body is no ExportTraceServiceRequest")
        return found
    raise ProblemError(415, f"content types are {PROTOBUF} and {JSON}")


def _of_protobuf(body: bytes) -> dict[str, Any]:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise ProblemError(400, "the body is no ExportTraceServiceRequest in protobuf") from error
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _pairs(group.resource.attributes)},
                "scopeSpans": [{"spans": [_span(span) for span in scope.spans]} for scope in group.scope_spans],
            }
            for group in request.resource_spans
        ]
    }


def _span(span: Any) -> dict[str, Any]:
    return {
        "traceId": span.trace_id.hex(), "spanId": span.span_id.hex(), "parentSpanId": span.parent_span_id.hex(),
        "startTimeUnixNano": span.start_time_unix_nano, "endTimeUnixNano": span.end_time_unix_nano,
        "attributes": _pairs(span.attributes), "status": {"code": span.status.code},
        "events": [{"name": event.name, "attributes": _pairs(event.attributes)} for event in span.events],
    }  # fmt: skip


def _pairs(attributes: Any) -> list[dict[str, Any]]:
    return [{"key": pair.key, "value": _value(pair.value)} for pair in attributes]


_KINDS = {
    "string_value": "stringValue", "bool_value": "boolValue", "int_value": "intValue", "double_value": "doubleValue",
    "bytes_value": "bytesValue", "array_value": "arrayValue", "kvlist_value": "kvlistValue",
}  # fmt: skip


def _value(value: Any) -> dict[str, Any]:
    kind = value.WhichOneof("value")
    if kind is None or kind not in _KINDS:
        return {}
    inner = getattr(value, kind)
    if kind == "array_value":
        inner = {"values": [_value(item) for item in inner.values]}
    elif kind == "kvlist_value":
        inner = {"values": _pairs(inner.values)}
    elif kind == "bytes_value":
        inner = inner.hex()
    return {_KINDS[kind]: inner}


def answer(content_type: str, rejected: int, message: str) -> bytes:
    """An ExportTraceServiceResponse; empty if nothing was rejected."""
    if content_type == JSON:
        partial = {"rejectedSpans": str(rejected), "errorMessage": message}
        return orjson.dumps({"partialSuccess": partial} if rejected else {})
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    response = ExportTraceServiceResponse()
    if rejected:
        response.partial_success.rejected_spans = rejected
        response.partial_success.error_message = message
    return bytes(response.SerializeToString())
