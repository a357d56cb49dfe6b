"""The console in a real browser: from the queue to a decision that two people made, and every page looked at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from stillwatch.decisions import Action, default_policy
from stillwatch.decisions.audit import check
from stillwatch.service.keys import Role
from tests.service.site import StillSource, keys_for, serving_console

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 60_000
"""Milliseconds; pages come slowly on a busy machine."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: the console is not opened")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


class Site:
    """A console, and the keys to it."""

    def __init__(self, source: StillSource, keys: dict[str, str], url: str) -> None:
        self.source, self.keys, self.url = source, keys, url
        assert source.facts is not None
        accused = "unauthorised_distillation"
        self.ring = next(id for id, one in source.facts.operators.items() if one.verdict == accused)
        self.account = next(id for id, a in source.facts.accounts.items() if a.operator.operator_id == self.ring)

    def enter(self, context: BrowserContext, name: str, to: str = "/") -> Page:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(self.url + to)
        page.get_by_label("API key").fill(self.keys[name])
        page.get_by_role("button", name="Come in").click()
        page.wait_for_url(self.url + to)
        return page


@pytest.fixture
def site(hostile_run: Path, tmp_path: Path) -> Iterator[Site]:
    keys, made = keys_for(tmp_path, ann=[Role.ANALYST], bo=[Role.APPROVER], cy=[Role.VIEWER])
    enforce = default_policy().model_copy(update={"mode": "enforce"})
    source = StillSource(hostile_run, tmp_path, keys, enforce)
    with serving_console(source) as url:
        yield Site(source, made, url)


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_from_the_queue_to_a_block_by_two_people(browser: Browser, site: Site, tmp_path: Path, scripts: bool) -> None:
    expect.set_options(timeout=PATIENCE)
    ann = browser.new_context(java_script_enabled=scripts)
    page = site.enter(ann, "ann")
    first = page.locator("table.walk tbody tr").first
    expect(first).to_contain_text("unauthorised distillation")
    first.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(site.ring)
    page.get_by_text("Decide", exact=True).click()
    page.get_by_role("radio", name="block").check()
    page.get_by_label("Reason").first.fill("one hand, a task bank, nobody follows up")
    page.get_by_role("button", name="Put it down").click()
    expect(page.get_by_role("status")).to_contain_text("somebody else has to approve")
    expect(page.get_by_text("You proposed it")).to_be_visible()
    assert page.get_by_role("button", name="Approve the block").count() == 0
    ann.close()
    assert site.source.decision(site.account, _now()).action is Action.THROTTLE

    bo = browser.new_context(java_script_enabled=scripts)
    page = site.enter(bo, "bo", "/decisions")
    expect(page.get_by_role("navigation", name="Pages")).to_contain_text("Decisions 1")
    page.get_by_role("button", name="Approve the block").click()
    expect(page.get_by_role("status")).to_contain_text("is in force")
    assert site.source.decision(site.account, _now()).action is Action.BLOCK

    page.get_by_role("link", name="Audit").click()
    expect(page.locator(".card.good")).to_contain_text("Sound: 3 entries")
    rows = page.locator("table.walk tbody tr")
    expect(rows.nth(0)).to_contain_text("bo")
    expect(rows.nth(0)).to_contain_text("approved")
    expect(rows.nth(1)).to_contain_text("ann")
    with page.expect_download() as download:
        page.get_by_role("link", name="The whole log").click()
    download.value.save_as(tmp_path / "audit.jsonl")
    bo.close()
    found = check(tmp_path / "audit.jsonl", [str(site.source.book.head)])
    assert (found.sound, found.covered) == (True, 3)


def _now():  # type: ignore[no-untyped-def]
    from datetime import UTC, datetime

    return datetime.now(UTC)


def everything(site: Site) -> list[str]:
    """Every page, with something on it."""
    return [
        "/", "/?standing=waiting",
        f"/operators/{quote(site.ring, safe='')}", f"/accounts/{quote(site.account, safe='')}",
        "/decisions", "/audit", "/search", f"/search?q={quote('<img')}", "/live",
    ]  # fmt: skip


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_pages_are_quiet_whole_and_fit(browser: Browser, site: Site, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    noise: list[str] = []
    page = site.enter(context, "bo")
    page.on("console", lambda message: noise.append(message.text))
    page.on("pageerror", lambda error: noise.append(str(error)))
    page.on("dialog", lambda dialog: (noise.append("dialog"), dialog.dismiss()))
    page.on("request", lambda asked: noise.append(asked.url) if not asked.url.startswith((site.url, "data:")) else None)
    for path in everything(site):
        page.goto(site.url + path)
        assert noise == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate("[...document.querySelectorAll('[style],style,script:not([src])')].length") == 0, path
        assert page.evaluate("document.images.length") == 0, path
        assert page.locator("h1").count() == 1, path
        paper, ink = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        assert paper != ink
    context.close()


def test_links_can_be_walked_from_account_to_account(browser: Browser, site: Site) -> None:
    context = browser.new_context()
    page = site.enter(context, "cy", f"/operators/{quote(site.ring, safe='')}")
    dots = page.locator("svg.graph a")
    assert dots.count() == 30
    dots.first.click()
    page.wait_for_url("**/accounts/**")
    here = page.url
    around = page.locator("svg.graph a")
    assert around.count() >= 3
    around.nth(1).click()
    page.wait_for_url(lambda url: "/accounts/" in url and url != here)
    assert page.get_by_role("button", name="Put it down").count() == 0, "a viewer decides nothing"
    context.close()


def test_the_keyboard_is_enough(browser: Browser, site: Site) -> None:
    context = browser.new_context()
    page = site.enter(context, "cy")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent") == site.ring
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url("**/operators/**")
    page.keyboard.press("g")
    page.keyboard.press("d")
    page.wait_for_url("**/decisions")
    page.keyboard.press("/")
    page.keyboard.type(site.ring[:9])
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/search" in url or "/operators/" in url)
    page.goto(site.url + "/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    context.close()


def test_live_figures_are_brought_up_to_date_without_a_reload(browser: Browser, site: Site) -> None:
    expect.set_options(timeout=PATIENCE)
    context = browser.new_context()
    page = site.enter(context, "cy")
    shown = page.locator("[data-figure=decided]")
    before = shown.inner_text()
    site.source.figures = lambda: {"mode": "enforce", "accounts": 1, "decided": 123_456, "judged_at": None}  # type: ignore[method-assign]
    expect(shown).to_have_text("123,456")
    assert before != "123,456"
    context.close()
