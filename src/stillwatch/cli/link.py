"""`stillwatch link`: the linker alone, over any accounts and traits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.app import app, command
from stillwatch.terminal import Display, out


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
    request = LinkRequest(traits, folder, load_views(views), chosen, seed, command())
    with Display() as display:
        done = link_file(request, display)
    out.print(groups_table(done))
    rejected = done.manifest()["counts"]["rejected"]
    if rejected:
        where = folder / "rejects.parquet"
        out.print(f"rejected {rejected:,} rows, each with its reason: {where}", highlight=False, markup=False)
