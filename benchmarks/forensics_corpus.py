"""Text for the models of the forensics benchmark: docstrings and manual pages of Python's standard library, cut in two.

Nothing is fetched. `human` halves never share a module: the teacher learns from one, innocent models from the other.
"""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from stillwatch.hashing import hash64


def documents(folder: Path | None = None) -> Iterator[tuple[str, str]]:
    """(name, text) of every docstring and manual page; with `folder`, of every *.txt and *.md file in it instead."""
    if folder is not None:
        for path in sorted(p for p in folder.rglob("*") if p.suffix in {".txt", ".md"}):
            yield str(path.relative_to(folder)), path.read_text(encoding="utf-8", errors="replace")
        return
    import pydoc_data.topics

    for name, text in sorted(pydoc_data.topics.topics.items()):
        yield f"topic {name}", text
    library = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.rglob("*.py")):
        if {"site-packages", "test", "tests", "idle_test"} & set(path.parts):
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        kinds = (ast.Module, ast.FunctionDef, ast.ClassDef)
        found = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds))
        if text := "\n\n".join(text for text in found if text):
            yield str(path.relative_to(library)), text


def halves(folder: Path | None = None) -> tuple[str, str]:
    """(teacher's text, everybody else's text), by hash of the document's name."""
    parts: tuple[list[str], list[str]] = ([], [])
    for name, text in documents(folder):
        parts[hash64(name) & 1].append(text)
    return "\n\n".join(parts[0]), "\n\n".join(parts[1])
