"""The nouns of Stillwatch in the order in which data flows, and the schema of each stage's named table.

log -> events -> sketches -> summaries -> traits -> links -> operators -> evidence -> verdicts -> report

Every table is one Parquet file of that name in the run folder (`docs/tables.md`). Columns keep OpenTelemetry's words
where it has one. Times are UTC, microseconds.
"""

from __future__ import annotations

from enum import StrEnum

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")

VECTOR = 64
"""Components of an event's content vector, signed 8-bit."""


class Dimension(StrEnum):
    """What an accusation has to show, each on its own."""

    SOURCE = "source"
    SCALE = "scale"
    TRANSPARENCY = "transparency"
    PURPOSE = "purpose"


class Outcome(StrEnum):
    """What a signal says; `NOT_AVAILABLE` (could not look) is never `NOT_OBSERVED` (looked, found nothing)."""

    OBSERVED = "observed"
    NOT_OBSERVED = "not_observed"
    NOT_AVAILABLE = "not_available"


class Verdict(StrEnum):
    """What the evidence on an operator amounts to."""

    UNAUTHORISED_DISTILLATION = "unauthorised_distillation"
    AUTHORISED_DISTILLATION = "authorised_distillation"
    HEAVY_USE = "heavy_use"
    COMPROMISED_ACCOUNT = "compromised_account"
    ORDINARY = "ordinary"
    INCONCLUSIVE = "inconclusive"


LABELS = ("elicitation", "grading", "safe_rewrite", "trace_cleaning", "task_generation")
"""Elicitation labels of a prompt: confidences in [0, 1], features and never proof."""


def _schema(*fields: tuple[str, pa.DataType], required: tuple[str, ...] = ()) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=name not in required) for name, kind in fields])


_s, _i, _f = pa.string(), pa.int64(), pa.float64()

EVENTS = _schema(
    ("event_id", _s), ("time", TIME), ("account_id", _s), ("org_id", _s), ("key_id", _s), ("end_user_id", _s),
    ("platform", _s), ("operation", _s), ("model", _s), ("conversation_id", _s),
    ("system", _s), ("messages", _s), ("response", _s), ("tools", _s),
    ("temperature", _f), ("top_p", _f), ("max_tokens", _i), ("choices", _i), ("seed", _i),
    ("input_tokens", _i), ("output_tokens", _i), ("reasoning_tokens", _i), ("cached_tokens", _i),
    ("reasoning_signature", _s), ("finish_reason", _s), ("status", _s),
    ("client_address", _s), ("asn", _i), ("country", _s), ("user_agent", _s), ("ja4", _s), ("duration_ms", _f),
    required=("event_id", "time", "account_id", "model"),
)  # fmt: skip
"""One request to the model and its answer. `messages` is JSON: [{role, parts}]; most columns may be null."""

ACCOUNTS = _schema(
    ("account_id", _s), ("org_id", _s), ("created_at", TIME), ("plan", _s), ("path", _s), ("payment_id", _s),
    ("email_domain", _s), ("phone_id", _s), ("verified", pa.bool_()), ("quota_per_day", _i), ("country", _s),
    ("closed_at", TIME), ("closed_reason", _s),
    required=("account_id",),
)  # fmt: skip
"""One row an account; the whole table is optional."""

RELEASES = _schema(("model", _s), ("released_at", TIME), required=("model", "released_at"))

SKETCHES = _schema(
    # where the event stands in the log: evidence can be looked up again
    ("event_id", _s), ("source_id", pa.int32()), ("source_row", _i),
    ("time", TIME), ("account_id", _s), ("org_id", _s), ("key_id", _s), ("end_user_id", _s),
    ("platform", _s), ("operation", _s), ("model", _s), ("conversation_id", _s),
    # what is kept of the text: null where the log had none
    ("skeleton", pa.uint64()),         # the last user message, masked, whole
    ("lead_skeleton", pa.uint64()),    # its first words
    ("system_skeleton", pa.uint64()),  # the system instructions, masked
    ("tools_skeleton", pa.uint64()),   # names and parameters of the tools offered
    ("item", pa.uint64()),             # the last user message, normalised but not masked: what was asked
    ("vector", pa.binary(VECTOR)),    # as bytes: a list takes five times as long to write and to read
    *((label, pa.float32()) for label in LABELS),
    ("words", pa.int32()), ("turns", pa.int32()), ("script", _s),
    # what the request and its answer were like
    ("temperature", _f), ("top_p", _f), ("max_tokens", _i), ("choices", _i), ("seed", _i),
    ("input_tokens", _i), ("output_tokens", _i), ("reasoning_tokens", _i), ("cached_tokens", _i),
    ("reasoning_signature", _s), ("finish_reason", _s), ("status", _s), ("duration_ms", _f),
    # where it came from
    ("address", _s), ("address_prefix", _s), ("asn", _i), ("network_kind", _s), ("country", _s),
    ("user_agent", _s), ("ja4", _s),
    required=("event_id", "source_id", "source_row", "time", "account_id", "model"),
)  # fmt: skip
"""What is kept of an event. Raw text stops here; identifiers are keyed pseudonyms unless the caller asked for none."""

ANSWERS = _schema(
    ("event_id", _s), ("source_id", pa.int32()), ("source_row", _i), ("time", TIME), ("account_id", _s), ("model", _s),
    ("words", pa.int32()), ("text", pa.uint64()), ("fingerprints", pa.list_(pa.uint32())),
    required=("event_id", "source_id", "source_row", "time", "account_id", "model"),
)  # fmt: skip
"""What is kept of an answer's text, of events that have one: hashes by which a copy is known again
(`ingest.text.fingerprint`). `text`: all words in order; `fingerprints`: runs of words that are not the prompt's."""

SKELETONS = _schema(("skeleton", pa.uint64()), ("part", _s), ("text", _s), ("events", _i))
"""Masked text of skeletons that repeat, for exemplars: part is system, lead or whole."""

TRAITS = _schema(("account_id", _s), ("view", _s), ("token", _s), ("n", _i))
"""A value that accounts can share: `n` events (or 1) of the account carry `token` in `view`. Merges by adding n."""

PROFILE = 128
"""Random Fourier features of a kernel mean embedding."""
MANNER = 27
"""Numbers of an account's manner: three of each of nine measures."""
PROFILES = _schema(
    ("account_id", _s), ("events", _i), ("embedding", pa.list_(pa.float32(), PROFILE)),
    ("manner", pa.list_(_f, MANNER)),
)  # fmt: skip
"""Kernel mean embedding of an account's content vectors, as a sum: divide by `events`, those that have a vector.
`manner`: count, sum and sum of squares of each of `linking.manner.MEASURES`. Rows of one account merge by adding."""

LINKS = _schema(
    ("account_a", _s), ("account_b", _s), ("kind", _s), ("bits", _f), ("q", _f), ("views", _s),
)  # fmt: skip
"""Evidence that two accounts have one controller (control) or one source of text (content); bits = -log2 p."""

OPERATORS = _schema(
    ("account_id", _s), ("operator_id", _s), ("membership_bits", _f), ("proven", pa.bool_()), ("hand_bits", _f),
    ("means_bits", _f),
)  # fmt: skip
"""The accounts under one controller; a lone account is an operator of one. Every account has exactly one row.
`hand_bits`: what they share, the strongest family of views set aside, against chance; null where it was not tested.
`means_bits`: how many of them share a card, a phone, a credential or a conversation, against chance; null likewise."""

GROUPS = _schema(
    ("operator_id", _s), ("accounts", _i), ("links", _i), ("bits", _f), ("found_by", _s), ("views", _s),
)  # fmt: skip
"""Groups that `stillwatch link` found (no part of a scan): `bits` = -log2 p of the whole group, the search paid."""

VICTIMS = _schema(
    ("account_id", _s), ("operator_id", _s), ("bits", _f), ("own_events", _i), ("foreign_events", _i), ("since", TIME),
)  # fmt: skip
"""Accounts of their own into which an operator's stream came (a stolen key): whose it is, and since when."""

STREAMS = _schema(
    ("account_id", _s), ("operator_id", _s), ("role", _s), ("events", _i), ("share", _f), ("marked", _i), ("bits", _f),
    ("q", _f), ("since", TIME), ("until", TIME), ("kinds", _s),
)  # fmt: skip
"""An operator's requests inside an account; role is member, reseller, victim or mixed."""

STREAM_EVENTS = _schema(
    ("event_id", _s), ("account_id", _s), ("operator_id", _s), ("p", _f), ("marked", pa.bool_()),
)  # fmt: skip
"""Events of the streams: p is how probable it is that this one is the stream's."""

EVIDENCE = _schema(
    ("operator_id", _s), ("signal", _s), ("dimension", _s), ("outcome", _s),
    ("bits", _f), ("statistic", _f), ("null", _f), ("support", _i),
)  # fmt: skip
"""One finding a signal. `null` is the statistic's median over matched groups; `support` counts events."""

VERDICTS = _schema(
    ("operator_id", _s), ("verdict", _s), ("fdr", _f),
    ("bits_source", _f), ("bits_scale", _f), ("bits_transparency", _f), ("bits_purpose", _f),
    ("accounts", _i), ("events", _i), ("first_seen", TIME), ("last_seen", TIME), ("innocent_explanation", _s),
)  # fmt: skip

DECISIONS = _schema(
    ("account_id", _s), ("operator_id", _s), ("verdict", _s), ("certainty", _s),
    ("action", _s), ("would", _s), ("proposed", _s), ("rate", _s), ("scope", _s), ("only", _s),
    ("by", _s), ("rule", _s), ("reason", _s), ("evidence", _s), ("expires_at", TIME),
    required=("action", "would", "scope", "by"),
)  # fmt: skip
"""What is done to each account, and why (`stillwatch decide`)."""

REJECTS = _schema(("source", _s), ("row", _i), ("reason", _s))
"""Rows that could not be used: rows in = kept + rejected. `row` is 1-based; 0 stands for the whole file."""

TABLES: dict[str, pa.Schema] = {
    "sketches": SKETCHES, "answers": ANSWERS, "skeletons": SKELETONS, "accounts": ACCOUNTS, "traits": TRAITS,
    "profiles": PROFILES, "links": LINKS, "operators": OPERATORS, "victims": VICTIMS, "streams": STREAMS,
    "stream_events": STREAM_EVENTS, "evidence": EVIDENCE, "verdicts": VERDICTS, "rejects": REJECTS,
}  # fmt: skip
"""Tables of a run folder with a fixed schema; `summaries` has account_id, day and one column per signal's field."""
