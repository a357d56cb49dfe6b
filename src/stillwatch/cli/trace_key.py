"""`stillwatch trace key`: make, rotate and commit keys, plans and logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.trace import trace
from stillwatch.cli.trace_model import COMMITMENTS, KEYS, Chain, Keys
from stillwatch.terminal import out

key = typer.Typer(no_args_is_help=True, help="Keys and commitments for `trace model`.")
trace.add_typer(key, name="key")


def _say(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)


@key.command()
def new(
    name: Annotated[str, typer.Argument(help="Its name, e.g. op-17.")],
    role: Annotated[str, typer.Option(help="operator, everyone_else or control.")] = "operator",
    keys: Keys = KEYS,
    commitments: Chain = COMMITMENTS,
) -> None:
    """Make a key and commit to it. A control key never serves.

    Example: stillwatch trace key new control-1 --role control
    """
    from stillwatch.errors import UsageError
    from stillwatch.forensics.model.commitments import Commitments
    from stillwatch.forensics.model.keys import ROLES, KeyStore

    found = next((known for known in ROLES if known == role), None)
    if found is None:
        raise UsageError(f"a key's role is one of {', '.join(ROLES)}, not {role}")
    made = KeyStore(keys).new(name, found)
    line = Commitments(commitments).append("key", made.id, made.commitment)
    _say(f"{made.id} ({made.role}), committed at {line.time} in line {line.number} as {line.hash}")


@key.command()
def rotate(
    name: Annotated[str, typer.Argument(help="The key's name.")],
    keys: Keys = KEYS,
    commitments: Chain = COMMITMENTS,
) -> None:
    """Make a key's next version, which serves from now on, and commit to it; older ones stay for tests.

    Example: stillwatch trace key rotate op-17
    """
    from stillwatch.forensics.model.commitments import Commitments
    from stillwatch.forensics.model.keys import KeyStore

    made = KeyStore(keys).rotate(name)
    line = Commitments(commitments).append("key", made.id, made.commitment)
    _say(f"{made.id} ({made.role}), committed at {line.time} in line {line.number} as {line.hash}")


@key.command(name="list")
def list_command(keys: Keys = KEYS, commitments: Chain = COMMITMENTS) -> None:
    """All keys: id, role, and when each was committed. No secrets.

    Example: stillwatch trace key list
    """
    from rich.table import Table

    from stillwatch.forensics.model.commitments import Commitments, find
    from stillwatch.forensics.model.keys import KeyStore

    lines = Commitments(commitments).read() if commitments.exists() else []
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for head in ("key", "role", "made", "committed"):
        table.add_column(head, no_wrap=True)
    for found in KeyStore(keys).all():
        line = find(lines, "key", found.id, found.commitment)
        table.add_row(found.id, found.role, found.made.isoformat(), line.time if line else "never")
    out.print(table)


@key.command()
def plan(
    path: Annotated[Path, typer.Argument(help="The test plan (TOML).")],
    commitments: Chain = COMMITMENTS,
) -> None:
    """Commit to a test plan and the files it names, before anybody looks.

    Example: stillwatch trace key plan plan.toml
    """
    from stillwatch.forensics.model.commitments import Commitments
    from stillwatch.forensics.model.plan import fingerprint, load_plan

    found = load_plan(path)
    line = Commitments(commitments).append("plan", found.name, fingerprint(found))
    _say(f"plan {found.name}: {found.tests:,} tests, committed at {line.time} in line {line.number} as {line.hash}")


@key.command()
def seal(
    log: Annotated[Path, typer.Argument(help="A twin log.")],
    commitments: Chain = COMMITMENTS,
) -> None:
    """Commit to a twin log as it stands; rows after the last seal are not tested.

    Example: stillwatch trace key seal twins.jsonl
    """
    from stillwatch.forensics.model.commitments import Commitments
    from stillwatch.forensics.model.twins import log_head

    rows, digest = log_head(log)
    line = Commitments(commitments).append("log", log.name, digest)
    _say(f"{log.name}: {rows:,} twins, committed at {line.time} in line {line.number} as {line.hash}")


@key.command()
def verify(commitments: Chain = COMMITMENTS) -> None:
    """Check the chain of commitments and print its head, the hash to publish.

    Example: stillwatch trace key verify
    """
    from stillwatch.forensics.model.commitments import Commitments

    lines = Commitments(commitments).read()
    _say(f"{len(lines):,} commitments, whole; head {Commitments(commitments).head()}")
