"""gRPC channels for Python services: pooled, with retries, time-outs, credentials and health.

`Channel` and `AsyncChannel` are used as `grpc.Channel` and `grpc.aio.Channel`, with the generated stubs of any service.
"""

from __future__ import annotations

from .aio_channel import AsyncChannel
from .credentials import Credentials
from .health import AsyncHealth, Health, HealthStatus
from .hedging import HedgingPolicy
from .options import ChannelOptions
from .retry import RetryPolicy
from .safe import safe_methods
from .sync_channel import Channel
from .tls_errors import connection_problem

__all__ = [
    "AsyncChannel",
    "AsyncHealth",
    "Channel",
    "ChannelOptions",
    "Credentials",
    "Health",
    "HealthStatus",
    "HedgingPolicy",
    "RetryPolicy",
    "connection_problem",
    "safe_methods",
]
