"""The one frozen value that configures a gateway.

It reads no environment and no file: only the edge does that (`cli`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from .auth import AuthSettings
from .limits import LimitsSettings
from .listening import Listed, ListeningSettings
from .readiness import ReadinessSettings
from .telemetry import TelemetrySettings
from .tls import TlsSettings
from .workers import WorkersSettings

DialectName = Literal["google", "status", "problem"]

MIB = 1024 * 1024


class Settings(TlsSettings, ListeningSettings, WorkersSettings):
    """Everything about a gateway that is not code. In code it reads no environment."""

    http_host: str = "127.0.0.1"
    """Address the HTTP listener binds."""
    http_port: int = Field(default=8080, ge=0, le=65535)
    """Port of the HTTP listener; 0 means any."""
    grpc_host: str = "127.0.0.1"
    """Address the gRPC listener binds."""
    grpc_port: int = Field(default=50051, ge=0, le=65535)
    """Port of the gRPC listener; 0 means any."""
    grpc_engine: Literal["builtin", "grpcio", "native"] = "builtin"
    """What serves gRPC on its own port: the gateway's own HTTP/2, grpcio, or pygrpc-native, which is an extra."""
    single_port: bool = False
    """Serves gRPC on the HTTP port, over HTTP/2, instead of on a port of its own."""
    http2_max_streams: int = Field(default=1000, gt=0)
    """Requests at once on one HTTP/2 connection."""
    http2_ping_seconds: float | None = Field(default=None, gt=0)
    """After how long a silence an HTTP/2 client is asked for a sign of life, for as long again; None asks never."""

    grace_seconds: float = Field(default=30.0, ge=0)
    """How long running calls may go on after SIGTERM before they are cancelled."""
    drain_seconds: float = Field(default=0.0, ge=0)
    """How long both listeners go on accepting after readiness turned false, for load balancers that poll it."""
    max_deadline_seconds: float | None = Field(default=None, gt=0)
    """The longest any call may take, and the deadline of calls that name none; None leaves it to the client."""

    max_body_bytes: int = Field(default=16 * MIB, gt=0)
    """Largest request on either face, in bytes, after decompression."""
    method_max_body_bytes: Mapping[str, int] = Field(default_factory=dict)
    """Limits of single methods, by `/{package.Service}/{Method}`, instead of `max_body_bytes`."""
    max_nesting_depth: int = Field(default=64, gt=0, le=100)
    """Deepest nesting of objects and arrays in a JSON body; protobuf itself stops at 100."""
    max_elements: int = Field(default=1_000_000, gt=0)
    """Most values in one JSON body, and most parameters in one query."""

    unknown_fields: Literal["strict", "warn", "ignore"] = "strict"
    """Unknown query parameters and body fields: refused with 400, served and listed in a header, or passed over."""
    emit_defaults: bool = True
    """Fields without presence go out even when they are zero."""
    preserve_names: bool = False
    """Fields go out under their proto names instead of lowerCamelCase."""
    enums_as_ints: bool = False
    """Enum values go out as numbers instead of names."""
    error_dialect: DialectName = "google"
    """The form of error bodies: AIP-193, a bare google.rpc.Status, or RFC 9457."""

    metadata_allow: Listed | None = None
    """Request headers that become metadata; None lets all but the reserved ones through."""
    metadata_deny: Listed = ()
    """Request headers that never become metadata."""

    cors_origins: Listed = ()
    """Origins whose pages may call from browsers, such as `https://example.com`; `*` is any, without its cookies."""
    cors_credentials: bool = False
    """Lets those pages' calls carry cookies and HTTP authentication; the origins are named then, not `*`."""
    cors_expose_headers: Listed = ()
    """Metadata that those pages may read, beside the protocols' own headers: initial, and `trailer-` names as well."""

    sse_heartbeat_seconds: float = Field(default=15.0, gt=0)
    """How long an event stream may be silent before a comment is sent."""
    websocket_ping_seconds: float = Field(default=20.0, gt=0)
    """How often a WebSocket's client is pinged; one that has not answered after as long again is gone."""
    threads: int = Field(default=16, gt=0)
    """Threads that run servicers written as plain `def`, shared by both faces."""
    debug: bool = False
    """Sends the text of unexpected exceptions to clients. Never in production."""
    docs: bool = True
    """Serves /docs and /openapi.json."""
    reflection: bool = True
    """Serves grpc.reflection.v1."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe log line that is written."""
    title: str = "Diptych"
    """The API's title in the OpenAPI document."""
    api_version: str = ""
    """The API's version in the OpenAPI document; the version of the `diptych` package unless it is set."""

    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings)
    """Metrics, logs and traces."""

    auth: AuthSettings = Field(default_factory=AuthSettings)
    """Who may call: API keys, tokens and client certificates, and what each method asks."""
    limits: LimitsSettings = Field(default_factory=LimitsSettings)
    """How often and how much at once may be called."""
    readiness: ReadinessSettings = Field(default_factory=ReadinessSettings)
    """How the checks of readiness are asked."""
    services: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    """What the services themselves take, a table a service; the library passes it on unread."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.cors_credentials and "*" in self.cors_origins:
            raise ValueError("cors_credentials needs cors_origins named one by one, not *")
        return self

    def body_limit(self, method: str) -> int:
        """The largest request `method` takes, in bytes; `method` is `/{package.Service}/{Method}`."""
        return self.method_max_body_bytes.get(method, self.max_body_bytes)

    @property
    def engine(self) -> str:
        """What serves gRPC; the single port has the gateway's own HTTP/2 whichever engine is chosen."""
        return "builtin" if self.single_port else self.grpc_engine

    @property
    def largest_body(self) -> int:
        """The largest request that any method takes, in bytes."""
        return max(self.max_body_bytes, *self.method_max_body_bytes.values(), 0)
