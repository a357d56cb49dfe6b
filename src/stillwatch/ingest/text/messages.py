"""Messages -> what was asked now: the last user message, the system instructions, how many turns, which tools.

Accepts the canonical form [{role, parts: [{type, content}]}], the common [{role, content}], and plain text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

USER = ("user", "human")
SYSTEM = ("system", "developer")


@dataclass
class Asked:
    """Text of one request; None where the log has none."""

    user: str | None
    system: str | None
    turns: int | None


def _text(value: Any) -> str:
    """Text of a message's content or parts; what is not text adds nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(found for part in value if (found := _text(part)))
    if isinstance(value, dict):
        for name in ("content", "text"):
            if name in value:
                return _text(value[name])
    return ""


def asked(messages: str | None, system: str | None) -> Asked:
    """What one request asks. Text that is not JSON is taken as the message itself."""
    if messages is None:
        return Asked(None, system, None)
    if messages[:1] not in ("[", "{"):
        return Asked(messages, system, 1)
    try:
        parsed = orjson.loads(messages)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return Asked(messages, system, 1)
    found = parsed if isinstance(parsed, list) else [parsed]
    user, turns = None, 0
    for message in found:
        if not isinstance(message, dict):
            continue
        role = message.get("role")
        body = message.get("parts", message.get("content"))
        if role in USER:
            text = _text(body)
            if text:
                user, turns = text, turns + 1
        elif role in SYSTEM and system is None:
            system = _text(body) or None
    return Asked(user, system, turns or None)


def tool_names(tools: str | None) -> str | None:
    """Names and parameter names of the tools offered, in order; None without tools."""
    if not tools:
        return None
    try:
        parsed = orjson.loads(tools)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return tools[:1000]
    if not isinstance(parsed, list) or not parsed:
        return None
    return ";".join(_tool(tool) for tool in parsed)


def _tool(tool: Any) -> str:
    if not isinstance(tool, dict):
        return str(tool)[:100]
    inner = tool.get("function") if isinstance(tool.get("function"), dict) else tool
    schema = inner.get("parameters") or inner.get("input_schema") or {}
    properties = schema.get("properties") if isinstance(schema, dict) else None
    names = sorted(properties) if isinstance(properties, dict) else []
    return f"{inner.get('name', inner.get('type', ''))}({','.join(map(str, names))})"
