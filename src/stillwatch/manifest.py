"""The manifest of a scan: everything needed to repeat it, and what it could not look at."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

from stillwatch import __version__
from stillwatch.ingest.accounts import Context
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.ingest.report import IngestReport
from stillwatch.judging import Judgement
from stillwatch.linking.link import LinkResult
from stillwatch.model import EVENTS
from stillwatch.settings import Settings
from stillwatch.signals import all_signals

HIDES = {
    "messages": "skeletons, items, labels and content links: purpose can hardly be judged",
    "system": "the application an account uses: matched groups are wider",
    "response": "answers: nothing can be traced in a suspect data set",
    "client_address": "shared addresses: one hand behind one network is not seen",
    "user_agent": "client software",
    "ja4": "TLS stacks",
    "output_tokens": "answers that run to their limit",
    "max_tokens": "answers that run to their limit",
    "cached_tokens": "broken prompt caches",
    "conversation_id": "conversations continued on another account",
    "reasoning_signature": "reasoning carried from one account to another",
    "accounts table": "payments, sign-ups, quotas, closures: transparency cannot be judged",
    "releases": "moves to a new model on its first days",
}
"""What cannot be seen when a column, or a table, is not there."""


def manifest(
    report: IngestReport,
    linked: LinkResult,
    judgement: Judgement,
    *,
    context: Context,
    settings: Settings,
    pseudonyms: Pseudonyms,
    command: str,
) -> dict[str, Any]:
    """Everything needed to repeat the run and to know what it could not look at."""
    verdicts = judgement.verdicts
    missing = [name for name in EVENTS.names if name in set(report.missing_columns)]
    missing += ["accounts table"] * (context.accounts is None) + ["releases"] * (not context.releases)
    return {
        "version": __version__,
        "command": command,
        "settings": settings.model_dump(),
        "seeds": {"scan": settings.seed},
        "inputs": report.inputs,
        "counts": {
            **report.counts,
            "accounts": len(linked.operators),
            "operators": len(verdicts),
            "links": len(linked.links),
            "verdicts": {row["values"]: row["counts"] for row in verdicts["verdict"].value_counts().to_pylist()},
        },
        "missing_columns": {name: HIDES.get(name, "") for name in missing},
        "baseline": judgement.baseline,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("duckdb", "ibis-framework", "numba", "numpy", "pyarrow", "scipy")},
        },
        "pseudonyms": {"mode": pseudonyms.mode, "key_fingerprint": pseudonyms.fingerprint},
        "releases": [{"model": model, "released_at": at.isoformat()} for model, at in context.releases],
        "false_links": linked.false_links,
        "signals": [
            {
                "name": signal.name,
                "dimension": signal.dimension.value,
                "fact": signal.fact,
                "question": signal.question,
                "statistic": signal.statistic,
                "null": signal.null,
            }
            for signal in all_signals()
        ],
        "explanations": {
            name: [
                {"name": fit.name, "text": fit.text, "fit_bits": round(fit.fit_bits, 2), "against": fit.against}
                for fit in fits
            ]
            for name, fits in judgement.explanations.items()
        },
    }
