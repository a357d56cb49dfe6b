"""Parcels: rows that were read and sketched before they came here, as bytes and as a file that can be scanned.

The live receiver sketches what it is sent and keeps parcels; nobody's text waits on a disk for its turn. A parcel is an
Arrow stream of `ROWS`, sketches with the sketch of the answer where there is one; what else `work.process` found rides
along as metadata. Parcels laid together are a Parquet file of the format `sketches`, whose scan gives what a scan of
the rows themselves would have given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.engine.runfolder import atomic
from stillwatch.errors import InputError
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.model import ANSWERS, SKELETONS, SKETCHES

FORMAT = "sketches"
KEY = b"stillwatch.parcel"
ROW_GROUP = 1 << 14
ANSWER = pa.struct([field for field in ANSWERS if field.name not in SKETCHES.names or field.name == "words"])
"""Of an answer, what its event's sketch does not say."""
ROWS = SKETCHES.append(pa.field("answer", ANSWER))
"""An event of a parcel; `answer` is null where it has no text."""
SIZE = 4
"""Bytes that say how long a parcel is once it is decompressed."""


class ParcelError(InputError):
    """Not a parcel, or not one of this version or key; the text says which."""


@dataclass
class Parcel:
    """Sketches, and the other half of what reading the rows gave."""

    rows: pa.RecordBatch
    """`ROWS`."""
    rows_in: int
    pseudonyms: str
    """Mode and fingerprint of the key: sketches under two keys are never mixed."""
    rejects: list[tuple[int, str]] = field(default_factory=list)
    """(row from 1, reason)."""
    skeletons: list[dict[str, Any]] = field(default_factory=list)
    """Rows of model.SKELETONS."""
    counts: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    present: Counter[str] = field(default_factory=Counter)
    names: set[str] = field(default_factory=set)

    @property
    def sketches(self) -> pa.RecordBatch:
        """model.SKETCHES."""
        return self.rows.select(SKETCHES.names)

    @property
    def answers(self) -> pa.RecordBatch:
        """model.ANSWERS, of the events that have one."""
        some = self.rows.filter(self.rows["answer"].is_valid())
        own = dict(zip(ANSWER.names, some["answer"].flatten(), strict=True))
        return pa.RecordBatch.from_arrays(
            [own.get(name, _column(some, name)) for name in ANSWERS.names], schema=ANSWERS
        )

    def metadata(self) -> bytes:
        """Everything but the rows."""
        return orjson.dumps(
            {
                "rows_in": self.rows_in, "pseudonyms": self.pseudonyms, "rejects": self.rejects,
                "skeletons": self.skeletons, "counts": self.counts, "repaired": self.repaired,
                "present": self.present, "names": sorted(self.names),
            }
        )  # fmt: skip

    @classmethod
    def of(cls, rows: pa.RecordBatch, metadata: bytes) -> Parcel:
        """The reverse of `metadata`; ParcelError if it is none."""
        try:
            told = orjson.loads(metadata)
            return cls(
                rows, told["rows_in"], told["pseudonyms"], [(row, reason) for row, reason in told["rejects"]],
                told["skeletons"], Counter(told["counts"]), Counter(told["repaired"]), Counter(told["present"]),
                set(told["names"]),
            )  # fmt: skip
        except (ValueError, KeyError, TypeError) as error:
            raise ParcelError("what the parcel says of itself cannot be read") from error

    def pack(self) -> bytes:
        """As bytes."""
        schema = ROWS.with_metadata({KEY: self.metadata()})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, schema) as out:
            if self.rows.num_rows:
                out.write_batch(self.rows.replace_schema_metadata(schema.metadata))
        plain = sink.getvalue()
        # as a whole, since of a parcel of one event most is schema
        return plain.size.to_bytes(SIZE, "little") + pa.compress(plain, "zstd", asbytes=True)

    @classmethod
    def unpack(cls, data: bytes) -> Parcel:
        """The reverse of `pack`; ParcelError if the bytes are no parcel."""
        try:
            plain = pa.decompress(data[SIZE:], int.from_bytes(data[:SIZE], "little"), "zstd")
            with pa.ipc.open_stream(plain) as stream:
                metadata = (stream.schema.metadata or {}).get(KEY, b"")
                if not stream.schema.equals(ROWS):
                    raise ParcelError("the parcel holds sketches of another version of Stillwatch")
                table = stream.read_all().combine_chunks()
        except (pa.ArrowException, OSError) as error:
            raise ParcelError(f"not a parcel: {str(error)[:200]}") from error
        batches = table.replace_schema_metadata(None).to_batches()
        return cls.of(batches[0] if batches else empty(), metadata)


def empty() -> pa.RecordBatch:
    """No rows."""
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in ROWS], schema=ROWS)


def laid_beside(sketches: pa.RecordBatch, answers: pa.RecordBatch) -> pa.RecordBatch:
    """`ROWS` of sketches (model.SKETCHES) and of the answers (model.ANSWERS) to some of them, by their rows."""
    place = pc.index_in(sketches["source_row"], value_set=answers["source_row"])
    own = pa.StructArray.from_arrays([answers[name] for name in ANSWER.names], fields=list(ANSWER))
    return pa.RecordBatch.from_arrays([*sketches.columns, own.take(place)], schema=ROWS)


def _column(rows: pa.RecordBatch, name: str) -> pa.Array | None:
    return rows[name] if name in SKETCHES.names else None


def together(parcels: Sequence[Parcel]) -> Parcel:
    """Parcels as one; rows are numbered through in their order. ParcelError if they are under two keys."""
    whole = Parcel(empty(), 0, parcels[0].pseudonyms)
    parts = []
    for parcel in parcels:
        if parcel.pseudonyms != whole.pseudonyms:
            raise ParcelError("parcels under two pseudonym keys cannot be laid together")
        numbers = pa.array(parcel.rows["source_row"].to_numpy() + whole.rows_in)
        place = ROWS.get_field_index("source_row")
        parts.append(parcel.rows.set_column(place, ROWS.field(place), numbers))
        whole.rejects += [(row + whole.rows_in, reason) for row, reason in parcel.rejects]
        whole.skeletons += parcel.skeletons
        whole.names |= parcel.names
        whole.rows_in += parcel.rows_in
        for name in ("counts", "repaired", "present"):
            getattr(whole, name).update(getattr(parcel, name))
    batches = pa.Table.from_batches(parts, ROWS).combine_chunks().to_batches()
    whole.rows = batches[0] if batches else whole.rows
    return whole


def write(parcel: Parcel, path: Path) -> None:
    """A parcel as a file of the format `sketches`, whole or not at all."""
    with (
        atomic(path) as temporary,
        pq.ParquetWriter(temporary, ROWS.with_metadata({KEY: parcel.metadata()}), compression="zstd") as out,
    ):
        out.write_table(pa.Table.from_batches([parcel.rows]).replace_schema_metadata(out.schema.metadata), ROW_GROUP)


def of_chunk(batch: pa.RecordBatch, first: bool, names: Pseudonyms) -> Parcel:
    """A stretch of such a file; all but the sketches is told with its `first` stretch alone."""
    if not batch.schema.equals(ROWS):
        raise ParcelError("the file holds sketches of another version of Stillwatch")
    bare = batch.replace_schema_metadata(None)
    parcel = Parcel.of(bare, (batch.schema.metadata or {}).get(KEY, b""))
    if parcel.pseudonyms != spell(names):
        raise ParcelError("the file's pseudonyms are under another key")
    return parcel if first else Parcel(bare, 0, parcel.pseudonyms)


def skeletons(parcel: Parcel) -> pa.RecordBatch:
    """model.SKELETONS."""
    return pa.RecordBatch.from_pylist(parcel.skeletons, schema=SKELETONS)


def spell(names: Pseudonyms) -> str:
    """Which pseudonyms a parcel has."""
    return f"{names.mode} {names.fingerprint or ''}".strip()
