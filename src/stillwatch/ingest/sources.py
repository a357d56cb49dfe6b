"""Files, folders and globs -> the list of files to read, each with its container, format, size and hash."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from stillwatch.errors import InputError
from stillwatch.ingest import formats
from stillwatch.ingest.streams import CutError, blocks

CONTAINERS = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv",
    ".jsonl": "lines", ".ndjson": "lines", ".json": "lines", ".log": "lines",
}  # fmt: skip
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}
HEAD = 1 << 18
"""Bytes of a file, decompressed, that its format is told from."""


@dataclass(frozen=True)
class Source:
    """One file of the log. `container` is parquet, csv, lines or array; `constants` come from `key=value` folders."""

    id: int
    path: Path
    container: str
    compression: str | None
    format: str
    bytes: int
    sha256: str
    constants: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    """Why nothing of it can be read."""


def find_files(sources: Sequence[str | Path]) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """(file, folder that was named) of every file to read, sorted within each source; and those left out.

    A folder is read with all below it; one that holds a folder `events` (a world) is read from there. Files in a folder
    count by their ending. InputError if a source does not exist or holds nothing to read.
    """
    found: dict[Path, Path] = {}
    ignored: list[Path] = []
    for source in sources:
        matches = _matches(str(source))
        before = len(found)
        for path in matches:
            if path.is_dir():
                root = path / "events" if (path / "events").is_dir() else path
                for file in _walk(root):
                    if _container(file) is None:
                        ignored.append(file)
                    else:
                        found.setdefault(file, root)
            else:
                found.setdefault(path, path.parent)
        if len(found) == before and not any(path in found for path in matches):
            endings = " ".join(sorted(CONTAINERS))
            raise InputError(f"{source}: no events: no file to read in it (looked for {endings}, also with .gz, .zst)")
    return list(found.items()), ignored


def _matches(source: str) -> list[Path]:
    path = Path(source)
    if path.exists():
        return [path]
    matches = [Path(name) for name in sorted(glob.glob(source, recursive=True))]
    if not matches:
        raise InputError(f"{source}: there is no such file or folder")
    return matches


def _walk(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith((".", "_")) for part in path.relative_to(root).parts)
        if not hidden and path.is_file():
            yield path


def _container(path: Path) -> tuple[str, str | None] | None:
    """(container, compression) by the file's endings; None if they say nothing."""
    endings = [ending.lower() for ending in path.suffixes]
    compression = COMPRESSIONS.get(endings[-1]) if endings else None
    if compression:
        endings.pop()
    container = CONTAINERS.get(endings[-1]) if endings else None
    return (container, compression) if container else None


def open_source(number: int, path: Path, root: Path, format: str) -> Source:
    """Look at a file: hash it, and tell container and format from its endings and its first bytes."""
    container, compression = _container(path) or ("", None)
    size, sha256, head, problem = 0, "", b"", None
    try:
        with path.open("rb") as handle:
            sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
            size = handle.tell()
            handle.seek(0)
            magic = handle.read(4)
        compression = _compression(magic)  # the bytes know better than the name
        head = _head(path, compression)
        container = _sniff(container, magic, head)
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
    if problem is None and size == 0 and (container == "parquet" or path.suffix in COMPRESSIONS):
        problem = "is empty"
    if problem is None and head.startswith((b"\xff\xfe", b"\xfe\xff")):
        problem = "is UTF-16 text: save it as UTF-8"
    if format == "auto" and problem is None:
        format = formats.detect(path, container, head)
    constants = dict(_partition(part) for part in path.parent.relative_to(root).parts if "=" in part)
    return Source(number, path, container, compression, format, size, sha256, constants, problem)


def _partition(part: str) -> tuple[str, str]:
    key, _, value = part.partition("=")
    return key, unquote(value)


def _compression(magic: bytes) -> str | None:
    if magic.startswith(b"\x1f\x8b"):
        return "gzip"
    return "zstd" if magic == b"\x28\xb5\x2f\xfd" else None


def _head(path: Path, compression: str | None) -> bytes:
    head = b""
    try:
        for block in blocks(path, compression):
            head += block[: HEAD - len(head)]
            if len(head) >= HEAD:
                break
    except CutError:
        pass  # the reader will say so again, with the row
    return head


def _sniff(container: str, magic: bytes, head: bytes) -> str:
    if magic == b"PAR1":
        return "parquet"
    if container in {"parquet", "csv"}:
        return container
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        return "array"
    if text.startswith(b"{"):
        # an object that does not end on its first line is laid out over several
        first = text.split(b"\n", 1)[0]
        return "array" if b"\n" in text and formats.parse(first) is None and formats.begins_object(text) else "lines"
    return container or "csv"
