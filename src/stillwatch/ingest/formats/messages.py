"""Messages of the usual APIs -> the canonical form [{role, parts: [{type, ...}]}], which is OpenTelemetry's.

Read: OpenAI chat (content string or list, tool_calls), Anthropic messages (text, thinking, tool_use, tool_result),
Bedrock Converse (text, toolUse, toolResult, reasoningContent), OpenTelemetry (parts) and bare prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    if "type" not in piece:
        piece = _converse(piece)
    kind = piece.get("type")
    if isinstance(kind, str) and isinstance(signature := piece.get("signature"), str) and signature:
        out.signature = signature
    if isinstance(kind, str) and kind in _PARTS:
        return _PARTS[kind](piece)
    return {"type": kind} if isinstance(kind, str) else None  # a picture or a file: that it was there is enough


def _converse(piece: Mapping[str, Any]) -> Mapping[str, Any]:
    """A content block of Bedrock's Converse API, which names its kind by its key, as one that names it by `type`."""
    for key, body in piece.items():
        if key == "text":
            return {"type": "text", "text": body}
        inside = body if isinstance(body, Mapping) else {}
        if key == "toolUse":
            return {"type": "tool_use", "id": inside.get("toolUseId"), **inside}
        if key == "toolResult":
            return {"type": "tool_result", "tool_use_id": inside.get("toolUseId"), **inside}
        if key == "reasoningContent":
            thought = inside.get("reasoningText")
            thought = thought if isinstance(thought, Mapping) else {}
            return {"type": "thinking", "thinking": thought.get("text"), "signature": thought.get("signature")}
        if key in {"image", "document", "video", "audio"}:
            return {"type": key}
    return {}


def _said(piece: Mapping[str, Any]) -> Part | None:
    text = piece.get("content", piece.get("text"))
    return _text(text) if isinstance(text, str) else None


def _thought(piece: Mapping[str, Any]) -> Part:
    return {"type": "reasoning", "content": plain(piece.get("thinking") or piece.get("content"))}


def _used(piece: Mapping[str, Any]) -> Part:
    return {"type": "tool_call", "id": piece.get("id"), "name": piece.get("name"), "arguments": piece.get("input")}


def _result(piece: Mapping[str, Any]) -> Part:
    return {"type": "tool_call_response", "id": piece.get("tool_use_id"), "response": piece.get("content")}


_PARTS: dict[str, Callable[[Mapping[str, Any]], Part | None]] = {
    **dict.fromkeys(("text", "input_text", "output_text"), _said),
    **dict.fromkeys(("thinking", "reasoning"), _thought),
    "tool_use": _used,
    "tool_result": _result,
    "tool_call": dict,
    "tool_call_response": dict,
}
"""Kind of a content block -> how it is read."""
