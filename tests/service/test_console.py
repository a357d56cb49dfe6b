"""Who may do what at the console, what cannot be sent from elsewhere, and strings that do nothing."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.cases.about import Pair
from stillwatch.cases.waterfall import Bar, Step
from stillwatch.decisions import Action, Subject
from stillwatch.decisions.audit import check
from stillwatch.engine.runfolder import RunFolder
from stillwatch.service.console import chronicle, drawing
from stillwatch.service.console.pages import harmless
from stillwatch.service.console.routes import READ, WRITTEN
from stillwatch.service.console.sessions import COOKIE, IDLE, LONGEST, Sessions
from stillwatch.service.console.web import inside
from stillwatch.service.deciding import stood_by
from stillwatch.service.keys import Keys, Role, revoke
from tests.decisions.builders import event, member, operator, write_run
from tests.service.serving import serving
from tests.service.site import StillSource, keys_for, serving_console

HOSTILE_TEXT = '<script>alert(1)</script> \x1b[2J \u202e =cmd|"/c calc"!A1 {{ 7*7 }} \ud800'


PATIENCE = 60.0
"""Seconds; answers come slowly on a busy machine."""


def get(url: str, **more: Any) -> httpx.Response:
    """As somebody without a cookie."""
    return httpx.get(url, timeout=PATIENCE, **more)


def post(url: str, **more: Any) -> httpx.Response:
    """As somebody without a cookie."""
    return httpx.post(url, timeout=PATIENCE, **more)


class Browserless:
    """Somebody who came in with a key, without a browser."""

    def __init__(self, url: str, key: str | None) -> None:
        self.client = httpx.Client(base_url=url, timeout=PATIENCE)
        if key is not None:
            answer = self.client.post("/login", data={"key": key})
            assert answer.status_code == 303, answer.text
        self.secret = self.form_secret()

    def form_secret(self) -> str:
        found = re.search(r'name="form" value="([^"]+)"', self.client.get("/search").text)
        return found[1] if found else ""

    def send(self, path: str, **words: str) -> httpx.Response:
        return self.client.post(path, data={"form": self.secret, **words})

    def said(self, path: str = "/search") -> str:
        return self.client.get(path).text


class Desk:
    """A console and people of every role."""

    def __init__(self, source: StillSource, url: str, keys: dict[str, str], folder: Path) -> None:
        self.source, self.url, self.keys, self.folder = source, url, keys, folder
        self.people = {name: Browserless(url, key) for name, key in keys.items() if name != "machine"}
        assert source.facts is not None
        self.ring = next(id for id, o in source.facts.operators.items() if o.verdict == "unauthorised_distillation")
        self.account = next(id for id, a in source.facts.accounts.items() if a.operator.operator_id == self.ring)


@pytest.fixture(scope="module")
def desk(hostile_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    keys, made = keys_for(
        folder, ann=[Role.ANALYST], bo=[Role.APPROVER], cy=[Role.VIEWER], machine=[Role.INGEST], di=[Role.APPROVER]
    )
    source = StillSource(hostile_run, folder, keys)
    with serving_console(source) as url:
        yield Desk(source, url, made, folder)


# --- who ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [path.replace("{operator:path}", "x").replace("{account:path}", "x") for path in READ])
def test_nobody_reads_without_a_key(desk: Desk, path: str) -> None:
    answer = get(desk.url + path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?to=")
    assert get(desk.url + path, cookies={COOKIE: "made-up"}).status_code == 303


@pytest.mark.parametrize("path", WRITTEN)
def test_nobody_writes_without_the_role(desk: Desk, path: str) -> None:
    least = WRITTEN[path][1]
    real = re.sub(r"\{\w+\}", "o-2", path)
    before = desk.source.book.head
    for name, role in (("cy", Role.VIEWER), ("ann", Role.ANALYST)):
        answer = desk.people[name].send(real, subject="account:a", reason="", text="")
        may = role is Role.ANALYST and least is Role.ANALYST
        assert (answer.status_code == 403) == (not may) or path.endswith("decline"), (name, answer.status_code)
    assert post(desk.url + real, data={"reason": "x"}).status_code == 303
    assert desk.source.book.head == before


def test_keys_that_do_not_open(desk: Desk) -> None:
    for key in ("", "sw_000000000000_" + "x" * 43, desk.keys["machine"], desk.keys["bo"][:-1] + "_"):
        answer = post(desk.url + "/login", data={"key": key})
        assert answer.status_code == 401
        assert COOKIE not in answer.cookies
    assert desk.source.guesses >= 4


def test_the_cookie_is_for_this_site_and_no_script(desk: Desk) -> None:
    cookie = post(desk.url + "/login", data={"key": desk.keys["cy"]}).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert desk.keys["cy"][16:] not in cookie


def test_a_key_that_was_revoked_ends_its_sessions(hostile_run: Path, tmp_path: Path) -> None:
    keys, made = keys_for(tmp_path, ann=[Role.ANALYST], bo=[Role.APPROVER])
    with serving_console(StillSource(hostile_run, tmp_path, keys)) as url:
        ann = Browserless(url, made["ann"])
        assert ann.client.get("/search").status_code == 200
        revoke(tmp_path / "keys.json", made["ann"].split("_")[1])
        keys.refresh()
        assert ann.client.get("/search").status_code == 303
        bo = Browserless(url, made["bo"])
        assert bo.send("/logout").headers["location"] == "/login"
        assert bo.client.get("/search").status_code == 303


def test_sessions_end_when_idle_and_after_a_day_of_work(tmp_path: Path) -> None:
    keys, made = keys_for(tmp_path, ann=[Role.ANALYST])
    now = datetime.now(UTC)
    caller = keys.caller(made["ann"], now)
    assert caller is not None
    sessions = Sessions(keys)
    idle, busy = sessions.begin(caller, now), sessions.begin(caller, now)
    at = now
    while at - now <= LONGEST:
        assert sessions.find(busy, at) is not None
        at += IDLE / 2
    assert sessions.find(busy, at) is None
    assert sessions.find(idle, now + IDLE + timedelta(seconds=1)) is None
    assert sessions.find(idle, now) is None, "gone for good"


def test_without_keys_only_this_machine_is_answered(hostile_run: Path, tmp_path: Path) -> None:
    with serving_console(StillSource(hostile_run, tmp_path, Keys())) as url:
        local = Browserless(url, None)
        assert local.client.get("/search").status_code == 200
        assert "local" in local.said()
        # a page elsewhere that makes its own name lead here
        other = get(url + "/search", headers={"host": "evil.example"})
        assert other.status_code == 303
        assert COOKIE not in other.cookies
        assert local.send("/notes", subject="account:a", text="x").status_code == 303
        assert post(url + "/notes", data={"subject": "account:a", "text": "x"}).status_code == 403


# --- forms of others ------------------------------------------------------------------------------------------------


def test_forms_that_are_not_of_this_session(desk: Desk) -> None:
    ann, before = desk.people["ann"], desk.source.book.head
    words = {"subject": "account:a", "text": "x"}
    for form, headers in (
        ({}, {}),
        ({"form": ""}, {}),
        ({"form": "x" * 43}, {}),
        ({"form": desk.people["bo"].secret}, {}),
        ({"form": ann.secret}, {"sec-fetch-site": "cross-site"}),
        ({"form": ann.secret}, {"sec-fetch-site": "same-site"}),
    ):
        assert ann.client.post("/notes", data={**words, **form}, headers=headers).status_code == 403
    json_body = {"form": ann.secret, **words}
    assert ann.client.post("/notes", json=json_body).status_code == 415
    assert ann.client.post("/notes", data={**words, "form": ann.secret, "text": "x" * 70_000}).status_code == 413
    too_many = {**words, "form": ann.secret, **{f"w{n}": "" for n in range(100)}}
    assert ann.client.post("/notes", data=too_many).status_code == 400
    assert ann.client.get("/notes").status_code == 405
    assert desk.source.book.head == before


@pytest.mark.parametrize(
    "to",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\\b", "/a\nb", "", "é"],
)
def test_nobody_is_sent_to_another_site(desk: Desk, to: str) -> None:
    assert inside(to, "/") == "/"
    answer = post(desk.url + "/login", data={"key": desk.keys["cy"], "to": to})
    assert answer.headers["location"] == "/"


def test_headers_that_let_nothing_in(desk: Desk) -> None:
    for path in ("/", "/login", "/static/console.css", "/accounts/none", "/audit.jsonl", "/figures"):
        headers = desk.people["cy"].client.get(path).headers
        rules = headers["content-security-policy"]
        assert "default-src 'none'" in rules
        assert "unsafe" not in rules
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
    assert desk.people["cy"].client.get("/").headers["cache-control"] == "no-store"


# --- decisions ------------------------------------------------------------------------------------------------------


def test_the_same_person_cannot_approve(desk: Desk) -> None:
    bo, di, subject = desk.people["bo"], desk.people["di"], f"operator:{quote(desk.ring, safe='')}"
    assert bo.send("/orders", subject=subject, action="block", reason="a ring").status_code == 303
    (order,) = desk.source.book.docket.waiting(datetime.now(UTC))
    assert len(order.accounts) == 30
    bo.send(f"/orders/{order.id}/approve")
    assert "somebody else has to approve it" in bo.said()
    assert desk.people["ann"].send(f"/orders/{order.id}/approve").status_code == 403
    assert desk.people["ann"].send(f"/orders/{order.id}/decline", reason="no").status_code == 403
    di.send(f"/orders/{order.id}/approve")
    assert desk.source.book.docket.orders[order.id].approved_by == "di"
    assert desk.source.decision(desk.account, datetime.now(UTC)).would is Action.BLOCK
    di.send(f"/orders/{order.id}/lift", reason="enough")
    assert desk.source.decision(desk.account, datetime.now(UTC)).would is Action.THROTTLE


def test_nobody_decides_on_accounts_that_he_has_not_seen(desk: Desk) -> None:
    before = desk.source.book.head
    desk.people["bo"].send(
        "/orders",
        subject=f"operator:{quote(desk.ring, safe='')}",
        action="block",
        reason="a ring",
        count_proven="29",
        members="proven",
    )
    assert "the page showed 29 accounts and there are 30 now" in desk.people["bo"].said()
    assert desk.source.book.head == before


def test_everything_a_form_can_do(desk: Desk) -> None:
    bo, ann, docket = desk.people["bo"], desk.people["ann"], lambda: desk.source.book.docket
    subject, now = f"account:{quote(desk.account, safe='')}", datetime.now(UTC)
    held = Subject("account", desk.account)
    ann.send("/orders", subject=subject, action="throttle", rate="3/hour", reason="slow")
    assert docket().order_on(held, now) is None, "takes an approver"
    bo.send("/orders", subject=subject, action="throttle", rate="3/hour", reason="slow", scope="model", only="m-1, m-2")
    order = docket().order_on(held, datetime.now(UTC))
    assert order is not None
    assert (order.rate, order.only, order.proposed_by) == ("3/hour", ("m-1", "m-2"), "bo")
    ann.send("/appeals", subject=subject, text="we are a class")
    appeal = next(one for one in docket().appeals.values() if one.open)
    bo.send(f"/appeals/{appeal.id}/answer", upheld="no", reason="no class")
    assert "may uphold the appeal against it, not turn it down" in bo.said()
    desk.people["di"].send(f"/appeals/{appeal.id}/answer", upheld="yes", reason="it is one", days="5")
    assert docket().appeals[appeal.id].upheld
    listing = docket().listing_of(held, datetime.now(UTC))
    assert listing is not None
    bo.send(f"/listings/{listing.id}/end", reason="term is over")
    bo.send("/listings", subject=subject, reason="a customer", days="7")
    assert docket().listing_of(held, datetime.now(UTC)) is not None
    bo.send("/kill-switch", on="yes", reason="a bad rule")
    assert docket().killed == "a bad rule"
    assert "kill switch on" in bo.said()
    bo.send("/kill-switch", on="no", reason="mended")
    assert docket().killed == ""


@pytest.mark.parametrize(
    ("path", "words", "status", "said"),
    [
        ("/orders", {"subject": "nobody", "action": "block", "reason": "x"}, 400, ""),
        ("/orders", {"subject": "account:a", "action": "ban", "reason": "x"}, 400, ""),
        ("/orders", {"subject": "account:a", "action": "verify", "reason": " "}, 303, "a reason is needed"),
        ("/orders", {"subject": "account:a", "action": "verify", "reason": "x", "days": "many"}, 303, "a whole number"),
        ("/orders", {"subject": "account:a", "action": "throttle", "reason": "x"}, 303, "needs a rate"),
        ("/orders", {"subject": "operator:none", "action": "block", "reason": "x"}, 303, "is for named accounts"),
        ("/orders/o-99/approve", {}, 303, "there is no order"),
        ("/appeals/a-99/answer", {"upheld": "maybe", "reason": "x"}, 400, ""),
    ],
)
def test_words_that_cannot_be_used(desk: Desk, path: str, words: dict[str, str], status: int, said: str) -> None:
    before = desk.source.book.head
    assert desk.people["bo"].send(path, **words).status_code == status
    assert said in desk.people["bo"].said()
    assert desk.source.book.head == before


# --- hostile strings ------------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """Every tag and attribute of a page, and whether tags are closed."""

    VOID = frozenset({"meta", "br", "img", "link", "hr", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.stack: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        for name, value in attrs:
            assert name != "href" or not str(value).lower().startswith("javascript")
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag


def test_hostile_strings_do_nothing_on_any_page(desk: Desk) -> None:
    ann = desk.people["ann"]
    ring, account, text = (quote(one, safe="", errors="replace") for one in (desk.ring, desk.account, HOSTILE_TEXT))
    form = {"content-type": "application/x-www-form-urlencoded"}
    words = f"form={ann.secret}&subject=account:{quote(account)}&text={text}"
    assert ann.client.post("/notes", content=words, headers=form).status_code == 303
    ann.send("/orders", subject=f"account:{account}%3Cb%3E", action="verify", reason=HOSTILE_TEXT.replace("\ud800", ""))
    for path in (
        "/", f"/operators/{ring}", f"/accounts/{account}", f"/accounts/{account}%3Cb%3E", "/decisions", "/audit",
        "/live", f"/audit?subject=account%3A{account}", f"/search?q={quote('<img src=x onerror=alert(1)>')}",
        "/search?q=%00", f"/login?to={text}", "/?verdict=%3Cscript%3E&page=-1", "/operators/%3Cscript%3E",
    ):  # fmt: skip
        answer = desk.people["bo"].client.get(path)
        assert answer.status_code in {200, 404}, path
        tags = Tags()
        tags.feed(answer.text)
        assert tags.stack == [], path
        assert "img" not in tags.names
        assert not [name for name in tags.attributes if name.startswith("on") or name == "style"], path
        assert "\x1b" not in answer.text
        assert "\u202e" not in answer.text
        assert "<script>" not in answer.text
    assert "alert(1)" in ann.said(f"/accounts/{account}"), "what was written is to be read"
    assert "{{ 7*7 }}" in ann.said(f"/accounts/{account}")


def test_a_spreadsheet_takes_nothing_for_a_formula(desk: Desk) -> None:
    answer = desk.people["cy"].client.get(f"/operators/{quote(desk.ring, safe='')}/accounts.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="accounts.csv"'
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert len(rows) == 31
    assert rows[0][:2] == ["account_id", "operator_id"]
    for cell in ("=1+1", "+1", "-1", "@x", "\tx", "|calc", "%x"):
        assert harmless(cell) == "'" + cell
    assert harmless("acct-1") == "acct-1"


def test_an_id_with_every_kind_of_sign_has_a_page(tmp_path: Path) -> None:
    names = ["a/b", "a?b#c", "..", "%2e%2e", "a b", "é", "=x", "a&b=c", "x" * 300]
    run = write_run(
        tmp_path / "run", [member(n, operator(f"op {n}", accounts=1)) for n in names], [event(n) for n in names]
    )
    folder = RunFolder(run)
    import pyarrow as pa

    from stillwatch.model import ACCOUNTS, SKELETONS, TRAITS

    folder.write("accounts", pa.Table.from_pylist([{"account_id": n} for n in names], schema=ACCOUNTS))
    folder.write("traits", TRAITS.empty_table())
    folder.write("summaries", pa.table({
        "account_id": names, "day": [date(2026, 9, 1)] * len(names), "volume.events": [1] * len(names),
        "volume.input_tokens": [1] * len(names), "volume.output_tokens": [1] * len(names),
        "volume.first_seen": [1.0] * len(names), "volume.last_seen": [1.0] * len(names)}))  # fmt: skip
    folder.write("skeletons", SKELETONS.empty_table())
    keys, made = keys_for(tmp_path, cy=[Role.VIEWER])
    with serving_console(StillSource(run, tmp_path, keys)) as url:
        cy = Browserless(url, made["cy"])
        links = re.findall(r'href="(/operators/[^"]+)"', cy.client.get("/").text)
        assert len(links) == len(names)
        for link in links:
            page = cy.client.get(link)
            assert page.status_code == 200, link
            (account,) = set(re.findall(r'href="(/accounts/[^"]+)"', page.text))
            assert cy.client.get(account).status_code == 200, account


# --- what is known --------------------------------------------------------------------------------------------------


def test_before_the_first_look(tmp_path: Path) -> None:
    keys, made = keys_for(tmp_path, cy=[Role.VIEWER])
    with serving_console(StillSource(None, tmp_path, keys)) as url:
        cy = Browserless(url, made["cy"])
        assert "Nothing has been looked at yet" in cy.said("/")
        assert cy.client.get("/operators/x").status_code == 404
        assert cy.client.get("/live").status_code == 200


def test_what_changed_since_yesterday(tmp_path: Path) -> None:
    now = datetime(2026, 9, 20, 23, tzinfo=UTC)
    chronicles = tmp_path / "chronicle"
    for back, accounts, verdict in (
        (2, 3, "inconclusive"),
        (1, 5, "inconclusive"),
        (0, 8, "unauthorised_distillation"),
    ):
        one = operator("op-1", verdict, accounts=accounts)  # type: ignore[arg-type]
        run = write_run(tmp_path / f"run{back}", [member("a", _typed(one))])
        chronicle.record(RunFolder(run), now - timedelta(days=back), chronicles)
    verdict_row = RunFolder(tmp_path / "run0").read("verdicts").to_pylist()[0]
    found = chronicle.since(chronicles, verdict_row, now.date())
    assert found is not None
    assert found.day == date(2026, 9, 19)
    assert {(c.what, c.before, c.now) for c in found.changes} == {
        ("verdict", "inconclusive", "unauthorised distillation"), ("accounts", "5", "8"),
    }  # fmt: skip
    new = chronicle.since(chronicles, {**verdict_row, "operator_id": "op-9"}, now.date())
    assert new is not None
    assert not new.known
    assert chronicle.since(chronicles, verdict_row, date(2026, 9, 18)) is None


def _typed(one):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    from stillwatch.model import Verdict

    return replace(one, verdict=Verdict(one.verdict))


def test_the_chronicle_keeps_a_month(tmp_path: Path) -> None:
    run = RunFolder(write_run(tmp_path / "run", [member("a", operator("op-1"))]))
    for day in range(35):
        chronicle.record(run, datetime(2026, 9, 1, tzinfo=UTC) + timedelta(days=day), tmp_path / "c")
    assert len(list((tmp_path / "c").iterdir())) == chronicle.KEPT


def test_search_finds_what_is_declared_and_a_single_hit_is_opened(desk: Desk) -> None:
    bo = desk.people["bo"]
    assert (
        bo.client.get(f"/search?q={quote(desk.ring)}").headers["location"] == f"/operators/{quote(desk.ring, safe='')}"
    )
    assert "by organisation" in bo.said("/search?q=firm")
    assert "Nothing in the newest run" in bo.said("/search?q=%25%25")


# --- drawings -------------------------------------------------------------------------------------------------------


@given(st.dictionaries(st.dates(date(2025, 1, 1), date(2026, 12, 31)), st.integers(1, 10**7), min_size=1, max_size=40))
def test_columns_are_as_high_as_days_are_busy(days: dict[date, int]) -> None:
    drawn = drawing.timeline(sorted(days.items()), [], [])
    assert drawn is not None
    shown = {column.day: column for column in drawn.columns}
    top = max(days[day] for day in shown)
    full = drawing.HIGH - drawing.BOTTOM - drawing.TOP
    for day, column in shown.items():
        assert column.height == pytest.approx(full * days[day] / top)
        assert column.y + column.height == pytest.approx(drawn.base)
        assert column.x >= drawing.LEFT
        assert column.x + column.width <= drawing.WIDE
    assert [column.newest for column in drawn.columns] == [False] * (len(shown) - 1) + [True]
    assert set(days) - set(shown) == {day for day in days if (max(days) - day).days >= drawing.MOST_DAYS}
    assert all(0 < level.at < drawing.HIGH for level in drawn.levels)


steps = st.builds(
    Step, st.just("s"), st.just("?"), st.just("observed"), st.none() | st.floats(-30, 60), st.none(), st.none(),
    st.just(1), st.booleans(),
)  # fmt: skip


@given(st.lists(st.lists(steps, max_size=6), min_size=1, max_size=4))
def test_a_waterfall_goes_on_where_the_last_step_ended(dimensions: list[list[Step]]) -> None:
    bars = []
    for found in dimensions:
        known = [s.bits for s in found if s.counted and s.bits is not None]
        bars.append(Bar("source", sum(known) if known else None, found))
    for fall in drawing.falls(bars):
        at = fall.zero
        for track in fall.tracks:
            assert 0 <= track.x <= 100
            assert 0 <= fall.width <= 100 - fall.zero
            if track.step.counted and (track.step.bits or 0) > 1 and at > 0:
                assert track.x == pytest.approx(at, abs=0.02)
                at = track.x + track.width
            elif track.step.counted and track.step.bits:
                return  # downwards, or too short to draw to scale


def test_neighbours_stand_side_by_side() -> None:
    kinds = dict.fromkeys("abcdef", "proven")
    graph = drawing.ring(kinds, [Pair("a", "d", "control", 2), Pair("d", "f", "content", 1)])
    assert [dot.id for dot in graph.dots][:3] == ["a", "d", "f"]
    assert len({(dot.x, dot.y) for dot in graph.dots}) == 6
    around = drawing.around("a", {"b": "other"}, {"b": ("control", "payment")})
    assert [(dot.id, dot.kind) for dot in around.dots] == [("b", "other"), ("a", "here")]
    assert (around.lines[0].x1, around.lines[0].y1) == (210.0, 210.0)


# --- with the service behind it -------------------------------------------------------------------------------------


def test_the_console_is_part_of_the_service(tmp_path: Path) -> None:
    _, made = keys_for(tmp_path, bo=[Role.APPROVER], machine=[Role.INGEST])
    with serving(tmp_path, "--keys", str(tmp_path / "keys.json")) as service:
        assert get(service.url + "/").headers["location"] == "/login?to=%2F"
        bo = Browserless(service.url, made["bo"])
        assert "Nothing has been looked at yet" in bo.said("/")
        assert bo.send("/listings", subject="account:a", reason="a customer").status_code == 303
        header = {"authorization": f"Bearer {made['bo']}"}
        said = get(service.url + "/v1/decisions/a", headers=header).json()
        assert (said["by"], said["reason"]) == ("allow_list", "a customer")
        # the cookie is for pages: the API asks for the key
        assert bo.client.get("/v1/decisions/a").status_code == 401
        assert "1" in bo.said("/live")
    assert check(tmp_path / "state.live" / "casebook").sound


# --- what the service stands by -------------------------------------------------------------------------------------


def test_who_is_only_pending_is_shown_as_that(desk: Desk) -> None:
    facts = desk.source.facts
    assert facts is not None
    pages = ("/?verdict=inconclusive", f"/operators/{quote(desk.ring, safe='')}", f"/accounts/{quote(desk.account)}")
    said = desk.people["cy"].said
    try:
        assert not any("pending" in said(path).lower() for path in pages)
        desk.source.facts = stood_by(facts, [desk.ring])
        assert all("pending" in said(path).lower() for path in pages)
        assert desk.ring in said(pages[0])
        assert desk.ring not in said("/?verdict=unauthorised_distillation")
    finally:
        desk.source.facts = facts
