"""Bodies that wait are read in one go: most of what a small body costs is not its rows.

Each sender is answered as if its body had been read alone. Where that would differ (a body of which nothing can be
used, which is refused whole; one whose last line was cut off; anything that raises), the body is read alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stillwatch.ingest import parcels, work
from stillwatch.ingest.readers import Chunk
from stillwatch.ingest.report import group
from stillwatch.ingest.streams import CHUNK, lines
from stillwatch.service import reading
from stillwatch.service.bodies import decoded
from stillwatch.service.problems import ProblemError
from stillwatch.service.reading import LINES, SHOWN, Body, Read, Reading

SMALL = 256 << 10
"""Bytes, as sent, from which a body is worth its own while."""


@dataclass(frozen=True)
class Together:
    """What some bodies held."""

    parcels: list[tuple[bytes, int]]
    """Packed, with their numbers of events: fewer than bodies."""
    answers: list[Read | ProblemError]
    """One a body, in their order; without parcels."""


def alike(one: Body, other: Body) -> bool:
    """Whether two bodies may be read in one go."""
    return one.kind == other.kind == "events" and one.format == other.format and _small(one) and _small(other)


def _small(body: Body) -> bool:
    return body.content_type in LINES and len(body.data) <= SMALL


def work_off(bodies: Sequence[Body]) -> Together:
    """For a process that `reading.begin` made ready: whatever is wrong with a body is said to its sender alone."""
    if len(bodies) > 1:
        try:
            return read(bodies, reading.ours())
        except Exception:  # one of them did it: which one, each by itself will show
            return _joined([_alone(body) for body in bodies])
    return _alone(bodies[0])


def _alone(body: Body) -> Together:
    try:
        found = reading.work_off(body)
    except ProblemError as problem:
        return Together([], [problem])
    return Together([] if found.parcel is None else [(found.parcel, found.kept)], [replace(found, parcel=None)])


def _joined(parts: Sequence[Together]) -> Together:
    return Together([one for part in parts for one in part.parcels], [one for part in parts for one in part.answers])


def read(bodies: Sequence[Body], how: Reading) -> Together:
    """Bodies that are all `alike`, in one go; ProblemError, or whatever else, if one of them cannot be read."""
    texts, room = [], CHUNK - len(bodies)
    for body in bodies:
        text = decoded(body.data, body.encoding, min(room, how.limits.max_decoded_bytes)).lstrip()
        texts.append(text if text.endswith(b"\n") or not text else text + b"\n")
        room -= len(texts[-1])
    (part,) = lines(iter([b"".join(texts)]))
    source = reading.source("lines", bodies[0].format, len(part.data))
    done = work.process(Chunk(source, part, bytes=len(part.data)), reading.job(how))
    ends = np.cumsum([text.count(b"\n") for text in texts])
    kept = np.bincount(np.searchsorted(ends, done.sketches["source_row"].to_numpy()), minlength=len(bodies))
    rejects: list[list[tuple[int, str]]] = [[] for _ in bodies]
    for row, reason in done.rejects:
        of = int(np.searchsorted(ends, row))
        rejects[of].append((row - int(ends[of - 1] if of else 0), reason))
    odd = [place for place, some in enumerate(rejects) if some and _differs(bodies[place], some, int(kept[place]), how)]
    if odd:
        return _apart(bodies, odd, how)
    whole = reading.parcel(done, how.pseudonyms)
    answers = [_answer(int(n), some) for n, some in zip(kept, rejects, strict=True)]
    rows = whole.sketches.num_rows
    return Together([(parcels.together([whole]).pack(), rows)] if rows else [], list(answers))


def _differs(body: Body, rejects: Sequence[tuple[int, str]], kept: int, how: Reading) -> bool:
    """Whether a body with rejects is to be read alone."""
    open_end = body.encoding not in {"", "identity"} or not body.data.endswith(b"\n")
    return not kept or len(rejects) > how.limits.max_rejects or open_end


def _apart(bodies: Sequence[Body], odd: Sequence[int], how: Reading) -> Together:
    rest = [place for place in range(len(bodies)) if place not in set(odd)]
    found = read([bodies[place] for place in rest], how) if rest else Together([], [])
    alone = [_alone(bodies[place]) for place in odd]
    answers = dict(zip(rest, found.answers, strict=True))
    answers |= {place: one.answers[0] for place, one in zip(odd, alone, strict=True)}
    return Together(
        found.parcels + [parcel for one in alone for parcel in one.parcels],
        [answers[place] for place in range(len(bodies))],
    )


def _answer(kept: int, rejects: Sequence[tuple[int, str]]) -> Read:
    reasons = Counter(group(reason) for _, reason in rejects)
    return Read(None, kept + len(rejects), kept, dict(reasons), tuple(rejects[:SHOWN]))
