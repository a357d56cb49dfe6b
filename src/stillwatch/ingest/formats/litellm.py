"""LiteLLM: standard logging payloads (any logger that writes them) and exports of the table LiteLLM_SpendLogs.

Read from litellm 1.106.2 (`StandardLoggingPayload` in types/utils.py, `LiteLLM_SpendLogs` in proxy/schema.prisma).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillwatch.ingest.formats import table
from stillwatch.ingest.formats.messages import conversation, unpack
from stillwatch.settings import IngestSettings

PAYLOAD_MARKS = {"call_type", "startTime", "model_group", "model_parameters"}
SPEND_MARKS = {"request_id", "call_type", "startTime", "api_key"}
REDACTED = "redacted-by-litellm"
"""What LiteLLM puts in the place of content it was told not to log."""


def is_payload(names: set[str]) -> bool:
    """Whether these are the keys of a standard logging payload."""
    return names >= PAYLOAD_MARKS or "standard_logging_object" in names


def is_spend_log(names: set[str]) -> bool:
    """Whether these are columns of a spend log."""
    return names >= SPEND_MARKS


def row(record: Mapping[str, Any], settings: IngestSettings) -> dict[str, Any]:
    """Canonical columns of a payload or a spend log.

    The id is `litellm_call_id`: the payload's own `id` is the provider's on success and the call's on failure.
    """
    record = _mapping(record.get("standard_logging_object")) or record
    meta = _mapping(record.get("metadata"))
    parameters = _mapping(record.get("model_parameters")) or _mapping(record.get("proxy_server_request"))
    messages = _content(record.get("messages")) or _content(parameters.get("messages"))
    response = _content(record.get("response"))
    out = {
        "event_id": record.get("litellm_call_id") or record.get("id") or record.get("request_id"),
        "time": record.get("startTime"),
        "platform": record.get("custom_llm_provider"),
        "operation": record.get("call_type"),
        "model": record.get("model_group") or record.get("model"),
        "conversation_id": record.get("session_id"),
        "end_user_id": record.get("end_user"),
        "client_address": record.get("requester_ip_address") or meta.get("requester_ip_address"),
        "user_agent": record.get("user_agent") or meta.get("user_agent"),
        "duration_ms": _duration(record),
        **_who(record, meta),
        **conversation(messages, parameters.get("system")).columns(),
        **_parameters(parameters),
        **_usage(record, meta, response),
        **_outcome(record, meta, response),
    }
    return {**out, **table.overrides(record, settings)}


def _mapping(value: Any) -> Mapping[str, Any]:
    value = unpack(value)
    return value if isinstance(value, Mapping) else {}


def _content(value: Any) -> Any:
    """Messages or a response, unless LiteLLM was told to leave them out."""
    value = unpack(value)
    if value == REDACTED or (isinstance(value, Mapping) and value.get("text") == REDACTED):
        return None
    if isinstance(value, list) and any(isinstance(v, Mapping) and v.get("content") == REDACTED for v in value):
        return None
    return value


def _who(record: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, Any]:
    key = meta.get("user_api_key_hash") or record.get("api_key") or meta.get("user_api_key")
    organisation = meta.get("user_api_key_org_id") or record.get("organization_id")
    team = meta.get("user_api_key_team_id") or record.get("team_id")
    return {
        "account_id": meta.get("user_api_key_user_id") or record.get("user") or key,
        "org_id": organisation or team,
        "key_id": key,
    }


def _parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tools": parameters.get("tools"),
        "temperature": parameters.get("temperature"),
        "top_p": parameters.get("top_p"),
        "max_tokens": parameters.get("max_tokens", parameters.get("max_completion_tokens")),
        "choices": parameters.get("n"),
        "seed": parameters.get("seed"),
    }


def _usage(record: Mapping[str, Any], meta: Mapping[str, Any], response: Any) -> dict[str, Any]:
    usage = _mapping(meta.get("usage_object"))
    if not usage and isinstance(response, Mapping):
        usage = _mapping(response.get("usage"))
    details = _mapping(usage.get("prompt_tokens_details"))
    return {
        "input_tokens": record.get("prompt_tokens"),
        "output_tokens": record.get("completion_tokens"),
        "reasoning_tokens": _mapping(usage.get("completion_tokens_details")).get("reasoning_tokens"),
        "cached_tokens": details.get("cached_tokens", usage.get("cache_read_input_tokens")),
    }


def _outcome(record: Mapping[str, Any], meta: Mapping[str, Any], response: Any) -> dict[str, Any]:
    choices = response.get("choices") if isinstance(response, Mapping) else None
    first = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
    finish = first.get("finish_reason")
    error = _mapping(record.get("error_information")) or _mapping(meta.get("error_information"))
    status = str(record.get("status") or meta.get("status") or "")
    name = str(error.get("error_class") or "")
    if finish == "content_filter" or "ContentPolicy" in name or "Guardrail" in name:
        status = "refused"
    else:
        status = {"success": "ok", "failure": "error"}.get(status, status)
    replies = [choice.get("message") for choice in choices or [] if isinstance(choice, Mapping)]
    return {
        "finish_reason": finish,
        "status": status or None,
        "response": conversation(replies).turns or (response if isinstance(response, str) else None),
    }


def _duration(record: Mapping[str, Any]) -> Any:
    seconds = record.get("response_time")
    if isinstance(seconds, int | float):
        return seconds * 1000
    if (milliseconds := record.get("request_duration_ms")) is not None:
        return milliseconds
    start, end = record.get("startTime"), record.get("endTime")
    numbers = isinstance(start, int | float) and isinstance(end, int | float)
    return (end - start) * 1000 if numbers else None  # type: ignore[operator]
