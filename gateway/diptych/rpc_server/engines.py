"""Which server speaks gRPC on its own port: grpcio's, or pygrpc-native's, whose HTTP/2 runs outside the GIL.

It knows what each of them lacks, and nothing of calls.
"""

from __future__ import annotations

import importlib.util
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from ..methods import Handler
from ..settings import Settings


class EngineError(Exception):
    """An engine that is not installed, or cannot do what the settings ask; says what to do."""


def check(settings: Settings) -> None:
    """Raises `EngineError` where the chosen engine cannot serve what the settings ask."""
    if settings.single_port or settings.grpc_engine != "native":
        return  # with a single port no engine is asked
    if importlib.util.find_spec("pygrpc_native") is None:
        raise EngineError('grpc_engine is "native", which is not installed: pip install "diptych[native]"')
    if settings.tls_certificate is not None:
        raise EngineError(
            'grpc_engine "native" speaks no TLS: choose "grpcio", or end TLS before the gateway and unset'
            " tls_certificate and tls_key"
        )


@dataclass(frozen=True, slots=True)
class Engine:
    """How a server is made, from handlers, interceptors and grpcio's options, and what is done to its contexts."""

    make: Callable[[Mapping[str, Handler], Sequence[Any], Sequence[tuple[str, Any]]], grpc.aio.Server]
    context: Callable[[Any], Any] | None = None


def engine(settings: Settings) -> Engine:
    """The engine the settings name."""
    if settings.grpc_engine == "native":
        from . import native  # an extra, which need not be installed

        return Engine(native.make, native.alike)
    return Engine(lambda _, interceptors, options: grpc.aio.server(interceptors=interceptors, options=options))


def bind(server: grpc.aio.Server, address: str, settings: Settings) -> int:
    """The port `server` listens on from its start. Raises OSError where it is taken, or a certificate is no good."""
    try:
        if settings.tls_certificate is None or settings.tls_key is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, _credentials(settings.tls_certificate, settings.tls_key))
    except RuntimeError:
        raise OSError(f"cannot listen on {address}: is the port taken?") from None


def _credentials(certificate: Path, key: Path) -> grpc.ServerCredentials:
    try:
        # grpcio tells nothing of what is wrong with them, only that it could not listen.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError as wrong:
        raise OSError(f"cannot use {certificate} with {key}: {wrong.strerror or wrong}") from None
    return grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
