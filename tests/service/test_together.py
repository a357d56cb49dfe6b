"""Bodies read in one go: each sender is told what it would have been told alone, and the same is kept."""

from __future__ import annotations

import asyncio
import random
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stillwatch.ingest.parcels import Parcel
from stillwatch.service import reading as single
from stillwatch.service import together
from stillwatch.service.commit import Committer
from stillwatch.service.intake import Intake
from stillwatch.service.metrics import Metrics
from stillwatch.service.problems import ProblemError
from stillwatch.service.reading import LINES, Body, Read
from stillwatch.service.sqlite import SQLiteStore
from tests.service.serving import body, event, lines, reading, zipped

HOW = reading(max_rejects=5)
KIND = "application/x-ndjson"


@pytest.fixture(autouse=True)
def _ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this process read bodies for a service."""
    monkeypatch.setattr(single, "_how", HOW)


def some_body(rng: random.Random, at: int) -> Body:
    rows: list[Any] = [event(at * 100 + n) for n in range(rng.randrange(6))]
    for _ in range(rng.choice([0, 0, 1, 2, 8])):
        broken = rng.choice([{"event_id": "only"}, event(1, account_id=None), "text", event(2, time=1.0)])
        rows.insert(rng.randrange(len(rows) + 1), broken)
    data = lines(rows)
    how = rng.randrange(8)
    if how == 0:
        data = data[:-1]  # without a newline at the end
    elif how == 1:
        data = b"\n\n" + data.replace(b"\n", b"\n\n", 2)
    elif how == 2:
        data = data[: rng.randrange(len(data) + 1)]
    elif how == 3:
        data += b"\xff\xfe{\n"
    if rng.random() < 0.2:
        return Body("events", KIND, "gzip", rng.choice([zipped(data), zipped(data)[:-3], b"no gzip"]))
    return Body("events", KIND, "", data)


def alone(one: Body) -> Read | ProblemError:
    try:
        return single.work_off(one)
    except ProblemError as problem:
        return problem


def kept(parcels: list[bytes]) -> tuple[list[dict[str, Any]], Counter[str], int]:
    rows, rejects, rows_in = [], Counter[str](), 0
    for data in parcels:
        parcel = Parcel.unpack(data)
        rows += [{k: v for k, v in row.items() if k != "source_row"} for row in parcel.sketches.to_pylist()]
        rejects.update(reason for _, reason in parcel.rejects)
        rows_in += parcel.rows_in
    return sorted(rows, key=lambda row: (row["event_id"], str(row["time"]))), rejects, rows_in


@pytest.mark.parametrize("seed", range(20))
def test_each_is_answered_and_kept_as_if_alone(seed: int) -> None:
    rng = random.Random(seed)
    bodies = [some_body(rng, at) for at in range(rng.randrange(2, 9))]
    expected = [alone(one) for one in bodies]
    found = together.work_off(bodies)
    for mine, theirs in zip(found.answers, expected, strict=True):
        if isinstance(theirs, ProblemError):
            assert isinstance(mine, ProblemError)
            assert mine.as_dict() == theirs.as_dict()
        else:
            assert mine == replace(theirs, parcel=None)
    parcels = [one.parcel for one in expected if isinstance(one, Read) and one.parcel is not None]
    assert kept([data for data, _ in found.parcels]) == kept(parcels)
    for data, events in found.parcels:
        assert Parcel.unpack(data).sketches.num_rows == events


def test_good_bodies_become_one_parcel() -> None:
    found = together.work_off([body([event(10 * n + k) for k in range(5)]) for n in range(20)])
    ((data, events),) = found.parcels
    assert events == 100
    assert len(Parcel.unpack(data).sketches) == 100


def test_what_unfolds_to_much_is_not_held_at_once() -> None:
    bomb = Body("events", KIND, "gzip", zlib.compress(bytes(70 << 20), wbits=31))
    good = body([event(1)])
    found = together.work_off([bomb, good, bomb])
    assert [isinstance(one, ProblemError) or one.kept for one in found.answers] == [True, 1, True]


def test_who_may_be_read_with_whom() -> None:
    one = body([event(1)])
    assert together.alike(one, body([event(2)]))
    for kind in LINES:
        assert together.alike(one, replace(one, content_type=kind))
    for changes in (
        {"kind": "traces"}, {"format": "litellm"}, {"content_type": "application/json"}, {"data": bytes(300_000)},
    ):  # fmt: skip
        assert not together.alike(one, replace(one, **changes))


def test_those_that_wait_are_read_in_one_go_and_all_are_durable(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "parcels.sqlite")
    committer = Committer(store)

    async def send() -> list[Read | BaseException]:
        intake = Intake(reading(sketchers=1), committer, Metrics())
        await intake.start()
        bodies = [body([event(20 * n + k) for k in range(20)]) for n in range(60)]
        bodies[7] = Body("events", "text/html", "", b"x")
        try:
            return await asyncio.gather(*(intake.take(one) for one in bodies), return_exceptions=True)
        finally:
            intake.stop()

    answers = asyncio.run(send())
    committer.stop()
    assert isinstance(answers[7], ProblemError)
    assert answers[7].status == 415
    assert [one.kept for one in answers if isinstance(one, Read)] == [20] * 59
    waiting = store.waiting()
    assert waiting.events == 59 * 20
    assert waiting.parcels <= 10
    store.close()
