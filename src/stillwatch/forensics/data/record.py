"""The manifest of a trace: what was found, against which null, what it does not show, and what else may explain it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from stillwatch import __version__
from stillwatch.forensics.data import findings, matching, nulls
from stillwatch.forensics.data.corpus import Corpus
from stillwatch.forensics.data.findings import Found, Tally
from stillwatch.forensics.data.served import Answers, inputs
from stillwatch.ingest.text import fingerprint

NOT_SHOWN = (
    "The route: whether these answers came into the corpus through an account named here, through a customer who "
    "passed them on or published them, through a third party's data set, or from the public web.",
    "Who put them there, and what for. An account is where an answer was served, not who made the corpus.",
    "That a model was trained on the corpus.",
    "What is not in it: answers that were paraphrased, translated or summarised leave no copy, so a corpus without "
    "matches is not cleared.",
)
PUBLISHED, QUOTED, PROMPT, COMMON, STOLEN = (
    "published by a customer", "a public text that the model repeats", "the prompt's own text",
    "what everybody is told", "a stolen key or a reseller",
)  # fmt: skip
EXPLANATIONS = {
    PUBLISHED: "Customers may publish answers. Look for the matched texts on the public web, and at whether the "
    "matches are a whole harvest of few accounts or single answers of many.",
    QUOTED: "The model and the corpus may both quote a third text. Answers drawn and never served quote it as often; a "
    "control corpus takes out what it holds itself.",
    PROMPT: "A customer who has a text corrected owns that text. What stands in the prompt is left out of an answer's "
    "fingerprints where the log has prompts.",
    COMMON: "Refusals, greetings and short facts are the same for all. Short answers and texts that many documents "
    "hold are listed and not counted.",
    STOLEN: "The account's owner need not have asked. See the scan's verdicts on victims and streams.",
}
DEFINITIONS = {
    "exact": "the same words in the same order; case, accents, punctuation and white space do not count",
    "near": f"at least {matching.NEAR_SHARED} fingerprints shared, and {matching.NEAR_SHARE:.0%} of the answer's own "
    "or of the text's",
    "lead": f"at least {matching.LEAD_SHARED} fingerprints shared that at most {matching.LEAD_HELD} documents hold; no "
    "evidence",
    "fingerprint": f"the least hash of {fingerprint.WINDOW} neighbouring runs of {fingerprint.RUN} words",
    "counted": f"exact or near; the answer has {findings.OWN} fingerprints that are not the prompt's, no control "
    f"corpus holds it, and at most {findings.COMMON} documents or {findings.COMMON_SHARE:g} of all do",
    "bits": "-log2 of the share of documents (known answers and texts of control corpora) that hold what is shared",
    "interval": f"Clopper-Pearson, {nulls.LEVEL:.0%}: of the share of all answers, if those kept are a random part",
}


def record(
    answers: Answers,
    found: Found,
    corpus: Corpus,
    tally: Tally,
    corpora: Sequence[dict[str, Any]],
    tests: Sequence[nulls.Test],
) -> dict[str, Any]:
    """Everything but times and the command."""
    return {
        "version": __version__,
        "corpus": {
            "inputs": inputs(corpus.sources), "rows": corpus.rows, "texts": corpus.texts, "read_as": corpus.read_as,
            "cut_texts": corpus.cut, "rejected": sum(corpus.rejected.values()),
            "rejected_by_reason": dict(corpus.rejected.most_common(100)),
        },
        "answers": {
            **answers.origin, "served": answers.served, "traceable": int(findings.traceable(answers, found).sum()),
            "never_served": len(answers.words) - answers.served,
            "never_served_without_a_served_answer": answers.unserved_without_request,
            "accounts": len(answers.accounts), "operators_known": bool(answers.operators),
        },
        "found": _found(answers.served, found, tally),
        "corpora": list(corpora),
        "tests": [test.as_dict() for test in tests],
        "conclusion": conclusion(tally, tests),
        "not_shown": list(NOT_SHOWN),
        "innocent_explanations": explanations(tests),
        "definitions": DEFINITIONS,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("numba", "numpy", "pyarrow", "scipy")},
        },
    }  # fmt: skip


def _found(served: int, found: Found, tally: Tally) -> dict[str, int]:
    """Texts of the corpus by what they are; answers found; and the documents against which rarity is measured."""
    return {
        "texts": tally.texts, "exact": tally.exact, "near": tally.near, "leads": tally.leads, "counted": tally.counted,
        "answers_exact": int(found.exact[:served].sum()),
        "answers_near": int((found.near & ~found.exact)[:served].sum()),
        "answers_never_served": int(found.counted[served:].sum()),
        "answers_in_controls": int(found.control[:served].sum()), "documents": found.documents,
    }  # fmt: skip


def shown(tests: Sequence[nulls.Test]) -> float | None:
    """The least adjusted p-value of an exact test; None if there was none."""
    return min((test.adjusted for test in tests if test.exact and test.adjusted is not None), default=None)


def explanations(tests: Sequence[nulls.Test]) -> list[dict[str, Any]]:
    """Innocent explanations; an exact test that rejects leaves fewer."""
    p = shown(tests)
    gone = {QUOTED, COMMON} if p is not None and p <= nulls.ACCUSE else set()
    return [{"name": name, "text": text, "remains": name not in gone} for name, text in EXPLANATIONS.items()]


def conclusion(tally: Tally, tests: Sequence[nulls.Test]) -> str:
    """One sentence, no stronger than what was looked at."""
    p = shown(tests)
    if not tally.copies:
        more = " Leads are no evidence." if tally.leads else ""
        return "No copy of an answer was found, which does not clear the corpus." + more
    if p is None:
        told = "a rank among control corpora is a lead, not a test" if tests else "no null was given"
        return f"Copies were found; how likely that is by chance cannot be said: {told}."
    if p <= nulls.ACCUSE:
        return (
            "The corpus holds answers that were served more often than answers to the same requests that never were "
            f"(p = {p:.1g}, number of tests counted): whoever made it drew on what was served."
        )
    return (
        f"Copies were found, but the exact test does not show that they come from what was served (p = {p:.2g}, above "
        f"{nulls.ACCUSE:g})."
    )
