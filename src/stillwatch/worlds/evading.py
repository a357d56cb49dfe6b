"""The levels that change a campaign's own accounts and streams. Each is a function of a draft, and changes it alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stillwatch.worlds import measured
from stillwatch.worlds.chance import Array, choose, draw
from stillwatch.worlds.draft import Draft
from stillwatch.worlds.habits import OFFICE, PRIVATE, STUDENT
from stillwatch.worlds.infrastructure import COUNTRY_LANGUAGE
from stillwatch.worlds.people import identities as ordinary_identities
from stillwatch.worlds.plan import COVER, HARVEST, HOME, INTERACTIVE, PROBE, PROXY, SITE

_PATHS = (84.0, 6.0, 3.0, 7.0, 0.0, 0.0)
_LANGUAGES = (5.0, 3.0, 3.0, 3.0, 4.0, 1.0, 1.5)
_CAP = 26
_ALWAYS = 1e9
"""Days for which a line keeps its address."""


def rotation(draft: Draft) -> None:
    """Half of the accounts, those that probe among them, are closed in three waves; each has a successor."""
    rng, n, days = draft.rng("rotation"), draft.size, draft.plan.days
    s, a, local = draft.streams, draft.accounts, draft.local
    probing = np.isin(np.arange(n), local[draft.own & (s["aim"] == PROBE)])
    order = np.lexsort((rng.random(n), ~probing))
    old, new = order[: n - n // 2], order[n - n // 2 :]
    late = 0.62 if "probe" in draft.names else 0.35
    wave = choose(rng, (4.0, 3.5, 2.5), len(old)) * 0.12 + late
    closed = np.full(n, np.nan)
    closed[old] = days * wave + rng.random(len(old)) * 0.4
    begin = days * rng.uniform(0.04, 0.12, n)
    begin[new] = closed[old[: len(new)]] + rng.uniform(0.05, 0.9, len(new))
    # opened for it shortly before, a dozen in an hour
    a["created"][new] = np.floor(begin[new] * 3) / 3 - rng.uniform(0.05, 0.2) - rng.random(len(new)) / 24
    a["created"][old] = np.minimum(a["created"][old], begin[old] - 0.1)
    a["closed"], a["reason"] = closed, np.where(np.isnan(closed), -1, 2).astype(np.int8)
    before = np.full(n, np.inf)
    mine = np.flatnonzero(draft.own & (s["aim"] != PROBE))
    np.minimum.at(before, local[mine], s["start"][mine])
    was = s["start"][mine]
    # what began with the account begins with its new life; later phases stay
    structural = np.where(was > before[local[mine]] + 1e-6, was, -np.inf)
    s["start"][mine] = np.maximum(begin[local[mine]], structural)


def identities(draft: Draft) -> None:
    """Everybody is somebody else, and has been for a while."""
    rng, n, a = draft.rng("identities"), draft.size, draft.accounts
    who = ordinary_identities(draft.plan, rng, n, _PATHS)
    who["created"] = -rng.uniform(3, 180, n)
    for name, values in who.items():
        a[name][:] = values
    networks, s, own = draft.habits.networks, draft.streams, np.flatnonzero(draft.own)
    country = a["country"][draft.local[own]]
    home = s["net"][own] == HOME
    bits = s["address"][own]
    s["network"][own] = np.where(home, networks.of(country, "residential", bits), s["network"][own])
    s["mobile"][own] = networks.of(country, "mobile", bits)


def probe(draft: Draft) -> None:
    """Ways of asking are tried in the first half; the harvest begins after it."""
    rng, s, half = draft.rng("probe"), draft.streams, draft.plan.days / 2
    rows = draft.harvest
    s["start"][rows] = np.maximum(s["start"][rows], half + rng.uniform(0.0, 0.5, len(rows)))
    s["end"][rows] = np.where(s["end"][rows] < half + 1.0, -1.0, s["end"][rows])
    s["end"][s["aim"] == PROBE] = half - 0.5


def wording(draft: Draft) -> None:
    """What is asked, and in what frame: `paraphrase`, `no_skeleton`, `grading` and `plain_data` in one."""
    names, rng, s, rows = draft.names, draft.rng("wording"), draft.streams, draft.harvest
    rule, m = draft.habits.rule, len(draft.harvest)
    free, spoken = "no_skeleton" in names, "paraphrase" in names
    if "grading" in names:
        draft.set(rows, open=rule("g.free" if free else "g.spoken" if spoken else "g.ask"), agent=False, tools=-1)
        draft.set(rows, turns=1.0, out_median=260.0, saturated=0.0, system=rule("g.system"))
    elif free:
        draft.set(rows, open=rule("n.ask"))
    elif spoken:
        framed = np.where(s["open"][rows] == rule("l2.clean"), rule("v.clean"), rule(f"v.l{draft.lab.kind}"))
        draft.set(rows, open=framed)
    if spoken:
        draft.set(rows, language=choose(rng, _LANGUAGES, m), language2=choose(rng, _LANGUAGES, m), second=0.5)
        draft.set(rows, system=np.where(s["system"][rows] >= 0, rule("v.system"), -1), vary=True)
    if "plain_data" in names:
        native = np.where(draft.own, COUNTRY_LANGUAGE[draft.accounts["country"][draft.local]], 0)[rows]
        draft.set(rows, open=-1, human=True, language=native, language2=0, second=0.3, agent=False, tools=-1)
    if free:
        # like anybody's: none, or one of the short ones that thousands use
        draft.set(rows, system=np.where(rng.random(m) < 0.5, -1, rule("s.short")), vary=False, system_share=1.0)
        draft.set(rows, system_seed=draw(draft.plan.seed, "system", rng.integers(0, 400, m)))
        draft.set(rows, style=draw(draft.plan.seed, "own style", draft.number, np.arange(m)))
    if free or spoken or "grading" in names or "plain_data" in names:
        draft.set(rows, follow=rule("h.more"))


def fresh_tasks(draft: Draft) -> None:
    """Every conversation has a task of its own."""
    draft.set(draft.harvest, bank=-1)


def human_times(draft: Draft) -> None:
    """Sessions at somebody's hours, on most days, with a person's pauses between turns."""
    rng, rows = draft.rng("human times"), np.flatnonzero(np.isin(draft.streams["aim"], (HARVEST, PROBE)))
    m = len(rows)
    draft.set(
        rows, mode=INTERACTIVE, schedule=-1, hop=0.0, profile=rng.choice([OFFICE, PRIVATE, PRIVATE, STUDENT], m),
        tz=draft.zones(rows) + rng.choice([-1.0, 0.0, 0.0, 1.0], m), spread=rng.lognormal(np.log(1500.0), 0.8, m),
        burst=rng.uniform(2.0, 9.0, m), think=rng.lognormal(np.log(measured.THINK_MEDIAN), 0.6, m),
        active=rng.uniform(0.7, 0.97, m), noise=rng.uniform(0.3, 0.7, m),
    )  # fmt: skip


def bare_interface(draft: Draft) -> None:
    """What the quick start of the documentation sends, and nothing else."""
    draft.set(
        np.flatnonzero(np.isin(draft.streams["aim"], (HARVEST, PROBE))), system=-1, tools=-1, agent=False,
        temperature=np.nan, top_p=np.nan, choices=-1, seed=-1, max_tokens=1024, thinking=False, signed=False,
        cache=False, client=0, out_median=450.0, out_sigma=0.6, saturated=0.02,
    )  # fmt: skip


def independent(draft: Draft) -> None:
    """Every account a person's in all that it does; only topics are spread as a harvester wants them."""
    draft.keep(draft.own & (draft.streams["aim"] == HARVEST))
    rng, old = draft.rng("independent"), dict(draft.streams)
    account = draft.local
    draft.keep(np.zeros(0, np.int64))
    rows = draft.write(draft.habits.people, rng, account)
    kept = ("operator", "campaign", "aim", "start", "end")
    draft.set(rows, **{name: old[name] for name in kept}, even=True, bank=-1, pause=-1, schedule=-1, end_users=0)
    draft.set(rows, active=rng.uniform(0.4, 0.97, len(rows)), noise=rng.uniform(0.3, 0.8, len(rows)))
    draft.give(rows, np.ones(len(rows)))


def cover(draft: Draft) -> None:
    """Instead of the camouflage there was: conversation in every account, 35 to 65 % of it as expected values."""
    rng = draft.rng("cover")
    draft.keep(draft.streams["aim"] != COVER)
    expected = draft.expected()
    mine = draft.by_account(expected, np.flatnonzero(draft.own))
    account = np.arange(draft.size)
    place = draft.places(account)
    start = np.full(draft.size, np.inf)
    rows = np.flatnonzero(draft.own)
    np.minimum.at(start, draft.local[rows], draft.streams["start"][rows])
    life = {"start": np.where(np.isfinite(start), start, 0.3), "active": 0.85, "noise": 0.4, "end_users": 0}
    told: dict[str, Any] = {"operator": draft.accounts["operator"], "campaign": draft.number, "aim": COVER}
    new = draft.write(draft.habits.people, rng, account, **place, **life, **told)
    share = rng.uniform(0.35, 0.65, draft.size)
    draft.give(new, mine * share / (1.0 - share))


def low_rate(draft: Draft) -> None:
    """No account sends more than 26 requests on any day."""
    draft.accounts["cap"][:] = _CAP
    draft.streams["hop"][:] = 0.0


# ---------------------------------------------------------------------------------------------------------- addresses
def _theirs(draft: Draft) -> Array:
    """Streams that come from the ring's own machines: not those that a reseller passes on."""
    return np.flatnonzero(draft.streams["net"] != SITE)


def residential(draft: Draft) -> None:
    """Everything through the pool."""
    draft.set(_theirs(draft), net=PROXY, away=0.0)


def one_address(draft: Draft) -> None:
    """A line for each account; the same for all that it sends."""
    rows, plan, networks = _theirs(draft), draft.plan, draft.habits.networks
    account, which = np.unique(draft.streams["account"][rows], return_inverse=True)
    inside = (account >= draft.first) & (account < draft.first + draft.size)
    row = np.where(inside, account - draft.first, 0)
    country = np.where(inside, draft.accounts["country"][row], draft.rng("lines").integers(0, 26, len(account)))
    taken: set[str] = set()
    bits = np.zeros(len(account), np.uint64)
    todo, attempt = np.arange(len(account)), 0
    while len(todo):
        bits[todo] = draw(plan.seed, "line", draft.number, attempt, account[todo])
        network = networks.of(country[todo], "residential", bits[todo])
        again = []
        for one, text in zip(
            todo.tolist(), networks.texts(network, draw("lease", bits[todo], 0)).to_pylist(), strict=True
        ):
            again += [one] if text in taken else []
            taken.add(text)
        todo, attempt = np.array(again, np.int64), attempt + 1
    network = networks.of(country, "residential", bits)
    draft.set(rows, net=HOME, network=network[which], address=bits[which], lease=_ALWAYS, away=0.0, spots=1, hop=0.0)


_WORDINGS = ("paraphrase", "no_skeleton", "grading", "plain_data")
STEPS: tuple[tuple[tuple[str, ...], Callable[[Draft], None]], ...] = (
    (("rotation",), rotation),
    (("identities",), identities),
    (("probe",), probe),
    (_WORDINGS, wording),
    (("fresh_tasks",), fresh_tasks),
    (("human_times",), human_times),
    (("bare_interface",), bare_interface),
    (("independent",), independent),
    (("cover",), cover),
    (("low_rate",), low_rate),
)
"""Each step with the levels that take it, in the order in which they apply."""
PLACES: tuple[tuple[tuple[str, ...], Callable[[Draft], None]], ...] = (
    (("residential",), residential),
    (("one_address",), one_address),
)
"""After everything that adds streams."""
