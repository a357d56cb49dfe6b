"""Suspects that answer for themselves: an endpoint by URL, or a transformers model in a folder."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from stillwatch.errors import InputError
from stillwatch.forensics.model.suspects.asking import collect
from stillwatch.forensics.model.suspects.endpoint import Endpoint
from stillwatch.forensics.model.testing import Case
from stillwatch.progress import Progress

__all__ = ["ask", "is_live"]


def is_live(source: str) -> bool:
    """Is it a URL or a model's folder, and not a file of evidence?"""
    return source.startswith(("http://", "https://")) or Path(source).is_dir()


def ask(source: str, model: str, case: Case, progress: Progress) -> tuple[dict[str, pa.Table], list[str]]:
    """Evidence for the plan's statistics, as far as the suspect gives it, and notes on what it does not give."""
    if source.startswith(("http://", "https://")):
        return collect(Endpoint(source, model), case, progress)
    if not (Path(source) / "config.json").exists():
        raise InputError(f"refused: {source} is a folder without config.json: not a transformers model")
    from stillwatch.forensics.model.suspects.local import LocalModel

    return collect(LocalModel(Path(source)), case, progress)
