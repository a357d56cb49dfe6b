"""The statistics of the content benchmarks agree with their definitions, written slowly, on tiny input."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import shapiro

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import accounts
import content_page
import encoders
import vectors
import window_tests
import windows

seeds = st.integers(0, 2**32 - 1)


def directions(seed: int, n: int, d: int = 6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return encoders.unit(rng.normal(size=(n, d)) + rng.normal(size=d))


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_statistics_of_a_window_agree_with_slow_twins(seed: int) -> None:
    unit = directions(seed, 120)
    reference, calibration, window = np.arange(60), np.arange(60, 100), np.arange(85, 120)
    fitted = window_tests.fit(unit, reference, calibration, 3)
    found = dict(zip(window_tests.NAMES, window_tests.statistics(fitted, window), strict=True))

    inner = [[sum(float(a) * float(b) for a, b in zip(x, y, strict=True)) for y in unit] for x in unit]
    base = unit[:60].astype(float)
    cov = np.cov(base.T)
    cov += 1e-3 * np.trace(cov) / 6 * np.eye(6)
    gaps = [unit[k].astype(float) - base.mean(axis=0) for k in window]
    assert found["mahalanobis"] == pytest.approx(
        sum(gap @ np.linalg.inv(cov) @ gap for gap in gaps) / len(gaps), rel=1e-4
    )

    def kth(k: int) -> float:
        return sorted(2 - 2 * inner[k][j] for j in reference)[window_tests.NEIGHBOUR - 1]

    limit = np.quantile([kth(k) for k in calibration], window_tests.TAIL)
    assert found["novelty_tail"] == pytest.approx(sum(kth(k) > limit + 1e-6 for k in window) / len(window), abs=0.03)

    pairs = [(a, b) for place, a in enumerate(window) for b in window[:place]]
    near = np.quantile([inner[a][b] for a in reference for b in reference if a < b], 1 - window_tests.NEAR)
    assert found["seat"] == pytest.approx(sum(inner[a][b] > near for a, b in pairs) / len(pairs), abs=2 / len(pairs))
    assert found["cap"] == len({int(fitted.cell[k]) for k in window}) / window_tests.CELLS


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_mmd_is_the_kernels(seed: int) -> None:
    """Random features come close to the squared maximum mean discrepancy of the Gaussian kernel itself."""
    unit = directions(seed, 90)
    reference, window = np.arange(60), np.arange(60, 90)
    fitted = window_tests.fit(unit, reference, reference, 1)
    distance = 2 - 2 * unit.astype(float) @ unit.T
    bandwidth = math.sqrt(np.median(distance[:60, :60][np.triu_indices(60, 1)]))
    kernel = np.exp(-distance / (2 * bandwidth**2))
    exact = kernel[60:, 60:].mean() + kernel[:60, :60].mean() - 2 * kernel[60:, :60].mean()
    assert window_tests.statistics(fitted, window)[0] == pytest.approx(exact, abs=0.03)


def test_whitened_rows_of_the_base_have_unit_covariance_and_a_shift_shows() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 5)) @ rng.normal(size=(5, 5))
    white = window_tests.whitened(rows, rows)
    assert np.cov(white.T) == pytest.approx(np.eye(white.shape[1]), abs=1e-9)
    gap = rng.normal(size=5)
    moved = window_tests.whitened(rows[:1] + gap, rows) - white[:1]
    assert float((moved**2).sum()) == pytest.approx(gap @ np.linalg.inv(np.cov(rows.T)) @ gap)


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(2, 25))
def test_near_pairs_and_nearest_earlier_queries_agree_with_a_slow_twin(seed: int, n: int) -> None:
    unit = directions(seed, n, 3)
    gram = unit @ unit.T
    count, latest = window_tests._pairs(gram, np.float32(0.5))
    assert count == sum(gram[a, b] > np.float32(0.5) for a in range(n) for b in range(a))
    assert latest.tolist() == pytest.approx([max(gram[a, b] for b in range(a)) for a in range(1, n)])


@given(st.lists(st.integers(0, 50), min_size=2, max_size=60), st.sampled_from([0.5, 0.9, 0.95]))
def test_a_threshold_is_exceeded_no_more_often_than_stated(values: list[int], level: float) -> None:
    """Each window in turn is the fresh one and the others calibrate: at most a share 1 - level of them can exceed."""
    every = np.array(values, float)[:, None]
    exceeding = 0
    for k in range(len(every)):
        limit = window_tests.threshold(np.delete(every, k, axis=0), level)
        if limit is None:
            assert len(every) < level / (1 - level) + 1, "enough windows have a threshold"
            return
        exceeding += bool(every[k, 0] > limit[0])
    assert exceeding <= (1 - level) * len(every) + 1e-9


def test_two_sided_statistics_are_distances_to_the_benign_median() -> None:
    benign = np.tile(np.array([[1.0], [2.0], [6.0]]), len(window_tests.NAMES))
    folded = window_tests.folded(np.full(len(window_tests.NAMES), 1.5), benign)
    expected = [0.5 if name in window_tests.TWO_SIDED else 1.5 for name in window_tests.NAMES]
    assert folded.tolist() == expected


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(80, 400), st.sampled_from([0.0, 1.0, 3.0]))
def test_normality_is_close_to_the_test_it_stands_for(seed: int, n: int, heavy: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=n) + heavy * rng.exponential(size=n)
    kept = values[np.abs(values - values.mean()) <= 3 * values.std()]
    assert window_tests.normality(values) == pytest.approx(shapiro(kept).statistic, abs=0.012)


def test_normality_is_one_for_constant_distances_and_less_for_two_heaps() -> None:
    rng = np.random.default_rng(1)
    assert window_tests.normality(np.ones(30)) == 1.0
    heaps = np.concatenate([rng.normal(0, 0.01, 200), rng.normal(1, 0.01, 200)])
    assert window_tests.normality(heaps) < 0.8 < 0.95 < window_tests.normality(rng.normal(size=400))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_auroc_agrees_with_counting_pairs(right: list[int], wrong: list[int]) -> None:
    slow = sum((r > w) + 0.5 * (r == w) for r in right for w in wrong) / len(right) / len(wrong)
    assert windows.auroc(np.array(right, float), np.array(wrong, float)) == pytest.approx(slow)
    assert vectors.auroc(np.array(right, float), np.sort(np.array(wrong, float))) == pytest.approx(slow)


def test_a_window_gets_its_share_of_attackers_and_windows_take_different_ones() -> None:
    rng = np.random.default_rng(0)
    held, attackers = np.arange(40), np.arange(100, 140)
    first = windows.replaced(held[:20], attackers, 0.25, 0, rng)
    second = windows.replaced(held[20:], attackers, 0.25, 1, rng)
    assert (first >= 100).sum() == (second >= 100).sum() == 5
    assert len(set(first.tolist()) | set(second.tolist())) == 40


def test_an_attack_far_from_benign_traffic_is_seen_and_benign_windows_are_mostly_not() -> None:
    rng = np.random.default_rng(2)
    benign = encoders.unit(rng.normal(size=(3_000, 8)) + 2 * np.eye(8)[0])
    attack = encoders.unit(rng.normal(size=(400, 8)) + 2 * np.eye(8)[1])
    found = windows.one_pair(np.concatenate([benign, attack]), len(benign), splits=3)[100]
    names = window_tests.NAMES
    for name in ("mmd", "mahalanobis", "novelty_tail", "whitened_embedding"):
        place = names.index(name)
        assert found["resampled"]["recall"][-1][place] == 1.0
        assert found["resampled"]["fpr"][place] < 0.35
        assert found["auroc"][-1][place] == 1.0


def test_pair_figures_are_counted_by_hand() -> None:
    log = accounts.Log(np.zeros((5, 1), np.int64), np.array([0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, -1]))
    score = np.zeros((5, 5))
    score[0, 1] = score[1, 0] = 0.9
    score[2, 3] = score[3, 2] = 0.1
    score[0, 4] = score[4, 0] = 0.5
    found = vectors.pairs(score, log)
    assert found == {"auroc": 1.0, "recall": 1.0, "product_recall": 0.0}


def test_groups_find_planted_campaigns() -> None:
    rng = np.random.default_rng(0)
    unit = rng.normal(size=(140, 20))
    unit[:20] += 3 * rng.normal(size=20)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    role = np.where(np.arange(140) < 20, accounts.CAMPAIGN, accounts.ORDINARILY)
    log = accounts.Log(np.zeros((140, 1), np.int64), role, np.where(role == accounts.CAMPAIGN, 0, -1))
    log.group[20:25], log.role[20:25] = 1, accounts.PRODUCT
    found = vectors.groups(unit, log, 0)
    assert found["recall"] > 0.8
    assert found["precision"] > 0.8


def test_intervals_contain_their_mean() -> None:
    mean, low, high = vectors.interval([0.1, 0.2, 0.4])
    assert low < mean < high
    assert mean == pytest.approx(0.7 / 3, abs=1e-4)
    # by hand: t of 2 degrees at .975 is 4.3027; the deviation of the three is .15275
    assert high - mean == pytest.approx(4.3027 * 0.15275 / math.sqrt(3), abs=1e-3)


def test_wide_hashing_agrees_with_a_slow_twin() -> None:
    text = "Ab cab, 12!"
    expected: dict[int, float] = {}

    def put(data: bytes, weight: int, start: int) -> None:
        h = start
        for byte in data:
            h = (h ^ byte) * 0x100000001B3 % 2**64
        h = encoders.mix64(h)
        expected[h >> 58] = expected.get(h >> 58, 0) + (weight if h & 1 else -weight)

    for word in (b"ab", b"cab", b"12"):
        put(word, 2, 7)
        padded = b" " + word + b" "
        for start in range(len(padded) - 1):
            for n in (2, 3):
                if start + n <= len(padded):
                    put(padded[start : start + n], 1, 0xCBF29CE484222325)
    row = np.zeros(64)
    row[list(expected)] = list(expected.values())
    assert encoders.hashed(64, 2, 3, 2)([text])[0] == pytest.approx(row / np.linalg.norm(row), abs=1e-6)
    with pytest.raises(ValueError, match="power of two"):
        encoders.hashed(100, 2, 3, 2)


def tiny_weights(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A transformer of one layer, width 4, two heads and ten tokens."""
    shapes = {"embeddings.word_embeddings": (10, 4), "embeddings.position_embeddings": (8, 4),
              "embeddings.token_type_embeddings": (2, 4)}  # fmt: skip
    out = {name + ".weight": rng.normal(size=shape) for name, shape in shapes.items()}
    at = "encoder.layer.0."
    sizes = {"attention.self.query": (4, 4), "attention.self.key": (4, 4), "attention.self.value": (4, 4),
             "attention.output.dense": (4, 4), "intermediate.dense": (6, 4), "output.dense": (4, 6)}  # fmt: skip
    for name, shape in sizes.items():
        out[f"{at}{name}.weight"], out[f"{at}{name}.bias"] = rng.normal(size=shape), rng.normal(size=shape[0])
    for name in ("embeddings.LayerNorm", at + "attention.output.LayerNorm", at + "output.LayerNorm"):
        out[name + ".weight"], out[name + ".bias"] = rng.normal(size=4), rng.normal(size=4)
    return {name: values.astype(np.float32) for name, values in out.items()}


def slow_bert(ids: list[int], w: dict[str, np.ndarray]) -> list[float]:
    """One text, token by token and head by head, in plain Python numbers."""

    def norm(x: list[float], name: str) -> list[float]:
        mean = sum(x) / 4
        spread = math.sqrt(sum((v - mean) ** 2 for v in x) / 4)
        return [(v - mean) / spread * g + b for v, g, b in zip(x, w[name + ".weight"], w[name + ".bias"], strict=True)]

    def linear(x: list[float], name: str) -> list[float]:
        rows, bias = w[name + ".weight"], w[name + ".bias"]
        return [sum(a * b for a, b in zip(row, x, strict=True)) + c for row, c in zip(rows, bias, strict=True)]

    def added(a: list[float], b: list[float]) -> list[float]:
        return [x + y for x, y in zip(a, b, strict=True)]

    at, names = "encoder.layer.0.", ("word", "position", "token_type")
    hidden = []
    for place, token in enumerate(ids):
        rows = (token, place, 0)
        parts = [w[f"embeddings.{name}_embeddings.weight"][row] for name, row in zip(names, rows, strict=True)]
        hidden.append(norm([float(sum(values)) for values in zip(*parts, strict=True)], "embeddings.LayerNorm"))
    q, k, v = ([linear(x, f"{at}attention.self.{name}") for x in hidden] for name in ("query", "key", "value"))
    out = []
    for place, x in enumerate(hidden):
        mixed = [0.0] * 4
        for head in (slice(0, 2), slice(2, 4)):
            score = [
                math.exp(sum(a * b for a, b in zip(q[place][head], other[head], strict=True)) / math.sqrt(2))
                for other in k
            ]
            for j, s in enumerate(score):
                for d in range(head.start, head.stop):
                    mixed[d] += s / sum(score) * v[j][d]
        after = norm(added(x, linear(mixed, at + "attention.output.dense")), at + "attention.output.LayerNorm")
        inner = [y * 0.5 * (1 + math.erf(y / math.sqrt(2))) for y in linear(after, at + "intermediate.dense")]
        out.append(norm(added(after, linear(inner, at + "output.dense")), at + "output.LayerNorm"))
    return [sum(values) / len(out) for values in zip(*out, strict=True)]


def test_the_transformer_agrees_with_a_slow_twin_whatever_it_is_batched_with() -> None:
    weights = tiny_weights(np.random.default_rng(4))
    texts = [[1, 5, 2], [1, 2], [1, 7, 7, 9, 3, 2]]
    found = encoders.bert(texts, weights, heads=2)
    for row, ids in zip(found, texts, strict=True):
        assert row == pytest.approx(slow_bert(ids, weights), rel=1e-3, abs=1e-4)


def test_safetensors_are_read_as_they_are_defined(tmp_path: Path) -> None:
    half, single = np.array([1.5, -2.0], np.float16), np.array([[0.25, 3.0]], np.float32)
    brain = (np.array([1.0, -0.5], np.float32).view(np.uint32) >> 16).astype(np.uint16)
    body = half.tobytes() + single.tobytes() + brain.tobytes()
    header = json.dumps({
        "a": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]},
        "b": {"dtype": "F32", "shape": [1, 2], "data_offsets": [4, 12]},
        "c": {"dtype": "BF16", "shape": [2], "data_offsets": [12, 16]},
        "__metadata__": {},
    }).encode()  # fmt: skip
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + body)
    found = encoders.tensors(path)
    assert found["a"].tolist() == [1.5, -2.0]
    assert found["b"].tolist() == [[0.25, 3.0]]
    assert found["c"].tolist() == [1.0, -0.5]


def test_encoders_that_are_not_there_are_not_available(tmp_path: Path) -> None:
    assert encoders.static(tmp_path) is None
    assert encoders.transformer(tmp_path) is None


@pytest.fixture(scope="module")
def corpora() -> accounts.Corpora:
    names = {*accounts.CAMPAIGNS, *accounts.PRODUCTS, *accounts.ORDINARY, *accounts.TASKS}
    rows, at = {}, 0
    for name in sorted(names):
        rows[name] = np.arange(at, at + 3_000)
        at += 3_000
    return accounts.Corpora([], rows)


@pytest.mark.parametrize("scene", sorted(accounts.COVER))
def test_accounts_are_dealt_as_the_scene_says(corpora: accounts.Corpora, scene: str) -> None:
    log, dealer = accounts.deal(corpora, scene, 3, small=True)
    again, _ = accounts.deal(corpora, scene, 3, small=True)
    assert (log.prompts == again.prompts).all(), "a seed says it all"
    assert log.prompts.shape[1] == accounts.SIZE
    assert 0 <= dealer.again < dealer.dealt
    if scene == "hard":
        return
    cover = {row for name in accounts.ORDINARY for row in corpora.rows[name].tolist()}
    for group, name in enumerate(accounts.CAMPAIGNS):
        for account in np.flatnonzero(log.group == group):
            inside = sum(row in cover for row in log.prompts[account].tolist()) / accounts.SIZE
            assert inside == pytest.approx(accounts.COVER[scene]), name


def test_a_template_keeps_one_item() -> None:
    assert accounts.filled("Rate {a}. Then {{ b }}!", "x{y}") == "Rate . Then x{y}!"
    assert accounts.filled("No slot.", "item") == "No slot.\n\nitem"


def test_the_page_says_what_the_results_say() -> None:
    page = Path(__file__).parent.parent / "docs" / "content.md"
    assert page.read_text(encoding="utf-8") == content_page.page(), "python benchmarks/content_page.py"
