"""Metrics of conversations: the answers that run in this process, and how those that ended have ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, Metric

from .values import State


class AnswerMetrics:
    """A collector for prometheus-client. `running` returns the number of running answers."""

    def __init__(self) -> None:
        self.running: Callable[[], int] = lambda: 0
        self._ended = Counter(
            "artificer_conversation_answers",
            "Answers in conversations by their state at the end: complete, stopped or failed.",
            ["state"],
            registry=CollectorRegistry(),
        )
        for state in (State.COMPLETE, State.STOPPED, State.FAILED):
            self._ended.labels(state.value)

    def ended(self, state: State) -> None:
        """Count an answer."""
        self._ended.labels(state.value).inc()

    def collect(self) -> Iterator[Metric]:
        """Yields the current metric families."""
        yield from self._ended.collect()
        running = GaugeMetricFamily("artificer_conversation_answers_running", "Answers that this process generates.")
        running.add_metric([], self.running())
        yield running
