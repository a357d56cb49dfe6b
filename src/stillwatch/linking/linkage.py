"""`stillwatch link`: a file of traits -> a folder with links, operators, groups and a manifest."""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from stillwatch import __version__
from stillwatch.engine.meter import Meter
from stillwatch.engine.runfolder import MANIFEST, RunFolder
from stillwatch.errors import InputError, RunError, UsageError
from stillwatch.ingest.given import GivenTraits, read_traits
from stillwatch.linking.generic import SETTINGS, GenericResult, link_traits
from stillwatch.linking.views import View, view_of
from stillwatch.progress import SILENT, Progress
from stillwatch.settings import LinkingSettings

MOST_VIEWS = 60
"""A link remembers its views as the bits of one number."""
COMMAND = "link"
TABLES = ("links", "operators", "groups", "rejects")


@dataclass(frozen=True)
class LinkRequest:
    """What to link and how."""

    traits: Path
    out: Path
    views: Mapping[str, View] = field(default_factory=dict)
    settings: LinkingSettings = SETTINGS
    seed: int = 0
    command: str = ""


def link_file(request: LinkRequest, progress: Progress = SILENT) -> RunFolder:
    """Read, link, check on a shuffle, and write `request.out`; StillwatchError says what the user can mend."""
    run, meter = RunFolder(request.out), Meter(progress)
    _spare(request)
    with meter.stage("reading"):
        given = read_traits(request.traits)
        _not_too_many(request.traits, given)
    with meter.stage("linking, and once more on a shuffle"):
        found = link_traits(given.traits, request.views, request.settings, request.seed)
    with meter.stage("writing"):
        run.begin()
        for name, table in zip(TABLES, (found.links, found.operators, found.groups, given.rejects), strict=True):
            run.write(name, table)
    run.write_manifest(_manifest(request, given, found, meter))
    return run


def _spare(request: LinkRequest) -> None:
    """A new result replaces an older one, and nothing else: not the run that the traits come from."""
    out = request.out
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is no folder")
    if request.traits.exists() and out.exists() and request.traits.resolve().parent == out.resolve():
        raise UsageError(f"--out {out} is the folder of the input, whose tables would be replaced: name another")
    if not out.is_dir():
        return
    there = {path.name for path in out.iterdir()}
    foreign = {name for name in there if name.endswith(".parquet")} - {f"{name}.parquet" for name in TABLES}
    if foreign or "report.html" in there or (MANIFEST in there and _kind(out) != COMMAND):
        raise UsageError(f"--out {out} holds what `stillwatch link` did not write: name another folder")


def _kind(folder: Path) -> object:
    try:
        return RunFolder(folder).manifest().get("kind")
    except RunError:
        return None


def _not_too_many(path: Path, given: GivenTraits) -> None:
    count = pc.count_distinct(given.traits["view"]).as_py()
    if count > MOST_VIEWS:
        raise InputError(f"{path}: {count:,} different views; at most {MOST_VIEWS} can be told apart")


def load_views(path: Path | None) -> dict[str, View]:
    """What views mean, from a TOML file: [views.NAME] with kind and family; UsageError names what is wrong."""
    if path is None:
        return {}
    try:
        stated = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"views {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"views {path}: not TOML: {error}") from error
    entries = stated.pop("views", {})
    if stated or not isinstance(entries, dict):
        raise UsageError(f"views {path}: there is nothing but [views.NAME] in it; found {', '.join(sorted(stated))}")
    return {name: _view(f"views {path}: [views.{name}]", name, entry) for name, entry in entries.items()}


def _view(where: str, name: str, entry: Any) -> View:
    """A view as stated; what is not stated is as `view_of` knows it."""
    if not isinstance(entry, dict) or set(entry) - {"kind", "family"}:
        raise UsageError(f"{where} may say kind and family, nothing else")
    known = view_of(name)
    kind, family = entry.get("kind", known.kind), entry.get("family", known.family or name)
    if kind not in ("control", "content", "context"):
        raise UsageError(f"{where} kind must be control, content or context")
    if not isinstance(family, str) or not family:
        raise UsageError(f"{where} family must be a word")
    return View(name, kind, family, known.meaning)


def _manifest(request: LinkRequest, given: GivenTraits, found: GenericResult, meter: Meter) -> dict[str, Any]:
    groups = found.groups
    return {
        "kind": COMMAND,
        "version": __version__,
        "command": request.command,
        "settings": request.settings.model_dump(),
        "seed": request.seed,
        "input": given.source,
        "views": found.views,
        "counts": {
            **given.counts,
            **found.counts,
            "links": len(found.links),
            "groups": len(groups),
            "accounts_in_groups": pc.sum(groups["accounts"]).as_py() or 0,
        },
        "shuffled": asdict(found.calibration) if found.calibration else None,
        "seconds": {**meter.seconds, **{f"linking: {name}": value for name, value in found.seconds.items()}},
        "peak_mebibytes": meter.peak_mebibytes(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("networkit", "numba", "numpy", "pyarrow", "scipy")},
        },
    }
