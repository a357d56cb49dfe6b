"""Correction for all that was tried, and the tiers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.forensics.model.verdict import Finding, Judgement, holm, judge, power_of_ten
from tests.forensics.model import naive

chances = st.lists(st.floats(1e-12, 1.0), min_size=1, max_size=8)


def finding(
    p: float, role: str = "operator", statistic: str = "twins", as_large: int = 0, checks: int = 999
) -> Finding:
    log10 = math.log10(p) if p else -400.0
    return Finding("s", statistic, f"{role}@1", role, 100, "twins", 0.6, 0.5, 3.0, log10, checks, as_large)


def judged(*findings: Finding, tests: int = 4) -> Judgement:
    return judge(list(findings), tests)


@given(chances, st.integers(0, 20))
def test_holm_agrees_with_its_definition(p: list[float], more: int) -> None:
    tests = len(p) + more
    found = [10**value for value in holm([math.log10(value) for value in p], tests)]
    assert found == pytest.approx(naive.holm(p, tests), rel=1e-9)


def test_more_findings_than_the_plan_has_are_an_error() -> None:
    with pytest.raises(ValueError, match="more tests"):
        holm([-1.0, -2.0], 1)


def test_the_tiers() -> None:
    control = finding(0.4, "control", as_large=400)
    assert judged(finding(1e-7), control).tier == "accusation"
    assert judged(finding(1e-7), control, tests=11).tier == "lead"
    assert judged(finding(1e-4), control).tier == "lead"
    assert judged(finding(0.01, as_large=9), control).tier == "nothing shown"
    assert judged(finding(0.0), control).tier == "accusation"


def test_without_a_control_of_the_same_statistic_nobody_is_accused() -> None:
    assert judged(finding(1e-9)).tier == "lead"
    other = finding(0.4, "control", "text", as_large=400)
    assert "no control key" in judged(finding(1e-9), other).because


def test_a_loud_control_voids_everything() -> None:
    assert judged(finding(1e-30), finding(1e-4, "control")).tier == "void"


def test_random_keys_that_do_as_well_void_everything() -> None:
    control = finding(0.4, "control", as_large=400)
    done = judged(finding(1e-9, as_large=50), control)
    assert done.tier == "void"
    assert "random keys do as well" in done.because
    assert judged(finding(1e-9, "operator", "canaries", 0, 0), finding(0.5, "control", "canaries")).tier == "accusation"


def test_controls_do_not_pay_for_the_others() -> None:
    done = judged(finding(1e-7), finding(0.5, "control"), finding(0.5, "control", "text"), tests=1)
    assert done.findings[0].log10_adjusted == pytest.approx(-7)


@pytest.mark.parametrize(
    ("log10", "text"), [(0.0, "1"), (-1.30103, "0.05"), (-6.0, "1.0e-6"), (-123.4, "4.0e-124"), (-math.inf, "0")]
)
def test_p_values_are_readable(log10: float, text: str) -> None:
    assert power_of_ten(log10) == text
