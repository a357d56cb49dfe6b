"""Messages of the usual APIs -> the canonical form: [{role, parts: [{type, ...}]}], OpenTelemetry's GenAI message shape.

Read: OpenAI chat (content string or list, tool_calls), Anthropic messages (text, thinking, tool_use, tool_result),
Bedrock Converse (text, toolUse, toolResult, reasoningContent), OpenTelemetry (parts) and bare prompts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

Part = dict[str, Any]
SYSTEM_ROLES = {"system", "developer"}


@dataclass
class Conversation:
    """What a request's messages hold: turns, system instructions apart, and the last signed reasoning block."""

    turns: list[dict[str, Any]] = field(default_factory=list)
    system: list[str] = field(default_factory=list)
    signature: str | None = None

    def columns(self) -> dict[str, Any]:
        """Canonical columns; a column without content is None."""
        return {
            "messages": self.turns or None,
            "system": "\n\n".join(self.system) or None,
            "reasoning_signature": self.signature,
        }


def unpack(value: Any) -> Any:
    """A JSON string as its value; anything else as it is. `None` for empty ones."""
    if isinstance(value, str) and value[:1] in {"[", "{", '"'}:
        try:
            value = orjson.loads(value)
        except ValueError:
            return value
    return value if value not in ("", {}, [], None) else None


def conversation(messages: Any, system: Any = None) -> Conversation:
    """Read a request's messages, and its system instructions where the API has them apart."""
    out = Conversation()
    if (text := plain(unpack(system))) is not None:
        out.system.append(text)
    messages = unpack(messages)
    if isinstance(messages, Mapping):
        messages = messages.get("messages") or [messages]
    if isinstance(messages, str):
        messages = [messages]
    for message in messages if isinstance(messages, list) else []:
        turn = _turn(message, out)
        if turn is None:
            continue
        if turn["role"] in SYSTEM_ROLES:
            if (text := plain(turn["parts"])) is not None:
                out.system.append(text)
        else:
            out.turns.append(turn)
    return out


def plain(value: Any) -> str | None:
    """The text in a string, a part or a list of parts; None if there is none."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, Mapping):
        return next((plain(value[key]) for key in ("content", "text", "parts") if value.get(key)), None)
    if isinstance(value, list):
        return "\n".join(filter(None, map(plain, value))) or None
    return None


def _turn(message: Any, out: Conversation) -> dict[str, Any] | None:
    if isinstance(message, str):
        return {"role": "user", "parts": [_text(message)]}
    if not isinstance(message, Mapping):
        return None
    role = message.get("role")
    role = role if isinstance(role, str) else "user"
    parts: list[Part] = []
    content = message.get("parts", message.get("content"))
    if role == "tool" and not isinstance(content, list):
        parts.append(
            {"type": "tool_call_response", "id": message.get("tool_call_id") or message.get("id"), "response": content}
        )
        content = None
    for piece in content if isinstance(content, list) else [content]:
        if (part := _part(piece, out)) is not None:
            parts.append(part)
    parts += [_tool_call(call) for call in message.get("tool_calls") or [] if isinstance(call, Mapping)]
    return {"role": role, "parts": parts} if parts else None


def _text(text: str) -> Part:
    return {"type": "text", "content": text}


def _tool_call(call: Mapping[str, Any]) -> Part:
    function = call.get("function")
    function = function if isinstance(function, Mapping) else call
    return {
        "type": "tool_call", "id": call.get("id"), "name": function.get("name"),
        "arguments": unpack(function.get("arguments")),
    }  # fmt: skip


def _part(piece: Any, out: Conversation) -> Part | None:
    if isinstance(piece, str):
        return _text(piece) if piece else None
    if not isinstance(piece, Mapping):
        return None
    kind = piece.get("type")
    if kind is None:
        return _converse(piece, out)
    if kind in {"text", "input_text", "output_text"}:
        text = piece.get("content", piece.get("text"))
        return _text(text) if isinstance(text, str) else None
    if kind in {"thinking", "reasoning"}:
        _sign(piece.get("signature"), out)
        return {"type": "reasoning", "content": plain(piece.get("thinking") or piece.get("content"))}
    if kind == "tool_use":
        return {"type": "tool_call", "id": piece.get("id"), "name": piece.get("name"), "arguments": piece.get("input")}
    if kind == "tool_result":
        return {"type": "tool_call_response", "id": piece.get("tool_use_id"), "response": piece.get("content")}
    if kind in {"tool_call", "tool_call_response"}:
        return dict(piece)
    return {"type": kind} if isinstance(kind, str) else None  # a picture or a file: that it was there is enough


def _converse(piece: Mapping[str, Any], out: Conversation) -> Part | None:
    """A content block of Bedrock's Converse API, which names its kind by its key."""
    if isinstance(piece.get("text"), str):
        return _text(piece["text"])
    for key, body in piece.items():
        body = body if isinstance(body, Mapping) else {}
        if key == "toolUse":
            call = {"id": body.get("toolUseId"), "name": body.get("name"), "arguments": body.get("input")}
            return {"type": "tool_call", **call}
        if key == "toolResult":
            return {"type": "tool_call_response", "id": body.get("toolUseId"), "response": body.get("content")}
        if key == "reasoningContent":
            inner = body.get("reasoningText")
            inner = inner if isinstance(inner, Mapping) else {}
            _sign(inner.get("signature"), out)
            return {"type": "reasoning", "content": plain(inner.get("text"))}
        if isinstance(key, str) and key in {"image", "document", "video", "audio"}:
            return {"type": key}
    return None


def _sign(signature: Any, out: Conversation) -> None:
    if isinstance(signature, str) and signature:
        out.signature = signature
