"""Events -> the text columns of `sketches`. Raw text stops here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.hashing import buffers, hash64_array
from stillwatch.ingest.text.labels import cue_table
from stillwatch.ingest.text.lexical import EDGE, SCRIPTS, WHOLE, Lexical, sketch, tokens
from stillwatch.ingest.text.messages import Asked, asked, tool_names
from stillwatch.ingest.text.tokens import PLACEHOLDERS
from stillwatch.model import BANDS, LABELS, SKELETONS, SKETCHES, VECTOR
from stillwatch.settings import IngestSettings

REPEATS = 3
"""Times a skeleton must occur in a batch for its masked text to be kept."""
EXEMPLAR = 300
"""Characters of masked text kept."""


@dataclass(frozen=True)
class SketchColumns:
    """Text columns of `model.SKETCHES`, masked text of skeletons that repeat, and how many texts were cut."""

    columns: pa.RecordBatch
    skeletons: pa.RecordBatch
    cut: int


def sketch_batch(events: pa.RecordBatch | pa.Table, settings: IngestSettings | None = None) -> SketchColumns:
    """Sketch the columns `messages`, `system` and `tools` of a batch of `model.EVENTS`."""
    settings = settings or IngestSettings()
    requests = [asked(m, s) for m, s in zip(_strings(events, "messages"), _strings(events, "system"), strict=True)]
    user, cut_user = _bytes([request.user for request in requests], settings.max_text_bytes)
    system, cut_system = _bytes([request.system for request in requests], settings.max_text_bytes)
    has_text = np.array([request.user is not None for request in requests], dtype=bool)
    has_system = np.array([request.system is not None for request in requests], dtype=bool)
    of_user, of_system = _sketch(user), _distinct(system)
    columns = _columns(requests, of_user, of_system, has_text, has_system)
    tools = pa.array([tool_names(value) for value in _strings(events, "tools")], pa.string())
    columns["tools_skeleton"] = pa.array(hash64_array(tools), mask=np.asarray(tools.is_null()))
    columns["script"] = pa.array(SCRIPTS, pa.string()).take(pa.array(of_user.script, mask=~has_text))
    names = [field.name for field in SKETCHES if field.name in columns]
    arrays = [columns[name].cast(SKETCHES.field(name).type) for name in names]
    parts = [("whole", of_user.skeleton, user), ("lead", of_user.lead, user), ("trail", of_user.trail, user)]
    texts = _exemplars([*parts, ("system", of_system.skeleton, system)], settings.exemplars)
    return SketchColumns(pa.RecordBatch.from_arrays(arrays, names=names), texts, cut_user + cut_system)


def _strings(events: pa.RecordBatch | pa.Table, name: str) -> list[str | None]:
    """Column as Python strings; broken UTF-8 is replaced. All None where the column is absent."""
    if name not in events.schema.names:
        return [None] * events.num_rows
    column = events.column(name)
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        values = column.cast(pa.binary()).to_pylist()
        return [None if value is None else value.decode("utf-8", "replace") for value in values]


def _bytes(texts: list[str | None], most: int) -> tuple[list[bytes], int]:
    """UTF-8 of each text, cut at `most` bytes; b"" for None; and how many were cut."""
    out, cut = [], 0
    for text in texts:
        data = b"" if text is None else text.encode("utf-8", "replace")
        if len(data) > most:
            data, cut = data[:most].decode("utf-8", "ignore").encode(), cut + 1
        out.append(data)
    return out, cut


def _sketch(texts: list[bytes]) -> Lexical:
    data, offsets = buffers(pa.array(texts, pa.large_binary()))
    return sketch(data, offsets, cue_table())


def _distinct(texts: list[bytes]) -> Lexical:
    """System instructions repeat: each distinct text is sketched once."""
    encoded = pa.array(texts, pa.large_binary()).dictionary_encode()
    once, place = _sketch(encoded.dictionary.to_pylist()), encoded.indices.to_numpy()
    names = ("skeleton", "lead", "trail", "item", "bands", "vector", "labels", "words", "script")
    return Lexical(*(getattr(once, name)[place] for name in names))


def _columns(
    requests: list[Asked],
    user: Lexical,
    system: Lexical,
    has_text: npt.NDArray[np.bool_],
    has_system: npt.NDArray[np.bool_],
) -> dict[str, pa.Array]:
    """Everything numeric; null where there is no text."""
    none = ~has_text
    out = {
        "skeleton": pa.array(user.skeleton, mask=none),
        "lead_skeleton": pa.array(user.lead, mask=none),
        "trail_skeleton": pa.array(user.trail, mask=none),
        "item": pa.array(user.item, mask=none),
        "system_skeleton": pa.array(system.skeleton, mask=~has_system),
        "bands": pa.FixedSizeListArray.from_arrays(pa.array(user.bands.ravel()), BANDS, mask=pa.array(none)),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(user.vector.ravel()), VECTOR, mask=pa.array(none)),
        "words": pa.array(user.words, mask=none),
        "turns": pa.array([request.turns for request in requests], pa.int32()),
    }
    # what the system prompt asks for is asked of every message
    labels = np.maximum(user.labels, np.where(has_system[:, None], system.labels, 0))
    for place, name in enumerate(LABELS):
        out[name] = pa.array(labels[:, place], mask=none & ~has_system)
    return out


def _exemplars(parts: list[tuple[str, npt.NDArray[np.uint64], list[bytes]]], wanted: bool) -> pa.RecordBatch:
    """Masked text of the skeletons that occur at least `REPEATS` times in the batch."""
    rows: list[tuple[int, str, str, int]] = []
    for part, hashes, texts in parts if wanted else []:
        values, first, count = np.unique(hashes, return_index=True, return_counts=True)
        for k in np.flatnonzero(count >= REPEATS).tolist():
            text = texts[first[k]]
            if text:
                rows.append((int(values[k]), part, masked(text, part), int(count[k])))
    columns = list(zip(*rows, strict=True)) if rows else [[], [], [], []]
    arrays = [pa.array(list(column), field.type) for column, field in zip(columns, SKELETONS, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SKELETONS)


def masked(text: bytes, part: str = "whole") -> str:
    """Text of a skeleton: placeholders for what varies, payload for the middle of a long text."""
    _, begins, ends, kinds = tokens(text)
    words = [
        PLACEHOLDERS[kind] or text[begin:end].decode("utf-8", "replace").lower()
        for begin, end, kind in zip(begins.tolist(), ends.tolist(), kinds.tolist(), strict=True)
    ]
    if part == "lead":
        words = words[:EDGE]
    elif part == "trail":
        words = words[-EDGE:]
    elif len(words) > WHOLE:
        words = [*words[:EDGE], "<payload>", *words[-EDGE:]]
    return " ".join(words)[:EXEMPLAR]
