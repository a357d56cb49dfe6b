"""The comparison with other tools: scoring and tuning on cases known by hand, and what was written from papers."""

from __future__ import annotations

import itertools
import json
import math
import re
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.peers import encoder, mahalanobis, mmd, page, prada, process, scoring, seat, svn, synchrotrap, world
from benchmarks.peers.answer import Answer, linked, scored, spanning
from benchmarks.peers.registry import PEERS
from benchmarks.peers.tuning import Choice, Truth, best, counts, curve, majority, outcome
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import shapiro

ROOT = Path(__file__).parent.parent
NAMES = ["a", "b", "c", "d", "e", "f"]
TRUTH = Truth(
    operator=np.array([0, 0, 0, 1, 1, 2]),
    harvests=np.array([True, True, True, False, False, False]),
    customer=np.array([0, 1, 2, 3, 3, 4]),
    registered=np.zeros(6, np.bool_),
    label=("campaign", "campaign", "campaign", "company", "company", "somebody"),
)
"""a, b and c are a ring; d and e two accounts of one company; f is somebody."""
LINKS = linked(NAMES, [0, 1, 3, 2], [1, 2, 4, 5], [9.0, 7.0, 8.0, 3.0])


# --- scoring --------------------------------------------------------------------------------------------------------


def test_groups_are_components_of_the_links_that_are_strong_enough() -> None:
    assert len(set(LINKS.groups(9.5))) == 6
    assert len(set(LINKS.groups(9.0))) == 5
    strong = LINKS.groups(7.0)
    assert strong[0] == strong[1] == strong[2] != strong[5]
    assert strong[3] == strong[4] != strong[0]


def test_a_company_is_one_customer_and_a_registered_use_is_never_accused() -> None:
    assert LINKS.accused(7.0, 2, TRUTH.customer, TRUTH.registered).tolist() == [True, True, True, False, False, False]
    assert LINKS.accused(3.0, 4, TRUTH.customer, TRUTH.registered).tolist() == [True, True, True, False, False, True]
    registered = np.array([False, True, False, False, False, False])
    assert LINKS.accused(7.0, 3, TRUTH.customer, registered).tolist() == [True, False, True, False, False, False]


def test_an_outcome_counts_accounts_and_compares_groups_of_the_campaign_alone() -> None:
    found = outcome([LINKS], [TRUTH], 3.0, 2)
    assert (found.campaign, found.hits, found.honest, found.false, found.ari) == (3, 3, 3, 1, 1.0)
    assert found.recall == 1.0
    assert found.precision == 0.75
    assert outcome([LINKS], [TRUTH], 9.0, 2).hits == 2
    nobody = outcome([LINKS], [TRUTH], 99.0, 2)
    assert (nobody.recall, nobody.precision) == (0.0, None)


def test_a_detector_accuses_each_by_itself_and_has_no_groups() -> None:
    answer = scored(NAMES, [0.9, 0.8, np.nan, 0.85, 0.1, 0.2])
    assert answer.accused(0.8, 1, TRUTH.customer, TRUTH.registered).tolist() == [True, True, False, True, False, False]
    found = outcome([answer], [TRUTH], 0.8, 1)
    assert found.ari is None
    assert found.whom == {"company": 1}


def test_blocks_count_customers() -> None:
    answer = scored(NAMES, [-1, -1, -1, -2, -2, np.nan], [0, 0, 0, 1, 1, -1])
    assert answer.accused(-2, 2, TRUTH.customer, TRUTH.registered).tolist() == [True, True, True, False, False, False]
    assert answer.accused(-2, 1, TRUTH.customer, TRUTH.registered).tolist() == [True] * 5 + [False]


def test_answers_are_read_as_they_were_written(tmp_path: Path) -> None:
    LINKS.save(tmp_path / "x.npz")
    again = Answer.load(tmp_path / "x.npz")
    assert again.accounts == NAMES
    assert again.groups(7.0).tolist() == LINKS.groups(7.0).tolist()


# --- tuning ---------------------------------------------------------------------------------------------------------


def test_the_choice_is_most_hits_within_the_rate_and_cautious_among_equals() -> None:
    # all three hits with nobody honest: at 7, any k up to 3; the largest k and then the highest threshold
    assert best([[LINKS]], [TRUTH], (2, 3, 4), 0) == Choice(0, 7.0, 3)
    worse = linked(NAMES, [0, 1], [1, 3], [5.0, 4.0])
    assert best([[worse], [LINKS]], [TRUTH], (2, 3), 0) == Choice(1, 7.0, 3)
    assert best([[worse]], [TRUTH], (2, 3), 0) == Choice(0, 5.0, 2)
    assert best([[linked(NAMES, [3], [5], [1.0])]], [TRUTH], (2,), 6) is None


def test_the_rate_is_kept_over_all_worlds_together() -> None:
    # in the second world the link of threshold 7 is an honest pair
    other = linked(NAMES, [3], [5], [7.0])
    assert best([[LINKS, other]], [TRUTH, TRUTH], (2,), 0) == Choice(0, 9.0, 2)
    chosen = best([[LINKS, other]], [TRUTH, TRUTH], (2,), 2)
    assert chosen == Choice(0, 7.0, 2)
    assert outcome([LINKS, other], [TRUTH, TRUTH], 7.0, 2).false == 2


ACCOUNTS = 7
WEIGHTS = st.sampled_from([0.5, 1.0, 1.5, 2.0])
SIDES = st.integers(0, ACCOUNTS - 1)


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    flags = st.lists(st.booleans(), min_size=ACCOUNTS, max_size=ACCOUNTS)
    numbers = st.lists(st.integers(0, 3), min_size=ACCOUNTS, max_size=ACCOUNTS)
    return Truth(*(np.array(draw(each)) for each in (numbers, flags, numbers, flags)))


@st.composite
def any_answer(draw: st.DrawFn) -> Answer:
    names = [str(k) for k in range(ACCOUNTS)]
    kind = draw(st.sampled_from(["links", "scores", "blocks"]))
    if kind == "links":
        rows = draw(st.lists(st.tuples(SIDES, SIDES, WEIGHTS), max_size=12))
        return linked(names, *([row[k] for row in rows] for k in range(3)))
    score = draw(st.lists(WEIGHTS | st.just(math.nan), min_size=ACCOUNTS, max_size=ACCOUNTS))
    if kind == "scores":
        return scored(names, score)
    return scored(names, score, draw(st.lists(st.integers(-1, 2), min_size=ACCOUNTS, max_size=ACCOUNTS)))


@given(any_answer(), truths())
@settings(max_examples=150, deadline=None)
def test_one_pass_gives_what_every_threshold_gives(answer: Answer, truth: Truth) -> None:
    leasts = (1, 2, 3) if answer.links else (1, 2)
    thresholds = np.array([3.0, 2.0, 1.5, 1.2, 1.0, 0.5, 0.1])
    for judged in (False, True) if answer.grouped else (False,):
        hits, false = curve(answer, truth, leasts, judged).at(thresholds)
        for (row, threshold), (column, least) in itertools.product(enumerate(thresholds), enumerate(leasts)):
            assert (hits[row, column], false[row, column]) == counts(answer, truth, float(threshold), least, judged)


@given(st.lists(st.tuples(SIDES, SIDES, WEIGHTS), max_size=20))
@settings(deadline=None)
def test_a_spanning_forest_keeps_the_groups_of_every_threshold(rows: list[tuple[int, int, float]]) -> None:
    a, b = (np.array([row[k] for row in rows], np.int64) for k in (0, 1))
    weight = np.array([row[2] for row in rows])
    keep = spanning(ACCOUNTS, a, b, weight)
    assert len(keep) < ACCOUNTS
    for threshold in (0.5, 1.0, 1.5, 2.0):
        every, kept = (
            slow_components([(int(a[k]), int(b[k])) for k in of if weight[k] >= threshold])
            for of in (range(len(rows)), keep)
        )
        assert kept == every


def slow_components(pairs: list[tuple[int, int]]) -> set[frozenset[int]]:
    groups = [{k} for k in range(ACCOUNTS)]
    for a, b in pairs:
        first, second = (next(group for group in groups if k in group) for k in (a, b))
        if first is not second:
            groups.remove(second)
            first |= second
    return {frozenset(group) for group in groups}


def test_one_who_knows_the_truth_judges_groups_by_more_than_half() -> None:
    groups, harvests = np.array([0, 0, 0, 1, 1, 2]), np.array([True, True, False, True, False, True])
    assert majority(groups, harvests).tolist() == [True, True, True, False, False, True]
    together = linked(NAMES, [0, 1, 0], [1, 3, 4], [9.0, 7.0, 5.0])
    assert counts(together, TRUTH, 7.0, 2, judged=True) == (2, 1)
    assert counts(together, TRUTH, 5.0, 2, judged=True) == (0, 0)
    assert best([[together]], [TRUTH], (2,), 1, judged=True) == Choice(0, 9.0, 2)


# --- what peers read --------------------------------------------------------------------------------------------------


def test_declared_customers_and_registered_uses(tmp_path: Path) -> None:
    rows = {
        "account_id": ["a", "b", "c", "d", "e"], "org_id": ["x", "x", "y", "y", None],
        "verified": [True, True, False, False, False], "path": ["self_serve"] * 5,
    }  # fmt: skip
    pq.write_table(pa.table(rows), tmp_path / "accounts.parquet")
    (tmp_path / "authorisations.toml").write_text('[[authorisation]]\nid = "1"\naccounts = ["e"]\norg_ids = ["x"]\n')
    customer, registered = world.customers(tmp_path, ["a", "b", "c", "d", "e"])
    assert customer[0] == customer[1]
    assert len(set(customer.tolist())) == 4
    assert registered.tolist() == [True, True, False, False, True]


def test_a_log_is_read_in_order_of_time(tmp_path: Path) -> None:
    def messages(*texts: str) -> str:
        return json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]} for text in texts])

    (tmp_path / "events" / "day=1").mkdir(parents=True)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    rows = {
        "event_id": ["2", "1"], "account_id": ["b", "a"], "time": [moment.replace(hour=2), moment.replace(hour=1)],
        "system": [None, "Be kind."], "messages": [messages("Hello"), messages("first", 'Solve task 41: "x"')],
        "client_address": ["2001:db8:1:2::3", "192.0.2.7"], "user_agent": ["u", None], "ja4": [None, None],
    }  # fmt: skip
    pq.write_table(pa.table(rows), tmp_path / "events" / "day=1" / "part.parquet")
    one = {"account_id": ["a"], "created_at": [moment], "path": ["p"], "country": ["C"], "email_domain": ["m"]}
    pq.write_table(pa.table(one | {"payment_id": ["pay"], "phone_id": [None]}), tmp_path / "accounts.parquet")
    log = world.read(tmp_path)
    assert log.event == ["1", "2"]
    assert log.prompt == ['Solve task 41: "x"', "Hello"]
    assert world.objects(log, "opening") == ['solve task 0: "', "hello"]
    assert world.objects(log, "prefix") == ["192.0.2", "2001:db8:1"]
    assert log.table["payment_id"] == ["pay", None]
    world.keep(tmp_path)
    world.read.cache_clear()
    assert world.read(tmp_path).prompt == log.prompt


# --- written from papers ----------------------------------------------------------------------------------------------


def incidences(rng: np.random.Generator, n: int, tokens: int) -> tuple[np.ndarray, np.ndarray]:
    return np.nonzero(rng.random((n, tokens)) < rng.uniform(0.1, 0.7, tokens))


@pytest.mark.parametrize("seed", range(3))
def test_synchrotrap_is_the_jaccard_of_actions(seed: int) -> None:
    account, action = incidences(np.random.default_rng(seed), 6, 15)
    sets = [set(action[account == k].tolist()) for k in range(6)]
    slow = {
        (a, b): len(sets[a] & sets[b]) / len(sets[a] | sets[b])
        for a, b in itertools.combinations(range(6), 2)
        if len(sets[a] & sets[b]) >= synchrotrap.LEAST_SHARED
    }
    rows = zip(*synchrotrap.similarity(account, action, 6), strict=True)
    assert {(int(a), int(b)): float(s) for a, b, s in rows} == pytest.approx(slow)


def tail(shared: int, tokens: int, a: int, b: int) -> float:
    most = min(a, b)
    ways = sum(math.comb(a, x) * math.comb(tokens - a, b - x) for x in range(shared, most + 1))
    return ways / math.comb(tokens, b)


@pytest.mark.parametrize("by_degree", [False, True])
def test_validated_links_are_hypergeometric_tails(by_degree: bool) -> None:
    n, tokens = 6, 70
    rows, columns = incidences(np.random.default_rng(5), n, 40)
    # accounts 0 and 1 share twenty tokens that no other has, and 2 and 3 ten
    more = {*itertools.product((0, 1), range(40, 60)), *itertools.product((2, 3), range(60, 70))}
    pairs = sorted({*zip(rows.tolist(), columns.tolist(), strict=True), *more})
    rows, columns = (np.array(side) for side in zip(*pairs, strict=True))
    degree = np.bincount(columns, minlength=tokens)
    classes = [np.flatnonzero(degree == d) for d in range(1, n + 1) if d in degree]
    classes = classes if by_degree else [np.flatnonzero(degree)]
    held = [set(columns[rows == k].tolist()) for k in range(n)]
    slow = {}
    for a, b in itertools.combinations(range(n), 2):
        found = []
        for members in classes:
            inside = set(members.tolist())
            mine, yours = held[a] & inside, held[b] & inside
            if mine & yours:
                found.append(tail(len(mine & yours), len(inside), len(mine), len(yours)))
        if found and (weight := -math.log10(min(found) * len(found) * n * (n - 1) / 2)) > 0:
            slow[a, b] = weight
    result = zip(*svn.validated(rows, columns, n, by_degree=by_degree), strict=True)
    assert slow
    assert {(int(a), int(b)): float(w) for a, b, w in result} == pytest.approx(slow)


def vectors(seed: int, n: int, d: int = 3) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(n, d))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_mmd_is_the_unbiased_estimate() -> None:
    x, y, median = vectors(1, 5), vectors(2, 7), 0.8

    def k(a: np.ndarray, b: np.ndarray) -> float:
        squared = sum((p - q) ** 2 for p, q in zip(a, b, strict=True))
        return sum(math.exp(-squared / (s * median)) for s in mmd.SCALES) / len(mmd.SCALES)

    def inside(z: np.ndarray) -> float:
        return sum(k(z[i], z[j]) for i in range(len(z)) for j in range(len(z)) if i != j) / (len(z) * (len(z) - 1))

    between = sum(k(a, b) for a in x for b in y) / (len(x) * len(y))
    inside_y = mmd.off_diagonal_mean(mmd.kernel(mmd.distances(y, y), median))
    assert mmd.unbiased(x, y, median, inside_y) == pytest.approx(inside(x) + inside(y) - 2 * between)


def test_prada_follows_the_growing_sets() -> None:
    window, label = vectors(3, 40), np.random.default_rng(4).integers(0, 2, 40)
    out: list[float] = []
    for which in (0, 1):
        members, inside, limit = [], [], 0.0
        for k in range(40):
            if label[k] != which:
                continue
            if members:
                nearest = min(math.dist(window[k], window[m]) for m in members)
                out.append(nearest)
                if nearest <= limit:
                    continue
                inside.append(nearest)
                limit = max(limit, float(np.mean(inside) - np.std(inside)))
            members.append(k)
    found = prada.growing(window, label)
    assert sorted(found.tolist()) == pytest.approx(sorted(out), abs=1e-7)
    kept = [v for v in out if abs(v - np.mean(out)) <= 3 * np.std(out)]
    assert prada.one_less_w(found) == pytest.approx(1 - shapiro(kept).statistic, abs=1e-6)
    assert prada.one_less_w(np.full(20, 0.3)) == 1.0


@pytest.mark.parametrize("counted", ["number", "share", "few"])
def test_seat_counts_pairs_that_are_alike(counted: str) -> None:
    window, delta = vectors(5, 12), 0.4
    pairs = list(itertools.combinations(window, 2))
    alike = sum(sum(p * q for p, q in zip(a, b, strict=True)) >= delta for a, b in pairs)
    slow = {"number": alike, "share": alike / len(pairs), "few": 1 - alike / len(pairs)}[counted]
    assert seat.alike(window, delta, counted) == pytest.approx(slow)


@pytest.mark.parametrize("averaged", ["distance", "mean"])
def test_mahalanobis_distances(averaged: str) -> None:
    honest, window = np.random.default_rng(6).normal(size=(50, 3)), np.random.default_rng(7).normal(1, 2, size=(8, 3))
    centre, covariance = honest.mean(0), np.cov(honest.T) + mahalanobis.RIDGE * np.eye(3)

    def squared(x: np.ndarray) -> float:
        return float((x - centre) @ np.linalg.solve(covariance, x - centre))

    slow = np.mean([math.sqrt(squared(x)) for x in window]) if averaged == "distance" else 8 * squared(window.mean(0))
    queries = mahalanobis.Queries(["a"], np.array([0, 50]), honest)
    assert mahalanobis.prepare(queries, averaged)(window) == pytest.approx(float(slow))


# --- running --------------------------------------------------------------------------------------------------------


def test_a_process_is_measured_and_a_failed_one_says_why() -> None:
    here = bytearray(300 * 2**20)
    spent = process.run([sys.executable, "-c", "import time; held = b'x' * (100 * 2**20); time.sleep(1)"])
    assert 0 < spent["seconds"] < 60
    # its own memory, and not that of the process which started it
    assert len(here) / 2**20 > spent["mebibytes"] > 90
    with pytest.raises(RuntimeError, match="no such thing"):
        process.run([sys.executable, "-c", "raise SystemExit('no such thing')"])
    with pytest.raises(RuntimeError, match="stopped after"):
        process.run([sys.executable, "-c", "import time; time.sleep(60)"], limit=0.5)


def test_a_run_of_stillwatch_is_read_in_the_order_of_the_log(tmp_path: Path) -> None:
    rows = {"account_id": ["silent", "c", "a", "b"], "operator_id": ["o1", "o1", "o1", "o2"]}
    pq.write_table(pa.table(rows), tmp_path / "operators.parquet")
    verdicts = {"operator_id": ["o1", "o2"], "verdict": ["unauthorised_distillation", "ordinary"]}
    pq.write_table(pa.table(verdicts), tmp_path / "verdicts.parquet")
    accused, groups = scoring.of_run(tmp_path, ["a", "b", "c"])
    assert accused.tolist() == [True, False, True]
    assert groups[0] == groups[2] != groups[1]


def test_requests_are_sampled_by_id_and_stay_in_order_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "MOST", 3)
    events = [f"e{k}" for k in range(20)]
    account = np.array([k % 2 if k < 18 else 2 for k in range(20)])
    log = world.Log(["a", "b", "c"], events, account, np.arange(20.0), [""] * 20, [""] * 20, [""] * 20, [""] * 20, {})
    places = encoder.sampled(log)
    assert account[places].tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert places[:3].tolist() == sorted(places[:3])
    # whichever events there are besides, the choice among an account's own stays
    fewer = world.Log(
        ["a"], events[0:18:2], np.zeros(9, int), np.arange(9.0), [""] * 9, [""] * 9, [""] * 9, [""] * 9, {}
    )
    assert [fewer.event[k] for k in encoder.sampled(fewer)] == [events[k] for k in places[:3]]


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_every_peer_has_an_extra_and_none_is_needed_by_the_rest() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    names = {re.split(r"[<>=\[]", line)[0].lower() for line in [*project["dependencies"], *extras["test"]]}
    assert not names & {"honeypotllm", "coordination-network-toolkit", "splink", "ugfraud"}
    for peer in PEERS:
        assert peer.extra in extras
        assert (ROOT / "benchmarks" / "peers" / f"{peer.name}.py").exists()
        assert peer.default.setting < len(peer.grid)


def test_the_page_is_that_of_the_results() -> None:
    results = json.loads(page.RESULTS.read_text(encoding="utf-8"))
    assert page.PAGE.read_text(encoding="utf-8") == page.render(results)
