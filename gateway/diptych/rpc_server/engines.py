"""Selects the foreign server of the gRPC port: grpcio's, or pygrpc-native's, whose HTTP/2 runs outside the GIL.

It knows what each of them lacks, and nothing about calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from ..addresses import cannot_listen
from ..extras import need
from ..methods import Handler
from ..settings import Settings
from ..tls import CertificateReloader, Material


class EngineError(Exception):
    """The engine cannot do what the settings ask; the message says what to change."""


def check(settings: Settings) -> None:
    """Raises `EngineError` if the chosen engine does not support the settings."""
    if settings.engine == "builtin":
        return
    if settings.engine == "grpcio":
        _check_grpcio(settings)
        return
    if settings.max_connection_age_seconds is not None:
        raise EngineError(
            'grpc_engine "native" cannot limit the age of connections: unset max_connection_age_seconds, or set'
            ' grpc_engine to "builtin"'
        )
    need('grpc_engine = "native"', "pygrpc-native", "native", "pygrpc_native")
    if settings.tls_certificate is not None:
        raise EngineError(
            'grpc_engine "native" cannot serve TLS: set grpc_engine to "builtin", or end TLS before the gateway'
            " and unset tls_certificate and tls_key"
        )


def _check_grpcio(settings: Settings) -> None:
    """Rejects settings that core supports but grpcio's Python API does not expose."""
    if settings.tls_client_auth == "optional":
        raise EngineError(
            'grpc_engine "grpcio" cannot serve tls_client_auth "optional": set tls_client_auth to "required", or'
            ' grpc_engine to "builtin"'
        )
    if settings.tls_minimum == "1.3":
        raise EngineError(
            'grpc_engine "grpcio" cannot refuse TLS 1.2: set tls_minimum to "1.2", or grpc_engine to "builtin"'
        )


@dataclass(frozen=True, slots=True)
class Engine:
    """`make` creates a server from handlers, interceptors and grpcio's options; `context` wraps its contexts."""

    make: Callable[[Mapping[str, Handler], Sequence[Any], Sequence[tuple[str, Any]]], grpc.aio.Server]
    context: Callable[[Any], Any] | None = None


def engine(settings: Settings) -> Engine:
    """Returns the engine that the settings name."""
    if settings.engine == "native":
        from . import native  # an extra, which need not be installed

        return Engine(native.make, native.grpcio_context)
    return Engine(lambda _, interceptors, options: grpc.aio.server(interceptors=interceptors, options=options))


def connection_options(settings: Settings) -> list[tuple[str, int]]:
    """Returns grpcio's options of connections: which PINGs it sends and accepts, and how old a connection may become.

    By default core accepts a PING each five minutes, and one each two hours without a call; it ends connections whose
    clients ping more often, as many do at 10 seconds (https://github.com/grpc/grpc/blob/master/doc/keepalive.md).
    """
    options = [
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", _milliseconds(settings.grpcio_min_ping_seconds)),
    ]
    if settings.http2_ping_seconds is not None:
        interval = _milliseconds(settings.http2_ping_seconds)
        options += [("grpc.keepalive_time_ms", interval), ("grpc.keepalive_timeout_ms", interval)]
    for name, seconds in (
        ("grpc.max_connection_age_ms", settings.max_connection_age_seconds),
        ("grpc.max_connection_age_grace_ms", settings.max_connection_age_grace_seconds),
    ):
        if seconds is not None:
            options.append((name, _milliseconds(seconds)))
    return options


def _milliseconds(seconds: float) -> int:
    return min(round(seconds * 1000), 2**31 - 1)  # core reads 32 bits, whose maximum it takes for no limit


def bind(server: grpc.aio.Server, address: str, tls: CertificateReloader | None, *, required: bool) -> int:
    """Binds `server` to an address; returns the port. `required` rejects clients without a certificate.

    Raises OSError if the port is in use.
    """
    try:
        if tls is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, _credentials(tls, required=required))
    except RuntimeError:
        host, _, port = address.rpartition(":")
        raise cannot_listen("grpc", host.strip("[]"), int(port)) from None


def _credentials(tls: CertificateReloader, *, required: bool) -> grpc.ServerCredentials:
    current = tls.material

    def newer() -> Any:
        """Called by core before each handshake, in another thread; returns None for no change."""
        nonlocal current
        now = tls.material
        if now is current:
            return None
        current = now
        return _configuration(now)

    return grpc.dynamic_ssl_server_credentials(_configuration(current), newer, required)


def _configuration(material: Material) -> Any:
    return grpc.ssl_server_certificate_configuration([(material.key, material.certificate)], material.client_ca)
