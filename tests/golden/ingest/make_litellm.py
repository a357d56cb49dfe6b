"""Makes litellm.jsonl and litellm_spend.csv from a running LiteLLM proxy with mock responses.

    python -m venv /tmp/llm && /tmp/llm/bin/pip install 'litellm[proxy]' && /tmp/llm/bin/python make_litellm.py

Runs the proxy on 127.0.0.1 with the callback of `litellm_callback.py`, which writes each standard logging payload as
it comes, and the row that the proxy's own `get_logging_payload` makes of it for LiteLLM_SpendLogs. Keys are made up.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
CONFIG = """
model_list:
  - model_name: small-model
    litellm_params: {model: openai/gpt-fake, api_key: sk-fake-provider, mock_response: "A short made-up answer."}
  - model_name: thinking-model
    litellm_params: {model: anthropic/claude-fake, api_key: sk-fake-provider, mock_response: "Another made-up answer."}
  - model_name: broken-model
    litellm_params: {model: openai/gpt-broken, api_key: sk-fake-provider, mock_response: "litellm.RateLimitError"}
litellm_settings: {callbacks: [litellm_callback.writer], num_retries: 0}
general_settings: {custom_auth: litellm_callback.authenticate, store_prompts_in_spend_logs: true}
"""
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
SYSTEM = {"role": "system", "content": "You answer in one sentence."}
REQUESTS = [
    ("alpha", {"model": "small-model", "messages": [SYSTEM, {"role": "user", "content": "Name 3 rivers."}],
               "temperature": 0.2, "top_p": 0.9, "max_tokens": 64, "seed": 7}),
    ("alpha", {"model": "small-model", "user": "customer-9", "n": 2,
               "messages": [{"role": "user", "content": [{"type": "text", "text": "Bonjour, ça va ?"}]}]}),
    ("beta", {"model": "small-model", "tools": [WEATHER], "messages": [
        {"role": "user", "content": "Weather in Oslo?"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "4 degrees"}]}),
    ("beta", {"model": "thinking-model", "messages": [{"role": "user", "content": "Is 91 a prime? <b>=1+1</b>"}],
              "stream": True, "max_tokens": 128}),
    ("beta", {"model": "broken-model", "messages": [{"role": "user", "content": "This one fails."}]}),
]  # fmt: skip


def main() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "config.yaml").write_text(CONFIG)
        (work / "litellm_callback.py").write_text((HERE / "litellm_callback.py").read_text())
        environment = os.environ | {
            "GOLDEN_OUT": folder, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": folder, "LITELLM_LOG": "ERROR",
            "LITELLM_MASTER_KEY": "sk-" + secrets.token_hex(32),
        }  # fmt: skip
        command = [Path(sys.executable).with_name("litellm"), "--config", work / "config.yaml", "--host", "127.0.0.1"]
        with (work / "proxy.log").open("w") as log:
            proxy = subprocess.Popen([*map(str, command), "--port", str(port)], env=environment, stdout=log,
                                     stderr=log, cwd=folder)  # fmt: skip
            try:
                wait(port, work / "proxy.log")
                for who, body in REQUESTS:
                    send(port, who, body)
                for _ in range(100):
                    if lines(work / "payloads.jsonl") >= len(REQUESTS):
                        break
                    time.sleep(0.2)
                else:
                    sys.exit("not every payload came:\n" + (work / "proxy.log").read_text()[-3000:])
            finally:
                proxy.terminate()
                proxy.wait(20)
        write(work)


def wait(port: int, log: Path) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness"):
            return
        time.sleep(0.4)
    sys.exit("the proxy did not start:\n" + log.read_text()[-3000:])


def send(port: int, who: str, body: dict[str, object]) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer sk-fake-{who}", "Content-Type": "application/json", "User-Agent": "made-up-sdk/1.2"},
    )
    with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(request) as reply:
        reply.read()


def lines(path: Path) -> int:
    return path.read_text().count("\n") if path.exists() else 0


def scrub(text: str) -> str:
    """No paths and no host names of the machine it ran on."""
    text = text.replace(socket.gethostname(), "proxy.example")
    return re.sub(r"(?:/[\w.+-]+){2,}/(?=[\w.+-]+\.py\b)", "/path/", text)


def write(work: Path) -> None:
    payloads = [json.loads(scrub(line)) for line in (work / "payloads.jsonl").read_text().splitlines()]
    for payload in payloads:
        information = payload.get("error_information") or {}
        information.pop("traceback", None)  # holds the machine's paths
    payloads.sort(key=lambda payload: payload["startTime"])
    (HERE / "litellm.jsonl").write_text("".join(json.dumps(p, ensure_ascii=False) + "\n" for p in payloads))
    rows = [json.loads(scrub(line)) for line in (work / "spend.jsonl").read_text().splitlines()]
    rows.sort(key=lambda row: row["startTime"])
    with (HERE / "litellm_spend.csv").open("w", newline="") as out:
        table = csv.DictWriter(out, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()
