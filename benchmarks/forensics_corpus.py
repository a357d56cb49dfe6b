"""Text for the models of the forensics benchmark: docstrings and manual pages of Python's standard library, cut in two.

Nothing is fetched. `human` halves never share a module: the teacher learns from one, innocent models from the other.
A folder may stand in its place: *.txt, *.md, and Parquet with the columns `prompt` and `response`, a row a document.
"""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from stillwatch.hashing import hash64

LONGEST, MOST = 4_000, 8_000_000
"""Characters of a row that are read, and of a half."""


def documents(folder: Path | None = None) -> Iterator[tuple[str, str]]:
    """(name, text) of every docstring and manual page; with `folder`, of the files in it instead."""
    if folder is not None:
        for path in sorted(folder.rglob("*.parquet")):
            rows = pq.read_table(path, columns=["prompt", "response"]).to_pylist()
            for n, row in enumerate(rows):
                if row["prompt"] and row["response"]:
                    yield f"{path.name} {n}", f"{row['prompt']}\n{row['response']}"[:LONGEST]
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
    """(teacher's text, everybody else's text), by hash of the document's name, and in its order."""
    parts: tuple[list[str], list[str]] = ([], [])
    for name, text in sorted(documents(folder), key=lambda one: hash64(one[0])):
        parts[hash64(name) & 1].append(text)
    return "\n\n".join(parts[0])[:MOST], "\n\n".join(parts[1])[:MOST]
