"""The API as an OpenAPI 3.1 document: what `app` does, in the words of the standard."""

from __future__ import annotations

from functools import cache
from typing import Any

from stillwatch import __version__
from stillwatch.decisions import Action, By, Scope
from stillwatch.service.reading import ARROW, FORMATS

Json = dict[str, Any]


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(text: str, schema: Json | None = None, kind: str = "application/json") -> Json:
    return {"description": text, "content": {kind: {"schema": schema or _ref("Problem")}}}


def _whole(type: str = "integer", **more: Any) -> Json:
    return {"type": type, "minimum": 0, **more}


def _object(properties: Json, **more: Any) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties), **more}


def _or_null(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


_TEXT = {"type": "string"}
SCHEMAS: Json = {
    "Problem": {"type": "object", "properties": {"error": _TEXT, "detail": {}}, "required": ["error"]},
    "Decision": _object(
        {
            "account": _TEXT, "action": {"enum": [one.value for one in Action]},
            "would": {"enum": [one.value for one in Action]},
            "proposed": _or_null({"enum": [one.value for one in Action]}), "rate": _or_null(_TEXT),
            "scope": {"enum": [one.value for one in Scope]}, "only": {"type": "array", "items": _TEXT},
            "by": {"enum": [one.value for one in By]}, "rule": _TEXT, "reason": _TEXT, "evidence": _TEXT,
            "operator": _TEXT, "verdict": _TEXT, "certainty": _TEXT,
            "expires_at": _or_null({"type": "string", "format": "date-time"}), "mode": {"enum": ["shadow", "enforce"]},
        }
    ),
    "Decisions": {
        "type": "object",
        "properties": {"number": _whole(), "whole": {"type": "boolean"},
                       "decisions": {"type": "array", "items": _ref("Decision")}},
        "required": ["number", "decisions"],
    },
    "Accepted": _object(
        {
            "accepted": _whole(), "rejected": _whole(),
            "reasons": {"type": "object", "additionalProperties": _whole()},
            "rows": {"type": "array", "items": _object({"row": _whole(), "reason": _TEXT})},
        }
    ),
    "Event": {
        "type": "object",
        "description": "A row of the table `events`; times are ISO 8601 or numbers since 1970.",
        "properties": {"event_id": _TEXT, "time": {"type": ["string", "number"]}, "account_id": _TEXT, "model": _TEXT},
        "required": ["event_id", "time", "account_id", "model"],
        "additionalProperties": True,
    },
    "Status": {
        "type": "object",
        "properties": {
            "version": _TEXT, "mode": _TEXT, "killed": _TEXT, "run": _or_null(_TEXT),
            "age_seconds": _or_null(_whole("number")), "look_seconds": _or_null(_whole("number")),
            "trouble": _or_null(_TEXT), "received_events": _whole(),
            "waiting_events": _whole(), "waiting_bytes": _whole(), "accounts": _whole(),
            "decided": _whole(), "recognised": _whole(), "number": _whole(), "up_seconds": _whole("number"),
            "level": _whole("number"), "level_spent": _whole("number"), "pending": _whole(),
        },
        "required": ["version", "mode", "run", "age_seconds"],
    },
}  # fmt: skip
REFUSED: Json = {
    "401": _answer("No key, or none that holds."),
    "403": _answer("The key lacks the role."),
    "429": {**_answer("Too much at once."), "headers": {"Retry-After": {"schema": _whole()}}},
}
BODY: Json = {
    "400": _answer(
        "The body cannot be read, or nothing of it can be used.", {"anyOf": [_ref("Problem"), _ref("Accepted")]}
    ),
    "408": _answer("The body did not come in time."),
    "413": _answer("The body is too long, also decompressed."),
    "415": _answer("Another content type or encoding."),
    "503": {**_answer("The store cannot take events now."), "headers": {"Retry-After": {"schema": _whole()}}},
}


def _query(name: str, text: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _paths() -> Json:
    lines = {"schema": {"type": "string", "description": "One Event a line."}}
    account = {"name": "account", "in": "path", "required": True, "description": "As the provider calls it.",
               "schema": {"type": "string", "minLength": 1}}  # fmt: skip
    return {
        "/v1/traces": {"post": {
            "operationId": "traces", "summary": "OTLP over HTTP: spans that are requests to a model (role ingest)",
            "requestBody": {"required": True, "content": {
                "application/x-protobuf": {"schema": {"type": "string", "format": "binary"}},
                "application/json": {"schema": {"type": "object", "properties": {
                    "resourceSpans": {"type": "array", "items": {"type": "object"}}}}}}},
            "responses": {"200": {"description": "Durable; `partialSuccess` says what was rejected.", "content": {
                "application/json": {"schema": {"type": "object"}},
                "application/x-protobuf": {"schema": {"type": "string", "format": "binary"}}}}, **BODY, **REFUSED},
        }},
        "/v1/events": {"post": {
            "operationId": "events", "summary": "Events as rows (role ingest)",
            "parameters": [_query("format", "What the rows are.", {"enum": list(FORMATS), "default": "table"})],
            "requestBody": {"required": True, "content": {
                "application/x-ndjson": lines, ARROW: {"schema": {"type": "string", "format": "binary"}},
                "application/json": {"schema": {"anyOf": [_ref("Event"), {"type": "array", "items": _ref("Event")}]}}}},
            "responses": {"200": _answer("Durable.", _ref("Accepted")), **BODY, **REFUSED},
        }},
        "/v1/decisions/{account}": {"get": {
            "operationId": "decision", "summary": "What holds for an account (role viewer)", "parameters": [account],
            "responses": {"200": _answer("Also for an account that nobody knows.", _ref("Decision")), **REFUSED},
        }},
        "/v1/decisions": {
            "get": {
                "operationId": "changes", "summary": "What changed, perhaps after a wait (role viewer)",
                "parameters": [
                    _query("after", "Number of the last answer; 0 for everything.", _whole(maximum=10**14)),
                    _query("wait", "Seconds to wait for a change.", _whole(maximum=10**14)),
                ],
                "responses": {"200": _answer("Accounts not named allow, if `whole`; else they are as they were.",
                                             _ref("Decisions")), "400": _answer("Not a number."), **REFUSED},
            },
            "post": {
                "operationId": "bulk",
                "summary": "Many accounts at once, or what changed about them, perhaps after a wait (role viewer)",
                "requestBody": {"required": True, "content": {"application/json": {"schema": {
                    "type": "object", "required": ["accounts"], "properties": {
                        "accounts": {"type": "array", "items": _TEXT},
                        "after": {**_whole(maximum=10**14), "description": "Number of the last answer; 0 for all."},
                        "wait": {**_whole(maximum=10**14), "description": "Seconds to wait for a change."}}}}}},
                "responses": {"200": _answer("In the order asked; if `whole` is false, others are as they were.",
                                             _ref("Decisions")), **BODY, **REFUSED},
            },
        },
        "/v1/status": {"get": {"operationId": "status", "summary": "How fresh it is (role viewer)", "responses": {
            "200": _answer("Now.", _ref("Status")), **REFUSED}}},
        "/metrics": {"get": {"operationId": "metrics", "summary": "For Prometheus (role viewer)", "responses": {
            "200": _answer("Figures.", _TEXT, "text/plain"), **REFUSED}}},
        "/healthz": {"get": {"operationId": "healthz", "summary": "Whether events are taken", "security": [],
                             "responses": {"200": _answer("Yes.", {"type": "object"}),
                                           "503": _answer("The store is in trouble.", {"type": "object"})}}},
    }  # fmt: skip


@cache
def document() -> Json:
    """All of it."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Stillwatch", "version": __version__, "license": {"name": "Apache-2.0"},
                 "description": "Events in, decisions out."},
        "security": [{"key": []}],
        "paths": _paths(),
        "components": {"schemas": SCHEMAS, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }  # fmt: skip
