"""Parcels of the store -> files that are merged into the state, each parcel once, whenever the process ends.

A file is named after the numbers of its parcels and stays until the store has dropped them. A process that was killed
in between finds it again: the state knows a file by path and content, so merging it a second time does nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

from stillwatch.ingest import parcels
from stillwatch.ingest.parcels import Parcel
from stillwatch.service.store import Store

BYTES = 64 << 20
"""Parcels laid together in one file, before they are decompressed."""
_NAME = re.compile(r"(\d{12})-(\d{12})\.parquet")


class Inbox:
    """Files that wait to be merged, and those that were."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder, self.store = folder, store
        folder.mkdir(parents=True, exist_ok=True)
        for half in folder.glob(".*.tmp"):
            half.unlink()

    def files(self) -> list[Path]:
        """Files laid down, in order."""
        return sorted(path for path in self.folder.iterdir() if _NAME.fullmatch(path.name))

    def fill(self) -> list[Path]:
        """Lay down what is in the store and in no file yet; all files that wait."""
        waiting = self.files()
        after = upto(waiting[-1]) if waiting else 0
        while found := self.store.read(after, BYTES):
            whole = parcels.together([Parcel.unpack(one.data) for one in found])
            after = found[-1].number
            path = self.folder / f"{found[0].number:012d}-{after:012d}.parquet"
            parcels.write(whole, path)
            waiting.append(path)
        return waiting

    def empty(self, files: list[Path]) -> None:
        """These files have been merged: the store drops their parcels, then they go."""
        if files:
            self.store.drop(upto(files[-1]))
        for path in files:
            path.unlink()


def upto(path: Path) -> int:
    """Number of the last parcel in a file."""
    named = _NAME.fullmatch(path.name)
    assert named is not None
    return int(named[2])
