"""The whole walk on a log small enough to know by heart: exactly the ring is accused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stillwatch.engine.runfolder import RunFolder
from stillwatch.model import EVIDENCE, OPERATORS, TABLES, VERDICTS
from tests.smalllog import SmallLog, small_log


def stillwatch(*words: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "stillwatch", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def log() -> SmallLog:
    return small_log()


@pytest.fixture(scope="module")
def run(log: SmallLog, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = log.write(tmp_path_factory.mktemp("log"))
    out = folder / "run"
    stillwatch(
        "scan",
        folder / "events.parquet",
        "--accounts",
        folder / "accounts.parquet",
        "--out",
        out,
        "--pseudonyms",
        "none",
    )
    return RunFolder(out)


def accused(run: RunFolder) -> set[str]:
    verdicts = run.read("verdicts").to_pylist()
    guilty = {row["operator_id"] for row in verdicts if row["verdict"] == "unauthorised_distillation"}
    return {row["account_id"] for row in run.read("operators").to_pylist() if row["operator_id"] in guilty}


def test_exactly_the_ring_is_accused(run: RunFolder, log: SmallLog) -> None:
    assert accused(run) == log.ring


def test_every_account_has_one_operator_and_every_operator_a_verdict(run: RunFolder, log: SmallLog) -> None:
    operators = run.read("operators")
    assert sorted(operators["account_id"].to_pylist()) == sorted(row["account_id"] for row in log.accounts)
    verdicts = run.read("verdicts")
    assert sorted(set(operators["operator_id"].to_pylist())) == sorted(verdicts["operator_id"].to_pylist())
    assert sum(verdicts["events"].to_pylist()) == len(log.events)
    assert sum(verdicts["accounts"].to_pylist()) == len(log.accounts)


def test_the_organisation_is_one_operator_and_not_accused(run: RunFolder, log: SmallLog) -> None:
    rows = [row for row in run.read("operators").to_pylist() if row["account_id"] in log.organisation]
    assert len({row["operator_id"] for row in rows}) == 1
    verdict = {row["operator_id"]: row["verdict"] for row in run.read("verdicts").to_pylist()}
    assert verdict[rows[0]["operator_id"]] in {"heavy_use", "ordinary"}


def test_bits_of_the_evidence_add_up_to_the_verdicts(run: RunFolder) -> None:
    signals = {row["name"]: row["fact"] for row in run.manifest()["signals"]}
    best: dict[tuple[str, str, str], float] = {}
    for row in run.read("evidence").to_pylist():
        if row["bits"] is not None:
            key = (row["operator_id"], row["dimension"], signals.get(row["signal"], row["signal"]))
            best[key] = max(best.get(key, -99.0), row["bits"])
    for row in run.read("verdicts").to_pylist():
        for dimension in ("source", "scale", "transparency", "purpose"):
            values = [v for (operator, d, _), v in best.items() if (operator, d) == (row["operator_id"], dimension)]
            stated = row[f"bits_{dimension}"]
            assert (stated is None) == (not values)
            if values:
                assert stated == pytest.approx(sum(values), abs=1e-6)


def test_the_run_folder_is_whole(run: RunFolder) -> None:
    for name, schema in TABLES.items():
        assert pq.read_schema(run.path(name)).equals(schema), name
    assert {OPERATORS.names[0], EVIDENCE.names[0], VERDICTS.names[0]} == {"account_id", "operator_id"}
    assert (run.root / "report.html").stat().st_size > 10_000
    assert not list(run.root.glob(".*"))
    counts = run.manifest()["counts"]
    assert counts["rows_in"] == counts["kept"] + counts["rejected"]


def test_the_same_log_gives_the_same_tables(run: RunFolder, log: SmallLog, tmp_path: Path) -> None:
    folder = log.write(tmp_path)
    again = tmp_path / "run"
    stillwatch(
        "scan",
        folder / "events.parquet",
        "--accounts",
        folder / "accounts.parquet",
        "--out",
        again,
        "--pseudonyms",
        "none",
    )
    for name in ("summaries", "traits", "links", "operators", "evidence", "verdicts"):
        assert run.read(name).equals(RunFolder(again).read(name)), name


def test_with_keyed_pseudonyms_the_verdicts_are_the_same_and_no_id_is_stored(
    run: RunFolder, log: SmallLog, tmp_path: Path
) -> None:
    folder = log.write(tmp_path)
    out, key = tmp_path / "run", tmp_path / "key"
    key.write_text("5b" * 32)
    key.chmod(0o600)
    stillwatch(
        "scan", folder / "events.parquet", "--accounts", folder / "accounts.parquet", "--out", out, "--key-file", key
    )
    keyed = RunFolder(out)
    assert len(accused(keyed)) == len(log.ring)
    stored = b"".join(path.read_bytes() for path in out.iterdir() if path.is_file())
    assert not any(row["account_id"].encode() in stored for row in log.accounts)
    assert key.read_text().strip().encode() not in stored


def test_without_an_accounts_table_or_content_the_scan_says_what_it_cannot_see(log: SmallLog, tmp_path: Path) -> None:
    folder = log.write(tmp_path)
    bare = pq.read_table(folder / "events.parquet").select(["event_id", "time", "account_id", "model", "output_tokens"])
    pq.write_table(bare, tmp_path / "bare.parquet")
    stillwatch("scan", tmp_path / "bare.parquet", "--out", tmp_path / "run", "--pseudonyms", "none")
    found = RunFolder(tmp_path / "run")
    assert accused(found) == set()
    assert {"messages", "system", "client_address", "accounts table"} <= set(found.manifest()["missing_columns"])
    outcomes = {row["signal"]: row["outcome"] for row in found.read("evidence").to_pylist()}
    assert outcomes["elicitation"] == outcomes["declared_diversity"] == "not_available"


def test_one_account_is_a_log_too(tmp_path: Path) -> None:
    log = SmallLog()
    log.ordinary(1)
    folder = log.write(tmp_path)
    stillwatch("scan", folder / "events.parquet", "--out", tmp_path / "run", "--pseudonyms", "none")
    assert [row["accounts"] for row in RunFolder(tmp_path / "run").read("verdicts").to_pylist()] == [1]


def test_mistakes_are_one_line_and_an_exit_code(run: RunFolder, tmp_path: Path) -> None:
    assert "no such" in stillwatch("scan", tmp_path / "none", "--out", tmp_path / "r", code=3).stderr.lower()
    (tmp_path / "s.toml").write_text("[judging]\nfrd = 0.1\n")
    wrong = stillwatch("scan", run.path("sketches"), "--out", tmp_path / "r", "--settings", tmp_path / "s.toml", code=2)
    assert "judging.frd" in wrong.stderr
    assert "not a finished run" in stillwatch("explain", tmp_path, "op_1", code=4).stderr
    assert len(wrong.stderr.strip().splitlines()) == 1


def test_the_manifest_repeats_the_run(run: RunFolder) -> None:
    manifest = json.loads((run.root / "manifest.json").read_text())
    assert manifest["command"].startswith("stillwatch scan ")
    assert len(manifest["inputs"][0]["sha256"]) == 64
    assert set(manifest["seconds"]) >= {
        "reading and sketching",
        "summaries",
        "traits",
        "linking",
        "streams",
        "judging",
        "report",
    }
    assert manifest["baseline"]["id"]
