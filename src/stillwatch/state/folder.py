"""The folder of a state, and how a change becomes part of it: all of it or nothing, whenever the process ends.

Tables are written into folders of temporary names, flushed to disk and renamed; nothing that is alive is ever written
to. The change counts from the moment in which a new `state.json` replaces the old one. Folders that it does not list
are left over from a process that was killed, or out of date; they are removed at the next start.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
from pydantic import ValidationError

from stillwatch.engine.runfolder import RunFolder, atomic
from stillwatch.errors import RunError, UsageError
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.model import SKELETONS, SKETCHES
from stillwatch.state.contents import FORMAT, Batch, Contents, File, Memory, digest, empty
from stillwatch.state.lock import LOCK

ROOT = "state.json"
BATCHES, OPERATORS = "batches", "operators"


class State:
    """An open state; the caller holds its lock."""

    def __init__(self, root: Path, contents: Contents) -> None:
        self.root, self.contents = root, contents

    @classmethod
    def open(cls, root: Path, pseudonyms: Pseudonyms) -> State:
        """Read `root`, remove what a killed process left, check every table; RunError says what is wrong."""
        if (root / ROOT).exists():
            state = cls(root, _read(root))
            _same(root, state.contents, pseudonyms)
        else:
            state = cls(root, empty(pseudonyms))
        state.sweep()
        state.check()
        return state

    @classmethod
    def view(cls, root: Path) -> State:
        """Read `root` to look something up, whatever its pseudonyms; nothing is changed. RunError as for `open`."""
        if not (root / ROOT).exists():
            raise RunError(f"{root} is no state: it has no {ROOT}")
        state = cls(root, _read(root))
        state.check()
        return state

    @property
    def batches(self) -> tuple[Batch, ...]:
        """What was merged, in order."""
        return self.contents.batches

    def of(self, part: Batch | Memory) -> RunFolder:
        """Where the tables of a batch, or of the operators' memory, lie."""
        return RunFolder(self.root / (BATCHES if isinstance(part, Batch) else OPERATORS) / part.id)

    def paths(self, name: str, batches: tuple[Batch, ...] | None = None) -> list[Path]:
        """Table `name` of every batch."""
        return [self.of(batch).path(name) for batch in (self.batches if batches is None else batches)]

    @contextmanager
    def making(self, kind: str, number: int) -> Iterator[RunFolder]:
        """A folder for new tables; it is sealed with `seal`, and gone if the block ends before."""
        made = RunFolder(self.root / kind / f".{number:06d}.tmp")
        try:
            shutil.rmtree(made.root, ignore_errors=True)
            made.root.mkdir(parents=True)
            yield made
        except OSError as error:
            raise RunError(f"cannot write the state {self.root}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(made.root, ignore_errors=True)

    def seal(self, made: RunFolder) -> tuple[str, dict[str, File]]:
        """Flush a folder of new tables to disk and give it its name: (id, files). It is garbage until `commit`."""
        name = made.root.name.removeprefix(".").removesuffix(".tmp")
        files = {path.stem: _file(path) for path in sorted(made.root.glob("*.parquet"))}
        _flush(made.root)
        final = made.root.with_name(name)
        shutil.rmtree(final, ignore_errors=True)
        made.root.rename(final)
        _flush(final.parent)
        return name, files

    def commit(self, contents: Contents) -> None:
        """Make `contents` the state; then what it no longer lists is removed."""
        try:
            text = json.dumps(contents.model_dump(mode="json"), indent=1, sort_keys=True) + "\n"
            with atomic(self.root / ROOT) as temporary:
                temporary.write_text(text, encoding="utf-8")
            _flush(self.root)
        except OSError as error:
            raise RunError(f"cannot write the state {self.root}: {error.strerror or error}") from error
        self.contents = contents
        self.sweep()

    def sweep(self) -> None:
        """Remove folders that are not listed."""
        alive = {BATCHES: {batch.id for batch in self.batches}, OPERATORS: set()}
        if self.contents.memory is not None:
            alive[OPERATORS] = {self.contents.memory.id}
        try:
            (self.root / f".{ROOT}.tmp").unlink(missing_ok=True)
            for kind, ids in alive.items():
                for path in (self.root / kind).glob("*"):
                    if path.name not in ids:
                        shutil.rmtree(path)
        except OSError as error:
            raise RunError(f"cannot write the state {self.root}: {error.strerror or error}") from error

    def check(self) -> None:
        """Every table is there and as it was written; RunError names the first that is not."""
        parts: list[Batch | Memory] = [*self.batches]
        if self.contents.memory is not None:
            parts.append(self.contents.memory)
        for part in parts:
            for name, file in part.files.items():
                path = self.of(part).path(name)
                try:
                    same = path.stat().st_size == file.bytes and _hash(path) == file.sha256
                except FileNotFoundError:
                    same = False
                except OSError as error:
                    raise RunError(f"state {self.root}: cannot read {path}: {error.strerror or error}") from error
                if not same:
                    raise RunError(
                        f"state {self.root}: {path.relative_to(self.root)} is damaged or missing; nothing was changed. "
                        "Restore the folder from a backup, or merge its logs into a new state"
                    )


def refuse_other_folders(root: Path) -> None:
    """UsageError if `root` holds something and is no state."""
    ours = {ROOT, LOCK, BATCHES, OPERATORS, f".{ROOT}.tmp"}
    try:
        strange = sorted(root.iterdir()) if root.is_dir() and not (root / ROOT).exists() else []
    except OSError as error:
        raise RunError(f"cannot read the state {root}: {error.strerror or error}") from error
    for path in strange:
        if path.name not in ours:
            raise UsageError(f"{root} is no state (it has no {ROOT}) and not empty: it holds {path.name}")


def _read(root: Path) -> Contents:
    try:
        read = json.loads((root / ROOT).read_text(encoding="utf-8"))
        if isinstance(read, dict) and read.get("format") != FORMAT:
            raise RunError(
                f"state {root} has format {read.get('format')}, this version of Stillwatch reads {FORMAT}: "
                "use the version that wrote it, or merge its logs into a new state"
            )
        return Contents.model_validate(read)
    except OSError as error:
        raise RunError(f"state {root}: cannot read {ROOT}: {error.strerror or error}") from error
    except (ValueError, ValidationError) as error:
        raise RunError(f"state {root}: {ROOT} is damaged: restore it from a backup") from error


def _same(root: Path, contents: Contents, pseudonyms: Pseudonyms) -> None:
    if contents.sketches != digest(SKETCHES, SKELETONS):
        raise RunError(
            f"state {root} holds sketches of another version of Stillwatch: use that version, or merge its logs into a "
            "new state"
        )
    if (contents.pseudonyms, contents.key_fingerprint) != (pseudonyms.mode, pseudonyms.fingerprint):
        held, given = (
            f"{mode}{f' under the key {key}' if key else ''}"
            for mode, key in (
                (contents.pseudonyms, contents.key_fingerprint),
                (pseudonyms.mode, pseudonyms.fingerprint),
            )
        )
        raise RunError(f"state {root} has pseudonyms {held}, this call {given}: give --pseudonyms and --key-file of it")


def _file(path: Path) -> File:
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())
    return File(rows=pq.read_metadata(path).num_rows, bytes=path.stat().st_size, sha256=_hash(path))


def _hash(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
