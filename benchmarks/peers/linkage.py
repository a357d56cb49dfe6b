"""splink 5 (PyPI): Fellegi-Sunter record linkage of the accounts table, with what the events add as columns.

One row an account: payment, phone, mail domain, sign-up time, path and country; addresses, clients, openings of prompts
and system instructions that it used, as arrays. Values that more than POPULAR of the accounts have block nothing (pairs
would be quadratic), and are compared with their frequencies where splink can do that. Parameters come from the log by
expectation maximisation; a link weighs log2 of the odds of a match, so .95 is 4.25.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
from benchmarks.peers.answer import Answer, linked
from benchmarks.peers.world import Log, objects, opening, read

POPULAR = 0.05
MOST = 30
"""Values kept of an account in an array column: its most frequent ones."""


def look(world: Path, *, columns: str = "all", recall: float = 0.5) -> Answer:
    """columns: `identity` (what was declared, and addresses) or `all` (text as well). recall: of the certain rules."""
    import duckdb
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    log = read(world)
    connection = duckdb.connect()
    connection.execute("set threads = 1")
    api = DuckDBAPI(connection)
    declared = [cl.ExactMatch(name).configure(term_frequency_adjustments=True) for name in ("payment_id", "phone_id")]
    comparisons = [
        *declared,
        cl.ExactMatch("email_domain").configure(term_frequency_adjustments=True),
        cl.ExactMatch("path_country").configure(term_frequency_adjustments=True),
        cl.AbsoluteTimeDifferenceAtThresholds(
            "created_at", input_is_string=False, metrics=["minute", "hour", "day"], thresholds=[10, 1, 1]
        ),
        cl.ArrayIntersectAtSizes("addresses", [5, 2, 1]),
        cl.ExactMatch("client").configure(term_frequency_adjustments=True),
    ]
    blocking = [
        block_on("payment_id"), block_on("phone_id"), block_on("signup_hour", "path_country"),
        block_on("rare_addresses", arrays_to_explode=["rare_addresses"]),
    ]  # fmt: skip
    if columns == "all":
        comparisons += [
            cl.ArrayIntersectAtSizes("openings", [5, 2, 1]),
            cl.ExactMatch("system").configure(term_frequency_adjustments=True),
        ]
        blocking.append(block_on("rare_openings", arrays_to_explode=["rare_openings"]))
    settings = SettingsCreator(
        link_type="dedupe_only", unique_id_column_name="place", comparisons=comparisons,
        blocking_rules_to_generate_predictions=blocking, retain_intermediate_calculation_columns=False,
    )  # fmt: skip
    linker = Linker(api.register(_rows(log)), settings)
    training = linker.training
    training.estimate_probability_two_random_records_match(
        [block_on("payment_id"), block_on("phone_id")], recall=recall
    )
    training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for rule in (block_on("payment_id"), block_on("main_address"), block_on("signup_hour", "path_country")):
        training.estimate_parameters_using_expectation_maximisation(rule)
    found = linker.inference.predict(threshold_match_weight=-5).as_duckdbpyrelation().to_arrow_table()
    a, b = (np.array(found[f"place_{side}"], np.int64) for side in "lr")
    return linked(log.accounts, a, b, np.array(found["match_weight"], np.float64))


def _rows(log: Log) -> pa.Table:
    """The accounts, one row each."""
    t = log.table
    path_country = [f"{a}|{b}" if a else None for a, b in zip(t["path"], t["country"], strict=True)]
    hours = [f"{moment:%Y-%m-%d %H}" if moment else None for moment in t["created_at"]]
    addresses, clients, openings, systems = (_used(log, view) for view in ("address", "client", "opening", "system"))
    return pa.table(
        {
            "place": list(range(len(log.accounts))), "payment_id": t["payment_id"], "phone_id": t["phone_id"],
            "email_domain": t["email_domain"], "path_country": path_country, "signup_hour": hours,
            "created_at": pa.array(t["created_at"], pa.timestamp("us")),
            "addresses": addresses, "rare_addresses": _rare(addresses),
            "openings": openings, "rare_openings": _rare(openings),
            "main_address": [each[0] if each else None for each in addresses],
            "client": [each[0] if each else None for each in clients],
            "system": [opening(each[0]) if each else None for each in systems],
        }
    )  # fmt: skip


def _used(log: Log, view: str) -> list[list[str]]:
    """The most frequent values of each account, most frequent first."""
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for account, value in zip(log.account.tolist(), objects(log, view), strict=True):
        if value:
            counts[account][value] += 1
    return [[value for value, _ in counts[k].most_common(MOST)] for k in range(len(log.accounts))]


def _rare(values: list[list[str]]) -> list[list[str]]:
    held = Counter(value for each in values for value in each)
    most = POPULAR * len(values)
    return [[value for value in each if held[value] <= most] for each in values]
