"""`stillwatch world` and `evaluate`: logs with known truth, and a run held against it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.app import Run, app
from stillwatch.terminal import Display, out


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
