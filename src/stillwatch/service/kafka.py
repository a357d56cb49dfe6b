"""Events from Kafka: messages go the way of a request's body, and their offsets are committed once they are durable.

So every message is taken at least once; what comes twice is one event, as anywhere. A message of which nothing can be
used is counted, named in the log by its place, and passed over: it must not hold up those behind it. Where the service
would tell a sender to wait, the source waits, and Kafka keeps the messages.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from stillwatch.errors import UsageError
from stillwatch.service.logs import LOG, say
from stillwatch.service.metrics import Metrics
from stillwatch.service.problems import ProblemError
from stillwatch.service.reading import Body, Read
from stillwatch.service.settings import from_toml

PASSWORD = "STILLWATCH_KAFKA_PASSWORD"
"""Environment variable that becomes sasl.password."""
OURS = {"bootstrap.servers", "group.id", "enable.auto.commit", "enable.auto.offset.store"}
"""Set by the other words, or by what is promised: that nothing is committed before it is durable."""
LINES, PROTOBUF, JSON = "application/x-ndjson", "application/x-protobuf", "application/json"
Receive = Callable[[Body], Awaitable[Read]]


class KafkaSettings(BaseModel):
    """Where messages come from, and what they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bootstrap_servers: str = Field(min_length=1)
    topics: list[str] = Field(min_length=1)
    group: str = Field(default="stillwatch", min_length=1)
    format: Literal["table", "litellm", "bedrock", "otlp"] = "table"
    """Of the rows, as at `POST /v1/events`, each message one or more lines; otlp: as at `POST /v1/traces`."""
    messages: int = Field(default=2000, ge=1)
    """Read in one go at most."""
    client: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Further properties of librdkafka, such as security.protocol and sasl.username."""

    @field_validator("client")
    @classmethod
    def _theirs(cls, value: dict[str, Any]) -> dict[str, Any]:
        taken = sorted(OURS & value.keys())
        if taken:
            raise ValueError(f"{taken[0]} is not set here")
        return value


def load(path: Path) -> KafkaSettings:
    """From a TOML file; UsageError names the word that is wrong, or says that the extra is missing."""
    try:
        import confluent_kafka  # noqa: F401
    except ImportError as error:
        raise UsageError("confluent_kafka cannot be imported: pip install 'stillwatch[kafka]'") from error
    return from_toml(KafkaSettings, path, str(path))


class KafkaSource:
    """A consumer in a thread of its own."""

    def __init__(self, settings: KafkaSettings, max_body_bytes: int) -> None:
        """UsageError if librdkafka does not take the properties; nothing is asked of a broker yet."""
        from confluent_kafka import Consumer, KafkaException

        self.settings, self.most = settings, max_body_bytes
        self.trouble: str | None = None
        """Why nothing can be had at present."""
        self.stopped = threading.Event()
        self.thread: threading.Thread | None = None
        config: dict[str, Any] = {
            "auto.offset.reset": "earliest", "max.poll.interval.ms": 3_600_000, **settings.client,
            "bootstrap.servers": settings.bootstrap_servers, "group.id": settings.group,
            "enable.auto.commit": False, "enable.auto.offset.store": False, "error_cb": self._failed,
        }  # fmt: skip
        if PASSWORD in os.environ:
            config["sasl.password"] = os.environ[PASSWORD]
        try:
            self.consumer = Consumer(config, logger=LOG.getChild("kafka"))
        except KafkaException as error:
            raise UsageError(f"kafka: {error.args[0].str()}") from error

    def start(self, receive: Receive, metrics: Metrics, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to read; `receive` runs in the loop and returns once what it was given is durable."""
        self.receive, self.metrics, self.loop = receive, metrics, loop
        self.thread = threading.Thread(target=self._run, name="kafka", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """End; what is not durable yet stays uncommitted and comes again."""
        self.stopped.set()
        if self.thread is not None:
            self.thread.join(timeout=15)

    def _failed(self, error: Any) -> None:
        """Said once as long as it stays the same."""
        now = f"kafka: {error.name()}"
        if now != self.trouble:
            say("kafka", level=logging.WARNING, trouble=error.name())
        self.trouble = now

    def _run(self) -> None:
        from confluent_kafka import KafkaException

        self.consumer.subscribe(self.settings.topics)
        while not self.stopped.is_set():
            try:
                self._once()
            except KafkaException as error:  # nobody answers, or another consumer has taken over
                self._failed(error.args[0])
                self.stopped.wait(1)
            except CancelledError:  # the service ends
                break
            except Exception as error:  # whatever it was, the messages are read again
                say("kafka failed", level=logging.ERROR, error=error)
                self.stopped.wait(5)
        self.consumer.close()

    def _once(self) -> None:
        """Some messages, until they are durable, and then their offsets."""
        from confluent_kafka import TopicPartition

        found = self.consumer.consume(self.settings.messages, timeout=0.2)
        for message in found:
            if message.error() is not None:
                self._failed(message.error())
        good: list[Any] = [message for message in found if message.error() is None]
        if not good:
            if self.trouble is not None and not found:
                self.consumer.list_topics(self.settings.topics[0], timeout=1.0)  # raises while nobody answers
                self.trouble = None
            return
        self.trouble = None
        try:
            for some in _groups(good, self.settings.format == "otlp", self.most):
                self._take(some)
        except Exception:
            self._again(good)
            raise
        upto = {(m.topic(), m.partition()): m.offset() + 1 for m in good}
        self.consumer.commit(offsets=[TopicPartition(t, p, at) for (t, p), at in upto.items()], asynchronous=False)
        self.metrics.kafka_behind.set(self._behind())

    def _again(self, messages: Sequence[Any]) -> None:
        """Go back to the first of these, or the next commit would be beyond them."""
        from confluent_kafka import TopicPartition

        first: dict[tuple[str, int], int] = {}
        for message in messages:
            first.setdefault((message.topic(), message.partition()), message.offset())
        for (topic, partition), at in first.items():
            self.consumer.seek(TopicPartition(topic, partition, at))

    def _take(self, messages: Sequence[Any]) -> None:
        """Hand messages on in one body, as often as it takes; one by one if they are refused together."""
        body = _body(messages, self.settings.format)
        while not self.stopped.is_set():
            try:
                self._said(messages, self._received(body))
                return
            except ProblemError as problem:
                if problem.status in {429, 503}:
                    self.stopped.wait(problem.retry_after or 1.0)
                elif len(messages) > 1:
                    for message in messages:
                        self._take([message])
                    return
                else:
                    self._refused(messages[0], problem.status)
                    return
        raise CancelledError

    def _received(self, body: Body) -> Read:
        if len(body.data) > self.most:
            raise ProblemError(413, "too long")
        waiting = asyncio.run_coroutine_threadsafe(_awaited(self.receive, body), self.loop)
        while True:
            try:
                return waiting.result(timeout=1.0)
            except TimeoutError:
                if self.stopped.is_set():
                    waiting.cancel()
                    raise CancelledError from None

    def _said(self, messages: Sequence[Any], found: Read) -> None:
        if found.rows == 0 and found.skipped == 0:
            raise ProblemError(400, "no rows")
        if found.rejected:
            first = messages[0]
            say("kafka rows rejected", level=logging.WARNING, rejected=found.rejected, kept=found.kept,
                reasons=found.reasons, topic=first.topic(), partition=first.partition(), offset=first.offset(),
                messages=len(messages))  # fmt: skip

    def _refused(self, message: Any, status: int) -> None:
        self.metrics.bodies.labels("kafka", str(status)).inc()
        say("kafka message refused", level=logging.WARNING, status=status, topic=message.topic(),
            partition=message.partition(), offset=message.offset())  # fmt: skip

    def _behind(self) -> int:
        """Messages that wait in the partitions of this consumer, as far as is known without asking."""
        places = self.consumer.position(self.consumer.assignment())
        marks = [(place.offset, self.consumer.get_watermark_offsets(place, cached=True)) for place in places]
        return sum(max(0, mark[1] - at) for at, mark in marks if mark is not None and at >= 0)


async def _awaited(receive: Receive, body: Body) -> Read:
    return await receive(body)


def _groups(messages: Sequence[Any], alone: bool, most: int) -> Iterator[list[Any]]:
    """Messages that go into one body: with lines as many as it may hold."""
    group: list[Any] = []
    size = 0
    for message in messages:
        length = len(message.value() or b"") + 1
        if group and (alone or size + length > most):
            yield group
            group, size = [], 0
        group.append(message)
        size += length
    yield group


def _body(messages: Sequence[Any], format: str) -> Body:
    values = [message.value() or b"" for message in messages]
    if format == "otlp":
        (value,) = values
        return Body("traces", JSON if value.lstrip()[:1] == b"{" else PROTOBUF, "", value)
    return Body(
        "events", LINES, "", b"".join(value if value.endswith(b"\n") else value + b"\n" for value in values), format
    )
