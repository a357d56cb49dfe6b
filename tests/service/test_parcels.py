"""Parcels: a scan of them is a scan of the rows."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import InputError
from stillwatch.ingest import parcels
from stillwatch.ingest.ingest import ingest
from stillwatch.ingest.parcels import Parcel, ParcelError
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.service.reading import read
from tests.service.serving import body, event, lines, reading

KEY = Pseudonyms.keyed(b"k" * 32)


def rows(seed: int, count: int = 120) -> list[object]:
    """Rows of which about one in ten is broken in one of several ways."""
    rng = random.Random(seed)
    broken: list[object] = [
        {"event_id": "x"}, [1, 2], event(0, event_id=None), event(1, time="soon"), event(2, account_id=""),
        event(3, time=4e9), event(4, model=None), "text",
    ]  # fmt: skip
    out: list[object] = []
    for number in range(count):
        good = event(number + seed, temperature=rng.choice([0.5, "?"]))
        out.append(rng.choice(broken) if rng.random() < 0.1 else good)
    return out


@pytest.mark.parametrize("names", [Pseudonyms.none(), KEY], ids=["none", "keyed"])
def test_a_scan_of_parcels_is_a_scan_of_the_rows(names: Pseudonyms, tmp_path: Path) -> None:
    parts = [rows(seed) for seed in (1, 1000, 2000)]
    found = [Parcel.unpack(read(body(part), reading(names)).parcel or b"") for part in parts]
    parcels.write(parcels.together(found), tmp_path / "together.parquet")
    (tmp_path / "log.jsonl").write_bytes(b"".join(map(lines, parts)))
    mine, theirs = RunFolder(tmp_path / "mine"), RunFolder(tmp_path / "theirs")
    told = ingest([tmp_path / "together.parquet"], mine, format=parcels.FORMAT, pseudonyms=names)
    other = ingest([tmp_path / "log.jsonl"], theirs, pseudonyms=names)
    assert mine.read("sketches").equals(theirs.read("sketches"))
    assert mine.read("rejects").drop_columns("source").equals(theirs.read("rejects").drop_columns("source"))
    assert told.counts == other.counts
    assert told.counts["rejected"] > 10
    assert told.missing_columns == other.missing_columns
    (a,), (b,) = told.inputs, other.inputs
    for name in ("rows_in", "kept", "rejected", "unknown_columns"):
        assert a[name] == b[name], name


def test_a_parcel_comes_back_from_bytes() -> None:
    parcel = Parcel.unpack(read(body(rows(5)), reading(KEY)).parcel or b"")
    again = Parcel.unpack(parcel.pack())
    assert again.sketches.equals(parcel.sketches)
    assert again.metadata() == parcel.metadata()
    assert parcel.rows_in == parcel.sketches.num_rows + len(parcel.rejects) == 120


def test_no_text_and_no_id_is_in_a_parcel() -> None:
    secret = "Zanzibar-4711-secret"
    many = [event(n, account_id="customer-of-ours", messages=secret + f" {n}") for n in range(20)]
    stored = read(body(many), reading(KEY)).parcel or b""
    plain = repr(Parcel.unpack(stored).sketches.to_pylist()).encode() + Parcel.unpack(stored).metadata()
    for word in (secret, "Zanzibar", "customer-of-ours", "event-1", "192.0.2."):
        assert word.encode() not in plain


def test_what_is_no_parcel_is_said(tmp_path: Path) -> None:
    good = Parcel.unpack(read(body(rows(6)), reading(KEY)).parcel or b"")
    for bad in (b"", b"nothing", good.pack()[:200], good.pack()[:-200]):
        with pytest.raises(ParcelError):
            Parcel.unpack(bad)
    strange = pa.BufferOutputStream()
    with pa.ipc.new_stream(strange, pa.schema([("a", pa.int64())])):
        pass
    plain = strange.getvalue()
    packed = plain.size.to_bytes(4, "little") + pa.compress(plain, "zstd", asbytes=True)
    with pytest.raises(ParcelError, match="another version"):
        Parcel.unpack(packed)
    parcels.write(good, tmp_path / "keyed.parquet")
    with pytest.raises(InputError, match="another key"):
        ingest([tmp_path / "keyed.parquet"], RunFolder(tmp_path / "run"), format=parcels.FORMAT)
    pq.write_table(pa.table({"event_id": ["1"]}), tmp_path / "table.parquet")
    with pytest.raises(InputError, match="another version"):
        ingest([tmp_path / "table.parquet"], RunFolder(tmp_path / "run"), format=parcels.FORMAT)
    other = Parcel.unpack(read(body(rows(7)), reading()).parcel or b"")
    with pytest.raises(ParcelError, match="two pseudonym keys"):
        parcels.together([good, other])
