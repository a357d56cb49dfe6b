from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.worlds.chance import draw
from stillwatch.worlds.text import render
from stillwatch.worlds.text.grammar import Grammar, Tables
from stillwatch.worlds.text.library import CONTEXTS, LANGUAGES, TOOLS, T, library
from stillwatch.worlds.text.topics import TOPICS
from tests.worlds.naive import Naive

TABLES = library()
ROOTS = [name for name in TABLES.names if not name.startswith(("@", "raw."))]
word = st.integers(0, 2**64 - 1)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(ROOTS), st.integers(0, CONTEXTS - 1), st.tuples(word, word, word))
def test_the_renderer_agrees_with_its_slow_twin(name: str, context: int, seeds: tuple[int, int, int]) -> None:
    rule = TABLES.names[name]
    fast = render.texts(TABLES, np.array([rule]), np.array([context]), np.array([seeds], np.uint64))[0].as_py()
    assert fast == Naive(TABLES).text(rule, context, seeds)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ROOTS), st.sampled_from([0, 1])), min_size=1, max_size=5), word)
def test_messages_are_json_and_hold_the_plain_texts(turns: list[tuple[str, int]], seed: int) -> None:
    n = len(turns)
    rule = np.array([TABLES.names[name] for name, _ in turns])
    role = np.array([role for _, role in turns])
    seeds = np.stack([draw(seed, np.arange(n)), draw(seed, "s", np.arange(n)), draw(seed, "i", np.arange(n))], axis=1)
    made = render.messages(TABLES, np.array([0, n]), role, rule, np.zeros(n, int), seeds)[0].as_py()
    plain = render.texts(TABLES, rule, np.zeros(n, int), seeds).to_pylist()
    messages = json.loads(made)
    assert [message["parts"][0]["content"] for message in messages] == plain
    assert [message["role"] for message in messages] == [("user", "assistant")[r] for r in role]


def _tiny(rules: dict[str, str]) -> Tables:
    grammar = Grammar(1)
    grammar.add(rules)
    grammar.add_words("w", 0, ["p", "q", "r", "s"])
    return grammar.compile()


def _render(tables: Tables, name: str, n: int, style: int = 0, item: int = 0) -> list[str]:
    rows = np.arange(n)
    seeds = np.stack([draw("e", rows), draw("s", rows * 0 + style), draw("i", rows * 0 + item)], axis=1)
    return render.texts(tables, np.full(n, tables.names[name]), rows * 0, seeds).to_pylist()


def test_registers_repeat_and_free_symbols_vary() -> None:
    texts = _render(_tiny({"t": "{@w:x}{@w:x}{@w}"}), "t", 400)
    assert all(text[0] == text[1] for text in texts)
    assert any(text[0] != text[2] for text in texts)


def test_style_and_item_decide_across_events() -> None:
    tables = _tiny({"t": "{^k} {#k} {k}", "k": "{%0-99999}"})
    first, other = _render(tables, "t", 50), _render(tables, "t", 50, style=1)
    assert len({text.split()[0] for text in first}) == 1
    assert len({text.split()[1] for text in first}) == 1
    assert len({text.split()[2] for text in first}) > 40
    assert first[0].split()[0] != other[0].split()[0]
    assert first[0].split()[1] == other[0].split()[1]


def test_weights_repeats_numbers_and_braces() -> None:
    texts = _render(_tiny({"t": "9| a\n1| b"}), "t", 5000)
    assert 0.87 < texts.count("a") / 5000 < 0.93
    assert {len(text) for text in _render(_tiny({"t": "{k*2-4}", "k": "z"}), "t", 300)} == {2, 3, 4}
    assert {int(text) for text in _render(_tiny({"t": "{%7-9}"}), "t", 200)} == {7, 8, 9}
    assert set(_render(_tiny({"t": '{{"a":1}}\\n'}), "t", 1)) == {'{"a":1}\n'}


def test_a_bank_gives_its_texts_in_order() -> None:
    grammar = Grammar(1)
    grammar.add({"t": "<{bank}>"})
    grammar.add_texts("bank", ['one "1"', "two {2}", "three\n3"], bank=True)
    tables = grammar.compile()
    seeds = np.zeros((5, 3), np.uint64)
    seeds[:, 2] = np.arange(5)
    rules = np.full(5, tables.names["t"])
    made = render.texts(tables, rules, np.zeros(5, int), seeds).to_pylist()
    assert made == ['<one "1">', "<two {2}>", "<three\n3>", '<one "1">', "<two {2}>"]
    role = np.zeros(5, int)
    assert json.loads(render.messages(tables, np.arange(6), role, rules, role, seeds)[2].as_py())[0]["parts"][0] == {
        "type": "text",
        "content": "<three\n3>",
    }


def test_an_undefined_rule_is_named() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        _tiny({"t": "{nowhere}"})


def test_tool_calls_and_tools_are_json() -> None:
    n = 300
    for name, role in (("raw.call", render.CALL), ("raw.result", render.RESULT)):
        rows = np.arange(n)
        seeds = np.stack([draw("e", rows)] * 3, axis=1)
        rules = np.full(n, TABLES.names[name])
        for text in render.messages(
            TABLES, np.arange(n + 1), np.full(n, role), rules, rows % CONTEXTS, seeds
        ).to_pylist():
            part = json.loads(text)[0]["parts"][0]
            assert part["type"] in ("tool_call", "tool_call_response")
    assert all(json.loads(text)[0]["type"] == "function" for text in TOOLS)


def test_there_are_topics_and_languages_enough() -> None:
    assert len(TOPICS) == T >= 30
    assert all(sum(map(len, lists.values())) >= 40 for _, lists in TOPICS)
    assert len(LANGUAGES) == 7
