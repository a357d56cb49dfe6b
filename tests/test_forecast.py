"""What is left of a scan: right where stages go as planned, corrected where they do not, silent before that."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from stillwatch import terminal
from stillwatch.progress import ACCOUNTS, EACH, EVENTS, READ, READING, SCAN, Forecast, Part, spoken
from stillwatch.terminal import Display

PLAN = {READING: Part(0.0, 1.0), "traits": Part(2.0, 0.5), "linking": Part(4.0, 0.3)}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def run(seconds: dict[str, float], steps: int = 20) -> list[tuple[float, float]]:
    """Forecasts while stages take `seconds`: (what was said, what was left), at every step of the reading."""
    clock = Clock()
    forecast, found = Forecast(PLAN, clock), []
    whole = sum(seconds.values())
    for name, length in seconds.items():
        forecast.begin(name, steps if name == READING else None)
        begun = clock.now
        for step in range(steps):
            said = forecast.left()
            if said is not None:
                found.append((said, whole - clock.now))
            clock.now = begun + length * (step + 1) / steps
            forecast.advance(1)
    return found


def test_stages_that_go_as_planned_are_forecast_to_the_second() -> None:
    found = run({READING: 100.0, "traits": 52.0, "linking": 34.0})
    assert len(found) == 56, "all but the first four"
    assert [said for said, _ in found] == pytest.approx([left for _, left in found])


def test_nothing_is_said_before_anything_is_known() -> None:
    clock = Clock()
    forecast = Forecast(PLAN, clock)
    assert forecast.left() is None
    forecast.begin("starting spark", None)
    clock.now = 5.0
    assert forecast.left() is None
    forecast.begin(READING, 1000)
    for units in (19, 100, 100):
        forecast.advance(units)
        assert forecast.left() is None, "the first step may have waited for the compiler"
    forecast.advance(1)
    assert forecast.left() is not None
    forecast = Forecast(PLAN, clock)
    forecast.begin(READING, 1000)
    for _ in range(19):
        forecast.advance(1)
        assert forecast.left() is None, "too little of the log"
    forecast.advance(1)
    assert forecast.left() is not None


def test_a_first_step_that_waits_for_the_compiler_says_nothing_of_the_others() -> None:
    clock = Clock()
    forecast = Forecast(PLAN, clock)
    forecast.begin(READING, 20)
    clock.now = 60.0
    for _ in range(20):
        clock.now += 5.0
        forecast.advance(1)
        if clock.now >= 80:
            left = (160 - clock.now) + (2 + 50) + (4 + 30)
            assert forecast.left() == pytest.approx(left), clock.now
    forecast.begin("traits", None)
    assert forecast.left() == pytest.approx(2 + 50 + 4 + 30)


def test_a_pace_other_than_planned_is_taken_over() -> None:
    slow = run({READING: 100.0, "traits": 104.0, "linking": 68.0})
    said, left = slow[-20]
    assert left == pytest.approx(68.0)
    assert said == pytest.approx(34 * (204 / 152), rel=0.01), "what is done so far took so much longer than planned"


def test_a_stage_may_go_by_another_than_the_reading() -> None:
    clock = Clock()
    forecast = Forecast({READING: Part(0.0, 1.0), "traits": Part(0.0, 0.5), "linking": Part(1.0, 2.0, "traits")}, clock)
    forecast.begin(READING, 10)
    for _ in range(10):
        clock.now += 10.0
        forecast.advance(1)
    assert forecast.left() == pytest.approx(50 + 101)
    forecast.begin("traits", None)
    clock.now += 20.0
    forecast.begin("linking", None)
    assert forecast.left() == pytest.approx(41), "by what traits took, whatever was expected of them"


@pytest.mark.parametrize("gibibytes", [1, 40])
@pytest.mark.parametrize("slower", [1.0, 3.0])
@pytest.mark.parametrize("texts", [0, 5_000_000, 10_000_000])
def test_stages_go_by_events_and_accounts_however_long_prompts_are(gibibytes: int, slower: float, texts: int) -> None:
    clock = Clock()
    plan = {READING: Part(0.0, 1.0), "traits": Part(3.0, 2.0, EVENTS, 1.0), "linking": Part(0.0, 0.1, ACCOUNTS)}
    forecast = Forecast(plan, clock)
    reading = slower * (10 * READ.million + gibibytes * READ.gibibyte)
    traits = 3 + slower * (20 + texts / 1e6)
    forecast.begin(READING, gibibytes << 30)
    for step in range(1, 21):
        clock.now += reading / 20
        forecast.tell(events=500_000 * step, texts=texts // 20 * step)
        forecast.advance((gibibytes << 30) // 20)
        if step >= 4:
            left = reading - clock.now + traits + slower * 1e3 / EACH
            assert forecast.left() == pytest.approx(left, rel=1e-6)
    forecast.tell(accounts=70_000)
    forecast.begin("traits", None)
    assert forecast.left() == pytest.approx(traits + slower * 7, rel=1e-6)


def test_where_nothing_is_told_events_are_as_long_as_most_and_have_text() -> None:
    clock = Clock()
    forecast = Forecast({READING: Part(0.0, 1.0), "traits": Part(0.0, 2.0, EVENTS, 1.0)}, clock)
    forecast.begin(READING, None)
    clock.now = READ.million + READ.gibibyte * EACH * 1e6 / 2**30
    forecast.begin("traits", None)
    assert forecast.left() == pytest.approx(3.0)


def test_a_stage_that_overruns_never_promises_less_than_what_follows() -> None:
    found = run({READING: 100.0, "traits": 500.0, "linking": 34.0})
    assert min(said for said, _ in found) >= 0.0
    during = [said for said, left in found if 34 < left < 534]
    assert min(during) >= 34.0


def test_a_stage_may_say_its_size_late() -> None:
    clock = Clock()
    forecast = Forecast(PLAN, clock)
    forecast.begin(READING, None)
    clock.now = 10.0
    forecast.begin(READING, 100)
    for clock.now, units in ((10.4, 26), (13.6, 8), (16.8, 8), (20.0, 8)):
        forecast.advance(units)
    assert forecast.left() == pytest.approx(20 + 2 + 20 + 4 + 12)


def test_the_plan_names_the_stages_of_a_scan() -> None:
    assert next(iter(SCAN)) == READING
    assert list(SCAN)[-1] == "report"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "5 s"), (42, "40 s"), (89, "90 s"), (91, "2 min"), (3000, "50 min"), (5400, "1.5 h"), (90_000, "25.0 h")],
)
def test_time_is_spoken_as_people_do(seconds: float, words: str) -> None:
    assert spoken(seconds) == words


def test_a_file_gets_plain_lines_with_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    monkeypatch.setattr(terminal, "err", Console(file=text, width=200))
    monkeypatch.setattr(terminal, "LONG", 0.0)
    clock = Clock()
    with Display(Forecast(PLAN, clock), spoken) as display:
        display.stage(READING, 10)
        for _ in range(10):
            clock.now += 6
            display.advance(1)
        display.stage("traits")
    lines = [line.split("] ")[1] for line in text.getvalue().splitlines()]
    assert lines[0] == READING
    assert lines[1] == f"{READING} 10 %"
    assert lines[4] == f"{READING} 40 %, about 2 min left"
    assert lines[-1] == "traits, about 55 s left"
    assert len(lines) == 11
