"""The application that commands register with, and what several of them share."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from stillwatch import __version__
from stillwatch.terminal import out

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


def command() -> str:
    """What was typed, for the manifest."""
    return shlex.join(["stillwatch", *sys.argv[1:]])


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        out.print(__version__, highlight=False)
        raise typer.Exit


def summary(run: Path) -> None:
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
