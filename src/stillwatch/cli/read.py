"""`stillwatch explain`, `report` and `signals`: what a run says, and what is asked of it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from stillwatch.cli.app import Run, app
from stillwatch.terminal import out


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
