"""Figures for Prometheus. Labels are words of our own, never an id: nobody can fill the registry."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """All figures of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "stillwatch_request_seconds", "Time to answer", ["route", "status"], registry=self.registry,
            buckets=_SECONDS,
        )  # fmt: skip
        self.events = Counter(
            "stillwatch_events", "Rows received: kept (durable) or rejected", ["kind", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.bodies = Counter(
            "stillwatch_bodies_refused", "Bodies of which nothing was taken", ["kind", "status"],
            registry=self.registry,
        )  # fmt: skip
        self.looks = Counter("stillwatch_looks", "Looks", ["outcome"], registry=self.registry)
        self.look_seconds = self._gauge("stillwatch_look_seconds", "Time of the last look")
        self.look_events = self._gauge("stillwatch_state_events", "Events in the state at the last look")
        self.looked_at = self._gauge("stillwatch_looked_at_seconds", "What was durable then is in the last look")
        self.recognised = Counter("stillwatch_recognised", "Accounts recognised between looks", registry=self.registry)
        self.fast_behind = self._gauge("stillwatch_fast_parcels_behind", "Parcels that the fast path has not seen")
        self.waiting_events = self._gauge("stillwatch_waiting_events", "Events durable and not yet merged")
        self.waiting_bytes = self._gauge("stillwatch_waiting_bytes", "Their size in the store")
        self.working_bytes = self._gauge("stillwatch_working_bytes", "Bodies being read and sketched")
        self.commits = self._gauge("stillwatch_commits", "Group commits since the start")
        self.decisions = self._gauge("stillwatch_decisions", "Accounts about which something is decided")
        self.pollers = self._gauge("stillwatch_pollers", "Long polls that wait")
        self.kafka_behind = self._gauge("stillwatch_kafka_messages_behind", "Messages that wait in Kafka")
        self.restarts = Counter(
            "stillwatch_process_restarts", "Processes that ended and were started again", ["process"],
            registry=self.registry,
        )  # fmt: skip

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self.registry)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)
