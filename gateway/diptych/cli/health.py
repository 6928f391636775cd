"""`diptych health`: whether a gateway takes calls, asked where the settings say that it listens.

It starts nothing and imports no application.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ..probe import ask
from ..settings import Settings

_SERVING = health_pb2.HealthCheckResponse.SERVING


def health(settings: Settings, *, live: bool, seconds: float) -> tuple[bool, str]:
    """Whether HTTP says that it is ready, or with `live` alive, and what it says. Raises OSError."""
    scheme = "https" if settings.tls else "http"
    place = f"{scheme}://{_reachable(settings.http_host)}:{settings.http_port}/{'healthz' if live else 'readyz'}"
    status, text = ask(place, seconds)
    return status == 200, text


def grpc_health(settings: Settings, service: str, *, seconds: float, authority: Path | None) -> tuple[bool, str]:
    """Whether grpc.health.v1 says SERVING of a service, or of all with "", and what it says. Raises OSError."""
    port = settings.http_port if settings.single_port else settings.grpc_port
    place = f"{_reachable(settings.http_host if settings.single_port else settings.grpc_host)}:{port}"
    if settings.tls is None:
        channel = grpc.insecure_channel(place)
    else:
        trusted = Path(authority or settings.tls[0]).read_bytes()
        channel = grpc.secure_channel(place, grpc.ssl_channel_credentials(trusted))
    with channel:
        try:
            stub: Any = health_pb2_grpc.HealthStub(channel)  # its types know no method
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=seconds)
        except grpc.RpcError as error:
            raise OSError(f"grpc.health.v1 at {place}: {error.code().name}: {error.details()}") from None
    return answer.status == _SERVING, health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def _reachable(host: str) -> str:
    """Where one who listens at `host` is met: an address that means all is the loopback's."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return f"[{host}]" if address.version == 6 else host
