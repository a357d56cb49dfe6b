"""`stillwatch trace model`: test a suspect by keyed protocols."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.app import command
from stillwatch.cli.trace import trace
from stillwatch.terminal import Display, out

Keys = Annotated[Path, typer.Option("--keys", help="Folder of keys.", envvar="STILLWATCH_FORENSICS_KEYS")]
Chain = Annotated[
    Path, typer.Option("--commitments", help="File of commitments.", envvar="STILLWATCH_FORENSICS_COMMITMENTS")
]
KEYS, COMMITMENTS = Path("keys"), Path("commitments.jsonl")


@trace.command(name="model")
def model_command(
    suspect: Annotated[
        list[str], typer.Option(help="Completions URL, transformers folder or evidence file; more for one suspect.")
    ],
    plan: Annotated[Path, typer.Option(help="The committed test plan (TOML).")],
    folder: Annotated[Path, typer.Option("--out", help="Folder for the result and the evidence.")],
    keys: Keys = KEYS,
    commitments: Chain = COMMITMENTS,
    name: Annotated[str | None, typer.Option("--as", help="The suspect's name in the plan.")] = None,
    model: Annotated[str, typer.Option(help="The name by which the endpoint knows the model.")] = "",
) -> None:
    """Was a model made from our answers? Exact tests against what our own keys chose; a refusal for bad input.

    Examples:

    stillwatch trace model --suspect answers.parquet --plan plan.toml --out traced

    stillwatch trace model --suspect http://127.0.0.1:8000/v1 --plan plan.toml --out traced
    """
    from stillwatch.forensics.model.show import result_table
    from stillwatch.forensics.model.trace import Request
    from stillwatch.forensics.model.trace import trace as run

    request = Request(plan, keys, commitments, suspect, name, folder, model, command())
    with Display() as display:
        done = run(request, display)
    for part in result_table(done):
        out.print(part)
