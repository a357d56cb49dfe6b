"""docs/performance.md and docs/growth.png from benchmarks/results: `python benchmarks/performance_page.py`.

What was not measured has no row. Run `benchmarks/scale.py`, `linking.py`, `spark.py` and `state.py` before.
"""

from __future__ import annotations

import json
import math
import textwrap
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from stillwatch.progress import SCAN, Forecast

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE, PLOT = ROOT / "benchmarks" / "results", ROOT / "docs" / "performance.md", ROOT / "docs" / "growth.png"
STAGES = (
    "reading and sketching",
    "looking for duplicates",
    "summaries",
    "traits",
    "profiles",
    "linking",
    "streams",
    "judging",
    "report",
)
Run = dict[str, Any]

HEAD = """# How fast, how large, how it grows

Written by `python benchmarks/performance_page.py` from `benchmarks/results/{scale,linking,spark,state}.json`
(`make bench-scale`). **Processor seconds** are of the scan and all its processes; they are what to compare, because the
machine (two cores) was shared with other work (its load stands in the tables), and wall clock says how busy it was.

Logs are the world `innocent` (`benchmarks/scale.py`): events with text, 28 days, accounts in proportion to the events.
The read is DuckDB reading and decoding every column that the scan reads, with as many threads, in the same run.

The scans had two threads (`--threads 2`, 5 GB for the engine), and nothing but an editor ran beside them. Prompts have
55 words in the median; in the rows of 248 words other prompts stand behind each (`--words 200`). The log of a hundred
million events is that of ten million ten times over, as later days of the same accounts (`--repeat 10`): so accounts do
not grow with it, and 1.9 million of its events lay in the future of the machine's clock and were rejected. Ids become
pseudonyms, as they do if nothing is said, but where a row says otherwise.
"""


NOTES = """
What limits each stage, by its profile:

- **Reading and sketching** takes about 12 microseconds of processor time an event of 420 bytes of prompt. One compiled
  kernel takes 5.0 of them (tokens 1.6, vector 1.0, labels .9, masks and skeletons .6, the hash of the whole message
  .7): 12 nanoseconds a byte, of which hashing byte by byte, each product waiting for the one before, takes at least
  1.5. Decoding Parquet takes 1.5, the JSON of messages 1.4, writing sketches 1.2; the rest is Arrow and Python, a batch
  at a time. Pseudonyms (keyed BLAKE2b, one id after the other) take 2 more. It is what keeps a scan of a log with text
  from 12 times the read, the aim set before the first line: the read decodes the same bytes and looks at none.
- **Without text** reading, checking and writing takes 3 microseconds (5 with pseudonyms), counting traits 1.7 and all
  the rest 3 to 4, where the read takes .26: four times the read, the aim, is out of reach of a scan that writes a
  table of its own and groups by account in some twenty ways.
- **Traits.** View by view, so that the engine holds one at a time; events are counted by account and token as numbers,
  then tokens that one account holds are dropped, then what is left becomes text.
- **Profiles.** A product of vectors and frequencies an event; four passes over its 128 features. In threads, batch by
  batch: a library's own threads for so small a product took twice the processor time and no less wall clock.
- **Linking** is of the size of traits and accounts. Its search for sources of text looks at no more than 2,048 holders
  of a template for each of them. A pruned search of nearest neighbours (upper bounds, rare tokens first) gave the same
  neighbours in twice the time and was dropped. A third of it at a million events is its own calibration on shuffles.
- **Streams** are found in four passes over a few columns each, for all operators at once, and one over scratch files of
  whole accounts (130 bytes an event of a suspect). Threads work on what was read while more is read. At a hundred
  million events the stage is the scan's peak, above the 8 GiB asked, and it is not known where: one account has 13 % of
  this log, but that its records no longer lie in memory (a third of what a batch held) left the peak as it was.
- **Judging** multiplies matched groups by tokens; it holds 400,000 memberships at a time, with the same result to the
  last bit.

What the last round of profiling changed; every table of a scan stayed the same to the last bit. Processor time of one
process on a log of 1,067,202 events, side by side on a busy machine:

| what | before | now | how |
|---|---|---|---|
| masked text of skeletons that repeat, us an event | 2.8 | 1.0 | compiled code writes what is ASCII |
| hash of the whole message, us | 1.6 | .7 | eight bytes at a time |
| sketching a log without text, us | 1.2 | .7 | no kernel where there is no text |
| writing sketches, us (bytes an event) | 3.0 (182) | 2.5 (172) | dictionaries only where values repeat |
| traits, us | 6.3 | 3.7 | counted before anything else, and text last |
| profiles, us | 2.7 | 1.9 | 1,024 vectors at once stay in the cache |
| sources of text among 21,272 accounts, s | 2.9 | 1.7 | no remainder at each step; a community's own tokens alone |
| judging, s | 7.1 | 5.6 | task banks counted by compiled code |

The round after that, at 25.2 million events: four views that decided nothing are no longer written (60 to 31 million
traits), and linking tests and searches block by block in as many threads (`linking/shards.py`). Processor seconds of
traits 278 to 104, of linking 523 to 308 (496 to 202 s of wall clock), of the whole scan 2,182 to 1,498 (26 to 15
minutes), its peak 5.7 to 4.5 GiB; every verdict is the same.

The last round: columns are read in threads of one process, where chunks and results had been sent to processes and back
as pickles; content vectors are 64 bytes and no list, which Parquet writes and reads five times as fast; profiles and
streams in threads. Every table is the same but for the type of `vector`. At 10.8 million events with text the scan took
353 s and 572 processor seconds before; reading 157 s of them, profiles 25, streams 45.

Tried and dropped: reading strings of JSON in two passes (find the end, then copy) took a quarter longer than byte by
byte.
"""


def load(name: str) -> Any:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def stage(name: str) -> str:
    """A stage as the display names it, without how far it is."""
    return name.split(" %", maxsplit=1)[0].rstrip(" 0123456789")


def cpu(run: Run) -> dict[str, float]:
    """Processor seconds by stage."""
    out: dict[str, float] = {}
    for name, busy in run["cpu_by_stage"].items():
        out[stage(name)] = out.get(stage(name), 0.0) + busy
    return out


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def wording(run: Run) -> str:
    """What a log has of text: words of a prompt in the median, if that was kept."""
    words = run.get("median_words")
    return "no" if not run["text"] else "yes" if words is None else f"{words:.0f} words"


def plain(runs: list[Run]) -> list[Run]:
    """Those of the world `innocent` as it is, with text."""
    return [run for run in runs if run["text"] and "world" not in run and "words" not in run]


def asked(runs: list[Run]) -> str:
    """What was asked of a hundred million events before the first line was written, and what they take."""
    large = [run for run in runs if run["events"] > 9e7]
    if not large:
        return "\n**Not measured**: a hundred million events.\n"
    rows = [["wall clock, minutes", "20 with text", *(f"{run['seconds'] / 60:.1f}" for run in large)],
            ["peak memory, GiB", "8", *(f"{run['peak_mebibytes'] / 1024:.1f}" for run in large)],
            ["processor seconds against the read", "12; 4 without text", *(f"{run['cpu_ratio']:.0f}" for run in large)],
            ["processor seconds against a tenth of it", "11", *(grown(run, runs) for run in large)]]  # fmt: skip
    head = ["of a hundred million events", "asked (prompts of 200 words)", *map(wording, large)]
    return "\n" + table([*head[:2], *(name if name != "no" else "no text" for name in head[2:])], rows)


def grown(run: Run, runs: list[Run]) -> str:
    """How many times the processor seconds of a tenth of the log, and how much of them by wall clock."""
    tenth = [one for one in runs if one["text"] == run["text"] and one.get("words") == run.get("words")]
    tenth = [one for one in tenth if "world" not in one and 9e6 < one["events"] < 2e7]
    if not tenth:
        return "not measured"
    times = run["events"] / tenth[0]["events"]
    more, wall = run["cpu"] / tenth[0]["cpu"], run["seconds"] / tenth[0]["seconds"]
    return f"{more:.1f} ({wall:.1f} by wall clock; {times:.1f} times the events)"


def growth(runs: list[Run]) -> str:
    head = ["log", "events", "text", "accounts", "traits", "read, CPU s", "scan, CPU s", "ratio", "wall s"]
    head += ["peak GiB", "load"]
    rows = []
    for run in runs:
        sizes = [f"{n:,}" for n in (run["events"], run["counts"]["accounts"], run["traits"])]
        seconds = [f"{run['read']['cpu']:.1f}", f"{run['cpu']:.0f}", f"{run['cpu_ratio']:.0f}", f"{run['seconds']:.0f}"]
        rest = [f"{run['peak_mebibytes'] / 1024:.1f}", " to ".join(map(str, run["load"]))]
        log = f"`{run.get('world', 'innocent')}`" + ("" if run.get("pseudonyms") == "keyed" else ", ids as they are")
        rows.append([log, sizes[0], wording(run), *sizes[1:], *seconds, *rest])
    return "\n## Growth\n\n" + table(head, rows) + "\n" + laws(runs) + "\n![Processor seconds and memory](growth.png)\n"


def laws(runs: list[Run]) -> str:
    """How each stage grows from the smallest to the largest log with text."""
    runs = plain(runs)
    if len(runs) < 2:
        return ""
    first, last = runs[0], runs[-1]
    a, b = cpu(first), cpu(last)
    times = last["events"] / first["events"]
    power = {name: math.log(b[name] / a[name]) / math.log(times) for name in STAGES if a.get(name) and b.get(name)}
    said = ", ".join(f"{name} {exponent:.2f}" for name, exponent in power.items())
    more = last["cpu"] / first["cpu"]
    text = (
        f"From {first['events']:,} to {last['events']:,} events ({times:.1f} times) the scan takes {more:.1f} times "
        f"the processor seconds. Exponents of growth by stage (1 is in proportion to the log): {said}. "
        "Every scan has some 9 to 12 seconds in any case: starting, loading compiled code, the report's drawings."
    )
    return textwrap.fill(text, 118) + "\n"


def stages(runs: list[Run]) -> str:
    rows = []
    for name in STAGES:
        cells = []
        for run in runs:
            busy, held = cpu(run).get(name), [v for k, v in run["peak_mebibytes_by_stage"].items() if stage(k) == name]
            cells.append("" if busy is None else f"{busy * 1e6 / run['events']:.2f} ({max(held, default=0):,})")
        if any(cells):
            rows.append([name, *cells])
    head = ["stage", *map(_log, runs)]
    return (
        "\n## Where the time goes\n\nMicroseconds of processor time an event, and peak MiB in the stage.\n\n"
        + table(head, rows)
    )


def _log(run: Run) -> str:
    named = f"`{run['world']}`, " if "world" in run else ""
    longer = f", {wording(run)}" if "words" in run else ""
    return named + f"{run['events'] / 1e6:.1f} M" + longer + ("" if run["text"] else ", no text")


def forecasts(runs: list[Run]) -> str:
    """How far the display's forecasts were off, by how much of the run was over."""
    rows = []
    for run in runs:
        for low, high in ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0)):
            mine = [f for f in run["forecast"] if low <= f["at"] / run["seconds"] < high and f["was"] > 10]
            if mine:
                errors = [f["said"] / f["was"] - 1 for f in mine]
                worst = max(errors, key=abs)
                rows.append(
                    [
                        f"{run['events']:,}"
                        + (f", {wording(run)}" if "words" in run else "" if run["text"] else ", no text"),
                        f"{low:.0%} to {high:.0%}",
                        str(len(mine)),
                        f"{median(errors):+.0%}",
                        f"{worst:+.0%}",
                        *(said_now(run) if low == 0.0 else ("", "")),
                    ]
                )
    if not rows:
        return ""
    text = """
## What is left

The display says about how long a scan will still take. How far that was off, against what it took (positive: too
long). The plan of stages was fitted anew after these runs; the last two columns are what it says of them, by the
seconds that their stages took, when reading is done and when linking begins. On a busy machine, where a process had a
fifth of a core, the display had said far too little on a small log: seconds that stages take in any case are those of
a quiet one. Where code has to be compiled first, as in a fresh clone, it had said nine minutes of a scan of one; it
says nothing before that is done.

"""
    head = ["events", "of the run over", "said", "median error", "worst", "now: reading done", "now: linking begins"]
    return text + table(head, rows)


def said_now(run: Run) -> list[str]:
    """How far off the present plan is for a run's stages, at two moments."""
    if "bytes" not in run:
        return ["", ""]
    seconds, clock, out = run["seconds_by_stage"], [0.0], list[str]()
    left, forecast = sum(seconds.values()), Forecast(clock=lambda: clock[0])
    for name in (name for name in SCAN if name in seconds):
        forecast.begin(name, run["bytes"])
        if name == "summaries":
            texts = run["events"] if run["text"] else 0
            forecast.tell(events=run["events"], texts=texts, accounts=run["counts"]["accounts"])
        if name in ("summaries", "linking"):
            out.append(f"{(forecast.left() or 0.0) / left - 1:+.0%}")
        for _ in range(20):
            clock[0] += seconds[name] / 20
            forecast.advance(run["bytes"] // 20)
        left -= seconds[name]
    return out


def linking(found: Any) -> str:
    found = {name: row for name, row in (found or {}).items() if isinstance(row, dict) and "processor_seconds" in row}
    if not found:
        return ""
    rows = [
        [name, f"{row['accounts']:,}", f"{row['traits']:,}", f"{row['processor_seconds']}", f"{row['seconds']}",
         f"{row['peak_mebibytes']:,} ({row['mebibytes_before']:,} before)", str(row["false_links"])]
        for name, row in found.items()
    ]  # fmt: skip
    head = ["views", "accounts", "traits", "CPU s", "wall s", "peak MiB", "false links on shuffles"]
    return "\n## Linking alone\n\n`python benchmarks/linking.py`, traits drawn, one core.\n\n" + table(head, rows)


def engines(found: Any) -> str:
    if not found:
        return ""
    names = ("starting spark", "reading and sketching", "summaries", "traits", "profiles")
    rows = [
        [f"{run['counts']['kept']:,}", f"`{name}`", *(f"{cpu(run).get(one, 0.0):.1f}" for one in names),
         f"{run['cpu']:.0f}", f"{run['seconds']:.0f}", f"{run['peak_mebibytes']:,}", f"{len(run['same'])} of 9"]
        for log in found["logs"] for name, run in log["runs"].items()
    ]  # fmt: skip
    text = """
## Spark beside DuckDB

`python benchmarks/spark.py`: the same logs on both, on the same two cores. Processor seconds by stage; linking and
judging run on the driver in both and are in the sum alone. The last column counts tables that are the same, row for
row.

"""
    head = ["events", "engine", *names, "all, CPU s", "wall s", "peak MiB", "same"]
    return text + table(head, rows) + prices(found["logs"])


def prices(logs: list[Any]) -> str:
    """What an engine takes in any case, and for each event: a line through the smallest and the largest log."""
    if len(logs) < 2:
        return ""
    said = []
    for name, small in logs[0]["runs"].items():
        large = logs[-1]["runs"][name]
        each = (large["cpu"] - small["cpu"]) / (large["counts"]["kept"] - small["counts"]["kept"])
        said.append(f"`{name}` {small['cpu'] - each * small['counts']['kept']:.0f} s and {each * 1e6:.0f} microseconds")
    text = f"A line through the two logs, in any case and an event: {'; '.join(said)}."
    return "\n" + textwrap.fill(text, 118) + "\n"


def days(found: Any) -> str:
    if not found:
        return ""
    rows = []
    for run in found["runs"]:
        name = [run["world"], f"{run['events']:,}", f"{run['events_of_the_day']:,}"]
        rows += [[*name, str(m["day"]["cpu"]), str(m["full"]["cpu"]), f"{m['cpu_ratio']:.2f}"] for m in run["measured"]]
    head = ["world", "events", "of the new day", "merged and judged, CPU s", "scan of all, CPU s", "ratio"]
    text = "\n## A new day against all days\n\n`python benchmarks/state.py` ([state](state.md)).\n\n"
    return text + table(head, rows)


def plot(runs: list[Run]) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), constrained_layout=True)
    mine = plain(runs)
    x = [run["events"] for run in mine]
    for name in STAGES:
        y = [cpu(run).get(name, math.nan) for run in mine]
        if all(map(math.isnan, y)):
            continue
        left.plot(x, y, marker="o", markersize=4, linewidth=1.2, label=name)
    left.plot(x, [run["cpu"] for run in mine], color="black", marker="o", markersize=5, linewidth=2, label="scan")
    left.plot(x, [run["read"]["cpu"] for run in mine], color="grey", linestyle=":", marker=".", label="DuckDB reads")
    left.set(xscale="log", yscale="log", xlabel="events", ylabel="processor seconds", title="Time")
    left.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    right.plot(x, [run["peak_mebibytes"] / 1024 for run in mine], color="black", marker="o", linewidth=2)
    right.axhline(8, color="grey", linestyle=":")
    right.text(x[0], 8.15, "8 GiB", color="grey", fontsize=8)
    right.set(xscale="log", xlabel="events", ylabel="GiB, all processes", title="Peak memory", ylim=(0, 12))
    for axes in (left, right):
        axes.grid(visible=True, which="major", linewidth=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(PLOT, dpi=110)


def main() -> None:
    runs = load("scale")["runs"]
    parts = [HEAD, asked(runs), growth(runs), stages(runs), NOTES, forecasts(runs), linking(load("linking"))]
    parts += [engines(load("spark")), days(load("state"))]
    PAGE.write_text("".join(parts))
    plot(runs)
    print(f"{PAGE} and {PLOT} are written")


if __name__ == "__main__":
    main()
