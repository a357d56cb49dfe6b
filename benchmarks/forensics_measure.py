"""What the forensics benchmarks measure of a student, whatever kind of model it is: numpy alone."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from stillwatch.forensics.model import canaries, exact, radioactivity, twin_test
from stillwatch.forensics.model.canaries import Canary
from stillwatch.forensics.model.keys import Key
from stillwatch.forensics.model.prf import derive, watermark_key
from stillwatch.forensics.model.radioactivity import Pairs
from stillwatch.forensics.model.watermark import Scheme

DECOYS = 999
LEVELS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
ACCUSING = 1e-8
"""p of one test that stays at 1e-6 corrected for a hundred."""
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
PARTS, DRAWS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0), 10


def key(name: str) -> Key:
    """Keys of the benchmark; they are no secret."""
    role = "control" if name == "control" else "operator"
    return Key(name, 1, role, datetime(2026, 1, 1, tzinfo=UTC), derive(b"forensics benchmark", name))  # type: ignore[arg-type]


@dataclass
class Row:
    """One statistic of one student under one key."""

    student: str
    statistic: str
    key: str
    units: int
    observed: float
    expected: float
    z: float
    log10_p: float
    as_large: int
    checks: int


def marked_sums(pairs: Pairs, scheme: Scheme) -> dict[str, int]:
    """Sums under the named keys."""
    return {n: radioactivity.total(pairs, scheme, watermark_key(key(n).secret)) for n in ("op", "other", "control")}


def seed_of(student: str) -> int:
    """Each student has random keys of its own: students share pairs, and so would their false alarms."""
    return zlib.crc32(student.encode())


def marks(student: str, statistic: str, pairs: Pairs, scheme: Scheme, alarms: dict[str, Any]) -> Iterator[Row]:
    """Rows of a watermark statistic; its false alarms under random keys go to `alarms`."""
    if not len(pairs):
        return
    others = radioactivity.decoy_totals(pairs, scheme, DECOYS, seed_of(student))
    center = scheme.mean * float(pairs.weights.sum())
    deviation = math.sqrt(scheme.variance * float((pairs.weights**2).sum()))
    size = float(np.abs(pairs.weights).sum())
    alarms.setdefault(statistic, {})[student] = rates(others, lambda s: radioactivity.log_p(pairs, scheme, s))
    for name, value in marked_sums(pairs, scheme).items():
        log_p = exact.log10(radioactivity.log_p(pairs, scheme, value))
        large = int((others >= value).sum())
        yield Row(
            student, statistic, name, len(pairs), value / size, center / size, (value - center) / deviation, log_p,
            large, DECOYS,
        )  # fmt: skip


def rates(sums: Ints, log_p: Any) -> dict[str, float]:
    """Share of innocent sums with p at or below each level: p falls with the sum, so look for the least such sum."""
    out = {}
    kinds = np.unique(sums)
    for level in LEVELS:
        place = int(np.searchsorted(kinds, np.quantile(sums, 1 - level)))
        low, high, step = place, place, 1
        while low > 0 and log_p(int(kinds[low])) <= math.log(level):
            high, low, step = low, max(0, low - step), 2 * step
        while high < len(kinds) and log_p(int(kinds[high])) > math.log(level):
            low, high, step = high, min(len(kinds), high + step), 2 * step
        while low < high:
            middle = (low + high) // 2
            if log_p(int(kinds[middle])) <= math.log(level):
                high = middle
            else:
                low = middle + 1
        out[str(level)] = float((sums >= kinds[low]).mean()) if low < len(kinds) else 0.0
    return out


def twins(student: str, statistic: str, operator: str, difference: Floats, alarms: dict[str, Any]) -> Row:
    """Row of a twin test on differences [n], served less unserved; its false alarms under random flips to `alarms`."""
    done = twin_test.sign_flip(difference, DECOYS)
    sizes = np.abs(twin_test.levels(difference))
    weights, counts = np.unique(sizes[sizes > 0], return_counts=True)
    flipped = (2 * np.random.default_rng(seed_of(student)).integers(0, 2, (DECOYS, len(sizes))) - 1) @ sizes
    alarms.setdefault(statistic, {})[student] = rates(
        flipped, lambda s: exact.log_tail(exact.sign(), weights, counts, s)
    )
    return Row(
        student, statistic, operator, done.pairs, done.preferred, 0.5, done.z, exact.log10(done.log_p), done.as_large,
        DECOYS,
    )  # fmt: skip


def canary_tests(scores: Mapping[str, Floats], told: Sequence[Canary], times: Sequence[int]) -> dict[str, Any]:
    """Rank tests of each model's scores [places, drawn] under the operator's key by how often a place was told, and the
    rate of false alarms over random keys."""
    out: dict[str, Any] = {"rows": [], "false_alarms": {}}
    often = np.array([times[n % len(times)] for n in range(len(told))])

    def chosen(secret: bytes) -> Ints:
        return np.array([canaries.served(secret, one.place, len(one.answers)) for one in told])

    for name, values in scores.items():
        for count in times:
            which = often == count
            done = canaries.ranks(values[which], chosen(key("op").secret)[which])
            out["rows"].append(
                {"model": name, "times": count, "places": done.places, "drawn": done.drawn, "rank": done.rank,
                 "log10_p": exact.log10(done.log_p)}
            )  # fmt: skip
        p = [canaries.ranks(values, chosen(derive(b"random key", f"{name} {n}"))).log_p for n in range(DECOYS)]
        out["false_alarms"][name] = {str(level): float(np.mean(np.array(p) <= math.log(level))) for level in LEVELS}
    return out


def naive_alarms(answers: list[Ints], scheme: Scheme) -> float:
    """The trap: every token counted, a z-test at .01 under random keys."""
    rows = np.concatenate([np.lib.stride_tricks.sliding_window_view(a, scheme.window + 1) for a in answers])
    keys = np.random.default_rng(2).integers(0, 2**64, (300, 2), dtype=np.uint64)
    sums = np.array([scheme.scores(k, rows[:, :-1], rows[:, -1]).sum() for k in keys])
    z = (sums - scheme.mean * len(rows)) / math.sqrt(scheme.variance * len(rows))
    return float((z > stats.norm.isf(0.01)).mean())


def text_growth(
    answers: Sequence[Ints], prompts: Sequence[Ints], scheme: Scheme, operator: str, weighted: bool = False
) -> list[dict[str, float]]:
    """The text statistic at parts of the answers, measured, and z as the root law predicts it from all of them."""
    secret = watermark_key(key(operator).secret)

    def measure(rows: Ints) -> tuple[int, float, float]:
        pairs = radioactivity.text_pairs(
            [answers[r] for r in rows], [prompts[r] for r in rows], scheme.window, weighted
        )
        observed = radioactivity.total(pairs, scheme, secret)
        excess = observed - scheme.mean * float(pairs.weights.sum())
        z = excess / math.sqrt(scheme.variance * float((pairs.weights**2).sum()))
        return len(pairs), z, radioactivity.log_p(pairs, scheme, observed)

    return _growth(measure, [len(answer) for answer in answers])


def twin_growth(difference: Floats) -> list[dict[str, float]]:
    """The twin test at parts of the twins, measured, and z as the root law predicts it from all of them."""

    def measure(rows: Ints) -> tuple[int, float, float]:
        done = twin_test.sign_flip(difference[rows], 1)
        return len(rows), done.z, done.log_p

    return _growth(measure, [1] * len(difference))


def _growth(measure: Callable[[Ints], tuple[int, float, float]], sizes: Sequence[int]) -> list[dict[str, float]]:
    """Means over `DRAWS` draws of each part: units, z, and the share whose p is `ACCUSING` or less; `asked`: how much
    was drawn, in sizes."""
    chance, most = np.random.default_rng(0), len(sizes)
    units, whole, _ = measure(np.arange(most))
    points = []
    for part in PARTS:
        count = round(part * most)
        if count < 10:
            continue
        drawn = [chance.permutation(most)[:count] for _ in range(DRAWS if part < 1 else 1)]
        n, z, log_p = (np.array(values) for values in zip(*map(measure, drawn), strict=True))
        points.append({
            "asked": float(np.mean([np.take(sizes, rows).sum() for rows in drawn])), "units": float(n.mean()),
            "z": float(z.mean()), "predicted": whole * math.sqrt(n.mean() / units),
            "power": float((log_p <= math.log(ACCUSING)).mean()), "draws": len(drawn),
        })  # fmt: skip
    return points
