"""What `explain` says of streams."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from stillwatch.cases.explain import Explanation, stream_lines

WHEN = datetime(2026, 3, 4, tzinfo=UTC)


def stream(account: str, role: str, events: int) -> dict[str, Any]:
    return {
        "account_id": account, "operator_id": "op_ring", "role": role, "events": events, "share": 0.25, "since": WHEN,
        "until": WHEN, "kinds": "content,end_user",
    }  # fmt: skip


def explanation(account: str | None, streams: list[dict[str, Any]], examples: list[str]) -> Explanation:
    asked = None if account is None else {"account_id": account, "proven": True, "membership_bits": 1.0}
    return Explanation({"operator_id": "op_ring"}, [], [], asked, [], streams, examples)


def test_an_account_that_carries_a_stream_says_whose_and_which() -> None:
    lines = stream_lines(explanation("seller", [stream("seller", "reseller", 1200)], ["e1", "e\x1b[2J"]))
    assert lines[0] == (
        "stream (reseller): 1,200 events (25%) are op_ring, 2026-03-04 to 2026-03-04, told by content, end_user"
    )
    assert lines[1].startswith("first of these events: e1, e")
    assert "\x1b" not in lines[1]


def test_an_operator_says_what_is_cover_and_what_went_elsewhere() -> None:
    streams = [
        stream("a", "member", 60),
        stream("b", "member", 40),
        stream("s", "reseller", 30),
        stream("v", "victim", 5),
    ]
    assert stream_lines(explanation(None, streams, [])) == [
        "100 events of its accounts are its stream's, the rest is cover",
        "and 35 events more over 2 accounts that are not its own",
    ]


def test_without_streams_nothing_is_said() -> None:
    assert stream_lines(explanation("a", [], [])) == stream_lines(explanation(None, [], [])) == []
