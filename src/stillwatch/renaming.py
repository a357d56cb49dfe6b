"""The tables of a run under the ids that its operators had before (`linking.identity`).

Ids are carried after judging, whose random groups depend on the order of names: so a run whose ids are carried equals,
but for these ids, a scan of its log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa

from stillwatch.engine.runfolder import RunFolder
from stillwatch.judging.carried import CARRIES_OF
from stillwatch.linking import identity
from stillwatch.linking.victims import mapped
from stillwatch.model import VERDICTS, Verdict
from stillwatch.pipeline import Found


def renamed(run: RunFolder, found: Found, memory: pa.Table) -> Found:
    """Write every table of `run` that names operators anew, under the ids of `memory` (model.OPERATORS)."""
    operators = run.read("operators")
    ids = identity.names(memory, operators)
    judged = found.judgement
    judgement = replace(
        judged,
        verdicts=verdicts(judged.verdicts, ids),
        evidence=mapped(judged.evidence, ids),
        explanations={ids.get(old, old): fits for old, fits in judged.explanations.items()},
    )
    run.write("operators", identity.carry(memory, operators))
    for name in ("victims", "streams"):
        run.write(name, mapped(run.read(name), ids))
    # as large as the log
    with run.writer("stream_events") as out:
        for piece in run.pieces("stream_events"):
            out.write_table(mapped(piece, ids))
    run.write("evidence", judgement.evidence)
    run.write("verdicts", judgement.verdicts)
    return replace(found, judgement=judgement)


def verdicts(table: pa.Table, ids: Mapping[str, str]) -> pa.Table:
    """Verdicts with their operators' new ids, also where a text names one."""
    rows = mapped(table, ids).to_pylist()
    for row in rows:
        row["innocent_explanation"] = retold(row["innocent_explanation"], ids, row["verdict"])
    return pa.Table.from_pylist(rows, schema=VERDICTS)


def retold(text: str, ids: Mapping[str, str], verdict: str) -> str:
    """The statement on a victim, or on who carries a stream, names an operator."""
    if verdict != Verdict.COMPROMISED_ACCOUNT and not text.startswith(CARRIES_OF):
        return text
    return " ".join(
        ids.get(word.rstrip(","), word.rstrip(",")) + word[len(word.rstrip(",")) :] for word in text.split(" ")
    )
