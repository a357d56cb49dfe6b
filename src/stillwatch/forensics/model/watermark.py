"""Watermarks for a serving stack: which tokens a key favours after which window, and a logits processor.

`green` (Kirchenbauer et al. 2023): a keyed share of the vocabulary gains `delta` in logits. `gumbel` (Aaronson 2022): a
keyed Gumbel-max draw in place of the random one, which leaves the distribution as it is, averaged over keys. With it, a
window that a sequence has seen before is drawn without the key, else text would repeat (Hu et al. 2023).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from stillwatch.forensics.model import exact
from stillwatch.forensics.model.keys import Key
from stillwatch.forensics.model.prf import hash_pairs, hash_vocabulary, unit, watermark_key

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
STEPS = 8
"""Gumbel scores are cut to whole eighths: then their sum is a whole number and its tail exact."""


@dataclass(frozen=True)
class Scheme:
    """How text is marked; serving and testing must agree on it, so it stands in the plan."""

    kind: Literal["green", "gumbel"] = "green"
    window: int = 2
    """Tokens before, which choose what is favoured."""
    share: float = 0.25
    """Of the vocabulary that is green."""
    delta: float = 2.0
    """What green tokens gain, in nats."""

    def law(self) -> exact.Law:
        """Law of one pair's score under the null."""
        return exact.bernoulli(self.share) if self.kind == "green" else exact.geometric(math.exp(-1 / STEPS))

    @property
    def mean(self) -> float:
        """Mean of one pair's score under the null."""
        return self.share if self.kind == "green" else 1 / math.expm1(1 / STEPS)

    @property
    def variance(self) -> float:
        """Variance of one pair's score under the null."""
        if self.kind == "green":
            return self.share * (1 - self.share)
        ratio = math.exp(-1 / STEPS)
        return ratio / (1 - ratio) ** 2

    def scores(self, key: Words, windows: Ints, tokens: Ints) -> Ints:
        """Score of each window [n, width] and token [n] under a key, [n]: 1 for green, else eighths of -log(1 - u)."""
        chance = unit(hash_pairs(key, windows, tokens))
        if self.kind == "green":
            return (chance < self.share).astype(np.int64)
        return np.floor(-STEPS * np.log1p(-chance)).astype(np.int64)


class Marker:
    """Marks the logits of one serving process under one key; not for a control key."""

    def __init__(self, key: Key, scheme: Scheme, seed: int | None = None) -> None:
        self.scheme = scheme
        self._key = watermark_key(key.serving())
        self._chance = np.random.default_rng(seed)

    def favours(self, windows: Ints, size: int) -> Floats:
        """What each token gains after each window [n, width]: [n, size] nats (green) or Gumbel noise (gumbel)."""
        chance = unit(hash_vocabulary(self._key, windows, size))
        if self.scheme.kind == "green":
            return np.where(chance < self.scheme.share, self.scheme.delta, 0.0)
        return -np.log(-np.log(chance))

    def __call__(self, contexts: Sequence[Ints], logits: npt.NDArray[Any]) -> Floats:
        """Logits [n, size] of n sequences, marked; `contexts` are all their tokens so far.

        For `green`, sample from the result as usual, temperature applied after. For `gumbel`, apply temperature before
        and take the largest of the result: that is the draw.
        """
        out = np.asarray(logits, dtype=np.float64).copy()
        gumbel = self.scheme.kind == "gumbel"
        rows = [n for n, seen in enumerate(contexts) if self._fresh(np.asarray(seen), gumbel)]
        if gumbel:
            plain = np.setdiff1d(np.arange(len(out)), rows)
            out[plain] += self._chance.gumbel(size=(len(plain), out.shape[1]))
        if rows:
            windows = np.array([np.asarray(contexts[n])[-self.scheme.window :] for n in rows], dtype=np.int64)
            out[rows] += self.favours(windows, out.shape[1])
        return out

    def _fresh(self, seen: Ints, once: bool) -> bool:
        """Is there a window, and (for `once`) has this sequence not seen it before?"""
        width = self.scheme.window
        if len(seen) < width:
            return False
        if not once or len(seen) == width:
            return True
        windows = np.lib.stride_tricks.sliding_window_view(seen, width)
        return not bool((windows[:-1] == windows[-1]).all(axis=1).any())


class WatermarkLogitsProcessor:
    """A `Marker` as transformers' generate calls it (`logits_processor=[...]`); needs torch only in the caller.

    For `gumbel` generate with `do_sample=False`, since the processor's noise is the draw.
    """

    def __init__(self, marker: Marker, temperature: float = 1.0) -> None:
        self.marker, self.temperature = marker, temperature

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Marked scores [n, size], a tensor like `scores`; input_ids [n, length]."""
        logits = scores.detach().float().cpu().numpy() / self.temperature
        return scores.new_tensor(self.marker(list(input_ids.cpu().numpy()), logits))
