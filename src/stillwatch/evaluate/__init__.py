"""A run held against the exact truth of its world.

    evaluation = evaluate(run, world)                 # a run made with --pseudonyms none
    evaluation = evaluate(run, world, account_pseudonym=pseudonyms.accounts)
    evaluation.account_recall, evaluation.honest_accused, evaluation.as_json()
    for part in render(evaluation): console.print(part)

`evaluate(run, truth, *, account_pseudonym=None) -> Evaluation` reads the tables operators, verdicts, links and (for
event counts) sketches of a run folder, and `truth/accounts.parquet` (account_id, operator_id, label, campaign) with the
optional `truth/events.parquet` of accounts that mix. Nothing that detects imports this package, and it imports nothing
that detects: only the contracts of model, errors and engine.
"""

from stillwatch.evaluate.compare import evaluate
from stillwatch.evaluate.evaluation import Evaluation
from stillwatch.evaluate.show import render
from stillwatch.evaluate.timing import Timing, render_timing, timing

__all__ = ["Evaluation", "Timing", "evaluate", "render", "render_timing", "timing"]
