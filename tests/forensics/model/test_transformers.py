"""Suspects that are transformers models, made here in a minute; needs the extra `forensics`."""

# ruff: noqa: E402 - the imports below need the extra

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import types
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
sys.path.insert(0, str(Path(__file__).parent.parent.parent.parent / "benchmarks"))

import forensics_lab as lab
from stillwatch.errors import InputError
from stillwatch.forensics.model.commitments import Commitments
from stillwatch.forensics.model.keys import KeyStore
from stillwatch.forensics.model.suspects.local import LocalModel
from stillwatch.forensics.model.twins import TwinLog, log_head
from stillwatch.forensics.model.watermark import Marker, Scheme, WatermarkLogitsProcessor
from tests.forensics.model.cases import SERVED, START, Provider

pytestmark = pytest.mark.slow
DOCS = Path(__file__).parent.parent.parent.parent
SCHEME = Scheme("green", 1, 0.25, 3.0)
PLAN = """
name = "case-17"
suspects = ["acme"]
statistics = ["twins", "text", "text_weighted", "distribution"]
controls = ["control@1"]
twin_log = "twins.jsonl"
tokenizer = "tokenizer.json"
prompts = "prompts.jsonl"
max_tokens = 64
[keys]
"op@1" = 2026-03-02T00:00:00Z
[watermark]
window = 1
delta = 3.0
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Provider, Any, Any, Path]:
    """A case on a transformer, its tokeniser, its student and the student's folder."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("case")
    text = "\n\n".join(path.read_text("utf-8") for path in sorted((DOCS / "docs").glob("*.md")))
    tokens = lab.tokenizer(text, 400)
    tokens.save(str(folder / "tokenizer.json"))
    stream = np.array(tokens.encode(text).ids, dtype=np.int64)
    teacher = lab.fresh(400, 48, 1, seed=0)
    lab.train(teacher, stream, 120, 0, rate=5e-3)
    store, chain = KeyStore(folder / "keys"), Commitments(folder / "commitments.jsonl")
    for name, role in (("op", "operator"), ("control", "control")):
        key = store.new(name, role)  # type: ignore[arg-type]
        chain.append("key", key.id, key.commitment, now=START)
    key = store.get("op")
    asked = lab.prompts(stream, 150, 1)
    pair = [lab.answers(teacher, asked, n, Marker(key, SCHEME, n)) for n in (0, 1)]
    served = []
    with TwinLog(folder / "twins.jsonl") as log:
        for n, prompt in enumerate(asked):
            texts = [tokens.decode(answer[n].tolist()) for answer in pair]
            coin = log.add(f"r{n}", key, tokens.decode(prompt.tolist()), texts, now=SERVED)
            served.append(tokens.encode(tokens.decode(prompt.tolist()) + texts[coin]).ids)
    chain.append("log", "twins.jsonl", log_head(folder / "twins.jsonl")[1])
    student = lab.fresh(400, 48, 1, seed=1)
    lab.train(student, np.array([id for ids in served for id in ids], dtype=np.int64), 250, 1, rate=5e-3)
    lab.save(student, tokens, folder / "student")
    case = Provider(folder, [])
    lines = [json.dumps({"prompt": tokens.decode(row.tolist())}) for row in asked[:60]]
    (folder / "prompts.jsonl").write_text("\n".join(lines) + "\n")
    case.commit_plan(PLAN)
    return case, tokens, student, folder / "student"


def test_a_student_in_a_folder_is_found(made: tuple[Provider, Any, Any, Path]) -> None:
    case, _, _, folder = made
    done = case.trace(folder)
    found = {(f.statistic, f.key): f for f in done.judgement.findings}
    assert {statistic for statistic, _ in found} == {"twins", "text", "text_weighted", "distribution"}
    assert done.judgement.tier == "accusation"
    assert found["twins", "op@1"].log10_p < -6
    assert found["distribution", "op@1"].log10_p < -6
    assert all(f.log10_p > -4 for (_, key), f in found.items() if key == "control@1")


def test_log_probabilities_are_those_of_the_model(made: tuple[Provider, Any, Any, Path]) -> None:
    _, tokens, student, folder = made
    prompt, answer = "A group of accounts", " is linked by what they share."
    (scored,) = LocalModel(folder).score([(prompt, answer)]) or []
    before, after = tokens.encode(prompt).ids, tokens.encode(answer).ids
    with torch.no_grad():
        logs = torch.log_softmax(student(torch.tensor([before + after])).logits[0].double(), -1)
    expected = sum(float(logs[len(before) - 1 + n, id]) for n, id in enumerate(after))
    assert scored.tokens == len(after)
    assert scored.logprob == pytest.approx(expected, abs=1e-3)


def test_another_tokeniser_gives_no_distribution(made: tuple[Provider, Any, Any, Path], tmp_path: Path) -> None:
    _, _, _, folder = made
    lab.tokenizer("quite another text, again and again", 300).save(str(tmp_path / "other.json"))
    got = LocalModel(folder).positions([("a", " b")], tmp_path / "other.json", 1)
    assert got == "the suspect's tokens are not the provider's"


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be loaded"):
        LocalModel(tmp_path)
    # weights that are a pickle would run code: they are not read
    config = '{"model_type": "gpt2", "n_embd": 8, "n_head": 1, "n_layer": 1, "vocab_size": 9}'
    (tmp_path / "config.json").write_text(config)
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="cannot be loaded"):
        LocalModel(tmp_path)


@pytest.mark.parametrize("kind", ["green", "gumbel"])
def test_the_processor_marks_what_transformers_generates(made: tuple[Provider, Any, Any, Path], kind: str) -> None:
    from stillwatch.forensics.model import radioactivity

    case, _, student, _ = made
    key, scheme = KeyStore(case.folder / "keys").get("op"), Scheme(kind, 1, 0.25, 3.0)  # type: ignore[arg-type]
    processor = WatermarkLogitsProcessor(Marker(key, scheme, 0))
    torch.manual_seed(0)
    ids = torch.randint(0, 400, (8, 4))
    made_ids = student.generate(
        ids, attention_mask=torch.ones_like(ids), logits_processor=[processor], do_sample=kind == "green", top_k=0,
        max_new_tokens=80, pad_token_id=0, eos_token_id=399,
    )  # fmt: skip
    texts = [row.numpy()[4:] for row in made_ids]
    pairs = radioactivity.text_pairs(texts, [row.numpy()[:4] for row in made_ids], 1)
    done = radioactivity.test(pairs, scheme, key.secret, radioactivity.decoy_totals(pairs, scheme, 99, 0))
    assert done.log_p < np.log(1e-6)


def test_textseal_keeps_and_scores_the_same_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """An independent implementation (Meta, MIT): the same pairs after de-duplication, and the same mean score.

    `pip install --no-deps textseal`: its first module imports far more than its watermark needs, so it is stepped over.
    """
    spec = importlib.util.find_spec("textseal")
    if spec is None:
        pytest.skip("textseal is not installed")
    package = types.ModuleType("textseal")
    package.__path__ = list(spec.submodule_search_locations or [])
    for name in ("textseal", "textseal.common"):
        stub = types.ModuleType(name)
        stub.__path__ = [f"{base}/{name.partition('.')[2]}".rstrip("/") for base in package.__path__]
        monkeypatch.setitem(sys.modules, name, stub)
    core = importlib.import_module("textseal.common.watermark.core")
    pseudorandom = importlib.import_module("textseal.common.watermark.pseudorandom")
    from stillwatch.forensics.model import radioactivity

    chance = np.random.default_rng(0)
    text = chance.zipf(1.6, 3000) % 200
    pairs = radioactivity.text_pairs([text], [text[:0]], 2)
    rows = np.lib.stride_tricks.sliding_window_view(text, 3)
    windows, targets = torch.from_numpy(rows[:, :-1].copy()), torch.from_numpy(rows[:, -1].copy())
    config = core.WatermarkConfig(secret_key=7, ngram=2, method="uniform", scoring_method="v2")
    scores, mean = core.score_batch(windows, targets, config)
    assert len(scores) == len(pairs)
    theirs = pseudorandom.prf_uniform(torch.from_numpy(pairs.windows), torch.from_numpy(pairs.tokens), 7).numpy()
    assert sorted(scores) == pytest.approx(sorted(theirs.tolist()))
    assert mean == pytest.approx(float(-np.log1p(-theirs).mean()), rel=1e-4)
