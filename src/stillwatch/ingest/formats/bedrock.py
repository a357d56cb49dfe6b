"""Amazon Bedrock's model invocation log: one JSON record a line, as delivered to S3 (gzip) or exported from CloudWatch.

Fields follow the user guide ("Monitor model invocation using CloudWatch Logs and Amazon S3"), checked against records
that users published: schemaType, schemaVersion, timestamp, accountId, identity.arn, region, requestId, operation,
modelId, errorCode, requestMetadata, input.{inputBodyJson, inputTokenCount, cacheReadInputTokenCount},
output.{outputBodyJson, outputTokenCount}. There is no address and no user agent. A body over 100 KB lies in S3 under
inputBodyS3Path: such an event is kept without its text. The account is `identity.arn` (who called), as `accountId` is
the log's own owner; `ingest.columns` can name another path, such as requestMetadata.tenant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillwatch.ingest.formats import table
from stillwatch.ingest.formats.messages import conversation, unpack
from stillwatch.settings import IngestSettings


def row(record: Mapping[str, Any], settings: IngestSettings) -> dict[str, Any]:
    """Canonical columns of one invocation record."""
    record = unwrap(record)
    given, got = _mapping(record.get("input")), _mapping(record.get("output"))
    body, answer = _mapping(given.get("inputBodyJson")), unpack(got.get("outputBodyJson"))
    out = {
        "event_id": record.get("requestId"),
        "time": record.get("timestamp"),
        "account_id": _mapping(record.get("identity")).get("arn") or record.get("accountId"),
        "org_id": record.get("accountId"),
        "platform": "aws.bedrock",
        "operation": record.get("operation"),
        "model": record.get("modelId"),
        "input_tokens": given.get("inputTokenCount"),
        "cached_tokens": given.get("cacheReadInputTokenCount"),
        "output_tokens": got.get("outputTokenCount"),
        **_request(body),
        **_reply(answer),
    }
    if record.get("errorCode"):
        out["status"] = "error"
    return {**out, **table.overrides(record, settings)}


def unwrap(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """CloudWatch exports put the record, as a string or not, under `message` or `@message`."""
    for key in ("message", "@message"):
        if "requestId" not in record and (inner := _mapping(record.get(key))):
            return inner
    return record


def _mapping(value: Any) -> Mapping[str, Any]:
    value = unpack(value)
    return value if isinstance(value, Mapping) else {}


def _first(body: Mapping[str, Any], *names: str) -> Any:
    return next((body[name] for name in names if body.get(name) is not None), None)


def _request(body: Mapping[str, Any]) -> dict[str, Any]:
    """Anthropic messages, Converse, Titan (inputText), Llama and older models (prompt), Nova (inferenceConfig)."""
    messages = _first(body, "messages", "inputText", "prompt")
    settings = {**body, **_mapping(body.get("inferenceConfig")), **_mapping(body.get("textGenerationConfig"))}
    tools = _first(body, "tools", "toolConfig")
    return {
        **conversation(messages, body.get("system")).columns(),
        "tools": tools.get("tools") if isinstance(tools, Mapping) else tools,
        "temperature": settings.get("temperature"),
        "top_p": _first(settings, "top_p", "topP"),
        "max_tokens": _first(settings, "max_tokens", "maxTokens", "max_new_tokens", "maxTokenCount", "max_gen_len"),
    }


def _reply(answer: Any) -> dict[str, Any]:
    if isinstance(answer, list):
        return _streamed([piece for piece in answer if isinstance(piece, Mapping)])
    if not isinstance(answer, Mapping):
        return {"response": None, "finish_reason": None, "status": "ok" if answer is not None else None}
    message = _mapping(answer.get("output")).get("message")
    results = answer.get("results")
    titan = _mapping(results[0]) if isinstance(results, list) and results else {}
    content = _first(answer, "content", "generation", "completion") or titan.get("outputText")
    turn = message or ({"role": "assistant", "content": content} if content else None)
    finish = _first(answer, "stopReason", "stop_reason") or titan.get("completionReason")
    return {
        "response": conversation([turn]).turns or None,
        "finish_reason": finish,
        "status": "refused" if finish in {"refusal", "content_filtered", "guardrail_intervened"} else "ok",
        "duration_ms": _mapping(answer.get("metrics")).get("latencyMs"),
    }


def _streamed(pieces: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The pieces of a streamed answer put together: Anthropic's events, Converse's, or Titan's and Llama's chunks."""
    text: list[str] = []
    finish: Any = None
    latency: Any = None
    for piece in pieces:
        delta = _mapping(_mapping(piece.get("contentBlockDelta")).get("delta")) or _mapping(piece.get("delta"))
        chunk = _first(delta, "text") or _first(piece, "outputText", "generation", "completion")
        if isinstance(chunk, str):
            text.append(chunk)
        stop = _mapping(piece.get("messageStop"))
        ends = (
            stop.get("stopReason"),
            delta.get("stop_reason"),
            piece.get("stop_reason"),
            piece.get("completionReason"),
        )
        finish = next(filter(None, ends), finish)
        latency = _mapping(_mapping(piece.get("metadata")).get("metrics")).get("latencyMs", latency)
    return _reply({"content": "".join(text), "stop_reason": finish, "metrics": {"latencyMs": latency}})
