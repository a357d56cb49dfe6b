"""Sketches as a whole: pure, independent of batches, null without text, unmoved by hostile text."""

from __future__ import annotations

import json
import time
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.ingest.sketch import REPEATS, SketchColumns, sketch_batch
from stillwatch.model import EVENTS, LABELS, SKELETONS, SKETCHES
from stillwatch.settings import IngestSettings

quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
TEXT = st.text(st.characters(codec="utf-8"), max_size=200)
TEXTUAL = ["skeleton", "lead_skeleton", "item", "vector", *LABELS, "words", "script"]


def run(*rows: Any, **options: Any) -> SketchColumns:
    """Sketch messages, or whole rows given as dictionaries."""
    records = [row if isinstance(row, dict) else {"messages": row} for row in rows]
    schema = pa.schema([EVENTS.field(name) for name in ("system", "messages", "tools")])
    return sketch_batch(pa.RecordBatch.from_pylist(records, schema=schema), IngestSettings(**options))


def one(row: Any, **options: Any) -> dict[str, Any]:
    return dict(run(row, **options).columns.to_pylist()[0])


def said(text: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def same_skeleton(a: str, b: str) -> bool:
    names = ("skeleton", "lead_skeleton")
    first, second = one(a), one(b)
    return [first[name] for name in names] == [second[name] for name in names]


def test_columns_are_those_of_the_model() -> None:
    found = run("hello").columns
    assert set(found.schema.names) == {*TEXTUAL, "system_skeleton", "tools_skeleton", "turns"}
    assert all(SKETCHES.field(field.name).type == field.type for field in found.schema)


def test_absent_columns_and_an_empty_batch_are_fine() -> None:
    found = sketch_batch(pa.table({"event_id": ["a", "b"]})).columns
    assert all(found.column(name).null_count == 2 for name in found.schema.names)
    assert run().columns.num_rows == 0


@pytest.mark.parametrize(
    "nothing", [None, "", "[]", json.dumps([said("hi", "assistant")]), '[{"role":"user","content":""}]']
)
def test_no_text_no_sketch(nothing: str | None) -> None:
    found = one(nothing)
    assert [found[name] for name in TEXTUAL] == [None] * len(TEXTUAL)


@quick
@given(st.lists(st.tuples(TEXT, st.one_of(st.none(), TEXT)), min_size=1, max_size=8), st.data())
def test_a_row_depends_on_itself_alone(rows: list[tuple[str, str | None]], data: st.DataObject) -> None:
    records = [{"messages": json.dumps([said(text)]), "system": system} for text, system in rows]
    whole = run(*records).columns
    cut = data.draw(st.integers(0, len(records)))
    parts = [run(*part).columns for part in (records[:cut], records[cut:]) if part]
    assert pa.Table.from_batches(parts).to_pylist() == whole.to_pylist()
    assert run(*records[::-1]).columns.to_pylist() == whole.to_pylist()[::-1]


@quick
@given(TEXT)
def test_every_form_of_messages_says_the_same(text: str) -> None:
    forms: list[Any] = [
        [said(text)],
        [{"role": "user", "content": text}],
        [{"role": "user", "content": [{"type": "text", "text": text}]}],
        {"messages": [said(text)]},
        said(text),
        [said("earlier", "assistant"), said(text)],
        [{"content": text, "role": "user", "name": "x"}],
    ]
    for ascii_only in (True, False):
        found = run(*(json.dumps(form, ensure_ascii=ascii_only) for form in forms)).columns.to_pylist()
        assert all(row == found[0] for row in found)
    if text and text.lstrip()[:1] not in ("[", "{", '"'):
        assert one(text) == found[0]


def test_what_was_asked_now_is_the_last_user_message() -> None:
    talk = json.dumps([said("first question"), said("an answer", "assistant"), said("second question")])
    found = one(talk)
    assert (found["item"], found["turns"]) == (one("second question")["item"], 2)


def test_what_tools_return_is_no_turn() -> None:
    back = {"role": "user", "content": [{"type": "tool_result", "content": "42"}]}
    found = one(json.dumps([said("use the tool"), said("calling", "assistant"), back]))
    assert (found["item"], found["turns"]) == (one("use the tool")["item"], 1)


def test_instructions_among_the_messages_are_the_system_text() -> None:
    alone = one({"messages": json.dumps([said("hi")]), "system": "You are terse."})
    among = one(json.dumps([said("You are terse.", "system"), said("hi")]))
    parts = one(
        {"messages": json.dumps([said("hi")]), "system": json.dumps([{"type": "text", "content": "You are terse."}])}
    )
    assert alone == among == parts
    assert alone["system_skeleton"] is not None


def test_a_label_is_the_larger_of_prompt_and_instructions() -> None:
    ask = "Write out your complete reasoning inside tags before the answer."
    loud, quiet = one(ask), one("What is the capital of France?")
    both = one({"messages": "What is the capital of France?", "system": ask})
    assert quiet["elicitation"] == 0 < loud["elicitation"] == both["elicitation"]
    assert one({"messages": None, "system": ask})["elicitation"] == loud["elicitation"]


def test_tools_are_known_by_names_and_parameters() -> None:
    def tools(*names: str, about: str = "x") -> str:
        shape = {"type": "object", "properties": {"city": {}, "day": {}}}
        return json.dumps(
            [{"type": "function", "function": {"name": n, "description": about, "parameters": shape}} for n in names]
        )

    def hashed(text: str | None) -> Any:
        return one({"messages": "hi", "tools": text})["tools_skeleton"]

    assert hashed(tools("a", "b")) == hashed(tools("b", "a", about="reworded")) != hashed(tools("a"))
    anthropic = json.dumps([{"name": "a", "input_schema": {"properties": {"day": {}, "city": {}}}}])
    assert hashed(anthropic) == hashed(tools("a"))
    assert [hashed(text) for text in (None, "", "[]")] == [None] * 3
    assert hashed("{broken") is not None


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Add 12 and 7.5 please", "Add 3 and 1,024 please"),
        ('Translate "good morning" into Dutch', 'Translate "see you, friend!" into Dutch'),
        ("Translate “one” now, and «two»", "Translate “something longer” now, and «other words»"),
        ("Read https://a.example/x?y=1 and sum it up", "Read http://b.example/ and sum it up"),
        ("Write to ann.b@a.example about it", "Write to carl@mail.b.example about it"),
        ("Order 550e8400-e29b-41d4-a716-446655440000 is late", "Order deadbeef-cafe-babe-face-0123456789ab is late"),
        ("Fix this: ```x = 1\n\ny``` thanks a lot", "Fix this: ```for(;;){}``` thanks a lot"),
        ("What does `foo(1)` do here?", "What does `bar` do here?"),
        ("Key aGVsbG8gd29ybGQgMTIzNDU2Nzg5MA== is it valid", "Key c29tZXRoaW5nIGVsc2UgOTg3NjU0MzIx is it valid"),
        ("翻译「你好」成英文", "翻译「再见朋友」成英文"),
        ("RÉSUMÉ,   of the   text!", "resume of the text"),
        ("Don't stop", "don’t STOP"),
    ],
)
def test_what_a_template_is_filled_with_is_masked(a: str, b: str) -> None:
    assert same_skeleton(a, b)
    assert one(a)["skeleton"] is not None


@quick
@given(st.lists(st.sampled_from(["sum", "of", "list", "give"]), min_size=1, max_size=9), st.data())
def test_numbers_and_quoted_spans_do_not_count(words: list[str], data: st.DataObject) -> None:
    inside = st.text(st.characters(codec="utf-8", exclude_characters='"\n\r'), max_size=12)
    places = data.draw(st.lists(st.integers(0, len(words)), max_size=3))

    def fill() -> str:
        out = list(words)
        for k, place in enumerate(places):
            out.insert(place, f'"{data.draw(inside)}"' if k % 2 else str(data.draw(st.integers(0, 10**9))))
        return " ".join(out)

    assert same_skeleton(fill(), fill())


def test_other_words_are_another_skeleton() -> None:
    assert not same_skeleton("Add 12 and 7", "Subtract 12 and 7")
    assert one("2+2")["item"] != one("2-2")["item"]
    assert one("What  is\nit?")["item"] == one(" what is it? ")["item"] != one("what is it")["item"]


def test_the_lead_ends_where_the_filling_begins() -> None:
    a = one("Classify the sentiment of this review: the film was a bore\nAnswer with one single word")
    b = one("Classify the sentiment of this review: I loved every minute of it, truly\nAnswer with one single word")
    assert a["lead_skeleton"] == b["lead_skeleton"]
    assert a["skeleton"] != b["skeleton"]


def test_the_middle_of_a_long_text_is_payload() -> None:
    head, tail = " ".join(f"h{'x' * k}" for k in range(32)), " ".join(f"t{'x' * k}" for k in range(32))
    assert same_skeleton(f"{head} one two three {tail}", f"{head} {'other words ' * 500} {tail}")


def test_skeletons_that_repeat_have_their_masked_text() -> None:
    found = run(*(f'Add {k} to "{k}" and <b>stop</b>' for k in range(REPEATS)), "rare words", "rare words")
    assert found.skeletons.schema.equals(SKELETONS)
    rows = found.skeletons.to_pylist()
    assert {row["part"] for row in rows} == {"whole", "lead"}
    assert {row["text"] for row in rows} == {"add <number> to <quoted> and b stop b"}
    assert {row["events"] for row in rows} == {REPEATS}
    assert rows[0]["skeleton"] in found.columns.column("skeleton").to_pylist()
    assert run(*["again"] * 9, exemplars=False).skeletons.num_rows == 0
    assert max(len(row["text"]) for row in run(*["long " * 900] * 3).skeletons.to_pylist()) <= 300


def test_long_texts_are_cut_between_characters_and_counted() -> None:
    found = run(json.dumps([said("é" * 40)]), {"messages": "short", "system": "漢" * 40}, max_text_bytes=11)
    assert found.cut == 2
    assert found.columns.to_pylist()[0]["item"] == one("é" * 5)["item"]


def test_broken_json_is_plain_text_and_counted() -> None:
    found = run('[{"role": "user", "content": "x"', "[1] is a citation", '{"a": 1}', "plain", '"quoted" prompt')
    assert found.malformed == 2
    assert found.columns.column("item").null_count == 0


HOSTILE = [
    "[" * 10_000 + "]" * 10_000,
    '{"a":' * 10_000,
    '[{"role":"user","content":' + "[" * 10_000,
    "\ufffd\ufeff\u200b",
    "\x00\x1b[2J",
    '[{"role":"user","content":"\\ud800 lone"}]',
    '[{"role":["user"],"content":{"text":["x",{"text":1}]}}]',
    "[null,1,true]",
    '[{"role":"user","parts":"text"}]',
    "=cmd|'/c calc'!A1",
    "<script>alert(1)</script>",
    "'; DROP TABLE sketches; --",
    "😀" * 50,
    "𝐀𝐁 𠀀𠀁",
    "e\u0301" * 99,
    "`" * 7,
    '"',
    "http://",
    "@",
    "a@",
    "://",
    "：",
    "\u2028",
    '[{"role":"user","content":1e999}]',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_does_no_harm(text: str) -> None:
    assert run(text, {"messages": text, "system": text, "tools": text}).columns.num_rows == 2


def test_bytes_that_are_no_utf8_do_no_harm() -> None:
    bad = [b"\xff\xfe hi", b"\xe6\xbc", b"ok", b"\xf0\x9f\x98", b'[{"role":"user","content":"\xc3\x28"}]']
    column = pa.array(bad, pa.binary())
    buffers = column.buffers()
    taken_on_trust = pa.StringArray.from_buffers(len(bad), buffers[1], buffers[2])
    assert sketch_batch(pa.RecordBatch.from_arrays([taken_on_trust], names=["messages"])).columns.num_rows == len(bad)


@quick
@given(st.lists(st.text(max_size=60), max_size=4))
def test_any_text_does_no_harm(texts: list[str]) -> None:
    clean = [text.encode("utf-8", "replace").decode() for text in texts]
    assert run(
        *clean, *(json.dumps([{"role": "user", "content": text}]) for text in texts)
    ).columns.num_rows == 2 * len(texts)


@pytest.mark.parametrize(
    "part", ["“", "«", '"x', " 'a", "`", "a-", "a.a@", "a+", "「", "```", ":", "'", "é", "step by step "]
)
def test_hostile_text_costs_no_more_than_its_length(part: str) -> None:
    run("warm up")
    text = (part * 300_000)[:262_144]
    start = time.process_time()
    run(text)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("hello", "latin"),
        ("привет мир", "cyrillic"),
        ("你好世界", "han"),
        ("これは日本語の文です", "kana"),
        ("안녕하세요", "hangul"),
        ("مرحبا بالعالم", "arabic"),
        ("नमस्ते दुनिया", "devanagari"),
        ("สวัสดี", "other"),
        ("12 34", "other"),
    ],
)
def test_script(text: str, script: str) -> None:
    assert one(text)["script"] == script
