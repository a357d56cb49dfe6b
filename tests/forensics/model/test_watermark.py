"""Keyed functions, marks and their scores."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stillwatch.errors import UsageError
from stillwatch.forensics.model import exact, prf, radioactivity
from stillwatch.forensics.model.keys import Key
from stillwatch.forensics.model.watermark import Marker, Scheme, WatermarkLogitsProcessor
from tests.forensics.model import naive

tokens = st.integers(0, 4)
texts = st.lists(st.lists(tokens, max_size=12), min_size=1, max_size=4)


def key(name: str = "op", role: str = "operator") -> Key:
    return Key(name, 1, role, datetime(2026, 1, 1, tzinfo=UTC), prf.derive(b"test", name))  # type: ignore[arg-type]


def test_siphash_is_that_of_the_paper() -> None:
    words = np.frombuffer(bytes(range(16)), "<u8").astype(np.uint64)
    message = np.frombuffer(bytes(range(16)), "<i8").astype(np.int64)
    found = prf.hash_pairs(words, message[None, :1], message[1:])
    assert int(found[0]) == 0x3F2ACC7F57C29BDB  # vector 16 of the reference implementation


@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=16, max_size=16), st.lists(st.integers(0, 2**31), min_size=2, max_size=6))
def test_hashes_agree_with_plain_python(raw: bytes, numbers: list[int]) -> None:
    words = np.frombuffer(raw, "<u8").astype(np.uint64)
    row = np.array(numbers, dtype=np.int64)
    expected = naive.siphash(raw, row.astype("<i8").tobytes())
    assert int(prf.hash_pairs(words, row[None, :-1], row[-1:])[0]) == expected
    small = np.array([*numbers[:-1], 3])
    every = prf.hash_vocabulary(words, row[None, :-1], 5)
    assert int(every[0, 3]) == int(prf.hash_pairs(words, small[None, :-1], small[-1:])[0])


def test_parts_of_a_message_do_not_run_together() -> None:
    assert prf.derive(b"k", "a", "bc") != prf.derive(b"k", "ab", "c")
    assert prf.derive(b"k", "a", "b") != prf.derive(b"k", "a", "b", "")


@settings(max_examples=60, deadline=None)
@given(texts, st.integers(1, 3), st.booleans(), st.data())
def test_pairs_agree_with_their_definition(
    answers: list[list[int]], width: int, weighted: bool, data: st.DataObject
) -> None:
    prompts = [data.draw(st.lists(tokens, max_size=6)) for _ in answers]
    found = radioactivity.text_pairs(
        [np.array(a, dtype=np.int64) for a in answers],
        [np.array(p, dtype=np.int64) for p in prompts], width, weighted,
    )  # fmt: skip
    rows = {(*window, token) for window, token in zip(found.windows.tolist(), found.tokens.tolist(), strict=True)}
    assert len(rows) == len(found)
    expected = naive.pairs(answers, prompts, width)
    assert rows <= expected if weighted else rows == expected
    assert (found.weights > 0).all()


@pytest.mark.parametrize("scheme", [Scheme("green", 2), Scheme("gumbel", 2)], ids=lambda s: s.kind)
@pytest.mark.parametrize("weighted", [False, True])
def test_an_innocent_text_is_null_under_any_key(scheme: Scheme, weighted: bool) -> None:
    """Text that repeats itself a lot: the exact test keeps its rate over 4,000 keys."""
    chance = np.random.default_rng(0)
    answers = [chance.zipf(1.5, 300) % 200 for _ in range(8)]
    pairs = radioactivity.text_pairs(answers, [np.empty(0, np.int64)] * 8, 2, weighted)
    totals = np.sort(radioactivity.decoy_totals(pairs, scheme, 4000, seed=1))
    for level in (0.05, 0.01):
        low, high = stats.binom.ppf([0.0005, 0.9995], 4000, level)
        # p falls as totals rise: at most `high` keys may reach p <= level, and at least `low` must
        assert radioactivity.log_p(pairs, scheme, int(totals[-int(high) - 1])) > math.log(level)
        assert radioactivity.log_p(pairs, scheme, int(totals[-int(low)])) <= math.log(level) * 0.97


def test_without_distinct_pairs_an_innocent_text_looks_guilty() -> None:
    """The trap that distinct pairs are for: a text that repeats itself, scored as if each token were news."""
    chance = np.random.default_rng(0)
    text = np.tile(chance.integers(0, 50, 40), 100)
    rows = np.lib.stride_tricks.sliding_window_view(text, 3)
    scheme = Scheme("green", 2)
    keys = np.random.default_rng(1).integers(0, 2**64, (300, 2), dtype=np.uint64)
    naive_z = [
        (scheme.scores(k, rows[:, :-1], rows[:, -1]).sum() - 0.25 * len(rows)) / math.sqrt(len(rows) * 0.1875)
        for k in keys
    ]
    assert np.mean(np.array(naive_z) > 2.33) > 0.2
    pairs = radioactivity.text_pairs([text], [np.empty(0, np.int64)], 2)
    fair = [radioactivity.total(pairs, scheme, k) for k in keys]
    rate = np.mean([radioactivity.log_p(pairs, scheme, value) <= math.log(0.01) for value in fair])
    assert rate <= 0.035


@pytest.mark.parametrize("scheme", [Scheme("green", 1, delta=3.0), Scheme("gumbel", 1)], ids=lambda s: s.kind)
def test_marked_text_shows_its_key_and_no_other(scheme: Scheme) -> None:
    size, chance = 60, np.random.default_rng(2)
    marker = Marker(key(), scheme, seed=3)
    text = [np.array([n]) for n in range(8)]
    for _ in range(80):
        logits = marker(text, np.zeros((8, size)))
        noise = chance.gumbel(size=logits.shape) if scheme.kind == "green" else 0.0
        picked = (logits + noise).argmax(axis=1)
        text = [np.append(seen, token) for seen, token in zip(text, picked, strict=True)]
    pairs = radioactivity.text_pairs(text, [np.empty(0, np.int64)] * 8, 1)
    others = radioactivity.decoy_totals(pairs, scheme, 199, seed=4)
    right = radioactivity.test(pairs, scheme, key().secret, others)
    wrong = [radioactivity.test(pairs, scheme, key(f"other-{n}").secret, others) for n in range(40)]
    assert exact.log10(right.log_p) < -10
    assert right.as_large == 0
    assert right.decoy_p == 1 / 200
    assert sum(one.log_p <= math.log(0.05) for one in wrong) <= 8


def test_gumbel_leaves_the_distribution_as_it_is() -> None:
    """Over keys, the draw follows the logits."""
    logits = np.log(np.array([[0.6, 0.3, 0.1]]))
    draws = np.zeros(3)
    for number in range(3000):
        marker = Marker(key(f"k{number}"), Scheme("gumbel", 1))
        draws[marker([np.array([7])], logits).argmax()] += 1
    assert stats.chisquare(draws, 3000 * np.exp(logits[0])).pvalue > 0.001


def test_a_window_seen_before_is_drawn_without_the_key() -> None:
    logits = np.zeros((1, 500))
    marker, context = Marker(key(), Scheme("gumbel", 2), seed=1), np.array([1, 2, 9, 1, 2])
    picks = {int(marker([context], logits).argmax()) for _ in range(20)}
    assert len(picks) > 10
    assert len({int(marker([context[:2]], logits).argmax()) for _ in range(20)}) == 1


def test_green_lists_are_of_the_stated_share_and_differ_by_window_and_key() -> None:
    scheme = Scheme("green", 2, share=0.25, delta=2.0)
    first, second = Marker(key("a"), scheme), Marker(key("b"), scheme)
    windows = np.array([[1, 2], [2, 1]])
    gains = first.favours(windows, 4000)
    assert set(np.unique(gains)) == {0.0, 2.0}
    assert (gains > 0).mean() == pytest.approx(0.25, abs=0.03)
    for other in (gains[1], second.favours(windows, 4000)[0]):
        assert ((gains[0] > 0) & (other > 0)).mean() == pytest.approx(1 / 16, abs=0.02)


def test_a_control_key_never_marks() -> None:
    with pytest.raises(UsageError, match="never serves"):
        Marker(key(role="control"), Scheme())


def test_the_processor_marks_as_the_marker_does() -> None:
    class Tensor:
        """The part of a tensor that the processor uses."""

        def __init__(self, data: np.ndarray) -> None:
            self.data = data

        def numpy(self) -> np.ndarray:
            return self.data

        def new_tensor(self, data: np.ndarray) -> np.ndarray:
            return data

        detach = float = cpu = lambda self: self

    ids, scores = np.array([[1, 2, 3]]), np.random.default_rng(0).normal(size=(1, 30))
    marker = Marker(key(), Scheme())
    found = WatermarkLogitsProcessor(marker)(Tensor(ids), Tensor(scores))
    assert np.array_equal(found, marker([ids[0]], scores))
