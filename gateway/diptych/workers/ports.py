"""The ports that workers share, bound by the supervisor for as long as it lives.

HTTP: a socket for each worker, all in one SO_REUSEPORT group, so that the kernel spreads connections evenly, and what
it has queued for a worker outlives that worker. gRPC and metrics: sockets that only keep the port, since grpcio takes
no socket from outside. It knows no worker.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from ..addresses import cannot_listen
from .plan import Plan


@dataclass(slots=True)
class Ports:
    """Raises OSError from `bind` where somebody else has one of them."""

    http: list[socket.socket] = field(default_factory=list)
    kept: list[socket.socket] = field(default_factory=list)
    http_port: int = 0
    grpc_port: int | None = None
    metrics_port: int | None = None

    @classmethod
    def bind(cls, plan: Plan) -> Ports:
        """Bind what the plan asks for."""
        made = cls()
        try:
            first = _exclusive("http", plan.http_host, plan.http_port)
            made.http.append(first)
            made.http_port = first.getsockname()[1]
            made.http += [_shared(plan.http_host, made.http_port) for _ in range(plan.workers - 1)]
            if plan.grpc_port is not None:
                made.grpc_port = made._keep("grpc", plan.grpc_host, plan.grpc_port)
            if plan.metrics_port is not None:
                made.metrics_port = made._keep("telemetry.metrics", plan.metrics_host, plan.metrics_port)
        except BaseException:
            made.close()
            raise
        return made

    def _keep(self, setting: str, host: str, port: int) -> int:
        # It never listens, so that the kernel gives it no connection.
        kept = _exclusive(setting, host, port)
        self.kept.append(kept)
        bound: int = kept.getsockname()[1]
        return bound

    def close(self) -> None:
        """Let go of all of them."""
        for one in (*self.http, *self.kept):
            one.close()


def _exclusive(setting: str, host: str, port: int) -> socket.socket:
    """Bound as if nobody else might, and shared only then: SO_REUSEPORT alone would join whoever has the port."""
    made, address = _made(host, port)
    try:
        made.bind(address)
    except OSError as error:
        made.close()
        raise cannot_listen(setting, host, port, error) from None
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return made


def _shared(host: str, port: int) -> socket.socket:
    made, address = _made(host, port)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


def _made(host: str, port: int) -> tuple[socket.socket, tuple[str, int]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made, (str(address[0]), port)
