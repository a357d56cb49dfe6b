"""Selfcheck: the same measurement as a scan's, against a given background, and no answer where there is none."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.cases.selfcheck import render
from stillwatch.engine.meter import Meter
from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import InputError, RunError, UsageError
from stillwatch.ingest.accounts import load_context
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.ingest.registration import Registration, write_registration
from stillwatch.judging.gather import gather
from stillwatch.model import EVENTS, Outcome
from stillwatch.pipeline import ScanRequest, scan, tables_of
from stillwatch.population import Groups
from stillwatch.selfcheck import SELFCHECK, SelfcheckRequest, _one_hand, selfcheck
from stillwatch.signals import all_signals
from tests.smalllog import SmallLog


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A background of ordinary customers, scanned, and the log of a ring that is one's own."""
    folder = tmp_path_factory.mktemp("selfcheck")
    log = SmallLog(3)
    log.ordinary(130)
    write(log.events, folder / "background.parquet")
    scan(ScanRequest([folder / "background.parquet"], folder / "run"))
    own = SmallLog(4)
    own.a_ring(8)
    write(own.events, folder / "own.parquet")
    return folder


def write(rows: list[dict[str, Any]], path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(rows, schema=EVENTS), path)


def check(made: Path, out: Path, background: Path | None, source: Path | None = None) -> RunFolder:
    return selfcheck(SelfcheckRequest(ScanRequest([source or made / "own.parquet"], out), background))


@pytest.fixture(scope="module")
def checked(made: Path) -> RunFolder:
    return check(made, made / "out", made / "run")


def test_a_harvest_stands_out_and_is_told_what_to_register(checked: RunFolder) -> None:
    said = checked.manifest()
    rows = {row["signal"]: row for row in checked.read("selfcheck").to_pylist()}
    assert rows["elicitation"]["outcome"] == Outcome.OBSERVED
    assert "purpose" in said["stands_out"]
    assert set(said["advice"]) == set(said["stands_out"])
    assert said["verdict"].startswith("not available")
    assert said["background"]["shifted_by_days"] == 0
    text = " ".join(str(part) for part in render(checked))
    assert "stands out" in text
    assert "not available" in text


def test_the_statistics_are_those_of_the_log_alone(made: Path, checked: RunFolder, tmp_path: Path) -> None:
    """What does not depend on others is measured on one's own log as a scan of it measures it."""
    request = ScanRequest([made / "own.parquet"], tmp_path / "run")
    run = RunFolder(request.out)
    run.begin()
    tables_of(run, request, Meter())
    run.write("operators", _one_hand(run.read("accounts")["account_id"]))
    alone = gather(run, load_context(pseudonyms=Pseudonyms.none()))
    whole = Groups.of([np.arange(len(alone))], len(alone))
    rows = {row["signal"]: row for row in checked.read("selfcheck").to_pylist()}
    for name in ("elicitation", "grading", "saturation", "answer_length", "repeated_sampling"):
        signal = next(one for one in all_signals() if one.name == name)
        value = float(signal.statistics(alone, whole)[0])
        assert rows[name]["statistic"] == (pytest.approx(value) if np.isfinite(value) else None), name


def test_without_a_background_nothing_is_said(made: Path, tmp_path: Path) -> None:
    run = check(made, tmp_path / "out", None)
    rows = run.read("selfcheck").to_pylist()
    assert {row["outcome"] for row in rows} == {Outcome.NOT_AVAILABLE}
    assert {row["bits"] for row in rows} == {None}
    assert [row["signal"] for row in rows] == [signal.name for signal in all_signals()]
    assert run.manifest()["stands_out"] == []
    assert pq.read_schema(run.path("selfcheck")).equals(SELFCHECK)


def test_an_ordinary_customer_does_not_stand_out(made: Path, tmp_path: Path) -> None:
    log = SmallLog(9)
    log.ordinary(2)
    write(log.events, tmp_path / "own.parquet")
    said = check(made, tmp_path / "out", made / "run", tmp_path / "own.parquet").manifest()
    assert "purpose" not in said["stands_out"]
    assert "source" not in said["stands_out"]


def test_a_log_of_other_weeks_is_moved_and_the_calendar_left_out(
    made: Path, checked: RunFolder, tmp_path: Path
) -> None:
    rows = pq.read_table(made / "own.parquet").to_pylist()
    write([{**row, "time": row["time"] - timedelta(days=70)} for row in rows], tmp_path / "own.parquet")
    run = check(made, tmp_path / "out", made / "run", tmp_path / "own.parquet")
    assert run.manifest()["background"]["shifted_by_days"] == 70
    now, before = ({r["signal"]: r for r in one.read("selfcheck").to_pylist()} for one in (run, checked))
    assert now["release_pivot"]["why"] == now["quota_age"]["why"] == "log and background are of other weeks"
    assert now["volume"]["statistic"] == pytest.approx(before["volume"]["statistic"])


def test_nothing_of_the_log_is_kept(checked: RunFolder) -> None:
    assert {path.name for path in checked.root.iterdir()} == {"selfcheck.parquet", "manifest.json"}


def test_bad_backgrounds_are_refused(made: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a finished run folder"):
        check(made, tmp_path / "out", tmp_path / "nothing")
    with pytest.raises(InputError, match="at least 100 are needed"):
        check(made, tmp_path / "out", made / "run", made / "background.parquet")
    rows = pq.read_table(made / "own.parquet").to_pylist()
    rows[0]["time"] -= timedelta(days=60)
    write(rows, tmp_path / "long.parquet")
    with pytest.raises(InputError, match=r"the log covers \d+ days, the background \d+"):
        check(made, tmp_path / "out", made / "run", tmp_path / "long.parquet")
    with pytest.raises(UsageError, match="did not write"):
        check(made, made / "run", made / "run")


def test_accounts_that_asked_nothing_are_no_background(made: Path, tmp_path: Path) -> None:
    """An accounts table names customers without a request: each an operator of one, and nobody to compare with."""
    declared = pa.table({"account_id": [f"silent-{n}" for n in range(150)], "plan": ["free"] * 150})
    pq.write_table(declared, tmp_path / "accounts.parquet")
    context = load_context(accounts=tmp_path / "accounts.parquet", pseudonyms=Pseudonyms.none())
    run = scan(ScanRequest([made / "background.parquet"], tmp_path / "run", context=context))
    assert len(run.read("operators")) == 130 + 150
    with pytest.raises(InputError, match=r"run: 0 accounts of others .* at least 100 are needed"):
        check(made, tmp_path / "out", tmp_path / "run", made / "background.parquet")
    assert check(made, tmp_path / "out", tmp_path / "run").manifest()["background"]["accounts"] == 130


def test_a_registration_from_a_selfcheck_clears_the_accounts(made: Path, checked: RunFolder, tmp_path: Path) -> None:
    """The round trip: selfcheck, request, and the provider's scan of a log in which the builder is."""
    log = checked.manifest()["log"]
    from datetime import date

    write_registration(
        Registration(
            "Example Lab", "compression", "models@lab.example", date(2026, 1, 1), date(2027, 12, 31),
            tuple(log["accounts"]), models=tuple(log["models"]), max_requests_per_day=2 * log["most_on_a_day"],
            disclosed_at=date(2026, 1, 1),
        ),
        tmp_path / "request.toml",
    )  # fmt: skip
    names = Pseudonyms.keyed(b"k" * 16)
    context = load_context(authorisations=tmp_path / "request.toml", pseudonyms=names)
    sources = [made / "background.parquet", made / "own.parquet"]
    run = scan(ScanRequest(sources, tmp_path / "run", context=context, pseudonyms=names))
    mine = set(names.accounts(log["accounts"]))
    operators = [row for row in run.read("operators").to_pylist() if row["account_id"] in mine]
    verdicts = {row["operator_id"]: row["verdict"] for row in run.read("verdicts").to_pylist()}
    assert {verdicts[row["operator_id"]] for row in operators} == {"authorised_distillation"}
    assert "unauthorised_distillation" not in verdicts.values()


def test_the_commands(made: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from stillwatch.cli import app

    words = ["selfcheck", str(made / "own.parquet"), "--out", str(tmp_path / "out"), "--json"]
    assert json.loads(CliRunner().invoke(app, words).stdout)["background"] is None
    asked = ["authorisation", "request", "--out", str(tmp_path / "r.toml"), "--organisation", "Example Lab",
             "--purpose", "p", "--contact", "c", "--valid-from", "2026-01-01", "--valid-until", "2026-02-01",
             "--selfchecked", str(tmp_path / "out")]  # fmt: skip
    shown = CliRunner().invoke(app, asked)
    assert shown.exit_code == 0, shown.output
    assert "8 accounts" in shown.output
    assert "no quota is asked for" in shown.output
