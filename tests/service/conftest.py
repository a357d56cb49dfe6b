"""One service for all tests that do not need one of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cases.test_report import HostileLog, scanned
from tests.service.serving import Service, serving

LIMITS = """
look_seconds = 3600.0
max_body_bytes = 2097152
max_decoded_bytes = 4194304
body_seconds = 1.0
bulk = 20000
max_rejects = 500
"""


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("service"), limits=LIMITS) as running:
        yield running


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a ring in it, over a log whose every string is hostile."""
    log = HostileLog()
    log.ordinary(300)
    log.a_ring(30)
    log.an_organisation(12)
    return scanned(log, tmp_path_factory.mktemp("console")).root
