"""`stillwatch selfcheck` and `authorisation request`: for those who build on a model and mean to do so openly."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli import options
from stillwatch.cli.app import app, command
from stillwatch.terminal import Display, out

authorisation = typer.Typer(no_args_is_help=True, help="Registered uses of a model.")
app.add_typer(authorisation, name="authorisation")
_DAY = ["%Y-%m-%d"]


@app.command()
def selfcheck(
    sources: Annotated[list[str], typer.Argument(help="Your own log: files, folders or globs.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder to write.")],
    background: Annotated[
        Path | None, typer.Option(help="A finished run to be held against: its lone accounts are the ordinary ones.")
    ] = None,
    format: options.Format = "auto",
    accounts: Annotated[
        Path | None, typer.Option(help="What your accounts declare (Parquet, CSV, JSON lines).")
    ] = None,
    settings: options.Settings = None,
    json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """How would my own use look to a provider? Which dimension stands out, against what, and what to register.

    Example: stillwatch selfcheck my-log.jsonl --background run --out selfchecked
    """
    from stillwatch.cases.selfcheck import render
    from stillwatch.ingest.accounts import load_context
    from stillwatch.ingest.pseudonyms import Pseudonyms
    from stillwatch.pipeline import ScanRequest
    from stillwatch.selfcheck import SelfcheckRequest
    from stillwatch.selfcheck import selfcheck as check
    from stillwatch.settings import load

    names = Pseudonyms.none()
    context = load_context(accounts=accounts, pseudonyms=names)
    request = ScanRequest(sources, folder, format, context, load(settings), names, command())
    with Display() as display:
        done = check(SelfcheckRequest(request, background), display)
    if json:
        sys.stdout.write((folder / "manifest.json").read_text(encoding="utf-8"))
        return
    for part in render(done):
        out.print(part)


@authorisation.command()
def request(
    path: Annotated[Path, typer.Option("--out", help="File to write (TOML).")],
    organisation: Annotated[str, typer.Option(help="Who asks.")],
    purpose: Annotated[str, typer.Option(help="What for.")],
    contact: Annotated[str, typer.Option(help="Whom the provider can reach.")],
    valid_from: Annotated[datetime, typer.Option(formats=_DAY, help="First day.")],
    valid_until: Annotated[datetime, typer.Option(formats=_DAY, help="Last day.")],
    account: Annotated[list[str] | None, typer.Option(help="An account that will be used; repeatable.")] = None,
    org_id: Annotated[
        list[str] | None, typer.Option(help="An organisation, with all its accounts; repeatable.")
    ] = None,
    model: Annotated[list[str] | None, typer.Option(help="A model; repeatable.")] = None,
    per_day: Annotated[int | None, typer.Option(help="Requests a day, at most.")] = None,
    total: Annotated[int | None, typer.Option(help="Requests in all, at most.")] = None,
    disclosed: Annotated[
        datetime | None, typer.Option(formats=_DAY, help="Day on which the use was disclosed.")
    ] = None,
    selfchecked: Annotated[
        Path | None, typer.Option(help="A selfcheck, from which accounts and models are taken if none are named.")
    ] = None,
) -> None:
    """Write the registration that a lawful distiller hands in; the provider's scan reads it.

    Example: stillwatch authorisation request --out request.toml --organisation 'Example Lab' --purpose compression
    --contact models@lab.example --valid-from 2026-03-01 --valid-until 2026-12-31 --account acct-1 --per-day 5000
    """
    from stillwatch.engine.runfolder import RunFolder
    from stillwatch.ingest.registration import Registration, write_registration

    seen = RunFolder(selfchecked).manifest().get("log", {}) if selfchecked else {}
    accounts = account or ([] if org_id else seen.get("accounts", []))
    asked = Registration(
        organisation, purpose, contact, valid_from.date(), valid_until.date(), tuple(accounts), tuple(org_id or ()),
        tuple(model or seen.get("models", [])), per_day, total, disclosed.date() if disclosed else None,
    )  # fmt: skip
    found = write_registration(asked, path)
    out.print(f"{len(found.accounts):,} accounts, {len(found.org_ids):,} organisations: {path}", highlight=False,
              markup=False, soft_wrap=True)  # fmt: skip
    if found.max_requests_per_day is None:
        most = seen.get("most_on_a_day")
        told = f"; the log's busiest day had {most:,}" if most else ""
        out.print(f"no quota is asked for (--per-day, --total){told}", style="yellow", soft_wrap=True)
