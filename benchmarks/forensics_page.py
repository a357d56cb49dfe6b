"""Writes the measured tables of docs/forensics_model.md from the results, between its two markers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scipy import stats

COLUMNS = ("twins", "twins less human", "text", "text weighted", "distribution", "distribution less human")


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
    body = "\n\n".join((power(result, names), alarms(result), growth(result, names)))
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
    lines = ["| statistic | random keys | at .05 | interval | at .01 | interval |", "|---|---|---|---|---|---|"]
    for statistic, by_student in result["false_alarms"].items():
        total = n * len(by_student)
        cells = []
        for level in ("0.05", "0.01"):
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
