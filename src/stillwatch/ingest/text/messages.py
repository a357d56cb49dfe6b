"""Messages -> what was asked now: the last user message, the system instructions, how many turns, which tools; and an
answer's text.

Accepts the canonical form [{role, parts: [{type, content}]}], the common [{role, content}] with a string or a list of
parts, one such message, {"messages": [...]}, and plain text. What looks like JSON and is none is taken as plain text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import orjson

USER = {"user", "human", None}
SYSTEM = {"system", "developer"}
_TOOL_PARTS = {"tool_call_response", "tool_result", "function_call_output"}
_BODIES = ("parts", "content", "text")
_BODIES_AND_ROLE = {*_BODIES, "role"}


@dataclass(slots=True)
class Asked:
    """Text of one request; None where the log has none. `malformed`: looked like JSON and was none."""

    user: str | None = None
    system: str | None = None
    turns: int | None = None
    malformed: bool = False


def asked(messages: str | None, system: str | None) -> Asked:
    """What one request asks."""
    out = Asked(system=instructions(system))
    if messages is None:
        return out
    if messages.lstrip()[:1] not in ("[", "{", '"'):
        out.user, out.turns = messages, 1
        return out
    try:
        found = _conversation(parse(messages))
    except ValueError:
        out.user, out.turns, out.malformed = messages, 1, messages.lstrip()[:1] != '"'
        return out
    if found is None:
        out.user, out.turns = messages, 1
        return out
    _read(found, out)
    return out


_NO_ANSWERS = ("user", "system", "developer", "tool")
"""Roles of messages that some logs repeat beside the answer."""


def answered(response: str | None) -> str:
    """Text of an answer, reasoning included; of several choices all, with a line break between."""
    if response is None or response[:1] not in ("[", "{", '"'):
        return response or ""
    try:
        text = answer(parse(response))
    except ValueError:
        return response
    return response if text is None else text  # an answer may be JSON itself


def answer(value: Any) -> str | None:
    """Text of an answer that is a JSON value; None if that holds no messages."""
    if isinstance(value, dict) and isinstance(value.get("choices"), list):
        value = [choice.get("message") or choice for choice in value["choices"] if isinstance(choice, dict)]
    messages = value if isinstance(value, list) else [value]
    if isinstance(value, list):
        value = [one for one in value if not (isinstance(one, dict) and one.get("role") in _NO_ANSWERS)]
    said = isinstance(value, str) or any(isinstance(m, dict) and not _BODIES_AND_ROLE.isdisjoint(m) for m in messages)
    return plain(value) if said else None


def parse(text: str) -> Any:
    """A JSON value; ValueError if it is none or too deep. Lone surrogates, which orjson refuses, become marks."""
    try:
        return orjson.loads(text)
    except ValueError:
        if "\\u" not in text:
            raise
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("too deep") from error


def _conversation(value: Any) -> list[Any] | None:
    """Messages in a JSON value, or None if it holds none: then it is the prompt's own text."""
    if isinstance(value, dict):
        inner = value.get("messages")
        value = inner if isinstance(inner, list) else [value]
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        return None
    known = not value or any(
        isinstance(m, str) or (isinstance(m, dict) and any(name in m for name in _BODIES)) for m in value
    )
    return value if known else None


def _read(found: list[Any], out: Asked) -> None:
    turns = 0
    instructions: list[str] = []
    for message in found:
        role = message.get("role") if isinstance(message, dict) else None
        if isinstance(role, str) and role in SYSTEM:
            if text := plain(message):
                instructions.append(text)
        elif (role is None or isinstance(role, str)) and role in USER:
            text = plain(message)
            if text:
                out.user = text
            turns += bool(text) or _shows_something(message)
    out.turns = turns
    if out.system is None and instructions:
        out.system = "\n\n".join(instructions)


def _shows_something(message: Any) -> bool:
    """Whether a message without text holds a picture or a file, rather than nothing or what a tool returned."""
    parts = message.get("parts", message.get("content")) if isinstance(message, dict) else None
    return isinstance(parts, list) and any(
        isinstance(part, dict) and isinstance(part.get("type"), str) and part["type"] not in _TOOL_PARTS | {"text"}
        for part in parts
    )


def plain(value: Any, depth: int = 0) -> str:  # noqa: PLR0911
    """Text of a message, its parts or its content; what is not text adds nothing."""
    if isinstance(value, str):
        return value
    if depth > 4:
        return ""
    if isinstance(value, list):
        if len(value) == 1:
            return plain(value[0], depth + 1)
        return "\n".join(text for part in value if (text := plain(part, depth + 1)))
    if isinstance(value, dict):
        kind = value.get("type")
        if isinstance(kind, str) and kind in _TOOL_PARTS:
            return ""
        for name in _BODIES:
            if value.get(name):
                return plain(value[name], depth + 1)
    return ""


def instructions(system: str | None) -> str | None:
    """Text of system instructions, which may be a JSON list of parts."""
    if system is None or system[:1] not in ("[", "{"):
        return system
    try:
        return plain(parse(system)) or system
    except ValueError:
        return system


def tool_names(tools: str | None) -> str | None:
    """Names and parameter names of the tools offered, sorted; None without tools. What is no JSON stands for itself."""
    if not tools:
        return None
    try:
        parsed = parse(tools)
    except ValueError:
        return tools
    if isinstance(parsed, dict):
        inner = parsed.get("tools")
        parsed = inner if isinstance(inner, list) else [parsed]
    if not isinstance(parsed, list) or not parsed:
        return None if parsed in ([], None, "") else tools
    return ";".join(sorted(map(_tool, parsed)))


def _tool(tool: Any) -> str:
    if not isinstance(tool, dict):
        return str(tool)[:100]
    for wrapper in ("function", "toolSpec"):
        if isinstance(tool.get(wrapper), dict):
            tool = tool[wrapper]
    schema = next((tool[name] for name in ("parameters", "input_schema", "inputSchema") if tool.get(name)), None)
    if isinstance(schema, dict) and isinstance(schema.get("json"), dict):
        schema = schema["json"]
    properties = schema.get("properties") if isinstance(schema, dict) else None
    names = sorted(map(str, properties)) if isinstance(properties, dict) else []
    return f"{tool.get('name', tool.get('type', ''))}({','.join(names)})"
