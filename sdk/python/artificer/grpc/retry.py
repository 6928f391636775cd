"""How calls are retried and hedged, and gRPC's service config that says so. Makes no call."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc

from .safe import safe_methods

_SHORTEST_BACKOFF = 0.01  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Retries of safe methods by gRPC itself (gRFC A6). Raises ValueError for values that gRPC would refuse.

    A call is retried until its first message or its status has arrived, with the delay that the server names in
    `grpc-retry-pushback-ms` or else an exponential backoff. A server that is down is not asked again and again: after
    `throttle_tokens / 2` more failures than `1 / throttle_ratio` successes make up for, gRPC stops retrying.
    """

    attempts: int = 3
    """Most attempts of one call, the first included; gRPC allows 2 to 5."""
    initial_backoff: float = 0.2
    """Seconds before the first retry."""
    max_backoff: float = 5.0
    """Most seconds before a retry."""
    multiplier: float = 2.0
    """How much longer each backoff is than the one before."""
    codes: Collection[str] = ("UNAVAILABLE",)
    """The status codes that are retried."""
    methods: Collection[str] = field(default_factory=safe_methods)
    """The methods that are retried, as `package.Service/Method`, or `package.Service` for all of its methods."""
    throttle_tokens: int = 100
    throttle_ratio: float = 0.1
    buffer_bytes: int = 1024 * 1024
    """A call whose requests are larger is not retried, since gRPC keeps them until the server answers."""

    def __post_init__(self) -> None:
        if not 2 <= self.attempts <= 5:
            raise ValueError(f"attempts must be from 2 to 5, not {self.attempts}; `retry=None` turns retries off")
        # With delays of about a millisecond, core loses calls (grpc/grpc#41036).
        if not _SHORTEST_BACKOFF <= self.initial_backoff <= self.max_backoff or self.multiplier <= 0:
            raise ValueError(
                f"initial_backoff must be at least {_SHORTEST_BACKOFF} and at most max_backoff, and multiplier positive"
            )
        if not self.codes or (unknown := {*self.codes} - {code.name for code in grpc.StatusCode}):
            raise ValueError(f"codes must be names of status codes, not {sorted(unknown) if self.codes else 'empty'}")
        if not all(self.methods):
            raise ValueError("methods must not contain an empty name")
        if not 1 <= self.throttle_tokens <= 1000 or self.throttle_ratio <= 0:
            raise ValueError("throttle_tokens must be from 1 to 1000, and throttle_ratio positive")


def service_config(retry: RetryPolicy | None, *, load_balancing: str, health_service: str | None) -> str:
    """Returns the service config in JSON (grpc/service_config/service_config.proto)."""
    config: dict[str, Any] = {"loadBalancingConfig": [{load_balancing: {}}]}
    if health_service is not None:
        config["healthCheckConfig"] = {"serviceName": health_service}
    if retry is not None and retry.methods:
        config["methodConfig"] = [{"name": _names(retry.methods), "retryPolicy": _retry(retry)}]
        config["retryThrottling"] = {"maxTokens": retry.throttle_tokens, "tokenRatio": retry.throttle_ratio}
    return json.dumps(config)


def _retry(retry: RetryPolicy) -> Mapping[str, Any]:
    return {
        "maxAttempts": retry.attempts,
        "initialBackoff": f"{retry.initial_backoff:.3f}s",
        "maxBackoff": f"{retry.max_backoff:.3f}s",
        "backoffMultiplier": retry.multiplier,
        "retryableStatusCodes": sorted(retry.codes),
    }


def _names(methods: Collection[str]) -> list[Mapping[str, str]]:
    parts = [name.strip("/").partition("/") for name in sorted(methods)]
    return [{"service": service, "method": method} if method else {"service": service} for service, _, method in parts]
