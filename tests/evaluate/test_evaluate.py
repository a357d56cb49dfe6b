from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from stillwatch.errors import InputError, RunError, UsageError
from stillwatch.evaluate import Evaluation, evaluate, render
from tests.evaluate.runs import write_run, write_truth

ACCUSED, FINE = "unauthorised_distillation", "ordinary"

# Two campaigns: A of six accounts (a6 is not in the log), B of two, mixed into a reseller's account.
TRUTH = [
    *((f"a{n}", "ring_a", "campaign", "A") for n in range(1, 7)),
    ("b1", "ring_b", "campaign", "B"),
    ("b2", "ring_b", "campaign", "B"),
    ("r1", "reseller", "reseller", None),
    *((f"e{n}", "firm", "enterprise", None) for n in range(1, 5)),
    ("p1", "lab", "permitted_distiller", None),
    ("p2", "lab", "permitted_distiller", None),
    ("v1", "victim", "stolen_key_victim", None),
    ("o1", "o1", "ordinary", None),
    ("o2", "o2", "ordinary", None),
]
RUN = {
    **{f"a{n}": "op_1" for n in range(1, 5)}, "o1": "op_1",  # accused: four of A and one ordinary account
    "a5": "op_2", "b1": "op_3", "b2": "op_4", "r1": "op_5",
    "e1": "op_6", "e2": "op_6", "e3": "op_6", "e4": "op_7",
    "p1": "op_8", "p2": "op_8", "v1": "op_9", "o2": "op_10", "unknown": "op_11",
}  # fmt: skip
VERDICTS = {
    "op_1": ACCUSED, "op_6": "heavy_use", "op_8": "authorised_distillation", "op_9": "compromised_account",
    "op_11": ACCUSED,
}  # fmt: skip
EVENTS = {**{f"a{n}": 10 for n in range(1, 6)}, "b1": 4, "b2": 6, "r1": 9, "v1": 5, "o1": 3}
MIXED = [
    *((f"r1-{n}", "r1", "ring_b", "campaign", "B") for n in range(5)),
    *((f"r1-{n}", "r1", "reseller", "reseller", None) for n in range(5, 9)),
    *((f"b2-{n}", "b2", "ring_b", "campaign", "B") for n in range(2)),
    *((f"b2-{n}", "b2", "ring_b", "ordinary", None) for n in range(2, 6)),
]
LINKS = [("a1", "a2", "control"), ("a1", "o1", "control"), ("e1", "e2", "content"), ("a1", "unknown", "content")]


@pytest.fixture
def found(tmp_path: Path) -> Evaluation:
    run = write_run(tmp_path / "run", RUN, VERDICTS, links=LINKS, events=EVENTS)
    return evaluate(run, write_truth(tmp_path / "world", TRUTH, MIXED))


def test_accusations(found: Evaluation) -> None:
    assert (found.campaign_accused, found.campaign_accounts) == (4, 8)
    assert found.account_recall == 4 / 8
    assert found.account_precision == 4 / 5
    assert (found.honest_accused, found.honest_accounts, found.honest_rate) == (1, 10, "1 in 10")
    low, high = found.honest_interval
    assert low == pytest.approx(0.0025286, abs=1e-6)
    assert high == pytest.approx(0.4450161, abs=1e-6)


def test_campaigns(found: Evaluation) -> None:
    assert (found.campaigns, found.campaigns_found) == (2, 1)
    a, b = found.by_campaign
    assert (a.campaign, a.accounts, a.absent, a.accused, a.found) == ("A", 6, 1, 4, True)
    assert (a.operators, a.largest_operator) == (2, 4)
    assert (b.campaign, b.accused, b.found, b.operators) == ("B", 0, False, 2)


def test_events_of_campaigns_are_those_that_the_truth_names(found: Evaluation) -> None:
    # A: 5 x 10, of which 40 in accused accounts; B: 4 of b1, 2 of b2 (mixed), 5 of the reseller's
    assert (found.campaign_events, found.campaign_events_accused) == (61, 40)
    assert found.event_recall == pytest.approx(40 / 61)


def test_partitions(found: Evaluation) -> None:
    # campaign accounts present: groups {a1..a4}, {a5}, {b1}, {b2} against {a1..a5}, {b1, b2}
    expected = 6 * 11 / 21
    assert found.ari == pytest.approx((6 - expected) / ((6 + 11) / 2 - expected))
    assert found.b_cubed_precision == pytest.approx((4 * 4 / 5 + 3) / 7)
    assert found.b_cubed_recall == pytest.approx((4 * 4 / 5 + 1 / 5 + 2 * 1 / 2) / 7)
    assert found.pair_precision == pytest.approx((6 + 3 + 1) / (10 + 3 + 1))
    assert found.pair_recall == pytest.approx((6 + 3 + 1) / (10 + 1 + 6 + 1))
    assert (found.wrong_groups, found.wrong_accounts) == (0, 0)


def test_honest_labels(found: Evaluation) -> None:
    rows = {row.label: row for row in found.by_label}
    assert sorted(rows) == ["enterprise", "ordinary", "permitted_distiller", "reseller", "stolen_key_victim"]
    firm, ordinary = rows["enterprise"], rows["ordinary"]
    assert (firm.operators, firm.accounts, firm.linked, firm.accused) == (1, 4, 3, 0)
    assert firm.verdicts == {"heavy_use": 3, "ordinary": 1}
    assert (ordinary.linked, ordinary.accused, ordinary.operators_accused) == (1, 1, 1)
    assert ordinary.verdicts == {"ordinary": 1, ACCUSED: 1}
    assert [(o.operator_id, o.verdicts) for o in found.permitted] == [("lab", {"authorised_distillation": 2})]
    assert [(o.operator_id, o.verdicts) for o in found.compromised] == [("victim", {"compromised_account": 1})]


def test_links_and_unmatched_accounts(found: Evaluation) -> None:
    assert [(k.kind, k.links, k.true) for k in found.by_link_kind] == [("content", 1, 1), ("control", 2, 1)]
    assert (found.truth_accounts, found.run_accounts, found.absent) == (18, 18, 1)
    assert (found.unlabelled, found.unlabelled_accused) == (1, 1)


def test_strangers_in_large_groups(tmp_path: Path) -> None:
    truth = [(f"a{n}", "ring", "campaign", "A") for n in range(7)]
    truth += [(f"o{n}", f"o{n}", "ordinary", None) for n in range(10)]
    groups = {f"a{n}": "op_1" for n in range(7)} | {"o0": "op_1"} | {f"o{n}": "op_2" for n in range(1, 10)}
    found = evaluate(write_run(tmp_path / "run", groups, {}), write_truth(tmp_path / "world", truth))
    assert (found.wrong_groups, found.wrong_accounts, found.wrong_honest) == (2, 10, 10)


def test_json_and_terminal_say_the_same_and_stay_inert(tmp_path: Path) -> None:
    hostile = "\x1b[31m[bold]<b>=cmd|' /C calc'!A0\u202e"
    truth = [("a", "ring", "campaign", hostile), ("b", "b", hostile, None)]
    found = evaluate(
        write_run(tmp_path / "run", {"a": "1", "b": "2"}, {"1": ACCUSED, "2": hostile}),
        write_truth(tmp_path / "world", truth),
    )
    record = json.loads(found.as_json())
    assert record["account_recall"] == 1.0
    assert record["honest_accused"] == 0
    assert record["by_campaign"][0]["campaign"] == hostile
    assert found.as_json().isascii()
    console = Console(width=200, record=True, force_terminal=False)
    for part in render(found):
        console.print(part)
    text = console.export_text()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[bold]<b>" in text
    assert "1 of 1" in text


def test_keyed_runs_need_the_key(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"x_a": "1", "x_b": "2"}, {"1": ACCUSED}, mode="keyed", events={"x_a": 3})
    world = write_truth(tmp_path / "world", [("a", "ring", "campaign", "A"), ("b", "b", "ordinary", None)])
    with pytest.raises(UsageError, match="key"):
        evaluate(run, world)
    found = evaluate(run, world, account_pseudonym=lambda ids: [f"x_{name}" for name in ids])
    assert (found.account_recall, found.honest_accused, found.campaign_events) == (1.0, 0, 3)
    with pytest.raises(InputError, match="another key"):
        evaluate(run, world, account_pseudonym=lambda ids: [f"y_{name}" for name in ids])


def test_the_truth_is_found_in_three_places(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"a": "1"}, {"1": ACCUSED})
    world = write_truth(tmp_path / "world", [("a", "ring", "campaign", None)])
    assert evaluate(run, world).by_campaign[0].campaign == "ring"
    assert evaluate(run, world) == evaluate(run, world / "truth")
    assert evaluate(run, world) == evaluate(run, world / "truth" / "accounts.parquet")


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"a": "1"}, {})
    with pytest.raises(InputError, match="no truth there"):
        evaluate(run, tmp_path / "nowhere")
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(b"PAR1 is not enough")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        evaluate(run, bad)
    pq.write_table(pa.table({"account_id": ["a"], "label": ["ordinary"]}), bad)
    with pytest.raises(InputError, match="column operator_id"):
        evaluate(run, bad)
    twice = write_truth(tmp_path / "twice", [("a", "x", "ordinary", None)] * 2)
    with pytest.raises(InputError, match="row 2: duplicate account_id"):
        evaluate(run, twice)
    nobody = write_truth(tmp_path / "nobody", [("a", "x", None, None)])  # type: ignore[list-item]
    with pytest.raises(InputError, match="row 1: no label"):
        evaluate(run, nobody)
    with pytest.raises(RunError, match="not a finished run folder"):
        evaluate(tmp_path / "norun", write_truth(tmp_path / "world", [("a", "x", "ordinary", None)]))


def test_an_empty_run_finds_nobody(tmp_path: Path) -> None:
    world = write_truth(tmp_path / "world", [("a", "ring", "campaign", "A"), ("b", "b", "ordinary", None)])
    found = evaluate(write_run(tmp_path / "run", {}, {}), world)
    assert (found.account_recall, found.account_precision, found.absent) == (0.0, None, 2)
    assert (found.honest_accounts, found.honest_rate, found.ari) == (0, "nobody to accuse", None)
    assert found.honest_interval == (0.0, 1.0)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=25))
def test_a_perfect_run_and_its_renaming(tmp_path_factory: pytest.TempPathFactory, owners: list[int]) -> None:
    folder = tmp_path_factory.mktemp("perfect")
    truth = [
        (f"c{k}", f"ring{owner}", "campaign", f"C{owner}") if owner < 3 else (f"c{k}", f"h{k}", "ordinary", None)
        for k, owner in enumerate(owners)
    ]
    world = write_truth(folder / "world", truth)
    groups = {account: operator for account, operator, _, _ in truth}
    verdicts = {operator: ACCUSED for _, operator, label, _ in truth if label == "campaign"}
    found = evaluate(write_run(folder / "run", groups, verdicts), world)
    rings = {owner for owner in owners if owner < 3}
    assert found.honest_accused == found.wrong_accounts == 0
    assert found.campaigns_found == found.campaigns == len(rings)
    if rings:
        assert (found.account_recall, found.account_precision, found.ari) == (1.0, 1.0, 1.0)
        assert (found.b_cubed_precision, found.b_cubed_recall) == (1.0, 1.0)
    renamed = {account: f"op_{operator[::-1]}" for account, operator in groups.items()}
    again = {f"op_{operator[::-1]}": verdict for operator, verdict in verdicts.items()}
    assert evaluate(write_run(folder / "other", renamed, again), world) == found
