"""Makes the models of the forensics benchmark and what the tests read of them; each student is kept, so it resumes.

    python benchmarks/forensics_students.py --folder out/forensics [--scale 1] [--text FOLDER]

A teacher learns from one half of the text. An operator asks it for answers; each request has twins, both marked. What
was served becomes its student's data, alone or as a small part beside human text of the other half.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from transformers import GPT2LMHeadModel

import forensics_corpus as corpus
import forensics_lab as lab
from forensics_measure import key
from forensics_rewriter import Rewriter
from forensics_rewriter import kept as left
from stillwatch.forensics.model import canaries
from stillwatch.forensics.model.canaries import Canary
from stillwatch.forensics.model.twin_test import coins
from stillwatch.forensics.model.watermark import Marker, Scheme

Ints = npt.NDArray[np.int64]
GREEN, GUMBEL, WIDE = Scheme("green", 1, 0.25, 2.0), Scheme("gumbel", 1), Scheme("green", 2, 0.25, 2.0)
DOSES = {"marked": 1.0, "marked_10": 0.10, "marked_3": 0.03, "gumbel_10": 0.10, "gumbel_3": 0.03}


@dataclass(frozen=True)
class Sizes:
    """How large everything is; `scale` multiplies counts of answers and steps."""

    vocabulary: int = 1024
    teacher: tuple[int, int] = (128, 3)
    student: tuple[int, int] = (64, 2)
    teacher_steps: int = 1500
    student_steps: int = 300
    answers: int = 1500
    asked: int = 600

    @classmethod
    def scaled(cls, scale: float) -> Sizes:
        d = cls()
        counts = (d.teacher_steps, d.student_steps, d.answers, d.asked)
        return cls(d.vocabulary, d.teacher, d.student, *(max(20, round(scale * n)) for n in counts))


class Lab:
    """The teacher, its answers, and students made of them, under `folder`."""

    def __init__(self, folder: Path, sizes: Sizes, text: Path | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.sizes = folder, sizes
        self.halves = cache(lambda: corpus.halves(text))
        self.tokens = self._tokens("tokenizer.json", 0, sizes.vocabulary)
        self.taught, self.human = (
            self.kept(name, lambda n=n: np.array(self.tokens.encode(self.halves()[n]).ids, dtype=np.int64))
            for n, name in enumerate(("taught", "other"))
        )
        self.losses: dict[str, float] = {}
        self.teacher = self.model("teacher", self._teach)
        self.asked = lab.prompts(self.human, sizes.answers, 1)
        self.probes = lab.prompts(self.human, sizes.asked, 2)
        self.ids = [f"request-{n}" for n in range(sizes.answers)]

    def _tokens(self, name: str, half: int, size: int) -> Tokenizer:
        """A tokeniser of one half of the text, made once."""
        path = self.folder / name
        if not path.exists():
            lab.tokenizer(self.halves()[half], size).save(str(path))
        return Tokenizer.from_file(str(path))

    def _teach(self) -> GPT2LMHeadModel:
        model = lab.fresh(self.sizes.vocabulary, *self.sizes.teacher, seed=0)
        self.losses["teacher"] = lab.train(model, self.taught, self.sizes.teacher_steps, 0)
        return model

    def model(self, name: str, make: Callable[[], GPT2LMHeadModel]) -> GPT2LMHeadModel:
        """A model by name, made once."""
        path = self.folder / f"{name}.pt"
        if path.exists():
            model, self.losses[name] = torch.load(path, weights_only=False)
            return model
        started = time.process_time()
        model = make()
        torch.save((model, self.losses.get(name, float("nan"))), path)
        print(
            f"{name}: loss {self.losses.get(name, float('nan')):.3f}, {time.process_time() - started:.0f} CPU s",
            flush=True,
        )
        return model

    def kept(self, name: str, make: Callable[[], Any]) -> Any:
        """An array by name, made once."""
        path = self.folder / f"{name}.npy"
        if not path.exists():
            np.save(path, make())
        return np.load(path)

    def answers(self, name: str, marker: Marker | None, seed: int) -> Ints:
        """One answer of the teacher to each request."""
        return self.kept(f"answers-{name}", lambda: lab.answers(self.teacher, self.asked, seed, marker))

    def twins(self, name: str, scheme: Scheme | None) -> tuple[Ints, Ints]:
        """(served, not served) answers of an operator whose key is `name`."""
        marker = (lambda seed: Marker(key(name), scheme, seed)) if scheme else (lambda _: None)
        label = f"{name}-{scheme.kind}{scheme.window}" if scheme else f"{name}-plain"
        both = np.stack([self.answers(f"{label}-{n}", marker(n), 10 * n + len(label)) for n in (0, 1)])
        coin = coins(key(name).secret, self.ids)
        rows = np.arange(len(coin))
        return both[coin, rows], both[1 - coin, rows]

    def student(
        self, name: str, stream: Ints, *, base: GPT2LMHeadModel | None = None, seed: int = 7
    ) -> GPT2LMHeadModel:
        """A student trained from scratch on a stream, or further from `base`."""

        def make() -> GPT2LMHeadModel:
            model = lab.fresh(self.sizes.vocabulary, *self.sizes.student, seed=seed)
            if base is not None:
                model.load_state_dict(base.state_dict())
            steps = self.sizes.student_steps // (1 if base is None else 2)
            rate = 2e-3 if base is None else 1e-3
            self.losses[name] = lab.train(model, stream, steps, seed, rate)
            return model

        return self.model(name, make)


def stream(made: Lab, name: str) -> Ints:
    """A student's training data; all of one length."""
    piece = lab.PROMPT + lab.ANSWER
    size = len(made.asked) * piece
    if name == "human":
        return np.resize(made.human, size)
    if name == "teacher_data":
        return np.resize(made.taught, size)
    served = lab.joined(made.asked, made.twins(*OPERATOR_OF.get(name, ("op", GREEN)))[0])
    part = served[: round(DOSES.get(name, 1.0) * len(made.asked)) * piece]
    return lab.mixed([part, np.resize(made.human, size)[: size - len(part)]], seed=3)


def texts_of(made: Lab, name: str, model: GPT2LMHeadModel) -> Ints:
    """What a student says to the probes: [asked, PROMPT + ANSWER]."""
    return made.kept(f"text-{name}", lambda: np.concatenate([made.probes, lab.answers(model, made.probes, 5)], axis=1))


def read(made: Lab, name: str, model: GPT2LMHeadModel, operator: str, scheme: Scheme | None) -> None:
    """Keep what the tests read: text, log-probabilities of twins."""
    texts_of(made, name, model)
    for side, answer in zip(("served", "unserved"), made.twins(operator, scheme), strict=True):
        made.kept(f"twins-{name}-{side}", lambda a=answer: lab.log_probabilities(model, made.asked, a))


TIMES, DRAWN = (1, 4, 16), 100
CANARIES = [canaries.draw(key("op"), f"place {n}", f"Parcel number {n}: #", DRAWN) for n in range(60)]
"""Places, told once, four and sixteen times in turn."""
OPERATOR_OF = {
    "other_key": ("other", GREEN), "unmarked": ("op", None), "wide": ("op", WIDE),
    **{f"gumbel{more}": ("op", GUMBEL) for more in ("", "_10", "_3", "_tuned")},
}  # fmt: skip
"""Whose twins a student is asked about; all others: those of operator `op`, marked green."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("out/forensics"))
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--text", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    made = Lab(given.folder, Sizes.scaled(given.scale), given.text)

    def train(*names: str) -> None:
        for name in names:
            read(made, name, made.student(name, stream(made, name)), *OPERATOR_OF.get(name, ("op", GREEN)))

    def tuned(name: str, before: str) -> None:
        later = made.student(name, stream(made, "human"), base=made.student(before, stream(made, before)))
        read(made, name, later, *OPERATOR_OF.get(name, ("op", GREEN)))

    train("human", "marked", "marked_10", "marked_3")
    tuned("fine_tuned", "marked")
    train("gumbel")
    rewritten(made)
    foreign(made, made.twins("op", GREEN)[0])
    told(made)
    train("unmarked", "other_key")
    second(made)
    train("gumbel_10", "gumbel_3")
    read(made, "teacher", made.teacher, "op", GREEN)
    reworded(made, 25)
    train("teacher_data")
    tuned("gumbel_tuned", "gumbel")
    reworded(made, 50)
    train("wide")
    (given.folder / "losses.json").write_text(json.dumps(made.losses, indent=1))


def reworded(made: Lab, share: int) -> None:
    """A student on answers of which `share` % of the tokens were drawn anew by the innocent model."""
    served, writer = made.twins("op", GREEN)[0], made.student("human", stream(made, "human"))
    texts = np.concatenate([made.asked, served], axis=1)
    new = made.kept(f"reworded-{share}", lambda: lab.reworded(texts, writer, share / 100, 9))
    name = f"reworded_{share}"
    read(made, name, made.student(name, new.reshape(-1)), "op", GREEN)
    made.kept(f"left-{name}", lambda: np.array(left(texts.tolist(), new.tolist())))


def rewritten(made: Lab) -> None:
    """A student on answers whose words were exchanged for words of like use, half of them, and three in twenty of them
    for their neighbours."""
    texts = np.concatenate([made.asked, made.twins("op", GREEN)[0]], axis=1)

    @cache
    def new() -> list[list[int]]:
        chance, writer = np.random.default_rng(13), Rewriter(made.halves()[1])
        said = [writer(made.tokens.decode(row.tolist()), 0.5, 0.15, chance) for row in texts]
        return [made.tokens.encode(text).ids for text in said]

    stream = made.kept("rewritten", lambda: np.array([id for ids in new() for id in ids], dtype=np.int64))
    read(made, "rewritten", made.student("rewritten", stream), "op", GREEN)
    made.kept("left-rewritten", lambda: np.array(left(texts.tolist(), new())))


def second(made: Lab) -> None:
    """A student of the marked student: the requests answered anew by a model without any key."""
    first = made.student("marked", stream(made, "marked"))
    said = made.kept("answers-second", lambda: lab.answers(first, made.asked, 17))
    read(made, "second", made.student("second", lab.joined(made.asked, said)), "op", GREEN)


def told(made: Lab) -> None:
    """A student on human text in which canaries stand, and how likely it and the innocent find all that were drawn."""
    texts = [one.prompt + one.answers[canaries.served(key("op").secret, one.place, DRAWN)] for one in CANARIES]
    lines = [f"\n{text}\n" for n, text in enumerate(texts) for _ in range(TIMES[n % len(TIMES)])]
    chance, human = np.random.default_rng(11), stream(made, "human")
    cuts = np.sort(chance.integers(0, len(human), len(lines)))
    parts = np.split(human, cuts)
    for place, line in enumerate(chance.permutation(lines).tolist()):
        parts[place] = np.concatenate([parts[place], made.tokens.encode(line).ids])
    student = made.student("told", np.concatenate(parts))
    for name, model in (("told", student), ("human", made.student("human", human))):
        made.kept(f"canaries-{name}", lambda m=model: np.array([_liked(made, m, one) for one in CANARIES]))


def _liked(made: Lab, model: GPT2LMHeadModel, canary: Canary) -> npt.NDArray[np.float64]:
    """Log-probability of each answer of a place after its prompt."""
    given, out = made.tokens.encode(canary.prompt).ids, np.empty(len(canary.answers))
    coded = [made.tokens.encode(answer).ids for answer in canary.answers]
    for length in sorted({len(ids) for ids in coded}):
        which = [n for n, ids in enumerate(coded) if len(ids) == length]
        before = np.tile(np.array(given, dtype=np.int64), (len(which), 1))
        out[which] = lab.log_probabilities(model, before, np.array([coded[n] for n in which], dtype=np.int64))
    return out


def foreign(made: Lab, served: Ints) -> None:
    """A student with a tokeniser of its own; its text comes back in the provider's tokens, ragged, padded with -1."""
    own = made._tokens("foreign.json", 1, made.sizes.vocabulary // 2)
    turn = [made.tokens.decode(row.tolist()) for row in np.concatenate([made.asked, served], axis=1)]
    stream = np.array([id for text in turn for id in own.encode(text).ids], dtype=np.int64)
    model = made.student("foreign", stream)  # its upper tokens are never used

    def say() -> Ints:
        given = [own.encode(made.tokens.decode(row.tolist())).ids for row in made.probes]
        width = min(len(ids) for ids in given)
        start = np.array([ids[-width:] for ids in given], dtype=np.int64)
        said = lab.answers(model, start, 5)
        back = [made.tokens.encode(own.decode(row.tolist())).ids for row in said]
        out = np.full((len(back), max(len(ids) for ids in back)), -1, dtype=np.int64)
        for place, ids in enumerate(back):
            out[place, : len(ids)] = ids
        return out

    made.kept("text-foreign", say)
    for side, answer in zip(("served", "unserved"), made.twins("op", GREEN), strict=True):
        made.kept(f"twins-foreign-{side}", lambda a=answer: _foreign_logs(made, model, own, a))


def _foreign_logs(made: Lab, model: GPT2LMHeadModel, own: Tokenizer, answer: Ints) -> npt.NDArray[np.float64]:
    """Log-probability of each answer after its prompt in the student's tokens, cut at the model's length."""
    out = np.empty(len(answer))
    for place, (prompt, said) in enumerate(zip(made.asked, answer, strict=True)):
        before = own.encode(made.tokens.decode(prompt.tolist())).ids
        after = own.encode(made.tokens.decode(said.tolist())).ids[: lab.LENGTH - len(before)]
        ids = np.array([before + after], dtype=np.int64)
        out[place] = lab.log_probabilities(model, ids[:, : len(before)], ids[:, len(before) :])[0] / len(after)
    return out


if __name__ == "__main__":
    main()
