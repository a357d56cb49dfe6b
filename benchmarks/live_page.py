"""docs/live.md and docs/live_memory.png from benchmarks/results/live*.json: `python benchmarks/live_page.py`.

What was not measured has no row.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE, PLOT = ROOT / "benchmarks" / "results", ROOT / "docs" / "live.md", ROOT / "docs" / "live_memory.png"
Run = dict[str, Any]

HEAD = """# How fast the live service is

Written by `python benchmarks/live_page.py` from `benchmarks/results/live*.json` (`make bench-live`). The service is
`stillwatch serve` in processes of its own, the load comes from another process over loopback. The machine, two cores,
was shared with other work; the load average stands beside every figure (2 would be all of both cores). Events are
counted over the **CPU seconds** that all processes of the service spent, which depends least on who else was there.
"""
NAMES = {
    "front": "answers requests", "read": "reads bodies", "fast": "fast path", "look": "looks",
    "python": "helper of Python's", "all but look": "all but the one that looks", "all": "all",
}  # fmt: skip


def load(name: str) -> Run | None:
    """Results of a benchmark, if it was run."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """As Markdown."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)]) + "\n"


def busy(loads: Any) -> str:
    """A load average, at the start and the end."""
    flat = [one[0] if isinstance(one, list) else one for one in loads]
    return " to ".join(f"{one:.0f}" for one in flat)


def ingest(found: Run) -> str:
    """Events in."""
    rows = [
        (name, f"{run['events_a_second_and_core']:,.0f}", f"{run['events_a_second']:,.0f}",
         f"{run['latency']['p50']:.0f}, {run['latency']['p99']:.0f}", busy(run["load_average"]))
        for name, run in found["ingest"].items()
    ]  # fmt: skip
    head = ("bodies", "events a second and core", "events a second", "ms until acknowledged, p50, p99", "load")
    text = "Asked for: 10,000 events a second and core. Prompts have 50 words; acknowledged is durable.\n"
    return f"## Events in\n\n{text}\n{table(head, rows)}"


def lookups(found: Run) -> str:
    """Decisions out."""
    rows = []
    for key in (first + last for first in ("lookups", "lookups, no right of way") for last in ("", ", cores awake")):
        for name, run in found.get(key, {}).items():
            way = ("yes" if run["realtime"] else "no") + (", cores awake" if key.endswith("awake") else "")
            figures = (f"{run[kind][point]:.2f}" for kind in ("due", "sent") for point in ("p50", "p99"))
            rows.append((name, way, *figures, busy(run["load_average"])))
    head = ("meanwhile", "right of way", "p50 from when due, ms", "p99", "p50 from when sent", "p99", "load")
    text = (
        "Asked for: p99 of 2 ms at 2,000 a second. *From when due* counts what the load itself waited. *Right of way*: "
        "service and load had real-time priority over the other work on the machine. *Cores awake*: a loop that runs "
        "only where nobody else does kept the virtual cores from sleeping, since waking one takes its host a while.\n"
    )
    return f"## Decisions out\n\n{text}\n{table(head, rows)}"


def effect(found: Run) -> str:
    """From an event to its effect, and the bare guard."""
    run = found["effect"]
    spread, guards = run["event_to_effect_ms"], run["guard"]
    rows = [
        ("an unseen account's first request to its effect on its decision (asked for: 10 s)",
         f"{spread['p50'] / 1e3:.1f} s", f"{spread['max'] / 1e3:.1f} s (longest of {run['newcomers']})"),
        *((f"the bare guard, {name}", f"{one['p50']:.3f} ms", f"{one['p99']:.2f} ms") for name, one in guards.items()),
    ]  # fmt: skip
    return f"## Effect\n\nLoad: {busy(run['load_average'])}.\n\n{table(('what', 'p50', 'p99'), rows)}"


def litellm(found: Run) -> str:
    """The guard in a real proxy."""
    rows = []
    for name in ("asked", "remembered"):
        run = found[name]
        for point in ("p50", "p90", "p99"):
            one = run[point]
            rows.append((name, point, f"{one['without_ms']:.1f}", f"{one['with_ms']:.1f}",
                         f"{one['added_ms']:.1f} ({one['low']:.1f} to {one['high']:.1f})"))  # fmt: skip
        cpu = run["cpu_ms_a_request"]
        rows.append((name, "CPU of the proxy", f"{cpu['without']:.1f}", f"{cpu['with']:.1f}",
                     f"{cpu['with'] - cpu['without']:.1f}"))  # fmt: skip
    loads = busy(found["asked"]["load_average"]), busy(found["remembered"]["load_average"])
    text = (
        f"Two LiteLLM proxies with a mock model that answers at once, one with guard and logger, one without; one "
        f"request after the other, the proxies in turn and in random order ({found['asked']['requests']:,} pairs "
        f"each). *Asked*: an account that was not asked about before; *remembered*: one asked about within a second. "
        f"Intervals are 95 % bootstraps of pairs. Load: {loads[0]}, {loads[1]}.\n"
    )
    return f"## In a LiteLLM proxy\n\n{text}\n{table(('account', '', 'without, ms', 'with', 'added'), rows)}"


def memory(found: Run) -> str:
    """Half an hour."""
    plot(found)
    series, rows = found["series"], []
    for name in ("front", "read", "fast", "all but look", "look", "all"):
        one, column = found["slopes"][name], series[name]
        third = [value for at, value in zip(series["at"], column, strict=True) if at >= series["at"][-1] / 3]
        rows.append((NAMES[name], f"{column[0]:.0f}", f"{third[0]:.0f}", f"{column[-1]:.0f}", f"{max(column):.0f}",
                     f"{one['a_minute']:+.2f} ({one['low']:+.2f} to {one['high']:+.2f})"))  # fmt: skip
    head = ("process", "MiB at first", "after a third", "at last", "most", "MiB a minute, last two thirds")
    loads = found["load_average"]
    text = (
        f"{found['minutes']:.0f} minutes of new events ({found['events']:,}, from 5,000 accounts) and "
        f"{found['lookups']:,} look-ups, {int(found['looks'] or 0)} looks; load {loads['least']:.0f} to "
        f"{loads['most']:.0f}, {loads['median']:.0f} in the median. Asked for: flat. The slope's 95 % interval is from "
        f"the means of blocks of two minutes.\n"
    )
    return f"## Memory\n\n{text}\n{table(head, rows)}\n{verdict(found)}\n![Memory of each process]({PLOT.name})\n"


def verdict(found: Run) -> str:
    """In words, from the figures: a process does not grow if the interval of its slope has zero in it."""
    said = []
    for name in ("front", "read", "fast", "look"):
        one, last = found["slopes"][name], found["series"][name][-1]
        if one["low"] <= 0:
            said.append(
                f"the one that {NAMES[name]} does not grow" if name != "fast" else "the fast path does not grow"
            )
        else:
            who = "the fast path" if name == "fast" else f"the one that {NAMES[name]}"
            said.append(f"{who} grows by {one['a_minute']:.2f} MiB a minute ({100 * one['a_minute'] / last:.2f} %)")
    return "Process by process: " + "; ".join(said) + ".\n"


def plot(found: Run) -> None:
    """Each process over the minutes."""
    figure, axes = plt.subplots(figsize=(8, 3.6))
    minutes = [at / 60 for at in found["series"]["at"]]
    for name, colour in (("look", "#b5651d"), ("read", "#4a6fa5"), ("front", "#2e7d5b"), ("fast", "#7a5195")):
        axes.plot(minutes, found["series"][name], color=colour, linewidth=1.2, label=NAMES[name])
    axes.axvspan(0, minutes[-1] / 3, color="#000000", alpha=0.05, linewidth=0)
    axes.set_xlabel("minutes (grey: not counted)")
    axes.set_ylabel("MiB of its own")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, ncols=4, loc="upper center", bbox_to_anchor=(0.5, 1.15))
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(PLOT, dpi=110)
    plt.close(figure)


def peer(found: Run) -> str:
    """Beside honeypotllm."""
    other, taking, whole = found["honeypotllm"], found["taking_in"], found["with_looks"]
    speed = [
        ("honeypotllm's scorer: calls of a function, state in memory", f"{other['events_a_second_and_core']:,.0f}"),
        ("Stillwatch: taken in over HTTP, checked, sketched, durable", f"{taking['events_a_second_and_core']:,.0f}"),
        (f"Stillwatch: the same, and all looked at ({int(whole['looks'])} look(s))",
         f"{whole['events_a_second_and_core']:,.0f}"),
    ]  # fmt: skip
    marked, said = found["said"]["honeypotllm"], found["said"]["stillwatch"]
    rows = []
    for kind in sorted(said, key=lambda kind: (not kind.startswith("campaign"), kind)):
        total = sum(said[kind].values())
        acted = {name: n for name, n in said[kind].items() if name != "allow"}
        words = ", ".join(f"{n} {name}" for name, n in acted.items()) or "0"
        rows.append((kind.replace("_", " "), total, marked[kind].get("marked", 0), words))
    honest = [kind for kind in said if not kind.startswith("campaign")]
    wrong = sum(marked[kind].get("marked", 0) for kind in honest)
    ours = sum(n for kind in honest for name, n in said[kind].items() if name not in {"allow", "monitor"})
    text = (
        f"The world `demo` (scale {found['scale']}, seed {found['seed']}: {other['events']:,} events, "
        f"{found['accounts']:,} accounts), in order of time. Events a second and core:\n"
    )
    end = (
        f"Of accounts that are no campaign's, honeypotllm marks {wrong} and Stillwatch restricts {ours}. One seed "
        f"and a small world: a first comparison and no rate ([beside other tools](peers.md) has more, without the "
        f"service). "
        f"honeypotllm's scorer is made to mark answers of suspicious keys as they come, one key at a time; it does "
        f"neither networks nor durability. Load: {busy(whole['load_average'])}.\n"
    )
    head = ("accounts", "number", "honeypotllm: marked (.75)", "Stillwatch would")
    return (
        f"## Beside honeypotllm\n\n{text}\n{table(('', 'events a second and core'), speed)}\n{table(head, rows)}\n{end}"
    )


def main() -> None:
    """Write the page."""
    parts = [HEAD]
    live = load("live")
    if live:
        parts += [ingest(live), lookups(live), effect(live)]
    for name, write in (("live_litellm", litellm), ("live_memory", memory), ("live_peer", peer)):
        found = load(name)
        if found:
            parts.append(write(found))
    PAGE.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
