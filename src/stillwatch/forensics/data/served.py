"""Answers that are known: served ones out of a state, a run or a table, and those drawn and never served."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.engine.runfolder import RunFolder
from stillwatch.errors import InputError, RunError
from stillwatch.forensics.data.corpus import Texts, open_corpus
from stillwatch.forensics.data.index import BYTES_A_PRINT, BYTES_AN_ANSWER, MOST_PRINTS, Known
from stillwatch.hashing import buffers
from stillwatch.ingest import times
from stillwatch.ingest.text.extract import last_user, utf8
from stillwatch.ingest.text.fingerprint import Prints, fingerprints
from stillwatch.model import ANSWERS, TIME
from stillwatch.settings import IngestSettings
from stillwatch.state.folder import State
from stillwatch.state.lock import locked

Ints = npt.NDArray[np.int64]
ROWS = 1 << 16
NO_DAY = -(2**31)
BESIDE = ("event_id", "account_id", "time", "model", "messages", "prompt", "instruction", "question")
"""Columns of a table of answers that are read beside their text; the last four say what was asked."""


@dataclass
class Answers:
    """n known answers. Those from `served` on were never served.

    words [n]; account [n]: place in `accounts`, -1 for answers never served; day [n]: days since 1970 or `NO_DAY`;
    pair [n]: of one never served the served answer to the same request, else -1.
    """

    known: Known
    words: npt.NDArray[np.int32]
    account: npt.NDArray[np.int32]
    day: npt.NDArray[np.int32]
    pair: Ints
    accounts: list[str]
    served: int
    paths: list[Path]
    operators: dict[str, str] = field(default_factory=dict)
    """Operator of each account, where known."""
    origin: dict[str, Any] = field(default_factory=dict)
    """For the manifest: where the answers are from."""
    unserved_without_request: int = 0
    """Answers never served whose request is not among the served ones."""

    def events(self, wanted: Ints) -> pa.Table:
        """event_id, time and model of some served answers (ascending places), in that order."""
        parts, first = [], 0
        for path in self.paths:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(ROWS, columns=["event_id", "time", "model"]):
                    low, high = np.searchsorted(wanted, [first, first + batch.num_rows])
                    if low < high:
                        parts.append(batch.take(pa.array(wanted[low:high] - first)))
                    first += batch.num_rows
        schema = pa.schema([ANSWERS.field(name) for name in ("event_id", "time", "model")])
        return pa.Table.from_batches(parts, schema)


def of_state(root: Path) -> Answers:
    """The answers of a state; RunError if there is none, InputError if it keeps no answers."""
    with locked(root) if root.is_dir() else _missing(root):
        state = State.view(root)
        paths = [state.of(batch).path("answers") for batch in state.batches if "answers" in batch.files]
        without = len(state.batches) - len(paths)
        memory = state.contents.memory
        operators = _operators(state.of(memory)) if memory is not None else {}
        out = _read(paths)
    _refuse_none(out, f"state {root}", without)
    out.operators = operators
    out.origin = {
        "state": str(root), "batches_without_answers": without, "pseudonyms": state.contents.pseudonyms,
    }  # fmt: skip
    return out


def _missing(root: Path) -> Any:
    raise RunError(f"there is no state {root}")


def of_run(root: Path) -> Answers:
    """The answers of a finished run."""
    run = RunFolder(root)
    pseudonyms = run.manifest().get("pseudonyms", {}).get("mode")
    out = _read([path for path in run.parts("answers") if path.exists()])
    _refuse_none(out, f"run {root}", 0)
    out.operators = _operators(run)
    out.origin = {"run": str(root), "pseudonyms": pseudonyms}
    return out


def of_table(paths: Sequence[str | Path], column: str | None, scratch: Path) -> Answers:
    """Served answers with their text; sketched into `scratch`, where the text does not go."""
    path = scratch / "served.parquet"
    with pq.ParquetWriter(path, ANSWERS, compression="zstd") as out:
        corpus = open_corpus(paths, column, BESIDE)
        for place, (texts, prints) in enumerate(_sketched(corpus.batches())):
            out.write_batch(_rows(place, texts, prints))
    found = _read([path])
    found.origin = {"served": [str(path) for path in paths], "inputs": inputs(corpus.sources)}
    return found


def inputs(sources: Sequence[Any]) -> list[dict[str, Any]]:
    """Files as the manifest names them."""
    return [{"path": str(one.path), "bytes": one.bytes, "sha256": one.sha256} for one in sources]


def _refuse_none(found: Answers, where: str, without: int) -> None:
    if not len(found.words):
        older = f" ({without} of its logs were merged by a version that kept none)" if without else ""
        raise InputError(
            f"{where} keeps no answers{older}: the log had no column `response`, or `ingest.answers` was off. "
            "Give the answers that were served: --served TABLE"
        )


def _operators(run: RunFolder) -> dict[str, str]:
    table = run.read("operators", ["account_id", "operator_id"])
    return dict(zip(table["account_id"].to_pylist(), table["operator_id"].to_pylist(), strict=True))


def _read(paths: Sequence[Path]) -> Answers:
    """Tables of answers put together; InputError if their index would not fit into memory."""
    _refuse_too_many(paths)
    values, sizes, text, words, account, day = ([] for _ in range(6))
    accounts: dict[str, int] = {}
    for path in paths:
        try:
            with pq.ParquetFile(path) as file:
                names = ["fingerprints", "text", "words", "account_id", "time"]
                for batch in file.iter_batches(ROWS, columns=names):
                    prints = batch["fingerprints"]
                    values.append(prints.flatten().to_numpy())
                    sizes.append(pc.list_value_length(prints).to_numpy(zero_copy_only=False))
                    text.append(batch["text"].to_numpy())
                    words.append(batch["words"].to_numpy())
                    encoded = batch["account_id"].dictionary_encode()
                    codes = [accounts.setdefault(name, len(accounts)) for name in encoded.dictionary.to_pylist()]
                    account.append(np.array(codes, np.int32)[encoded.indices.to_numpy()])
                    when = batch["time"].cast(pa.timestamp("us")).cast(pa.date32()).cast(pa.int32()).to_numpy()
                    day.append(np.where(when == 0, NO_DAY, when))  # a table without times
        except (OSError, pa.ArrowException) as error:
            raise RunError(f"{path} cannot be read: {error}") from error
    offsets = np.concatenate([[0], np.cumsum(_joined(sizes, np.int64))]).astype(np.int64)
    known = Known(_joined(values, np.uint32), offsets, _joined(text, np.uint64))
    n = len(known.text)
    return Answers(
        known, _joined(words, np.int32), _joined(account, np.int32), _joined(day, np.int32), np.full(n, -1, np.int64),
        list(accounts), n, list(paths),
    )  # fmt: skip


def _refuse_too_many(paths: Sequence[Path]) -> None:
    """Known answers are all in memory: better a word before than a process that is killed."""
    answers = prints = 0
    for path in paths:
        try:
            parquet = pq.read_metadata(path)
        except (OSError, pa.ArrowException) as error:
            raise RunError(f"{path} cannot be read: {error}") from error
        answers += parquet.num_rows
        for group in map(parquet.row_group, range(parquet.num_row_groups)):
            columns = map(group.column, range(group.num_columns))
            prints += sum(c.num_values for c in columns if c.path_in_schema.startswith("fingerprints"))
    needed, there = prints * BYTES_A_PRINT + answers * BYTES_AN_ANSWER, _available_bytes()
    if needed > there or prints > MOST_PRINTS:
        raise InputError(
            f"{answers:,} answers known need {needed / 2**30:.1f} GiB of memory and {there / 2**30:.1f} are free: "
            "trace against a part of them, such as the days in question (--served TABLE, or a state of fewer days), "
            "one after the other, and count each in --tests"
        )


def _available_bytes() -> int:
    """Memory that a process may still take."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 1 << 62


def _joined(parts: list[npt.NDArray[Any]], kind: type) -> npt.NDArray[Any]:
    return np.concatenate([np.empty(0, kind), *parts]).astype(kind, copy=False)


def _sketched(batches: Iterator[Texts]) -> Iterator[tuple[Texts, Prints]]:
    """Fingerprints of answers without what their prompts hold, where the prompts are there."""
    most = IngestSettings().max_text_bytes
    for texts in batches:
        asked = buffers(utf8([_prompt(texts, k) for k in range(len(texts.row))]))
        if any(texts.also["messages"]):
            user = last_user(utf8([m if isinstance(m, str) else None for m in texts.also["messages"]]), most)
            asked = (user.data, user.offsets)
        yield texts, fingerprints(texts.data, texts.offsets, *asked)


def _prompt(texts: Texts, k: int) -> str:
    parts = (texts.also[name][k] for name in ("prompt", "instruction", "question"))
    return "\n".join(part for part in parts if isinstance(part, str))


def _rows(place: int, texts: Texts, prints: Prints) -> pa.RecordBatch:
    """Rows of `model.ANSWERS` of a table of answers; an answer without a time has day 0 of 1970."""
    n = len(texts.row)
    ids = texts.also["event_id"]
    names = [str(one) if one is not None else f"row {row}" for one, row in zip(ids, texts.row.tolist(), strict=True)]
    stamps, _ = times.parse(texts.also["time"], "auto")
    accounts = [str(one) if one is not None else "unknown" for one in texts.also["account_id"]]
    columns = {
        "event_id": pa.array(names, pa.string()),
        "source_id": pa.array(np.full(n, texts.source, np.int32)),
        "source_row": pa.array(texts.row),
        "time": pa.array(np.where(stamps == times.NONE, 0, stamps)).cast(TIME),
        "account_id": pa.array(accounts, pa.string()),
        "model": pa.array([str(one) if one is not None else "unknown" for one in texts.also["model"]], pa.string()),
        "words": pa.array(prints.words), "text": pa.array(prints.text),
        "fingerprints": pa.ListArray.from_arrays(pa.array(prints.offsets.astype(np.int32)), pa.array(prints.values)),
    }  # fmt: skip
    return pa.RecordBatch.from_pydict(columns, schema=ANSWERS)


def with_unserved(
    answers: Answers, paths: Sequence[str | Path], column: str | None, pseudonym: Callable[[str], str] | None
) -> Answers:
    """Put answers that were drawn and never served behind the served ones.

    Where they name their request (`event_id`, also by its pseudonym) each is paired with the answer that was served.
    """
    corpus = open_corpus(paths, column, BESIDE)
    parts = list(_sketched(corpus.batches()))
    ids = [None if one is None else str(one) for texts, _ in parts for one in texts.also["event_id"]]
    pair = _paired(answers, ids, pseudonym)
    if any(ids) and (pair < 0).all():
        raise InputError(
            f"{paths[0]}: none of its event ids is among the answers served: a null needs answers to the same requests "
            "(of keyed pseudonyms give --key-file)"
        )
    prints = [one for _, one in parts]
    said = np.concatenate([one.text for one in prints])
    if (pair >= 0).any() and (said[pair >= 0] == answers.known.text[pair[pair >= 0]]).all():
        raise InputError(f"{paths[0]}: its answers are those that were served: a null needs those that were not")
    known, n = answers.known, sum(len(one.words) for one in prints)
    sizes = np.concatenate([np.diff(known.offsets), *(np.diff(one.offsets) for one in prints)])
    return Answers(
        Known(
            np.concatenate([known.values, *(one.values for one in prints)]),
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            np.concatenate([known.text, *(one.text for one in prints)]),
        ),
        np.concatenate([answers.words, *(one.words for one in prints)]),
        np.concatenate([answers.account, np.full(n, -1, np.int32)]),
        np.concatenate([answers.day, np.full(n, NO_DAY, np.int32)]),
        np.concatenate([answers.pair, pair]),
        answers.accounts, answers.served, answers.paths, answers.operators,
        answers.origin | {"unserved": inputs(corpus.sources)},
        int((pair < 0).sum()) if any(ids) else 0,
    )  # fmt: skip


def _paired(answers: Answers, ids: list[str | None], pseudonym: Callable[[str], str] | None) -> Ints:
    """Place of the served answer to each request; -1 where it is not there."""
    place = np.full(len(ids), -1, np.int64)
    names = [pa.array(ids, pa.string())]
    if pseudonym is not None:
        names.append(pa.array([None if one is None else pseudonym(one) for one in ids], pa.string()))
    first = 0
    for path in answers.paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS, columns=["event_id"]):
                for wanted in names:
                    at = pc.index_in(wanted, value_set=batch["event_id"], skip_nulls=True)
                    found = np.flatnonzero(np.asarray(at.is_valid()))
                    place[found] = first + np.asarray(at.drop_null()).astype(np.int64)
                first += batch.num_rows
    return place
