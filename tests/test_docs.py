"""The documentation is true: its commands run, its tables are those of the code, its links lead somewhere."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
import types
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer.main

from stillwatch import errors, model, signals
from stillwatch.linking.views import VIEWS
from stillwatch.settings import Settings
from stillwatch.signals import all_signals
from stillwatch.signals.summarise import columns as summary_columns
from tests import doc_tables
from tests.signals.builders import event, run_merge, run_summarise, sketches

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
README, TABLES, SIGNALS, FORMATS, CONCEPTS = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/tables.md", "docs/signals.md", "docs/formats.md", "docs/concepts.md")
)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", without_code(path.read_text(encoding="utf-8")), flags=re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, f"{page.name}: {target}"


# --- tables ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "schema"),
    [
        ("events", model.EVENTS),
        ("releases", model.RELEASES),
        ("groups", model.GROUPS),
        ("decisions", model.DECISIONS),
        *model.TABLES.items(),
    ],
)
def test_tables_are_those_of_the_model(heading: str, schema: pa.Schema) -> None:
    expected = [(field.name, doc_tables.friendly(field.type), not field.nullable) for field in schema]
    assert doc_tables.columns(doc_tables.sections(TABLES)[f"`{heading}`"]) == expected


def test_summaries_are_those_of_the_signals() -> None:
    written = [(name, merge) for name, merge, _ in doc_tables.columns_by_merge(TABLES)]
    expected = {name: field.merge for name, field in summary_columns(all_signals()).items()}
    assert written[:2] == [("account_id", "key"), ("day", "key")]
    assert dict(written[2:]) == expected


def test_views_are_those_of_linking() -> None:
    table = doc_tables.sections(TABLES)["`traits`"].split("Views,")[1]
    assert doc_tables.rows(table) == [[f"`{view.name}`", view.kind, view.meaning] for view in VIEWS.values()]


def test_signals_are_those_of_the_package() -> None:
    expected = [[f"`{s.name}`", s.dimension.value, s.question, s.statistic, s.null] for s in all_signals()]
    assert doc_tables.rows(doc_tables.sections(SIGNALS)["Signals"]) == expected, "write docs/signals.md anew"
    needs = [[f"`{s.name}`", ", ".join(f"`{name}`" for name in s.needs)] for s in all_signals() if s.needs]
    assert doc_tables.rows(doc_tables.sections(SIGNALS)["Outcomes"].split("the others look")[1]) == needs


def test_what_is_missing_hides_what() -> None:
    from stillwatch.manifest import HIDES

    written = doc_tables.rows(doc_tables.sections(FORMATS)["What is missing hides what"])
    assert {name.strip("`"): hides for name, hides in written} == HIDES


def test_reasons_are_those_that_are_given() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/stillwatch/ingest").rglob("*.py"))
    reasons = re.findall(r"`([^`]+)`", "".join(row[0] for row in doc_tables.rows(reasons_section())))
    assert len(reasons) >= 10
    for reason in reasons:
        known = reason.replace("…", "").replace(" N", "").replace("no event_id", "no {name}").strip()
        known = re.sub(r"^no (account_id|model)$", "no {name}", known)
        assert known in source, reason


def reasons_section() -> str:
    return doc_tables.sections(FORMATS)["Rows that cannot be used"]


def test_verdicts_and_dimensions_are_those_of_the_model() -> None:
    written = [row[0].strip("`") for row in doc_tables.rows(doc_tables.sections(CONCEPTS)["Verdict"])]
    assert written == [verdict.value for verdict in model.Verdict]
    dimensions = [row[0] for row in doc_tables.rows(doc_tables.sections(CONCEPTS)["Evidence"])]
    assert dimensions == [dimension.value for dimension in model.Dimension]


def test_the_words_come_in_the_order_of_the_flow() -> None:
    words = ["Event", "Sketch", "Summary", "Trait", "Link", "Operator", "Evidence", "Verdict", "Case", "Decision"]
    assert re.findall(r"^## (.+)$", CONCEPTS, flags=re.MULTILINE) == words


def test_exit_codes_are_those_of_the_errors() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    written = {int(code) for code, _ in doc_tables.rows(doc_tables.sections(README)["Commands"])}
    assert written == {0, *(kind.exit_code for kind in kinds)}


def test_the_example_is_sketched_as_shown() -> None:
    from stillwatch.ingest.sketch import sketch_batch

    prompt, skeleton = re.findall(r"^> ```text\n> (.+)\n> ```$", CONCEPTS, flags=re.MULTILINE)
    prompts = [prompt, prompt.replace("4417", "4418"), prompt.replace("is 12", "is 13")]
    events = [
        {"event_id": str(n), "time": 0, "account_id": "a", "model": "m", "messages": json.dumps([_turn(text)])}
        for n, text in enumerate(prompts)
    ]
    found = sketch_batch(pa.RecordBatch.from_pylist(events, schema=model.EVENTS))
    sketched = found.columns.to_pylist()
    assert [row["text"] for row in found.skeletons.to_pylist() if row["part"] == "whole"] == [skeleton]
    assert len({row["skeleton"] for row in sketched}) == 1
    assert len({row["item"] for row in sketched}) == 3
    assert {round(row["elicitation"], 3) for row in sketched} == {
        float(re.findall(r"`elicitation` is (0\.\d+)", CONCEPTS)[0])
    }


def _turn(text: str) -> dict[str, object]:
    return {"role": "user", "parts": [{"type": "text", "content": text}]}


# --- settings -------------------------------------------------------------------------------------------------------


def test_settings_shown_are_the_defaults() -> None:
    shown = tomllib.loads(blocks(doc_tables.sections(FORMATS)["All settings"], "toml")[0])
    defaults = json.loads(Settings().model_dump_json())
    del defaults["ingest"]["columns"], defaults["ingest"]["attributes"]
    assert shown == defaults


@pytest.mark.parametrize("number", range(len(blocks(FORMATS, "toml"))))
def test_settings_shown_can_be_read(number: int) -> None:
    Settings.model_validate(tomllib.loads(blocks(FORMATS, "toml")[number]))


def test_limits_of_the_service_shown_are_the_defaults() -> None:
    from stillwatch.service.settings import ServiceSettings

    page = (ROOT / "docs/service.md").read_text(encoding="utf-8")
    assert tomllib.loads(blocks(doc_tables.sections(page)["Limits"], "toml")[0]) == ServiceSettings().model_dump()


def test_authorisations_shown_can_be_read(tmp_path: Path) -> None:
    from stillwatch.ingest.accounts import read_authorisations
    from stillwatch.ingest.pseudonyms import Pseudonyms

    path = tmp_path / "authorisations.toml"
    path.write_text(blocks(TABLES, "toml")[0], encoding="utf-8")
    (found,) = read_authorisations(path, Pseudonyms.none())
    assert (found.id, found.accounts, found.max_requests_per_day) == ("auth-1", ("acct-0001",), 50_000)


# --- commands -------------------------------------------------------------------------------------------------------


def commands(text: str) -> list[str]:
    lines = [line for block in blocks(text, "console") for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def test_every_command_is_shown() -> None:
    from stillwatch.cli import app

    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    shown = {line.split()[1] for line in commands(README)}
    assert shown == known


def serve(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    """Run a command that does not end by itself: wait until it says where it serves, ask how it is, end it."""
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        lines = (json.loads(line) for line in process.stderr if line.startswith("{"))
        url = next(line["url"] for line in lines if line["what"] == "serving")
        with urllib.request.urlopen(f"{url}/healthz", timeout=30) as answer:
            assert json.load(answer) == {"ok": True}
    finally:
        process.terminate()
        rest = process.communicate(timeout=60)[1]
    assert process.returncode == 0, rest
    assert "Traceback" not in rest


def run_all(lines: list[str], folder: Path) -> None:
    """Run commands in order in one folder, as a reader would."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STILLWATCH")}
    for line in lines:
        words = shlex.split(line)
        assert words[0] == "stillwatch", line
        if "OPERATOR" in words:
            first = pq.read_table(folder / "run" / "verdicts.parquet")["operator_id"][0].as_py()
            words[words.index("OPERATOR")] = first
        command, at_home = [sys.executable, "-m", "stillwatch", *words[1:]], {**environment, "HOME": str(folder)}
        if words[1] == "serve":
            serve([*command, "--port", "0"], folder, at_home)
            continue
        done = subprocess.run(command, check=False, cwd=folder, env=at_home, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        if "--json" in words:
            json.loads(done.stdout)


SMALL = {"world demo": "world demo --scale 0.3"}
"""What the fast test makes smaller."""


def test_commands_run_on_a_small_world(tmp_path: Path) -> None:
    lines = [line for line in commands(README) if not line.startswith("stillwatch demo")]
    for large, small in SMALL.items():
        lines = [line.replace(large, small) for line in lines]
    run_all(lines, tmp_path)
    check_run_folder(tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page.read_text("utf-8"))], ids=lambda p: p.name)
def test_commands_run_as_they_are_written(page: Path, tmp_path: Path) -> None:
    run_all(commands(page.read_text(encoding="utf-8")), tmp_path)


def check_run_folder(run: Path) -> None:
    """What a scan wrote is what docs/tables.md says."""
    sections = doc_tables.sections(TABLES)
    listed = set(re.findall(r"[\w.]+\.(?:parquet|json|html)", blocks(sections["The run folder"], "")[0]))
    assert {path.name for path in run.iterdir()} == listed
    keys = {key for row in doc_tables.rows(sections["`manifest.json`"]) for key in re.findall(r"`(\w+)`", row[0])}
    assert set(json.loads((run / "manifest.json").read_text(encoding="utf-8"))) == keys
    for path in run.glob("*.parquet"):
        schema = pq.read_schema(path)
        if path.stem == "summaries":
            written = [name for name, _, _ in doc_tables.columns_by_merge(TABLES)]
            assert sorted(schema.names) == sorted(written)
        else:
            shown = [name for name, _, _ in doc_tables.columns(sections[f"`{path.stem}`"])]
            assert schema.names == shown, path.stem


# --- "add a signal" -------------------------------------------------------------------------------------------------


@pytest.fixture
def contributed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[types.ModuleType, str]]:
    """CONTRIBUTING's signal put where it says, and the code of its test."""
    signal, test = blocks((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), "python")
    (tmp_path / "refusals.py").write_text(signal, encoding="utf-8")
    monkeypatch.setattr(signals, "__path__", [*signals.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    all_signals.cache_clear()
    try:
        yield importlib.import_module("stillwatch.signals.refusals"), test
    finally:
        sys.modules.pop("stillwatch.signals.refusals", None)
        vars(signals).pop("refusals", None)
        all_signals.cache_clear()


def test_the_signal_of_contributing_is_found_and_passes_its_test(contributed: tuple[types.ModuleType, str]) -> None:
    module, test = contributed
    assert module.SIGNAL in all_signals()
    space: dict[str, object] = {"__name__": "contributed"}
    exec(compile(test, "CONTRIBUTING.md", "exec"), space)
    tests = [thing for name, thing in space.items() if name.startswith("test_")]
    assert len(tests) == 2
    for one in tests:
        assert callable(one)
        one()


def test_the_signal_of_contributing_merges(contributed: tuple[types.ModuleType, str]) -> None:
    rows = [event(f"a{n % 3}", n, status=["ok", "refused", None][n % 5 % 3]) for n in range(60)]
    parts = [run_summarise(sketches(rows[:25])), run_summarise(sketches(rows[25:]))]
    whole = run_summarise(sketches(rows))
    assert "refusals.refused" in whole.column_names
    assert run_merge(*parts).equals(whole)


def test_the_signal_of_contributing_is_typed_and_clean(
    contributed: tuple[types.ModuleType, str], tmp_path: Path
) -> None:
    (tmp_path / "test_refusals.py").write_text(contributed[1], encoding="utf-8")
    check = [Path(sys.executable).with_name("ruff"), "check", "--no-cache", "--config", ROOT / "pyproject.toml"]
    ignored = ["--ignore", "D1,PLR,I001"]
    done = subprocess.run([*check, *ignored, tmp_path], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
