"""The command line. Exit codes: 0 done, 1 failed, 2 usage, 3 input, 4 run folder (see errors.py)."""

from __future__ import annotations

import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from stillwatch import __version__
from stillwatch.errors import StillwatchError
from stillwatch.terminal import Display, err, out

app = typer.Typer(
    name="stillwatch",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Find the operators who harvest a hosted language model through many accounts.\n\n"
        "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 unusable input, 4 unusable run folder."
    ),
)

Run = Annotated[Path, typer.Argument(help="A run folder made by `stillwatch scan`.")]


def _command() -> str:
    return shlex.join(["stillwatch", *sys.argv[1:]])


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        out.print(__version__, highlight=False)
        raise typer.Exit


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
    with Display() as display:
        display.stage("making the world `demo`")
        made = write_world("demo", world, seed=seed)
        pseudonyms = Pseudonyms.none()
        context = load_context(
            accounts=world / "accounts.parquet",
            authorisations=world / "authorisations.toml",
            context=world,
            pseudonyms=pseudonyms,
        )
        request = ScanRequest([world / "events"], run_dir, context=context, pseudonyms=pseudonyms, command=_command())
        run = scan(request, display)
    _summary(run.root)
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
    format: Annotated[
        Literal["auto", "table", "otel", "litellm", "bedrock"], typer.Option(help="Format of the log.")
    ] = "auto",
    accounts: Annotated[Path | None, typer.Option(help="Accounts table (Parquet, CSV, JSON lines).")] = None,
    authorisations: Annotated[Path | None, typer.Option(help="Authorisations (TOML or table).")] = None,
    context: Annotated[Path | None, typer.Option(help="Folder with releases, networks, applications.")] = None,
    settings: Annotated[Path | None, typer.Option(help="Settings (TOML).")] = None,
    pseudonyms: Annotated[
        Literal["keyed", "none"], typer.Option(help="Store keyed pseudonyms, or the log's own ids.")
    ] = "keyed",
    key_file: Annotated[
        Path | None, typer.Option(help="Key of the pseudonyms; made if absent.", envvar="STILLWATCH_KEY_FILE")
    ] = None,
) -> None:
    """Find the operators behind the accounts of an API log.

    Examples:

    stillwatch scan logs/ --out run --accounts accounts.parquet

    stillwatch scan 'spans-*.jsonl.gz' --out run --format otel --pseudonyms none

    Day by day: stillwatch scan logs/2026-09-02.jsonl --state state --out run
    """
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
    if as_of and run is None:
        raise UsageError("--as-of DAY is about a run: give --out RUN as well")

    chosen = load(settings)
    names = Pseudonyms.keyed(load_key(key_file)[0]) if pseudonyms == "keyed" else Pseudonyms.none()
    with Display() as display:
        found = load_context(accounts=accounts, authorisations=authorisations, context=context, pseudonyms=names)
        wanted = ScanRequest(
            sources or [], run or Path(), format, context=found, settings=chosen, pseudonyms=names, command=_command()
        )
        if state is None:
            scan(wanted, display)
        else:
            day = as_of.date() if as_of else None
            kept = scan_state(StateRequest(state, wanted, run is not None, day, forget or (), retain), display)
    if state is not None:
        for line in kept.lines():
            out.print(line, highlight=False, soft_wrap=True)
    if run is not None:
        _summary(run)


@app.command(name="replay")
def replay_command(
    sources: Annotated[list[str], typer.Argument(help="Files, folders or globs of Parquet, CSV or JSON lines.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder to write: the record, and the last look as a run.")],
    by: Annotated[Literal["day"], typer.Option(help="What passes from one look to the next.")] = "day",
    every: Annotated[int, typer.Option(help="Look every so many days.", min=1)] = 1,
    growth: Annotated[
        float, typer.Option(help="Look only when the log has grown by this factor (1.25: fewer, sharper looks).", min=1)
    ] = 1.0,
    truth: Annotated[Path | None, typer.Option(help="World folder: when was each campaign found?")] = None,
    json: Annotated[bool, typer.Option("--json", help="With --truth: print its figures as JSON.")] = False,
    format: Annotated[
        Literal["auto", "table", "otel", "litellm", "bedrock"], typer.Option(help="Format of the log.")
    ] = "auto",
    accounts: Annotated[Path | None, typer.Option(help="Accounts table (Parquet, CSV, JSON lines).")] = None,
    authorisations: Annotated[Path | None, typer.Option(help="Authorisations (TOML or table).")] = None,
    context: Annotated[Path | None, typer.Option(help="Folder with releases, networks, applications.")] = None,
    settings: Annotated[Path | None, typer.Option(help="Settings (TOML).")] = None,
    pseudonyms: Annotated[
        Literal["keyed", "none"], typer.Option(help="Store keyed pseudonyms, or the log's own ids.")
    ] = "keyed",
    key_file: Annotated[
        Path | None, typer.Option(help="Key of the pseudonyms; made if absent.", envvar="STILLWATCH_KEY_FILE")
    ] = None,
) -> None:
    """Run a log as it would have arrived, and tell when each operator would first have been accused.

    Example: stillwatch replay logs/ --by day --out replayed --accounts accounts.parquet
    """
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
            sources, folder, format, context=found, settings=chosen, pseudonyms=names, command=_command()
        )
        done = replay(ReplayRequest(wanted, every, growth), display)
    timed = truth and timing(folder, truth, pseudonyms=lambda kind, ids: [names.one(kind, id) for id in ids])
    if json and timed:
        sys.stdout.write(timed.as_json() + "\n")
        return
    out.print(looks_table(done))
    for part in render_timing(timed) if timed else ():
        out.print(part)
    out.print(f"last look {folder / 'last' / 'report.html'}", highlight=False, soft_wrap=True)


@app.command(name="link")
def link_command(
    traits: Annotated[Path, typer.Argument(help="Table of account_id, view, token, n (Parquet, CSV, JSON lines).")],
    folder: Annotated[Path, typer.Option("--out", help="Folder to write.")],
    views: Annotated[Path | None, typer.Option(help="What views mean (TOML): kind and family of each.")] = None,
    fdr: Annotated[float, typer.Option(help="False-discovery rate over all pairs, and over groups.")] = 0.01,
    seed: Annotated[int, typer.Option(help="Seed of the random orders and of the shuffle.", min=0)] = 0,
) -> None:
    """Link the accounts of any log by what they share; says who belongs together, and nothing on guilt.

    Example: stillwatch link traits.parquet --out linked
    """
    from stillwatch.cases.tables import groups_table
    from stillwatch.errors import UsageError
    from stillwatch.linking.generic import SETTINGS
    from stillwatch.linking.linkage import LinkRequest, link_file, load_views

    if not 0 < fdr < 1:
        raise UsageError(f"--fdr is a rate between 0 and 1, not {fdr}")
    chosen = SETTINGS.model_copy(update={"fdr": fdr})
    request = LinkRequest(traits, folder, load_views(views), chosen, seed, _command())
    with Display() as display:
        done = link_file(request, display)
    out.print(groups_table(done))
    rejected = done.manifest()["counts"]["rejected"]
    if rejected:
        where = folder / "rejects.parquet"
        out.print(f"rejected {rejected:,} rows, each with its reason: {where}", highlight=False, markup=False)


@app.command()
def explain(
    run: Run,
    id: Annotated[str, typer.Argument(help="An operator or account id of the run.")],
) -> None:
    """Show an account's or operator's evidence as a waterfall of bits.

    Example: stillwatch explain run op_1a2b3c4d5e6f
    """
    from stillwatch.cases.explain import explain as look_up
    from stillwatch.cases.explain import render_explanation
    from stillwatch.engine.runfolder import RunFolder

    render_explanation(out, look_up(RunFolder(run), id))


@app.command()
def report(run: Run) -> None:
    """Write the report of a run anew.

    Example: stillwatch report run
    """
    from stillwatch.cases.report import write_report
    from stillwatch.engine.runfolder import RunFolder

    out.print(str(write_report(RunFolder(run))), highlight=False, soft_wrap=True)


@app.command()
def signals() -> None:
    """List the signals: what each asks, of which dimension, against which null.

    Example: stillwatch signals
    """
    from stillwatch.signals import all_signals

    table = Table("signal", "dimension", "question", "statistic", "null", box=None, pad_edge=False)
    for signal in all_signals():
        table.add_row(signal.name, signal.dimension.value, signal.question, signal.statistic, signal.null)
    out.print(table)


@app.command()
def world(
    name: Annotated[str, typer.Argument(help="demo, seed, evaded, quiet or innocent.")],
    out_dir: Annotated[Path, typer.Option("--out", help="World folder to write.")],
    scale: Annotated[float, typer.Option(help="1 is the size of the reports.", min=0.0001)] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed; the same seed makes the same world.")] = 0,
    prompts: Annotated[Path | None, typer.Option(help="Folder of Parquet prompts to use as text.")] = None,
    evasion: Annotated[str, typer.Option(help="How its campaigns evade: names with commas, all, or none.")] = "none",
    background: Annotated[float, typer.Option(help="Honest part, as a multiple of what the scale gives.")] = 1.0,
) -> None:
    """Make a labelled synthetic world with exact truth.

    Examples:

    stillwatch world seed --out world --scale 0.01 --seed 7

    stillwatch world evaded --out world --evasion cover,one_address
    """
    from stillwatch.worlds import ALL_BUT_INDEPENDENT, write_world

    evasions = ALL_BUT_INDEPENDENT if evasion == "all" else tuple(evasion.split(","))

    with Display() as display:
        display.stage(f"making the world {name}")
        made = write_world(
            name, out_dir, scale=scale, seed=seed, prompts=prompts, evasions=evasions, background=background
        )
    out.print(f"{made.events:,} events of {made.accounts:,} accounts in {out_dir}", highlight=False, soft_wrap=True)


@app.command(name="evaluate")
def evaluate_command(
    run: Run,
    truth: Annotated[Path, typer.Argument(help="A world folder, its truth folder, or a truth table.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    key_file: Annotated[
        Path | None, typer.Option(help="Key of the run's pseudonyms.", envvar="STILLWATCH_KEY_FILE")
    ] = None,
) -> None:
    """Hold a run against the truth of its world.

    Example: stillwatch evaluate run world --json
    """
    from stillwatch.engine.runfolder import RunFolder
    from stillwatch.evaluate import evaluate, render
    from stillwatch.ingest.pseudonyms import Pseudonyms, load_key

    mode = RunFolder(run).manifest().get("pseudonyms", {}).get("mode")
    names = Pseudonyms.none() if mode == "none" else Pseudonyms.keyed(load_key(key_file)[0])
    result = evaluate(run, truth, account_pseudonym=lambda ids: [names.one("account_id", id) for id in ids])
    if json:
        sys.stdout.write(result.as_json() + "\n")
        return
    for part in render(result):
        out.print(part)


def _summary(run: Path) -> None:
    """The table of operators, what was rejected, and where the report is."""
    from stillwatch.cases.tables import operators_table
    from stillwatch.engine.runfolder import RunFolder

    folder = RunFolder(run)
    out.print(operators_table(folder))
    counts = folder.manifest().get("counts", {})
    if counts.get("rejected"):
        out.print(
            f"rejected {counts['rejected']:,} rows, each with its reason: {run / 'rejects.parquet'}", highlight=False
        )
    out.print(f"report   {run / 'report.html'}", highlight=False, soft_wrap=True)


def main() -> None:
    """Entry point: a user's mistake is one line on standard error and an exit code, never a stack trace."""
    try:
        app()
    except StillwatchError as error:
        err.print(f"stillwatch: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        err.print("stillwatch: interrupted; the run folder is not finished", markup=False)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
