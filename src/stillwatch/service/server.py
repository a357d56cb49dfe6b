"""Binding and serving: loopback unless there are keys and an encrypted way, whoever asks for more is refused."""

from __future__ import annotations

import ipaddress
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from stillwatch.errors import RunError, UsageError
from stillwatch.service import logs, memory
from stillwatch.service.app import create_app
from stillwatch.service.connections import hung_up_after
from stillwatch.service.console import console_routes
from stillwatch.service.console.live_source import LiveSource
from stillwatch.service.live import Live, Setup
from stillwatch.state.lock import locked

SWITCH = 0.0005
"""Seconds after which a busy thread makes way: look-ups must not wait for a new snapshot to be made."""


@dataclass(frozen=True)
class Address:
    """Where to listen, and how the way there is protected."""

    host: str = "127.0.0.1"
    port: int = 8417
    certificate: Path | None = None
    private_key: Path | None = None
    behind_proxy: bool = False
    """Whoever starts it says that a proxy in front ends TLS and that nobody else can reach the port."""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def check(self, keys: bool) -> None:
        """UsageError if others could reach it without a key, or read along."""
        if (self.certificate is None) != (self.private_key is None):
            raise UsageError("TLS takes both: --tls-certificate and --tls-key")
        for path in (self.certificate, self.private_key):
            if path is not None and not path.is_file():
                raise UsageError(f"{path}: there is no such file")
        if self.loopback:
            return
        if not keys:
            raise UsageError(
                f"others can reach {self.host}: give --keys FILE (stillwatch key add), or stay on 127.0.0.1"
            )
        if self.certificate is None and not self.behind_proxy:
            raise UsageError(
                f"others can reach {self.host}: give --tls-certificate and --tls-key, or --behind-proxy if a proxy in "
                "front ends TLS"
            )


def serve(setup: Setup, address: Address, began: Callable[[str], object] | None = None) -> None:
    """Serve until told to stop (SIGINT, SIGTERM); `began` is told the URL. RunError if address or folder are taken."""
    address.check(not setup.keys.open)
    logs.begin()
    memory.begin()
    sys.setswitchinterval(SWITCH)
    with locked(setup.walk.data):
        live = Live(setup)
        app = create_app(live, console_routes(LiveSource(live), secure=address.behind_proxy))
        config = uvicorn.Config(
            app, host=address.host, port=address.port, log_config=None, access_log=False, server_header=False,
            date_header=True, timeout_keep_alive=30, timeout_graceful_shutdown=5, lifespan="on",
            limit_concurrency=live.limits.pollers + 2000, http=hung_up_after(live.limits.send_seconds),
            ssl_certfile=None if address.certificate is None else str(address.certificate),
            ssl_keyfile=None if address.private_key is None else str(address.private_key),
        )  # fmt: skip
        server = _Server(config, address, began)
        with suppress(SystemExit):  # how uvicorn says that it could not start
            server.run()
        if not server.started:
            raise RunError(f"cannot serve on {address.host}:{address.port}: is something else listening there?")


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, address: Address, began: Callable[[str], object] | None) -> None:
        super().__init__(config)
        self.address, self.began = address, began

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """To be told to stop is no failure: uvicorn would end by the signal itself."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Listen."""
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            ports = [sock.getsockname()[1] for one in self.servers for sock in one.sockets]
            scheme = "https" if self.address.certificate else "http"
            host = f"[{self.address.host}]" if ":" in self.address.host else self.address.host
            url = f"{scheme}://{host}:{ports[0] if ports else self.address.port}"
            logs.say("serving", url=url)
            if self.began is not None:
                self.kept = self.began(url)
