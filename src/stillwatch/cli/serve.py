"""`stillwatch serve` and `key`: the live service, and who may use it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from stillwatch.cli import options
from stillwatch.cli.app import app, command
from stillwatch.terminal import out

keys_app = typer.Typer(no_args_is_help=True, help="API keys of the service.")
app.add_typer(keys_app, name="key")

KeyFile = Annotated[Path, typer.Option("--file", help="File of keys, made if absent.")]


@app.command()
def serve(
    state: Annotated[Path, typer.Option(help="State folder (see scan --state), made if absent.")] = Path("state"),
    data: Annotated[
        Path | None, typer.Option(help="Folder of the service: store, runs, casebook; else STATE.live.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(help="postgresql:// URL of another store; no password in it.", envvar="STILLWATCH_STORE"),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8417,
    keys: Annotated[Path | None, typer.Option(help="File of API keys (stillwatch key add).")] = None,
    tls_certificate: Annotated[Path | None, typer.Option(help="Certificate chain (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key (PEM).")] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="A proxy in front ends TLS, and nobody else reaches the port.")
    ] = False,
    demo: Annotated[
        bool, typer.Option("--demo", help="Make a small world beside the state and send it, for a look around.")
    ] = False,
    kafka: Annotated[
        Path | None, typer.Option(help="Topics to read events from (TOML); a password stands in the environment.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy (TOML); else the shipped one: shadow mode.")] = None,
    limits: Annotated[Path | None, typer.Option(help="Limits and intervals of the service (TOML).")] = None,
    accounts: options.Accounts = None,
    authorisations: options.Authorisations = None,
    context: options.Context = None,
    settings: options.Settings = None,
    pseudonyms: options.Pseudonyms = "keyed",
    key_file: options.KeyFile = None,
) -> None:
    """Take events as they happen, and answer what holds for an account.

    Examples:

    stillwatch serve --state state

    stillwatch serve --state demo --demo

    stillwatch serve --state state --kafka kafka.toml

    stillwatch serve --state state --host 0.0.0.0 --keys keys.json --tls-certificate chain.pem --tls-key key.pem
    """
    _needed()
    from stillwatch.cli.live_demo import make_world, send
    from stillwatch.decisions import load_policy
    from stillwatch.errors import UsageError
    from stillwatch.ingest.accounts import load_context
    from stillwatch.ingest.pseudonyms import Pseudonyms, load_key
    from stillwatch.service.kafka import KafkaSource
    from stillwatch.service.kafka import load as load_kafka
    from stillwatch.service.keys import Keys
    from stillwatch.service.live import Setup
    from stillwatch.service.looking import Walk
    from stillwatch.service.server import Address
    from stillwatch.service.server import serve as run
    from stillwatch.service.settings import load as load_limits
    from stillwatch.settings import load

    folder = data or state.with_name(state.name + ".live")
    if demo:
        if keys is not None or accounts or authorisations or context:
            raise UsageError("--demo brings its own world, and takes no keys")
        world, pseudonyms = folder / "world", "none"
        make_world(world)
        accounts, authorisations, context = world / "accounts.parquet", world / "authorisations.toml", world
    address = Address(host, port, tls_certificate, tls_key, behind_proxy)
    known = Keys.load(keys)
    address.check(not known.open)
    names = Pseudonyms.keyed(load_key(key_file)[0]) if pseudonyms == "keyed" else Pseudonyms.none()
    beside = load_context(accounts=accounts, authorisations=authorisations, context=context, pseudonyms=names)
    where = store or str(folder / "parcels.sqlite")
    intervals = load_limits(limits)
    if demo and limits is None:
        intervals = intervals.model_copy(update={"look_seconds": 5.0})
    walk = Walk(state, folder, where, load(settings), names, beside, intervals, command())
    sources = () if kafka is None else (KafkaSource(load_kafka(kafka), intervals.max_body_bytes),)
    setup = Setup(walk, load_policy(policy), known, sources=sources)
    run(setup, address, (lambda url: send(url, folder / "world")) if demo else None)


@keys_app.command(name="add")
def add_key(
    role: Annotated[list[str], typer.Option(help="ingest, viewer, analyst or approver; repeatable.")],
    name: Annotated[str, typer.Option(help="Who or what uses it; decisions bear this name.")],
    file: KeyFile = Path("keys.json"),
    days: Annotated[int | None, typer.Option(help="Days until it expires; else never.", min=1)] = None,
) -> None:
    """Make a key and print it, once: the file keeps a hash of it.

    Example: stillwatch key add --role viewer --role ingest --name gateway --file keys.json
    """
    from stillwatch.errors import UsageError
    from stillwatch.service.keys import Role, add

    unknown = [one for one in role if one not in list(Role)]
    if unknown:
        raise UsageError(f"--role {unknown[0]}: roles are {', '.join(Role)}")
    until = None if days is None else datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    _, key = add(file, tuple(Role(one) for one in dict.fromkeys(role)), name, until)
    out.print(key, highlight=False, markup=False, soft_wrap=True)


@keys_app.command(name="list")
def list_keys(file: KeyFile = Path("keys.json")) -> None:
    """Show the keys of a file, without the keys.

    Example: stillwatch key list --file keys.json
    """
    from stillwatch.service.keys import read

    table = Table("id", "name", "roles", "created", "expires", box=None, pad_edge=False)
    for entry in read(file):
        until = f"{entry.expires_at:%Y-%m-%d}" if entry.expires_at else "never"
        table.add_row(entry.id, entry.name, ", ".join(entry.roles), f"{entry.created_at:%Y-%m-%d}", until)
    out.print(table)


@keys_app.command(name="revoke")
def revoke_key(
    id: Annotated[str, typer.Argument(help="Id of the key: what stands between the underscores.")],
    file: KeyFile = Path("keys.json"),
) -> None:
    """Take a key out of a file; a running service notices within a second.

    Example: stillwatch key revoke 0a1b2c3d4e5f --file keys.json
    """
    from stillwatch.service.keys import revoke

    gone = revoke(file, id)
    out.print(f"revoked {gone.id} ({gone.name})", highlight=False, markup=False)


def _needed() -> None:
    """UsageError if what the extra `serve` brings is not there."""
    from stillwatch.errors import UsageError

    missing = [
        name for name in ("starlette", "uvicorn", "prometheus_client", "opentelemetry.proto") if not _there(name)
    ]
    if missing:
        raise UsageError(f"{', '.join(missing)} cannot be imported: pip install 'stillwatch[serve]'")


def _there(name: str) -> bool:
    from importlib.util import find_spec

    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
