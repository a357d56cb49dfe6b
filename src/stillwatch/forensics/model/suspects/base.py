"""What a suspect that answers for itself can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Scored:
    """Log-probability of a whole answer after its prompt, in nats, and the suspect's number of tokens in it."""

    logprob: float
    tokens: int


@dataclass(frozen=True)
class Positions:
    """Next-token distributions: windows [n, width], tokens [n] and their probabilities [n], a row a likely token."""

    windows: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.int64]
    chances: npt.NDArray[np.float64]


class Suspect(Protocol):
    """A model that can be asked."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Scored] | None:
        """Log-probabilities of answers after prompts; None if the suspect gives none."""

    def generate(self, prompts: Sequence[str], most: int, temperature: float, seed: int) -> list[str]:
        """One answer a prompt, at most `most` tokens."""

    def positions(self, texts: Sequence[tuple[str, str]], tokenizer: object, width: int) -> Positions | str:
        """Distributions within answers after prompts, or why there are none."""
