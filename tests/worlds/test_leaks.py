"""No id, order, null or microsecond may give a label away: classifiers on them are at chance.

Margins: an AUROC of chance has a standard error of about .29 / sqrt(campaign accounts), so .5 +- .06 for 1,200 accounts
is over six of them and .5 +- .1 for the 69 of the small world about three. Events are split by account, so that an
account's own key does not carry its label from one fold to the next.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stillwatch.worlds import folder
from stillwatch.worlds.plan import LABELS
from stillwatch.worlds.world import Recipe, build, spec
from tests.worlds.conftest import Written

MODELS = {
    "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, class_weight="balanced")),
    "trees": HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=8, class_weight="balanced", random_state=0),
}


def auroc(features: np.ndarray, labels: np.ndarray, groups: np.ndarray, model: str) -> float:
    found = cross_val_predict(MODELS[model], features, labels, groups=groups, cv=GroupKFold(4), method="predict_proba")[
        :, 1
    ]
    return float(roc_auc_score(labels, found))


def letters(ids: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Hexadecimal digits of ids as numbers; -1 where there is none."""
    width = pc.max(pc.utf8_length(ids)).as_py()
    texts = pc.fill_null(ids, "").to_pylist()
    return np.array([[int(c, 16) for c in text.ljust(width, "0")] if text else [-1] * width for text in texts])


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[pa.Table, np.ndarray]:
    """Accounts of the seed world at scale .05 in the order in which they are written, and who is of a campaign."""
    scene, counts = build(Recipe("seed", 0.05, 1))
    out = tmp_path_factory.mktemp("large")
    (out / "truth").mkdir()
    folder.write_beside(out, spec("seed"), scene, counts)
    truth = pq.read_table(out / "truth" / "accounts.parquet").to_pylist()
    names = {row["account_id"]: row["label"] for row in truth}
    accounts = pq.read_table(out / "accounts.parquet")
    return accounts, np.array([names[a] == "campaign" for a in accounts["account_id"].to_pylist()])


def _sampled(accounts: pa.Table, guilty: np.ndarray, seed: int = 0) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    others = rng.permutation(np.flatnonzero(~guilty))[: 4 * guilty.sum()]
    rows = np.sort(np.concatenate([np.flatnonzero(guilty), others]))
    return accounts.take(pa.array(rows)), guilty[rows], rows


@pytest.mark.parametrize("model", MODELS)
def test_account_ids_and_row_order(large: tuple[pa.Table, np.ndarray], model: str) -> None:
    table, labels, rows = _sampled(*large)
    groups = np.arange(len(labels))
    assert auroc(letters(table["account_id"]), labels, groups, model) == pytest.approx(0.5, abs=0.06)
    order = np.stack([rows, rows % 2, rows % 7, rows % 16], axis=1)
    assert auroc(order, labels, groups, model) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", ["payment_id", "phone_id", "org_id"])
def test_literal_ids_of_accounts(large: tuple[pa.Table, np.ndarray], model: str, name: str) -> None:
    table, labels, _ = _sampled(*large)
    there = pc.is_valid(table[name]).to_numpy(zero_copy_only=False)
    table, labels = table.filter(pa.array(there)), labels[there]
    # who shares a card shares its digits: the card, not the account, is the unit
    groups = np.unique(table[name].to_numpy(zero_copy_only=False).astype(str), return_inverse=True)[1]
    assert auroc(letters(table[name]), labels, groups, model) == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize("model", MODELS)
def test_what_accounts_leave_empty(large: tuple[pa.Table, np.ndarray], model: str) -> None:
    """By sign-up path, against everybody of that path but those who are one declared organisation."""
    accounts, guilty = large
    chosen = pc.equal(accounts["path"], "self_serve").to_numpy(zero_copy_only=False)
    table, labels, _ = _sampled(accounts.filter(pa.array(chosen)), guilty[chosen])
    # that an account was closed is what the provider did, not what the generator wrote by mistake
    names = [name for name in table.column_names if not name.startswith("closed")]
    empty = np.stack([pc.is_null(table[name]).to_numpy(zero_copy_only=False) for name in names], axis=1)
    assert auroc(empty.astype(float), labels, np.arange(len(labels)), model) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("model", MODELS)
def test_digits_of_sign_up_times(large: tuple[pa.Table, np.ndarray], model: str) -> None:
    table, labels, _ = _sampled(*large)
    micros = table["created_at"].cast(pa.int64()).to_numpy()
    digits = np.stack([micros // 10**k % 10 for k in range(6)], axis=1)
    assert auroc(digits, labels, np.arange(len(labels)), model) == pytest.approx(0.5, abs=0.06)


@pytest.fixture(scope="module")
def sampled_events(seed_world: Written) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """At most 25 events of each account: table, of a campaign or not, account number."""
    names = seed_world.labels()
    rng = np.random.default_rng(0)
    table = seed_world.events
    _, account = np.unique(np.array(table["account_id"].to_pylist()), return_inverse=True)
    order = rng.permutation(len(table))
    rank = np.empty(len(table), int)
    by_account = order[np.argsort(account[order], kind="stable")]
    starts = np.searchsorted(account[by_account], np.arange(account.max() + 1))
    rank[by_account] = np.arange(len(table)) - starts[account[by_account]]
    rows = np.sort(np.flatnonzero(rank < 25))
    table = table.take(pa.array(rows))
    labels = np.array([names[a] == "campaign" for a in table["account_id"].to_pylist()])
    return table, labels, account[rows]


@pytest.mark.parametrize("model", MODELS)
def test_ids_order_and_microseconds_of_events(
    sampled_events: tuple[pa.Table, np.ndarray, np.ndarray], model: str
) -> None:
    table, labels, account = sampled_events
    assert auroc(letters(table["event_id"]), labels, account, model) == pytest.approx(0.5, abs=0.05)
    micros = table["time"].cast(pa.int64()).to_numpy()
    digits = np.stack([micros // 10**k % 10 for k in range(6)] + [micros % 1000, micros % 10**6], axis=1)
    assert auroc(digits, labels, account, model) == pytest.approx(0.5, abs=0.05)
    order = np.arange(len(labels))
    assert auroc(np.stack([order % k for k in (2, 3, 8, 64)], axis=1), labels, account, model) == pytest.approx(
        0.5, abs=0.05
    )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", ["key_id", "conversation_id"])
def test_literal_ids_of_events(sampled_events: tuple[pa.Table, np.ndarray, np.ndarray], model: str, name: str) -> None:
    table, labels, account = sampled_events
    there = pc.is_valid(table[name]).to_numpy(zero_copy_only=False)
    # one row a key or conversation: its digits are one draw however often it is used
    ids = table[name].to_numpy(zero_copy_only=False).astype(str)
    first = np.isin(np.arange(len(ids)), np.unique(ids, return_index=True)[1]) & there
    table, labels, account = table.filter(pa.array(first)), labels[first], account[first]
    assert auroc(letters(table[name]), labels, account, model) == pytest.approx(0.5, abs=0.1)


def test_columns_that_say_nothing_are_as_full_for_everybody(
    sampled_events: tuple[pa.Table, np.ndarray, np.ndarray],
) -> None:
    """Columns where null is no choice of the sender: never null, or null by a coin for all alike.

    Left out: system, tools, sampling parameters, conversations and the rest that a client decides to send; they are
    behaviour, and are drawn from the same distributions for the cover traffic.
    """
    table, labels, _ = sampled_events
    never = (
        "key_id platform operation client_address asn country user_agent ja4 input_tokens output_tokens cached_tokens"
    )
    for name in (*never.split(), "max_tokens", "duration_ms", "messages", "status"):
        assert table[name].null_count == 0, name
    null = pc.is_null(table["response"]).to_numpy(zero_copy_only=False)
    assert null[labels].mean() == pytest.approx(null[~labels].mean(), abs=0.01)


def test_no_word_of_the_truth_is_in_the_log(seed_world: Written) -> None:
    words = [label for label in LABELS if "_" in label] + [
        "campaign",
        "lab-1",
        "lab-2",
        "lab-3",
        "distil",
        "camouflage",
    ]
    pattern = "|".join(words)
    for table in (seed_world.events, seed_world.accounts):
        for name in table.column_names:
            if table.schema.field(name).type == pa.string():
                hit = pc.match_substring_regex(table[name], pattern, ignore_case=True)
                assert not table[name].filter(pc.fill_null(hit, False)).to_pylist()[:3], name
    operators = set(seed_world.truth["operator_id"].to_pylist())
    ids = {name: set(pc.unique(seed_world.events[name]).to_pylist()) for name in ("key_id", "org_id", "end_user_id")}
    assert not any(operators & values for values in ids.values())
