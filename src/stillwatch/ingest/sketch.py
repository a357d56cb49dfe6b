"""Events -> the text columns of `sketches`. Raw text stops here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.hashing import buffers, hash64_array
from stillwatch.ingest.columns import valid_text
from stillwatch.ingest.text.extract import Texts, answers, last_user, utf8
from stillwatch.ingest.text.fingerprint import fingerprints
from stillwatch.ingest.text.kernel import Lexical, nothing, sketch
from stillwatch.ingest.text.messages import instructions, tool_names
from stillwatch.ingest.text.show import masked_rows
from stillwatch.ingest.text.unicode import SCRIPTS
from stillwatch.ingest.text.vector import packed
from stillwatch.model import LABELS, SKELETONS, SKETCHES
from stillwatch.settings import IngestSettings

SketchSettings: TypeAlias = IngestSettings
REPEATS = 3
"""Times a skeleton must occur in a batch for its masked text to be kept."""
EXEMPLAR = 300
"""Characters of masked text kept."""
Bytes: TypeAlias = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


@dataclass(frozen=True)
class SketchColumns:
    """Text columns of `model.SKETCHES`, masked text of skeletons that repeat, texts cut, messages that were no JSON.
    `answers`: text columns of `model.ANSWERS` and `row`, the place in the batch, of the rows with an answer."""

    columns: pa.RecordBatch
    skeletons: pa.RecordBatch
    answers: pa.RecordBatch
    cut: int
    malformed: int


def sketch_batch(events: pa.RecordBatch | pa.Table, settings: SketchSettings | None = None) -> SketchColumns:
    """Sketch the columns `messages`, `system` and `tools` (each may be absent) of a batch of `model.EVENTS`.

    A row's columns depend on that row alone; a column without text is null.
    """
    settings = settings or IngestSettings()
    user = last_user(_strings(events, "messages"), settings.max_text_bytes)
    told, system, cut = _system(_strings(events, "system"), user.system, settings.max_text_bytes)
    # columns of a log without text are null, whatever the numbers
    asks = sketch(user.data, user.offsets) if len(user.data) else nothing(events.num_rows)
    columns = _columns(user, asks, system)
    columns["tools_skeleton"] = _tools(_strings(events, "tools"))
    names = [field.name for field in SKETCHES if field.name in columns]
    batch = pa.RecordBatch.from_arrays([columns[name].cast(SKETCHES.field(name).type) for name in names], names=names)
    asked = (user.data, user.offsets)
    parts = [("whole", "skeleton", asked), ("lead", "lead_skeleton", asked), ("system", "system_skeleton", told)]
    repeated = [_repeated(part, columns[name], *texts) for part, name, texts in parts if settings.exemplars]
    skeletons = pa.concat_batches([_NO_SKELETONS, *repeated])
    answers, long = _answers(events, user, settings)
    return SketchColumns(batch, skeletons, answers, user.cut + cut + long, user.malformed)


def _strings(events: pa.RecordBatch | pa.Table, name: str) -> pa.Array:
    """Column as valid UTF-8; all null where it is absent."""
    if name not in events.schema.names:
        return pa.nulls(events.num_rows, pa.string())
    column = events.column(name)
    return valid_text(column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column)


def _system(column: pa.Array, among: dict[int, str], most: int) -> tuple[Bytes, Lexical, int]:
    """Instructions of each row as bytes and as sketches, and how many were cut. They repeat: each is sketched once."""
    if among:
        rows = column.to_pylist()
        for row, text in among.items():
            rows[row] = rows[row] or text
        column = utf8(rows)
    encoded = column.cast(pa.large_string()).fill_null("").dictionary_encode()
    texts = [(instructions(text) or "").encode("utf-8", "replace") for text in encoded.dictionary.to_pylist()]
    long = np.array([len(text) > most for text in texts], np.bool_)
    texts = [text[:most].decode("utf-8", "ignore").encode() if len(text) > most else text for text in texts]
    data, offsets = buffers(pa.array(texts, pa.large_binary()))
    place = encoded.indices.to_numpy()
    once = sketch(data, offsets)
    whole = pa.array(texts, pa.large_binary()).take(encoded.indices)
    return buffers(whole), Lexical(*(values[place] for values in once)), int(long[place].sum())


def _answers(events: pa.RecordBatch | pa.Table, user: Texts, settings: SketchSettings) -> tuple[pa.RecordBatch, int]:
    """Sketches of the rows with an answer, without what stands in the user's last message; and how many were cut."""
    read = _strings(events, "response") if settings.answers else pa.nulls(0, pa.string())
    rows = np.flatnonzero(np.asarray(read.is_valid()))
    found = answers(read.take(pa.array(rows)), settings.max_text_bytes)
    prints = fingerprints(found.data, found.offsets, *_taken(user.data, user.offsets, rows))
    columns = {
        "row": pa.array(rows), "words": pa.array(prints.words), "text": pa.array(prints.text),
        "fingerprints": pa.ListArray.from_arrays(pa.array(prints.offsets.astype(np.int32)), pa.array(prints.values)),
    }  # fmt: skip
    return pa.RecordBatch.from_pydict(columns).filter(pa.array(prints.words > 0)), found.cut


def _taken(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> Bytes:
    """The texts of some rows."""
    if len(rows) == len(offsets) - 1:
        return data, offsets
    whole = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )
    return buffers(whole.take(pa.array(rows)))


def _tools(tools: pa.Array) -> pa.Array:
    """Hash of what `tool_names` says; each distinct text is read once."""
    encoded = tools.dictionary_encode()
    names = pa.array([tool_names(text) for text in encoded.dictionary.to_pylist()], pa.large_string())
    return pa.array(hash64_array(names), mask=np.asarray(names.is_null())).take(encoded.indices)


def _columns(user: Texts, asks: Lexical, told: Lexical) -> dict[str, pa.Array]:
    """Everything but the tools; null where there is no text, or no word for it in the text."""
    none, wordless, edgeless = np.diff(user.offsets) == 0, asks.words == 0, asks.edged == 0
    out = {
        "skeleton": pa.array(asks.skeleton, mask=wordless),
        "lead_skeleton": pa.array(asks.lead, mask=edgeless),
        "system_skeleton": pa.array(told.skeleton, mask=told.words == 0),
        "item": pa.array(asks.item, mask=none),
        "vector": packed(asks.vector, wordless),
        "words": pa.array(asks.words, mask=none),
        "turns": pa.array(user.turns, mask=user.turns < 0),
        "script": pa.array(SCRIPTS).take(pa.array(asks.script.astype(np.int32), mask=none)),
    }
    # what the system instructions ask for is asked of every message; a text without words has labels of 0
    sure, silent = np.maximum(asks.labels, told.labels), none & (told.words == 0)
    return out | {name: pa.array(sure[:, place], mask=silent) for place, name in enumerate(LABELS)}


def _repeated(
    part: str, hashes: pa.Array, data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]
) -> pa.RecordBatch:
    """`model.SKELETONS` of the hashes that occur at least `REPEATS` times in the batch."""
    known = np.flatnonzero(np.asarray(hashes.is_valid()))
    values, first, count = np.unique(np.asarray(hashes.drop_null()), return_index=True, return_counts=True)
    often = np.flatnonzero(count >= REPEATS)
    texts = masked_rows(data, offsets, known[first[often]].tolist(), part, EXEMPLAR)
    columns = [
        pa.array(values[often], pa.uint64()), pa.array([part] * len(often), pa.string()), pa.array(texts, pa.string()),
        pa.array(count[often], pa.int64()),
    ]  # fmt: skip
    return pa.RecordBatch.from_arrays(columns, schema=SKELETONS)


_NO_SKELETONS = pa.RecordBatch.from_pylist([], schema=SKELETONS)
