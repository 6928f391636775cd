"""The frozen settings of a gateway.

It reads no environment and no file; `cli` does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from .auth import AuthSettings
from .http_rules import HttpRulesSettings
from .limits import LimitsSettings
from .listening import Listed, ListeningSettings, Origins
from .readiness import ReadinessSettings
from .table import Need
from .telemetry import TelemetrySettings
from .tls import TlsSettings
from .workers import WorkersSettings

DialectName = Literal["google", "status", "problem"]

MIB = 1024 * 1024

NEVER = sys.maxsize
"""A size that no body has."""

_ALL = frozenset(("", "0.0.0.0", "::"))


class Settings(TlsSettings, ListeningSettings, HttpRulesSettings, WorkersSettings):
    """All settings of a gateway. Constructed in code, it reads no environment variable and no file."""

    NEEDS: ClassVar[tuple[Need, ...]] = (
        Need("cors_credentials", "cors_origins", "cors_origins"),
        Need("cors_expose_headers", "cors_origins", "cors_origins"),
    )

    http_host: str = "127.0.0.1"
    """Address the HTTP listener binds."""
    http_port: int = Field(default=8080, ge=0, le=65535)
    """Port of the HTTP listener; 0 means any."""
    grpc_host: str = "127.0.0.1"
    """Address the gRPC listener binds."""
    grpc_port: int = Field(default=50051, ge=0, le=65535)
    """Port of the gRPC listener; 0 means any."""
    grpc_engine: Literal["builtin", "grpcio", "native"] = "builtin"
    """The server of the gRPC port: the gateway's own HTTP/2, grpcio, or pygrpc-native (needs the extra `native`)."""
    single_port: bool = False
    """Serves gRPC on the HTTP port, over HTTP/2, instead of on a separate port."""
    http2_max_streams: int = Field(default=1000, gt=0)
    """Maximum concurrent streams on one HTTP/2 connection (SETTINGS_MAX_CONCURRENT_STREAMS)."""
    http2_ping_seconds: float | None = Field(default=None, gt=0)
    """Sends an HTTP/2 PING after this long without a frame from the client, and closes the connection when no answer
    arrives within the same time. None sends no PING."""
    grpcio_min_ping_seconds: float = Field(default=0.0, ge=0)
    """How often clients may send PINGs to `grpc_engine = "grpcio"`. It ends a connection after the third that comes
    earlier, with ENHANCE_YOUR_CALM and "too_many_pings". 0 accepts any interval."""

    grace_seconds: float = Field(default=30.0, ge=0)
    """How long running calls may continue after SIGTERM before they are cancelled."""
    drain_seconds: float = Field(default=0.0, ge=0)
    """How long both listeners keep accepting after readiness turns false, so that polling load balancers notice."""
    max_deadline_seconds: float | None = Field(default=None, gt=0)
    """Upper bound on every call's deadline, and the deadline of calls that set none. None sets no bound."""

    max_body_bytes: int = Field(default=16 * MIB, gt=0)
    """Largest request on either port, in bytes, after decompression."""
    method_max_body_bytes: Mapping[str, int] = Field(default_factory=dict)
    """Overrides of `max_body_bytes` by method, `/{package.Service}/{Method}`."""
    max_nesting_depth: int = Field(default=64, gt=0, le=100)
    """Deepest nesting of objects and arrays in a JSON body, and of names with dots; protobuf's own limit is 100."""
    max_elements: int = Field(default=1_000_000, gt=0)
    """Maximum number of values in one JSON body, and of parameters in one query."""

    unknown_fields: Literal["strict", "warn", "ignore"] = "strict"
    """What unknown query parameters and body fields cause: a 400 (`strict`), a response header that lists them
    (`warn`), or nothing (`ignore`, which also passes over unknown names of enum values)."""
    json_in_forms: bool = False
    """Reads a body that begins as a JSON object as JSON although it is declared as
    `application/x-www-form-urlencoded`, as `curl -d` does without `-H 'content-type: application/json'`; otherwise it
    gets 415."""
    emit_defaults: bool = True
    """Includes fields without presence in responses even when they have their default value."""
    preserve_names: bool = False
    """Writes proto field names in responses instead of lowerCamelCase."""
    enums_as_ints: bool = False
    """Writes enum values in responses as numbers instead of names."""
    compress: bool = True
    """Compresses answers of REST and Connect for clients that accept it; streams of REST message by message."""
    compress_min_bytes: int = Field(default=1024, ge=0)
    """The least bytes of an answer that is compressed. Smaller ones fit into one packet either way."""
    error_dialect: DialectName = "google"
    """The form of error bodies: AIP-193, a bare google.rpc.Status, or RFC 9457."""

    metadata_allow: Listed | None = None
    """Request headers that become metadata. None: all except the reserved ones."""
    metadata_deny: Listed = ()
    """Request headers that never become metadata."""

    cors_origins: Origins = ()
    """Origins whose pages may call from browsers, such as `https://example.com`; `*` allows any, without cookies."""
    cors_credentials: bool = False
    """Allows those pages to send cookies and HTTP authentication; `cors_origins` must not be `*` then."""
    cors_expose_headers: Listed = ()
    """Response metadata that those pages may read, in addition to the protocols' own headers; trailing metadata is
    named with the prefix `trailer-`."""

    sse_heartbeat_seconds: float = Field(default=15.0, gt=0)
    """How long an event stream may be idle before a comment is sent to keep it open."""
    stream_heartbeat_seconds: float | None = Field(default=30.0, gt=0)
    """How long a JSON array or NDJSON stream may be idle before a line break is sent to keep it open, since proxies cut
    silent responses, most after 60 seconds. None sends none, for clients that cannot read an empty line of NDJSON."""
    sse_retry_seconds: float | None = Field(default=3.0, ge=0)
    """How long a client of an event stream waits before it reconnects, sent in the first event as `retry`. None: the
    client's own time, which is 3 or 5 seconds in browsers."""
    websocket_ping_seconds: float = Field(default=20.0, gt=0)
    """How often a WebSocket client is pinged; the connection is closed when no answer arrives within the same time."""
    threads: int = Field(default=16, gt=0)
    """Threads that run servicers written as plain `def`, shared by all protocols."""
    blocking_seconds: float = Field(default=1.0, ge=0)
    """How long a servicer written as `async def` may block the event loop before the log names it, at most once a
    minute for each method. 0: the event loop is not watched."""
    debug: bool = False
    """Sends the text of unexpected exceptions to clients. Never in production."""
    docs: bool = True
    """Serves /docs and /openapi.json."""
    reflection: bool = True
    """Serves grpc.reflection.v1."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe level that is logged."""
    title: str = ""
    """The API's title in /docs and in the OpenAPI document. Empty: the service's name if one service has REST routes,
    else "Diptych"."""
    api_version: str = ""
    """The API's version in the OpenAPI document. Empty: the version of the `diptych` package."""

    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings)
    """Metrics, logs and traces."""

    auth: AuthSettings = Field(default_factory=AuthSettings)
    """Who may call: API keys, tokens and client certificates, and the scopes and roles that methods require."""
    limits: LimitsSettings = Field(default_factory=LimitsSettings)
    """Rate limits, concurrency limits and caps for the process."""
    readiness: ReadinessSettings = Field(default_factory=ReadinessSettings)
    """How readiness checks run."""
    services: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict, repr=False)
    """The services' own settings, one table per service; the library does not read them."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.cors_credentials and "*" in self.cors_origins:
            raise ValueError("cors_credentials needs each origin listed in cors_origins, not '*'")
        for (one, host, port), (other, beside, same) in combinations(self._listeners(), 2):
            if port == same != 0 and (host == beside or not _ALL.isdisjoint((host, beside))):
                either = ", or single_port = true to serve both on one port" if other == "grpc_port" else ""
                raise ValueError(f"{one} and {other} are both {port}; set another port for one of them{either}")
        return self

    def _listeners(self) -> Iterator[tuple[str, str, int]]:
        yield "http_port", self.http_host, self.http_port
        if not self.single_port:
            yield "grpc_port", self.grpc_host, self.grpc_port
        if self.telemetry.metrics and self.telemetry.metrics_port is not None:
            yield "telemetry.metrics_port", self.telemetry.metrics_host, self.telemetry.metrics_port

    def body_limit(self, method: str) -> int:
        """Returns the largest request to `method`, in bytes; `method` is `/{package.Service}/{Method}`."""
        return self.method_max_body_bytes.get(method, self.max_body_bytes)

    @property
    def compress_from(self) -> int:
        """The least bytes of an answer that is compressed; `NEVER` for none. A body without bytes never is."""
        return max(1, self.compress_min_bytes) if self.compress else NEVER

    @property
    def engine(self) -> str:
        """The engine that serves gRPC: always "builtin" on the single port."""
        return "builtin" if self.single_port else self.grpc_engine

    @property
    def largest_body(self) -> int:
        """The largest request that any method accepts, in bytes."""
        return max(self.max_body_bytes, *self.method_max_body_bytes.values(), 0)
