"""The contract of a world folder, and what the named worlds promise."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import InputError, UsageError
from stillwatch.model import ACCOUNTS, EVENTS, RELEASES
from stillwatch.worlds import WORLDS, world, write_world
from stillwatch.worlds.plan import LABELS
from tests.worlds.conftest import Written

NEGATIVES = set(LABELS) - {"campaign"}


@pytest.fixture(params=["seed_world", "innocent_world", "demo_world"])
def any_world(request: pytest.FixtureRequest) -> Written:
    return request.getfixturevalue(request.param)


def digest(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_seed_gives_the_same_bytes_in_one_process_or_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = [tmp_path / name for name in "abc"]
    write_world("demo", roots[0], scale=0.05, seed=5)
    write_world("demo", roots[2], scale=0.05, seed=6)
    monkeypatch.setattr(world, "_ALONE", 0)
    write_world("demo", roots[1], scale=0.05, seed=5)
    first, again, other = map(digest, roots)
    assert first == again
    assert set(first) == set(other)
    assert all(first[name] != other[name] for name in first)


def test_tables_have_their_schemas_and_days_their_events(any_world: Written) -> None:
    root = any_world.root
    folders = sorted(root.glob("events/*"))
    assert len(folders) == any_world.summary.days
    for folder in folders:
        day = folder.name.removeprefix("day=")
        last = None
        for file in sorted(folder.glob("*.parquet")):
            assert pq.ParquetFile(file).schema_arrow.equals(EVENTS)
            times = pq.ParquetFile(file).read(columns=["time"])["time"]
            assert set(pc.strftime(times, "%Y-%m-%d").to_pylist()) == {day}
            micros = times.cast(pa.int64()).to_numpy()
            assert (np.diff(micros) >= 0).all()
            assert last is None or micros[0] >= last
            last = micros[-1]
    assert any_world.accounts.schema.equals(ACCOUNTS)
    assert pq.read_table(root / "releases.parquet").schema.equals(RELEASES)
    assert {"prefix", "asn", "kind"} <= set(pq.read_table(root / "networks.parquet").column_names)
    assert len(any_world.events) == any_world.summary.events
    for name in ("event_id", "time", "account_id", "model"):
        assert any_world.events[name].null_count == 0
    assert len(pc.unique(any_world.events["event_id"])) == len(any_world.events)


def test_truth_covers_every_account_and_every_event_of_those_who_mix(any_world: Written) -> None:
    accounts = any_world.accounts["account_id"].to_pylist()
    truth = any_world.truth.to_pylist()
    assert len(set(accounts)) == len(accounts) == any_world.summary.accounts
    assert sorted(row["account_id"] for row in truth) == sorted(accounts)
    assert set(pc.unique(any_world.events["account_id"]).to_pylist()) <= set(accounts)
    assert all((row["campaign"] is None) == (row["label"] != "campaign") for row in truth)
    mixing = {row["account_id"] for row in truth if row["label"] in ("reseller", "stolen_key_victim")}
    theirs = any_world.events.filter(pc.is_in(any_world.events["account_id"], pa.array(sorted(mixing))))
    assert sorted(any_world.mixed["event_id"].to_pylist()) == sorted(theirs["event_id"].to_pylist())


def test_every_kind_of_innocent_is_in_every_world(any_world: Written) -> None:
    found = set(any_world.labels().values())
    assert found >= NEGATIVES
    assert ("campaign" in found) == (any_world.summary.name != "innocent")
    active = set(pc.unique(any_world.events["account_id"]).to_pylist())
    names = any_world.labels()
    assert {names[account] for account in active} == found


def test_operators_are_one_hand_each(any_world: Written) -> None:
    by_label: dict[str, Counter[str]] = {}
    for row in any_world.truth.to_pylist():
        by_label.setdefault(row["label"], Counter())[row["operator_id"]] += 1
    for name in ("ordinary", "application_users", "classroom", "pipeline", "stolen_key_victim"):
        assert set(by_label[name].values()) == {1}, name
    assert max(by_label["enterprise"].values()) >= 20
    assert len(by_label["permitted_distiller"]) == 1
    assert set(by_label["household"].values()) <= set(range(1, 9))
    assert max(by_label["team"].values()) >= 2
    assert by_label == {k: v for k, v in by_label.items() if any_world.summary.operators[k] == len(v)}


def test_the_permitted_distiller_stays_within_its_quota(any_world: Written) -> None:
    text = (any_world.root / "authorisations.toml").read_text()
    (agreed,) = tomllib.loads(text)["authorisation"]
    rows = any_world.truth.to_pylist()
    assert sorted(agreed["accounts"]) == sorted(r["account_id"] for r in rows if r["label"] == "permitted_distiller")
    theirs = any_world.events.filter(pc.is_in(any_world.events["account_id"], pa.array(agreed["accounts"])))
    daily = Counter(pc.strftime(theirs["time"], "%Y-%m-%d").to_pylist())
    assert 0 < max(daily.values()) <= agreed["max_requests_per_day"]
    assert sum(daily.values()) <= agreed["max_requests_total"]
    assert set(pc.unique(theirs["model"]).to_pylist()) <= set(agreed["models"])
    assert agreed["valid_from"] < any_world.events["time"][0].as_py() < agreed["valid_until"]
    assert set(pc.unique(theirs["org_id"]).to_pylist()) == set(agreed["org_ids"])


def test_nobody_sends_before_the_account_is_opened_or_after_it_is_closed(any_world: Written) -> None:
    sent = any_world.events.group_by("account_id").aggregate([("time", "min"), ("time", "max")])
    joined = sent.join(any_world.accounts.select(["account_id", "created_at", "closed_at"]), "account_id")
    assert pc.all(pc.greater_equal(joined["time_min"], joined["created_at"])).as_py()
    late = pc.greater(joined["time_max"], joined["closed_at"])
    assert not pc.any(late).as_py()


def test_the_seed_world_has_the_reported_proportions(seed_world: Written) -> None:
    scale = 0.002
    names = {row["account_id"]: row["campaign"] for row in seed_world.truth.to_pylist()}
    accounts = Counter(name for name in names.values() if name)
    events = Counter(names[account] for account in seed_world.events["account_id"].to_pylist())
    relayed = Counter(name for name in seed_world.mixed["campaign"].to_pylist() if name)
    assert accounts["lab-3"] == round(22_600 * scale)
    assert accounts["lab-1"] >= 8 <= accounts["lab-2"]
    # per account, whatever the scale: exchanges of the report divided by accounts
    for name, each in (("lab-1", 150_000 / 600), ("lab-2", 3.4e6 / 800), ("lab-3", 13e6 / 22_600)):
        assert (events[name] + relayed[name]) / accounts[name] == pytest.approx(each, rel=0.15), name
    assert relayed["lab-2"] > 0
    honest = sum(n for name, n in events.items() if not name) - sum(relayed.values())
    assert honest >= 0.95 * 86e6 * scale
    assert sum(1 for name in names.values() if not name) >= 20 * 24_000 * scale
    assert seed_world.summary.campaign_events == sum(events[n] for n in accounts) + sum(relayed.values())


def test_full_scale_keeps_the_promised_background(monkeypatch: pytest.MonkeyPatch) -> None:
    one = world.spec("seed")
    assert one.honest_events >= 5 * sum(lab.events for lab in one.labs)
    assert one.honest_accounts >= 20 * sum(lab.accounts for lab in one.labs)
    assert sum(lab.events for lab in one.labs) == 16_550_000
    assert sum(lab.accounts for lab in one.labs) == 24_000


def test_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no world is called 'nowhere'"):
        write_world("nowhere", tmp_path / "w")
    with pytest.raises(UsageError, match="scale"):
        write_world("demo", tmp_path / "w", scale=0)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(UsageError, match="left as it is"):
        write_world("demo", tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"
    with pytest.raises(InputError, match="no Parquet files"):
        write_world("demo", tmp_path / "w", prompts=tmp_path / "mine")
    assert not (tmp_path / "w").exists()
    assert set(WORLDS) == {"demo", "seed", "evaded", "quiet", "innocent"}


def test_an_earlier_world_is_replaced_and_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    write_world("demo", tmp_path, scale=0.02, seed=1)
    write_world("demo", tmp_path, scale=0.02, seed=2, progress=lambda *step: told.append(step))
    assert told[-1] == ("events", 14, 14)
    write_world("demo", tmp_path / "again", scale=0.02, seed=2)
    again = digest(tmp_path / "again")
    assert {k: v for k, v in digest(tmp_path).items() if not k.startswith("again")} == again


def test_prompts_take_the_place_of_the_grammar(tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    folder.mkdir()
    people = [f'ask {number} "quoted" \\ {{braces}}\nline' for number in range(60)]
    tasks = [f"bank task {number} <b>" for number in range(900)]
    rows = {
        "source": ["x", "y"] * 30 + ["z"] * 900,
        "role": ["benign"] * 60 + ["attacker"] * 900,
        "prompt": people + tasks,
    }
    pq.write_table(pa.table(rows), folder / "p.parquet")
    write_world("demo", tmp_path / "w", scale=0.02, seed=1, prompts=folder)
    made = Written(tmp_path / "w", None)  # type: ignore[arg-type]
    names = made.labels()
    asked = dict.fromkeys(set(names.values()), "")
    for account, text in zip(made.events["account_id"].to_pylist(), made.events["messages"].to_pylist(), strict=True):
        asked[names[account]] += text
    assert "bank task 7 <b>" in asked["campaign"]
    assert re.search(r'"ask \d+ \\"quoted\\" \\\\ \{braces\}\\nline"', asked["ordinary"])
    assert "bank task" not in asked["ordinary"]
