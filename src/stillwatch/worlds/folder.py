"""Writing a world folder: the log, what a provider knows beside it, and apart from both the truth."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tomli_w

from stillwatch.errors import UsageError
from stillwatch.model import ACCOUNTS, EVENTS, RELEASES, TIME
from stillwatch.worlds.chance import Array, draw, hex_ids, uniform
from stillwatch.worlds.events import MODELS, Scene
from stillwatch.worlds.infrastructure import COUNTRIES
from stillwatch.worlds.people import DOMAINS
from stillwatch.worlds.plan import LABELS, PATHS, PLANS, REASONS, Plan
from stillwatch.worlds.specs import START, Spec

TRUTH_ACCOUNTS = pa.schema([(name, pa.string()) for name in ("account_id", "operator_id", "label", "campaign")])
TRUTH_EVENTS = pa.schema(
    [(name, pa.string()) for name in ("event_id", "account_id", "operator_id", "label", "campaign")]
)
NETWORKS = pa.schema([("prefix", pa.string()), ("asn", pa.int64()), ("kind", pa.string()), ("country", pa.string())])
_PARTS = {"events", "truth", "accounts.parquet", "authorisations.toml", "releases.parquet", "networks.parquet"}
_PLAIN = ("event_id", "key_id", "conversation_id", "messages", "response", "reasoning_signature", "duration_ms", "time")
"""Columns whose values hardly repeat: a dictionary would only cost."""


def prepare(out: Path) -> None:
    """Make `out` an empty folder; an earlier world is replaced, anything else is refused with UsageError."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is not a folder")
    found = {path.name for path in out.iterdir()} if out.exists() else set()
    if found and (not {"events", "truth"} <= found or not found <= _PARTS):
        raise UsageError(f"{out} is not empty and not an earlier world: it is left as it is")
    for name in found:
        path = out / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    try:
        (out / "truth").mkdir(parents=True)
        (out / "events").mkdir()
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}") from error


def day_writer(out: Path, day: int, part: int) -> pq.ParquetWriter:
    """A writer for a part of one day's events."""
    folder = out / "events" / f"day={START + timedelta(days=day):%Y-%m-%d}"
    folder.mkdir(exist_ok=True)
    coded = [name for name in EVENTS.names if name not in _PLAIN]
    return pq.ParquetWriter(
        folder / f"part-{part:04d}.parquet", EVENTS, compression="zstd", compression_level=1, use_dictionary=coded,
        write_statistics=["time"], store_schema=True,
    )  # fmt: skip


def operator_ids(seed: int, operators: Array) -> pa.Array:
    """Names of operators in the truth."""
    return hex_ids(seed, "operator", operators, chars=16)


def campaign_names(spec: Spec, campaigns: Array) -> pa.Array:
    """Names of campaigns; null for none."""
    return pa.array([lab.name for lab in spec.labs] or [""]).take(pa.array(campaigns, mask=campaigns < 0))


def _moments(days: Array) -> pa.Array:
    """Days since the first midnight as times; NaN is null."""
    missing = np.isnan(days)
    micros = int(START.timestamp()) * 10**6 + np.round(np.where(missing, 0, days) * 86_400e6).astype(np.int64)
    return pa.array(micros, mask=missing).cast(TIME)


def _named(seed: int, kind: str, numbers: Array, chars: int = 20) -> pa.Array:
    """Ids of a kind; null for negative numbers."""
    ids = hex_ids(seed, kind, numbers, chars=chars)
    return ids.take(pa.array(np.arange(len(ids)), mask=numbers < 0))


def account_ids(seed: int, n: int) -> pa.Array:
    """Ids of the n accounts."""
    return hex_ids(seed, "account", np.arange(n))


def org_ids(seed: int, orgs: Array) -> pa.Array:
    """Ids of organisations; null for accounts without one."""
    return _named(seed, "org", orgs)


def write_beside(out: Path, spec: Spec, scene: Scene, counts: Array) -> None:
    """Accounts in random order, authorisations, releases, networks, and the truth about accounts."""
    plan, a = scene.plan, scene.accounts
    order = plan.rng("rows").permutation(len(a["operator"]))
    closed_late = a["closed"] >= plan.days
    closed = np.where(closed_late, np.nan, a["closed"])
    accounts = pa.table(
        {
            "account_id": scene.account_ids, "org_id": scene.org_ids, "created_at": _moments(a["created"]),
            "plan": pa.array(PLANS).take(pa.array(a["plan"])), "path": pa.array(PATHS).take(pa.array(a["path"])),
            "payment_id": _named(plan.seed, "payment", a["payment"]),
            "email_domain": pa.array(DOMAINS).take(pa.array(a["email"], mask=a["email"] < 0)),
            "phone_id": _named(plan.seed, "phone", a["phone"]), "verified": pa.array(a["verified"]),
            "quota_per_day": pa.array(a["quota"]),
            "country": pa.array([code for code, _, _, _ in COUNTRIES]).take(pa.array(a["country"])),
            "closed_at": _moments(closed),
            "closed_reason": pa.array(REASONS).take(pa.array(a["reason"], mask=np.isnan(closed) | (a["reason"] < 0))),
        },
        schema=ACCOUNTS,
    )  # fmt: skip
    pq.write_table(accounts.take(pa.array(order)), out / "accounts.parquet", compression="zstd")
    truth = pa.table(
        {
            "account_id": scene.account_ids, "operator_id": operator_ids(plan.seed, a["operator"]),
            "label": pa.array(LABELS).take(pa.array(a["label"])), "campaign": campaign_names(spec, a["campaign"]),
        },
        schema=TRUTH_ACCOUNTS,
    )  # fmt: skip
    order = plan.rng("truth rows").permutation(len(a["operator"]))
    pq.write_table(truth.take(pa.array(order)), out / "truth" / "accounts.parquet", compression="zstd")
    _write_releases(out, plan)
    _write_networks(out, scene)
    _write_authorisations(out, scene, counts)


def _write_releases(out: Path, plan: Plan) -> None:
    days = np.array([-330.0, -330.0, -210.0, *plan.releases])
    table = pa.table({"model": pa.array(MODELS), "released_at": _moments(days)}, schema=RELEASES)
    pq.write_table(table, out / "releases.parquet")


def _write_networks(out: Path, scene: Scene) -> None:
    """What a provider can buy: kinds by system number, and a patchy list of proxy exits with some mistakes."""
    networks, plan = scene.networks, scene.plan
    n = len(networks.kinds)
    kinds = pa.array(networks.kinds)
    country = pa.array([COUNTRIES[c][0] for c in networks.country])
    rows = pa.table([pa.nulls(n, pa.string()), pa.array(networks.asn), kinds, country], schema=NETWORKS)
    listed = [d for i, d in enumerate(plan.devices) if uniform(draw(plan.seed, "listed", i))[0] < 0.3]
    homes = np.flatnonzero(
        (scene.streams["net"] == 0) & (uniform(draw(plan.seed, "mistaken", scene.streams["address"])) < 0.002)
    )
    net = np.array([d.network for d in listed] + scene.streams["network"][homes].tolist(), np.int64)
    seed = np.array([d.address for d in listed] + scene.streams["address"][homes].tolist(), np.uint64)
    lease = np.array([d.lease for d in listed] + scene.streams["lease"][homes].tolist())
    if len(net):
        # the exit as it was seen in the middle of the window
        bits = draw("lease", seed, np.floor(plan.days / 2 / lease + uniform(draw("phase", seed))).astype(np.int64))
        prefixes = networks.texts(net, bits).to_pylist()
        prefixes = sorted({f"{text}/{128 if ':' in text else 32}" for text in prefixes})
        m = len(prefixes)
        exits = [
            pa.array(prefixes),
            pa.nulls(m, pa.int64()),
            pa.array(["residential_proxy"] * m),
            pa.nulls(m, pa.string()),
        ]
        rows = pa.concat_tables([rows, pa.table(exits, schema=NETWORKS)])
    pq.write_table(rows, out / "networks.parquet", compression="zstd")


def _write_authorisations(out: Path, scene: Scene, counts: Array) -> None:
    """Registered distillers, with quotas above what they will use, and an agreement older than the log."""
    entries: list[dict[str, Any]] = []
    for number, agreed in enumerate(scene.plan.authorisations):
        streams = np.isin(scene.streams["account"], agreed["rows"])
        daily = counts[streams].sum(axis=0)
        rows = agreed["rows"].tolist()
        entries.append({
            "id": f"agreement-{number + 1}", "organisation": "Cobalt Fern Teaching Models",
            "accounts": sorted(scene.account_ids.take(pa.array(rows)).to_pylist()),
            "org_ids": sorted(set(scene.org_ids.take(pa.array(rows)).to_pylist())),
            "purpose": "training of a small model for the organisation's own product", "models": list(MODELS),
            "max_requests_per_day": _round(int(daily.max() * 1.3) + 10),
            "max_requests_total": _round(int(daily.sum() * 1.25) + 100),
            "valid_from": datetime(2026, 1, 1, tzinfo=UTC), "valid_until": datetime(2026, 12, 31, tzinfo=UTC),
            "disclosed_at": datetime(2025, 12, 10, tzinfo=UTC), "contact": "models@cobalt-fern.example",
        })  # fmt: skip
    (out / "authorisations.toml").write_text(tomli_w.dumps({"authorisation": entries}), encoding="utf-8")


def _round(value: int) -> int:
    """Up to two leading digits: nobody agrees on 12,347 a day."""
    step = max(1, 10 ** (len(str(value)) - 2))
    return -(-value // step) * step


def write_evasions(out: Path, names: Sequence[str]) -> None:
    """How the campaigns evade, beside the truth about accounts."""
    (out / "truth" / "evasions.toml").write_text(tomli_w.dumps({"evasions": list(names)}), encoding="utf-8")


def write_truth_events(out: Path, parts: Sequence[pa.Table]) -> None:
    """Who is behind each event of the accounts that mix."""
    pq.write_table(
        pa.concat_tables([TRUTH_EVENTS.empty_table(), *parts]), out / "truth" / "events.parquet", compression="zstd"
    )
