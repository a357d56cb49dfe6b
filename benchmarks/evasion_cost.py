"""What each evasion costs: a world an evasion level is made, replayed day by day, and priced.

For each campaign: exchanges obtained, accounts used, days and money until its first account and until half of its
accounts were accused; money for its whole harvest if nobody had looked; and the price of going on: as many fresh
operators, one after another, as the same harvest takes if each ends when half of its accounts are accused. A campaign
that is never accused pays its own price once. `extra` is that price over the one without detection.

Money is what the campaign would have paid at the prices of a TOML file, ALL OF THEM ASSUMPTIONS and yours to edit
(benchmarks/prices.toml): accounts, phone numbers and cards that they declare, addresses or proxy traffic, tokens (those
of cover traffic too), and a person's time. Writes benchmarks/results/evasion_cost.json.

    python benchmarks/evasion_cost.py --levels none paraphrase residential+unique_cards [--seeds 0 1] [--scale 0.2]
    python benchmarks/evasion_cost.py --world demo
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tomllib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
RESULTS = HERE / "results"
AMOUNTS = {"setup_minutes", "bytes_per_token"}
PRICES = {
    "account", "phone", "card", "residential_gigabyte", "address_month", "million_input_tokens",
    "million_output_tokens", "hour",
}  # fmt: skip


def read_prices(path: Path) -> dict[str, float]:
    """Name -> dollars or amount; SystemExit names what is missing, unknown, negative, or not said to be assumed."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SystemExit(f"{path}: {error}") from error
    if set(table) != PRICES | AMOUNTS:
        raise SystemExit(f"{path}: missing or unknown: {', '.join(sorted(set(table) ^ (PRICES | AMOUNTS)))}")
    out = {}
    for name, entry in table.items():
        word = "amount" if name in AMOUNTS else "usd"
        value = entry.get(word)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
            raise SystemExit(f"{path}: {name}.{word} must be a number of at least 0")
        if not entry.get("assumption"):
            raise SystemExit(f"{path}: {name} does not say what is assumed")
        out[name] = float(value)
    return out


@dataclass(frozen=True)
class Spent:
    """What a campaign had used up to some moment, and its price."""

    accounts: int
    phones: int
    cards: int
    residential_gigabytes: float
    address_months: int
    requests: int
    """All of its accounts' traffic, cover included."""
    million_tokens: float
    hours: float
    usd: float


QUERY = """
with mine as (
    select s.*, coalesce(network_kind, '') in ('residential', 'residential_proxy', 'mobile') as proxied,
        coalesce(input_tokens, 0) as tokens_in, coalesce(output_tokens, 0) as tokens_out
    from read_parquet($sketches) s join read_parquet($truth) t using (account_id)
    where t.label = 'campaign' and coalesce(t.campaign, t.operator_id) = $campaign and s.time < $until
),
declared as (select * from read_parquet($accounts) where account_id in (select account_id from mine)),
months as (
    select distinct address, datediff('day', (select min(time) from mine), time) // 30
    from mine where not proxied and address is not null
)
select
    (select count(distinct account_id) from mine) as accounts,
    (select count(distinct phone_id) from declared) as phones,
    (select count(distinct payment_id) from declared) as cards,
    (select count(*) from months) as months,
    count(*) as requests,
    coalesce(sum(tokens_in), 0)::double as input,
    coalesce(sum(tokens_out), 0)::double as output,
    coalesce(sum(tokens_in + tokens_out) filter (proxied), 0)::double as proxied
from mine
"""


def spent(replayed: Path, world: Path, campaign: str, until: datetime, prices: dict[str, float]) -> Spent:
    """What `campaign` had used before `until`."""
    with duckdb.connect() as engine:
        cursor = engine.execute(
            QUERY,
            {
                "sketches": str(replayed / "last" / "sketches.parquet"), "accounts": str(world / "accounts.parquet"),
                "truth": str(world / "truth" / "accounts.parquet"), "campaign": campaign, "until": until,
            },
        )  # fmt: skip
        names = [column[0] for column in cursor.description or ()]
        row = dict(zip(names, cursor.fetchone() or (), strict=True))
    gigabytes = row["proxied"] * prices["bytes_per_token"] / 1e9
    hours = row["accounts"] * prices["setup_minutes"] / 60
    tokens = row["input"] * prices["million_input_tokens"] + row["output"] * prices["million_output_tokens"]
    usd = (
        row["accounts"] * prices["account"]
        + row["phones"] * prices["phone"]
        + row["cards"] * prices["card"]
        + gigabytes * prices["residential_gigabyte"]
        + row["months"] * prices["address_month"]
        + tokens / 1e6
        + hours * prices["hour"]
    )
    million = (row["input"] + row["output"]) / 1e6
    return Spent(
        row["accounts"], row["phones"], row["cards"], gigabytes, row["months"], row["requests"], million, hours, usd
    )


def priced(timed: dict[str, Any], replayed: Path, world: Path, prices: dict[str, float]) -> dict[str, Any]:
    """One campaign: what it had and had paid at each accusation, and the price of going on until all is harvested."""
    out: dict[str, Any] = {name: timed[name] for name in ("campaign", "accounts", "exchanges", "days", "ever_accused")}
    whole = spent(replayed, world, timed["campaign"], datetime.max.replace(tzinfo=UTC), prices)
    out["undetected"] = asdict(whole)
    for name in ("first_account", "half_of_accounts"):
        moment = timed[name]
        if moment is None:
            out[name] = None
            continue
        cost = spent(replayed, world, timed["campaign"], datetime.fromisoformat(moment["until"]), prices)
        out[name] = {key: moment[key] for key in ("day", "days", "exchanges", "share", "accounts_used")} | asdict(cost)
    out["go_on"] = going_on(timed["exchanges"], whole, timed["days"], out["half_of_accounts"])
    return out


def going_on(harvest: int, whole: Spent, days: float, end: dict[str, Any] | None) -> dict[str, Any]:
    """Fresh operators, accounts, days one after another, and money for `harvest` exchanges if each ends at `end`."""
    if end is None or end["exchanges"] >= harvest:
        return {"operators": 1, "accounts": whole.accounts, "days": days, "usd": whole.usd, "extra_usd": 0.0}
    if not end["exchanges"]:
        return {"operators": None, "accounts": None, "days": None, "usd": None, "extra_usd": None}
    operators = math.ceil(harvest / end["exchanges"])
    # the last one stops when the harvest is complete
    lives = harvest / end["exchanges"]
    usd = end["usd"] * lives
    return {
        "operators": operators, "accounts": math.ceil(end["accounts"] * lives), "days": end["days"] * lives,
        "usd": usd, "extra_usd": usd - whole.usd,
    }  # fmt: skip


def stillwatch(*words: str | Path) -> str:
    command = [sys.executable, "-m", "stillwatch", *map(str, words)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} exited with {done.returncode}")
    return done.stdout


def one(given: argparse.Namespace, level: str, seed: int, prices: dict[str, float]) -> dict[str, Any]:
    """Make, replay and price one world."""
    label = f"{given.world}-{level or 'plain'}-{given.scale:g}-{seed}"
    world, out = given.work / label / "world", given.work / label / "replay"
    if not (world / "truth" / "accounts.parquet").exists():
        words = ["--evasion", level] if level else []
        stillwatch("world", given.world, "--out", world, "--scale", str(given.scale), "--seed", str(seed), *words)
    text = stillwatch(
        "replay", world / "events", "--by", "day", "--out", out, "--accounts", world / "accounts.parquet",
        "--authorisations", world / "authorisations.toml", "--context", world, "--pseudonyms", "none",
        "--every", str(given.every), "--growth", str(given.growth), "--truth", world, "--json",
    )  # fmt: skip
    timed = json.loads(text)
    honest = {key: timed[key] for key in ("honest_accounts", "honest_ever_accused", "honest_interval", "looks")}
    campaigns = [priced(campaign, out, world, prices) for campaign in timed["campaigns"]]
    return {"level": level or "plain", "seed": seed, **honest, "campaigns": campaigns}


def show(rows: list[dict[str, Any]], console: Console) -> None:
    """The table; dollars at assumed prices."""
    table = Table(
        title="evasion cost, dollars at ASSUMED prices", caption="first and half: first account, half of them"
    )
    columns = (
        "level", "seed", "campaign", "accounts", "exchanges", "$ undetected", "first: days", "exchanges", "$",
        "half: days", "exchanges", "accounts", "$", "go on: operators", "accounts", "days", "$",
    )  # fmt: skip
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if place in (0, 2) else "right")
    for row in rows:
        for c in row["campaigns"]:
            first, half, on = c["first_account"], c["half_of_accounts"], c["go_on"]
            table.add_row(
                row["level"], str(row["seed"]), c["campaign"], f"{c['accounts']:,}", f"{c['exchanges']:,}",
                f"{c['undetected']['usd']:,.0f}", *_cells(first, "days", "exchanges", "usd"),
                *_cells(half, "days", "exchanges", "accounts_used", "usd"),
                *_cells(on, "operators", "accounts", "days", "usd"),
            )  # fmt: skip
    console.print(table)
    for row in rows:
        low, high = row["honest_interval"]
        console.print(
            f"{row['level']}, seed {row['seed']}: honest accounts ever accused {row['honest_ever_accused']:,} of "
            f"{row['honest_accounts']:,} (95 %: {low:.2g} to {high:.2g}) in {row['looks']} looks"
        )


def _cells(moment: dict[str, Any] | None, *names: str) -> list[str]:
    if moment is None:
        return ["never", *[""] * (len(names) - 1)]
    return ["-" if moment[name] is None else f"{moment[name]:,.{name == 'days':d}f}" for name in names]


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--world", default="evaded")
    words.add_argument("--levels", nargs="+", default=[""], help="what `stillwatch world --evasion` takes, one a world")
    words.add_argument("--seeds", type=int, nargs="+", default=[0])
    words.add_argument("--scale", type=float, default=1.0)
    words.add_argument("--every", type=int, default=1)
    words.add_argument("--growth", type=float, default=1.0)
    words.add_argument("--prices", type=Path, default=HERE / "prices.toml")
    words.add_argument("--work", type=Path, default=Path("out/bench-evasion"))
    words.add_argument("--out", type=Path, default=RESULTS / "evasion_cost.json")
    given = words.parse_args()
    prices = read_prices(given.prices)
    rows: list[dict[str, Any]] = []
    record = {
        "world": given.world, "scale": given.scale, "every": given.every, "growth": given.growth,
        "prices_are": "assumptions without a source", "prices": prices, "runs": rows,
    }  # fmt: skip
    given.out.parent.mkdir(parents=True, exist_ok=True)
    for level in given.levels:
        for seed in given.seeds:
            rows.append(one(given, level, seed, prices))
            given.out.write_text(json.dumps(record, indent=1) + "\n")
    show(rows, Console(width=200))


if __name__ == "__main__":
    main()
