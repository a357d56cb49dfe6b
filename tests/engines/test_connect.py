"""A scan through a Spark Connect server: a real one, of a process of its own, on loopback."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.engine.runfolder import RunFolder
from tests.engines.test_spark import SAME, alike
from tests.smalllog import SmallLog

SPARK = importlib.util.find_spec("pyspark")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (SPARK and shutil.which("java")), reason="needs the extra `spark` and a Java runtime"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home, folder = Path(SPARK.origin).parent, tmp_path_factory.mktemp("server")  # type: ignore[union-attr, arg-type]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1", "spark.connect.grpc.binding.port": str(port),
        "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2", "spark.sql.adaptive.enabled": "false",
    }  # fmt: skip
    words = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    env = {**os.environ, "SPARK_HOME": str(home), "SPARK_NO_DAEMONIZE": "1", "SPARK_LOG_DIR": str(folder),
           "PYSPARK_PYTHON": sys.executable}  # fmt: skip
    command = ["bash", str(home / "sbin" / "start-connect-server.sh"), "--master", "local[2]", *words]
    with (folder / "out").open("w") as out:
        process = subprocess.Popen(command, env=env, cwd=folder, stdout=out, stderr=out, start_new_session=True)
    try:
        wait(port, process, folder / "out")
        yield f"sc://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.5)
    pytest.fail(f"the server did not start: {log.read_text()[-2000:]}")


def test_a_scan_through_a_connect_server_is_the_same(server: str, tmp_path: Path) -> None:
    log = SmallLog(6)
    log.ordinary(60)
    log.a_ring(8)
    log.events += log.events[:20]
    log.write(tmp_path)
    for name, words in (("duckdb", []), ("spark", ["--engine", "spark", "--spark", server])):
        command = [sys.executable, "-m", "stillwatch", "scan", "events.parquet", "--out", name, "--pseudonyms", "none"]
        done = subprocess.run([*command, *words], check=False, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    for table in SAME:
        alike(RunFolder(tmp_path / "duckdb").read(table), RunFolder(tmp_path / "spark").read(table))
    assert RunFolder(tmp_path / "spark").manifest()["spark"] == server
