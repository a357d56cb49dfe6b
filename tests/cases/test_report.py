"""The report in a real browser, over a log whose every string is hostile."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console

from stillwatch.cases.explain import explain, render_explanation
from stillwatch.cases.report import write_report
from stillwatch.cases.tables import operators_table
from stillwatch.cases.text import visible
from stillwatch.cases.waterfall import waterfall
from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import RunError, UsageError
from stillwatch.ingest.accounts import load_context
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.pipeline import ScanRequest, scan
from tests.smalllog import SmallLog

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>\x1b[31m\u202e=HYPERLINK("http://x.example")'


class HostileLog(SmallLog):
    """The small log, with markup, escapes and a formula in ids, agents and prompts."""

    def account(self, **declared: object) -> str:
        name = super().account(**declared)
        self.accounts[-1]["account_id"] = name + HOSTILE
        return name + HOSTILE

    def ask(self, account: str, text: str, **columns: object) -> None:
        super().ask(account, f"<script>alert(3)</script> \x1b[2J {text}", **{**columns, "user_agent": HOSTILE})


def scanned(log: SmallLog, folder: Path) -> RunFolder:
    log.write(folder)
    context = load_context(
        accounts=folder / "accounts.parquet", authorisations=None, context=None, pseudonyms=Pseudonyms.none()
    )
    return scan(ScanRequest([folder / "events.parquet"], folder / "run", context=context))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    log = HostileLog()
    log.ordinary(400)
    log.a_ring(30)
    log.an_organisation(12)
    return scanned(log, tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: the report is not opened")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_the_page_is_whole_quiet_and_fits(browser: Browser, run: RunFolder, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    noise: list[str] = []
    page.on("console", lambda message: noise.append(message.text))
    page.on("pageerror", lambda error: noise.append(str(error)))
    page.on("dialog", lambda dialog: noise.append("dialog"))
    page.on("request", lambda request: noise.append(request.url) if not request.url.startswith("file:") else None)
    page.goto(f"file://{run.root / 'report.html'}")
    assert noise == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.scripts.length + document.images.length") == 0
    headings = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(e => e.textContent)")
    for part in ("Timeline", "Evidence, in bits", "Links", "Innocent explanations", "Limits of the method"):
        assert part in headings
    assert page.evaluate("document.querySelectorAll('section.operator svg').length") >= 2
    paper, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert paper != ink
    page.close()


def test_hostile_strings_are_shown_and_do_nothing(run: RunFolder) -> None:
    text = (run.root / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "<img" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "&lt;img" in text, "the id itself is to be read"


def test_the_headline_counts_the_accused(run: RunFolder) -> None:
    text = (run.root / "report.html").read_text(encoding="utf-8")
    assert "1 operator harvested through 30 accounts" in text


def test_elements_are_closed(run: RunFolder) -> None:
    class Open(HTMLParser):
        stack: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in {"meta", "br", "img", "link", "hr", "input"}:
                self.stack.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.stack.pop() == tag

        def handle_startendtag(self, tag: str, attrs: object) -> None:
            pass

    parser = Open()
    parser.feed((run.root / "report.html").read_text(encoding="utf-8"))
    assert parser.stack == []


def test_the_same_run_gives_the_same_report(run: RunFolder) -> None:
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first
    assert len(first) < 3_000_000


def test_nobody_accused_is_a_headline_too(tmp_path: Path) -> None:
    log = SmallLog()
    log.ordinary(120)
    quiet = scanned(log, tmp_path)
    assert "No operator is accused." in (quiet.root / "report.html").read_text(encoding="utf-8")


def plain(thing: object, run: RunFolder, id: str | None = None) -> str:
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=False)
    if id is None:
        console.print(thing)
    else:
        render_explanation(console, explain(run, id))
    return out.getvalue()


def test_explain_is_plain_where_there_is_no_terminal(run: RunFolder) -> None:
    verdict = next(v for v in run.read("verdicts").to_pylist() if v["verdict"] == "unauthorised_distillation")
    text = plain(None, run, verdict["operator_id"])
    assert text.isascii()
    assert verdict["operator_id"] in text
    for dimension in ("source", "scale", "transparency", "purpose"):
        assert f"{dimension}  {verdict[f'bits_{dimension}']:+.1f} bits" in text
    assert "elicitation: observed" in text
    assert "hand_over: not available" in text
    assert "innocent explanations tried" in text


def test_an_account_is_explained_by_its_operator(run: RunFolder) -> None:
    row = next(r for r in run.read("operators").to_pylist() if r["membership_bits"] > 0)
    text = plain(None, run, row["account_id"])
    assert row["operator_id"] in text
    assert "bits of membership" in text
    assert "\x1b" not in text


def test_an_unknown_id_names_its_neighbours(run: RunFolder) -> None:
    known = run.read("operators")["operator_id"][0].as_py()
    with pytest.raises(UsageError, match=known):
        explain(run, known[:-1])
    with pytest.raises(RunError):
        explain(RunFolder(run.root / "nothing"), known)


def test_the_table_of_operators_fits_80_columns(run: RunFolder) -> None:
    out = io.StringIO()
    Console(file=out, width=80).print(operators_table(run))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert any("unauthorised" in line and " 30 " in line for line in lines)


def test_a_waterfall_counts_one_fact_once() -> None:
    signals = [{"name": n, "fact": f, "question": "?"} for n, f in (("a", "one"), ("b", "one"), ("c", "two"))]
    blank = {"dimension": "source", "outcome": "observed", "statistic": None, "null": None, "support": 1}
    rows = [{**blank, "signal": n, "bits": b} for n, b in (("a", 2.0), ("b", 5.0), ("c", -1.0), ("overlap", -0.5))]
    source = waterfall(rows, signals)[0]
    assert source.bits == 5.0 - 1.0 - 0.5
    assert [(step.signal, step.counted) for step in source.steps] == [
        ("b", True), ("c", True), ("a", False), ("overlap", True),
    ]  # fmt: skip
    assert waterfall([], signals)[0].bits is None


@pytest.mark.parametrize("text", ["\x1b[2J", "a\u202eb", "\x00", "line\nbreak", "\ud800"])
def test_what_would_act_is_made_visible(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert "\\u" in shown


def test_long_text_is_cut() -> None:
    assert len(visible("x" * 10_000)) == 401
