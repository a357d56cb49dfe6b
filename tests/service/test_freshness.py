"""How old what is known is said to be."""

from __future__ import annotations

import time
from pathlib import Path

from stillwatch.service.live import Freshness
from stillwatch.service.looking import Looked
from stillwatch.service.store import Waiting


def test_nothing_is_said_before_the_first_look() -> None:
    assert Freshness().age(0) is None


def test_what_came_since_the_count_and_what_waits_make_it_older_than_nothing() -> None:
    began = time.time() - 60
    fresh = Freshness(Looked(Path("000001"), upto=5, began_at=began))
    assert fresh.age(5) == 0.0
    assert 60 <= (fresh.age(6) or 0) < 70, "a parcel that no count has seen yet, or that a look has merged unsaid"
    fresh.waiting = Waiting(parcels=1, events=1, bytes=1, last=6)
    assert 60 <= (fresh.age(5) or 0) < 70
