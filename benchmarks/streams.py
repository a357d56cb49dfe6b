"""Streams in accounts that are not the operator's: how right they are, event by event, and who is wrongly given one.

    python benchmarks/streams.py --worlds FOLDER [--only evaded-reseller-1 ...]     worlds that were made and scanned
    python benchmarks/streams.py --make FOLDER [--levels reseller stolen] [--seeds 5] [--scale 0.5]

FOLDER holds one folder a world, called NAME-EVASIONS-SEED, with `world` and a scan's `run` in it. Streams, victims and
judging are computed anew from the run's operators, so a world is scanned once and measured often; beside them stand the
figures of the judgement without streams, on the same operators. Results go to benchmarks/results/streams.json.

Harvest, cover and relayed customers are told apart by the world's own plan, which says what every stream is for.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent))
from runs import stillwatch, told
from stillwatch.engine.runfolder import RunFolder
from stillwatch.ingest.accounts import load_context
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.judging import judge
from stillwatch.judging.carried import carried
from stillwatch.judging.gather import gather
from stillwatch.linking import streams, victims
from stillwatch.settings import Settings
from stillwatch.worlds.traffic import day_of
from stillwatch.worlds.world import Recipe, build

RESULT = Path(__file__).parent / "results" / "streams.json"
ACCUSED = "unauthorised_distillation"
AIMS = {0: "customers", 1: "harvest", 2: "cover", 3: "probe"}


def linked(run: RunFolder) -> pa.Table:
    """The run's operators as linking gave them: victims back among those whose stream they carry."""
    table, robbed = run.read("operators"), run.read("victims")
    back = dict(zip(robbed["account_id"].to_pylist(), robbed["operator_id"].to_pylist(), strict=True))
    rows = zip(*(table[name].to_pylist() for name in ("account_id", "operator_id", "membership_bits")), strict=True)
    # a victim that linking had not put into the operator stood alone before
    kept = [back.get(account, operator) if bits > 0 else operator for account, operator, bits in rows]
    return table.set_column(1, "operator_id", pa.array(kept, pa.string()))


def plan(folder: Path, level: str, seed: int, scale: float) -> dict[str, tuple[int, int]]:
    """Event -> what its stream is for, and the campaign (-1 for none), by the plan that the world was written from."""
    names = tuple(name for name in level.split("+") if name != "none")
    scene, counts = build(Recipe(folder.name.split("-")[0], scale, seed, None, names))
    out: dict[str, tuple[int, int]] = {}
    for number, day in enumerate(sorted((folder / "world" / "events").iterdir())):
        of = day_of(scene.plan, scene.streams, counts, number).stream
        ids = [
            name
            for path in sorted(day.glob("*.parquet"))
            for name in pq.ParquetFile(path).read(columns=["event_id"])["event_id"].to_pylist()
        ]
        if len(ids) != len(of):
            raise SystemExit(f"{folder}: not the world of seed {seed} at scale {scale}")
        aims, campaigns = scene.streams["aim"][of].tolist(), scene.streams["campaign"][of].tolist()
        out |= zip(ids, zip(aims, campaigns, strict=True), strict=True)
    return out


def judged(run: RunFolder, made: Path, operators: pa.Table, found: streams.Streams | None) -> dict[str, str]:
    """Verdict of each account."""
    context = load_context(
        accounts=made / "accounts.parquet", authorisations=made / "authorisations.toml", context=made,
        pseudonyms=Pseudonyms.none(),
    )  # fmt: skip
    robbed = run.read("victims")
    if found is not None:
        separated = victims.separate(operators, found.turns, run.read("traits"), context.accounts)
        found, operators, robbed = streams.settled(found, separated), separated.operators, separated.victims
    work = RunFolder(run.root.parent / "again")
    work.root.mkdir(exist_ok=True)
    for name in ("sketches", "accounts", "profiles", "summaries", "traits"):
        work.path(name).unlink(missing_ok=True)
        work.path(name).symlink_to(run.path(name).resolve())
    work.write("operators", operators)
    judgement = judge(
        gather(work, context), operators, Settings().judging, victims=robbed if found else robbed.slice(0, 0)
    )
    if found is not None:
        judgement = carried(judgement, found.streams, operators)
        for name, table in (("streams", found.streams), ("stream_events", found.events.table()), ("victims", robbed)):
            work.write(name, table)
    of = dict(zip(*(judgement.verdicts[c].to_pylist() for c in ("operator_id", "verdict")), strict=True))
    pairs = zip(*(operators[c].to_pylist() for c in ("account_id", "operator_id")), strict=True)
    return {account: of[operator] for account, operator in pairs}


def measured(folder: Path, scale: float) -> dict[str, Any]:
    """The figures of one world."""
    name, level, seed = folder.name.rsplit("-", 2)
    run, made = RunFolder(folder / "run"), folder / "world"
    labels = {row["account_id"]: row["label"] for row in pq.read_table(made / "truth" / "accounts.parquet").to_pylist()}
    operators, started = linked(run), time.perf_counter()
    known = pq.read_table(made / "accounts.parquet")
    found = streams.find(run.parts("sketches"), run.read("traits"), operators, known)
    seconds = time.perf_counter() - started
    without, verdicts = judged(run, made, operators, None), judged(run, made, operators, found)
    again = RunFolder(folder / "again")
    return {
        "world": name, "level": level, "seed": int(seed), "scale": scale, "seconds": round(seconds, 1),
        "verdicts": counts(labels, verdicts), "verdicts_without": counts(labels, without),
        **attributed(again, labels, verdicts, plan(folder, level, int(seed), scale)),
    }  # fmt: skip


def counts(labels: dict[str, str], verdicts: dict[str, str]) -> dict[str, int]:
    """Campaign accounts accused, honest ones accused, victims recognised, campaign accounts that pass for victims."""
    rows = [(labels[account], verdict) for account, verdict in verdicts.items()]
    return {
        "campaign_accounts": sum(label == "campaign" for label, _ in rows),
        "campaign_accused": rows.count(("campaign", ACCUSED)),
        "honest_accused": sum(label != "campaign" and verdict == ACCUSED for label, verdict in rows),
        "victims": sum(label == "stolen_key_victim" for label, _ in rows),
        "victims_recognised": rows.count(("stolen_key_victim", "compromised_account")),
        "victims_accused": rows.count(("stolen_key_victim", ACCUSED)),
        "campaign_as_victims": rows.count(("campaign", "compromised_account")),
        "others_as_victims": sum(
            label not in ("campaign", "stolen_key_victim") and verdict == "compromised_account"
            for label, verdict in rows
        ),
    }


def attributed(
    run: RunFolder, labels: dict[str, str], verdicts: dict[str, str], aims: dict[str, tuple[int, int]]
) -> dict[str, Any]:
    """Streams of accused operators, by account and by event: in accounts of others, and in campaigns' own."""
    of = dict(zip(*(run.read("operators")[c].to_pylist() for c in ("account_id", "operator_id")), strict=True))
    accused = {of[account] for account, verdict in verdicts.items() if verdict == ACCUSED}
    claimed = {row["event_id"] for row in run.read("stream_events").to_pylist() if row["operator_id"] in accused}
    events = run.read("sketches", ["event_id", "account_id"]).to_pydict()
    tally: dict[str, dict[str, list[int]]] = {"outside": {}, "own": {}}
    carrying: dict[str, int] = {}
    for event, account in zip(events["event_id"], events["account_id"], strict=True):
        aim, campaign = aims[event]
        own = labels[account] == "campaign"
        if not own and campaign >= 0:
            carrying[account] = carrying.get(account, 0) + 1
        if own and verdicts[account] != ACCUSED:
            continue
        kind = AIMS[aim] if campaign >= 0 else "customers"
        row = tally["own" if own else "outside"].setdefault(kind, [0, 0])
        row[0] += 1
        row[1] += event in claimed
    rows = run.read("streams").to_pylist()
    given = {r["account_id"] for r in rows if labels[r["account_id"]] != "campaign" and r["operator_id"] in accused}
    # honest accounts in streams of operators that nobody accuses: in the table, and in no verdict or report
    idle = {r["account_id"] for r in rows if r["role"] != "member" and r["operator_id"] not in accused}
    wrong = sorted(given - set(carrying))
    return {
        "events": tally, "carriers": len(carrying), "carriers_found": len(given & set(carrying)),
        "wrongly_given": [labels[account] for account in wrong], "of_unaccused": len(idle),
        "campaign_mixed": sum(
            row["role"] in ("mixed", "reseller") and labels[row["account_id"]] == "campaign" for row in rows
        ),
    }  # fmt: skip


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Sums over the worlds of a level, and the rates that follow."""
    out: dict[str, Any] = {}
    for key in ("verdicts", "verdicts_without"):
        out[key] = {name: sum(row[key][name] for row in rows) for name in rows[0][key]}
    for where in ("outside", "own"):
        kinds = {kind: [0, 0] for kind in AIMS.values()}
        for row in rows:
            for kind, (n, claimed) in row["events"][where].items():
                kinds[kind] = [kinds[kind][0] + n, kinds[kind][1] + claimed]
        wanted, hits = kinds["harvest"]
        claims = sum(claimed for _, claimed in kinds.values())
        out[where] = {
            "events_claimed": {kind: value for kind, value in kinds.items() if value[0]},
            "recall": round(hits / wanted, 4) if wanted else None,
            "precision": round(hits / claims, 4) if claims else None,
        }
    out |= {
        name: sum(row[name] for row in rows)
        for name in ("carriers", "carriers_found", "of_unaccused", "campaign_mixed")
    }
    return {**out, "worlds": len(rows), "wrongly_given": sum(len(row["wrongly_given"]) for row in rows)}


def make(folder: Path, level: str, seed: int, scale: float) -> None:
    """Write and scan one world, unless it is there."""
    world = level if level in ("quiet", "innocent", "demo") else "evaded"
    place = folder / f"{world}-{level if world == 'evaded' else 'none'}-{seed}"
    if (place / "run" / "manifest.json").exists():
        return
    shutil.rmtree(place, ignore_errors=True)
    evasion = ["--evasion", level.replace("+", ",")] if world == "evaded" else []
    made = place / "world"
    stillwatch("world", world, "--scale", scale, "--seed", seed, *evasion, "--out", made)
    stillwatch(
        "scan", made / "events", "--out", place / "run", "--accounts", made / "accounts.parquet", "--authorisations",
        made / "authorisations.toml", "--context", made, "--pseudonyms", "none",
    )  # fmt: skip


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--worlds", type=Path, help="folder of worlds that were made and scanned")
    words.add_argument("--make", type=Path, help="folder to make and scan worlds in first")
    words.add_argument("--levels", nargs="+", default=["reseller", "stolen", "relay", "cover", "quiet"])
    words.add_argument("--only", nargs="+", help="names of worlds")
    words.add_argument("--anew", action="store_true", help="forget the worlds that were measured before")
    words.add_argument("--seeds", type=int, default=5)
    words.add_argument("--scale", type=float, default=0.5)
    given = words.parse_args()
    if given.make:
        for seed in range(1, given.seeds + 1):
            for level in given.levels:
                make(given.make, level, seed, given.scale)
    folder = given.make or given.worlds
    if folder is None:
        raise SystemExit("name a folder of worlds: --worlds FOLDER, or --make FOLDER")
    rows = json.loads(RESULT.read_text())["worlds"] if RESULT.exists() and not given.anew else []
    for place in sorted(folder.iterdir()):
        if (place / "run" / "manifest.json").exists() and (not given.only or place.name in given.only):
            row = measured(place, given.scale)
            same = (row["world"], row["level"], row["seed"], row["scale"])
            rows = [old for old in rows if (old["world"], old["level"], old["seed"], old["scale"]) != same] + [row]
            told(place.name, json.dumps(summary(rows[-1:])))
            levels = sorted({(row["world"], row["level"]) for row in rows})
            by_level = {
                f"{world} {level}": summary([row for row in rows if (row["world"], row["level"]) == (world, level)])
                for world, level in levels
            }
            RESULT.write_text(json.dumps({"levels": by_level, "worlds": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
