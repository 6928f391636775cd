"""The ports that workers share, bound by the supervisor while it runs.

HTTP, and gRPC by the builtin engine: a socket for each worker, in one SO_REUSEPORT group for each port, so that the
kernel spreads connections evenly, and connections queued for a worker survive it. Metrics, and gRPC by other engines:
sockets that only reserve the port, since grpcio cannot use an existing socket. It knows no worker.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from ..addresses import cannot_listen
from .plan import Plan


@dataclass(slots=True)
class Ports:
    """The bound sockets. `bind` raises OSError if a port is in use."""

    http: list[socket.socket] = field(default_factory=list)
    grpc: list[socket.socket] = field(default_factory=list)
    """One for each worker, or none if the engine binds the port itself."""
    kept: list[socket.socket] = field(default_factory=list)
    http_port: int = 0
    grpc_port: int | None = None
    metrics_port: int | None = None

    @classmethod
    def bind(cls, plan: Plan) -> Ports:
        """Binds the ports of a plan."""
        ports = cls()
        try:
            ports.http_port = _group(ports.http, "http", plan.http_host, plan.http_port, plan.workers)
            if plan.grpc_port is not None and plan.engine == "builtin":
                ports.grpc_port = _group(ports.grpc, "grpc", plan.grpc_host, plan.grpc_port, plan.workers)
            elif plan.grpc_port is not None:
                ports.grpc_port = ports._keep("grpc", plan.grpc_host, plan.grpc_port)
            if plan.metrics_port is not None:
                ports.metrics_port = ports._keep("telemetry.metrics", plan.metrics_host, plan.metrics_port)
        except BaseException:
            ports.close()
            raise
        return ports

    def _keep(self, setting: str, host: str, port: int) -> int:
        # It never listens, so it gets no connections.
        kept = _exclusive(setting, host, port)
        self.kept.append(kept)
        bound: int = kept.getsockname()[1]
        return bound

    def of(self, index: int) -> tuple[socket.socket, ...]:
        """Returns the sockets of one slot: HTTP's, and gRPC's if there is one."""
        return (self.http[index], *self.grpc[index : index + 1])

    def close(self) -> None:
        """Closes all sockets."""
        for one in (*self.http, *self.grpc, *self.kept):
            one.close()


def _group(into: list[socket.socket], setting: str, host: str, port: int, number: int) -> int:
    """Binds `number` sockets to one port; returns the port. Raises OSError if it is in use."""
    first = _exclusive(setting, host, port)
    into.append(first)
    bound: int = first.getsockname()[1]
    into.extend(_shared(host, bound) for _ in range(number - 1))
    return bound


def _exclusive(setting: str, host: str, port: int) -> socket.socket:
    """Binds exclusively and then allows sharing: SO_REUSEPORT from the start would join another program's port."""
    bound, address = _socket(host, port)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise cannot_listen(setting, host, port, error) from None
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return bound


def _shared(host: str, port: int) -> socket.socket:
    bound, address = _socket(host, port)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def _socket(host: str, port: int) -> tuple[socket.socket, tuple[str, int]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    new = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sets TCP_NODELAY only then
    new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return new, (str(address[0]), port)
