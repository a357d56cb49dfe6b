"""Corpora of every shape, and of every way in which they can be broken."""

from __future__ import annotations

import csv
import gzip
import io
import json
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
