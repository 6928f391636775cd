"""The options of a channel, as one frozen value, and the environment variables that complete it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .._target import Target
from .credentials import Credentials
from .hedging import HedgingPolicy
from .retry import RetryPolicy, service_config

__all__ = ["DEFAULT_TARGET", "ChannelOptions"]

DEFAULT_TARGET = "127.0.0.1:50051"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelOptions:
    """The options of a channel. Raises ValueError for unusable ones."""

    credentials: Credentials = field(default_factory=Credentials)
    timeout: float | None = 60.0
    """Seconds until a call with one response ends with DEADLINE_EXCEEDED if it sets no time-out. None means never.
    Calls with a stream of responses have no default."""
    retry: RetryPolicy | None = field(default_factory=RetryPolicy)
    """None retries no call."""
    hedging: HedgingPolicy | None = None
    """Sends slow calls of safe methods to another connection too, and takes the first answer."""
    wait_for_ready: bool | None = None
    """Whether calls wait for a connection until their time-out, instead of failing when there is none."""
    metadata: Sequence[tuple[str, str | bytes]] = ()
    """Metadata of every call. A call that has a key itself does not get it from here."""
    user_agent: str = ""
    """The name and version of the application, `shop/1.2`; it comes before the names of this client and of gRPC."""
    max_connections: int = 8
    """Most connections. A further one is opened when each has `streams_per_connection` calls."""
    streams_per_connection: int = 100
    """Calls at once on a connection before another is opened; many servers allow no more than 100."""
    load_balancing: Literal["round_robin", "pick_first"] = "round_robin"
    """How a connection divides calls among the addresses of a target."""
    health_service: str | None = None
    """Calls go only to addresses on which this service is SERVING, by grpc.health.v1; "" is the whole server.
    Requires `round_robin`."""
    keepalive_seconds: float | None = 30.0
    """Seconds without a frame, during a call, until a PING asks whether the server is there; None sends none."""
    keepalive_timeout_seconds: float = 10.0
    """Seconds that the answer to a PING may take."""
    max_reconnect_seconds: float = 5.0
    """Most seconds between two attempts to connect."""
    max_receive_bytes: int = -1
    """Largest response; -1 sets no limit. gRPC's own default is 4 MiB."""
    max_send_bytes: int = -1
    """Largest request; -1 sets no limit."""
    grpc_options: Sequence[tuple[str, Any]] = ()
    """More of gRPC's channel arguments; they win over the options above."""
    interceptors: Sequence[Any] = ()
    """Interceptors of gRPC, for `AsyncChannel` only. `grpc.intercept_channel` adds them to a `Channel`."""

    def __post_init__(self) -> None:
        if self.timeout is not None and self.timeout <= 0:
            raise ValueError(f"timeout must be positive or None, not {self.timeout}")
        if self.max_connections < 1 or self.streams_per_connection < 1:
            raise ValueError("max_connections and streams_per_connection must be at least 1")
        if self.health_service is not None and self.load_balancing != "round_robin":
            raise ValueError("health_service requires load_balancing='round_robin'")

    def arguments(self, target: Target, index: int) -> list[tuple[str, Any]]:
        """Returns gRPC's arguments for the connection with this number."""
        from importlib.metadata import version

        # Most servers listen on one of the addresses of localhost; round robin would report the other's error.
        one = target.is_localhost and self.health_service is None
        policy = "pick_first" if one else self.load_balancing
        config = service_config(self.retry, load_balancing=policy, health_service=self.health_service)
        agents = filter(None, (self.user_agent, f"artificer-python/{version('artificer')}"))
        arguments: dict[str, Any] = {
            "grpc.service_config": config,
            "grpc.primary_user_agent": " ".join(agents),
            "grpc.max_receive_message_length": self.max_receive_bytes,
            "grpc.max_send_message_length": self.max_send_bytes,
            "grpc.max_reconnect_backoff_ms": _millis(self.max_reconnect_seconds),
            # A second connection to the same address would otherwise be the first one.
            "grpc.use_local_subchannel_pool": 1,
            "artificer.connection": index,
            # TXT records of the target must not replace the service config.
            "grpc.service_config_disable_resolution": 1,
        }
        if self.retry is not None:
            arguments["grpc.per_rpc_retry_buffer_size"] = self.retry.buffer_bytes
        if self.keepalive_seconds is not None:
            arguments["grpc.keepalive_time_ms"] = _millis(self.keepalive_seconds)
            arguments["grpc.keepalive_timeout_ms"] = _millis(self.keepalive_timeout_seconds)
        if target.is_local:
            # A variable such as http_proxy would otherwise send calls to this machine through a proxy.
            arguments["grpc.enable_http_proxy"] = 0
        if target.authority is not None:
            arguments["grpc.default_authority"] = self.credentials.server_name or target.authority
        if self.credentials.server_name:
            arguments["grpc.ssl_target_name_override"] = self.credentials.server_name
        arguments.update(self.grpc_options)
        return [*arguments.items()]

    def completed(self, environment: Mapping[str, str] = os.environ) -> ChannelOptions:
        """Returns the options with the key or token of the environment, if they have none."""
        own = self.credentials
        if own.api_key or own.token:
            return self
        key, token = environment.get("ARTIFICER_API_KEY", ""), environment.get("ARTIFICER_TOKEN", "")
        if key and token:
            raise ValueError("ARTIFICER_API_KEY and ARTIFICER_TOKEN exclude each other: set only one of them")
        return replace(self, credentials=replace(own, api_key=key, token=token)) if key or token else self


def _millis(seconds: float) -> int:
    return round(seconds * 1000)
