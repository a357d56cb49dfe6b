"""`stillwatch replay`: a log as it would have arrived."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from stillwatch.cli import options
from stillwatch.cli.app import app, command
from stillwatch.terminal import Display, out


@app.command(name="replay")
def replay_command(
    sources: Annotated[list[str], typer.Argument(help="Files, folders or globs of Parquet, CSV or JSON lines.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder to write: the record, and the last look as a run.")],
    by: Annotated[
        Literal["day", "12h", "6h", "3h", "1h"], typer.Option(help="What passes from one look to the next.")
    ] = "day",
    every: Annotated[int, typer.Option(help="Look every so many of these.", min=1)] = 1,
    growth: Annotated[
        float, typer.Option(help="Look only when the log has grown by this factor (1.25: fewer, sharper looks).", min=1)
    ] = 1.0,
    truth: Annotated[Path | None, typer.Option(help="World folder: when was each campaign found?")] = None,
    json: Annotated[bool, typer.Option("--json", help="With --truth: print its figures as JSON.")] = False,
    format: options.Format = "auto",
    accounts: options.Accounts = None,
    authorisations: options.Authorisations = None,
    context: options.Context = None,
    settings: options.Settings = None,
    pseudonyms: options.Pseudonyms = "keyed",
    key_file: options.KeyFile = None,
    memory: options.Memory = options.MEMORY,
    threads: options.Threads = 0,
    tmp: options.Tmp = None,
) -> None:
    """Run a log as it would have arrived, and tell when each operator would first have been accused.

    Example: stillwatch replay logs/ --by day --out replayed --accounts accounts.parquet
    """
    room = options.room(memory, threads, tmp)
    from stillwatch.cases.tables import looks_table
    from stillwatch.errors import UsageError
    from stillwatch.evaluate import render_timing, timing
    from stillwatch.evaluate.truth import read_truth
    from stillwatch.ingest.accounts import load_context
    from stillwatch.ingest.pseudonyms import Pseudonyms, load_key
    from stillwatch.pipeline import ScanRequest
    from stillwatch.replay import ReplayRequest, replay
    from stillwatch.settings import load

    if json and truth is None:
        raise UsageError("--json prints what --truth finds: give it as well")
    if truth is not None:
        read_truth(truth)  # a wrong path must not cost an hour
    chosen = load(settings)
    names = Pseudonyms.keyed(load_key(key_file)[0]) if pseudonyms == "keyed" else Pseudonyms.none()
    with Display() as display:
        found = load_context(accounts=accounts, authorisations=authorisations, context=context, pseudonyms=names)
        wanted = ScanRequest(
            sources, folder, format, context=found, settings=chosen, pseudonyms=names, command=command(), room=room
        )
        done = replay(ReplayRequest(wanted, every, growth, by=by), display)
    timed = truth and timing(folder, truth, pseudonyms=lambda kind, ids: [names.one(kind, id) for id in ids])
    if json and timed:
        sys.stdout.write(timed.as_json() + "\n")
        return
    out.print(looks_table(done))
    for part in render_timing(timed) if timed else ():
        out.print(part)
    out.print(f"last look {folder / 'last' / 'report.html'}", highlight=False, soft_wrap=True)
