"""Vectors of requests for the detectors of query distributions: TF-IDF in 64 latent dimensions, from honest traffic.

The papers use sentence encoders; latent semantic analysis fitted on the reference is the strongest that works without
downloaded weights. All detectors read the same vectors, so they are made once a world and kept beside it; where the
cost of a detector is measured they are made anew.
"""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from benchmarks.peers.world import Log, objects, read

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST = 120
"""Requests looked at of an account: those of the least hash of their id, in order of time."""
DIMENSIONS = 64
FITTED = 12_000


@dataclass(frozen=True)
class Queries:
    """Encoded requests of a world, accounts one after another, each in order of time."""

    accounts: list[str]
    start: Ints
    """First row of each account, [accounts + 1]."""
    vectors: Floats
    """[requests, DIMENSIONS], of length 1 (0 for a request without text)."""

    def of(self, place: int) -> Floats:
        """One account's."""
        return self.vectors[self.start[place] : self.start[place + 1]]


def encoded(world: Path, reference: Path) -> tuple[Queries, Queries]:
    """A world and the reference (a world in which everybody is honest), in the space fitted on the reference."""
    mark = hashlib.sha256(str(reference.resolve()).encode()).hexdigest()[:8]
    out = []
    for folder in (world, reference):
        kept = folder / f"vectors-{mark}.npz"
        if not kept.exists():
            _encode(folder, kept, _fitted(reference))
        with np.load(kept) as found:
            out.append(Queries(found["accounts"].tolist(), found["start"], found["vectors"].astype(np.float64)))
    return out[0], out[1]


def sampled(log: Log) -> Ints:
    """Places of the events that are looked at, by account and then time."""
    order = np.array([int(hashlib.sha256(name.encode()).hexdigest()[:15], 16) for name in log.event], np.int64)
    by_account = np.lexsort((order, log.account))
    counts = np.bincount(log.account, minlength=len(log.accounts))
    rank = np.arange(len(by_account)) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen = np.sort(by_account[rank < MOST])
    return chosen[np.argsort(log.account[chosen], kind="stable")]


def _fitted(reference: Path) -> tuple[Any, Any]:
    """Vocabulary with weights, and latent dimensions; kept beside the reference."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    kept = reference / "vectors-model.pickle"
    if kept.exists():
        with kept.open("rb") as file:
            return tuple(pickle.load(file))
    log = read(reference)
    places = sampled(log)
    places = places[np.random.default_rng(0).permutation(len(places))[:FITTED]]
    words = TfidfVectorizer(sublinear_tf=True, min_df=3, max_features=30_000, dtype=np.float32)
    prompts = objects(log, "prompt")
    latent = TruncatedSVD(DIMENSIONS, random_state=0).fit(words.fit_transform([prompts[k] for k in places]))
    with kept.open("wb") as file:
        pickle.dump((words, latent), file)
    return words, latent


def _encode(folder: Path, kept: Path, model: tuple[Any, Any]) -> None:
    log = read(folder)
    places = sampled(log)
    words, latent = model
    prompts = objects(log, "prompt")
    vectors = latent.transform(words.transform([prompts[k] for k in places]))
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-9)
    start = np.searchsorted(log.account[places], np.arange(len(log.accounts) + 1))
    np.savez(kept, accounts=np.array(log.accounts), start=start, vectors=vectors.astype(np.float32))
