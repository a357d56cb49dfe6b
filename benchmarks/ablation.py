"""What each signal, view and stage brings: linking and judging repeated without it, on worlds with and without rings.

    python benchmarks/ablation.py [--scale 1] [--seed 0] [--nobody 4] [--kinds stage signal view]

Worlds are scanned once; without a part only what follows from it is done anew. A signal or view is left out by the
settings a user has (`judging.without`, `linking.without`); a stage by a stand-in that does nothing, given in `STAGES`
(one that nobody calls ends the benchmark: the stage has moved). Verdicts say only what a part decides; what it adds is
the bits of the four dimensions, in the mean over campaign accounts (those of the operator that each is in; none is 0).

A part may be needed only where another is missing: `--given signal:elicitation view:payment` leaves those out
everywhere, and what is left out besides is compared with that.

Writes benchmarks/results/detection/ablation.json as it goes, with `--given` a list of such in ablation_given.json; the
page is made by benchmarks/evaluation_page.py.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow.parquet as pq

from runs import RESULTS, make, stillwatch, told
from stillwatch import pipeline
from stillwatch.engine.runfolder import RunFolder
from stillwatch.evaluate import evaluate
from stillwatch.ingest.accounts import load_context
from stillwatch.ingest.pseudonyms import Pseudonyms
from stillwatch.judging import customers, matched
from stillwatch.judging import hands as hand_evidence
from stillwatch.linking import apart, embeddings, hands, manner, members, seeds, sources, strays, victims
from stillwatch.linking.views import VIEWS
from stillwatch.model import VICTIMS, Dimension
from stillwatch.progress import SILENT
from stillwatch.settings import JudgingSettings, LinkingSettings, Settings
from stillwatch.signals import all_signals

WORK = Path("out/bench-ablation")
RINGS = (
    "none", "cover", "one_address", "identities+residential", "no_skeleton+paraphrase", "plain_data", "rotation",
    "probe", "stolen", "grading",
)  # fmt: skip
"""Evasions of the worlds with rings."""
Replaced = tuple[object, str, Callable[..., Any]]


def _one_pool(population: Any, eligible: Any) -> matched.Strata:
    """Matched groups from anybody."""
    return matched.Strata(np.zeros((1, len(population)), np.int64), eligible)


STAGES: dict[str, tuple[Replaced, ...]] = {
    "sources by embedding": ((embeddings, "points", lambda *_: None),),
    "manner beside content": ((manner, "scores", lambda sums: np.zeros((len(sums), 0))),),
    "sources by words": ((sources, "by_words", lambda *_: []),),
    "seeds by control": ((seeds, "by_control", lambda *_: []),),
    "proof of one hand": (
        (hands, "in_one_hand", lambda shared, found, fdr: [hands._group(s) for s in found]),
        (hands, "priced", lambda shared, found, tested, fdr: found),
    ),
    "what random groups share, taken off": ((hands, "_of_anybody", lambda *_: np.zeros(2)),),
    "review of members": ((members, "review", lambda control, words, where, group, *_: group),),
    "two hands told apart": ((apart, "apart", lambda control, weak, where, group, seed: [group]),),
    "who comes in last": ((strays, "joined", lambda control, words, where, found, *_: list(found)),),
    "victims set apart": ((victims, "separate", lambda linked, *_: victims.Separated(linked, VICTIMS.empty_table())),),
    "streams judged by themselves": ((pipeline, "carried", lambda judgement, *_: judgement),),
    "one hand as evidence": ((hand_evidence, "weigh", lambda finding, hand: finding),),
    "unlike single customers": (
        (customers, "as_one_customer", lambda population, operators, *_: np.zeros(len(operators))),
    ),
    "matched groups (one pool instead)": ((matched.Strata, "of", _one_pool),),
}


@contextmanager
def without(stage: str) -> Iterator[None]:
    """The stage does nothing meanwhile."""
    called: set[str] = set()

    def noted(name: str, stand_in: Callable[..., Any]) -> Callable[..., Any]:
        def run(*words: Any, **named: Any) -> Any:
            called.add(name)
            return stand_in(*words, **named)

        return run

    patches = [patch.object(owner, name, noted(name, stand_in)) for owner, name, stand_in in STAGES[stage]]
    try:
        for one in patches:
            one.start()
        yield
        if called != (wanted := {name for _, name, _ in STAGES[stage]}):
            raise SystemExit(f"without {stage}: nobody called {', '.join(sorted(wanted - called))}")
    finally:
        for one in reversed(patches):
            one.stop()


class World:
    """A world that was scanned once."""

    def __init__(self, folder: Path, words: list[object]) -> None:
        make(folder, words)
        self.made, self.run = folder / "world", RunFolder(folder / "run")
        if not self.run.path("verdicts").exists():
            stillwatch(
                "scan", self.made / "events", "--out", self.run.root, "--accounts", self.made / "accounts.parquet",
                "--authorisations", self.made / "authorisations.toml", "--context", self.made, "--pseudonyms", "none",
            )  # fmt: skip
        self.context = load_context(
            accounts=self.made / "accounts.parquet", authorisations=self.made / "authorisations.toml",
            context=self.made, pseudonyms=Pseudonyms.none(),
        )  # fmt: skip

    def again(self, settings: Settings, linking: bool) -> dict[str, Any]:
        """Judging, and linking if it is concerned, under other settings; figures against the truth."""
        request = pipeline.ScanRequest([], self.run.root, context=self.context, settings=settings)
        if linking:
            linked = pipeline._link(self.run, request)
            pipeline._streams(self.run, request, linked.operators)
        pipeline._judge(self.run, request, SILENT)
        found = evaluate(self.run.root, self.made, account_pseudonym=lambda ids: ids)
        return {
            "campaign": found.campaign_accounts, "accused": found.campaign_accused,
            "honest": found.honest_accused, "ari": found.ari, "bits": self._bits(),
        }  # fmt: skip

    def _bits(self) -> list[float]:
        """Of each dimension, the sum over campaign accounts."""
        truth = pq.read_table(self.made / "truth" / "accounts.parquet", columns=["account_id", "label"]).to_pylist()
        guilty = {row["account_id"] for row in truth if row["label"] == "campaign"}
        mine = [row["operator_id"] for row in self.run.read("operators").to_pylist() if row["account_id"] in guilty]
        verdicts = {row["operator_id"]: row for row in self.run.read("verdicts").to_pylist()}
        return [sum(verdicts[name][f"bits_{d.value}"] or 0.0 for name in mine if name in verdicts) for d in Dimension]


def total(rings: list[World], nobody: list[World], settings: Settings, linking: bool) -> dict[str, Any]:
    """Sums over the worlds, and the mean adjusted Rand index."""
    some = [world.again(settings, linking) for world in rings]
    none = [world.again(settings, linking) for world in nobody]
    return {
        **{name: sum(row[name] for row in some) for name in ("campaign", "accused", "honest")},
        "nobody": sum(row["honest"] for row in none),
        "ari": float(np.mean([row["ari"] for row in some])),
        "bits": (np.sum([row["bits"] for row in some], axis=0) / sum(row["campaign"] for row in some)).tolist(),
        "by_world": [row["accused"] for row in some],
    }


@dataclass(frozen=True)
class Given:
    """What is left out everywhere."""

    names: tuple[str, ...] = ()

    def of(self, kind: str) -> tuple[str, ...]:
        """Names of parts of a kind."""
        return tuple(name.split(":", 1)[1] for name in self.names if name.split(":", 1)[0] == kind)

    def settings(self, kind: str = "", name: str = "") -> Settings:
        """Without these, and one more."""
        more = {kind: (name,)}
        return Settings(
            judging=JudgingSettings(without=self.of("signal") + more.get("signal", ())),
            linking=LinkingSettings(without=self.of("view") + more.get("view", ())),
        )


def parts(kinds: list[str], given: Given) -> Iterator[tuple[str, str, Settings, bool]]:
    """Kind, name, settings, and whether linking is concerned."""
    if "stage" in kinds:
        judged = {
            "streams judged by themselves", "one hand as evidence", "unlike single customers",
            "matched groups (one pool instead)",
        }  # fmt: skip
        for name in STAGES:
            if name not in given.of("stage"):
                yield "stage", name, given.settings(), name not in judged
    if "signal" in kinds:
        left = [signal for signal in all_signals() if signal.name not in given.of("signal")]
        for signal in left:
            if sum(other.dimension is signal.dimension for other in left) == 1:
                continue  # a dimension without signals is refused
            yield "signal", signal.name, given.settings("signal", signal.name), False
    if "view" in kinds:
        for view in VIEWS.values():
            if view.kind != "context" and not view.given and view.name not in given.of("view"):
                yield "view", view.name, given.settings("view", view.name), True


def others(out: dict[str, Any], kinds: list[str]) -> list[dict[str, Any]]:
    """Rows of other kinds that stand in the results, if they are of these worlds and the whole is the same."""
    before = next((one for one in written(out["given"]) if one["given"] == out["given"]), {})
    same = all(before.get(name) == list(out[name]) for name in ("worlds", "nobody"))
    same = same and before["whole"]["by_world"] == out["whole"]["by_world"]
    return [row for row in before["rows"] if row["kind"] not in kinds] if same else []


def place(given: list[str]) -> Path:
    """Where results are."""
    return RESULTS / ("ablation_given.json" if given else "ablation.json")


def written(given: list[str]) -> list[dict[str, Any]]:
    """What is there already."""
    if not place(given).exists():
        return []
    found = json.loads(place(given).read_text(encoding="utf-8"))
    return found if given else [{"given": [], **found}]


def write(out: dict[str, Any]) -> None:
    """Beside the results of other things given."""
    rest = [one for one in written(out["given"]) if one["given"] != out["given"]]
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps([*rest, out] if out["given"] else out, indent=1)
    place(out["given"]).write_text(text + "\n", encoding="utf-8")


def measure(out: dict[str, Any], worlds: tuple[list[World], list[World]], kinds: list[str]) -> None:
    """Rows of `out`, written as they come."""
    rings, nobody = worlds
    given = Given(tuple(out["given"]))
    for world in (*rings, *nobody):
        world.again(given.settings(), True)
    out["whole"] = total(rings, nobody, given.settings(), False)
    told("whole", out["whole"])
    out["rows"] = others(out, kinds)
    write(out)
    linked = True
    for kind, name, settings, linking in parts(kinds, given):
        if not linking and not linked:
            for world in (*rings, *nobody):
                world.again(given.settings(), True)  # the operators of the whole again
        with without(name) if kind == "stage" else nullcontext():
            found = total(rings, nobody, settings, linking)
        linked = not linking
        out["rows"].append({"kind": kind, "without": name, **found})
        told("without", kind, name, found)
        write(out)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--scale", type=float, default=1.0)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--nobody", type=int, default=4, help="worlds without a campaign")
    words.add_argument("--rings", nargs="+", default=RINGS, help="evasions of the worlds with rings")
    words.add_argument("--kinds", nargs="*", default=["stage", "signal", "view"], help="others keep their figures")
    words.add_argument("--given", nargs="*", default=[], help="left out everywhere, each KIND:NAME")
    words.add_argument("--keep", action="store_true")
    words.add_argument("--work", type=Path, default=WORK)
    given = words.parse_args()
    told("making and scanning worlds")
    rings = [
        World(
            given.work / level,
            ["evaded", "--scale", given.scale, "--seed", given.seed, "--evasion", level.replace("+", ",")],
        )
        for level in given.rings
    ]
    nobody = [
        World(given.work / f"quiet-{k}", ["quiet", "--scale", given.scale, "--seed", k])
        for k in range(100, 100 + given.nobody)
    ]
    out: dict[str, Any] = {
        "scale": given.scale, "seed": given.seed, "given": sorted(given.given), "worlds": list(given.rings),
        "nobody": [w.made.parent.name for w in nobody],
    }  # fmt: skip
    with ExitStack() as stages:
        for name in Given(tuple(given.given)).of("stage"):
            stages.enter_context(without(name))
        measure(out, (rings, nobody), given.kinds)
    if not given.keep:
        shutil.rmtree(given.work)


if __name__ == "__main__":
    main()
