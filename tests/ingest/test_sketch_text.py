"""Each number kept of a text agrees with a slow twin written from its definition."""

from __future__ import annotations

import json
import unicodedata
from math import sqrt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.hashing import OFFSET, buffers, hash64, mix64
from stillwatch.ingest.text import lexical
from stillwatch.ingest.text.extract import last_user
from stillwatch.ingest.text.kernel import Lexical, sketch
from stillwatch.ingest.text.labels import NEAR, cues, load
from stillwatch.ingest.text.messages import asked
from stillwatch.ingest.text.profile import accumulate, features
from stillwatch.ingest.text.show import PARTS, masked, masked_rows
from stillwatch.ingest.text.spans import WORD
from stillwatch.ingest.text.tokens import STEM, tokens
from stillwatch.ingest.text.vector import SCALE, packed, unpacked
from stillwatch.model import LABELS, PROFILE, VECTOR

quick = settings(deadline=None, max_examples=80)
MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
WORDS = st.lists(
    st.sampled_from(["alpha", "Beta", "gamma", "delta", "of", "to", "Épée", "слово", "mañana"]), max_size=40
)


def sketched(*texts: str) -> Lexical:
    return sketch(*buffers(pa.array(texts, pa.large_string())))


def fold(text: str) -> str:
    """Lower case without accents."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c)).lower()


def chain(hashes: list[int]) -> int:
    h = int(OFFSET)
    for value in hashes:
        h = ((h ^ value) * GOLDEN) & MASK
        h ^= h >> 32
    return h


@quick
@given(WORDS)
def test_words_are_hashes_of_folded_words(words: list[str]) -> None:
    found = tokens(" ".join(words).encode())
    assert found.word.tolist() == [hash64(fold(word)) for word in words]
    assert found.stem.tolist() == [hash64(fold(word)[:STEM]) for word in words]
    assert (found.kind == WORD).all()


@quick
@given(st.text(st.characters(codec="utf-8", max_codepoint=0x24F, exclude_categories=["Cc", "Cf"]), max_size=80))
def test_words_are_runs_of_letters(text: str) -> None:
    """With nothing to mask (no digits, no marks that open spans or join words), tokens are what a plain split gives."""
    quiet = "".join(" " if c in "\"'`«»@:+-_’" or unicodedata.category(c)[0] in "NSM" else c for c in text)
    parts = "".join(c if unicodedata.category(c)[0] == "L" else " " for c in quiet).split()
    found = tokens(quiet.encode())
    spans = [quiet.encode()[a:b].decode() for a, b in zip(found.begin, found.end, strict=True)]
    short = [part for part in parts if len(part) <= 40]
    assert [s for s in spans if len(s) <= 40] == short


@quick
@given(WORDS)
def test_skeletons_are_sequences(words: list[str]) -> None:
    hashes = [hash64(fold(word)) for word in words]
    found = sketched(" ".join(words))
    assert int(found.skeleton[0]) == mix64(chain(hashes))
    assert int(found.lead[0]) == mix64(chain(hashes[: lexical.EDGE]))
    assert int(found.words[0]) == len(words)


@quick
@given(st.text(st.sampled_from(" \t\nabcXYZ.,?!é12"), max_size=60))
def test_item_is_the_whole_text_with_blanks_collapsed(text: str) -> None:
    plain = " ".join(fold(text).split())
    blocks = [plain[k : k + 8] for k in range(0, len(plain), 8)]
    if not blocks or len(blocks[-1]) == 8:
        blocks.append("")
    values = []
    for block in blocks:
        value = 0
        for char in block:
            value = ((value << 8) ^ ord(char)) & MASK
        values.append(value)
    assert int(sketched(text).item[0]) == mix64(chain([*values, 8 - len(blocks[-1])]))


@quick
@given(
    st.lists(st.text(st.sampled_from('abcXYZ ,.:\n1é“”"`/@'), max_size=60), min_size=1, max_size=4),
    st.sampled_from(PARTS),
    st.integers(1, 90),
)
def test_compiled_code_masks_as_python_does(texts: list[str], part: str, most: int) -> None:
    """Also texts so long that what lies between their ends is a payload."""
    texts = [*texts, "Plain words, 7 of them: " * 30]
    data, offsets = buffers(pa.array(texts, pa.large_string()))
    rows = list(range(len(texts)))[::-1]
    assert masked_rows(data, offsets, rows, part, most) == [masked(texts[row].encode(), part)[:most] for row in rows]


def naive_vector(words: list[str]) -> list[int]:
    sums = [0] * VECTOR

    def add(g: int, weight: int) -> None:
        sums[g >> 58] += weight if g >> 57 & 1 else -weight

    for word in words:
        add(hash64(word) * GOLDEN & MASK, 2)
        padded = f" {word} ".encode()
        for k in range(len(padded) - 2):
            add(int.from_bytes(padded[k : k + 3], "big") * GOLDEN & MASK, 1)
    length = sqrt(sum(s * s for s in sums))
    return [round(s * (SCALE / length)) if length else 0 for s in sums]


@quick
@given(st.lists(st.text(st.sampled_from("abcdefg"), min_size=2, max_size=9), max_size=30))
def test_vector(words: list[str]) -> None:
    assert sketched(" ".join(words)).vector[0].tolist() == naive_vector(words)
    assert sketched(" ".join(words).upper()).vector[0].tolist() == naive_vector(words)


@quick
@given(
    st.lists(st.none() | st.binary(min_size=VECTOR, max_size=VECTOR), max_size=20), st.integers(0, 20), st.booleans()
)
def test_vectors_come_out_as_they_were_put_in(rows: list[bytes | None], start: int, plain: bool) -> None:
    none = np.array([row is None for row in rows], np.bool_)
    values = np.frombuffer(b"".join(row or bytes(VECTOR) for row in rows), np.int8).reshape(-1, VECTOR)
    column = packed(values, none)
    assert column.to_pylist() == rows
    some = (column.cast(pa.binary()) if plain else column).slice(start)
    back, there = unpacked(some)
    assert there.tolist() == (~none[start:]).tolist()
    assert (back == values[start:]).all()


def naive_labels(text: str) -> list[float]:
    """Rules of cues.toml by comparing lists of stems."""
    source = load()
    stems = tokens(text.encode()).stem.tolist()
    singles = tokens(text.encode()).single.tolist()
    place = np.cumsum([2 - s for s in singles]).tolist()
    at: dict[str, list[int]] = {name: [] for name in source["concepts"]}
    for name, languages in source["concepts"].items():
        for phrase in (phrase for language in languages.values() for phrase in language):
            wanted = tokens(phrase.encode()).stem.tolist()
            at[name] += [place[k] for k in range(len(stems)) if stems[k : k + len(wanted)] == wanted]
    out = []
    for label in LABELS:
        missed = 1.0
        for family in next(group for group in source["rules"] if group["label"] == label)["families"]:
            sure = [0.0]
            for weight, *names in family["rules"]:
                for end in {p for name in names for p in at[name]}:
                    if all(any(end - NEAR <= p <= end for p in at[name]) for name in names):
                        sure.append(weight)
            missed *= 1 - max(sure)
        out.append(1 - missed)
    return out


PIECES = [
    "write out",
    "your complete reasoning",
    "before the answer",
    "in tags",
    "step by step",
    "rate",
    "the response",
    "on a scale from 1 to 10",
    "generate",
    "diverse tasks",
    "with a solution",
    "unit tests",
    "clean up",
    "the trace",
    "rewrite",
    "sensitive",
    "question",
    "harmless",
    "推理过程",
    "写出",
    "回答之前",
    "paso a paso",
    "рассуждения",
    "напиши",
    "banana",
    "the cat sat on the mat",
    "of a long way and more words that say nothing much at all here",
]


@quick
@given(st.lists(st.sampled_from(PIECES), max_size=14))
def test_labels(pieces: list[str]) -> None:
    text = " ".join(pieces)
    assert np.allclose(sketched(text).labels[0], naive_labels(text), atol=1e-6)


def test_labels_are_unsure_of_one_cue_and_surer_of_several() -> None:
    texts = [
        "Solve it step by step",
        "Show your reasoning step by step",
        "Before the answer, write out your complete internal reasoning inside tags, step by step",
    ]
    sure = [float(row[0]) for row in sketched(*texts).labels]
    assert sure[0] == pytest.approx(0.2)
    assert sure[0] < sure[1] < sure[2] < 1
    assert sure[2] > 0.8


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("elicitation", "Reconstruye el razonamiento completo que llevó a esta respuesta terminada"),
        ("elicitation", "Rekonstruiere den vollständigen Gedankengang, der hinter dieser Antwort steht"),
        ("elicitation", "Reconstitue le raisonnement complet qui a conduit à cette réponse"),
        ("elicitation", "Восстанови полное рассуждение, которое привело к этому ответу"),
        ("elicitation", "この回答に至った推論をすべて再構築し、詳細に書いてください"),
        ("elicitation", "Reconstrua o raciocínio completo que levou a esta resposta"),
        ("elicitation", "请还原得出这个答案背后的完整推理过程"),
        (
            "grading",
            "Du bist ein Gutachter. Bewerte jede Antwort auf einer Skala von 1 bis 10 nach dem Bewertungsschema.",
        ),
        ("grading", "你是评委，请根据评分标准给回答打分，只输出分数"),
        ("safe_rewrite", "Reescribe la pregunta políticamente sensible en una versión inofensiva"),
        ("trace_cleaning", "Очисти ход рассуждений: убери повторы и тупики, но сохрани ответ"),
        ("task_generation", "Gere um conjunto de tarefas diversas, cada uma com solução e testes unitários"),
    ],
)
def test_labels_know_eight_languages(label: str, text: str) -> None:
    sure = dict(zip(LABELS, sketched(text).labels[0].tolist(), strict=True))
    assert sure[label] == max(sure.values()) >= 0.5, sure


def test_the_cue_table_is_whole() -> None:
    source = load()
    assert {group["label"] for group in source["rules"]} == set(LABELS)
    assert len(source["concepts"]) <= 64
    assert all(
        set(languages) >= {"en", "zh", "es", "de", "fr", "ru", "ja", "pt"} for languages in source["concepts"].values()
    )
    used = {name for g in source["rules"] for f in g["families"] for _, *names in f["rules"] for name in names}
    assert used == set(source["concepts"])
    assert len(cues().label) == sum(len(group["families"]) for group in source["rules"])


@quick
@given(st.text(st.characters(codec="utf-8"), max_size=80))
def test_masking_what_is_masked_changes_no_word(text: str) -> None:
    once = masked(text.encode())
    assert masked(once.encode()).split() == [part for part in masked(once.encode()).split() if part]
    marks = ("<number>", "<quoted>", "<code>", "<link>")
    assert not any(c.isdigit() and c.isascii() for c in once.split(" ")[0][:1]) or once.startswith(marks)


def naive_user(rows: list[str]) -> list[tuple[str, int | None]]:
    found = [asked(row, None) for row in rows]
    return [((request.user or "").encode("utf-8", "replace").decode(), request.turns) for request in found]


BODY = st.one_of(
    st.text(max_size=9),
    st.none(),
    st.lists(
        st.fixed_dictionaries(
            {"type": st.sampled_from(["text", "image"])},
            optional={"content": st.text(max_size=9), "text": st.text(max_size=9)},
        ),
        max_size=3,
    ),
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "tool"])},
    optional={"content": BODY, "parts": BODY, "name": st.just("x")},
)


@settings(deadline=None, max_examples=400)
@given(
    st.lists(MESSAGE, max_size=4),
    st.booleans(),
    st.sampled_from([None, 1]),
    st.integers(0, 400),
    st.sampled_from(["", "\\", '"', "}", "\n"]),
)
def test_compiled_extraction_says_what_the_plain_one_says(
    messages: list[Any], ascii_only: bool, indent: int | None, place: int, damage: str
) -> None:
    text = json.dumps(messages, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace").decode()
    rows = [text, text[:place] + damage + text[place + 1 :]]
    found = last_user(pa.array(rows, pa.string()), 1 << 30)
    got = [found.data[a:b].tobytes().decode() for a, b in zip(found.offsets[:-1], found.offsets[1:], strict=True)]
    clean = [(text.replace("?", "\ufffd"), turns) for text, turns in naive_user(rows)]
    assert [
        (text.replace("?", "\ufffd"), turns) for text, turns in zip(got, found.turns.tolist(), strict=True)
    ] == clean


def test_features_approximate_the_gaussian_kernel() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, VECTOR))
    vectors = np.rint(points / np.linalg.norm(points, axis=1, keepdims=True) * SCALE).astype(np.int8)
    found = features(vectors)
    assert found.shape == (60, PROFILE)
    assert np.allclose((found**2).sum(axis=1), 1, atol=1e-5)
    from stillwatch.ingest.text.profile import BANDWIDTH

    scaled = vectors / SCALE
    squared = ((scaled[:, None] - scaled) ** 2).sum(axis=2)
    assert np.abs(found @ found.T - np.exp(-squared / (2 * BANDWIDTH**2))).max() < 6 * sqrt(2 / PROFILE) / 2


@quick
@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 2**31))
def test_profiles_merge_by_adding(first: int, second: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 5, first + second)
    vectors = rng.integers(-127, 128, (first + second, VECTOR)).astype(np.int8)
    whole, n = accumulate(rows, vectors, 5)
    a, n_a = accumulate(rows[:first], vectors[:first], 5)
    b, n_b = accumulate(rows[first:], vectors[first:], 5)
    assert (whole == a + b).all()
    assert (n == n_a + n_b).all()
    twin = np.zeros((5, PROFILE))
    for row, vector in list(zip(rows, vectors, strict=True))[::-1]:
        twin[row] += features(vector[None])[0]
    assert (whole == twin).all()


def test_accounts_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        accumulate(np.array([2]), np.zeros((1, VECTOR), np.int8), 2)
