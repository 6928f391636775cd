"""`diptych health`: asks a gateway at the address in the settings whether it is ready.

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
    """Returns whether /readyz (with `live`: /healthz) answers 200, and its text. Raises OSError."""
    scheme = "https" if settings.tls else "http"
    place = f"{scheme}://{_reachable(settings.http_host)}:{settings.http_port}/{'healthz' if live else 'readyz'}"
    try:
        status, text = ask(place, seconds)
    except OSError as error:
        raise _unreachable(place, str(error.strerror or error), "http") from None
    return status == 200, text


def grpc_health(settings: Settings, service: str, *, seconds: float, authority: Path | None) -> tuple[bool, str]:
    """Returns whether grpc.health.v1 reports SERVING for a service ("": all), and the status. Raises OSError."""
    listener = "http" if settings.single_port else "grpc"
    host, port = getattr(settings, f"{listener}_host"), getattr(settings, f"{listener}_port")
    place = f"{_reachable(host)}:{port}"
    if settings.tls is None:
        channel = grpc.insecure_channel(place)
    else:
        trusted = Path(authority or settings.tls[0]).read_bytes()
        channel = grpc.secure_channel(place, grpc.ssl_channel_credentials(trusted))
    with channel:
        try:
            stub: Any = health_pb2_grpc.HealthStub(channel)  # its type stubs lack the methods
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=seconds)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                raise _unreachable(f"grpc.health.v1 at {place}", error.details() or "", listener) from None
            raise OSError(f"grpc.health.v1 at {place}: {error.code().name}: {error.details()}") from None
    return answer.status == _SERVING, health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def _unreachable(place: str, why: str, listener: str) -> OSError:
    names = f"{listener}_host and {listener}_port"
    return OSError(f"cannot reach {place}: {why}; start the gateway, or set {names} to the address that it serves")


def _reachable(host: str) -> str:
    """Returns the host to connect to: a loopback address if the listener binds all addresses."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return f"[{host}]" if address.version == 6 else host
