"""Was this model made from our answers? Power and false alarms of the keyed tests on models of known lineage.

    python benchmarks/forensics_students.py --folder out/forensics    # makes the models; resumes
    python benchmarks/forensics_model.py --folder out/forensics       # tests them; writes results and the page's tables

Students that are not made yet are left out. Every statistic is read under the right key, another operator's key, a
control key and 999 random keys, which also give the realised rate of false alarms on each student.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
import torch
from scipy import stats

import forensics_lab as lab
from forensics_students import GREEN, OPERATOR_OF, key
from stillwatch.engine.runfolder import atomic
from stillwatch.forensics.model import exact, radioactivity, twin_test
from stillwatch.forensics.model.prf import watermark_key
from stillwatch.forensics.model.radioactivity import Pairs
from stillwatch.forensics.model.watermark import Scheme

ROOT = Path(__file__).parent.parent
RESULTS, PAGE = ROOT / "benchmarks" / "results" / "forensics_model.json", ROOT / "docs" / "forensics_model.md"
DECOYS = 999
NAMES = {
    "marked": "100 % marked answers",
    "marked_10": "10 % marked, 90 % human text",
    "marked_3": "3 % marked, 97 % human text",
    "fine_tuned": "100 % marked, then fine-tuned on human text",
    "reworded_25": "100 % marked, 25 % of tokens drawn anew",
    "reworded_50": "100 % marked, 50 % of tokens drawn anew",
    "foreign": "100 % marked, tokeniser of its own",
    "gumbel": "100 % marked (Gumbel-max)",
    "unmarked": "100 % unmarked answers",
    "other_key": "100 % answers marked under another key",
    "human": "innocent: human text",
    "teacher_data": "innocent: the teacher's own training text",
    "teacher": "innocent: the teacher itself",
}
INNOCENT = {"human", "teacher_data", "teacher"}
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


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


class Kept:
    """What `forensics_students` kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def array(self, name: str) -> npt.NDArray[Any]:
        return np.load(self.folder / f"{name}.npy")

    def students(self) -> list[str]:
        found = [name for name in NAMES if (self.folder / f"text-{name}.npy").exists()]
        return [name for name in found if (self.folder / f"twins-{name}-unserved.npy").exists()]

    def model(self, name: str) -> Any:
        return torch.load(self.folder / f"{name}.pt", weights_only=False)[0]

    def texts(self, name: str) -> tuple[list[Ints], list[Ints]]:
        """(prompts, answers) in the provider's tokens."""
        rows = self.array(f"text-{name}")
        if name == "foreign":
            return [row[:0] for row in rows], [row[row >= 0] for row in rows]
        return list(rows[:, : lab.PROMPT]), list(rows[:, lab.PROMPT :])


def scheme_of(student: str) -> Scheme:
    return OPERATOR_OF.get(student, ("op", GREEN))[1] or GREEN


def marked_sums(pairs: Pairs, scheme: Scheme) -> dict[str, int]:
    """Sums under the named keys."""
    return {n: radioactivity.total(pairs, scheme, watermark_key(key(n).secret)) for n in ("op", "other", "control")}


def marks(student: str, statistic: str, pairs: Pairs, scheme: Scheme, alarms: dict[str, Any]) -> Iterator[Row]:
    """Rows of a watermark statistic; its false alarms under random keys go to `alarms`."""
    others = radioactivity.decoy_totals(pairs, scheme, DECOYS, 0)
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
    """Share of innocent sums with p at or below .05 and .01: p falls with the sum, so look for the least such sum."""
    out = {}
    kinds = np.unique(sums)
    for level in (0.05, 0.01):
        low, high = 0, len(kinds)
        while low < high:
            middle = (low + high) // 2
            if log_p(int(kinds[middle])) <= math.log(level):
                high = middle
            else:
                low = middle + 1
        out[str(level)] = float((sums >= kinds[low]).mean()) if low < len(kinds) else 0.0
    return out


def twin_rows(kept: Kept, student: str, alarms: dict[str, Any]) -> Iterator[Row]:
    """Twins by log-probabilities: a token's mean; less the teacher's; less an innocent model's."""
    operator, scheme = OPERATOR_OF.get(student, ("op", GREEN))
    served, unserved = (kept.array(f"twins-{student}-{side}") for side in ("served", "unserved"))
    dose = {"marked_10": 0.10, "marked_3": 0.03}.get(student, 1.0)
    took = round(dose * len(served))
    bases: dict[str, Floats | None] = {"twins": None}
    if (operator, scheme) == ("op", GREEN) and student != "foreign":
        for name in ("human", "teacher"):
            if student != name and (kept.folder / f"twins-{name}-unserved.npy").exists():
                bases[f"twins less {name}"] = kept.array(f"twins-{name}-served") - kept.array(f"twins-{name}-unserved")
    chance = np.random.default_rng(1)
    for statistic, base in bases.items():
        difference = (served - unserved - (0 if base is None else base))[:took]
        done = twin_test.sign_flip(difference, DECOYS)
        yield Row(
            student, statistic, operator, done.pairs, done.preferred, 0.5, done.z, exact.log10(done.log_p),
            done.as_large, DECOYS,
        )  # fmt: skip
        sizes = np.abs(twin_test.levels(difference))
        weights, counts = np.unique(sizes[sizes > 0], return_counts=True)
        flipped = (2 * chance.integers(0, 2, (DECOYS, len(sizes))) - 1) @ sizes
        alarms.setdefault(statistic, {})[student] = rates(
            flipped, lambda s, w=weights, c=counts: exact.log_tail(exact.sign(), w, c, s)
        )


def distribution_rows(kept: Kept, student: str, alarms: dict[str, Any]) -> Iterator[Row]:
    """Open logits on the student's own text, alone and less the innocent model's."""
    texts, model = kept.array(f"text-{student}"), kept.model(student)
    for name in (None, "human"):
        if name == student:
            continue
        other = kept.model(name) if name else None
        found = lab.distributions(model, other, texts, GREEN.window, lab.PROMPT)
        label = "distribution" + (f" less {name}" if name else "")
        yield from marks(student, label, radioactivity.distribution_pairs(*found), scheme_of(student), alarms)


def naive_alarms(answers: list[Ints], scheme: Scheme) -> float:
    """The trap: every token counted, a z-test at .01 under random keys."""
    rows = np.concatenate([np.lib.stride_tricks.sliding_window_view(a, scheme.window + 1) for a in answers])
    keys = np.random.default_rng(2).integers(0, 2**64, (300, 2), dtype=np.uint64)
    sums = np.array([scheme.scores(k, rows[:, :-1], rows[:, -1]).sum() for k in keys])
    z = (sums - scheme.mean * len(rows)) / math.sqrt(scheme.variance * len(rows))
    return float((z > stats.norm.isf(0.01)).mean())


def growth(kept: Kept, student: str) -> dict[str, list[dict[str, float]]]:
    """z at parts of the evidence, measured (mean of 10 draws) and as the root of units predicts it."""
    prompts, answers = kept.texts(student)
    served, unserved = (kept.array(f"twins-{student}-{side}") for side in ("served", "unserved"))
    took = round({"marked_10": 0.10, "marked_3": 0.03}.get(student, 1.0) * len(served))
    scheme, chance = scheme_of(student), np.random.default_rng(0)
    secret = watermark_key(key("op").secret)

    def text_z(rows: Ints) -> tuple[int, float]:
        pairs = radioactivity.text_pairs([answers[r] for r in rows], [prompts[r] for r in rows], scheme.window)
        excess = radioactivity.total(pairs, scheme, secret) - scheme.mean * len(pairs)
        return len(pairs), excess / math.sqrt(scheme.variance * len(pairs))

    def twin_z(rows: Ints) -> tuple[int, float]:
        return len(rows), twin_test.sign_flip((served - unserved)[:took][rows], 1).z

    out = {}
    for name, measure, most in (("text", text_z, len(answers)), ("twins", twin_z, took)):
        units, whole = measure(np.arange(most))
        points = []
        for part in (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0):
            size = round(part * most)
            if size < 10:
                continue
            drawn = [measure(chance.permutation(most)[:size]) for _ in range(10 if part < 1 else 1)]
            n, z = (float(np.mean(values)) for values in zip(*drawn, strict=True))
            points.append({"units": n, "z": z, "predicted": whole * math.sqrt(n / units)})
        out[name] = points
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/forensics"))
    parser.add_argument("--no-page", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    kept, started, load = Kept(given.folder), time.time(), os.getloadavg()[0]
    rows: list[Row] = []
    alarms: dict[str, Any] = {}
    naive: dict[str, float] = {}
    for student in kept.students():
        prompts, answers = kept.texts(student)
        scheme = scheme_of(student)
        rows += twin_rows(kept, student, alarms)
        for weighted in (False, True):
            pairs = radioactivity.text_pairs(answers, prompts, scheme.window, weighted)
            rows += marks(student, "text weighted" if weighted else "text", pairs, scheme, alarms)
        naive[student] = naive_alarms(answers, scheme)
        if student != "foreign":
            rows += distribution_rows(kept, student, alarms)
        print(f"{student}: {time.time() - started:.0f} s", flush=True)
    grown = {name: growth(kept, name) for name in ("marked", "marked_10") if name in kept.students()}
    result = {
        "sizes": sizes(kept), "load": load, "decoys": DECOYS, "rows": [asdict(row) for row in rows],
        "false_alarms": alarms, "naive_false_alarms_at_.01": naive, "growth": grown,
    }  # fmt: skip
    RESULTS.parent.mkdir(exist_ok=True)
    with atomic(RESULTS) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    from forensics_page import write

    if not given.no_page:
        write(result, PAGE, NAMES)


def sizes(kept: Kept) -> dict[str, Any]:
    """Sizes as they are, read off the models and arrays."""
    out: dict[str, Any] = {}
    for name in ("teacher", "human"):
        if (kept.folder / f"{name}.pt").exists():
            model, loss = torch.load(kept.folder / f"{name}.pt", weights_only=False)
            out[name] = {"parameters": sum(p.numel() for p in model.parameters()), "loss": loss}
            out["vocabulary"] = model.config.vocab_size
    answers = kept.array("answers-op-green-0")
    out["answers"], out["answer_tokens"] = answers.shape[0], answers.shape[1]
    out["asked"] = len(kept.array("text-human"))
    return out


if __name__ == "__main__":
    main()
