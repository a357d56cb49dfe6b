"""The table `answers`: what every format gives, what is left out, and that no other table changes for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.engine.runfolder import RunFolder
from stillwatch.ingest.ingest import ingest
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.ingest.sketch import sketch_batch
from stillwatch.ingest.text import extract
from stillwatch.ingest.text.messages import answered
from stillwatch.model import ANSWERS, EVENTS
from stillwatch.settings import IngestSettings
from tests.forensics.data import naive
from tests.forensics.data.logs import AnswerLog

SAID = "The quick brown fox jumps over the lazy dog, and then over every other dog in the whole of the long street."


def run_of(rows: list[dict[str, Any]], folder: Path, name: str = "run", **more: Any) -> RunFolder:
    path = folder / f"{name}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, EVENTS), path)
    run = RunFolder(folder / name)
    run.begin()
    ingest([path], run, **more)
    return run


def test_an_answer_is_kept_as_its_definition_says(tmp_path: Path) -> None:
    log = AnswerLog(requests=40)
    rows = [{**event, "response": None} if k % 4 == 0 else event for k, event in enumerate(log.events)]
    run = run_of(rows, tmp_path)
    kept = {row["event_id"]: row for row in run.read("answers").to_pylist()}
    assert set(kept) == {row["event_id"] for row in rows if row["response"]}
    sketches = {row["event_id"]: row for row in run.read("sketches").to_pylist()}
    for row in rows:
        if not row["response"]:
            continue
        found = kept[row["event_id"]]
        asked, said = (json.loads(row[name])[0]["parts"][0]["content"] for name in ("messages", "response"))
        assert found["fingerprints"] == naive.fingerprints(said, asked)
        assert found["text"] == naive.text_hash(said)
        assert found["words"] == len(naive.words(said))
        same = ("source_id", "source_row", "time", "account_id", "model")
        assert [found[name] for name in same] == [sketches[row["event_id"]][name] for name in same]


def test_no_other_table_changes_and_no_text_is_kept(tmp_path: Path) -> None:
    rows = AnswerLog(requests=60).events
    rows += [{**rows[3]}, {**rows[5], "model": "other"}]
    on = run_of(rows, tmp_path, "on")
    off = run_of(rows, tmp_path, "off", settings=IngestSettings(answers=False))
    bare = run_of([{**row, "response": None} for row in rows], tmp_path, "bare")
    for name in ("sketches", "skeletons"):
        assert on.read(name).equals(off.read(name)), name
        assert on.read(name).equals(bare.read(name)), name
    assert on.read("rejects")["row"].equals(off.read("rejects")["row"])
    assert len(on.read("answers")) == 60
    assert len(off.read("answers")) == len(bare.read("answers")) == 0
    assert pq.read_schema(bare.path("answers")).equals(ANSWERS)
    word = json.loads(rows[1]["response"])[0]["parts"][0]["content"].split()[0]
    assert word.encode() not in b"".join(path.read_bytes() for path in on.root.iterdir())


def test_identifiers_are_pseudonyms(tmp_path: Path) -> None:
    names = Pseudonyms.keyed(b"k" * 16)
    run = run_of(AnswerLog(requests=12).events, tmp_path, pseudonyms=names)
    assert set(run.read("answers")["account_id"].to_pylist()) == {
        names.one("account_id", f"acct-{k}") for k in range(10)
    }


def test_of_an_event_that_comes_twice_one_answer_stays(tmp_path: Path) -> None:
    rows = AnswerLog(requests=30).events
    later = [
        {**row, "time": row["time"].replace(minute=30), "response": "Something else altogether."} for row in rows[:9]
    ]
    once, twice = run_of(rows, tmp_path, "once"), run_of([*later, *rows], tmp_path, "twice")
    names = [name for name in ANSWERS.names if name != "source_row"]
    tables = [run.read("answers").select(names).sort_by("event_id") for run in (once, twice)]
    assert tables[0].equals(tables[1])


SHAPES = {
    "text": SAID,
    "parts": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": SAID}]}]),
    "content": json.dumps([{"role": "assistant", "content": SAID}]),
    "one message": json.dumps({"role": "assistant", "content": SAID}),
    "choices": json.dumps({"choices": [{"message": {"role": "assistant", "content": SAID}}]}),
    "a JSON string": json.dumps(SAID),
    "a tool was called as well": json.dumps(
        [{"role": "assistant", "parts": [{"type": "text", "content": SAID}, {"type": "tool_call", "name": "f"}]}]
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_an_answer_is_the_same_answer(shape: str) -> None:
    assert answered(SHAPES[shape]) == SAID
    row = {"event_id": "e", "time": 0, "account_id": "a", "model": "m", "response": SHAPES[shape]}
    found = sketch_batch(pa.RecordBatch.from_pylist([row], schema=EVENTS)).answers.to_pylist()
    assert [one["fingerprints"] for one in found] == [naive.fingerprints(SAID)]


def test_an_answer_that_is_json_itself_is_kept_as_it_is() -> None:
    assert answered('{"label": "spam"}') == '{"label": "spam"}'
    assert answered("[1, 2") == "[1, 2"
    assert answered('[{"role": "assistant", "parts": [{"type": "tool_call", "name": "f"}]}]') == ""
    reasoned = [{"type": "reasoning", "content": "Hm."}, {"type": "text", "content": "Yes."}]
    assert answered(json.dumps([{"role": "assistant", "parts": reasoned}])) == "Hm.\nYes."
    assert answered(None) == ""


MESSAGE = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["assistant", "user", "tool"]),
        "content": st.sampled_from(["", "Yes.", "No,\n\u00e9 \U0001f600"]),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.lists(MESSAGE, max_size=3).map(json.dumps), st.text(max_size=20)), max_size=8))
def test_compiled_code_reads_what_the_slow_one_does(responses: list[str | None]) -> None:
    found = extract.answers(pa.array(responses, pa.string()), 1_000)
    texts = [found.data[a:b].tobytes().decode() for a, b in zip(found.offsets[:-1], found.offsets[1:], strict=True)]
    for text, response in zip(texts, responses, strict=True):
        one = response is not None and _only_assistant(response)
        assert text == (answered(response) if not isinstance(one, str) else one)


def _only_assistant(response: str) -> str | bool:
    """What the assistant says, of a conversation with one message of the assistant's that has text."""
    try:
        read = json.loads(response)
    except ValueError:
        return False
    if not isinstance(read, list) or not all(isinstance(m, dict) for m in read):
        return False
    said = [m["content"] for m in read if m["role"] == "assistant" and m["content"]]
    usual = all(m["role"] in ("assistant", "user") for m in read)
    return said[0] if usual and len(said) == 1 else False
