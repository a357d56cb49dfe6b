"""Options that several commands share: what a run may take of the machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from stillwatch.engine.room import Room

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
