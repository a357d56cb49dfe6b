"""Fingerprints: as their definition says, with the guarantee that they are made for."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.hashing import buffers
from stillwatch.ingest.text.fingerprint import MOST, RUN, WINDOW, Prints, fingerprints
from tests.forensics.data import naive

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SIGNS = st.sampled_from(
    [*"abcAB 01'’,.\n-ßéÉΣжЁ中文かナ한글ﬁＡ½²", "\u0301", "\u200b", "\U0001f600", "\U00010400", "\u0e01"]
)
FEW = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=60).map(" ".join)
TEXT = st.one_of(st.text(SIGNS, max_size=120), FEW)


def prints(texts: list[str], asked: list[str] | None = None, most: int = MOST) -> Prints:
    data, offsets = buffers(pa.array(texts, pa.large_string()))
    prompts = buffers(pa.array(asked, pa.large_string())) if asked is not None else ()
    return fingerprints(data, offsets, *prompts, most=most)


def of(found: Prints, row: int) -> list[int]:
    return found.values[found.offsets[row] : found.offsets[row + 1]].tolist()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT), max_size=6), st.sampled_from([3, MOST]))
def test_they_are_as_their_definition_says(pairs: list[tuple[str, str]], most: int) -> None:
    texts, asked = [text for text, _ in pairs], [prompt for _, prompt in pairs]
    found = prints(texts, asked, most)
    for row, (text, prompt) in enumerate(pairs):
        assert of(found, row) == naive.fingerprints(text, prompt, most)
        assert found.words[row] == len(naive.words(text))
        assert found.text[row] == naive.text_hash(text)


def phrase(rng: random.Random, size: int) -> str:
    return " ".join("".join(rng.choices(LETTERS, k=rng.randint(2, 8))) for _ in range(size))


def test_what_shares_eleven_words_shares_a_fingerprint() -> None:
    rng = random.Random(3)
    for _ in range(200):
        shared = phrase(rng, RUN + WINDOW - 1)
        one = f"{phrase(rng, rng.randint(0, 30))} {shared} {phrase(rng, rng.randint(0, 30))}"
        other = f"{phrase(rng, rng.randint(0, 30))} {shared}"
        found = prints([one, other])
        assert set(of(found, 0)) & set(of(found, 1))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It's the CAFÉ of\n\n**my** brother, No. 7!", "its the cafe of my brother no 7"),
        ("Ｔｈｅ  answer\tis: forty-two…", "the answer is forty two"),
        ("zero\u200bwidth and so\u00adft hyphens", "zerowidth and soft hyphens"),
    ],
)
def test_case_accents_punctuation_and_space_do_not_count(one: str, other: str) -> None:
    found = prints([one, other])
    assert found.text[0] == found.text[1]
    assert of(found, 0) == of(found, 1)


def test_the_prompts_own_words_are_left_out() -> None:
    rng = random.Random(4)
    article, ending = phrase(rng, 200), phrase(rng, 60)
    found = prints([article, f"{article} {ending}", ending], [article, article, article])
    assert of(found, 0) == []
    assert set(of(found, 2)) <= set(of(found, 1))
    # what the two share spans the place where they meet
    assert len(set(of(found, 1)) - set(of(found, 2))) <= RUN + WINDOW
    assert found.text[0] == prints([article]).text[0]


def test_a_long_answer_keeps_the_least() -> None:
    text = phrase(random.Random(5), 2_000)
    whole = of(prints([text], most=1 << 30), 0)
    assert len(whole) > 3 * MOST
    assert of(prints([text]), 0) == whole[:MOST]


def test_no_text_no_fingerprint() -> None:
    found = prints(["", "…!?", "word"])
    assert [of(found, row) for row in range(3)][:2] == [[], []]
    assert found.words.tolist() == [0, 0, 1]
    assert len(of(found, 2)) == 1
    assert len(prints([]).words) == 0
