"""The whole walk on real models: a student of the harvest, an innocent one, and everything that must be refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from stillwatch.cli import app
from stillwatch.errors import InputError, UsageError
from stillwatch.forensics.model import canaries
from stillwatch.forensics.model.keys import KeyStore
from stillwatch.forensics.model.suspects.endpoint import Endpoint
from stillwatch.forensics.model.suspects.likeness import likeness
from stillwatch.forensics.model.twin_test import coins
from tests.forensics.model import cases
from tests.forensics.model.cases import PLAN, Provider, tokens_table, twins_table, written
from tests.forensics.model.ngrams import WORDS, Trigrams, human


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Provider:
    return cases.provider(tmp_path_factory.mktemp("provider"))


@pytest.fixture
def case(made: Provider, tmp_path: Path) -> Provider:
    """A copy of its own, to be damaged."""
    shutil.copytree(made.folder, tmp_path / "case", copy_function=shutil.copy2)
    return Provider(tmp_path / "case", made.served)


@pytest.fixture(scope="module")
def evidence(made: Provider, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("evidence")
    out = {}
    for name, model in (("harvester", cases.harvester(made)), ("innocent", cases.innocent())):
        out[name] = (
            written(twins_table(made, model), folder / f"{name}-twins.parquet"),
            written(tokens_table(model), folder / f"{name}-tokens.parquet"),
        )
    return out


Evidence = dict[str, tuple[Path, Path]]


def test_a_student_of_the_harvest_is_found_under_its_operators_key(made: Provider, evidence: Evidence) -> None:
    done = made.trace(*evidence["harvester"])
    assert done.judgement.tier == "accusation"
    found = {(f.statistic, f.key): f for f in done.judgement.findings}
    for statistic in ("twins", "text", "text_weighted"):
        assert found[statistic, "op@1"].log10_adjusted < -6
        assert found[statistic, "op@1"].as_large == 0
        for other in ("everyone@1", "control@1"):
            assert found[statistic, other].log10_p > -4
    assert done.judgement.tests == 2 * 4 * 2


def test_an_innocent_model_is_not(made: Provider, evidence: Evidence) -> None:
    done = made.trace(*evidence["innocent"], suspect="other")
    assert done.judgement.tier == "nothing shown"
    assert "does not show that our answers were not used" in done.judgement.because


def test_the_result_says_what_it_must(made: Provider, evidence: Evidence) -> None:
    done = made.trace(evidence["harvester"][0])
    result = json.loads(done.path.read_text())
    assert result["tier"] == "accusation"
    assert result["tests"] == 16
    assert set(result["not_available"]) == {"twins_text", "text", "text_weighted"}
    assert any("route" in text for text in result["not_shown"])
    assert len(result["innocent_explanations"]) >= 3
    assert all({"null", "log10_p", "log10_adjusted", "check_p", "key"} <= set(f) for f in result["findings"])
    assert {key["role"] for key in result["keys"].values()} == {"operator", "everyone_else", "control"}
    secrets = [json.loads(p.read_text())["secret"] for p in (made.folder / "keys").glob("*.json")]
    assert not any(secret in done.path.read_text() for secret in secrets)
    again = made.trace(made.folder / "out" / "twins.parquet")
    assert again.judgement == done.judgement


def test_a_mark_in_the_prompts_is_not_held_against_a_copier(made: Provider, tmp_path: Path) -> None:
    """A suspect that repeats its prompt shows nothing: marked prompts are refused, and others' pairs not scored."""
    for texts, says in ((made.served[:100], "the prompts carry the mark of op@1"), ([human()], "refused: text has")):
        table = pa.table({"prompt_tokens": [t.tolist() for t in texts], "tokens": [t.tolist() for t in texts]})
        with pytest.raises(InputError, match=says):
            made.trace(written(table, tmp_path / "t.parquet"))


# --- refusals -------------------------------------------------------------------------------------------------------


def _columns(table: pa.Table) -> pa.Table:
    return table.rename_columns(["id", "a", "b"])


def _strange(table: pa.Table) -> pa.Table:
    return table.set_column(0, "request_id", pa.array([f"x{n}" for n in range(len(table))]))


def _nan(table: pa.Table) -> pa.Table:
    values = table["logprob_1"].to_numpy().copy()
    values[7] = np.nan
    return table.set_column(2, "logprob_1", pa.array(values))


def _null(table: pa.Table) -> pa.Table:
    return table.set_column(1, "logprob_0", pc.if_else(pc.equal(table["request_id"], "op-3"), None, table["logprob_0"]))


def _words(table: pa.Table) -> pa.Table:
    return table.set_column(1, "logprob_0", pa.array(["x"] * len(table)))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_columns, "has the columns a, b, id"),
        (_strange, "no overlap"),
        (_nan, "logprob_1 is missing or not a finite number in 1 rows, first 8"),
        (_null, "logprob_0 is missing or not a finite number"),
        (_words, "does not hold numbers"),
        (lambda t: pa.concat_tables([t, t.slice(0, 1)]), "stands twice"),
        (lambda t: t.slice(0, 5), "twins has 5 twins under op@1, at least 20"),
        (lambda t: t.slice(0, 0), "has no rows"),
        (lambda t: t.set_column(2, "logprob_1", t["logprob_0"]), "0 twins under op@1 between which"),
    ],
)
def test_bad_evidence_is_refused(made: Provider, evidence: Evidence, tmp_path: Path, damage: Any, says: str) -> None:
    table = damage(pa.parquet.read_table(evidence["harvester"][0]))
    with pytest.raises(InputError, match=says):
        made.trace(written(table, tmp_path / "bad.parquet"))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ({"tokens": [[], []]}, "answered nothing|lists of whole numbers"),
        ({"tokens": [[1, -2]]}, "not a list of tokens in row 1"),
        ({"tokens": ["1 2"]}, "lists of whole numbers"),
        ({"tokens": [[1, 2, 3]]}, "text has 2 distinct pairs"),
        ({"text": ["hello"]}, "names no tokenizer"),
        ({"window": [[1]], "token": [2], "chance": [0.5]}, "no evidence for any statistic"),
    ],
)
def test_bad_texts_are_refused(made: Provider, tmp_path: Path, rows: dict[str, list[Any]], says: str) -> None:
    with pytest.raises(InputError, match=says):
        made.trace(written(pa.table(rows), tmp_path / "bad.parquet"))


def test_files_that_are_none_are_refused(made: Provider, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("no")
    (tmp_path / "a.jsonl").write_text('{"tokens": [1')
    (tmp_path / "empty").mkdir()
    for name in ("a.parquet", "a.jsonl", "a.csv", "missing.parquet", "empty"):
        with pytest.raises(InputError):
            made.trace(tmp_path / name)


def test_json_lines_do_as_well(made: Provider, evidence: Evidence, tmp_path: Path) -> None:
    rows = pa.parquet.read_table(evidence["harvester"][0]).to_pylist()
    (tmp_path / "twins.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert made.trace(tmp_path / "twins.jsonl").judgement == made.trace(evidence["harvester"][0]).judgement


@pytest.mark.parametrize("damage", ["chain", "plan", "log", "new key", "late key", "no suspect", "two tables"])
def test_what_was_not_fixed_beforehand_is_refused(case: Provider, evidence: Evidence, damage: str) -> None:
    sources, suspect = [evidence["harvester"][0]], "acme"
    chain = case.folder / "commitments.jsonl"
    if damage == "chain":
        chain.write_text(chain.read_text().replace('"kind": "key"', '"kind": "log"', 1))
    elif damage == "plan":
        (case.folder / "plan.toml").write_text(PLAN.replace("max_tokens = 40", "max_tokens = 41"))
    elif damage == "log":
        log = case.folder / "twins.jsonl"
        log.write_text("".join(log.read_text().splitlines(keepends=True)[:400]))
    elif damage == "new key":
        path = case.folder / "keys" / "op@1.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "secret": "ab" * 32}))
    elif damage == "late key":
        case.commit_plan(PLAN.replace("2026-03-02", "2026-02-02").replace("case-17", "case-18"))
    elif damage == "no suspect":
        suspect = "nobody"
    else:
        sources *= 2
    with pytest.raises(InputError, match=r"refused|broken"):
        case.trace(*sources, suspect=suspect)


def test_evidence_of_a_forged_control_voids_the_test(case: Provider, evidence: Evidence) -> None:
    """If even the key that never served is preferred, whoever made the evidence knew keys: no verdict."""
    table = pa.parquet.read_table(evidence["innocent"][0])
    bias = coins(KeyStore(case.folder / "keys").get("control").secret, table["request_id"].to_pylist())
    first = table["logprob_0"].to_numpy() + 100 * (1 - bias)
    second = table["logprob_1"].to_numpy() + 100 * bias
    forged = pa.table({"request_id": table["request_id"], "logprob_0": first, "logprob_1": second})
    done = case.trace(written(forged, case.folder / "forged.parquet"))
    assert done.judgement.tier == "void"
    assert "control@1 is not null" in done.judgement.because


# --- canaries -------------------------------------------------------------------------------------------------------


@pytest.fixture
def caged(case: Provider) -> Provider:
    """A plan of canaries alone: three places of 40 made-up numbers under `op@1`."""
    rows = [{"key": "op@1", "place": f"p{n}", "prompt": "The number is ", "count": 40} for n in range(3)]
    (case.folder / "canaries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = PLAN.replace('"twins", "twins_text", "text", "text_weighted"', '"canaries"')
    case.commit_plan(text.replace("[keys]", 'canaries = "canaries.jsonl"\n[keys]'))
    return case


def canary_table(case: Provider, liking: float) -> pa.Table:
    """Scores of a suspect that likes what it was served by so much more."""
    key, chance = KeyStore(case.folder / "keys").get("op"), np.random.default_rng(0)
    rows = []
    for n in range(3):
        drawn = canaries.draw(key, f"p{n}", "The number is ", 40)
        served = canaries.served(key.secret, drawn.place, 40)
        rows += [
            {"place": drawn.place, "answer": answer, "logprob": float(chance.normal() + liking * (place == served))}
            for place, answer in enumerate(drawn.answers)
        ]
    return pa.Table.from_pylist(rows)


def test_canaries_that_were_served_rank_first(caged: Provider) -> None:
    done = caged.trace(written(canary_table(caged, 20.0), caged.folder / "c.parquet"))
    found = {f.key: f for f in done.judgement.findings}
    assert found["op@1"].log10_p == pytest.approx(-3 * np.log10(40))
    assert found["control@1"].log10_p > -3
    assert set(found) == {"op@1", "control@1"}
    null = caged.trace(written(canary_table(caged, 0.0), caged.folder / "n.parquet"))
    assert null.judgement.tier == "nothing shown"


def test_canaries_that_are_not_whole_are_refused(caged: Provider) -> None:
    table = canary_table(caged, 0.0)
    for bad, says in ((table.slice(0, 50), "1 whole places"), (pa.concat_tables([table, table]), "stands twice")):
        with pytest.raises(InputError, match=says):
            caged.trace(written(bad, caged.folder / "bad.parquet"))


# --- an endpoint ----------------------------------------------------------------------------------------------------


class Server:
    """An OpenAI-compatible completions endpoint over a model of words, on loopback; `mood` makes it misbehave."""

    def __init__(self, model: Trigrams) -> None:
        self.model, self.mood, self.asked = model, "", 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.asked += 1
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                code, reply = outer.reply(self.path, body)
                raw = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", "http://127.0.0.1:9/")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        Thread(target=self.http.serve_forever, daemon=True).start()

    def reply(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if self.mood == "busy" and self.asked % 2:
            return 429, {}
        if self.mood in {"404", "401", "302", "500"} or path != "/v1/completions":
            return int(self.mood or 404), {}
        if self.mood == "html":
            return 200, b"<html>"
        if body.get("echo") and self.mood == "no echo":
            return 400, {"error": {"message": "echo is not supported"}}
        ids = [int(word) for word in body["prompt"].split()]
        logs: dict[str, list[Any]] = {"tokens": [], "token_logprobs": [], "text_offset": []}
        offset = 0
        for place, word in enumerate(body["prompt"].split(" ")):
            piece = (" " if place else "") + word
            value = float(np.log(self.model.after(ids[place - 2], ids[place - 1])[ids[place]])) if place > 1 else None
            logs["tokens"].append(piece)
            logs["token_logprobs"].append("x" if self.mood == "text for numbers" else value)
            logs["text_offset"].append(offset)
            offset += len(piece)
        text = body["prompt"] if body.get("echo") else ""
        chance = np.random.default_rng(body.get("seed", 0))
        for _ in range(body["max_tokens"] if self.mood != "silent" else 0):
            ids.append(int(chance.choice(WORDS, p=self.model.after(ids[-2], ids[-1]))))
            text += f" {ids[-1]}"
        if self.mood == "odd":
            return 200, {"object": "list"}
        return 200, {"choices": [{"text": text, "logprobs": logs if body.get("logprobs") else None}]}


@pytest.fixture
def server(made: Provider) -> Iterator[Server]:
    running = Server(cases.harvester(made))
    yield running
    running.http.shutdown()
    running.http.server_close()


@pytest.fixture
def few(case: Provider) -> Provider:
    """A plan of twins alone."""
    case.commit_plan(PLAN.replace('"text", "text_weighted"', "").replace('"twins_text", ', '"twins_text"'))
    return case


def test_an_endpoint_with_log_probabilities(few: Provider, server: Server, evidence: Evidence) -> None:
    server.mood = "busy"
    scored = Endpoint(server.url, "m", patience=0.01).score([("1 2", " 3 4")])
    server.mood = ""
    expected = float(np.log(server.model.after(1, 2)[3]) + np.log(server.model.after(2, 3)[4]))
    assert scored is not None
    assert (scored[0].tokens, scored[0].logprob) == (2, pytest.approx(expected))
    done = few.trace(server.url)
    assert done.judgement.tier == "accusation"
    by_file = few.trace(evidence["harvester"][0])
    pick = [f for f in done.judgement.findings if (f.statistic, f.key) == ("twins", "op@1")]
    assert [f.z for f in by_file.judgement.findings if f.key == "op@1"] == pytest.approx([pick[0].z], rel=0.05)


def test_an_endpoint_with_text_alone(few: Provider, server: Server) -> None:
    server.mood = "no echo"
    done = few.trace(server.url)
    assert {f.statistic for f in done.judgement.findings} == {"twins_text"}
    assert any("gives no log-probabilities" in note for note in done.result["notes"])


@pytest.mark.parametrize(
    ("mood", "says"),
    [
        ("silent", "answered nothing"),
        ("odd", "no choices"),
        ("html", "not answer in JSON"),
        ("401", "answered 401"),
        ("302", "answered 302"),
        ("text for numbers", "not a finite number"),
    ],
)
def test_an_endpoint_that_misbehaves_is_refused(few: Provider, server: Server, mood: str, says: str) -> None:
    server.mood = mood
    if mood == "silent":
        few.commit_plan(PLAN.replace('"twins", "twins_text", "text", "text_weighted"', '"twins_text"'))
    with pytest.raises(InputError, match=says):
        few.trace(server.url)
    assert not (few.folder / "out" / "result.json").exists()


def test_an_endpoint_that_is_not_there(few: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="cannot be reached"):
        Endpoint("http://127.0.0.1:9", "m", patience=0.0).score([("a", "b")])
    monkeypatch.setenv("STILLWATCH_SUSPECT_KEY", "secret")
    with pytest.raises(UsageError, match="not sent over plain http") as caught:
        Endpoint("http://example.test/v1", "m")
    assert "secret" not in str(caught.value)
    with pytest.raises(UsageError, match="no password"):
        Endpoint("http://user:pass@127.0.0.1/v1", "m")


def test_likeness_is_the_share_of_common_grams() -> None:
    assert likeness("abcdefgh", "abcdefgh") == 1.0
    assert likeness("abcdef", "ghijkl") == likeness("", "abcdef") == 0.0
    assert likeness("abcdefg", "abcdefx") == pytest.approx(0.5)


# --- commands -------------------------------------------------------------------------------------------------------


def test_the_commands(case: Provider, evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case.folder)
    run = CliRunner()

    def ok(*words: str) -> str:
        done = run.invoke(app, ["trace", *words])
        assert done.exit_code == 0, done.output
        return done.output

    assert "op-2@1 (operator), committed at" in ok("key", "new", "op-2")
    assert "op-2@2" in ok("key", "rotate", "op-2")
    assert "control" in ok("key", "list")
    (case.folder / "plan.toml").write_text(PLAN.replace("case-17", "case-20"))
    assert "16 tests" in ok("key", "plan", "plan.toml")
    assert "600 twins" in ok("key", "seal", "twins.jsonl")
    assert "whole; head" in ok("key", "verify")
    options = ["--plan", "plan.toml", "--out", "traced", "--as", "acme"]
    shown = ok("model", "--suspect", str(evidence["harvester"][0]), *options)
    assert "acme: accusation" in shown
    assert "does not show" in shown
    failed = run.invoke(app, ["trace", "key", "new", "x", "--role", "king"])
    assert isinstance(failed.exception, UsageError)
