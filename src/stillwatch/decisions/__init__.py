"""From verdicts to what a gateway does, and what people decide about it.

    policy = load_policy(path)                              # TOML; shadow mode unless it says otherwise
    book = Casebook.open(folder, now)                       # orders, allow list, appeals: an append-only log
    now_holds = snapshot(read_facts(run), policy, book.docket, now)
    now_holds.get("acct-0412", now).action                  # constant time; make a new snapshot after every change

Nothing here reads a clock: whoever calls says when.
"""

from stillwatch.decisions.actions import Action, By, Certainty, Decision, Rate, Scope
from stillwatch.decisions.casebook import Casebook
from stillwatch.decisions.docket import Docket, Subject
from stillwatch.decisions.facts import RunFacts, read_facts
from stillwatch.decisions.policy import Policy, default_policy, load_policy
from stillwatch.decisions.procedure import RefusedError
from stillwatch.decisions.snapshot import Snapshot, decisions_table, snapshot

__all__ = [
    "Action",
    "By",
    "Casebook",
    "Certainty",
    "Decision",
    "Docket",
    "Policy",
    "Rate",
    "RefusedError",
    "RunFacts",
    "Scope",
    "Snapshot",
    "Subject",
    "decisions_table",
    "default_policy",
    "load_policy",
    "read_facts",
    "snapshot",
]
