"""Matching: against the slow twin on random small worlds, and what must not matter."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.forensics.data.index import Index, Known, build, perhaps
from stillwatch.forensics.data.matching import HELD, KINDS, SOURCES, Matches, match
from stillwatch.hashing import buffers
from stillwatch.ingest.text.fingerprint import fingerprints
from tests.forensics.data import naive
from tests.forensics.data.test_fingerprint import phrase, prints

WHOLE = 1 << 30


def index(answers: list[str]) -> Index:
    found = prints(answers)
    return build(Known(found.values, found.offsets, found.text))


def rows(found: Matches) -> dict[int, list[tuple[int, str, int]]]:
    out: dict[int, list[tuple[int, str, int]]] = {}
    for row, answer, kind, shared in zip(found.row, found.answer, found.kind, found.shared, strict=True):
        out.setdefault(int(row), []).append((int(answer), KINDS[kind], int(shared)))
    return out


def edited(rng: random.Random, text: str, words: list[str]) -> str:
    """A text as a copier leaves it, or part of it."""
    parts = text.split()
    kind = rng.randrange(6)
    if kind == 0:
        return text.upper().replace(" ", "  ")
    if kind == 1:
        return " ".join(rng.choice(words) if rng.random() < 0.1 else word for word in parts)
    if kind == 2:
        return " ".join(parts[: max(1, int(len(parts) * rng.random()))])
    if kind == 3:
        return " ".join(rng.choices(words, k=30)) + " " + text
    if kind == 4:
        return " ".join(rng.choice(words) if rng.random() < 0.35 else word for word in parts)
    return " ".join(rng.choices(words, k=rng.randint(0, 80)))


def world(seed: int) -> tuple[list[str], list[str]]:
    """Answers that share phrases and repeat, and rows made of them."""
    rng = random.Random(seed)
    words = phrase(rng, rng.choice([30, 400])).split()
    stock = [" ".join(rng.choices(words, k=rng.randint(8, 25))) for _ in range(6)]
    answers = []
    for _ in range(rng.randint(1, 25)):
        parts = [" ".join(rng.choices(words, k=rng.randint(1, 90)))]
        parts += rng.choices(stock, k=rng.randrange(3))
        rng.shuffle(parts)
        answers.append(" ".join(parts))
    answers += rng.choices(answers, k=3)
    given_rows = [edited(rng, rng.choice(answers), words) for _ in range(20)]
    given_rows += [" ".join(rng.choices(answers, k=rng.randint(2, 5))) for _ in range(4)]
    return answers, [*given_rows, "", "!", *rng.choices(answers, k=3)]


@pytest.mark.parametrize("seed", range(12))
def test_matches_are_those_of_the_slow_twin(seed: int) -> None:
    answers, given_rows = world(seed)
    found = rows(match(prints(given_rows, most=WHOLE), index(answers)))
    for number, row in enumerate(given_rows):
        assert found.get(number, []) == naive.match(row, answers), row


@pytest.mark.parametrize("seed", range(4))
def test_the_filter_lets_pass_all_that_is_known_and_little_else(seed: int) -> None:
    answers, _ = world(200 + seed)
    ready = index(answers)
    assert len(perhaps(ready, ready.known.text)) == len(answers)
    assert set(match(prints(answers), ready).row.tolist()) >= {k for k, text in enumerate(answers) if text.strip("! ")}
    others = np.random.default_rng(seed).integers(0, 1 << 64, 2_000, np.uint64)
    assert len(perhaps(ready, others)) < 0.5 * len(others)


@pytest.mark.parametrize("seed", range(3))
def test_control_rows_count_among_those_who_hold_a_text(seed: int) -> None:
    answers, given_rows = world(100 + seed)
    control = given_rows[:10] * 3
    ready = index(answers)
    match(prints(control, most=WHOLE), ready, mark=True)
    held: dict[int, int] = {}
    for row in control:
        for value in naive.fingerprints(row, most=WHOLE):
            held[value] = held.get(value, 0) + 1
    found = match(prints(given_rows, most=WHOLE), ready)
    assert rows(found) == {k: m for k, row in enumerate(given_rows) if (m := naive.match(row, answers, held))}
    for row, answer, kind, number in zip(found.row, found.answer, found.kind, found.held, strict=True):
        if KINDS[kind] == "exact":
            text = naive.text_hash(answers[answer])
            assert number == sum(naive.text_hash(one) == text for one in [*answers, *control]), given_rows[row]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 40), st.data())
def test_order_and_batches_do_not_matter(seed: int, data: st.DataObject) -> None:
    answers, given_rows = world(200 + seed % 5)
    ready = index(answers)
    whole = rows(match(prints(given_rows, most=WHOLE), ready))
    order = data.draw(st.permutations(range(len(given_rows))))
    cut = data.draw(st.integers(0, len(order)))
    parts = {}
    for part in (order[:cut], order[cut:]):
        got = rows(match(prints([given_rows[k] for k in part], most=WHOLE), ready))
        parts |= {part[k]: found for k, found in got.items()}
    assert parts == whole


def test_a_row_that_comes_twice_is_matched_twice_alike() -> None:
    answers, given_rows = world(7)
    once = rows(match(prints(given_rows, most=WHOLE), index(answers)))
    twice = rows(match(prints(given_rows * 2, most=WHOLE), index(answers)))
    assert twice == {**once, **{k + len(given_rows): found for k, found in once.items()}}


def test_the_estimate_is_that_of_the_sets() -> None:
    """`forward` against the share of the answer's runs of four words that stand in the row, by sets."""
    rng = random.Random(11)
    words = phrase(rng, 4_000).split()
    answers = [" ".join(rng.choices(words, k=rng.randint(80, 400))) for _ in range(150)]
    given_rows = [" ".join(rng.choice(words) if rng.random() < 0.05 else w for w in a.split()) for a in answers]
    found = match(prints(given_rows, most=WHOLE), index(answers))
    assert (found.row == found.answer).all()
    assert len(found.row) == len(answers)
    true = []
    for answer, row in zip(answers, given_rows, strict=True):
        mine, theirs = set(naive.runs(answer)), set(naive.runs(row))
        true.append(len(mine & theirs) / len(mine))
    gap = found.forward - np.array(true)
    assert abs(gap.mean()) < 0.06  # an edit changes which run is least beside it as well
    assert np.corrcoef(found.forward, true)[0, 1] > 0.3


def test_a_text_of_many_answers_names_some_and_counts_all() -> None:
    text = phrase(random.Random(1), 60)
    found = match(prints([text, text + " and more words than before"], most=WHOLE), index([text] * 50))
    assert [int(n) for n in found.alike] == [50] * (2 * SOURCES)
    assert found.answer.tolist() == [*range(SOURCES)] * 2
    assert set(found.held.tolist()) == {50}


def test_what_nearly_everybody_says_counts_beside_one_rare_run() -> None:
    """A paragraph of 300 answers, too many to bring a candidate; a row shares it and one or two fingerprints of one."""
    rng = random.Random(5)
    paragraph, own = phrase(rng, 60), phrase(rng, 11)
    answers = [f"{phrase(rng, 40)} {paragraph}" for _ in range(HELD + 44)] + [f"{phrase(rng, 30)} {own} {paragraph}"]
    row = f"{paragraph} {phrase(rng, 30)} {own}"
    shared = [np.intersect1d(prints([row], most=WHOLE).values, prints([answer]).values) for answer in answers]
    assert len(shared[-1]) - len(shared[0]) in (1, 2)
    found = match(prints([row], most=WHOLE), index(answers))
    assert len(answers) - 1 in found.answer.tolist()


def test_a_piece_of_several_answers_is_that_of_all() -> None:
    """Half an article that stands in answers of 150, 160 and 170 words; an answer of 300 is set aside."""
    rng = random.Random(3)
    article = phrase(rng, 130)
    answers = [f"{article} {phrase(rng, n)}" for n in (20, 30, 40, 170)]
    found = match(prints([" ".join(article.split()[:70])], most=WHOLE), index(answers))
    assert found.answer.tolist() == [0, 1, 2]
    assert found.alike.tolist() == [3, 3, 3]
    assert (np.diff(found.forward) < 0).all()


def test_pieces_of_two_answers_are_each_its_own() -> None:
    """As many fingerprints of one as of the other, and none in common: neither fits in place of the other."""
    rng = random.Random(4)
    one, other = phrase(rng, 60), phrase(rng, 60)
    found = match(prints([f"{one} {phrase(rng, 30)} {other} {phrase(rng, 5)}"], most=WHOLE), index([one, other] * 2))
    assert sorted(found.answer.tolist()) == [0, 1, 2, 3]
    assert set(found.alike.tolist()) == {2}


def test_hostile_rows_are_bounded() -> None:
    """A row made of everybody's favourite words, a row of one word, a row of all answers."""
    rng = random.Random(2)
    common = phrase(rng, 40)
    answers = [f"{common} {phrase(rng, 30)}" for _ in range(400)]
    ready = index(answers)
    long = ["a " * 130_000, common * 400, " ".join(answers)]
    data, offsets = buffers(pa.array(long, pa.large_string()))
    found = match(fingerprints(data, offsets, most=WHOLE), ready)
    assert set(found.row.tolist()) <= {1, 2}
    assert len(set(found.answer[found.row == 2].tolist())) > 200
