"""Every peer: what it is, what it sees, what it was published to do, and the settings it may choose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.peers.tuning import Choice

Setting = Mapping[str, object]
GROUPS = (2, 3, 4, 6, 8, 12, 20)
ALONE = (1,)


@dataclass(frozen=True)
class Peer:
    """One tool."""

    name: str
    """Module in benchmarks/peers."""
    title: str
    extra: str
    """Optional extra in pyproject.toml that installs it."""
    own: bool
    """Whether it gets an environment of its own."""
    source: str
    licence: str
    released: str
    """Last release."""
    sees: str
    misses: str
    accused: str
    """What "accused" means of it."""
    default: Choice
    default_is: str
    grid: tuple[Setting, ...]
    leasts: tuple[int, ...] = ALONE
    learns: bool = False
    """Whether it is given a world in which everybody is honest."""
    short: str = ""
    """Where the comparison falls short of it."""
    knobs: str = field(default="threshold")


PAPER = "written here from the paper"
VECTORS = (
    "The papers use sentence encoders; here it is latent semantic analysis of the prompts, fitted on the reference. "
    "Real encoders may do better on paraphrase."
)
TOKENS = "which account used which prompt, opening, instructions, address, payment, sign-up, client"
SPLINK_SEES = (
    "payment, phone, mail domain, sign-up, addresses, client; openings of prompts and system instructions as columns"
)
WINDOW = "prompts of one account, against a log in which everybody is honest (another seed)"

PEERS = (
    Peer(
        "honeypot",
        "honeypotllm 0.1.3",
        "peers-honeypotllm",
        True,
        "PyPI `honeypotllm`",
        "Apache-2.0",
        "0.1.3, 2026-04",
        "each key's times and the first 120 characters of its prompts",
        "every other account; addresses, payment, answers",
        "an account whose suspicion reaches the threshold at any time",
        Choice(0, 0.75, 1),
        "its own limits, suspicion .75",
        ({}, {"slower": 0.05, "similarity": 0.25}),
        knobs="threshold; its limits, or rates times .05 and likeness of prompts .25",
        short="Made to watermark answers of suspicious keys, not to accuse; its watermark is not tested here.",
    ),
    Peer(
        "qut",
        "coordination-network-toolkit 1.5.2",
        "peers-qut",
        True,
        "PyPI `coordination-network-toolkit` (QUT)",
        "MIT",
        "1.5.2, 2022-07",
        "accounts, times, and one object an event: prompt, opening of the prompt, or address",
        "sign-up, payment, clients; how popular an object is",
        "an account in a group of at least k customers",
        Choice(0, 2.0, 2),
        "co-tweet of the whole prompt within 1 s, weight 2, any group",
        (
            {"window": 1},
            {"shared": "opening", "window": 60},
            {"network": "co_link", "shared": "address", "window": 3600},
        ),
        GROUPS,
        knobs="link weight; k; network, text and window",
        short="A research tool for social media that draws networks and judges nobody; its groups are its components.",
    ),
    Peer(
        "linkage",
        "splink 5.0.0",
        "peers-splink",
        True,
        "PyPI `splink`",
        "MIT",
        "5.0.0, 2026-09",
        SPLINK_SEES,
        "times of requests; how often something is shared",
        "an account in a group of at least k customers",
        Choice(0, 4.25, 2),
        "probability .95, any group",
        ({},),
        GROUPS,
        knobs="match weight; k",
        short="Made for records of one person, which a ring is not. Columns, blocking and training were chosen here.",
    ),
    Peer(
        "fraudar",
        "FRAUDAR (UGFraud 0.1.1.3)",
        "peers-fraudar",
        True,
        "PyPI `UGFraud`; Hooi et al. 2016",
        "Apache-2.0",
        "0.1.1.3, 2020-12",
        TOKENS,
        "times; how often",
        "an account in one of the first b blocks of at least k customers",
        Choice(0, -1.0, 1),
        "the densest block",
        ({}, {"views": "hands"}),
        GROUPS,
        knobs="blocks b; k; all tokens or those of hands alone",
    ),
    Peer(
        "cosine",
        "TF-IDF cosine (scikit-learn)",
        "peers-text",
        False,
        "PyPI `scikit-learn`",
        "BSD-3-Clause",
        "1.9.1, 2026-09",
        "prompts and system instructions of an account",
        "times, addresses, payment, sign-up",
        "an account in a group of at least k customers",
        Choice(0, 0.8, 2),
        "words and pairs, cosine .8 (no published default)",
        ({}, {"analyser": "char"}),
        GROUPS,
        knobs="cosine; k; words or letters",
    ),
    Peer(
        "synchrotrap",
        "SynchroTrap",
        "peers-text",
        False,
        f"Cao et al. 2014, {PAPER}",
        "this project's",
        "2014",
        "accounts, times, and an object an event: opening of the prompt, address, or both",
        "sign-up, payment, clients",
        "an account in a group of at least k customers",
        Choice(0, 0.5, 20),
        "Jaccard .5, groups of 20 (the paper: 200, larger logs)",
        ({}, {"shared": "address"}, {"shared": "both"}),
        GROUPS,
        knobs="Jaccard; k; object and window",
    ),
    Peer(
        "svn",
        "validated network (hypergeometric)",
        "peers-text",
        False,
        f"Tumminello et al. 2011, {PAPER}",
        "this project's",
        "2011",
        TOKENS,
        "times; how busy an account is, beyond its number of tokens",
        "an account in a group of at least k customers",
        Choice(0, 2.0, 2),
        "Bonferroni .01 by degree, any group",
        ({}, {"null": "plain"}, {"views": "hands"}),
        GROUPS,
        knobs="corrected p; k; tokens and null",
    ),
    Peer(
        "mmd",
        "window MMD",
        "peers-text",
        False,
        f"arXiv 2606.05725, {PAPER}",
        "this project's (theirs: none stated)",
        "2026-06",
        WINDOW,
        "every other account; times, addresses, payment",
        "an account whose window exceeds the threshold",
        Choice(0, 1.0, 1),
        "95th percentile of pooled honest windows",
        ({}, {"null": "accounts"}),
        learns=True,
        knobs="threshold; null",
        short=VECTORS + " The published window is 1,500 requests of anybody and accuses nobody.",
    ),
    Peer(
        "prada",
        "PRADA",
        "peers-text",
        False,
        f"Juuti et al. 2019, {PAPER}",
        "this project's (theirs: Apache-2.0)",
        "2019",
        WINDOW,
        "every other account; times, addresses, payment",
        "an account whose 1 - W exceeds the threshold",
        Choice(0, 0.05, 1),
        "delta .95 after 100 queries",
        ({}, {"least": 30}, {"least": 30, "classes": 8}),
        learns=True,
        knobs="delta; queries needed; classes",
        short=VECTORS + " Made for synthetic queries to image classifiers, with one set for each predicted class.",
    ),
    Peer(
        "seat",
        "SEAT",
        "peers-text",
        False,
        f"Zhang et al. 2021, {PAPER}",
        "this project's",
        "2021",
        WINDOW,
        "every other account; times, addresses, payment",
        "an account with too many (by a setting: too few) like pairs",
        Choice(0, 1.0, 1),
        "99th percentile of pairs, 95th of pooled windows",
        (
            {},
            {"percentile": 99.9},
            {"percentile": 99.9, "counted": "number", "null": "none"},
            {"counted": "few", "null": "none"},
        ),
        learns=True,
        knobs="threshold; likeness; share, number or too few",
        short=VECTORS + " Its encoder is trained against adversaries.",
    ),
    Peer(
        "mahalanobis",
        "Mahalanobis",
        "peers-text",
        False,
        f"baseline of arXiv 2606.05725, {PAPER}",
        "this project's",
        "2026-06",
        WINDOW,
        "every other account; times, addresses, payment",
        "an account whose mean distance exceeds the threshold",
        Choice(0, 1.0, 1),
        "95th percentile of pooled honest windows",
        ({}, {"averaged": "mean"}, {"null": "accounts"}),
        learns=True,
        knobs="threshold; mean of distances or of vectors; null",
        short=VECTORS,
    ),
)
