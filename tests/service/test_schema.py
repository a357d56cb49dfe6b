"""The OpenAPI document holds: schemathesis makes up requests and compares the answers with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.serving import Service

pytestmark = pytest.mark.slow


def test_answers_are_as_documented(service: Service, tmp_path: Path) -> None:
    checks = ("not_a_server_error", "status_code_conformance", "content_type_conformance",
              "response_schema_conformance")  # fmt: skip
    command = [Path(sys.executable).with_name("schemathesis"), "run", f"{service.url}/openapi.json", "--seed", "1",
               "--max-examples", "60", "--checks", ",".join(checks), "--no-color", "--workers", "1"]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
