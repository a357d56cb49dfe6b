"""The request for authorisation: what is written is what a scan reads, and it clears whom it names."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.errors import UsageError
from stillwatch.ingest.accounts import read_authorisations
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.ingest.registration import Registration, write_registration

DAY = st.dates(date(2020, 1, 1), date(2099, 1, 1))
NAME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def asked(**more: Any) -> Registration:
    days = {"valid_from": date(2026, 3, 1), "valid_until": date(2026, 12, 31)}
    values = {"organisation": "Example Lab", "purpose": "compression", "contact": "models@lab.example", **days}
    values |= {"accounts": ("acct-1", "acct-2")}
    return Registration(**{**values, **more})


def test_the_scan_reads_what_was_asked(tmp_path: Path) -> None:
    path = tmp_path / "request.toml"
    write_registration(
        asked(models=("m-1",), max_requests_per_day=500, max_requests_total=9_000, disclosed_at=date(2026, 2, 1)), path
    )
    names = Pseudonyms.keyed(b"k" * 16)
    (found,) = read_authorisations(path, names)
    assert found.accounts == tuple(names.accounts(["acct-1", "acct-2"]))
    assert (found.organisation, found.purpose, found.contact) == ("Example Lab", "compression", "models@lab.example")
    assert (found.max_requests_per_day, found.max_requests_total, found.models) == (500, 9_000, ("m-1",))
    assert found.valid_from == datetime(2026, 3, 1, tzinfo=UTC)
    assert found.valid_until == datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert [path.name for path in tmp_path.iterdir()] == ["request.toml"]


@settings(max_examples=60, deadline=None)
@given(st.lists(NAME, min_size=1, max_size=4), NAME.filter(str.strip), DAY, DAY)
def test_any_name_comes_back_as_it_was(names: list[str], said: str, one: date, other: date) -> None:
    import tempfile

    start, end = sorted([one, other])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.toml"
        request = asked(accounts=tuple(names), organisation=said, purpose=said, valid_from=start, valid_until=end)
        assert write_registration(request, path).accounts == tuple(names)
        (found,) = read_authorisations(path, Pseudonyms.none())
        assert (found.accounts, found.organisation, found.purpose) == (tuple(names), said, said)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"accounts": ()}, "accounts or org_ids must name somebody"),
        ({"valid_until": date(2026, 2, 1)}, "valid_until is before valid_from"),
        ({"organisation": "  "}, "the organisation is missing"),
        ({"contact": ""}, "the contact is missing"),
        ({"max_requests_per_day": 0}, "max_requests_per_day must be 1 or more"),
        ({"accounts": ("",)}, "accounts must be a list of texts"),
    ],
)
def test_what_contradicts_itself_is_refused(more: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        write_registration(asked(**more), tmp_path / "request.toml")
    assert list(tmp_path.iterdir()) == []


def test_a_request_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "request.toml"
    write_registration(asked(), path)
    with pytest.raises(UsageError, match="is there already"):
        write_registration(asked(), path)
    with pytest.raises(UsageError, match=r"must end in \.toml"):
        write_registration(asked(), tmp_path / "request.txt")
    with pytest.raises(UsageError, match="cannot write"):
        write_registration(asked(), tmp_path / "no" / "request.toml")
