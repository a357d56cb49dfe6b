"""Every evasion does what its name says, and leaves everything else and the other worlds as they were."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from stillwatch.cli import app
from stillwatch.errors import UsageError
from stillwatch.worlds import ALL_BUT_INDEPENDENT, EVASIONS, write_world
from stillwatch.worlds.evasions import Evasions, checked
from tests.worlds.conftest import Written

SCALE, SEED = 0.2, 5


@cache
def written(*evasions: str) -> Written:
    root = Path(mkdtemp()) / "world"
    return Written(root, write_world("evaded", root, scale=SCALE, seed=SEED, evasions=evasions))


def ring(world: Written) -> pa.Table:
    """Events of the campaigns' own accounts that they send themselves, by account and time."""
    guilty = [account for account, label in world.labels().items() if label == "campaign"]
    table = world.events.filter(pc.is_in(world.events["account_id"], pa.array(guilty)))
    mixed = world.mixed.filter(pc.equal(world.mixed["label"], "ordinary"))
    return table.filter(pc.invert(pc.is_in(table["event_id"], mixed["event_id"].combine_chunks())))


def per_day(table: pa.Table) -> np.ndarray:
    """Requests of each account on each of its days."""
    rows = table.append_column("day", pc.cast(table["time"], pa.date32()))
    return rows.group_by(["account_id", "day"]).aggregate([("event_id", "count")])["event_id_count"].to_numpy()


def openings(table: pa.Table) -> list[str]:
    """First messages of conversations in which nothing has been answered yet."""
    found = [json.loads(text) for text in table["messages"].to_pylist()]
    return [str(messages[0]["parts"][0]["content"]) for messages in found if len(messages) == 1]


def shared(table: pa.Table, column: str) -> float:
    """Part of the accounts that share a value of the column with another account."""
    pairs = table.select(["account_id", column]).group_by(["account_id", column]).aggregate([])
    pairs = pairs.filter(pc.is_valid(pairs[column]))
    held = pairs.group_by(column).aggregate([("account_id", "count")])
    popular = held.filter(pc.greater(held["account_id_count"], 1))[column].combine_chunks()
    sharing = pc.unique(pairs.filter(pc.is_in(pairs[column], popular))["account_id"])
    return len(sharing) / len(pc.unique(pairs["account_id"]))


def accounts_of(world: Written) -> pa.Table:
    guilty = [account for account, label in world.labels().items() if label == "campaign"]
    return world.accounts.filter(pc.is_in(world.accounts["account_id"], pa.array(guilty)))


def test_every_level_can_be_made_alone_and_is_written_beside_the_truth(tmp_path: Path) -> None:
    plain = written()
    assert not (plain.root / "truth" / "evasions.toml").exists()
    for name in EVASIONS:
        made = write_world("evaded", tmp_path / name, scale=0.1, seed=1, evasions=[name])
        assert made.campaign_accounts >= 12
        assert made.campaign_events > 0
        assert tomllib.loads((tmp_path / name / "truth" / "evasions.toml").read_text())["evasions"] == [name]


def test_cover_is_conversation_in_many_languages() -> None:
    covered, plain = ring(written("cover")), ring(written())
    # people write in the languages of their countries; the ring's own requests are English
    foreign = [np.mean([not text.isascii() for text in openings(t)]) for t in (covered, plain)]
    assert foreign[0] > 1.2 * foreign[1]


def test_one_address_gives_every_account_a_line_of_its_own() -> None:
    table = ring(written("one_address"))
    pairs = table.select(["account_id", "client_address"]).group_by(["account_id", "client_address"]).aggregate([])
    assert len(pairs) == len(pc.unique(pairs["account_id"])) == len(pc.unique(pairs["client_address"]))
    assert shared(ring(written()), "client_address") > 0.5


def test_low_rate_keeps_every_account_at_26_a_day() -> None:
    assert per_day(ring(written())).max() > 26
    world = written("low_rate")
    assert per_day(ring(world)).max() <= 26
    volume = [len(ring(w)) for w in (world, written())]
    assert volume[0] == pytest.approx(volume[1], rel=0.3)


def test_identities_share_no_card_and_no_sign_up() -> None:
    usual, unique = accounts_of(written()), accounts_of(written("identities"))
    assert shared(usual, "payment_id") > 0.2
    assert shared(unique, "payment_id") == 0
    span = [np.ptp(t["created_at"].cast(pa.int64()).to_numpy()) / 86_400e6 for t in (usual, unique)]
    assert span[1] > 120 > 60 > span[0]


def test_no_skeleton_leaves_no_shared_opening_and_fresh_tasks_no_repetition() -> None:
    def commonest(table: pa.Table) -> float:
        """Part of openings that begin with one of the three commonest beginnings."""
        texts = openings(table)
        return sum(n for _, n in Counter(text[:16] for text in texts).most_common(3)) / len(texts)

    free = ring(written("no_skeleton", "fresh_tasks"))
    assert commonest(free) < 0.6 * commonest(ring(written()))
    assert free["system"].null_count > 0.3 * len(free)


def test_human_times_have_a_night() -> None:
    def swing(world: Written) -> float:
        table = ring(world)
        table = table.filter(pc.equal(table["country"], "US"))
        hours = np.bincount(pc.hour(table["time"]).to_numpy(), minlength=24)
        return float(np.sort(hours)[:6].sum() / hours.sum())

    assert swing(written("human_times")) < swing(written())


def test_rotation_closes_half_and_opens_successors() -> None:
    accounts = accounts_of(written("rotation"))
    closed = pc.is_valid(accounts["closed_at"]).to_numpy()
    assert closed.mean() == pytest.approx(0.5, abs=0.1)
    created = accounts["created_at"].cast(pa.int64()).to_numpy()
    assert np.median(created[~closed]) > np.median(created[closed])


def test_probe_sends_little_before_the_middle() -> None:
    def early(world: Written) -> float:
        seconds = ring(world)["time"].cast(pa.int64()).to_numpy() / 1e6
        days = (seconds - 1772409600) / 86_400  # the worlds' first midnight
        return float((days < 7).mean())

    assert early(written("probe")) < 0.6 * early(written())


def test_resellers_carry_5_to_50_percent_harvest() -> None:
    world = written("reseller")
    table = world.mixed
    labels = world.labels()
    mine = [labels[a] == "reseller" for a in table["account_id"].to_pylist()]
    table = table.filter(pa.array(mine))
    harvest = pc.equal(table["label"], "campaign").to_numpy(zero_copy_only=False)
    shares = []
    for account in pc.unique(table["account_id"]).to_pylist():
        chosen = pc.equal(table["account_id"], account).to_numpy(zero_copy_only=False)
        shares.append(float(harvest[chosen].mean()))
    used = sorted(share for share in shares if share > 0)
    assert len(used) >= 8
    assert 0.01 < used[0] < 0.12
    assert 0.35 < used[-1] < 0.65


def test_stolen_keys_belong_to_customers_who_go_on() -> None:
    world, labels = written("stolen"), written("stolen").labels()
    table = world.mixed
    table = table.filter(pa.array([labels[a] == "stolen_key_victim" for a in table["account_id"].to_pylist()]))
    theirs = pc.equal(table["label"], "campaign").to_numpy(zero_copy_only=False)
    assert 0.2 < theirs.mean() < 0.9
    keys = world.events.filter(pc.is_in(world.events["event_id"], table["event_id"].combine_chunks()))
    per_account = keys.group_by(["account_id"]).aggregate([("key_id", "count_distinct")])
    used = [a for a, n in zip(per_account["account_id"].to_pylist(), per_account["key_id_count_distinct"].to_pylist(),
                              strict=True) if n == 1]  # fmt: skip
    assert len(used) >= 12


def test_relay_doubles_the_traffic_with_real_users_whom_the_truth_names() -> None:
    world = written("relay")
    guilty = {account for account, label in world.labels().items() if label == "campaign"}
    table = world.mixed.filter(pa.array([a in guilty for a in world.mixed["account_id"].to_pylist()]))
    own = pc.equal(table["label"], "campaign").to_numpy(zero_copy_only=False)
    assert own.mean() == pytest.approx(0.5, abs=0.12)


def test_shared_proxy_mixes_ring_and_honest_people_in_its_exits() -> None:
    world = written("shared_proxy")
    exits = pc.unique(ring(world)["client_address"])
    guilty = pa.array([account for account, label in world.labels().items() if label == "campaign"])
    others = world.events.filter(pc.invert(pc.is_in(world.events["account_id"], guilty)))
    there = pc.unique(others.filter(pc.is_in(others["client_address"], exits))["account_id"])
    assert len(there) >= 20


def test_budgets() -> None:
    plain = ring(written())
    assert len(ring(written("few_queries"))) < 0.5 * len(plain)
    bare = ring(written("bare_interface"))
    assert pc.mean(pc.is_valid(bare["tools"]).cast(pa.int8())).as_py() < 0.15
    grading = ring(written("grading"))
    assert pc.mean(grading["output_tokens"]).as_py() < 0.6 * pc.mean(plain["output_tokens"]).as_py()


def test_independent_implies_the_rest_and_one_address_replaces_proxies() -> None:
    effective = Evasions(("independent", "residential")).effective
    assert {"identities", "one_address", "human_times", "cover", "plain_data"} <= effective
    assert "residential" not in effective
    assert set(ALL_BUT_INDEPENDENT) < set(EVASIONS)
    assert "independent" not in ALL_BUT_INDEPENDENT


def test_honest_people_are_the_same_whoever_evades() -> None:
    """Ids of honest accounts and how many of each label do not depend on the campaigns' ways."""
    plain, all_of_them = written(), written(*ALL_BUT_INDEPENDENT)
    honest = [{a: v for a, v in w.labels().items() if v not in ("campaign", "reseller", "stolen_key_victim")}
              for w in (plain, all_of_them)]  # fmt: skip
    assert sorted(honest[0].values()) == sorted(honest[1].values())


def test_ids_say_nothing_under_any_evasion() -> None:
    world = written(*ALL_BUT_INDEPENDENT)
    labels = world.labels()
    ids = np.array([[int(c, 16) for c in account] for account in labels])
    guilty = np.array([label == "campaign" for label in labels.values()])
    gap = np.abs(ids[guilty].mean(axis=0) - ids[~guilty].mean(axis=0)) / ids.std(axis=0).clip(1e-9)
    assert gap.max() < 4 / np.sqrt(guilty.sum())


def test_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no evasion is called 'invisible'"):
        checked(["cover", "invisible"])
    with pytest.raises(UsageError, match="has no campaigns"):
        write_world("innocent", tmp_path / "w", evasions=["cover"])
    with pytest.raises(UsageError, match="above 0"):
        write_world("evaded", tmp_path / "w", background=0)
    assert checked(["none"]) == ()
    assert checked(["relay", "cover", "relay"]) == ("cover", "relay")


def test_the_command_takes_names_with_commas(tmp_path: Path) -> None:
    words = ["world", "evaded", "--out", str(tmp_path / "w"), "--scale", "0.1", "--evasion", "cover,one_address"]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert tomllib.loads((tmp_path / "w" / "truth" / "evasions.toml").read_text())["evasions"] == [
        "one_address", "cover",
    ]  # fmt: skip


def test_background_changes_the_honest_part_alone(tmp_path: Path) -> None:
    made = [write_world("seed", tmp_path / str(b), scale=0.002, seed=3, background=b) for b in (1.0, 0.3)]
    assert made[0].campaign_accounts == made[1].campaign_accounts
    honest = [m.events - m.campaign_events for m in made]
    assert honest[1] == pytest.approx(0.3 * honest[0], rel=0.2)
    table = pq.read_table(tmp_path / "0.3" / "truth" / "accounts.parquet")
    assert len(table) == made[1].accounts
