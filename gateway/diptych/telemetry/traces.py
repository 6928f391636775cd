"""Traces by OpenTelemetry: one server span per call, which continues the caller's trace, exported by OTLP.

OpenTelemetry is an extra, so that this module is imported only if traces are on. Attributes follow OpenTelemetry's
semantic conventions for RPC, and for HTTP if the call came over REST.
"""

from __future__ import annotations

import traceback
from contextlib import suppress
from contextvars import Token
from typing import Any
from urllib.parse import unquote, urlsplit

from opentelemetry import trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context, attach
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ..metadata import Metadata
from ..origin import Origin
from ..settings.telemetry import TelemetrySettings
from ..status import CODE_BY_NUMBER
from .counters import Labels, Tally

_CARRIED = frozenset(("traceparent", "tracestate", "baggage"))
# The codes that are the server's fault, by the semantic conventions for gRPC.
_FAULTS = frozenset((2, 4, 12, 13, 14, 15))
_EXPORT_SECONDS = 5.0


class Tracer:
    """Begins spans and exports them."""

    def __init__(self, settings: TelemetrySettings) -> None:
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": settings.service_name, "service.instance.id": settings.worker}),
            sampler=ParentBased(TraceIdRatioBased(settings.trace_ratio)),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(_exporter(settings)))
        self._tracer = self._provider.get_tracer("diptych")
        self._propagator = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
        self._attributes: dict[Labels, dict[str, Any]] = {}
        self.servers: dict[bool, tuple[str, int]] = {}
        """Address and port of the gRPC listener under True, of the HTTP listener under False."""

    def begin(self, tally: Tally, origin: Origin, metadata: Metadata) -> CallSpan:
        """Begins a call's span, and makes it current in this task and in those it starts."""
        labels = tally.labels
        carrier = {key: str(value) for key, value in metadata if key in _CARRIED}
        parent = self._propagator.extract(carrier, Context()) if carrier else Context()
        fixed = self._attributes.get(labels)
        if fixed is None:
            fixed = self._attributes[labels] = self._fixed(labels)
        attributes = {**fixed, **_of_peer(origin.peer)}
        name = f"{labels.service}/{labels.method}"
        if origin.route is not None:
            attributes["http.request.method"], attributes["http.route"] = origin.route
            name = " ".join(origin.route)
        span = self._tracer.start_span(name, parent, SpanKind.SERVER, attributes)
        return CallSpan(span, attach(trace.set_span_in_context(span, parent)))

    def _fixed(self, labels: Labels) -> dict[str, Any]:
        found: dict[str, Any] = {
            "rpc.system": "connect_rpc" if labels.protocol == "connect" else "grpc",
            "rpc.service": labels.service,
            "rpc.method": labels.method,
            "diptych.protocol": labels.protocol,
            "network.transport": "tcp",
            "network.protocol.name": "http",
        }
        server = self.servers.get(labels.protocol == "grpc") or self.servers.get(False)
        if server is not None:
            found["server.address"], found["server.port"] = server
        return found

    def stop(self) -> None:
        """Exports what is left and shuts down; blocks for some seconds if the endpoint does not answer."""
        self._provider.shutdown()


class CallSpan:
    """The span of one call."""

    __slots__ = ("_span", "_token", "trace_id")

    def __init__(self, span: trace.Span, token: Token[Any]) -> None:
        self._span, self._token = span, token
        self.trace_id = f"{span.get_span_context().trace_id:032x}" if span.is_recording() else ""

    def caught(self, error: BaseException) -> None:
        """Records an unexpected exception as an event."""
        text = str(error)
        if text.isascii():
            self._span.record_exception(error)
            return
        # One text that is not Unicode would cost the whole batch of spans.
        lines = "".join(traceback.format_exception(error))
        shown = {"exception.message": _unicode(text), "exception.stacktrace": _unicode(lines)}
        self._span.record_exception(error, shown)

    def end(self, code: int, http_status: int) -> None:
        """Ends the span with the call's code and HTTP status."""
        span = self._span
        if span.is_recording():
            name = CODE_BY_NUMBER[code].name
            span.set_attribute("rpc.grpc.status_code", code)
            if http_status:
                span.set_attribute("http.response.status_code", http_status)
            if code in _FAULTS:
                span.set_attribute("error.type", name)
                span.set_status(Status(StatusCode.ERROR))
        span.end()
        with suppress(ValueError, RuntimeError):  # a stream may end in a different task than it began in
            self._token.var.reset(self._token)


def _unicode(text: str) -> str:
    """Returns a text with its lone surrogates escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def _of_peer(peer: str) -> dict[str, Any]:
    """Returns the client's address from gRPC's form of a peer, such as `ipv4:127.0.0.1:4711`."""
    kind, _, rest = peer.partition(":")
    host, _, port = unquote(rest).rpartition(":")
    host = host.strip("[]")
    if kind not in ("ipv4", "ipv6") or not port.isdigit():
        return {}
    return {"client.address": host, "network.peer.address": host, "network.peer.port": int(port)}


def _exporter(settings: TelemetrySettings) -> SpanExporter:
    endpoint = settings.otlp_endpoint or ""
    if settings.otlp_protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

        return Grpc(endpoint=endpoint, insecure=not endpoint.startswith("https://"), timeout=_EXPORT_SECONDS)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

    if urlsplit(endpoint).path in ("", "/"):
        endpoint = f"{endpoint.rstrip('/')}/v1/traces"
    return Http(endpoint=endpoint, timeout=_EXPORT_SECONDS)
