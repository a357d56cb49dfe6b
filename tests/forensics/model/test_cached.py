"""What small transformers said and preferred, as benchmarks/forensics_cached.py kept it: students of marked answers (of
1,500 each), innocents, and one that was trained further on human text."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from stillwatch.forensics.model import radioactivity, twin_test
from stillwatch.forensics.model.prf import derive
from stillwatch.forensics.model.radioactivity import Mark
from stillwatch.forensics.model.watermark import Scheme

KEPT = np.load(Path(__file__).parent / "transformers.npz")
SCHEMES = {"gumbel": Scheme("gumbel", 1)}
ACCUSING = math.log(1e-8)


def marked(student: str, key: str, weighted: bool = True) -> Mark:
    rows, first = KEPT[f"text {student}"].astype(np.int64), int(KEPT["prompt_tokens"])
    pairs = radioactivity.text_pairs(list(rows[:, first:]), list(rows[:, :first]), 1, weighted)
    scheme = SCHEMES.get(student, Scheme("green", 1, 0.25, 2.0))
    decoys = radioactivity.decoy_totals(pairs, scheme, 500, 3)
    return radioactivity.test(pairs, scheme, derive(b"forensics benchmark", key), decoys)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("student", ["marked", "gumbel"])
def test_a_student_carries_the_mark_in_its_text(student: str, weighted: bool) -> None:
    found = marked(student, "op", weighted)
    assert found.log_p < ACCUSING
    assert found.as_large == 0


@pytest.mark.parametrize("key", ["other", "control"])
@pytest.mark.parametrize("student", ["marked", "gumbel", "fine_tuned", "human"])
def test_no_other_key_is_found_in_anybodys_text(student: str, key: str) -> None:
    found = marked(student, key)
    assert found.log_p > math.log(1e-3)
    assert found.decoy_p > 1e-3


def test_an_innocent_carries_no_mark_and_prefers_no_twin() -> None:
    assert marked("human", "op").log_p > math.log(0.01)
    assert twin_test.sign_flip(KEPT["twins human"].astype(float)).log_p > math.log(0.01)


def test_fine_tuning_weakens_what_is_found() -> None:
    innocent = KEPT["twins human"].astype(float)
    before, after = (twin_test.sign_flip(KEPT[f"twins {name}"] - innocent) for name in ("marked", "fine_tuned"))
    assert before.log_p < after.log_p < ACCUSING
    assert marked("fine_tuned", "op").z < marked("marked", "op").z


def test_at_a_tenth_of_the_data_twins_are_found_and_the_mark_is_not() -> None:
    trained_on = 150
    preferred = (KEPT["twins marked_10"] - KEPT["twins human"].astype(float))[:trained_on]
    assert twin_test.sign_flip(preferred).log_p < ACCUSING
    assert marked("marked_10", "op").log_p > math.log(0.01)
