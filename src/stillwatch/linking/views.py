"""The views: what two accounts can share, what it would mean, and which views tell the same fact.

- kind: `control` says one hand. `content` says one source of text (an application, a course, a benchmark, a harvester);
  honest users of one product share it. `context` never links; signals and the null read it.
- family: views of one family tell one fact: of a pair the best of them counts, of a group the mean of their
  e-values. Different families add.
- region: its tokens are local, so the null takes a token's popularity at the account's carrier or in its country where
  that is higher.
- application: the application explains it, so the null takes the popularity among its users where that is higher.
- broad: the application explains only tokens that at least half of its users hold (a gateway's own address).
- one: only the token with most events counts, because an account's tokens (versions of a client) are one choice.
- given: a scan writes none; for tables of traits that somebody else made.
- single: keep tokens that only one account holds. They cannot link, but that most accounts have a card of their own is
  what makes a ring's cards odd; signals need some as well. Elsewhere they are dropped, to save room.

A view that is not listed is control evidence in a family of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["control", "content", "context"]
RENTED = "network"
"""Family of views that strangers rent from one owner."""


@dataclass(frozen=True)
class View:
    """One thing that accounts can share; see the module."""

    name: str
    kind: Kind
    family: str
    meaning: str
    region: bool = False
    application: bool = False
    broad: bool = False
    one: bool = False
    single: bool = False
    given: bool = False


VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        # one hand
        View("payment", "control", "payment", "payment instrument", single=True),
        View("phone", "control", "phone", "phone number", single=True),
        View("organisation", "control", "organisation", "declared organisation that nobody verified", single=True),
        View("key", "control", "key", "one credential used by two accounts"),
        View("conversation", "control", "continuation", "one conversation goes on under another account"),
        View("reasoning_signature", "control", "continuation", "one signed piece of reasoning sent by two accounts"),
        View("address", "control", "network", "exact address", region=True, broad=True, single=True),
        View("address_prefix", "control", "network", "address prefix", region=True, broad=True, single=True),
        View(
            "client",
            "control",
            "client",
            "user agent and TLS stack; the network would only say again what addresses say",
            region=True,
            application=True,
            one=True,
        ),
        View("email_domain", "control", "mail", "mail domain", region=True, single=True),
        View(
            "registration",
            "control",
            "registration",
            "path, country, mail domain and hour of sign-up",
            region=True,
            single=True,
        ),
        View("signup_burst", "control", "registration", "ten minutes of sign-up", region=True, single=True),
        View("skeleton_hour", "context", "", "template in one hour", region=True, application=True, given=True),
        View("skeleton_10min", "context", "", "template in ten minutes", region=True, application=True, given=True),
        # a fixed address would count once a day: 198 strangers on rented servers proved a hand by it in 25 M events;
        # without it (and with `merging.needed`) ARI over eight evasions, scale 1, seed 11, was .63 after .34
        View("address_day", "context", "", "exact address on one day", region=True, broad=True, given=True),
        View("item_hour", "context", "", "exact prompt in one hour", region=True, application=True, given=True),
        # one source of text
        View("system_skeleton", "content", "system", "system instructions, masked", region=True, single=True),
        View("tools", "content", "system", "tools offered", region=True),
        View("lead_skeleton", "content", "text", "first words of the prompt, masked", region=True, single=True),
        # half of all traits once, and no verdict on ten worlds with rings was another without all four
        View("frame", "content", "text", "first and last words together", region=True, given=True),
        View("skeleton", "content", "text", "whole prompt, masked", region=True, given=True),
        View("near_duplicate", "content", "text", "a MinHash band", region=True, given=True),
        View("item", "content", "text", "exact prompt", region=True, given=True),
        View("parameters", "content", "parameters", "max_tokens, temperature and top_p", region=True, one=True),
        View("profile", "content", "profile", "cell of the kernel mean embedding", region=True),
        # context
        View("item_sample", "context", "", "lead skeleton and item, one item in four", single=True),
        View("active_hour", "context", "", "epoch hour; n = conversations started", single=True),
        View("model_day", "context", "", "model and day", single=True),
        View("carrier", "context", "", "autonomous system of the address; n = events", single=True),
        View("country", "context", "", "country of the address; n = events", single=True),
    )
}


NULL = ("country", "carrier")
"""Views of context that the null of linking reads."""
LINKED = frozenset(view.name for view in VIEWS.values() if view.kind != "context" or view.name in NULL)
"""Views that linking reads, of those listed."""


def view_of(name: str) -> View:
    """The view called `name`; an unknown one is control evidence of its own."""
    return VIEWS.get(name) or View(name, "control", name, "a trait that was given")
