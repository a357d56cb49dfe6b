"""Writes the measured tables of docs/forensics_model.md from the results, between its two markers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

COLUMNS = ("twins", "twins less human", "text", "text weighted", "distribution", "distribution less human")

ACCUSING, WEAKEST = 5.6, 2.0
"""z of a corrected p of 1e-6 with 100 tests; below the other no number is made of it."""
SEEN, ENOUGH, LEAST = 1.0, 3, 0.1
"""A law is fitted to points with a z of the first, if there are as many as the second; an exponent below the last is no
growth."""
SHOWN = ("0.05", "0.01", "0.001")


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
    parts = [power(result, names), alarms(result), growth(result, names), needed(result, names)]
    if "canaries" in result:
        parts.append(told(result))
    if "gumbel_3" in result["schemes"]:
        parts.append(doses(result))
    if result.get("left"):
        parts.append(left(result, names))
    body = "\n\n".join(parts)
    between(page, maker, body)


def between(page: Path, maker: str, body: str) -> None:
    """Put text between the markers of the file that measured; ValueError if the page has none."""
    text = page.read_text(encoding="utf-8")
    begin, end = f"<!-- measured: benchmarks/{maker} -->", f"<!-- end: benchmarks/{maker} -->"
    before, found, rest = text.partition(begin)
    if not found:
        raise ValueError(f"{page} has no {begin}")
    page.write_text(f"{before}{begin}\n\n{body}\n\n{end}{rest.partition(end)[2]}", encoding="utf-8")


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
    heads = [f"at {level.lstrip('0')} | interval" for level in SHOWN]
    lines = ["| statistic | random keys | " + " | ".join(heads) + " |", "|---|---" + "|---|---" * len(SHOWN) + "|"]
    for name, by_student in by_scheme(result).items():
        total = result["decoys"] * len(by_student)
        lines.append(f"| {name} | {total:,} | " + " | ".join(_rates(list(by_student.values()), total)) + " |")
    told = result.get("canaries", {}).get("false_alarms")
    if told:
        total = result["decoys"] * len(told)
        lines.append(f"| canaries | {total:,} | " + " | ".join(_rates(list(told.values()), total)) + " |")
    worst = max(result["naive_false_alarms_at_.01"].values())
    least = min(result["naive_false_alarms_at_.01"].values())
    tail = f"Without distinct pairs a z-test at .01 rejects {least:.3f} to {worst:.3f} of random keys, by student."
    return "\n".join(lines) + "\n\n" + tail


def _rates(found: Sequence[Mapping[str, float]], total: int) -> list[str]:
    cells = []
    for level in SHOWN:
        rate = sum(rates[level] for rates in found) / len(found)
        low, high = stats.binom.ppf([0.005, 0.995], total, float(level)) / total
        cells += [f"{rate:.4f}" + ("" if low <= rate <= high else " **outside**"), f"{low:.4f} to {high:.4f}"]
    return cells


def by_scheme(result: Mapping[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """False alarms by statistic and, where a mark is read, by the kind of mark: student -> level -> rate."""
    out: dict[str, dict[str, dict[str, float]]] = {}
    for statistic, found in result["false_alarms"].items():
        for student, rates in found.items():
            kind = "" if statistic.startswith("twins") else f", {result['schemes'][student]}"
            out.setdefault(statistic + kind, {})[student] = rates
    return out


def growth(result: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """z and power against the amount of evidence, the power of it that z grows with, and what would be needed."""
    parts = ["1/32", "1/16", "1/8", "1/4", "1/2", "all"]
    lines = [
        "| student | statistic | all is | " + " | ".join(parts) + f" | grows with | for z = {ACCUSING} |",
        "|---" * (len(parts) + 5) + "|",
    ]
    for student, by_statistic in result["growth"].items():
        for statistic, points in by_statistic.items():
            cells = [""] * (len(parts) - len(points)) + [f"{p['z']:.1f} ({p['power']:.1g})" for p in points]
            unit = "twins" if statistic.startswith("twins") else "tokens"
            power, need = fitted([p["asked"] for p in points], [p["z"] for p in points])
            lines.append(
                f"| {names[student]} | {statistic} | {points[-1]['asked']:,.0f} {unit} | "
                + " | ".join(cells) + f" | {power} | {need} |"
            )  # fmt: skip
    head = f"z, and in brackets the share of {result['draws']} draws with a p of 1e-8 or less, by the part looked at:"
    return head + "\n\n" + "\n".join(lines)


def fitted(sizes: Sequence[float], z: Sequence[float]) -> tuple[str, str]:
    """(exponent of z in the size, size for z of `ACCUSING`) of a line through the logarithms of what was seen."""
    seen = [(math.log(n), math.log(value)) for n, value in zip(sizes, z, strict=True) if value >= SEEN]
    if len(seen) < ENOUGH:
        return "", "not seen"
    slope, start = (float(value) for value in np.polyfit(*zip(*seen, strict=True), 1))
    if slope < LEAST:
        return f"{slope:.2f}", "seen; more adds nothing" if max(z) >= ACCUSING else "not by more of it"
    need = math.exp((math.log(ACCUSING) - start) / slope)
    return f"{slope:.2f}", f"under {min(sizes):,.0f}" if need < min(sizes) else f"{_round(need):,}"


def _round(number: float) -> int:
    """Two digits of it."""
    digits = max(0, math.floor(math.log10(number)) - 1)
    return round(number / 10**digits) * 10**digits


def doses(result: Mapping[str, Any]) -> str:
    """z against the tokens that were harvested, at one amount of text asked."""
    sizes = result["sizes"]
    whole = sizes["answers"] * sizes["answer_tokens"]
    found = {(r["student"], r["statistic"], r["key"]): r["z"] for r in result["rows"]}
    heads = [f"{whole * dose:,.0f} harvested" for dose in (1, 0.1, 0.03)]
    lines = ["| mark | statistic | " + " | ".join(heads) + f" | grows with | for z = {ACCUSING} |", "|---" * 7 + "|"]
    for kind, mark in (("marked", "green-list"), ("gumbel", "Gumbel-max")):
        for statistic in ("text", "text weighted", "distribution", "distribution less human"):
            z = [found.get((f"{kind}{dose}", statistic, "op")) for dose in ("", "_10", "_3")]
            if None not in z:
                power, need = fitted([whole * dose for dose in (1, 0.1, 0.03)], [float(value or 0) for value in z])
                cells = " | ".join(f"{value:.1f}" for value in z)
                lines.append(f"| {mark} | {statistic} | {cells} | {power} | {need} |")
    return "z by harvested tokens, all that was asked being looked at:\n\n" + "\n".join(lines)


def left(result: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """How much of the harvest a paraphrase leaves in place."""
    said = [f"{names[student]}: {share:.2f}" for student, share in result["left"].items()]
    return "Share of the harvest's neighbouring tokens that a paraphrase leaves together: " + "; ".join(said) + "."


def needed(result: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """On paper: units for z of `ACCUSING`, by the root law, which text does not follow."""
    found = {(r["student"], r["statistic"], r["key"]): r for r in result["rows"]}
    columns = [name for name in COLUMNS if not name.startswith("text") and any(s == name for _, s, _ in found)]
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
    return "\n".join(lines)
