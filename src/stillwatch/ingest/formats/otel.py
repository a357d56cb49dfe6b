"""OpenTelemetry spans as OTLP/JSON, one ExportTraceServiceRequest a line, as the collector's file exporter writes them.

GenAI spans become events; attribute names are those of the GenAI semantic conventions, with the deprecated ones and the
numbered ones of older instrumentations (`gen_ai.prompt.0.content`). Who called usually stands on the parent SERVER
span: fields missing on the GenAI span are taken from its ancestors in the same file, then from the resource.
Read as plain JSON: protobuf's own JSON reader would take the hex ids for base64.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stillwatch.ingest.formats.messages import conversation, unpack
from stillwatch.settings import IngestSettings

MARKS = {"resourceSpans", "resource_spans", "resourceLogs", "resourceMetrics"}
Attributes = dict[str, Any]
Key = tuple[str, str]

OWN = {
    "platform": ("gen_ai.provider.name", "gen_ai.system"),
    "operation": ("gen_ai.operation.name",),
    "model": ("gen_ai.request.model", "gen_ai.response.model"),
    "tools": ("gen_ai.tool.definitions",),
    "temperature": ("gen_ai.request.temperature",),
    "top_p": ("gen_ai.request.top_p",),
    "max_tokens": ("gen_ai.request.max_tokens",),
    "choices": ("gen_ai.request.choice.count",),
    "seed": ("gen_ai.request.seed", "gen_ai.openai.request.seed"),
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "reasoning_tokens": ("gen_ai.usage.reasoning.output_tokens",),
    "cached_tokens": ("gen_ai.usage.cache_read.input_tokens",),
}
"""Canonical column <- attributes of the GenAI span itself, the first that is there."""
INHERITED = {
    "account_id": ("enduser.id", "user.id"),
    "conversation_id": ("gen_ai.conversation.id",),
    "client_address": ("client.address", "http.client_ip"),
    "user_agent": ("user_agent.original", "http.user_agent"),
    "org_id": (), "key_id": (), "end_user_id": (), "asn": (), "country": ("geo.country.iso_code",), "ja4": (),
    "reasoning_signature": (),
}  # fmt: skip
"""Canonical column <- attributes of the span, else of its ancestors, else of the resource."""
NOT_REQUESTS = {"execute_tool", "create_agent", "invoke_agent", "invoke_workflow"}
"""Operations that hold requests to a model and are none: their chat spans are counted instead."""
DEPTH = 16


def value(any_value: Any) -> Any:
    """An OTLP AnyValue as a Python value."""
    if not isinstance(any_value, Mapping) or not any_value:
        return None
    kind, inner = next(iter(any_value.items()))
    if kind == "intValue":
        return int(inner) if isinstance(inner, str) and inner.lstrip("-").isdecimal() and len(inner) < 20 else inner
    if kind == "arrayValue":
        return [value(item) for item in _list(inner, "values")]
    if kind == "kvlistValue":
        return attributes(_list(inner, "values"))
    return inner


def attributes(pairs: Any) -> Attributes:
    """A list of OTLP KeyValue as a dict."""
    pairs = pairs if isinstance(pairs, list) else []
    return {str(pair.get("key")): value(pair.get("value")) for pair in pairs if isinstance(pair, Mapping)}


def _list(holder: Any, *names: str) -> list[Any]:
    for name in names:
        if isinstance(holder, Mapping) and isinstance(found := holder.get(name), list):
            return found
    return []


def _spans(request: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Attributes]]:
    """(span, resource attributes) of one line."""
    for group in _list(request, "resourceSpans", "resource_spans"):
        resource = group.get("resource") if isinstance(group, Mapping) else None
        shared = attributes(resource.get("attributes")) if isinstance(resource, Mapping) else {}
        for scope in _list(group, "scopeSpans", "scope_spans", "instrumentationLibrarySpans"):
            for span in _list(scope, "spans"):
                if isinstance(span, Mapping):
                    yield span, shared


@dataclass
class _Waiting:
    row: int
    raw: dict[str, Any]
    parent: Key
    resource: Attributes


class Joiner:
    """Turns lines into raw canonical rows, in order, each held back until `wait` more have come or the file ends.

    Parents end, and so are written, after their children: the wait is the window in which they may come. Memory is
    bounded by `wait` rows, `wait_bytes` of lines and `keep` remembered spans.
    """

    def __init__(
        self, settings: IngestSettings, *, wait: int = 20_000, wait_bytes: int = 64 << 20, keep: int = 200_000
    ) -> None:
        # a configured attribute stands in the place of the usual ones, and may be on an ancestor or the resource too
        configured = {column: (attribute,) for column, attribute in settings.attributes.items()}
        self.own = {**OWN, **INHERITED, **configured}
        self.inherited = {**INHERITED, **configured}
        self.wait, self.wait_bytes, self.keep = wait, wait_bytes, keep
        self.seen: OrderedDict[Key, tuple[Key, Attributes]] = OrderedDict()
        self.waiting: deque[tuple[_Waiting, int]] = deque()
        self.held = 0
        self.skipped = 0
        self.late = 0

    def add(self, row: int, request: Mapping[str, Any], size: int) -> None:
        """Take one line (its row and size in bytes)."""
        self.skipped += sum(
            len(_list(scope, "logRecords")) for g in _list(request, "resourceLogs") for scope in _list(g, "scopeLogs")
        )
        events: list[_Waiting] = []
        for span, resource in _spans(request):
            own = attributes(span.get("attributes"))
            trace = str(span.get("traceId") or span.get("trace_id") or "")
            key = (trace, str(span.get("spanId") or span.get("span_id") or ""))
            parent = (trace, str(span.get("parentSpanId") or span.get("parent_span_id") or ""))
            self.seen[key] = (parent, self._pick(own, self.inherited))
            if _is_request(own):
                events.append(_Waiting(row, self._event(span, own, key), parent, resource))
            else:
                self.skipped += 1
        for event in events:
            self.waiting.append((event, size // len(events)))
            self.held += size // len(events)
        while len(self.seen) > self.keep:
            self.seen.popitem(last=False)

    def ready(self, *, end: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
        """Rows whose wait is over; all of them at the `end`."""
        while self.waiting and (end or len(self.waiting) > self.wait or self.held > self.wait_bytes):
            event, size = self.waiting.popleft()
            self.held -= size
            self._inherit(event)
            yield event.row, event.raw

    def _inherit(self, event: _Waiting) -> None:
        missing = {column for column in self.inherited if event.raw.get(column) is None}
        key = event.parent
        for _ in range(DEPTH):
            if not missing or not key[1]:
                break
            found = self.seen.get(key)
            if found is None:
                self.late += 1
                break
            for column in [c for c in missing if c in found[1]]:
                event.raw[column] = found[1][column]
                missing.discard(column)
            key = found[0]
        event.raw.update(self._pick(event.resource, {c: self.inherited[c] for c in missing}))

    @staticmethod
    def _pick(own: Attributes, names: Mapping[str, tuple[str, ...]]) -> Attributes:
        out = {}
        for column, candidates in names.items():
            for name in candidates:
                if own.get(name) is not None:
                    out[column] = own[name]
                    break
        return out

    def _event(self, span: Mapping[str, Any], own: Attributes, key: Key) -> dict[str, Any]:
        start, end = (_nanos(span.get(name)) for name in ("startTimeUnixNano", "endTimeUnixNano"))
        duration = (end - start) / 1e6 if isinstance(start, int) and isinstance(end, int) else None
        asked, answered, system = _content(own, _list(span, "events"))
        talk = conversation(asked, system).columns()
        finish = own.get("gen_ai.response.finish_reasons", own.get("gen_ai.response.finish_reason"))
        finish = finish[0] if isinstance(finish, list) and finish else finish
        raw = {
            "event_id": f"{key[0]}-{key[1]}" if key[1] else own.get("gen_ai.response.id"),
            # nanoseconds by definition, so the unit is not left to be guessed
            "time": start // 1000 if isinstance(start, int) else start,
            "duration_ms": duration,
            **talk,
            "response": conversation(answered).turns or None,
            "finish_reason": finish or None,
            "status": _status(span, finish),
        }
        picked = self._pick(own, self.own)
        return {**raw, **{column: found for column, found in picked.items() if raw.get(column) is None}}


def _is_request(own: Attributes) -> bool:
    named = own.get("gen_ai.operation.name")
    if named in NOT_REQUESTS:
        return False
    return any(name in own for name in ("gen_ai.operation.name", *OWN["platform"], *OWN["model"]))


def _nanos(stamp: Any) -> Any:
    if isinstance(stamp, str) and stamp.isascii() and stamp.isdecimal() and len(stamp) < 20:
        return int(stamp)
    return int(stamp) if isinstance(stamp, float) and stamp.is_integer() else stamp


def _status(span: Mapping[str, Any], finish: Any) -> str:
    status = span.get("status")
    code = status.get("code") if isinstance(status, Mapping) else None
    if finish in {"content_filter", "refusal"}:
        return "refused"
    return "error" if code in (2, "2", "STATUS_CODE_ERROR") else "ok"


def _content(own: Attributes, events: list[Any]) -> tuple[Any, Any, Any]:
    """(input messages, output messages, system instructions) from attributes, or from span events of older versions."""
    asked = own.get("gen_ai.input.messages", own.get("gen_ai.prompt"))
    answered = own.get("gen_ai.output.messages", own.get("gen_ai.completion"))
    system = own.get("gen_ai.system_instructions")
    turns: list[Any] = []
    for event in events:
        if not isinstance(event, Mapping):
            continue
        name, body = str(event.get("name")), attributes(event.get("attributes"))
        if name == "gen_ai.client.inference.operation.details":
            asked = asked or body.get("gen_ai.input.messages")
            answered = answered or body.get("gen_ai.output.messages")
            system = system or body.get("gen_ai.system_instructions")
        elif name == "gen_ai.content.prompt":
            asked = asked or body.get("gen_ai.prompt")
        elif name == "gen_ai.content.completion":
            answered = answered or body.get("gen_ai.completion")
        elif name.startswith("gen_ai.") and name.endswith(".message"):
            turns.append({"role": name.split(".")[1], **body})
        elif name == "gen_ai.choice":
            answered = answered or [_reply(body)]
    asked = asked or turns or _numbered(own, "gen_ai.prompt.")
    answered = answered or _numbered(own, "gen_ai.completion.")
    return _listed(asked), _listed(answered, "assistant"), system


def _reply(body: Attributes) -> Any:
    message = unpack(body.get("message"))
    return {"role": "assistant", **(message if isinstance(message, Mapping) else body)}


def _numbered(own: Attributes, prefix: str) -> list[Attributes]:
    """Messages spread over attributes `PREFIX0.role`, `PREFIX0.content`, ..."""
    turns: dict[int, Attributes] = {}
    for name, found in own.items():
        number, _, field = name.removeprefix(prefix).partition(".") if name.startswith(prefix) else ("", "", "")
        if number.isascii() and number.isdecimal() and len(number) < 6 and field in {"role", "content"}:
            turns.setdefault(int(number), {})[field] = unpack(found)
    return [turns[number] for number in sorted(turns)]


def _listed(content: Any, role: str = "user") -> Any:
    """Bare text of the older attributes as a message."""
    content = unpack(content)
    return [{"role": role, "content": content}] if isinstance(content, str) else content
