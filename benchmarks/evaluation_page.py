"""docs/evaluation.md from benchmarks/results: `python benchmarks/evaluation_page.py`; no results, no part."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.evaluate.metrics import clopper_pearson

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
LEVELS = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
Row = dict[str, Any]

HEAD = """# How right the verdicts are

Written by `python benchmarks/evaluation_page.py` from `benchmarks/results/`; every number has its command (`make
bench-detection` runs them all). Worlds are synthetic and labelled; intervals are 95 % Clopper-Pearson and take
accounts as independent, which accounts of one operator are not.
"""

BLIND = """
## What Stillwatch cannot see

- answers that are passed on outside the service: bought transcripts, logs of a partner, files copied offline;
- one account, or a few, whose use stays within what single customers do;
- operators whose accounts are fully independent: own identities, own homes and clients, no common time, prompts as
  people write them, and much real people's traffic besides;
- a campaign of which the log holds neither text nor anything that accounts could share;
- who stands behind an operator: it finds accounts in one hand, not names.

## What falls short, and what was tried

- **All evasions at once** (but for `independent`): nobody is accused. What is left of two rings is 579 accounts
  with 45 requests each in two weeks, a quarter of them harvest, with a card, an address and a sign-up of its own
  each; half of the harvest runs over 74 stolen keys and a fifth through resellers. A classifier trained on the
  truth tells these requests from honest ones (81 % at one honest in a hundred, 67 % at one in a thousand), but an
  account has about eleven of them: its share of requests that look so is .17 in the median, and one honest account
  in a hundred has that too. By itself the linker gathers one source of 97 accounts (70 of the rings, 25 stolen, 2
  others), which do not pass for one hand. Even with the true accounts given, their pooled purpose is worth 2 to 3.5
  bits, because three quarters of what they send is other people's. With residential exits in place of own addresses
  and identities, 57 accounts that probe are linked, the rings told apart, and not accused. Judging the stream in
  place of the account, and proving a hand by when its streams begin, are the next steps.
- **Real people's questions** (`plain_data`): 20 of 210 accounts are missed at seed 10 and 17 at seed 14, and two and
  three honest accounts are accused with the rings (four and seven at seeds 10 and 11 before an embedding alone stopped
  being enough where all others have words in common). Of the 20 missed the linker had found 7 and let them go again:
  they share nothing with the others and lean their way half as far, as the honest accounts nearest to the ring do.
- **A long probe phase** (`probe`): 21 and 17 accounts are missed. Most of those that were looked at (seed 11) have
  none of the campaign's words: they lived in the probe.
- **Relays** are accused with the rings twice in 132 times (1.5 %; 1 is asked for), both with `plain_data`: they pass
  real people's questions on, as the rings do there.
  With an earlier linking, what is asked in German or Japanese was not compared with what is asked in English: of
  ring-a's 47 accounts in Germany, Austria, Switzerland and Japan (seeds 0 and 3) 2 are found, of its 119 in the United
  States, India and Britain 112. Taking out of the embeddings whatever tells countries apart (nuisance attribute
  projection, 9 and 10 directions) changed nothing: 324 of 420 accounts against 327.
- **Real text with hands dealt anew** (`shuffled`): in the first eight worlds somebody was accused in two, 84 of 7,002
  honest accounts. Two things were wrong. The deal was among accounts of like volume, and few are as large as an
  enterprise's seats, so these were dealt one another's cards and offices and the next enterprise's; it is among all
  accounts now. And whoever shared a card and a home with one seat of a known organisation was put into one operator
  with all of it: 24 seats and a stranger passed for one hand with 25 declared customers. A link to a known organisation
  joins nobody to it any more; with that alone the one world of the old deal that was looked at again has none.
  In none of fifty worlds of the new deal is anybody accused.
- **Three evasions together** (`reseller`, `stolen` and `no_skeleton`, scale .5, seeds 1 to 3): 135 of 315 campaign
  accounts are accused, 8 % of the harvest in others' accounts is told from their owners' use, and of 54 owners of
  stolen keys 25 are recognised and four accused. Without setting victims and streams apart 225 and 17 are accused.
- **Small campaigns** whose volume and purpose stay within those of a single customer (12 accounts, 1,000 requests)
  are linked exactly and not accused.
- **Wider content vectors** (256 dimensions and 512 features in place of 64 and 128) find 87 % in place of 55 % of
  groups in one scene of [content](content.md). On whole worlds they changed little (`plain_data` .49 to .51,
  `probe` .86 to .89, `seed` over real prompts 147 of 160 either way), for four times the room and three times the
  time of profiles, since manner, words and seeds find the same accounts. They were left at 64 and 128.
- **Two rings with one kind of question** lend each other a few accounts, and are one operator at some levels (the
  ARI column).
- **Parts that brought nothing** on the worlds of the ablation (one seed at scale .4), and what of them is gone.
  *Removed*: the views `frame`, `skeleton`, `near_duplicate` and `item`, half of all traits at full size, and with
  them MinHash bands and the last words of prompts. They could decide nothing: sources are found by the first words,
  the instructions and the tools, so these four only said again what links people were shown; nor do `parameters`,
  `profile` and `tools`, which cost next to nothing, when all seven are left out. *Removed and put back*: seeds by
  control and the signal `saturation`. Neither changed a verdict there, alone or where a stronger part is missing; but
  at scale 1 (seed 10) a ring of 62 accounts is lost at `no_skeleton` without `saturation` (148 of 210 accused in
  place of 210), and 11 accounts and an index of .634 in place of .749 at `plain_data` without seeds by control (the
  ablation's `World.again` on these two logs). So that small worlds see nothing is not enough, and the rest stands.
  What random groups share, two hands told apart (.08 of the index on an earlier ablation's worlds), streams judged by
  themselves (they accuse parts of accounts, not accounts) and matched groups are stages that such worlds hardly need.
  Of the signals of source `homogeneity` decides where a hand is not proven (278 accounts), and none where it is,
  which is worth 14.7 bits by itself; `load_balance`, `release_pivot` and `task_bank` bring nothing either way, and
  are the only answer to what campaigns were reported to do and these rings do not. Of the views, payment, the
  skeleton of what is asked, the client and the conversation decide; a phone shared, a key, an exit kept for months
  are not in these worlds.
- **More signals are not more evidence.** A sum of facts is held against the same sum on matched groups, so a fact
  that a ring does not show lifts what it is held against. With `coverage` or `skeleton_concentration` there are 1.6
  bits of purpose fewer than without; where `elicitation` is missing, 454 of 924 accounts are accused, and 787 if
  `skeleton_concentration` is missing too. But without it and `grading` 193 honest accounts are accused beside the
  rings and 49 where nobody is guilty (two in `judging.without`), so both stay. Keeping only facts above a threshold
  was not tried.
- **Members by words alone.** At `plain_data` the relays, pupils and application users that share some words with a
  ring were accused with it (14 beside 333 accounts, two worlds) until words had to be as large a part of what an
  account asks as of the others' (6 beside 327). The rest are relays: they pass real people's questions on, as the
  ring does.
- **Groups with members in common.** Two groups that began with the same account were one operator by mistake, and a
  group that proved its hand by a ring's accounts kept that proof when these went to the ring: 14 honest accounts
  beside 81 of a ring's in one world (`no_skeleton` with `paraphrase`, seed 12, scale .4). Now what is left of a group
  must prove its hand anew, and two views of one ring are put together first. On the eight worlds of seed 12 that
  took honest accounts accused from 16 to 1 and left 765 of 824 campaign accounts as they were.
- **Full size.** It once had 419 honest accounts accused, lab-1, lab-2 and a class of 200 as one operator, and 198
  ordinary accounts and 15 start-ups as a hand of their own. Three causes, all mended. (a) A fixed address counted once
  a day: strangers on rented servers shared one fact and were charged with it 25 times (`address_day`, no longer read).
  (b) Parts were joined if many members shared what the others share, though all of a class have one mail domain for
  one reason; now one stock of cards, clients and mail must be likelier than two. (c) Two hands in one group were held
  to odds in proportion to the whole group; now to what the smaller of the two can say. On eight evasions of seed 11
  (scale 1) this took ARI from .34 to .86 in the mean.
- **The first days.** Of two or three days an account has few events, so that people who ask alike stand beside a
  ring, and the ring's part proved the hand for all of them: on the third evening of the world at full size 714 honest
  accounts were accused beside 127 of lab-2 as one operator, at .000777 where .000778 is allowed, and let go the next
  evening; 770 on any of four evenings. Members' own evidence does not tell them apart (of lab-3's 22,520 accounts none
  is proven by itself). What does is whether those who ask as a member does share more with the group than strangers
  who hold as many traits do: around the 695 ordinary accounts of that group they share more than .52 of them, in rings
  of their own than .69 to .91. Who has strangers for neighbours now needs control evidence of its own; and whoever has
  left a group, or is in another, no longer counts among the strangers that the others are held against, which had made
  a ring of a third of the log its own background. Then rings came late: an account of few events has no embedding,
  which counted as unlike the others, and once out it disputed their words, so that more went in every round (fourth
  evening: 16,895 accounts of lab-3 found, 5,426 kept). Now that is not held against it: 13,491 are kept, and on the
  first evening 1,884 accounts of the rings where 53 were. Honest accounts among them on the fourth evening are 3 (9
  before two more rules: an embedding alone is one kind of evidence, and not enough where all others have words in
  common).
- **Small rings with one address each.** Two views of one family cost log 2 a member for the choice between them. The
  mean of their e-values costs nothing where both say the same; with it `one_address` at seed 11 went from 150 to all
  210 accounts.
- **One ring taken for many.** At full size lab-3 (22,600 accounts) was 514 operators in one scan (adjusted Rand index
  .005) and five in the next (.408; 23,802 of 24,000 accused, 1 of 48,293 honest), where an earlier scan had it as one.
  The cause: a hand was held to a stock of at most 2,000 cards, exits or mail domains, so that two parts of a large ring
  with cards by threes looked like two hands for having no card in common. The limit is now the number of accounts in
  the log. Two rules that had been put in against it (more odds for more parts, and a prior for the larger part) are
  gone: no recall got worse at seed 11, and `residential` tells both rings apart. Then 59 accounts of lab-2 were a
  hand of their own, by 35.6 nats where 35.4 were needed; what is needed now lies in the middle between that and the
  least that two rings had. Each lab is one operator since, and none is mixed. The index stayed at .949 for 138 accounts
  outside the three, each of which counts as one. 44 of them left for sharing less than the others around them and came
  back by their words, round after round; whoever could come in so does not go so any more (98 left, .964). Of these 98
  90 have the words of their ring beyond all doubt and an embedding that leans its way less than a third as far as the
  others': nobody with so little may join while two campaigns could mix, but whoever no group has in the end may
  (`linking/strays.py`; .998). Tried and not taken: to tell
  how often a thing comes again by the communities that hold it. It has every lab whole too, but two rings are one at 5
  of the first 12 evasions of seed 11: one ring is then up to .24 nats an account apart, and two rings are .23 to .80.
- **Revisions.** All of this page is of one linking but the real rings and windows on their own pages. The four views
  were removed after it was measured. The 44 logs of the table of evasions, the 150 worlds where nobody is guilty and
  the log at full size were scanned again without them: every number of accounts accused, every rate and every index is
  the same.
  Which of two rows of one event id stays and the last digits of sums once decided whether the two campaigns of `demo`
  (seed 0) are one operator, so the ARI column is that fragile.
- **Before 2 % has gone.** Looked at every evening, lab-1 (600 accounts, 149,586 exchanges) has sent 3.3 % by the first:
  2 % are five requests an account. Looked at every six hours (`--by 6h`) all three have accounts accused by noon of the
  first day, with .04, .22 and 1.4 % gone and no honest account among 469; but that is one operator, lab-3's, with six
  accounts of lab-1 and ten of lab-2 in it. Lab-1 is an operator of its own six hours later, 160 accounts and nobody
  else's, with 2.7 % gone. Lab-2 by itself is not proven on the first days, looked at either way: some 280 of its
  accounts come in on the third evening as part of an operator with lab-1. Sixteen looks in four days accuse 16 honest
  accounts at some time, four looks 15; of campaign accounts 16,056, of which 2,824 are let go again by the last look,
  and four looks 13,345.
- **Owners of stolen keys** of whom the log holds little from before the theft were accused with the operator: at seed
  10 one of the three of the world, at eight levels, with seven requests before the turn where ten were asked for. How
  few they are is in the chance of the turn already (24 bits there), so five are enough now; and ten bits are where the
  account is older than nine in ten of the operator's and its owner goes on beside the thief. On twelve saved worlds
  that owner is recognised and nobody else passes for a victim who did not before. Beside the levels above one owner in
  324 is still accused, and at `bare_interface` two more accounts of a ring are not. Where rings spread their own
  sign-ups over six months (`identities`), owners were taken for hired since they were not older than nine in ten of the
  ring's accounts; now thirty days before the turn are enough (three worlds: 12 of 39 owners with a turn, then none; one
  of 126 accounts of a ring more passes for a victim).
"""


def interval(hits: int, of: int) -> str:
    """`3 of 50 (.0125 to .1655)`."""
    low, high = clopper_pearson(hits, of)
    return f"{hits:,} of {of:,} ({low:.4f} to {high:.4f})"


def read(name: str) -> Any:
    """A result, None if it was not made."""
    path = RESULTS / name
    return json.loads(path.read_text()) if path.exists() else None


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """Lines of a Markdown table."""
    columns = list(head)
    return [
        f"| {' | '.join(columns)} |",
        "|" + "---|" * len(columns),
        *(f"| {' | '.join(map(str, r))} |" for r in rows),
    ]


DIMENSIONS = ("source", "scale", "transparency", "purpose")
NOBODY = {
    "innocent": ("`innocent`", "make bench-detection"),
    "quiet": ("`quiet`: with conferences, outages, fashions, hackathons", ""),
    "shuffled": ("`quiet` over real prompts, exits and identities dealt anew among all accounts", ""),
}


def calibration() -> list[str]:
    """Nobody guilty: every accusation is false, so the realised rate is the share of worlds with an accusation."""
    found = {name: part for name in NOBODY if (part := read(f"detection/{name}.json")) is not None}
    if not found:
        return []
    lines = ["\n## Nobody guilty: stated against realised\n"]
    for name, part in found.items():
        runs = part["runs"]
        honest, accused = sum(r["honest_accounts"] for r in runs), sum(r["honest_accused"] for r in runs)
        lines.append(
            f"- {NOBODY[name][0]}: {len(runs)} worlds at scale {part['scale']:g}, {sum(r['events'] for r in runs):,} "
            f"events; honest accounts accused at the default level of .01: {interval(accused, honest)}"
        )
    lines.append(
        "\nEvery accusation is false here, so the realised false-discovery rate over operators is the share of "
        "worlds in which anybody is accused:\n"
    )
    rows = [
        [f"{level:g}", *(interval(sum(any(t[0] <= level for t in r["tested"]) for r in p["runs"]), len(p["runs"]))
                         for p in found.values())]
        for level in LEVELS
    ]  # fmt: skip
    lines += table(["stated", *found], rows)
    lines.append("\nAccounts accused at each level, of all honest accounts:\n")
    rows = [
        [f"{level:g}", *(interval(sum(t[1] for r in p["runs"] for t in r["tested"] if t[0] <= level),
                                  sum(r["honest_accounts"] for r in p["runs"])) for p in found.values())]
        for level in LEVELS
    ]  # fmt: skip
    lines += table(["stated", *found], rows)
    return lines


def hard_negatives() -> list[str]:
    """Accounts accused by kind of customer, with campaigns about and without."""
    parts = [part for name in (*NOBODY, "evasions") if (part := read(f"detection/{name}.json")) is not None]
    if not parts:
        return []
    without: dict[str, np.ndarray] = {}
    beside: dict[str, np.ndarray] = {}
    for part in parts:
        for run in part["runs"]:
            into = beside if run["campaign_accounts"] else without
            for label, counts in run["by_label"].items():
                into[label] = into.get(label, np.zeros(2, np.int64)) + np.array(counts)
    lines = ["\n## Hard negatives: who is accused by mistake\n"]
    rows = [
        [label, *(interval(int(of[label][1]), int(of[label][0])) if label in of else "-" for of in (without, beside))]
        for label in sorted(without | beside)
    ]
    lines += table(["kind of customer", "in worlds without a campaign", "beside evading campaigns"], rows)
    lines.append("\nA victim of a stolen key carries the harvest in its account; its owner must not be accused.\n")
    return lines


def evasions() -> list[str]:
    """Recall and honest accounts accused at every evasion level."""
    part = read("detection/evasions.json")
    if part is None:
        return []
    runs = part["runs"]
    seeds = sorted({r["seed"] for r in runs})
    lines = [
        "\n## Evasions\n",
        f"The world `evaded` at scale {part['scale']:g} (two rings, {runs[0]['honest_accounts']:,} honest accounts), "
        f"seeds {', '.join(map(str, seeds))}; `stillwatch world evaded --evasion LEVEL` makes it, what each level is "
        "stands in `src/stillwatch/worlds/evasions.py`. Judged at .01 everywhere. Rules of membership, of\n"
        "victims and of two hands were worked out on seeds 0, 1 and 3, those of crowds and of young accounts on the "
        "first days of `seed` at full size (seed 1), those of who comes in last and of a theft's first days with "
        "levels of seeds 10, 11 and 13 looked at (`none`, `plain_data`, `probe`, `paraphrase`, `cover` and others). "
        "Seed 14 is held out: no rule was chosen by it (after the last, one saved state of it was looked at, "
        "`plain_data`).\n",
    ]
    rows = []
    for key in dict.fromkeys(r["key"] for r in runs):
        mine = [r for r in runs if r["key"] == key]
        accounts, accused = sum(r["campaign_accounts"] for r in mine), sum(r["campaign_accused"] for r in mine)
        honest, wrong = sum(r["honest_accounts"] for r in mine), sum(r["honest_accused"] for r in mine)
        rings = {name for r in mine for name in r["by_campaign"]}
        per = "; ".join(
            f"{name} {np.mean([r['by_campaign'][name][1] / r['by_campaign'][name][0] for r in mine]):.2f}"
            for name in sorted(rings)
        )
        ari = np.mean([r["ari"] if r["ari"] is not None else np.nan for r in mine])
        name = key if "+" not in key else f"all but independent ({key.count('+') + 1} levels)"
        rows.append([name, f"{accused / accounts:.3f}", interval(accused, accounts), per, f"{wrong} of {honest:,}",
                     f"{ari:.2f}"])  # fmt: skip
    lines += table(["evasion", "recall", "campaign accounts accused", "by ring", "honest accused", "ARI"], rows)
    return lines


def named() -> list[str]:
    """Named worlds, of which `seed` at scale 1 is the full size."""
    rows, more = [], []
    for path in sorted((RESULTS / "detection").glob("named-*.json")):
        part = json.loads(path.read_text())
        for run in part["runs"]:
            per = "; ".join(f"{name} {c[1]:,} of {c[0]:,}" for name, c in run["by_campaign"].items())
            rows.append(
                [f"`{run['key']}` {part['scale']:g}{', real prompts' if part['prompts'] else ''}, seed {run['seed']}",
                 f"{run['events']:,}", interval(run["campaign_accused"], run["campaign_accounts"]), per,
                 interval(run["honest_accused"], run["honest_accounts"]),
                 "-" if run["ari"] is None else f"{run['ari']:.3f}", f"{run['seconds']:.0f} s",
                 f"{run['peak_mebibytes']['process'] / 1024:.1f} GiB"]
            )  # fmt: skip
            labels = [f"{n} {label}" for label, (_, n) in run["by_label"].items() if n]
            parts = ", ".join(f"{name} {s:.0f}" for name, s in run["stages"].items())
            honest = ", ".join(labels) or "none"
            more.append(f"`{run['key']}` {part['scale']:g}: honest accused: {honest}; seconds: {parts}.\n")
    if not rows:
        return []
    head = ["world", "events", "campaign accounts accused", "by campaign", "honest accused", "ARI", "scan", "memory"]
    return ["\n## Named worlds\n", *table(head, rows), "", *more]


def early() -> list[str]:
    """How much of each campaign had gone at its first accusation, at full size."""
    parts = [part for by in ("", "-12h", "-6h") if (part := read(f"detection/early{by}.json")) is not None]
    lines = ["\n## How early\n"] if parts else []
    for part in parts:
        lines += looked_early(part)
    return lines


def looked_early(part: dict[str, Any]) -> list[str]:
    """The looks of one replay."""
    by = part.get("by", "day")
    when = "on the evening of each of" if by == "day" else f"every {by[:-1]} hours of"
    lines = [
        f"\n`seed` at scale {part['scale']:g}, background {part['background']:g}, looked at {when} its first "
        f"{part['days']} days ({part['events']:,} events by then), under the level that such a replay spends "
        f"(`python benchmarks/early.py{'' if by == 'day' else f' --by {by}'}`):\n",
    ]
    rows = [
        [row["campaign"], f"{row['accounts']:,}", f"{row['exchanges']:,}", row["day"] or "not in these days",
         "-" if row["share"] is None else f"{row['share']:.2%}",
         ", ".join(f"{n:,} ({day[5:]})" for day, n in row["by_day"].items())]
        for row in part["campaigns"]
    ]  # fmt: skip
    head = ["campaign", "accounts", "exchanges", "first accused", "gone by then", "accounts first accused"]
    lines += table(head, rows)
    kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(part["honest_by_label"].items())) or "none"
    lines.append(
        f"\nHonest accounts accused at any of these looks: "
        f"{interval(part['honest_ever_accused'], part['honest_accounts'])}: {kinds}. The whole of this world is above."
    )
    return lines


def streams() -> list[str]:
    """Which events of mixed accounts are an operator's."""
    part = read("streams.json")
    if part is None:
        return []
    lines = [
        "\n## Streams: whose requests, not whose account\n",
        "Events of accounts that mix, attributed one by one to accused operators (`python benchmarks/streams.py`):\n",
    ]
    rows = []
    for level, found in part["levels"].items():
        verdicts = found["verdicts"]
        rows.append(
            [level, *(_pair(found.get(where)) for where in ("outside", "own")),
             f"{verdicts['victims_recognised']} of {verdicts['victims']}", verdicts["victims_accused"],
             verdicts["campaign_as_victims"]]
        )  # fmt: skip
    head = ["world", "others' accounts: precision, recall", "own accounts: precision, recall", "victims recognised",
            "victims accused", "campaign accounts that pass for victims"]  # fmt: skip
    return [*lines, *table(head, rows)]


def _pair(found: Row | None) -> str:
    if not found or found.get("precision") is None:
        return "-"
    recall = found.get("recall")
    return f"{found['precision']:.4f}, {'-' if recall is None else f'{recall:.4f}'}"


def ablation() -> list[str]:
    """What each signal, view and stage brings."""
    part = read("detection/ablation.json")
    if part is None:
        return []
    whole = part["whole"]
    lines = [
        "\n## What each part brings\n",
        f"Linking and judging repeated without one part, on {len(part['worlds'])} worlds with campaigns "
        f"({', '.join(part['worlds'])}) and {len(part['nobody'])} without (`python benchmarks/ablation.py`). Whole: "
        f"{whole['accused']:,} of {whole['campaign']:,} campaign accounts accused, {whole['honest']} honest ones, "
        f"{whole['nobody']} honest ones where nobody is guilty. Differences to that:\n",
    ]
    lines += table(ABLATED, _differences(part))
    lines.append(
        "\nThe last four columns are bits, the mean over campaign accounts, of signals alone: what one adds, deciding "
        f"or not. With all there are {', '.join(map('{:.1f} of {}'.format, whole['bits'], DIMENSIONS))}."
    )
    return lines + backups()


ABLATED = ["kind", "without", "campaign accounts", "honest accounts", "honest, nobody guilty", "ARI", *DIMENSIONS]


def _differences(part: Row) -> list[list[Any]]:
    """Of each row of an ablation to its whole, stages first."""
    whole, order = part["whole"], {"stage": 0, "signal": 1, "view": 2}
    return [
        [row["kind"], row["without"],
         *(f"{row[name] - whole[name]:+d}" for name in ("accused", "honest")),
         f"{row['nobody'] - whole['nobody']:+d}", f"{row['ari'] - whole['ari']:+.3f}",
         *(f"{bits - whole['bits'][d]:+.2f}" for d, bits in enumerate(row.get("bits", ())))]
        for row in sorted(part["rows"], key=lambda row: order[row["kind"]])
    ]  # fmt: skip


def backups() -> list[str]:
    """What parts bring where another is missing."""
    parts: list[Row] = read("detection/ablation_given.json") or []
    lines: list[str] = []
    for part in parts:
        whole, left_out = part["whole"], ", ".join(f"`{name.split(':', 1)[1]}`" for name in part["given"])
        lines += [
            f"\nOn the same worlds with {left_out} left out everywhere (`--given`), as where a log has none of it or a "
            f"ring gives no cause for it: {whole['accused']:,} of {whole['campaign']:,} campaign accounts accused, "
            f"{whole['honest']} honest ones, {whole['nobody']} where nobody is guilty. "
            + ("Differences to that:\n" if part["rows"] else ""),
        ]
        lines += table(ABLATED, _differences(part)) if part["rows"] else []
    return lines


def costs() -> list[str]:
    """What each evasion costs who harvests, at assumed prices."""
    part = read("evasion_cost.json")
    if part is None:
        return []
    runs = part["runs"]
    honest, accused = sum(r["honest_accounts"] for r in runs), sum(r["honest_ever_accused"] for r in runs)
    lines = [
        "\n## What evasion costs\n",
        f"`{part['world']}` at scale {part['scale']:g} replayed day by day, looked at whenever the log had grown by "
        f"{part['growth'] - 1:.0%}, under a level shared by all looks (`python benchmarks/evasion_cost.py`, seeds "
        f"{', '.join(map(str, sorted({r['seed'] for r in runs})))}; [replay](replay.md) says what the columns mean). "
        "**All prices are assumptions**, in `benchmarks/prices.toml`. *Undetected* is what the whole harvest of a ring "
        "costs if nobody looks; *goes on* is the same harvest by fresh operators, each until half of its accounts are "
        f"accused. Honest accounts ever accused: {interval(accused, honest)}.\n",
    ]
    rows = []
    for run in runs:
        for ring in run["campaigns"]:
            first, half, on = ring["first_account"], ring["half_of_accounts"], ring["go_on"]
            rows.append(
                [run["level"], ring["campaign"], f"{ring['accounts']:,}", f"{ring['exchanges']:,}",
                 f"{ring['undetected']['usd']:,.0f}", _moment(first), _moment(half),
                 *(["-"] * 4 if on["usd"] is None else
                   [on["operators"], f"{on['accounts']:,}", f"{on['days']:.0f}", f"{on['usd']:,.0f}"])]
            )  # fmt: skip
    head = ["evasion", "ring", "accounts", "exchanges", "undetected, $", "first accused: day, gone",
            "half accused: day, gone", "goes on: operators", "accounts", "days", "$"]  # fmt: skip
    return lines + table(head, rows)


def _moment(moment: Row | None) -> str:
    return "never" if moment is None else f"{moment['days']:.1f}, {moment['share']:.0%}"


def elsewhere() -> list[str]:
    """Pages on the other measurements."""
    pages = {
        "replay.md": "how looking every day is paid for, when campaigns are found, what evasion costs",
        "peers.md": "the same logs under other tools, side by side",
        "link.md": "the linker alone on real account rings",
        "content.md": "what content alone says, on real prompts",
    }
    there = [f"- [{name}]({name}): {about}" for name, about in pages.items() if (ROOT / "docs" / name).exists()]
    return ["\n## Elsewhere\n", *there] if there else []


def main() -> None:
    """Write the page."""
    parts = [
        calibration(),
        evasions(),
        hard_negatives(),
        streams(),
        named(),
        early(),
        costs(),
        ablation(),
        elsewhere(),
    ]
    text = HEAD + "\n".join(line for part in parts for line in part) + "\n" + BLIND
    (ROOT / "docs" / "evaluation.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
