"""The renderer: expands grammar rules into bytes, by tree-structured hashing and without a running generator.

Each symbol's choice is a hash of its parent's, so a text is a function of its seeds alone: the same conversation,
writer or task of a bank comes out the same in whatever event, day or process it is asked for.
"""

from __future__ import annotations

import numba as nb
import numpy as np
import pyarrow as pa

from stillwatch.worlds.chance import Array
from stillwatch.worlds.text.grammar import Tables

_DEPTH = 48
_G = np.uint64(0x9E3779B97F4A7C15)
_R = np.uint64(0xD6E8FEB86659FD93)
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@nb.njit(cache=True, error_model="numpy")
def _mix(x):  # type: ignore[no-untyped-def]
    x = x + _G
    x = (x ^ (x >> np.uint64(30))) * _M1
    x = (x ^ (x >> np.uint64(27))) * _M2
    return x ^ (x >> np.uint64(31))


@nb.njit(cache=True, error_model="numpy")
def _pick(seed, n):  # type: ignore[no-untyped-def]
    return np.int64((seed >> np.uint64(33)) * np.uint64(n) >> np.uint64(31))


@nb.njit(cache=True, error_model="numpy")
def _production(rule, seed, item, rules, weights, banks):  # type: ignore[no-untyped-def]
    first, end = rules[rule], rules[rule + 1]
    n = end - first
    if banks[rule] == 1:
        return first + np.int64(item % np.uint64(n))
    if weights[first] == 0.0:
        return first + _pick(seed, n)
    u = (seed >> np.uint64(11)) * (1.0 / 9007199254740992.0) * weights[end - 1]
    at = first
    while at < end - 1 and weights[at] <= u:
        at += 1
    return at


@nb.njit(cache=True, error_model="numpy")
def _grown(out, need):  # type: ignore[no-untyped-def]
    bigger = np.empty(max(need, out.size * 2), np.uint8)
    for i in range(out.size):
        bigger[i] = out[i]
    return bigger


@nb.njit(cache=True, error_model="numpy")
def _literal(out, at, text):  # type: ignore[no-untyped-def]
    if at + text.size + 64 > out.size:
        out = _grown(out, at + text.size + 64)
    for i in range(text.size):
        out[at] = text[i]
        at += 1
    return out, at


@nb.njit(cache=True, error_model="numpy")
def _number(out, at, value):  # type: ignore[no-untyped-def]
    if at + 84 > out.size:
        out = _grown(out, at + 84)
    size, rest = 1, value // 10
    while rest > 0:
        size, rest = size + 1, rest // 10
    for i in range(size):
        out[at + size - 1 - i] = 48 + value % 10
        value //= 10
    return out, at + size


@nb.njit(cache=True, error_model="numpy")
def _expand(rule, context, seeds, out, at, grammar):  # type: ignore[no-untyped-def]
    """Write one rule's expansion at `at`; seeds are those of event, style and item. Returns (buffer, end)."""
    symbols, productions, rules, weights, banks, classes, pool, offsets = grammar
    pos = np.empty(_DEPTH, np.int64)
    end = np.empty(_DEPTH, np.int64)
    left = np.empty(_DEPTH, np.int64)  # of a repeat frame: times still to come; -1 in others
    seed = np.empty(_DEPTH, np.uint64)
    root = np.empty(_DEPTH, np.uint64)
    item = seeds[2]
    here = _mix(seeds[0] ^ np.uint64(rule) * _R)
    p = _production(rule, here, item, rules, weights, banks)
    top = 0
    pos[0], end[0], left[0], seed[0], root[0] = productions[p], productions[p + 1], -1, here, seeds[0]
    while top >= 0:
        if left[top] == 0 or (left[top] < 0 and pos[top] == end[top]):
            top -= 1
            continue
        if left[top] > 0:
            left[top] -= 1
            here = _mix(seed[top] + np.uint64(left[top]) * _R)
            target, base = pos[top], root[top]
        else:
            s = pos[top]
            pos[top] += 1
            kind, a, b = symbols[s, 0], symbols[s, 1], symbols[s, 2]
            if kind == 0:
                out, at = _literal(out, at, pool[offsets[a] : offsets[a + 1]])
                continue
            register, domain = symbols[s, 4], symbols[s, 5]
            base = root[top] if domain == 0 else seeds[domain]
            if register > 0:
                here = _mix(base ^ np.uint64(register) * _R)
            elif domain > 0:
                here = _mix(base ^ np.uint64(a + 1) * _G)
            else:
                here = _mix(seed[top] ^ np.uint64(s + 1) * _G)
            if kind == 3:
                out, at = _number(out, at, a + _pick(here, b - a + 1))
                continue
            if kind == 4:
                top += 1
                times = b + _pick(_mix(here), symbols[s, 3] - b + 1)
                pos[top], end[top], left[top], seed[top], root[top] = a, 0, times, here, base
                continue
            target = classes[a, context] if kind == 2 else a
        p = _production(target, here, item, rules, weights, banks)
        top += 1
        pos[top], end[top], left[top], seed[top], root[top] = productions[p], productions[p + 1], -1, here, base
    return out, at


@nb.njit(cache=True, error_model="numpy")
def _messages(starts, role, rule, context, seeds, size, wraps, wrap_at, grammar):  # type: ignore[no-untyped-def]
    out = np.empty(size, np.uint8)
    n = starts.size - 1
    ends = np.zeros(n + 1, np.int32)
    at = np.int64(0)
    for e in range(n):
        # plain text: one rule or none, and nothing around it
        if role[starts[e]] < 0:
            if rule[starts[e]] >= 0:
                out, at = _expand(
                    rule[starts[e]],
                    context[starts[e]],
                    seeds[starts[e]],
                    out,
                    at,
                    grammar,
                )
            ends[e + 1] = at
            continue
        if at + 8 > out.size:
            out = _grown(out, at + 8)
        out[at] = 91  # [
        at += 1
        for m in range(starts[e], starts[e + 1]):
            if m > starts[e]:
                out[at] = 44  # ,
                at += 1
            w = 2 * role[m]
            out, at = _literal(out, at, wraps[wrap_at[w] : wrap_at[w + 1]])
            out, at = _expand(
                rule[m],
                context[m],
                seeds[m],
                out,
                at,
                grammar,
            )
            out, at = _literal(out, at, wraps[wrap_at[w + 1] : wrap_at[w + 2]])
        if at + 8 > out.size:
            out = _grown(out, at + 8)
        out[at] = 93  # ]
        at += 1
        ends[e + 1] = at
    return out[:at], ends


USER, ASSISTANT, CALL, RESULT = range(4)
"""Roles of a message: text by the user, text by the assistant, a tool call, a tool's answer (raw parts in JSON)."""
_WRAPS = (
    '{"role":"user","parts":[{"type":"text","content":"', '"}]}',
    '{"role":"assistant","parts":[{"type":"text","content":"', '"}]}',
    '{"role":"assistant","parts":[', "]}",
    '{"role":"tool","parts":[', "]}",
)  # fmt: skip
_WRAP_BYTES = np.frombuffer("".join(_WRAPS).encode(), np.uint8)
_WRAP_AT = np.concatenate([[0], np.cumsum([len(wrap) for wrap in _WRAPS])]).astype(np.int64)


def _arguments(tables: Tables, pool: tuple[Array, Array]) -> tuple[Array, ...]:
    return (
        tables.symbols, tables.productions, tables.rules, tables.weights, tables.banks, tables.classes, *pool
    )  # fmt: skip


def _strings(data: Array, ends: Array, missing: Array | None = None) -> pa.Array:
    text = pa.StringArray.from_buffers(len(ends) - 1, pa.py_buffer(ends), pa.py_buffer(data))
    if missing is None or not missing.any():
        return text
    bits = np.packbits(~missing, bitorder="little")
    return pa.StringArray.from_buffers(len(text), pa.py_buffer(ends), pa.py_buffer(data), pa.py_buffer(bits))


def texts(tables: Tables, rule: Array, context: Array, seeds: Array) -> pa.Array:
    """Plain texts, [n]: rule numbers (-1 is null), contexts, and seeds of event, style and item, [n, 3] uint64."""
    n = len(rule)
    data, ends = _messages(
        np.arange(n + 1), np.full(n, -1), rule.astype(np.int64), context.astype(np.int64), seeds, 64 * n + 1024,
        _WRAP_BYTES, _WRAP_AT, _arguments(tables, tables.plain),
    )  # fmt: skip
    return _strings(data, ends, rule < 0)


def messages(tables: Tables, starts: Array, role: Array, rule: Array, context: Array, seeds: Array) -> pa.Array:
    """The `messages` column, [events]: JSON of the messages starts[e] to starts[e + 1] of each event e."""
    data, ends = _messages(
        starts.astype(np.int64), role.astype(np.int64), rule.astype(np.int64), context.astype(np.int64), seeds,
        400 * len(rule) + 1024, _WRAP_BYTES, _WRAP_AT, _arguments(tables, tables.escaped),
    )  # fmt: skip
    return _strings(data, ends)
