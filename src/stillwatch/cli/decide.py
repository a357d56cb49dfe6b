"""`stillwatch decide`, `policy` and `audit`: what a gateway would do, on whom a policy would fall, and who decided."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli.app import Run, app
from stillwatch.terminal import out

if TYPE_CHECKING:
    from stillwatch.decisions.facts import RunFacts
    from stillwatch.decisions.trial import Honesty

policies = typer.Typer(no_args_is_help=True, help="Policies: from verdicts to what a gateway does.")
audits = typer.Typer(no_args_is_help=True, help="The log of who decided what.")
app.add_typer(policies, name="policy")
app.add_typer(audits, name="audit")

PolicyFile = Annotated[Path | None, typer.Option("--policy", help="Policy (TOML); else the one that ships, in shadow.")]


@app.command()
def decide(
    run: Run,
    policy: PolicyFile = None,
    casebook: Annotated[
        Path | None, typer.Option(help="Folder of what people decided, made if absent; else nobody decided anything.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", help="Parquet file to write; else RUN/decisions.parquet.")] = None,
) -> None:
    """Write the decision on every account of a run, as the table `decisions`.

    Example: stillwatch decide run --casebook casebook
    """
    from stillwatch.decisions import Casebook, Docket, decisions_table, load_policy, read_facts
    from stillwatch.decisions.show import decisions_summary
    from stillwatch.decisions.snapshot import write_table

    chosen, facts, now = load_policy(policy), read_facts(run), datetime.now(UTC)
    docket = Docket()
    if casebook is not None:
        with Casebook.open(casebook, now) as book:
            docket = book.docket
    table = decisions_table(facts, chosen, docket, now)
    path = to or run / "decisions.parquet"
    write_table(table, path)
    for part in decisions_summary(table, chosen.mode, docket.killed):
        out.print(part)
    age = (now - facts.judged_at).days
    if age >= chosen.days:
        out.print(f"the run was finished {age} days ago, and what the policy says ends after {chosen.days}: scan anew",
                  style="yellow", soft_wrap=True)  # fmt: skip
    out.print(str(path), highlight=False, markup=False, soft_wrap=True)


@policies.command(name="test")
def try_on_run(
    run: Run,
    policy: PolicyFile = None,
    prices: Annotated[Path | None, typer.Option(help="Prices of models (TOML): revenue beside requests.")] = None,
    truth: Annotated[Path | None, typer.Option(help="World folder: who is honest in truth.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    key_file: Annotated[
        Path | None, typer.Option(help="With --truth: key of the run's pseudonyms.", envvar="STILLWATCH_KEY_FILE")
    ] = None,
) -> None:
    """Try a policy on a run: whom would it have hit, and what share of honest traffic is that?

    Examples:

    stillwatch policy test run --policy mine.toml --prices prices.toml

    stillwatch policy test run --truth world --json
    """
    from stillwatch.decisions import load_policy, read_facts
    from stillwatch.decisions.prices import load_prices
    from stillwatch.decisions.show import render_trial
    from stillwatch.decisions.trial import by_verdict, try_policy

    chosen, priced = load_policy(policy), load_prices(prices) if prices else None
    facts = read_facts(run)
    yardsticks = [by_verdict(facts), *([_by_truth(run, facts, truth, key_file)] if truth else [])]
    trial = try_policy(facts, chosen, priced, yardsticks)
    if json:
        sys.stdout.write(trial.as_json() + "\n")
        return
    for part in render_trial(trial):
        out.print(part)


def _by_truth(run: Path, facts: RunFacts, truth: Path, key_file: Path | None) -> Honesty:
    from stillwatch.decisions.trial import Honesty, requests_of
    from stillwatch.engine.runfolder import RunFolder
    from stillwatch.evaluate.truth import read_truth
    from stillwatch.ingest.pseudonyms import Pseudonyms, load_key

    mode = RunFolder(run).manifest().get("pseudonyms", {}).get("mode")
    names = Pseudonyms.none() if mode == "none" else Pseudonyms.keyed(load_key(key_file)[0])
    known, requests = read_truth(truth), requests_of(facts)
    pseudonym = {id: names.one("account_id", id) for id in known.accounts}
    share = {pseudonym[id]: known.honest_share(id, requests.get(pseudonym[id], 0)) for id in known.accounts}
    return Honesty("truth", share, {pseudonym[id]: account.label for id, account in known.accounts.items()})


@policies.command(name="show")
def show_policy() -> None:
    """Print the policy that ships with Stillwatch, to start your own from.

    Example: stillwatch policy show > policy.toml
    """
    from stillwatch.decisions.policy import default_text

    sys.stdout.write(default_text())


@audits.command(name="verify")
def verify_log(
    log: Annotated[Path, typer.Argument(help="A casebook folder, its database, or an exported log (JSON lines).")],
    head: Annotated[
        list[str] | None, typer.Option(help="Head that was kept apart: NUMBER:HASH, or a file with it; repeatable.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check the audit log: was anything edited, removed, moved or cut off?

    Exits with 1 if so. Examples:

    stillwatch audit verify casebook

    stillwatch audit verify casebook --head 17:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    """
    from stillwatch.decisions.audit import check
    from stillwatch.decisions.show import render_verification, verification_json

    found = check(log, head or [])
    if json:
        sys.stdout.write(verification_json(found) + "\n")
    else:
        for part in render_verification(found):
            out.print(part, soft_wrap=True)
    if not found.sound:
        raise typer.Exit(1)
