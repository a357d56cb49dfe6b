"""`stillwatch trace`: was this data set, was this model, made from our answers?"""

from __future__ import annotations

import typer

from stillwatch.cli.app import app

trace = typer.Typer(no_args_is_help=True, help="Was this data set, was this model, made from our answers?")
app.add_typer(trace, name="trace")
