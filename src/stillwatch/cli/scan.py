"""`stillwatch demo` and `stillwatch scan`: a log into a run."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli import options
from stillwatch.cli.app import app, command, summary
from stillwatch.progress import Forecast, spoken
from stillwatch.terminal import Display, out


@app.command()
def demo(
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the world and the run.")] = Path("out/demo"),
    seed: Annotated[int, typer.Option(help="Seed of the world.")] = 0,
) -> None:
    """Make the world `demo`, scan it, and show the operators.

    Example: stillwatch demo --out /tmp/demo
    """
    from stillwatch.evaluate import evaluate, render
    from stillwatch.ingest.accounts import load_context
    from stillwatch.ingest.pseudonyms import Pseudonyms
    from stillwatch.pipeline import ScanRequest, scan
    from stillwatch.worlds import write_world

    world, run_dir = out_dir / "world", out_dir / "run"
    with Display(Forecast(), spoken) as display:
        display.stage("making the world `demo`")
        made = write_world("demo", world, seed=seed)
        pseudonyms = Pseudonyms.none()
        context = load_context(
            accounts=world / "accounts.parquet",
            authorisations=world / "authorisations.toml",
            context=world,
            pseudonyms=pseudonyms,
        )
        request = ScanRequest([world / "events"], run_dir, context=context, pseudonyms=pseudonyms, command=command())
        run = scan(request, display)
    summary(run.root)
    out.print(
        f"world    {made.events:,} events of {made.accounts:,} accounts, with their truth: {world}", highlight=False
    )
    for part in render(evaluate(run.root, world)):
        out.print(part)


@app.command(name="scan")
def scan_command(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Files, folders or globs of Parquet, CSV or JSON lines.")
    ] = None,
    run: Annotated[Path | None, typer.Option("--out", help="Run folder to write.")] = None,
    state: Annotated[
        Path | None, typer.Option(help="State folder, made if absent: the log is merged into it; the run is of all.")
    ] = None,
    as_of: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="With --state: the run as of the evening of a day.")
    ] = None,
    forget: Annotated[
        list[str] | None, typer.Option(help="With --state: delete an account, by id or pseudonym; repeatable.")
    ] = None,
    retain: Annotated[
        int | None, typer.Option(min=0, help="With --state: delete days before the last so many; 0 keeps all.")
    ] = None,
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
    engine: options.Engine = "duckdb",
    spark: options.Spark = options.LOCAL,
) -> None:
    """Find the operators behind the accounts of an API log.

    Examples:

    stillwatch scan logs/ --out run --accounts accounts.parquet

    stillwatch scan 'spans-*.jsonl.gz' --out run --format otel --pseudonyms none

    Day by day: stillwatch scan logs/2026-09-02.jsonl --state state --out run
    """
    room = options.room(memory, threads, tmp)
    from stillwatch.errors import UsageError
    from stillwatch.ingest.accounts import load_context
    from stillwatch.ingest.pseudonyms import Pseudonyms, load_key
    from stillwatch.pipeline import ScanRequest, scan
    from stillwatch.settings import load
    from stillwatch.state import StateRequest, scan_state

    if state is None and (as_of or forget or retain is not None):
        raise UsageError("--as-of, --forget and --retain speak of a state: give --state DIR as well")
    if state is None and (run is None or not sources):
        raise UsageError("give a log to read and --out RUN (or --state DIR)")
    if state is not None and engine == "spark":
        raise UsageError("--state is kept by the engine in the process: leave --engine spark out")
    if as_of and run is None:
        raise UsageError("--as-of DAY is about a run: give --out RUN as well")

    chosen = load(settings)
    names = Pseudonyms.keyed(load_key(key_file)[0]) if pseudonyms == "keyed" else Pseudonyms.none()
    with Display(None if state else Forecast(), spoken) as display:
        found = load_context(accounts=accounts, authorisations=authorisations, context=context, pseudonyms=names)
        wanted = ScanRequest(
            sources or [], run or Path(), format, context=found, settings=chosen, pseudonyms=names, command=command(),
            room=room, spark=spark if engine == "spark" else "",
        )  # fmt: skip
        if state is None:
            scan(wanted, display)
        else:
            day = as_of.date() if as_of else None
            kept = scan_state(StateRequest(state, wanted, run is not None, day, forget or (), retain), display)
    if state is not None:
        for line in kept.lines():
            out.print(line, highlight=False, soft_wrap=True)
    if run is not None:
        summary(run)
