"""The columns of events: text, tokens, parameters and origin, for a chunk of a day at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.model import EVENTS
from stillwatch.worlds.chance import Array, draw, hex_ids, mix, uniform
from stillwatch.worlds.infrastructure import COUNTRIES, Networks, client_columns, cloud_addresses
from stillwatch.worlds.measured import CLOUD_ADDRESSES
from stillwatch.worlds.plan import CLOUD, HOME, PLATFORMS, PROXY, SITE, STATIC, VPN, Plan
from stillwatch.worlds.text import render
from stillwatch.worlds.text.everyday import INTENTS
from stillwatch.worlds.text.grammar import Tables
from stillwatch.worlds.text.library import LANGUAGES, TOOLS, T
from stillwatch.worlds.traffic import Day

MODELS = ("aster-2-large", "aster-2-medium", "aster-2-small", "aster-3-large", "aster-3-small")
"""The last two are released inside the window: the successors of large, and of medium and small."""
_PAIRS = 6
"""Earlier turns that the capture keeps beside the first message and the last."""
_SAMPLED = 0.015
"""Part of events with the answer's text."""
_CHARS = np.array([4.3, 4.4, 4.6, 4.4, 3.4, 3.4, 6.2])
"""Bytes per token, by language: assumed."""


@dataclass
class Scene:
    """What the columns of all days are made from."""

    plan: Plan
    accounts: dict[str, Array]
    streams: dict[str, Array]
    topics: Array
    intents: Array
    tables: Tables
    networks: Networks
    account_ids: pa.Array
    org_ids: pa.Array
    now: float = -1.0
    """The day that is being written; -1 before the first."""


def batch(scene: Scene, day: Day, number: int, rows: slice, midnight: int) -> pa.RecordBatch:
    """Events `rows` of a day as a batch of `model.EVENTS`. `midnight` is in microseconds since 1970."""
    stream, talk, turn = day.stream[rows], day.talk[rows], day.turn[rows]
    s = {name: column[stream] for name, column in scene.streams.items()}
    begun = {name: scene.streams[name][day.talk_stream[talk]] for name in _TALK}
    uid, item = day.talk_uid[talk], day.talk_item[talk]
    noise = draw(scene.plan.seed, "event", number, np.arange(rows.start, rows.stop))
    n = len(stream)
    context = _contexts(scene, day, talk)
    system = _system(scene, begun, uid, item, context)
    messages, hidden, opening = _messages(scene, begun, uid, item, context, turn, stream)
    model = _models(scene, s, number + day.talk_start[talk] / 86_400.0, uid)
    columns: dict[str, Any] = {
        "event_id": hex_ids(scene.plan.seed, "event", number, np.arange(rows.start, rows.stop)),
        "time": pa.array(midnight + np.round(day.seconds[rows] * 1e6).astype(np.int64)).cast(EVENTS.field("time").type),
        "account_id": scene.account_ids.take(pa.array(s["account"])),
        "org_id": scene.org_ids.take(pa.array(s["account"])),
        "key_id": hex_ids(scene.plan.seed, "key", s["key"], (mix(uid) % s["keys"].astype(np.uint64))),
        "end_user_id": _end_users(scene, s, uid, stream),
        "platform": pa.array(PLATFORMS).take(pa.array(s["platform"])),
        "operation": pa.array(["chat"]).take(pa.array(np.zeros(n, np.int8))),
        "model": pa.array(MODELS).take(pa.array(model)),
        "conversation_id": _masked(hex_ids("conversation", uid), begun["conversations"]),
        "system": system, "messages": messages,
        "tools": pa.array(TOOLS).take(pa.array(begun["tools"], mask=begun["tools"] < 0)),
        "temperature": pa.array(s["temperature"].astype(float), from_pandas=True),
        "top_p": pa.array(s["top_p"].astype(float), from_pandas=True),
        "max_tokens": pa.array(s["max_tokens"].astype(np.int64)),
        "choices": _optional(s["choices"]), "seed": _optional(s["seed"]),
    }  # fmt: skip
    columns |= _outcome(scene, s, day.failing[rows], noise, uid, turn, model, columns, hidden, context)
    columns |= _origin(scene, s, number + day.seconds[rows] / 86_400.0, stream, uid, noise)
    columns["user_agent"], columns["ja4"] = client_columns(s["client"], s["lag"], number + day.seconds[rows] / 86_400.0)
    columns["response"] = _responses(scene, s, noise, uid, turn, context, opening)
    return pa.RecordBatch.from_arrays([columns[name] for name in EVENTS.names], schema=EVENTS)


_TALK = (
    "open", "follow", "reply", "agent", "system", "vary", "system_seed", "system_share", "style", "tools", "human",
    "conversations", "extra",
)  # fmt: skip
"""What a conversation keeps from the stream that began it, even if it goes on under another account."""


def _optional(values: Array) -> pa.Array:
    """Whole numbers; negative ones are null."""
    return pa.array(values.astype(np.int64), mask=values < 0)


def _masked(ids: pa.Array, there: Array) -> pa.Array:
    """The ids where they are there, null elsewhere."""
    return ids.take(pa.array(np.arange(len(ids)), mask=~there.astype(bool)))


# ---------------------------------------------------------------------------------------------------------------- text
def _contexts(scene: Scene, day: Day, talk: Array) -> Array:
    """Topic and language of each event's conversation."""
    stream, uid, item = day.talk_stream[talk], day.talk_uid[talk], day.talk_item[talk]
    own = scene.topics[stream]
    which = (uniform(draw("topic", uid))[:, None] >= own[:, 4:7]).sum(axis=1)
    topic = own[np.arange(len(stream)), which].astype(np.int64)
    # a bank's task has its own topic, whoever works on it
    even = scene.streams["even"][stream]
    topic = np.where(even, (draw("even", item) % np.uint64(T)).astype(np.int64), topic)
    second = uniform(draw("language", uid)) < scene.streams["second"][stream]
    language = np.where(second, scene.streams["language2"][stream], scene.streams["language"][stream])
    return np.asarray(language * T + topic)


def _seeds(event: Array, style: Array, item: Array) -> Array:
    return np.stack([event, style, item], axis=1).astype(np.uint64)


def _system(scene: Scene, begun: dict[str, Array], uid: Array, item: Array, context: Array) -> pa.Array:
    """System instructions: fixed for a stream, or varied by the conversation; null where none is sent."""
    rule = np.where(uniform(draw("system", uid)) < begun["system_share"], begun["system"], -1)
    event = np.where(begun["vary"], draw("vary", uid), begun["system_seed"])
    topic = (begun["system_seed"] % np.uint64(T)).astype(np.int64)
    return render.texts(scene.tables, rule, topic, _seeds(event, begun["system_seed"], item))


def _openings(scene: Scene, begun: dict[str, Array], uid: Array, context: Array, stream: Array) -> Array:
    """The rule of the first message: the stream's own, or by a person's mixture of intents and language."""
    names = scene.tables.names
    intents = np.array([names[name] for name in INTENTS])
    u = uniform(draw("intent", uid))
    which = np.minimum((u[:, None] >= scene.intents[stream]).sum(axis=1), len(intents) - 1)
    by_language = np.array([-1, *(names[f"{language}.ask"] for language in LANGUAGES[1:])])[context // T]
    spoken = np.where(by_language >= 0, by_language, intents[which])
    return np.where(begun["open"] >= 0, begun["open"], spoken)


def _messages(
    scene: Scene, begun: dict[str, Array], uid: Array, item: Array, context: Array, turn: Array, stream: Array
) -> tuple[pa.Array, Array, Array]:
    """Messages so far, the turns that the capture left out, and the rule of the opening."""
    names = scene.tables.names
    opening = _openings(scene, begun, uid, context, stream)
    viral = _viral(scene, begun, uid, stream)
    opening = np.where(viral, names["viral"], opening)
    kept = np.minimum(turn, _PAIRS)
    count = 1 + 2 * kept
    starts = np.concatenate([[0], np.cumsum(count)])
    event = np.repeat(np.arange(len(turn)), count)
    k = np.arange(starts[-1]) - starts[event]
    pair = (k + 1) // 2
    at = np.where(k == 0, 0, pair + (turn - kept)[event])
    reply = k % 2 == 1
    agent = begun["agent"][event] & (uniform(draw("raw", uid[event], at)) < 0.85)
    more, answer = _turn_rules(scene, begun, context, opening)
    rule = np.where(k == 0, opening[event], np.where(reply, answer[event], more[event]))
    raw = np.where(reply, names["raw.call"], names["raw.result"])
    rule = np.where(agent & (k > 0), raw, rule)
    role = np.where(
        k == 0, render.USER,
        np.where(agent, np.where(reply, render.CALL, render.RESULT), np.where(reply, render.ASSISTANT, render.USER)),
    )  # fmt: skip
    seed = draw("message", uid[event], 2 * at - reply)
    spoken = np.where(viral[event] & (k == 0), 3, context[event])
    seeds = _seeds(seed, begun["style"][event], item[event])
    return render.messages(scene.tables, starts, role, rule, spoken, seeds), turn - kept, opening


def _turn_rules(scene: Scene, begun: dict[str, Array], context: Array, opening: Array) -> tuple[Array, Array]:
    """Rules of a follow-up and of a reply, in the language and manner of the opening."""
    names = scene.tables.names
    languages = LANGUAGES[1:]
    more = np.array([-1, *(names[f"{language}.more"] for language in languages)])[context // T]
    answer = np.array([-1, *(names[f"{language}.reply"] for language in languages)])[context // T]
    code = begun["human"] & (opening == names["h.code"])
    own = np.where(code, names["h.morecode"], np.where(begun["follow"] >= 0, begun["follow"], names["h.more"]))
    says = np.where(code, names["h.replycode"], np.where(begun["reply"] >= 0, begun["reply"], names["h.reply"]))
    return np.where(more >= 0, more, own), np.where(answer >= 0, answer, says)


def _viral(scene: Scene, begun: dict[str, Array], uid: Array, stream: Array) -> Array:
    """Around one day many people send the same popular text."""
    near = np.exp(-0.5 * ((scene.now - scene.plan.viral) / 1.2) ** 2) if scene.now >= 0 else 0.0
    return begun["human"] & (uniform(draw("viral", uid)) < 0.05 * near)


def _responses(
    scene: Scene, s: dict[str, Array], noise: Array, uid: Array, turn: Array, context: Array, opening: Array
) -> pa.Array:
    """The answer's text of a sample of events, null for the rest."""
    rows = np.flatnonzero(uniform(mix(noise + np.uint64(11))) < _SAMPLED)
    _, answer = _turn_rules(scene, {k: v[rows] for k, v in s.items()}, context[rows], opening[rows])
    seeds = _seeds(draw("message", uid[rows], 2 * (turn[rows] + 1) - 1), s["style"][rows], uid[rows])
    role = np.full(len(rows), render.ASSISTANT)
    text = render.messages(scene.tables, np.arange(len(rows) + 1), role, answer, context[rows], seeds)
    index = np.full(len(noise), -1)
    index[rows] = np.arange(len(rows))
    return text.take(pa.array(index, mask=index < 0))


# ------------------------------------------------------------------------------------------------- model and outcome
def _models(scene: Scene, s: dict[str, Array], when: Array, uid: Array) -> Array:
    """The model asked for: the stream's usual one, or its successor after the stream has moved."""
    u = uniform(draw("model", uid))
    first = (s["model"] == 0) & (when >= np.maximum(s["adopt0"], scene.plan.releases[0])) & (u < s["share0"])
    second = (s["model"] > 0) & (when >= np.maximum(s["adopt1"], scene.plan.releases[1])) & (u < s["share1"])
    return np.where(first, 3, np.where(second, 4, s["model"]))


def _outcome(
    scene: Scene, s: dict[str, Array], failing: Array, noise: Array, uid: Array, turn: Array, model: Array,
    columns: dict[str, Any], hidden: Array, context: Array,
) -> dict[str, Any]:  # fmt: skip
    """Tokens, status and duration."""
    u = [uniform(mix(noise + np.uint64(k))) for k in range(8)]
    gauss = np.sqrt(-2 * np.log(np.maximum(u[0], 1e-12))) * np.cos(2 * np.pi * u[1])
    failed = failing | (u[2] < s["errors"])
    refused = ~failed & (u[3] < s["refused"])
    wanted = np.where(
        s["fixed_out"] > 0, s["fixed_out"] + (u[4] < 0.1), s["out_median"] * np.exp(s["out_sigma"] * gauss)
    )
    wanted = np.where(u[5] < s["saturated"], 1e9, np.maximum(1.0, np.where(refused, 40 + 30 * u[4], wanted)))
    output = np.where(failed, 0, np.minimum(wanted, s["max_tokens"])).astype(np.int64)
    full = ~failed & (wanted >= s["max_tokens"])
    called = s["agent"] & (u[6] < 0.8)
    finish = np.where(refused, 3, np.where(full, 1, np.where(called, 2, 0)))
    per = _CHARS[context // T]
    written = _sizes(columns["messages"]) / per
    lead = (_sizes(columns["system"]) + _sizes(columns["tools"])) / 4.3
    body = written + hidden * 130.0 + s["extra"] * np.minimum(1.0, 0.3 + 0.1 * turn)
    read = np.maximum(4, lead + body).astype(np.int64)
    again = np.where(turn > 0, (lead + body * turn / (turn + 1.0)), np.where(lead > 200, lead, 0.0))
    cached = np.where(s["cache"] & ~failed, again * np.where(u[7] < 0.9, 1.0, 0.0), 0.0)
    thinks = s["thinking"] & np.isin(model, (0, 3)) & ~failed
    speed = 9.0 + 10.0 * u[4]
    return {
        "input_tokens": pa.array(read),
        "output_tokens": pa.array(output),
        "reasoning_tokens": pa.array((output * 0.55 * u[6]).astype(np.int64), mask=~thinks),
        "cached_tokens": pa.array(np.minimum(cached // 64 * 64, read).astype(np.int64)),
        "reasoning_signature": _masked(
            hex_ids("signature", uid, turn - 1, chars=32), s["thinking"] & s["signed"] & (turn > 0)
        ),
        "finish_reason": pa.array(["stop", "length", "tool_calls", "content_filter"]).take(
            pa.array(finish, mask=failed)
        ),
        "status": pa.array(["ok", "error", "refused"]).take(pa.array(np.where(failed, 1, np.where(refused, 2, 0)))),
        "duration_ms": pa.array(np.round(250 + 400 * u[5] + read * 0.02 + output * speed, 1) * (0.5 + u[7])),
    }


def _sizes(text: pa.Array) -> Array:
    return np.asarray(pc.fill_null(pc.binary_length(text), 0))


# --------------------------------------------------------------------------------------------------------------- origin
def _end_users(scene: Scene, s: dict[str, Array], uid: Array, stream: Array) -> pa.Array:
    """The customer's customer, where passed on: a few of them are busy."""
    user = np.floor(s["end_users"] * uniform(draw("end user", uid)) ** 1.8).astype(np.int64)
    return _masked(hex_ids(scene.plan.seed, "end user", stream, user, chars=16), s["end_users"] > 0)


def _origin(scene: Scene, s: dict[str, Array], when: Array, stream: Array, uid: Array, noise: Array) -> dict[str, Any]:
    """Address, system number and country."""
    seed, networks = scene.plan.seed, scene.networks
    bits, network, lease = s["address"].copy(), s["network"].copy(), s["lease"].astype(float)
    roll = uniform(draw("roll", uid))
    cloud_net, cloud_bits = cloud_addresses(seed, networks, CLOUD_ADDRESSES)

    rows = np.flatnonzero(s["net"] == PROXY)
    if len(rows):
        # an exit is kept for some days; then the network hands out another
        block = np.floor(when[rows] / 8.0 + uniform(draw("change", s["account"][rows]))).astype(np.int64)
        choice = np.floor(3 * roll[rows]).astype(np.int64)
        bounds = np.array(scene.plan.pools)[s["pool"][rows]]
        span = (bounds[:, 1] - bounds[:, 0]).astype(np.uint64)
        device = bounds[:, 0] + (draw(seed, "exit", s["account"][rows], block, choice) % span).astype(np.int64)
        network[rows] = np.array([d.network for d in scene.plan.devices])[device]
        bits[rows] = np.array([d.address for d in scene.plan.devices], np.uint64)[device]
        lease[rows] = np.array([d.lease for d in scene.plan.devices])[device]
    home = np.isin(s["net"], (HOME, PROXY))
    phase = uniform(draw("phase", bits))
    bits = np.where(home, draw("lease", bits, np.floor(when / lease + phase).astype(np.int64)), bits)
    spot = np.floor(s["spots"] * roll).astype(np.int64)
    bits = np.where(np.isin(s["net"], (STATIC, SITE)), draw("spot", bits, spot), bits)

    rows = np.flatnonzero(np.isin(s["net"], (CLOUD, VPN)))
    # popular clouds are far more popular than others
    u = uniform(draw("cloud", bits[rows], np.minimum(spot[rows], 1)))
    which = np.floor(CLOUD_ADDRESSES * u**1.7).astype(np.int64)
    shift = np.where(s["net"][rows] == VPN, 1, 0)
    which = np.where(shift == 1, (which * 7) % 23, which)
    network[rows] = cloud_net[which]
    bits[rows] = draw("exit of", cloud_bits[which], shift)

    away = (s["net"] == HOME) & (uniform(draw("away", uid)) < s["away"])
    # carriers put many phones behind one address
    gate = draw("carrier", s["mobile"], draw("today", s["account"], np.floor(when).astype(np.int64)) % np.uint64(40))
    network, bits = np.where(away, s["mobile"], network), np.where(away, gate, bits)
    country = pa.array([code for code, _, _, _ in COUNTRIES]).take(pa.array(networks.country[network]))
    return {
        "client_address": networks.texts(network, bits),
        "asn": pa.array(networks.asn[network]),
        "country": country,
    }
