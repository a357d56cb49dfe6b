"""The generic linker on real account rings: `python benchmarks/rings.py --traces FOLDER [--part hop|events|all]`.

`hop`: 43,052 accounts of a public airdrop and whom they traded with; rings that third parties reported and that were
accepted are the labels. ALL accounts are clustered; labelled ones are scored. Ours and the baseline (pairs that share
at least k peers of at most so many accounts, connected components) run on the same traits in the same run, each over
its thresholds, and are compared at equal shares of unlabelled ("benign") accounts flagged.
The variant was chosen on half of the rings.

`events`: two public sets of posts without labels: what a degree-preserving shuffle yields, what planted rings
of several sizes and doses yield, and how much the sets link as they are.

Prints tables and writes benchmarks/results/rings.json. The data are not part of the project; without them it skips.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from stillwatch.linking import candidates, generic
from stillwatch.linking.collapse import collapse
from stillwatch.linking.communities import components
from stillwatch.linking.link import everyone, significant
from stillwatch.linking.matrix import Traits, read
from stillwatch.linking.null import Null, null
from stillwatch.linking.pairs import Pairs, scan_pairs
from stillwatch.linking.shuffle import shuffled
from stillwatch.linking.strata import Strata
from stillwatch.linking.views import View
from stillwatch.model import TRAITS
from stillwatch.settings import LinkingSettings

ROOT = Path(__file__).resolve().parents[1]
LEAST = 8
"""Least accounts of a cluster that counts as flagged."""
RATES = {False: (1e-6, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.3), True: (0.01,)}
"""False-discovery rates swept without the scan; with it, which takes longer, only the one that the command takes."""
LEASTS = (LEAST, 12, 16, 24)
"""Least clusters swept, of the baseline and of ours."""
BASELINE = [(cap, k, least) for cap in (5, 10, 20, 50) for k in (1, 2, 3, 4) for least in LEASTS]
"""Popularity cap, shared peers and least cluster swept for the baseline: 64 settings, its best counts each time."""
FLOOR = (20, 2, 8)
"""The given baseline."""


def half_of(name: str) -> int:
    """0 (choose) or 1 (report), by a hash of the name of a group or account."""
    return blake2b(name.encode(), digest_size=8).digest()[0] & 1


def traits(view: str, account: np.ndarray, token: np.ndarray) -> pa.Table:
    """model.TRAITS, rows merged."""
    table = pa.table({"a": account.astype(str), "t": token.astype(str)})
    n = table.group_by(["a", "t"]).aggregate([([], "count_all")])
    names = pa.array([view] * len(n), pa.string())
    return pa.table([n["a"], names, n["t"], n["count_all"]], schema=TRAITS)


# --- hop ------------------------------------------------------------------------------------------------------------


def hop_traits(folder: Path, views: tuple[str, ...]) -> pa.Table:
    """Peers of every account (an account that others list is a peer of its own), and when it was first used."""
    edges = pq.read_table(folder / "hop_edges.parquet", columns=["acct", "peer_id"])
    accounts = pq.read_table(folder / "hop_accounts.parquet")
    acct, peer = edges["acct"].to_numpy(), edges["peer_id"].to_numpy()
    ids, first = accounts["acct"].to_numpy(), accounts["first_use_ts"].to_numpy()
    listed = np.intersect1d(ids, peer)
    out = [traits("peer", np.concatenate([acct, listed]), np.concatenate([peer, listed]))]
    if "first_use" in views:
        for name, seconds in (("first_use_minute", 60), ("first_use_10min", 600), ("first_use_hour", 3600)):
            out.append(traits(name, ids, first // seconds))
    else:  # every account is clustered, also one without a peer
        out.append(traits("account", ids, ids))
    return pa.concat_tables(out)


VIEWS = {
    name: View(name, "control", "first_use", "time of first use")
    for name in ("first_use_minute", "first_use_10min", "first_use_hour")
} | {"account": View("account", "context", "", "every account once")}


class Truth:
    """Labels of the development part: a group of each labelled account, community (1), team (2) or benign (0)."""

    def __init__(self, folder: Path, ids: pa.Array) -> None:
        labels = pq.read_table(folder / "hop_labels_dev.parquet")
        community = labels["community_group"].fill_null(-1).to_numpy()
        team = labels["team_group"].fill_null(-1).to_numpy()
        acct = labels["acct"].to_numpy()
        self.kind = np.where(community >= 0, 1, np.where(team >= 0, 2, 0))
        name = np.where(community >= 0, community, np.where(team >= 0, team, acct))
        names = [f"{kind}:{one}" for kind, one in zip(self.kind, name, strict=True)]
        self.group = np.unique(names, return_inverse=True)[1]
        self.half = np.array([half_of(one) for one in names])
        self.place = pc.index_in(pa.array(acct.astype(str)), value_set=ids).to_numpy(zero_copy_only=False).astype(int)
        edges = pq.read_table(folder / "hop_edges.parquet", columns=["acct"])["acct"].to_numpy()
        self.isolated = ~np.isin(acct, edges)

    def score(self, label: np.ndarray, least: int, half: int | None = None) -> dict[str, float]:
        """Figures of one clustering; `label` is the cluster of each account."""
        size = np.bincount(label)
        code = label[self.place]
        flagged = size[code] >= least
        scored = np.ones(len(code), bool) if half is None else self.half == half
        of = [scored & (self.kind == kind) for kind in (0, 1, 2)]
        pairs, cubed, of_rings = self.precision(code, flagged & scored)
        return {
            "community": float(flagged[of[1]].mean()),
            "team": float(flagged[of[2]].mean()),
            "benign": float(flagged[of[0]].mean()),
            "pair_precision": pairs,
            "b_cubed_precision": cubed,
            "b_cubed_precision_of_rings": of_rings,
            "community_groups": self.groups_found(code, flagged, of[1]),
            "biggest": int(size.max()),
            "clusters": int((size >= least).sum()),
        }

    def precision(self, code: np.ndarray, chosen: np.ndarray) -> tuple[float, float, float]:
        """Pairs; B-cubed over all flagged, and over flagged ring accounts. A benign account is a group of its own."""
        cluster = Counter(code[chosen].tolist())
        both = Counter(zip(code[chosen].tolist(), self.group[chosen].tolist(), strict=True))
        rings = set(self.group[self.kind > 0].tolist())
        right, every = (sum(n * (n - 1) / 2 for n in c.values()) for c in (both, cluster))
        share = {key: n * n / cluster[key[0]] for key, n in both.items()}
        ringed = sum(n for key, n in both.items() if key[1] in rings)
        return (
            right / max(every, 1),
            sum(share.values()) / max(sum(cluster.values()), 1),
            sum(value for key, value in share.items() if key[1] in rings) / max(ringed, 1),
        )

    def groups_found(self, code: np.ndarray, flagged: np.ndarray, community: np.ndarray) -> float:
        """Share of community groups with at least half of their accounts in one flagged cluster."""
        found = []
        for group in np.unique(self.group[community]):
            mine = self.group == group
            most = max(Counter(code[mine & flagged].tolist()).values(), default=0)
            found.append(2 * most >= mine.sum())
        return float(np.mean(found))


def baseline(matrix: sp.csr_matrix, cap: int, k: int) -> np.ndarray:
    """Connected components of pairs that share at least `k` tokens of at most `cap` accounts."""
    held = sp.csr_matrix((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
    held = held[:, np.flatnonzero(np.bincount(held.indices, minlength=held.shape[1]) <= cap)]
    both = (held @ held.T).tocoo()
    keep = both.data >= k
    return components(matrix.shape[0], both.row[keep].astype(np.int64), both.col[keep].astype(np.int64))


def at(fdr: float) -> LinkingSettings:
    """The settings of the linker at another rate."""
    return generic.SETTINGS.model_copy(update={"fdr": fdr})


class Linker:
    """Ours on one table of traits; pairs are tested once, whatever the rate."""

    def __init__(self, table: pa.Table, views: dict[str, View], seed: int) -> None:
        self.nodes = collapse(everyone(table, None, None), None)
        self.held: Traits = read(table, self.nodes.ids, self.nodes.node_of, len(self.nodes), views=views)
        self.order = candidates.orders(self.nodes.names, generic.SETTINGS.orders, seed)
        self.seed = seed
        self.control = self.null_of(self.held.incidence("control"))
        self.pairs = self.pairs_of(self.control)

    def null_of(self, shared: Any) -> Null:
        return null(shared, Strata.none(len(self.nodes)), generic.SETTINGS.scales)

    def pairs_of(self, control: Null) -> Pairs:
        return scan_pairs(control, candidates.neighbours(control, self.order), generic.SETTINGS.weak_log_p)

    def label(self, fdr: float, *, scan: bool) -> np.ndarray:
        """Group of each account."""
        if scan:
            return generic.find(self.control, self.pairs, self.order, at(fdr), self.seed).label
        return generic.linked(len(self.nodes), significant(self.pairs, len(self.nodes), fdr), self.seed)

    def false(self, fdr: float, seeds: range) -> dict[str, list[int]]:
        """Links and scanned groups on degree-preserving shuffles."""
        out: dict[str, list[int]] = {"links": [], "scan_groups": []}
        for seed in seeds:
            fake = self.null_of(shuffled(self.control.shared, seed))
            found = generic.find(fake, self.pairs_of(fake), self.order, at(fdr), self.seed)
            out["links"].append(len(found.strong))
            out["scan_groups"].append(len(found.scanned))
        return out


VARIANTS = {
    "peers, links": (("peer",), False),
    "peers, links and scan": (("peer",), True),
    "peers and first use, links": (("peer", "first_use"), False),
}


def hop(folder: Path, seed: int) -> dict[str, Any]:
    """Curves of the baseline and of each variant, on either half of the rings and on all."""
    linkers = {views: Linker(hop_traits(folder, views), VIEWS, seed) for views in {v for v, _ in VARIANTS.values()}}
    plain = linkers[("peer",)]
    truth = Truth(folder, plain.nodes.ids)
    curves: dict[str, list[dict[str, Any]]] = {"baseline": []}
    cached = {(cap, k): baseline(plain.held.matrices["peer"], cap, k) for cap, k, _ in BASELINE}
    for cap, k, least in BASELINE:
        curves["baseline"].append({"cap": cap, "shared": k, "least": least} | halves(truth, cached[cap, k], least))
    seconds = {}
    for name, (views, scan) in VARIANTS.items():
        start = time.perf_counter()
        labels = {fdr: linkers[views].label(fdr, scan=scan) for fdr in RATES[scan]}
        curves[name] = [
            {"fdr": fdr, "least": least} | halves(truth, labels[fdr], least) for fdr in labels for least in LEASTS
        ]
        seconds[name] = round((time.perf_counter() - start) / len(RATES[scan]), 1)
    community = truth.kind == 1
    floor = next(row for row in curves["baseline"] if (row["cap"], row["shared"], row["least"]) == FLOOR)
    swept = [name for name, (_, scan) in VARIANTS.items() if not scan]
    chosen = max(swept, key=lambda name: area(curves[name], "choose"))
    return {
        "accounts": len(plain.nodes),
        "labelled": {
            "community": int(community.sum()),
            "team": int((truth.kind == 2).sum()),
            "benign": int((truth.kind == 0).sum()),
            "community_groups": len(np.unique(truth.group[community])),
            "community_groups_by_half": [
                len(np.unique(truth.group[community & (truth.half == half)])) for half in (0, 1)
            ],
            "community_without_a_peer": float(truth.isolated[community].mean()),
        },
        "area_on_half_0": {name: round(area(curves[name], "choose"), 4) for name in ("baseline", *swept)},
        "chosen_on_half_0": chosen,
        "equal_false_alarms": {
            part: equal(curves["baseline"], curves[chosen], part, floor[part]["benign"]) for part in ("report", "all")
        },
        "floor": floor,
        "command": curves["peers, links and scan"][0],
        "shuffled": linkers[VARIANTS[chosen][0]].false(0.01, range(1, 4)),
        "seconds_a_rate": seconds,
        "curves": curves,
    }


def halves(truth: Truth, label: np.ndarray, least: int) -> dict[str, Any]:
    """Figures on half 0 (choose), half 1 (report) and all."""
    parts = (("choose", 0), ("report", 1), ("all", None))
    return {
        name: {key: round(value, 4) for key, value in truth.score(label, least, half).items()} for name, half in parts
    }


def best(curve: list[dict[str, Any]], part: str, benign: float, what: str = "community") -> dict[str, Any] | None:
    """The setting with most recall among those that flag at most `benign`."""
    fit = [row for row in curve if row[part]["benign"] <= benign + 1e-9]
    return max(fit, key=lambda row: (row[part][what], row[part]["team"]), default=None)


def area(curve: list[dict[str, Any]], part: str, most: float = 0.06) -> float:
    """Mean over shares of benign accounts flagged from 0 to `most` of the best community recall."""
    grid = np.linspace(0, most, 61)
    rows = [best(curve, part, float(x)) for x in grid]
    return float(np.mean([row[part]["community"] if row else 0.0 for row in rows]))


def equal(theirs: list[dict[str, Any]], ours: list[dict[str, Any]], part: str, floor: float) -> list[dict[str, Any]]:
    """Both at the same share of benign accounts flagged, the last that of the floor: of either its best setting."""
    out = []
    for benign in (0.005, 0.01, 0.02, 0.03, 0.04, floor):
        row: dict[str, Any] = {"benign_at_most": benign}
        for name, curve in (("baseline", theirs), ("ours", ours)):
            found = best(curve, part, benign)
            settings = {k: v for k, v in found.items() if k not in ("choose", "report", "all")} if found else None
            row[name] = found and {"settings": settings, **found[part]}
        out.append(row)
    return out


# --- events ---------------------------------------------------------------------------------------------------------


def german(folder: Path) -> pa.Table:
    """Posts of the 2021 German election: links, hashtags and images, and links within an hour."""
    t = pq.read_table(folder / "german_elections_2021_events.parquet")
    account = np.asarray(t["account_id"].cast(pa.string()).to_numpy(zero_copy_only=False), dtype=str)
    hour = t["timestamp"].to_numpy() // 3600
    out = []
    for view, column in (("url", "url_id"), ("hashtag", "hashtag_id"), ("image", "phash_id")):
        there = np.asarray(t[column].is_valid())
        token = t[column].fill_null(-1).to_numpy()[there]
        out.append(traits(view, account[there], token))
        if view == "url":
            timed = np.char.add(np.char.add(token.astype(str), "@"), hour[there].astype(str))
            out.append(traits("url_hour", account[there], timed))
    return pa.concat_tables(out)


def russian(folder: Path) -> pa.Table:
    """Retweets: what was retweeted, and in which ten minutes."""
    t = pq.read_table(folder / "russian_progov_retweets.parquet")
    account, token, slot = t["account"].to_numpy(), t["object"].to_numpy(), t["ts"].to_numpy() // 600
    timed = np.char.add(np.char.add(token.astype(str), "@"), slot.astype(str))
    return pa.concat_tables([traits("object", account, token), traits("object_10min", account, timed)])


EVENTS = {"german_elections_2021": german, "russian_progov_retweets": russian}
EVENT_VIEWS = {
    "url_hour": View("url_hour", "control", "url", "a link within an hour"),
    "object_10min": View("object_10min", "control", "object", "a retweet within ten minutes"),
}
SIZES, DOSES, COPIES = (5, 10, 20, 50), (1, 2, 4, 8), 3
Rings = dict[tuple[int, int, int], list[str]]


def planted(table: pa.Table, seed: int, *, popular: bool) -> tuple[pa.Table, Rings]:
    """The table with rings: real accounts, disjoint, that also post `dose` things of a stock of 2 * dose of their own.

    The stock is drawn from the log's own first view: from its posts (popular things) or from its distinct things (rare
    ones). Times are not planted.
    """
    rng = np.random.default_rng(seed)
    view = table["view"][0].as_py()
    first = table.filter(pc.equal(table["view"], view))
    ids = np.array(sorted(set(table["account_id"].to_pylist())))
    rng.shuffle(ids)
    pool = np.sort(np.asarray(first["token"].to_numpy(zero_copy_only=False), dtype=str))
    if not popular:
        pool = np.unique(pool)
    rings, account, token, at = {}, [], [], 0
    for size in SIZES:
        for dose in DOSES:
            for copy in range(COPIES):
                members = ids[at : at + size].tolist()
                at += size
                rings[size, dose, copy] = members
                stock = np.unique(rng.choice(pool, 2 * dose))
                for member in members:
                    account += [member] * min(dose, len(stock))
                    token += rng.choice(stock, min(dose, len(stock)), replace=False).tolist()
    more = traits(view, np.array(account), np.array(token))
    both = pa.concat_tables([table, more]).group_by(["account_id", "view", "token"]).aggregate([("n", "sum")])
    return both.rename_columns(TRAITS.names).cast(TRAITS), rings


def recall_by_dose(people: pa.Table, rings: Rings) -> dict[str, dict[str, float | None]]:
    """By size and dose: share of members in the ring's largest group (of 3 or more), and what share of it is theirs."""
    group = dict(zip(people["account_id"].to_pylist(), people["operator_id"].to_pylist(), strict=True))
    size = Counter(group.values())
    out = {}
    for n in SIZES:
        for dose in DOSES:
            recall, purity = [], []
            for copy in range(COPIES):
                code, most = Counter(group[member] for member in rings[n, dose, copy]).most_common(1)[0]
                recall.append(most / n if most >= 3 else 0.0)
                purity += [most / size[code]] if most >= 3 else []
            out[f"size {n}, dose {dose}"] = {
                "recall": round(float(np.mean(recall)), 3),
                "purity": round(float(np.mean(purity)), 3) if purity else None,
            }
    return out


def events(name: str, folder: Path, seed: int, shuffles: int) -> dict[str, Any]:
    """Nulls, planted rings and raw rates of one set."""
    table = EVENTS[name](folder)
    start = time.perf_counter()
    raw = generic.link_traits(table, EVENT_VIEWS, seed=seed, check=False)
    seconds = time.perf_counter() - start
    n = raw.counts["accounts"]
    big = raw.groups.filter(pc.greater_equal(raw.groups["accounts"], LEAST))
    return {
        "seed": seed,
        "accounts": n,
        "traits": len(table),
        "seconds": round(seconds, 1),
        "raw": {
            "links": len(raw.links),
            "links_a_million_pairs": round(len(raw.links) / (n * (n - 1) / 2) * 1e6, 3),
            "groups": len(raw.groups),
            "accounts_in_groups": pc.sum(raw.groups["accounts"]).as_py() or 0,
            "groups_of_8_or_more": len(big),
            "accounts_in_groups_of_8_or_more": pc.sum(big["accounts"]).as_py() or 0,
            "biggest": pc.max(raw.groups["accounts"]).as_py() or 0,
        },
        "shuffled": Linker(table, EVENT_VIEWS, seed).false(0.01, range(1, shuffles + 1)),
        "planted": {
            f"{what} things": recall_of_planted(table, seed, popular=what == "popular") for what in ("rare", "popular")
        },
    }


def recall_of_planted(table: pa.Table, seed: int, *, popular: bool) -> dict[str, dict[str, float | None]]:
    """Plant, link, and look where the rings are."""
    mixed, rings = planted(table, seed, popular=popular)
    return recall_by_dose(generic.link_traits(mixed, EVENT_VIEWS, seed=seed, check=False).operators, rings)


# --- output ---------------------------------------------------------------------------------------------------------


def show_hop(found: dict[str, Any]) -> None:
    heads = ("community", "team", "benign", "pair_precision", "b_cubed_precision", "community_groups", "biggest")
    print(f"hop: {found['accounts']:,} accounts; labelled {found['labelled']}")
    print(f"area on half 0: {found['area_on_half_0']}; chosen: {found['chosen_on_half_0']}")
    for part, rows in found["equal_false_alarms"].items():
        print(f"-- {part}: at equal benign accounts flagged\n{'':28}", *(f"{head[:10]:>10}" for head in heads))
        for row in rows:
            for who in ("baseline", "ours"):
                values = row[who]
                if values:
                    print(f"<= {row['benign_at_most']:<6} {who:9} {'':8}", *(f"{values[head]:10.3f}" for head in heads))
    print("as the command does it, all:", found["command"]["all"])
    print("floor, all:", found["floor"]["all"], "\nshuffled:", found["shuffled"])


def show_events(name: str, values: dict[str, Any]) -> None:
    print(f"{name}: {values['accounts']:,} accounts, {values['seconds']} s; raw {values['raw']}")
    print("  shuffled:", values["shuffled"])
    for where, recall in values["planted"].items():
        print(f"  {where}: recall by size (rows {SIZES}) and dose (columns {DOSES}); purity in brackets")
        for size in SIZES:
            cells = [recall[f"size {size}, dose {dose}"] for dose in DOSES]
            print("   ", *(f"{cell['recall']:.2f} ({cell['purity'] if cell['purity'] else '-'})" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--traces", type=Path, help="Folder with hop_*.parquet and the two event sets.")
    parser.add_argument("--part", choices=("hop", *EVENTS, "all"), default="all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shuffles", type=int, default=3, help="Degree-preserving shuffles of each event set.")
    chosen = parser.parse_args()
    if chosen.traces is None or not (chosen.traces / "hop_edges.parquet").is_file():
        print("skipped: needs --traces FOLDER with hop_edges.parquet, hop_accounts.parquet, hop_labels_dev.parquet")
        return
    target = ROOT / "benchmarks" / "results" / "rings.json"
    for name in ("hop", *EVENTS):
        if chosen.part not in (name, "all"):
            continue
        if name == "hop":
            found = {"seed": chosen.seed, **hop(chosen.traces, chosen.seed)}
            show_hop(found)
        else:
            found = events(name, chosen.traces, chosen.seed, chosen.shuffles)
            show_events(name, found)
        out = json.loads(target.read_text(encoding="utf-8")) if target.is_file() else {}
        target.write_text(json.dumps(out | {name: found}, indent=1) + "\n", encoding="utf-8")
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "MiB")


if __name__ == "__main__":
    sys.exit(main())
