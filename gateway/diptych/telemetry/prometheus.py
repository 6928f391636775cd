"""The counters as metric families, under the names of go-grpc-prometheus.

It knows Prometheus' data model, and no server. It runs at a scrape, never on the path of a call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from ..status import CODE_BY_NUMBER
from .counters import Histogram, Labels, Tally
from .recorder import Recorder
from .runtime import Runtime

LABELS = ("grpc_type", "grpc_service", "grpc_method", "protocol")
CODED = ("grpc_type", "grpc_service", "grpc_method", "grpc_code", "protocol")


class Families:
    """A collector of prometheus-client."""

    def __init__(self, recorder: Recorder, runtime: Runtime) -> None:
        self._recorder, self._runtime = recorder, runtime

    def describe(self) -> Iterable[Metric]:
        """Returns nothing: a method has no series before its first call."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yields every family."""
        tallies = list(self._recorder.tallies())
        yield from _calls(tallies)
        yield from _messages(tallies)
        yield from _streams([tally for tally in tallies if tally.streams])
        yield _unmatched(self._recorder.missed)
        yield _stalls(self._recorder.stalls)
        yield from _process(self._runtime)


def _calls(tallies: Sequence[Tally]) -> Iterator[Metric]:
    started = CounterMetricFamily("grpc_server_started", "Calls started.", labels=LABELS)
    handled = CounterMetricFamily("grpc_server_handled", "Calls completed, by code.", labels=CODED)
    seconds = HistogramMetricFamily("grpc_server_handling_seconds", "Duration of calls in seconds.", labels=LABELS)
    in_flight = GaugeMetricFamily("diptych_calls_in_flight", "Calls in progress.", labels=LABELS)
    for tally in tallies:
        started.add_metric(_values(tally), tally.started)
        kind, service, method, protocol = tally.labels
        for number, count in enumerate(tally.handled):
            if count:
                handled.add_metric([kind, service, method, CODE_BY_NUMBER[number].name, protocol], count)
        _add(seconds, tally.labels, tally.seconds)
        in_flight.add_metric(_values(tally), tally.in_flight)
    yield from (started, handled, seconds, in_flight)


def _messages(tallies: Sequence[Tally]) -> Iterator[Metric]:
    received = CounterMetricFamily("grpc_server_msg_received", "Requests received.", labels=LABELS)
    sent = CounterMetricFamily("grpc_server_msg_sent", "Responses sent.", labels=LABELS)
    read = CounterMetricFamily("diptych_request_bytes", "Bytes of requests, without framing.", labels=LABELS)
    written = CounterMetricFamily("diptych_response_bytes", "Bytes of responses, without framing.", labels=LABELS)
    for tally in tallies:
        for family, value in zip((received, sent, read, written), tally.moved(), strict=True):
            family.add_metric(_values(tally), value)
    yield from (received, sent, read, written)


def _streams(tallies: Sequence[Tally]) -> Iterator[Metric]:
    requests = HistogramMetricFamily("diptych_stream_requests", "Requests per completed stream.", labels=LABELS)
    responses = HistogramMetricFamily("diptych_stream_responses", "Responses per completed stream.", labels=LABELS)
    lasted = HistogramMetricFamily("diptych_stream_duration_seconds", "Duration of streams in seconds.", labels=LABELS)
    for tally in tallies:
        _add(requests, tally.labels, tally.in_stream)
        _add(responses, tally.labels, tally.out_stream)
        _add(lasted, tally.labels, tally.lasted)
    yield from (requests, responses, lasted)


def _unmatched(missed: Mapping[int, int]) -> Metric:
    family = CounterMetricFamily(
        "diptych_http_unmatched", "HTTP requests that matched no method, by status.", labels=("status",)
    )
    for status, count in missed.items():
        family.add_metric([str(status)], count)
    return family


def _stalls(stalls: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(
        "diptych_send_timeouts", "Responses ended since their client read nothing, by protocol.", labels=("kind",)
    )
    for kind, count in stalls.items():
        family.add_metric([kind], count)
    return family


def _process(runtime: Runtime) -> Iterator[Metric]:
    connections = GaugeMetricFamily(
        "diptych_connections", "Open connections of the HTTP port, by protocol.", labels=("kind",)
    )
    for kind, count in runtime.connections().items():
        connections.add_metric([kind], count)
    yield connections
    yield GaugeMetricFamily("diptych_tasks", "Tasks of the event loop that have not ended.", value=runtime.tasks())
    yield GaugeMetricFamily(
        "diptych_executor_queue_depth", "Calls that wait for a thread of the pool.", value=runtime.queued()
    )
    yield GaugeMetricFamily("diptych_executor_threads", "Maximum number of threads in the pool.", value=runtime.threads)
    yield GaugeMetricFamily(
        "diptych_event_loop_lag_seconds",
        "Largest delay of a timer on the event loop in the last ten seconds.",
        value=runtime.lag(),
    )


def _values(tally: Tally) -> list[str]:
    return [*tally.labels]


def _add(family: HistogramMetricFamily, labels: Labels, histogram: Histogram) -> None:
    counts = list(histogram.counts)
    below, buckets = 0, []
    for bound, count in zip((*map(_text, histogram.bounds), "+Inf"), counts, strict=True):
        below += count
        buckets.append((bound, float(below)))
    family.add_metric([*labels], buckets, histogram.total)


def _text(bound: float) -> str:
    return repr(float(bound))
