"""Events from Kafka. The broker is librdkafka's own mock cluster, which speaks Kafka's protocol over sockets."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from stillwatch.errors import UsageError
from stillwatch.service.kafka import KafkaSource, load
from stillwatch.service.metrics import Metrics
from stillwatch.service.reading import Body, Read
from tests.service.serving import Service, event, lines, serving
from tests.service.test_kill import stored
from tests.service.test_otlp import spans

TOPIC = "llm-events"


class Broker:
    """A cluster of one broker that lives as long as the producer which brought it."""

    def __init__(self) -> None:
        self.producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "-", "log_level": 3})
        (broker,) = self.producer.list_topics(timeout=30).brokers.values()
        self.address = f"{broker.host}:{broker.port}"

    def send(self, values: Sequence[bytes | None], topic: str = TOPIC) -> None:
        for value in values:
            self.producer.produce(topic, value)
        assert self.producer.flush(30) == 0

    def committed(self, topic: str = TOPIC, group: str = "stillwatch") -> int:
        """Messages that the group has committed."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": group})
        parts = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        offsets = consumer.committed([TopicPartition(topic, part) for part in parts], timeout=30)
        consumer.close()
        return sum(max(0, one.offset) for one in offsets)

    def settings(self, folder: Path, more: str = "", topic: str = TOPIC) -> Path:
        path = folder / "kafka.toml"
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(f'bootstrap_servers = "{self.address}"\ntopics = ["{topic}"]\n{more}', encoding="utf-8")
        return path


@pytest.fixture
def broker() -> Broker:
    return Broker()


def rows(first: int, count: int) -> list[bytes]:
    return [orjson.dumps(event(number)) for number in range(first, first + count)]


def commits(broker: Broker, messages: int) -> None:
    end = time.monotonic() + 60
    while broker.committed() != messages:
        assert time.monotonic() < end, broker.committed()
        time.sleep(0.2)


def figure(service: Service, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", service.client.get("/metrics").text, re.MULTILINE)
    assert found, name
    return float(found[1])


def test_messages_are_taken_and_committed_and_one_that_is_none_holds_nothing_up(tmp_path: Path, broker: Broker) -> None:
    broker.send(rows(0, 200))
    with serving(tmp_path, "--kafka", str(broker.settings(tmp_path))) as service:
        service.until(received_events=200)
        secret = "SECRET that a customer wrote"
        broker.send([b"{not json: " + secret.encode(), None, b"", orjson.dumps({"account_id": secret}), *rows(200, 50)])
        broker.send([lines([event(300), event(301)]), orjson.dumps(event(302)) + b"\n"])
        service.until(received_events=253)
        commits(broker, 256)
        end = time.monotonic() + 10
        while figure(service, "stillwatch_kafka_messages_behind") != 0:  # said after the commit
            assert time.monotonic() < end
        assert service.status()["trouble"] is None
        said = [line["what"] for line in service.said()]
        assert {"kafka rows rejected", "kafka message refused"} & set(said)
        assert service.stop() == 0
        assert secret not in service.log.read_text(encoding="utf-8")
    assert stored(tmp_path) == {f"event-{n}" for n in [*range(250), 300, 301, 302]}


def test_killed_in_between_nothing_is_lost_and_nothing_counts_twice(tmp_path: Path, broker: Broker) -> None:
    kafka = str(broker.settings(tmp_path, "messages = 50\n"))
    broker.send(rows(0, 1_000))
    with serving(tmp_path, "--kafka", kafka) as service:
        end = time.monotonic() + 60
        while service.status()["received_events"] < 100 and time.monotonic() < end:
            time.sleep(0.01)
        service.kill()
    broker.send(rows(1_000, 100))
    with serving(tmp_path, "--kafka", kafka, limits="look_seconds = 1.0\n") as service:
        commits(broker, 1_100)
        service.until(120, age_seconds=0.0)
        assert figure(service, "stillwatch_state_events") == 1_100
    assert stored(tmp_path) == {f"event-{n}" for n in range(1_100)}


def test_where_a_sender_would_have_to_wait_kafka_keeps_the_messages(tmp_path: Path, broker: Broker) -> None:
    broker.send(rows(0, 400))
    limits = "look_seconds = 3600.0\nmax_body_bytes = 4096\nqueue_bytes = 5000\n"
    with serving(tmp_path, "--kafka", str(broker.settings(tmp_path)), limits=limits) as service:
        broker.send([orjson.dumps(event(400, messages="x" * 5_000)), *rows(401, 1)])
        service.until(received_events=401)
        commits(broker, 402)
        refused = [line for line in service.said() if line["what"] == "kafka message refused"]
        assert [line["status"] for line in refused] == [413]
    assert stored(tmp_path) == {f"event-{n}" for n in [*range(400), 401]}


def test_what_could_not_be_handed_on_is_read_again(tmp_path: Path, broker: Broker) -> None:
    taken: list[bytes] = []
    fails = iter([True])

    async def receive(body: Body) -> Read:
        if next(fails, False):
            raise RuntimeError("some fault of ours")
        taken.extend(body.data.splitlines())
        return Read(None, len(taken), len(taken))

    async def until(messages: int) -> None:
        source = KafkaSource(load(broker.settings(tmp_path, "messages = 20\n")), 1 << 20)
        source.start(receive, Metrics(), asyncio.get_running_loop())
        end = time.monotonic() + 60
        while len(taken) < messages and time.monotonic() < end:
            await asyncio.sleep(0.05)
        await asyncio.to_thread(source.stop)

    broker.send(rows(0, 90))
    asyncio.run(until(90))
    assert sorted(taken) == sorted(rows(0, 90))
    commits(broker, 90)


def test_spans_come_as_at_the_endpoint(tmp_path: Path, broker: Broker) -> None:
    broker.send([encode_spans(spans(5)).SerializeToString()], "spans")
    with serving(tmp_path, "--kafka", str(broker.settings(tmp_path, 'format = "otlp"\n', "spans"))) as service:
        service.until(received_events=5)


def test_a_broker_that_is_not_there_is_said_and_waited_for(tmp_path: Path, broker: Broker) -> None:
    kafka = tmp_path / "kafka.toml"
    kafka.write_text('bootstrap_servers = "127.0.0.1:1"\ntopics = ["t"]\n', encoding="utf-8")
    with serving(tmp_path, "--kafka", str(kafka)) as service:
        end = time.monotonic() + 60
        while service.status()["trouble"] is None and time.monotonic() < end:
            time.sleep(0.1)
        assert "kafka" in service.status()["trouble"]
        assert service.send([event(1)]).status_code == 200
        assert service.stop() == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "bootstrap_servers"),
        ('bootstrap_servers = "b:1"\ntopics = []\n', "topics"),
        ('bootstrap_servers = "b:1"\ntopics = ["t"]\nbroker = 1\n', "broker"),
        ('bootstrap_servers = "b:1"\ntopics = ["t"]\n[client]\n"enable.auto.commit" = true\n', "enable.auto.commit"),
        ('bootstrap_servers = "b:1"\ntopics = ["t"]\n[client]\n"no.such.word" = true\n', "no.such.word"),
        ("topics = [", "not TOML"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "kafka.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=why):
        KafkaSource(load(path), 1 << 20)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load(tmp_path / "none.toml")


def test_a_password_in_the_environment_is_no_part_of_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLWATCH_KAFKA_PASSWORD", "hunter2")
    path = tmp_path / "kafka.toml"
    path.write_text(
        'bootstrap_servers = "b:1"\ntopics = ["t"]\n[client]\n"security.protocol" = "none"\n', encoding="utf-8"
    )
    with pytest.raises(UsageError) as refused:
        KafkaSource(load(path), 1 << 20)
    assert "hunter2" not in str(refused.value)
