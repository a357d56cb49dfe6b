"""Writes the measured tables of docs/forensics_model.md from the results, between its two markers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scipy import stats

COLUMNS = ("twins", "twins less human", "text", "text weighted", "distribution", "distribution less human")

ACCUSING, WEAKEST = 5.6, 2.0
"""z of a corrected p of 1e-6 with 100 tests; below the other no number is made of it."""


def p_value(log10_p: float) -> str:
    """A p-value to read."""
    if log10_p < -100:
        return "< 1e-100"
    if log10_p < -3:
        whole = math.floor(log10_p)
        return f"{10 ** (log10_p - whole):.0f}e{whole}".replace("10e", "1e")
    return f"{10**log10_p:.2g}".lstrip("0") or "0"


def write(result: Mapping[str, Any], page: Path, names: Mapping[str, str], maker: str) -> None:
    """Put the tables into the page, between the markers of the file that measured."""
    text = page.read_text(encoding="utf-8")
    begin, end = f"<!-- measured: benchmarks/{maker} -->", f"<!-- end: benchmarks/{maker} -->"
    before, found, rest = text.partition(begin)
    if not found:
        raise ValueError(f"{page} has no {begin}")
    after = rest.partition(end)[2]
    parts = [power(result, names), alarms(result), growth(result, names), needed(result, names)]
    body = "\n\n".join(parts + ([told(result)] if "canaries" in result else []))
    page.write_text(f"{before}{begin}\n\n{body}\n\n{end}{after}", encoding="utf-8")


def power(result: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """p under the right key, and the smallest under any wrong one."""
    found = {(r["student"], r["statistic"], r["key"]): r["log10_p"] for r in result["rows"]}
    columns = [name for name in COLUMNS if any(s == name for _, s, _ in found)]
    lines = ["| student | " + " | ".join(columns) + " | least under wrong keys |", "|---" * (len(columns) + 2) + "|"]
    for student, name in names.items():
        right = "other" if student == "other_key" else "op"
        if not any(s == student for s, _, _ in found):
            continue
        cells = [found.get((student, column, right)) for column in columns]
        wrong = [v for (s, _, k), v in found.items() if s == student and k != right]
        shown = [("" if value is None else p_value(value)) for value in cells]
        lines.append(f"| {name} | " + " | ".join(shown) + f" | {p_value(min(wrong))} (of {len(wrong)}) |")
    return "\n".join(lines)


def alarms(result: Mapping[str, Any]) -> str:
    """Realised rates over random keys, with the binomial interval that they must lie in."""
    n = result["decoys"]
    levels = list(next(iter(next(iter(result["false_alarms"].values())).values())))
    heads = [f"at {level.lstrip('0')} | interval" for level in levels]
    lines = ["| statistic | random keys | " + " | ".join(heads) + " |", "|---|---" + "|---|---" * len(levels) + "|"]
    for statistic, by_student in result["false_alarms"].items():
        total = n * len(by_student)
        cells = []
        for level in levels:
            rate = sum(rates[level] for rates in by_student.values()) / len(by_student)
            low, high = stats.binom.ppf([0.005, 0.995], total, float(level)) / total
            cells += [f"{rate:.4f}", f"{low:.4f} to {high:.4f}"]
        lines.append(f"| {statistic} | {total:,} | " + " | ".join(cells) + " |")
    worst = max(result["naive_false_alarms_at_.01"].values())
    least = min(result["naive_false_alarms_at_.01"].values())
    tail = f"Without distinct pairs a z-test at .01 rejects {least:.3f} to {worst:.3f} of random keys, by student."
    return "\n".join(lines) + "\n\n" + tail


def growth(result: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """z against the amount of evidence."""
    lines = ["| student | statistic | units | z measured | z by the root law |", "|---|---|---|---|---|"]
    for student, by_statistic in result["growth"].items():
        for statistic, points in by_statistic.items():
            lines += [
                f"| {names[student]} | {statistic} | {p['units']:,.0f} | {p['z']:.2f} | {p['predicted']:.2f} |"
                for p in points
            ]
    return "\n".join(lines)


def needed(result: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """On paper: units for z of `ACCUSING`, by the root law from what was measured under the right key."""
    found = {(r["student"], r["statistic"], r["key"]): r for r in result["rows"]}
    columns = [name for name in COLUMNS if any(s == name for _, s, _ in found)]
    lines = ["| student | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for student, name in names.items():
        right = "other" if student == "other_key" else "op"
        rows = [found.get((student, column, right)) for column in columns]
        if not any(row and row["z"] >= WEAKEST for row in rows):
            continue
        cells = ["" if row is None else _units(row["units"], row["z"]) for row in rows]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return f"Units that z = {ACCUSING} would take, by the root law:\n\n" + "\n".join(lines)


def _units(units: int, z: float) -> str:
    return "not seen" if z < WEAKEST else f"{units * (ACCUSING / z) ** 2:,.0f}"


def told(result: Mapping[str, Any]) -> str:
    """Canaries: rank and p by how often they were told; false alarms over random keys."""
    lines = ["| canaries told | places | mean rank | p | of the innocent: mean rank | p |", "|---" * 6 + "|"]
    rows = {(row["model"], row["times"]): row for row in result["canaries"]["rows"]}
    for (model, times), row in rows.items():
        if model == "told":
            cells = (f"{one['rank']:.2f} | {p_value(one['log10_p'])}" for one in (row, rows["human", times]))
            lines.append(f"| {times} times | {row['places']} of {row['drawn']} | " + " | ".join(cells) + " |")
    rates = [
        f"{share:.4f} at {level.lstrip('0')}"
        for level in next(iter(result["canaries"]["false_alarms"].values()))
        for share in [sum(r[level] for r in result["canaries"]["false_alarms"].values()) / 2]
    ]
    total = result["decoys"] * len(result["canaries"]["false_alarms"])
    bounds = [
        "{:.4f} to {:.4f}".format(*(stats.binom.ppf([0.005, 0.995], total, float(level)) / total))
        for level in next(iter(result["canaries"]["false_alarms"].values()))
    ]
    said = "; ".join(f"{rate} ({bound})" for rate, bound in zip(rates, bounds, strict=True))
    return "\n".join(lines) + f"\n\nCanaries under {total:,} random keys: {said}."
