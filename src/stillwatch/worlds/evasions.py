"""How a campaign evades, as its operators would: levels by name, to be combined, and the order in which they apply.

A level knows what a campaign does and nothing of how anybody looks for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from stillwatch.errors import UsageError
from stillwatch.worlds import evading, outside
from stillwatch.worlds.draft import Draft, Mark
from stillwatch.worlds.habits import Habits
from stillwatch.worlds.plan import Plan
from stillwatch.worlds.specs import Lab

EVASIONS = {
    "paraphrase": "elicitation worded anew in seven languages, no stock phrases; a ring keeps its frame around it",
    "human_times": "sessions with a daily rhythm in the zone of each account's country, not a queue or a scheduler",
    "identities": "unique card, ordinary mail, varied countries and sign-up paths, sign-ups spread over six months",
    "residential": "every request leaves through residential lines of the ring's proxy pool",
    "one_address": "one residential address an account, for everything it sends, shared with no other account",
    "low_rate": "at most 26 requests an account and day, on average 18; more accounts for the same volume",
    "cover": "30 to 70 % of each account's requests are conversation like anybody's",
    "no_skeleton": "every request worded and ordered by a paraphrasing model, no shared system prompt",
    "fresh_tasks": "no task twice, no samples of one task, no order of a bank",
    "reseller": "a fifth of the harvest through four resellers' accounts, 5 to 50 % of what each of them sends",
    "relay": "the accounts also carry real users of cheap access, as much again as the ring's own requests",
    "rotation": "half of the accounts are closed in three waves, others take their work over within a day",
    "probe": "a probe phase first, the harvest only in the second half, at the same daily rate",
    "grading": "grading, scoring and filtering only, nothing is elicited",
    "stolen": "half of the harvest over stolen keys of honest customers, who go on with their own work",
    "shared_proxy": "the rings and honest privacy-tool users leave through one proxy network",
    "few_queries": "budget: a third of the volume",
    "plain_data": "budget: existing questions of real people instead of made tasks, spread evenly over topics",
    "bare_interface": "budget: no system prompt, no tools, no parameters, the default client and output limit",
    "independent": "independent in all: identity, address, hours, tasks, wording, clients, cover; plain prompts",
}
"""Evasion levels by name. Any set of them can be combined; where two contradict the stronger wins (see below)."""

ALL_BUT_INDEPENDENT = (
    "paraphrase", "human_times", "identities", "one_address", "low_rate", "cover", "no_skeleton", "fresh_tasks",
    "reseller", "relay", "rotation", "probe", "stolen",
)  # fmt: skip
"""All levels that an operator would use together and still get what it came for.

Left out: `residential` and `shared_proxy`, which are about a proxy network and which `one_address` replaces; `grading`,
which elicits nothing, so that `paraphrase` and `fresh_tasks` would have nothing to reword; `few_queries`, `plain_data`
and `bare_interface`, which give up part of the harvest itself; and `independent`.
"""

_INDEPENDENT = frozenset(
    {"identities", "one_address", "human_times", "fresh_tasks", "no_skeleton", "cover", "plain_data"}
)
"""What `independent` implies."""

PROXY_DEVICES = 0.4
"""Devices of a shared proxy network for each account of the campaigns."""
_STOLEN, _RESOLD = 0.5, 0.2
"""Parts of the harvest that run over stolen keys, and through resellers."""
_LOW_MEAN = 18.0


def checked(names: Iterable[str]) -> tuple[str, ...]:
    """The names without repetition in the order of `EVASIONS`; `none` stands for none. UsageError for unknown names."""
    asked = {name.strip() for name in names} - {"none", ""}
    unknown = sorted(asked - set(EVASIONS))
    if unknown:
        raise UsageError(f"no evasion is called {unknown[0]!r}: there are none, all, {', '.join(EVASIONS)}")
    return tuple(name for name in EVASIONS if name in asked)


@dataclass(frozen=True)
class Evasions:
    """The levels of a world, with what they imply."""

    names: tuple[str, ...]

    @property
    def effective(self) -> frozenset[str]:
        """With everything that `independent` implies; `one_address` leaves no request to proxies."""
        found = frozenset(self.names) | (_INDEPENDENT if "independent" in self.names else frozenset())
        return found - {"residential", "shared_proxy"} if "one_address" in found else found

    def resized(self, lab: Lab, days: int) -> Lab:
        """The campaign with as many accounts and requests as the levels need."""
        names, accounts, events = self.effective, lab.accounts, lab.events
        if "few_queries" in names:
            events /= 3.0
        if "probe" in names:
            events *= 0.6
        if "low_rate" in names:
            # own requests; a relay's users come on top
            over = _STOLEN * ("stolen" in names) + _RESOLD * ("reseller" in names)
            own = events * (1.0 - over) * (2.0 if "relay" in names else 1.0)
            alive = days * (0.45 if "probe" in names else 0.85)
            accounts = max(accounts, own / alive / _LOW_MEAN)
        if "rotation" in names:
            accounts *= 2.0
        return replace(lab, accounts=accounts, events=events)

    def rewrite(self, plan: Plan, habits: Habits, lab: Lab, number: int, events: float, start: Mark, pool: int) -> None:
        """Apply all levels to the campaign that was added to the plan since `start`. pool: the shared proxies or -1."""
        names = self.effective
        if not names:
            return
        draft = Draft.take(plan, habits, number, lab, events, names, start)
        for levels, step in evading.STEPS:
            if names & set(levels):
                step(draft)
        over = _STOLEN * ("stolen" in names) + _RESOLD * ("reseller" in names)
        draft.give_all((1.0 - over) * events)
        if "stolen" in names:
            outside.stolen(draft, _STOLEN * events)
        if "reseller" in names:
            outside.resellers(draft, _RESOLD * events)
        if "relay" in names:
            outside.relay(draft)
        if pool >= 0:
            outside.shared_proxy(draft, pool)
        for levels, step in evading.PLACES:
            if names & set(levels):
                step(draft)
        draft.put()
