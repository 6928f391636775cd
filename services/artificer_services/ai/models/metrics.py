"""Metrics of models: requests, tokens and their speed, queues, and the memory of worker processes.

Collected at each scrape. Knows no kind of model.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ...kit.errors import Kind, ServiceError
from .admission import Admission
from .measured import Measured

_FIRST_TOKEN = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)  # seconds
_REFUSED = (Kind.INVALID_ARGUMENT, Kind.RESOURCE_EXHAUSTED)
_SPEED = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # tokens per second


class Process(Protocol):
    """What may run in processes of its own."""

    def memory(self) -> int:
        """Returns their resident memory in bytes."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What the metrics of one model are read from at a scrape."""

    name: str
    admission: Admission
    model: Process


class ModelMetrics:
    """A collector for prometheus-client."""

    def __init__(self, models: Sequence[Watched]) -> None:
        registry = CollectorRegistry()
        self._models = models
        self._requests = Counter(
            "artificer_ai_requests", "Requests to models by outcome.", ["model", "outcome"], registry=registry
        )
        self._tokens = Counter(
            "artificer_ai_tokens",
            "Tokens that models read (input) and generated (output); estimated where a model does not count.",
            ["model", "direction"],
            registry=registry,
        )
        self._first_token = Histogram(
            "artificer_ai_first_token_seconds",
            "Time from a chat's admission to the first token of its answer.",
            ["model"],
            buckets=_FIRST_TOKEN,
            registry=registry,
        )
        self._speed = Histogram(
            "artificer_ai_tokens_per_second",
            "Tokens per second of an answer after its first token.",
            ["model"],
            buckets=_SPEED,
            registry=registry,
        )
        self._counted: tuple[Collector, ...] = (self._requests, self._tokens, self._first_token, self._speed)

    @contextmanager
    def measure(self, model: str) -> Iterator[Measured]:
        """Measure a request to a model, and count it by its outcome: ok, refused, failed or cancelled."""
        measured = Measured()
        outcome = "ok"
        try:
            yield measured
        except ServiceError as error:
            outcome = "refused" if error.kind in _REFUSED else "failed"
            raise
        except (asyncio.CancelledError, GeneratorExit):
            outcome = "ok" if measured.finished else "cancelled"
            raise
        except BaseException:
            outcome = "failed"
            raise
        finally:
            self._requests.labels(model, outcome).inc()
            self._record(model, measured)

    def _record(self, model: str, measured: Measured) -> None:
        used = measured.used
        if used.prompt or used.completion:
            self._tokens.labels(model, "input").inc(used.prompt)
        if used.completion:
            self._tokens.labels(model, "output").inc(used.completion)
        if (seconds := measured.first_token_seconds) is not None:
            self._first_token.labels(model).observe(seconds)
        if speed := measured.tokens_per_second:
            self._speed.labels(model).observe(speed)

    def collect(self) -> Iterator[Metric]:
        """Yields the current metric families."""
        for one in self._counted:
            yield from one.collect()
        running = GaugeMetricFamily("artificer_ai_running", "Requests that a model is serving.", labels=["model"])
        waiting = GaugeMetricFamily("artificer_ai_queue_depth", "Requests that wait for a model.", labels=["model"])
        memory = GaugeMetricFamily(
            "artificer_ai_memory_bytes",
            "Resident memory of a model's worker processes; 0 while there are none.",
            labels=["model"],
        )
        for name in dict.fromkeys(watched.name for watched in self._models):
            same = [watched for watched in self._models if watched.name == name]  # one for chats, and one for vectors
            running.add_metric([name], sum(watched.admission.running for watched in same))
            waiting.add_metric([name], sum(watched.admission.waiting for watched in same))
            memory.add_metric([name], sum(watched.model.memory() for watched in same))
        yield from (running, waiting, memory)
