"""Prompts from a folder of Parquet files, in the place of the grammar's own."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.errors import InputError

_LONGEST = 8_000
"""Characters kept of a prompt: a world's text must stay small enough to be read in one row group."""


def read_prompts(folder: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Benign prompts by source, and attackers' prompts, from files with columns source, role, prompt.

    Raises InputError if the folder has no such files, or lacks either role.
    """
    benign: dict[str, list[str]] = {}
    attacker: list[str] = []
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise InputError(f"{folder}: no Parquet files with prompts there")
    for file in files:
        try:
            table = pq.ParquetFile(file).read(columns=["source", "role", "prompt"])
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{file}: not a Parquet file with columns source, role and prompt: {error}") from error
        if set(table.column_names) != {"source", "role", "prompt"}:
            raise InputError(f"{file}: prompts need the columns source, role and prompt")
        table = table.filter(pc.is_valid(table["prompt"]))
        texts = pc.utf8_slice_codeunits(table["prompt"].cast(pa.string()), 0, _LONGEST).to_pylist()
        for source, role, text in zip(table["source"].to_pylist(), table["role"].to_pylist(), texts, strict=True):
            if not text.strip():
                continue
            if role == "attacker":
                attacker.append(text)
            elif role == "benign":
                benign.setdefault(str(source), []).append(text)
    if not benign or not attacker:
        raise InputError(f"{folder}: prompts of both roles, benign and attacker, are needed")
    return benign, attacker
