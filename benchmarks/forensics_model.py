"""Was this model made from our answers? Power and false alarms of the keyed tests on models of known lineage.

    python benchmarks/forensics_students.py --folder out/forensics    # makes the models; resumes
    python benchmarks/forensics_model.py --folder out/forensics       # tests them; writes results and the page's tables

Students that are not made yet are left out. Every statistic is read under the right key, another operator's key, a
control key and 999 random keys, which also give the realised rate of false alarms on each student.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
import torch

import forensics_lab as lab
from forensics_curves import draw
from forensics_measure import (
    DECOYS,
    DRAWS,
    Floats,
    Ints,
    Row,
    canary_tests,
    marks,
    naive_alarms,
    text_growth,
    twin_growth,
    twins,
)
from forensics_page import write
from forensics_students import CANARIES, DOSES, GREEN, OPERATOR_OF, TIMES
from stillwatch.engine.runfolder import atomic
from stillwatch.forensics.model import radioactivity
from stillwatch.forensics.model.watermark import Scheme

ROOT = Path(__file__).parent.parent
RESULTS, PAGE = ROOT / "benchmarks" / "results" / "forensics_model.json", ROOT / "docs" / "forensics_model.md"
NAMES = {
    "marked": "100 % marked answers",
    "marked_10": "10 % marked, 90 % human text",
    "marked_3": "3 % marked, 97 % human text",
    "fine_tuned": "100 % marked, then fine-tuned on human text",
    "reworded_25": "100 % marked, 25 % of tokens drawn anew",
    "reworded_50": "100 % marked, 50 % of tokens drawn anew",
    "rewritten": "100 % marked, half of the words exchanged, some moved",
    "second": "100 % answers of the first student",
    "foreign": "100 % marked, tokeniser of its own",
    "gumbel": "100 % marked (Gumbel-max)",
    "gumbel_10": "10 % marked (Gumbel-max), 90 % human text",
    "gumbel_3": "3 % marked (Gumbel-max), 97 % human text",
    "gumbel_tuned": "100 % marked (Gumbel-max), then fine-tuned on human text",
    "wide": "100 % marked, window of 2",
    "unmarked": "100 % unmarked answers",
    "other_key": "100 % answers marked under another key",
    "human": "innocent: human text",
    "teacher_data": "innocent: the teacher's own training text",
    "teacher": "innocent: the teacher itself",
}
INNOCENT = {"human", "teacher_data", "teacher"}


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


def twin_differences(kept: Kept, student: str) -> dict[str, Floats]:
    """Served less unserved log-probabilities: alone; less an innocent model's; less the teacher's."""
    served, unserved = (kept.array(f"twins-{student}-{side}") for side in ("served", "unserved"))
    took = round(DOSES.get(student, 1.0) * len(served))
    out = {"twins": (served - unserved)[:took]}
    if student not in OPERATOR_OF and student != "foreign":
        for name in ("human", "teacher"):
            if student != name and (kept.folder / f"twins-{name}-unserved.npy").exists():
                base = kept.array(f"twins-{name}-served") - kept.array(f"twins-{name}-unserved")
                out[f"twins less {name}"] = (served - unserved - base)[:took]
    return out


def distribution_rows(kept: Kept, student: str, alarms: dict[str, Any]) -> Iterator[Row]:
    """Open logits on the student's own text, alone and less the innocent model's."""
    texts, model = kept.array(f"text-{student}"), kept.model(student)
    for name in (None, "human"):
        if name == student:
            continue
        other = kept.model(name) if name else None
        found = lab.distributions(model, other, texts, scheme_of(student).window, lab.PROMPT)
        label = "distribution" + (f" less {name}" if name else "")
        yield from marks(student, label, radioactivity.distribution_pairs(*found), scheme_of(student), alarms)


def measured(kept: Kept, student: str) -> dict[str, Any]:
    """Everything about one student, measured once and kept."""
    path = kept.folder / f"measured-{student}.json"
    if path.exists():
        out: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return out
    started = time.process_time()
    prompts, answers = kept.texts(student)
    scheme, operator = scheme_of(student), OPERATOR_OF.get(student, ("op", GREEN))[0]
    alarms: dict[str, Any] = {}
    differences = twin_differences(kept, student)
    rows = [twins(student, name, operator, values, alarms) for name, values in differences.items()]
    for weighted in (False, True):
        pairs = radioactivity.text_pairs(answers, prompts, scheme.window, weighted)
        rows += marks(student, "text weighted" if weighted else "text", pairs, scheme, alarms)
    if student != "foreign":
        rows += distribution_rows(kept, student, alarms)
    grown: dict[str, Any] = {}
    if student not in INNOCENT:
        grown["text"] = text_growth(answers, prompts, scheme, operator)
        grown["text weighted"] = text_growth(answers, prompts, scheme, operator, weighted=True)
        grown |= {n: twin_growth(differences[n]) for n in ("twins", "twins less human") if n in differences}
    out = {
        "student": student, "rows": [asdict(row) for row in rows], "false_alarms": alarms,
        "naive": naive_alarms(answers, scheme), "growth": grown,
    }  # fmt: skip
    path.write_text(json.dumps(out), encoding="utf-8")
    print(f"{student}: {time.process_time() - started:.0f} CPU s", flush=True)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/forensics"))
    parser.add_argument("--no-page", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    kept, load = Kept(given.folder), os.getloadavg()[0]
    found = [measured(kept, student) for student in kept.students()]
    alarms: dict[str, Any] = {}
    for one in found:
        for statistic, rates in one["false_alarms"].items():
            alarms.setdefault(statistic, {}).update(rates)
    result = {
        "sizes": sizes(kept), "load": load, "decoys": DECOYS, "rows": [row for one in found for row in one["rows"]],
        "false_alarms": alarms, "naive_false_alarms_at_.01": {one["student"]: one["naive"] for one in found},
        "growth": {one["student"]: one["growth"] for one in found if one["growth"]}, "draws": DRAWS,
        "schemes": {name: scheme_of(name).kind for name in kept.students()},
        "left": {n: float(kept.array(f"left-{n}")) for n in NAMES if (given.folder / f"left-{n}.npy").exists()},
    }  # fmt: skip
    if (given.folder / "canaries-told.npy").exists():
        scores = {name: kept.array(f"canaries-{name}") for name in ("told", "human")}
        result["canaries"] = canary_tests(scores, CANARIES, TIMES)
    RESULTS.parent.mkdir(exist_ok=True)
    with atomic(RESULTS) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if not given.no_page:
        write(result, PAGE, NAMES, "forensics_model.py")
        draw(result, NAMES)


def sizes(kept: Kept) -> dict[str, Any]:
    """Sizes as they are, read off the models and arrays."""
    out: dict[str, Any] = {}
    for name in ("teacher", "human"):
        if (kept.folder / f"{name}.pt").exists():
            model, loss = torch.load(kept.folder / f"{name}.pt", weights_only=False)
            out[name] = {"parameters": sum(p.numel() for p in model.parameters()), "loss": loss}
            out["vocabulary"] = model.config.vocab_size
    answers = kept.array("answers-op-green1-0")
    out["answers"], out["answer_tokens"] = answers.shape[0], answers.shape[1]
    out["asked"] = len(kept.array("text-human"))
    return out


if __name__ == "__main__":
    main()
