"""Corpora of every shape, and of every way in which they can be broken."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import InputError
from stillwatch.forensics.data.corpus import Corpus, open_corpus

TALK = [
    {"from": "system", "value": "Be brief."},
    {"from": "human", "value": "Why?"},
    {"from": "gpt", "value": "Because of one."},
    {"from": "human", "value": "And?"},
    {"from": "gpt", "value": "Because of two."},
]
CHAT = [
    {"role": "user", "content": "Why?"},
    {"role": "assistant", "content": [{"type": "text", "text": "Because of one."}]},
    {"role": "tool", "content": "42"},
    {"role": "assistant", "content": "Because of two."},
]
FIRST, PART = "Because of one.", {"type": "text", "content": "Yes."}
SHAPES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "sharegpt": ({"id": "x", "conversations": TALK}, ["Because of one.", "Because of two."]),
    "messages": ({"messages": CHAT}, ["Because of one.", "Because of two."]),
    "messages as JSON": ({"messages": json.dumps(CHAT)}, ["Because of one.", "Because of two."]),
    "alpaca": ({"instruction": "Why?", "input": "", "output": "Because."}, ["Because."]),
    "completion": ({"prompt": "Why?", "completion": "Because."}, ["Because."]),
    "preference": ({"prompt": "Why?", "chosen": "Because.", "rejected": "No."}, ["Because.", "No."]),
    "preference of chats": ({"chosen": CHAT, "rejected": CHAT[:2]}, ["Because of one.", "Because of two.", FIRST]),
    "log": ({"event_id": "e", "messages": CHAT[:1], "response": json.dumps([{"role": "assistant", "parts": [PART]}])},
            ["Yes."]),
    "text": ({"text": "[1] is no JSON"}, ["[1] is no JSON"]),
    "choices": ({"response": {"choices": [{"message": {"role": "assistant", "content": "Yes."}}]}}, ["Yes."]),
}  # fmt: skip


def texts(corpus: Corpus) -> list[tuple[int, int, str]]:
    out = []
    for batch in corpus.batches():
        for k, (row, part) in enumerate(zip(batch.row.tolist(), batch.part.tolist(), strict=True)):
            data = batch.data[batch.offsets[k] : batch.offsets[k + 1]].tobytes()
            out.append((row, part, data.decode()))
    return out


def lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("container", ["lines", "array", "gzip", "parquet"])
def test_every_shape_in_every_container(shape: str, container: str, tmp_path: Path) -> None:
    row, expected = SHAPES[shape]
    path = tmp_path / {"lines": "c.jsonl", "array": "c.json", "gzip": "c.jsonl.gz", "parquet": "c.parquet"}[container]
    if container == "lines":
        lines(path, [row, row])
    elif container == "array":
        path.write_text(json.dumps([row, row], indent=1))
    elif container == "gzip":
        path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for _ in "ab").encode()))
    else:
        if shape == "messages" or "chats" in shape:
            row = json.loads(
                json.dumps(row).replace('[{"type": "text", "text": "Because of one."}]', '"Because of one."')
            )
        pq.write_table(pa.Table.from_pylist([row, row]), path)
    found = texts(open_corpus([path]))
    assert found == [(number, part, text) for number in (1, 2) for part, text in enumerate(expected)]


def test_csv_and_a_folder_of_files(tmp_path: Path) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["id", "output"], ["1", "=cmd|' /C calc'!A0"], ["2", "two,\nlines"], ["3", ""]])
    (tmp_path / "a.csv").write_text(out.getvalue())
    lines(tmp_path / "b.jsonl", [{"text": "<script>alert(1)</script>\x1b[2J"}])
    corpus = open_corpus([tmp_path])
    assert [text for *_, text in texts(corpus)] == [
        "=cmd|' /C calc'!A0", "two,\nlines", "<script>alert(1)</script>\x1b[2J",
    ]  # fmt: skip
    assert dict(corpus.rejected) == {"no text": 1}
    assert (corpus.rows, corpus.texts) == (4, 3)


NAMES = ["human", "gpt", " User", "GPT", "ſystem", "tool", "", None, "assistant", "human\u00a0"]
WORDS = ["yes", "", None, "[1] is no JSON", '{"a"', "é\u2028x", "\x00", '"quoted"', "no\nmore", "🙂" * 3]
ODD: dict[str, list[Any]] = {
    "talks": [{"conversations": [{"from": "gpt", "value": {"text": "odd"}}]}, {"conversations": "just text"}],
    "chats": [{"messages": [{"role": "assistant", "content": [{"type": "text", "text": "odd"}]}]}, {"messages": [7]}],
    "plain": [{"output": ["odd"]}, {"output": {"choices": [{"message": {"content": "odd"}}]}}, {"output": 7}],
}


def usual(shape: str, chance: random.Random) -> dict[str, Any]:
    """A row of the usual shape, some with more and some with less than most."""
    if shape == "plain":
        row = {"output": chance.choice(WORDS), "more": {"deep": [{"x": 1.5}]}}
        return row if chance.random() < 0.9 else {"more": 1}
    by, said = ("from", "value") if shape == "talks" else ("role", "content")
    turns = [{by: chance.choice(NAMES), said: chance.choice(WORDS), "loss": 0} for _ in range(chance.randrange(4))]
    turns = [{key: value for key, value in turn.items() if chance.random() < 0.95} for turn in turns]
    return {"conversations" if shape == "talks" else "messages": turns if chance.random() < 0.95 else None}


@pytest.mark.parametrize("shape", ODD)
def test_one_odd_line_changes_nothing_of_the_others(shape: str, tmp_path: Path) -> None:
    """Lines of the usual shape are read by columns, all others one by one: the texts are the same."""
    chance = random.Random(shape)
    rows = [usual(shape, chance) for _ in range(3_000)]
    quick = open_corpus([lines(tmp_path / "usual.jsonl", rows)])
    expected = texts(quick)
    assert len(expected) > 1_000
    for odd in (*ODD[shape], [], "text"):
        slow = open_corpus([lines(tmp_path / "odd.jsonl", [*rows, odd])])
        assert [found for found in texts(slow) if found[0] <= len(rows)] == expected
        assert slow.rejected["no text"] - (quick.rejected["no text"]) in {0, 1}
        assert [row for row in slow.rejects if row[1] <= len(rows)] == [
            (str(tmp_path / "odd.jsonl"), *rest) for _, *rest in quick.rejects
        ]


def test_blank_lines_keep_the_numbers_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_bytes(b'{"output": "one"}\n\n{"output": "three"}{"output": "four"}\n  \n{"output": "five"}')
    assert texts(open_corpus([path])) == [(1, 0, "one"), (5, 0, "five")]
    path.write_bytes(b'{"output": "\xff"}\n{"output": "' + b"a" * 100 + b'"}')
    assert [row for row, *_ in texts(open_corpus([path]))] == [1, 2]


def test_a_line_that_is_nested_too_deep_fails_alone(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    deep = b"[" * 3_000_000 + b"]" * 3_000_000
    path.write_bytes(b'{"output": "one"}\n{"output": "two", "more": ' + deep + b'}\n{"output": "three"}\n')
    assert {(1, 0, "one"), (3, 0, "three")} <= set(texts(open_corpus([path])))


def test_broken_rows_are_counted_and_the_others_read(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_bytes(
        b'{"output": "one"}\nnot json\n[1]\n{"output": 7}\n{"output": null}\n{"other": "x"}\n'
        + b'{"output": ' + b"[" * 100_000 + b"}\n"
        + b'{"output": "\\ud800 lone"}\n{"output": "bad \xff byte"}\n{"output": {"a": {"b": 1}}}\n{"output": "last'
    )  # fmt: skip
    corpus = open_corpus([path])
    found = texts(corpus)
    assert [row for row, *_ in found] == [1, 8, 9]
    assert found[0][2] == "one"
    assert corpus.rejected["no text"] == 4
    assert sum(corpus.rejected.values()) == 8
    assert {row for _, row, _ in corpus.rejects} == {2, 3, 4, 5, 6, 7, 10, 11}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("c.jsonl", b'{"id": 1, "label": "x"}\n', "no column of text among id, label"),
        ("c.jsonl", b'{"output": ""}\n{"output": null}\n', "no text to trace (no text: 2)"),
        ("c.jsonl", b"", "no text to trace"),
        ("c.parquet", b"PAR1 and no more", "is no whole Parquet file"),
        ("c.jsonl.gz", b"", "is empty"),
        ("c.csv", b"a,b\n1,2\n", "no column of text among a, b"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        texts(open_corpus([path]))
    assert said in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_named_column_is_read_and_one_that_is_not_there_refused(tmp_path: Path) -> None:
    path = lines(tmp_path / "c.jsonl", [{"output": "this", "note": "that"}])
    assert [text for *_, text in texts(open_corpus([path], "note"))] == ["that"]
    with pytest.raises(InputError, match="there is no column nota; there are: note, output"):
        texts(open_corpus([path], "nota"))
    with pytest.raises(InputError, match="no such file"):
        open_corpus([tmp_path / "nothing.jsonl"])


def test_a_long_text_is_cut_and_counted(tmp_path: Path) -> None:
    path = lines(tmp_path / "c.jsonl", [{"text": "short"}, {"text": "é" * 200_000}, {"text": "after"}])
    corpus = open_corpus([path])
    batch = next(corpus.batches())
    sizes = (batch.offsets[1:] - batch.offsets[:-1]).tolist()
    assert sizes == [5, 262_144, 5]
    assert batch.data[batch.offsets[2] :].tobytes() == b"after"
    assert corpus.cut == 1


BOMB = """
import resource, sys
from stillwatch.errors import InputError
from stillwatch.forensics.data.corpus import open_corpus
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
corpus = open_corpus([sys.argv[1]])
rows = [row for batch in corpus.batches() for row in batch.row.tolist()]
print(rows, dict(corpus.rejected), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_a_decompression_bomb_does_not_fill_memory(tmp_path: Path) -> None:
    """Half a GiB in one line, of half a megabyte."""
    path = tmp_path / "bomb.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as out:
        out.write(b'{"text": "before"}\n{"text": "')
        for _ in range(512):
            out.write(b"a" * (1 << 20))
        out.write(b'"}\n{"text": "after"}\n')
    done = subprocess.run([sys.executable, "-c", BOMB, path], check=True, capture_output=True, text=True)
    rows, rest = done.stdout.split("] ")
    assert rows == "[1, 3"
    assert rest.startswith("{'longer than 64 MiB': 1}")
    assert int(rest.split("} ")[1]) < 300
