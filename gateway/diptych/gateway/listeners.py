"""The ports of a gateway: HTTP's, gRPC's if it has its own, and the certificates of both.

It knows no lifespan and no call.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import grpc
from fastapi import FastAPI

from ..faces.rpc.grpc_only import GrpcOnly
from ..http_server import Faces, HttpListener, WholeDispatch
from ..rpc_server import RpcListener
from ..settings import Settings
from ..tls import CertificateReloader

__all__ = ["Listeners", "SharedSockets"]


class SharedSockets(NamedTuple):
    """Bound sockets that other processes hold too; `grpc` is None if the engine binds that port itself."""

    http: socket.socket
    grpc: socket.socket | None = None


class Listeners:
    """The listeners of one gateway. `tls` has the certificate; with `shared`, other processes have the ports too."""

    def __init__(
        self,
        app: FastAPI,
        faces: Faces,
        generic: Iterable[grpc.GenericRpcHandler],
        settings: Settings,
        tls: CertificateReloader | None,
        shared: SharedSockets | None,
    ) -> None:
        self._settings, self._session, self._shared = settings, faces.session, shared
        self._tls = tls
        self._http = HttpListener.of(app, settings, faces.errors, tls, WholeDispatch(app, faces, settings).door)
        self._rpc: HttpListener | RpcListener | None = None
        if settings.engine == "builtin":
            if not settings.single_port:
                grpc_only = GrpcOnly(faces.rpc, faces.session)
                self._rpc = HttpListener.of_grpc(grpc_only, settings, faces.errors, tls, faces.rpc.grpc_door)
                self._http.counted = self._rpc.counted = (self._http, self._rpc)
        else:
            self._rpc = RpcListener(faces.session.calls, generic, settings, tls, shared=shared is not None)

        for listener in (self._http, self._rpc):
            if isinstance(listener, HttpListener):
                recorder = faces.session.calls.recorder
                listener.count_refusals(recorder.refused, recorder.stalled)

    def __str__(self) -> str:
        """The addresses and the engine, in one line."""
        scheme = "https" if self._tls else "http"
        http, rpc = ("{}:{}".format(*address) for address in (self.http_address, self.grpc_address))
        return f"HTTP on {scheme}://{http}, gRPC on {rpc} ({self._settings.engine} engine)"

    async def start(self, state: Mapping[str, Any]) -> None:
        """Binds and serves; `state` is the lifespan's, for requests. Raises OSError if a port is in use."""
        http, rpc = self._shared or (None, None)
        try:
            if isinstance(self._rpc, HttpListener):
                await self._rpc.start(state, rpc)
            elif self._rpc is not None:
                await self._rpc.start()
            await self._http.start(state, http)
        except BaseException:
            if self._rpc is not None:
                await self._rpc.stop(0)
            await self._http.stop(0)
            raise
        if self._tls is not None:
            self._tls.start()

    @property
    def http_address(self) -> tuple[str, int]:
        """The host and bound port of the HTTP listener."""
        return self._settings.http_host, self._http.port

    @property
    def grpc_address(self) -> tuple[str, int]:
        """The host and bound port of gRPC: the HTTP listener's with a single port."""
        return self.http_address if self._rpc is None else (self._settings.grpc_host, self._rpc.port)

    def connections(self) -> Mapping[str, int]:
        """Returns the number of open connections of our own listeners, by protocol."""
        found = Counter(self._http.connections())
        if isinstance(self._rpc, HttpListener):
            found.update(self._rpc.connections())
        return found

    async def adopt_sockets(self, http: Sequence[socket.socket], rpc: Sequence[socket.socket]) -> None:
        """Accepts on these sockets too, instead of those adopted before; the caller still owns them."""
        await self._http.adopt_sockets(http)
        if isinstance(self._rpc, HttpListener):
            await self._rpc.adopt_sockets(rpc)

    async def reload_certificates(self) -> bool:
        """Checks the certificate's files now; returns whether new ones were loaded."""
        return self._tls is not None and await self._tls.look()

    async def stop_reloading(self) -> None:
        """Stops checking the certificate's files."""
        if self._tls is not None:
            await self._tls.stop()

    async def stop(self, grace: float) -> None:
        """Stops accepting, lets running requests finish within `grace` seconds, then cancels them."""
        with contextlib.ExitStack() as after:
            late = asyncio.get_running_loop().call_later(grace, setattr, self._session, "stopping", True)
            after.callback(late.cancel)
            await asyncio.gather(*(one.stop(grace) for one in (self._http, self._rpc) if one is not None))
