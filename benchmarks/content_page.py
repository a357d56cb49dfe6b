"""docs/content.md from benchmarks/results: `python benchmarks/content_page.py`; what was not measured has no row."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "content.md"
BASES = ("lexical, as kept", "words and trigrams, 256-d")
GAINS = ("words and trigrams, 256-d", "words and trigrams, 256-d, 128 features", "static, 50 events",
         "lexical and static, 50 events",
         "256-d words and static, 50 events", "lexical and transformer, 20 events")  # fmt: skip
SAMPLED = "256-d words and static, 50 events"

HEAD = """# What content can say

Written by `python benchmarks/content_page.py` from `benchmarks/results/vectors.json` and `windows.json`. Both need a
folder of real prompts, of which nothing is kept here. In short: **content links well and judges poorly alone.**
"""

LINKS = """
## Which vector links best

`python benchmarks/vectors.py --prompts DIR` (`make bench-vectors PROMPTS=DIR`): up to {accounts:.0f} accounts of
real prompts a split, {splits} splits, in three scenes (`benchmarks/accounts.py`):

- *plain*: each of nine campaigns (instructions in English and Chinese, code, tool use, identity probes, three published
  pipeline templates) draws from one corpus, 12 accounts each;
- *cover*: the same, and 70 % of what a campaign account sends is what ordinary people ask;
- *hard*: six campaigns of 16 accounts mix tasks of a dozen corpora in shares of their own, under 60 % cover; no
  template and no corpus is theirs alone.

In each scene there are also eight accounts of each of nine honest products (bots, pipelines, evaluation harnesses, a
quiz), two classes that share exercises, and 160 people with interests of their own. Linking is the project's: kernel
mean embeddings, whitened by the log's own covariance. *Pairs*: AUROC, and recall where one pair of different sources in
a thousand is called one. *Groups*: recall and precision of the source that `linking.sources.by_embedding` finds for a
campaign. Means over splits with 95 % t intervals; splits deal the same corpora anew, so the intervals do not speak for
other corpora. Corpora are dealt without repetition until they are used up; up to {again:.0f} % of the prompts are dealt
twice. A sample is the first events of an account by the hash of their id; 50 sampled of 200 events are the events of
the account of 50, so rows that would repeat are left out.
"""

RECOMMENDED = """
### What follows

1. **Widen the lexical vector before anything else.** 256 components and 512 random features instead of 64 and 128 gain
   {wide_cover} of group recall under cover at 50 events, and
   {wide_hard} in the hard scene at 200; for every event, and hashing costs the same
   whatever the width. More features on the narrow vector do less; 256 components with the 128 features of today gain
   {few_cover} and {few_hard}. The price is storage (256 bytes an event, 2 KB an
   account) and the time of the features above. Not done here: it changes the `sketches` and `profiles` tables. The wide
   vectors come from the benchmark's own, simpler tokeniser. {twin}
2. **A static embedding on a sample is not added.** Beyond the wider lexical vector, 50 static events an account gain
   {static_cover} of group recall (cover, 200 events) and
   {static_hard} (hard, 200 events), which these splits cannot tell from zero; alone they
   find less than the wider lexical vector on every event. Pairs gain more (recall {pair_wide} to {pair_static}
   under cover at 200 events), but two lexical embeddings side by side reach {pair_control} too. They do gain where an
   account has only 50 events: {static_few} in the hard scene. For that each sampled
   event costs {slower:.0f} times its whole sketch, and English weights of 16 MB come along. Should small accounts under
   diverse tasks matter more than this price, `benchmarks/encoders.py` is the encoder to start from.
3. **A transformer** costs {slowest:,.0f} times a sketch: 20 events of each of 25,000 accounts would take a core
   {hours:.1f} hours. {transformer}
4. **Honest products are linked too**, and better than campaigns that hide: in the hard scene the source finder holds
   {product:.0f} % of a product's or class's accounts and {campaign:.0f} % of a campaign's (lexical vector as kept, 200
   events). A content link is a statement about text; judging must not read it as more.
5. **The hard scene stays hard.** No vector finds more than a few in a hundred pairs at one false pair in a thousand,
   and of the best groups found about half are strangers. Diverse tasks under cover are not found by content alone.
"""

WINDOWS = """
## Windows of mixed traffic

`python benchmarks/windows.py --prompts DIR` (`make bench-windows PROMPTS=DIR`): the published protocol (arXiv
2606.05725), 14 pairs of a benign and an attacking corpus, but held-out windows that are **disjoint**, {splits} splits a
pair, and two ways to the threshold (95th percentile of benign windows): *resampled* windows that overlap each other, as
published; and *disjoint* ones, which exist only where a pair has at least 19. Brackets: 95 % bootstrap intervals over
pairs.

Pairs: {pairs}. `chat` is what people asked of assistants (seven corpora).

The published detectors are reconstructed from their descriptions (`benchmarks/window_tests.py` says how); DATE, which
trains a transformer to spot replaced tokens, is not. Vectors: {spaces}; others were not measured.
*novelty_tail* and *whitened_embedding* are Stillwatch's own candidates: the share of queries beyond the benign 95th
percentile of distance to the fifth nearest benign query, and Hotelling's T² of the kernel mean embedding. Neither
decides anything in the project today.
"""

MEANING = """
### What it means

1. **The published threshold does not hold its level.** Windows of 1,500 that overlap in calibration promise at most 5 %
   false positives (here the largest of 30 windows; a fresh one like them exceeds it once in 31 times). On disjoint
   held-out windows MMD has {fpr_large}, against {fpr_small} in windows of 100,
   where the calibration part is large beside a window. For windows of 1,500 no pair here, of at most 11,000 queries,
   has the 19 disjoint calibration windows that a 95th percentile needs. Recall at 1,500 is therefore recall at a higher
   false-positive rate than stated, for most of the statistics.
2. **MMD and the whitened embedding are the ones to use**: at windows of 1,500 balanced accuracy {mmd} and
   {whitened}; they alone see every corpus at 100 %. At 100 queries and 10 % attackers nothing sees
   much (MMD's recall {small_mmd}). The published order of the statistics is much the same, the level is not comparable.
3. **The novelty tail is no better sharpener in general.** Over all 14 pairs its AUROC at 10 % and 400 queries is
   {tail}, MMD's {mmd_auroc}. It is ahead where benign traffic is narrow (see the
   pairs above) and blind where the attack lies within what people ask anyway: at 100 % attackers it flags
   {tail_all} of windows of 1,500, MMD {mmd_all}. As a second opinion it has its place, alone not.
4. **A window test judges nobody.** It says that a window is odd, for one known benign corpus and with thousands of
   queries; an honest customer who is new to the corpus is as odd. So it stays out of the verdicts: content links,
   and what a group shares, how much it uses and what it declared decide.
"""

PUBLISHED = """
Published, **from another protocol** (other corpora and encoder, windows of 1,500, benign windows that overlap by 74 to
80 %, three seeds; not comparable row by row):

| statistic | FPR | 5 % | 10 % | 25 % | 50 % | 100 % | balanced |
|---|---|---|---|---|---|---|---|
| mmd | .003 | .590 | .937 | 1 | 1 | 1 | .951 |
| mahalanobis | | | | | | | .874 |
| seat | | | | | | | .819 |
| date | | | | | | | .814 |
| cap | | | | | | | .720 |
| prada | | | | | | | .710 |
"""


def bracket(values: list[float]) -> str:
    """A mean with its interval."""
    middle, low, high = map(short, values)
    return f"{middle} [{low}, {high}]"


def short(value: float) -> str:
    """A rate in three digits; t intervals may leave [0, 1], rates cannot."""
    return f"{min(max(value, 0), 1):.3f}".removeprefix("0")


def speed(found: dict[str, Any]) -> str:
    rates, embedded = found["prompts_a_second"], found["events_embedded_a_second"]
    lines = [
        f"\nSpeed, one core, one run, the same prompts (mean {found['mean_characters']:.0f} characters, median "
        f"{found['median_characters']:.0f}; `lexical` is the whole sketch, not only its vector; the transformer reads "
        "32 tokens):\n",
        "| encoder | prompts a second | times slower than the sketch |", "|---|---|---|",
    ]  # fmt: skip
    lines += [f"| {name} | {rate:,.0f} | {rates['lexical'] / rate:.1f} |" for name, rate in rates.items()]
    shown = ", ".join(f"{name} {rate:,.0f}" for name, rate in embedded.items())
    lines.append(f"\nThe kernel mean embedding comes on top (measured in another run, events a second): {shown}.")
    return "\n".join(lines) + "\n"


def scene(name: str, found: dict[str, Any]) -> str:
    lines = [
        f"\n### {name}\n",
        "| vector, events an account | pairs: AUROC | pairs: recall at 10⁻³ | groups: recall | groups: precision | "
        "pairs of one honest product: recall | pairs by plain MMD: AUROC |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    seen: list[Any] = []
    for key, row in sorted(found["mean"].items(), key=lambda item: int(item[0].split(" | ")[-1].replace("dealt", "0"))):
        if "pair_auroc" not in row or row in seen:
            continue
        seen.append(row)
        cells = ("pair_auroc", "pair_recall", "group_recall", "group_precision", "pair_product_recall", "mmd_auroc")
        shown = " | ".join(bracket(row[cell]) if cell in row else "" for cell in cells)
        lines.append(f"| {label(key)} | {shown} |")
    return "\n".join(lines) + "\n"


def gains(scenes: dict[str, Any]) -> str:
    """Group recall beyond that of a base, paired over splits: their accounts are the same, so noise cancels."""
    lines = [
        "\n### What is gained\n",
        "Group recall beyond what is kept today, and beyond the wider lexical vector, paired over splits:\n",
        "| scene | events | vector | beyond the lexical vector as kept | beyond 256-d words and trigrams |",
        "|---|---|---|---|---|",
    ]
    for scene_name, found in scenes.items():
        if scene_name == "plain":
            continue  # nothing is left to gain
        for size in ("50", "200"):
            for name in GAINS:
                cells = [gain(found["runs"], f"{name} | {size}", f"{base} | {size}") for base in BASES]
                if not any(cells):
                    continue
                lines.append(f"| {scene_name} | {size} | {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def gain(runs: list[dict[str, dict[str, float]]], name: str, base: str) -> str:
    """Mean difference of group recall with its 95 % t interval; empty where one of them was not measured."""
    if name == base or any(name not in run or base not in run for run in runs) or len(runs) < 2:
        return ""
    values = [run[name]["group_recall"] - run[base]["group_recall"] for run in runs]
    half = float(student.ppf(0.975, len(values) - 1)) * stdev(values) / len(values) ** 0.5
    return f"{mean(values):+.3f} [{mean(values) - half:+.3f}, {mean(values) + half:+.3f}]"


def label(key: str) -> str:
    """`name | size` as a cell: how many events an account has, and what is embedded of them."""
    name, size = key.split(" | ")
    return f"{name}, of {size}"


def windows(size: str, rule: str, found: dict[str, Any]) -> str:
    rows = found["mean"][rule]
    if not rows["statistics"]:
        return f"\n**{size} queries, {rule} threshold**: not available, no pair has 19 disjoint calibration windows.\n"
    lines = [
        f"\n**{size} queries, {rule} threshold**, {rows['pairs']} pairs, {rows['windows']:,} held-out windows:\n",
        "| statistic | FPR | 5 % | 10 % | 25 % | 50 % | 100 % | balanced |", "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, row in rows["statistics"].items():
        recall = " | ".join(f"{r[0]:.3f}".removeprefix("0") for r in row["recall"])
        lines.append(f"| {name} | {bracket(row['fpr'])} | {recall} | {bracket(row['balanced'])} |")
    return "\n".join(lines) + "\n"


def separation(spaces: dict[str, Any]) -> str:
    """AUROC at 10 %, which no threshold can blur."""
    lines = ["\nAUROC of windows with 10 % attackers against benign ones, mean over pairs:\n"]
    columns = [(space, size) for space, sizes in spaces.items() for size in sizes]
    lines.append("| statistic | " + " | ".join(f"{space}, {size}" for space, size in columns) + " |")
    lines.append("|---" * (len(columns) + 1) + "|")
    for name in spaces[columns[0][0]][columns[0][1]]["mean"]["auroc"]:
        cells = [bracket(spaces[space][size]["mean"]["auroc"][name][1]) for space, size in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def hardest(spaces: dict[str, Any], size: str, statistic: str) -> str:
    """AUROC at 10 % of each pair, by one statistic."""
    found = next(iter(spaces.values()))[size]
    place = list(found["mean"]["auroc"]).index(statistic)
    rows = sorted((pair["auroc"][1][place], name) for name, pair in found["pairs"].items())
    shown = ", ".join(f"{name} {value:.2f}" for value, name in rows)
    return f"\nBy pair ({statistic}, {size} queries, 10 %): {shown}.\n"


def links_section(found: dict[str, Any]) -> str:
    dealt = [result["mean"]["dealt"] for result in found["scenes"].values()]
    again = max(row["again"][0] for row in dealt)
    parts = [
        LINKS.format(accounts=dealt[0]["accounts"][0], splits=found["splits"], again=100 * again),
        speed(found["speed"]),
    ]
    parts += [scene(name, result) for name, result in found["scenes"].items()]
    return "".join([*parts, gains(found["scenes"]), recommended(found)])


def recommended(found: dict[str, Any]) -> str:
    """The conclusions with their figures; where the transformer's linking was not measured it says so."""

    def of(scene_name: str, size: int, name: str, base: str) -> str:
        return gain(found["scenes"][scene_name]["runs"], f"{name} | {size}", f"{base} | {size}") or "(not measured)"

    def pair(name: str) -> str:
        return short(found["scenes"]["cover"]["mean"][f"{name} | 200"]["pair_recall"][0])

    rates = found["speed"]["prompts_a_second"]
    measured = gain(found["scenes"]["hard"]["runs"], f"{GAINS[-1]} | 200", f"{BASES[0]} | 200")
    narrow = gain(found["scenes"]["hard"]["runs"], "words and trigrams, 64-d | 200", "lexical, 512 features | 200")
    twin = "Its 64-d twin was not measured, so a part of\n   the gain may be that tokeniser's."
    if narrow:
        twin = f"In 64 components it gains\n   {narrow} (hard, 200 events) over the kept one with as many features."
    kept = found["scenes"]["hard"]["mean"][f"{BASES[0]} | 200"]
    transformer = f"In the hard scene it gains {measured}." if measured else "How well it links was **not measured**."
    return RECOMMENDED.format(
        wide_cover=of("cover", 50, BASES[1], BASES[0]), wide_hard=of("hard", 200, BASES[1], BASES[0]),
        few_cover=of("cover", 50, GAINS[1], BASES[0]), few_hard=of("hard", 200, GAINS[1], BASES[0]),
        pair_wide=pair(BASES[1]), pair_static=pair(SAMPLED), pair_control=pair("lexical and 3- to 5-grams"),
        static_cover=of("cover", 200, SAMPLED, BASES[1]), static_hard=of("hard", 200, SAMPLED, BASES[1]),
        static_few=of("hard", 50, SAMPLED, BASES[1]), slower=rates["lexical"] / rates["static"],
        slowest=rates["lexical"] / rates["transformer"], hours=25_000 * 20 / rates["transformer"] / 3_600,
        twin=twin, transformer=transformer,
        product=100 * kept["group_product_recall"][0], campaign=100 * kept["group_recall"][0],
    )  # fmt: skip


def windows_section(found: dict[str, Any]) -> str:
    pairs = ", ".join(f"{benign} / {attacker}" for benign, attacker in found["pairs"])
    parts = [WINDOWS.format(splits=found["splits"], pairs=pairs, spaces=", ".join(found["spaces"]))]
    for space, sizes in found["spaces"].items():
        parts.append(f"\n### Vectors: {space}\n")
        for size, result in sizes.items():
            parts += [windows(size, rule, result) for rule in ("resampled", "disjoint")]
    parts += ["\n### Apart from any threshold\n", separation(found["spaces"]), hardest(found["spaces"], "400", "mmd")]
    parts += [hardest(found["spaces"], "400", "novelty_tail"), PUBLISHED, meaning(found["spaces"])]
    return "".join(parts)


def meaning(spaces: dict[str, Any]) -> str:
    """The conclusions with the figures of the first space, and which spaces there are."""
    first = next(iter(spaces.values()))
    large, small = (first[size]["mean"]["resampled"]["statistics"] for size in ("1500", "100"))
    auroc = first["400"]["mean"]["auroc"]
    return MEANING.format(
        fpr_large=bracket(large["mmd"]["fpr"]), fpr_small=bracket(small["mmd"]["fpr"]),
        mmd=bracket(large["mmd"]["balanced"]), whitened=bracket(large["whitened_embedding"]["balanced"]),
        small_mmd=short(small["mmd"]["recall"][1][0]), tail=bracket(auroc["novelty_tail"][1]),
        mmd_auroc=bracket(auroc["mmd"][1]), tail_all=short(large["novelty_tail"]["recall"][-1][0]),
        mmd_all=short(large["mmd"]["recall"][-1][0]),
    )  # fmt: skip


def page() -> str:
    """The page as the results have it."""
    parts = [HEAD]
    for name, section in (("vectors", links_section), ("windows", windows_section)):
        path = RESULTS / f"{name}.json"
        if path.exists():
            parts.append(section(json.loads(path.read_text(encoding="utf-8"))))
    return "".join(parts)


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
