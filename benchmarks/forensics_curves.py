"""docs/forensics_curves.png: false alarms against the stated level, and power against the evidence looked at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter
from scipy import stats

from forensics_page import by_scheme

PLOT = Path(__file__).parent.parent / "docs" / "forensics_curves.png"
SHOWN = ("marked", "marked_10", "marked_3", "fine_tuned", "rewritten", "second", "foreign", "gumbel", "gumbel_10")


def draw(result: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Write the plot."""
    figure, axes = plt.subplots(1, 3, figsize=(16, 6), layout="constrained")
    _alarms(axes[0], result)
    _power(axes[1], result, names, "text weighted", "tokens of the suspect's text")
    _power(axes[2], result, names, "twins less human", "twins with log-probabilities")
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower right", ncols=3, fontsize=8)
    figure.savefig(PLOT, dpi=90, metadata={"Software": None})


def _alarms(axis: Axes, result: Mapping[str, Any]) -> None:
    found, fewest = by_scheme(result), 10**9
    if "canaries" in result:
        found["canaries"] = result["canaries"]["false_alarms"]
    for name, by_student in found.items():
        levels = list(next(iter(by_student.values())))
        rates = [np.mean([rates[level] for rates in by_student.values()]) for level in levels]
        nominal = np.array([float(level) for level in levels])
        axis.plot(nominal, np.array(rates) / nominal, marker=".", linewidth=0.8, label=name)
        fewest = min(fewest, result["decoys"] * len(by_student))
    low, high = stats.binom.ppf([[0.005], [0.995]], fewest, nominal) / fewest / nominal
    axis.fill_between(nominal, low, high, color="0.9", label=f"99 % of {fewest:,} random keys")
    axis.axhline(1, color="0.5", linewidth=0.8)
    axis.set(xscale="log", ylim=(0, 3), xlabel="stated level", ylabel="realised rate / stated level")
    axis.set_title("False alarms under random keys")
    axis.legend(fontsize=7)


def _power(axis: Axes, result: Mapping[str, Any], names: Mapping[str, str], statistic: str, unit: str) -> None:
    for student in SHOWN:
        points = result["growth"].get(student, {}).get(statistic)
        if points:
            z = [max(point["z"], 0.05) for point in points]
            axis.plot([point["asked"] for point in points], z, marker=".", linewidth=1, label=names[student])
    axis.axhline(5.6, color="0.3", linestyle="--", linewidth=0.8)
    axis.set(xscale="log", yscale="log", ylim=(0.3, None), xlabel=unit, ylabel="z, mean of ten draws")
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_title(f"{statistic}: the dashed line accuses")
