"""Options that several commands share: what a log is read with, and what a run may take of the machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from stillwatch.engine.room import Room

Format = Annotated[Literal["auto", "table", "otel", "litellm", "bedrock"], typer.Option(help="Format of the log.")]
Accounts = Annotated[Path | None, typer.Option(help="Accounts table (Parquet, CSV, JSON lines).")]
Authorisations = Annotated[Path | None, typer.Option(help="Authorisations (TOML or table).")]
Context = Annotated[Path | None, typer.Option(help="Folder with releases, networks, applications.")]
Settings = Annotated[Path | None, typer.Option(help="Settings (TOML).")]
Pseudonyms = Annotated[Literal["keyed", "none"], typer.Option(help="Store keyed pseudonyms, or the log's own ids.")]
KeyFile = Annotated[
    Path | None, typer.Option(help="Key of the pseudonyms; made if absent.", envvar="STILLWATCH_KEY_FILE")
]
Memory = Annotated[
    str, typer.Option(metavar="SIZE", help="Memory of the engine, e.g. 8GB; beyond it, tables spill to disk.")
]
Threads = Annotated[int, typer.Option(min=0, help="Cores, and processes that sketch text; 0 = all there are.")]
Tmp = Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for what spills; the run folder if not given.")]
MEMORY = "3GB"
Engine = Annotated[Literal["duckdb", "spark"], typer.Option(help="Where the log is read and put into tables.")]
Spark = Annotated[
    str, typer.Option(metavar="URL", help="With --engine spark: a master (spark://…, yarn) or Connect server (sc://…).")
]
LOCAL = "local[*]"


def room(memory: str, threads: int, tmp: Path | None) -> Room:
    """What a run may take. Call it before anything numerical is imported: libraries read their threads when loaded."""
    from stillwatch.engine.room import Room, size
    from stillwatch.errors import UsageError

    if tmp is not None and not tmp.is_dir():
        raise UsageError(f"--tmp {tmp}: there is no such folder")
    out = Room(size(memory), threads, tmp)
    out.bind()
    return out
