"""A real LiteLLM proxy with our guardrail and logger in it, in front of a mock model, in an environment of its own."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from stillwatch.service import keys
from stillwatch.service.keys import Role
from tests.service.environments import environment
from tests.service.orders import blocked, enforcing
from tests.service.serving import Service, serving
from tests.service.test_envoy import free_port

pytestmark = pytest.mark.slow
SOURCE = Path(__file__).resolve().parents[2] / "src"
CONFIG = """
model_list:
  - model_name: small
    litellm_params: {model: openai/small, api_key: none, mock_response: "four"}
guardrails:
  - guardrail_name: stillwatch
    litellm_params:
      guardrail: stillwatch.service.guards.litellm.StillwatchGuardrail
      mode: pre_call
      default_on: true
litellm_settings:
  callbacks: [stillwatch.service.guards.litellm.logger]
general_settings:
  custom_auth: who.who
"""
WHO = '''
from litellm.proxy._types import UserAPIKeyAuth


async def who(request, api_key):
    """The account is what the key says: there is no database."""
    return UserAPIKeyAuth(api_key=api_key, user_id=api_key.removeprefix("sk-"))
'''


@contextmanager
def proxy(folder: Path, url: str, key: str, on_failure: str, config: str = CONFIG) -> Iterator[str]:
    bin, port = environment("litellm", "litellm[proxy]", "httpx", "orjson"), free_port()
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    (folder / "who.py").write_text(WHO, encoding="utf-8")
    settings = {
        "STILLWATCH_URL": url, "STILLWATCH_KEY": key, "STILLWATCH_ON_FAILURE": on_failure, "STILLWATCH_TIMEOUT": "5",
        "LITELLM_MASTER_KEY": f"sk-{secrets.token_hex(32)}",
        "PYTHONPATH": f"{SOURCE}:{folder}", "LITELLM_LOCAL_MODEL_COST_MAP": "true", "LITELLM_TELEMETRY": "False",
    }  # fmt: skip
    with (folder / "proxy.log").open("wb") as log:
        command = [bin / "litellm", "--config", folder / "config.yaml", "--port", str(port), "--host", "127.0.0.1"]
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **settings}, cwd=folder)
    place = f"http://127.0.0.1:{port}"
    try:
        for _ in range(1800):
            assert process.poll() is None, (folder / "proxy.log").read_text(errors="replace")[-4000:]
            try:
                if httpx.get(f"{place}/health/liveliness", timeout=5).status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        yield place
    finally:
        process.terminate()
        process.wait(timeout=60)


def ask(place: str, account: str) -> httpx.Response:
    body = {"model": "small", "messages": [{"role": "user", "content": "What is two and two?"}]}
    headers = {"authorization": f"Bearer sk-{account}"}
    return httpx.post(f"{place}/v1/chat/completions", json=body, headers=headers, timeout=60)


def warm(service: Service, key: str) -> None:
    """Until the service holds what another process decided."""
    end = time.monotonic() + 30
    headers = {"authorization": f"Bearer {key}"}
    while service.client.get("/v1/decisions/villain", headers=headers).json()["action"] != "block":
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.parametrize("on_failure", ["open", "closed"])
def test_a_proxy_turns_away_whom_people_blocked_and_reports_the_rest(on_failure: str, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    key = keys.add(file, (Role.VIEWER, Role.INGEST), "proxy")[1]
    with serving(tmp_path, "--keys", str(file), "--policy", str(enforcing(tmp_path))) as service:
        blocked(tmp_path / "state.live" / "casebook", "villain")
        warm(service, key)
        with proxy(tmp_path, service.url, key, on_failure) as place:
            honest = ask(place, "honest")
            assert honest.status_code == 200, honest.text
            assert honest.json()["choices"][0]["message"]["content"] == "four"
            turned = ask(place, "villain")
            assert turned.status_code == 403, turned.text
            assert "account_blocked" in json.dumps(turned.json())
            end = time.monotonic() + 60
            headers = {"authorization": f"Bearer {key}"}
            while service.client.get("/v1/status", headers=headers).json()["received_events"] < 1:
                assert time.monotonic() < end
                time.sleep(0.5)
            service.kill()
            time.sleep(1.5)  # what was told of the honest account is stale by then, and holds
            assert ask(place, "honest").status_code == 200
            assert ask(place, "stranger").status_code == (200 if on_failure == "open" else 503)
