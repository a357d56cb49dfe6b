"""docs/peers.md from benchmarks/results/peers.json: `python benchmarks/peers/page.py`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT)

from benchmarks.peers.registry import PEERS, Peer  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "peers.json"
PAGE = ROOT / "docs" / "peers.md"
NOTHING = "–"

HEAD = """# Stillwatch beside other tools

Written by `python benchmarks/peers/page.py` from `benchmarks/results/peers.json`, which
`python benchmarks/peers/run.py` writes (`make bench-peers`): every tool on the same logs, against the same truth,
scored by the same code, in one run.
"""

RULES = """
## What is compared

No other tool asks what Stillwatch asks: which accounts are one operator's, and whether that operator harvests. So each
was taken for what it can do, and given what helps it:

- **Linkers do not judge.** Somebody who uses one to accuse has to say from which size on a group is suspicious: accused
  is every account in a group of at least k declared customers. Accounts of one verified organisation count as one
  customer, and registered uses are never accused: both are what Stillwatch reads from the same two tables.
- **Detectors look at one account at a time**: accused is an account whose score reaches the threshold. They have no
  groups. Those that learn what honest traffic is like are given a world in which everybody is honest.
- **Tuning.** Setting, threshold and k of each peer are chosen on worlds of other seeds, all levels together, to accuse
  most campaign accounts with at most the stated share of honest ones; its published default is reported too. Stillwatch
  is not tuned here, but it was developed on worlds of this generator, and the peers were not: that favours it.
- **Equal false accusations**: the best that any setting, threshold and k of the peer could have reached *on the
  measured log itself, its truth known*, with no more honest accounts accused than Stillwatch accused there. No user can
  have that; it is a ceiling for each level by itself.
- **Groups, judged**: how good the groups themselves are. As if somebody who knows the truth judged them: a group counts
  if more than half of it is a campaign's, and all of its accounts with it. Setting, threshold and k in hindsight, with
  no more honest accounts in such groups than in Stillwatch's. For linkers only.

Honest accounts include owners of stolen keys and resellers. Accounts that sent nothing are left out. Intervals are 95 %
Clopper-Pearson, as if accounts were independent; those of one group are accused together, so they are too narrow. ARI
is the adjusted Rand index of the groups over campaign accounts, at the tuned threshold.
"""

COST = """
## Cost

One setting on the first world, from the log to the answer, each in a process of its own. Wall seconds were taken on a
machine shared with other work: compare CPU seconds. Memory is what a process and its children held at
once; a dash is "not measured".

"""
SHORT = """- **Worlds** are synthetic, small, and of one generator; one seed a level is a first measurement, not a rate.
- **Tuning** on few seeds is little: the share of honest accounts accused that it allowed is not the share that came
  out, and a choice may be one that happened to fit.
- **Hindsight** gives a peer what nobody has, the truth of the very log; Stillwatch's figures there are as it comes.
- **Glasswally**, an agent in Rust that watches inference servers by eBPF, needs a toolchain and a kernel that were not
  at hand, and is left out.
- **Linkers** are clustered by connected components, as most of them do it; a better clustering, or a judge behind the
  linker, might do more.
"""


def share(value: float | None) -> str:
    """Two digits, as in the rest of the docs."""
    return NOTHING if value is None else f"{value:.2f}"


def false(row: dict[str, Any]) -> str:
    """Honest accounts accused, with their interval in percent."""
    low, high = row["interval"]
    return f"{row['false']} of {row['honest']:,} ({100 * low:.2g} to {100 * high:.2g} %)"


def figures(row: dict[str, Any]) -> list[str]:
    """Precision, recall, honest accused, ARI."""
    recall = NOTHING if row["recall"] is None else f"{row['recall']:.2f} ({row['hits']} of {row['campaign']})"
    return [share(row["precision"]), recall, false(row), share(row["ari"])]


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]) + "\n"


def pooled(rows: list[dict[str, Any]]) -> tuple[float | None, str]:
    """Recall over levels together, and honest accounts accused."""
    campaign = sum(row["campaign"] for row in rows)
    honest, wrong = sum(row["honest"] for row in rows), sum(row["false"] for row in rows)
    return sum(row["hits"] for row in rows) / campaign if campaign else None, f"{wrong:,} of {honest:,}"


def summary(results: dict[str, Any]) -> str:
    """All levels together, a line a tool."""
    rates = [str(rate) for rate in sorted(results["rates"])]
    head = ["tool", "default: recall", "honest accused"]
    for rate in rates:
        head += [f"tuned to {100 * float(rate):g} %: recall", "honest accused"]
    head += ["hindsight: recall at equal false accusations", f"at {100 * max(results['rates']):g} %", "groups, judged"]
    mine = results["stillwatch"]
    ours, wrong = pooled(list(mine["levels"].values()))
    judged = pooled([row for row in mine["judged"].values() if row["campaign"]])[0]
    rows = [
        ["**Stillwatch**, as it comes", share(ours), wrong, *[""] * (2 * len(rates)), share(ours), "", share(judged)]
    ]
    for peer in PEERS:
        found = results["peers"].get(peer.name)
        if found is None:
            continue
        line = [peer.title]
        for part in ("default", *rates):
            recall, wrong = pooled(list(found[part].values()))
            line += [share(recall), wrong]
        line += [share(pooled(list(found[part].values()))[0]) for part in ("equal", "loose", "judged")]
        rows.append(line)
    return table(head, rows)


def level(results: dict[str, Any], name: str) -> str:
    """One level, a line a tool."""
    rate = str(min(results["rates"]))
    ours, judged = (results["stillwatch"][part][name] for part in ("levels", "judged"))
    rows = [["**Stillwatch**", *figures(ours), share(ours["recall"]), share(judged["recall"])]]
    for peer in PEERS:
        found = results["peers"].get(peer.name)
        if found is not None:
            hindsight = [found[part].get(name, {}).get("recall") for part in ("equal", "judged")]
            rows.append([peer.title, *figures(found[rate][name]), *map(share, hindsight)])
    head = [
        "tool",
        "precision",
        "recall",
        "honest accounts accused",
        "ARI",
        "at equal false accusations",
        "groups, judged",
    ]
    return f"\n### `{name}`\n\n{table(head, rows)}"


def ahead(results: dict[str, Any]) -> str:
    """Where a peer does better than Stillwatch."""
    rate = str(min(results["rates"]))
    kinds = (("tuned, on other seeds", rate, "levels"), ("at equal false accusations, in hindsight", "equal", "levels"))
    rows = []
    for words, part, side in (*kinds, ("groups as one who knows the truth would judge them", "judged", "judged")):
        for name in results["levels"]:
            mine = results["stillwatch"][side][name]["recall"]
            for peer in PEERS:
                found = results["peers"].get(peer.name, {}).get(part, {}).get(name, {})
                if mine is not None and (found.get("recall") or 0.0) > mine:
                    rows.append([f"`{name}`", words, peer.title, share(found["recall"]), share(mine)])
    return table(["level", "compared", "tool", "recall", "Stillwatch"], rows) if rows else "Nowhere in this run.\n"


def whom(results: dict[str, Any]) -> str:
    """Which honest accounts are accused, over all levels."""
    rate = str(max(results["rates"]))
    found = [("**Stillwatch**", results["stillwatch"]["levels"])]
    found += [(p.title, results["peers"][p.name][rate]) for p in PEERS if p.name in results["peers"]]
    rows = []
    for title, levels in found:
        counts: dict[str, int] = {}
        for row in levels.values():
            for label, count in row["whom"].items():
                counts[label] = counts.get(label, 0) + count
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        rows.append([title, ", ".join(f"{label} {count}" for label, count in ordered) or "nobody"])
    return table(["tool", "honest accounts accused, by kind"], rows)


def memory(spent: dict[str, Any]) -> str:
    """Peak memory, where it was measured."""
    return NOTHING if spent["mebibytes"] is None else f"{spent['mebibytes']:,}"


def costs(results: dict[str, Any]) -> str:
    """Seconds and memory."""
    ours = results["stillwatch"]["cost"]
    rows = [["**Stillwatch**", f"{ours['cpu_seconds']:g}", f"{ours['seconds']:g}", memory(ours)]]
    for peer in PEERS:
        spent = results["peers"].get(peer.name, {}).get("cost")
        if spent:
            rows.append([peer.title, f"{spent['cpu_seconds']:g}", f"{spent['seconds']:g}", memory(spent)])
    return table(["tool", "CPU seconds", "wall seconds", "peak memory, MiB"], rows)


def chosen(results: dict[str, Any], peer: Peer) -> str:
    """What tuning chose, in words."""
    found = results["peers"].get(peer.name)
    if found is None:
        return f"not run: {results['skipped'].get(peer.name, 'not asked for')}"
    words = []
    for rate in sorted(results["rates"]):
        choice = found["choices"][str(rate)]
        if choice is None:
            words.append(f"{100 * rate:g} %: no choice accused anybody guilty")
            continue
        setting = ", ".join(f"{key} {value}" for key, value in choice["setting"].items()) or "its default setting"
        size = f", k {choice['least']}" if peer.leasts != (1,) else ""
        words.append(f"{100 * rate:g} %: {setting}, threshold {choice['threshold']:.3g}{size}")
    return "; ".join(words)


def tools(results: dict[str, Any]) -> str:
    """What each tool is and sees."""
    rows = [[p.title, p.source, p.licence, p.released, f"`{p.extra}`", p.sees, p.misses] for p in PEERS]
    parts = [table(["tool", "from", "licence", "last release", "extra", "sees", "does not see"], rows)]
    rows = [[p.title, p.accused, p.default_is, p.knobs, chosen(results, p)] for p in PEERS]
    parts.append(table(["tool", "accused", "default", "tuned", "chosen"], rows))
    return "\n".join(parts)


def short(results: dict[str, Any]) -> str:
    """Where the comparison falls short."""
    lines = [f"- **{peer.title}**: {peer.short}" for peer in PEERS if peer.short]
    skipped = results["skipped"]
    lines += [f"- **{peer.title}** was not run: {skipped[peer.name]}" for peer in PEERS if peer.name in skipped]
    return "\n".join(lines) + "\n" + SHORT


def render(results: dict[str, Any]) -> str:
    """The page."""
    seeds = ", ".join(map(str, results["seeds"]))
    tuned = f"{', '.join(map(str, results['tuning']))} ({', '.join(f'`{name}`' for name in results['tuned_on'])})"
    words = f"--scale {results['scale']:g} --seeds {' '.join(map(str, results['seeds']))}"
    words += f" --tuning {' '.join(map(str, results['tuning']))} --tuning-levels {' '.join(results['tuned_on'])}"
    words += " --prompts DIR" if results["prompts"] else ""
    words += "" if "demo" in results["levels"] else " --no-demo"
    where = (
        f"\nWorlds at scale {results['scale']:g}: {', '.join(f'`{name}`' for name in results['levels'])}, measured on"
        f" seeds {seeds}; tuned on seeds {tuned}; honest reference: seed {results['reference']}."
        f" {results['machine']}, Python {results['python']}.\n\n```\npython benchmarks/peers/run.py {words}\n```\n"
    )
    levels = "".join(level(results, name) for name in results["levels"])
    return "".join(
        [
            HEAD, where, "\n## All levels together\n\n", summary(results), RULES,
            f"\n## Level by level\n\nPeers tuned to {100 * min(results['rates']):g} % of honest accounts.\n", levels,
            "\n## Where a peer is ahead\n\n", ahead(results),
            f"\n## Whom they accuse wrongly\n\nTuned to {100 * max(results['rates']):g} %, all levels together.\n\n",
            whom(results), COST, costs(results),
            "\n## The tools\n\n", tools(results), "\n## Where this falls short of the peers\n\n", short(results),
        ]
    )  # fmt: skip


def main() -> None:
    PAGE.write_text(render(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
