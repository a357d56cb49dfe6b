"""The shape of the house, held by tests: layers, sizes, signals that are found, and no package host anywhere."""

from __future__ import annotations

import ast
import importlib.util
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

import stillwatch
from stillwatch import signals
from stillwatch.signals.base import Signal

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "stillwatch"
LONGEST_FILE, LONGEST_FUNCTION, LONG_FUNCTION = 400, 80, 40
LONG_FILES: dict[str, str] = {}
"""File -> why it may be longer."""
NEEDING = {"stillwatch.service.guards.litellm": "litellm"}
"""Modules for another program's environment, and what that has."""
LONGEST_KERNEL = 120
"""Functions compiled by numba keep their state in local variables: cutting them up would make them slower."""
HOSTS = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("anaconda", "org"))]
HOSTS += [f"--{word}-url" for word in ("index", "extra-index")]


@cache
def trees() -> dict[str, ast.Module]:
    return {str(p.relative_to(SOURCE)): ast.parse(p.read_text(encoding="utf-8")) for p in sorted(SOURCE.rglob("*.py"))}


def functions() -> Iterator[tuple[str, int, bool]]:
    """Name and lines of every function, its docstring apart, and whether numba compiles it."""
    for file, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                said = node.body[0] if ast.get_docstring(node) else None
                lines = (node.end_lineno or 0) - node.lineno + 1
                if said is not None:
                    lines -= (said.end_lineno or 0) - said.lineno + 1
                compiled = any("jit" in ast.unparse(decorator) for decorator in node.decorator_list)
                yield f"{file}:{node.name}", lines, compiled


def test_imports_keep_to_the_contracts() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--config", ROOT / ".importlinter"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = grimp.build_graph("stillwatch", cache_dir=None)
    order = TopologicalSorter({name: graph.find_modules_directly_imported_by(name) for name in graph.modules})
    order.prepare()  # CycleError names the circle


def test_files_are_short() -> None:
    long = {
        str(path.relative_to(SOURCE)): lines
        for path in sorted(SOURCE.rglob("*.py"))
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    }
    assert set(long) == set(LONG_FILES), long


def test_functions_are_short() -> None:
    found = list(functions())
    most = {False: LONGEST_FUNCTION, True: LONGEST_KERNEL}
    assert [name for name, lines, compiled in found if lines > most[compiled]] == []
    long = [name for name, lines, compiled in found if lines > LONG_FUNCTION and not compiled]
    assert len(long) <= 0.03 * len(found), long


def test_every_module_says_what_it_is() -> None:
    assert [file for file, tree in trees().items() if not ast.get_docstring(tree)] == []


def test_every_module_can_be_imported_by_itself() -> None:
    names = [module.name for module in pkgutil.walk_packages(stillwatch.__path__, "stillwatch.")]
    assert len(names) > 50
    for name in names:
        needed = NEEDING.get(name)
        if not name.endswith("__main__") and (needed is None or importlib.util.find_spec(needed)):
            importlib.import_module(name)


def test_every_file_of_signals_is_a_signal() -> None:
    files = {path.stem for path in (SOURCE / "signals").glob("*.py")}
    expected = {name for name in files if not name.startswith("_")} - {"base", "summarise"}
    for name in sorted(expected):
        signal = importlib.import_module(f"stillwatch.signals.{name}").SIGNAL
        assert isinstance(signal, Signal)
        assert signal.name == name, "a signal has the name of its file"
    assert {signal.name for signal in signals.all_signals()} == expected


def texts() -> Iterator[Path]:
    """Every text of the repository that is written by hand."""
    yield from (path for path in ROOT.iterdir() if path.is_file() and path.suffix not in {".png", ".tmp"})
    for folder in (".ci", "benchmarks", "docs", "src", "tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in {".py", ".md", ".toml", ".sh", ".yaml", ".html", ".css", ".js", ""}:
                yield path


@pytest.mark.parametrize("word", HOSTS)
def test_no_package_host_is_named(word: str) -> None:
    named = [str(path.relative_to(ROOT)) for path in texts() if word in path.read_text("utf-8", errors="replace")]
    assert named == []
