"""The events of streams: too many for memory, so they lie on disk until a run's table is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from pathlib import Path

import pyarrow as pa

from stillwatch.linking.dealing import disk, nameless
from stillwatch.linking.victims import mapped
from stillwatch.model import STREAM_EVENTS


class Claims:
    """model.STREAM_EVENTS in the order of account, operator and time, in a nameless file in `scratch`."""

    def __init__(self, scratch: Path | None = None) -> None:
        with disk():
            self.file = nameless(scratch)
        self.places: list[tuple[int, int]] = []
        self.ids: Mapping[str, str] = {}
        self.rows = 0

    def __len__(self) -> int:
        return self.rows

    def add(self, events: pa.Table) -> None:
        """More of them."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, STREAM_EVENTS) as out:
            out.write_table(events)
        held = sink.getvalue()
        with disk():
            self.places.append((self.file.seek(0, 2), held.size))
            self.file.write(held)
        self.rows += len(events)

    def renamed(self, ids: Mapping[str, str]) -> Claims:
        """The same events under the operators' new ids, where `ids` has one."""
        other = copy(self)
        other.ids = ids
        return other

    def parts(self) -> Iterator[pa.Table]:
        """All of them, some at once."""
        for start, size in self.places:
            with disk():
                self.file.seek(start)
                held = self.file.read(size)
            yield mapped(pa.ipc.open_stream(held).read_all(), self.ids)

    def table(self) -> pa.Table:
        """All of them in memory."""
        return pa.concat_tables([STREAM_EVENTS.empty_table(), *self.parts()])
