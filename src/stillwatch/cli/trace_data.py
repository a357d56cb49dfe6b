"""`stillwatch trace data`: which rows of a corpus are answers of ours."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.app import command
from stillwatch.cli.trace import trace
from stillwatch.terminal import Display, out


@trace.command(name="data")
def trace_data(
    corpus: Annotated[list[str], typer.Argument(help="The suspect corpus: files, folders or globs.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder to write.")],
    state: Annotated[Path | None, typer.Option(help="State whose answers are known (`scan --state`).")] = None,
    run: Annotated[Path | None, typer.Option(help="Run whose answers are known (`scan --out`).")] = None,
    served: Annotated[
        list[str] | None, typer.Option(help="Table of served answers with their text, in place of a state; repeatable.")
    ] = None,
    unserved: Annotated[
        list[str] | None, typer.Option(help="Table of answers drawn and never served, for an exact test; repeatable.")
    ] = None,
    control: Annotated[
        list[str] | None, typer.Option(help="A corpus that cannot hold answers of ours (older, human); repeatable.")
    ] = None,
    column: Annotated[str | None, typer.Option(help="Column of the corpus's text, if it is not found.")] = None,
    served_column: Annotated[str | None, typer.Option(help="The same for --served and --unserved.")] = None,
    tests: Annotated[
        int, typer.Option(help="Corpora that are tried in all: p-values are multiplied by it.", min=1)
    ] = 1,
    key_file: Annotated[
        Path | None,
        typer.Option(help="Key of the pseudonyms, to find the requests of --unserved.", envvar="STILLWATCH_KEY_FILE"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Trace a suspect data set to answers that were served: which rows, which accounts, against which null.

    Examples:

    stillwatch trace data corpus.jsonl.gz --state state --out traced --control older/ --unserved unserved.parquet

    stillwatch trace data 'shards/*.parquet' --served answers.parquet --out traced --column output
    """
    from stillwatch.errors import UsageError
    from stillwatch.forensics.data import TraceRequest
    from stillwatch.forensics.data import trace as trace_corpus
    from stillwatch.forensics.data.show import render
    from stillwatch.ingest.pseudonyms import Pseudonyms, load_key

    names = None
    if key_file is not None and unserved:
        if not key_file.exists():
            raise UsageError(f"there is no key file {key_file}: one made now would fit no state")
        names = Pseudonyms.keyed(load_key(key_file)[0])
    request = TraceRequest(
        corpus, folder, state, run, served or (), column, served_column, unserved or (), control or (), tests,
        (lambda one: names.one("event_id", one)) if names else None, command(),
    )  # fmt: skip
    with Display() as display:
        done = trace_corpus(request, display)
    if json:
        sys.stdout.write((folder / "manifest.json").read_text(encoding="utf-8"))
        return
    for part in render(done):
        out.print(part)
    out.print(f"tables   {folder}", highlight=False, markup=False, soft_wrap=True)
