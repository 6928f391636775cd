"""`Gateway`: registration, the order of starting, and the two-stage stop. Both faces hang on it.

It knows no request: calls are `call`'s, HTTP is `http_server`'s, gRPC is `rpc_server`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import grpc
from fastapi import FastAPI

from .. import process

# Importing the rest takes as long as grpc and FastAPI together (bench/imports.py), so it waits for the first gateway.
if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from ..auth import Authenticator, Dependency
    from ..http_server import Faces, LifespanTask
    from ..methods import Handler, Method, MethodTable
    from ..readiness import Check, ServiceCheck
    from ..rules import Binding
    from ..settings import Settings
    from ..telemetry.exposition import Collector
    from .listeners import Listeners, SharedSockets
    from .served import Served

logger = logging.getLogger("diptych")

# How long the stop waits for cancelled calls to clean up, before the lifespan takes away what they use.
CLEAN_UP_SECONDS = 2.0

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]


class Gateway(grpc.aio.Server):
    """One process that serves the same servicers over gRPC and REST.

    It stands wherever grpcio's generated `add_XServicer_to_server(servicer, server)` expects a server.

    `interceptors` are plain `grpc.aio.ServerInterceptor`s; both faces run them in this order. `lifespan` is an async
    context manager as FastAPI takes it, entered before the first request of either face and left after the last.
    `readiness` are named checks that `/readyz` and grpc.health.v1 ask; a `ServiceCheck` says which services need it.
    `on_stop` are called once, when a stop begins to wait for running calls: there a servicer ends its endless
    streams, which would use up the grace. `authenticators` are asked who calls, before those that the settings name;
    with any at all, callers have to be known. `unbound="auto"` also maps methods that have no annotation to `POST
    /{package.Service}/{Method}`. `collectors` are prometheus-client's, for metrics of the services' own.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
        *,
        lifespan: Lifespan | None = None,
        readiness: Mapping[str, Check | ServiceCheck] | None = None,
        on_stop: Sequence[Callable[[], None]] = (),
        authenticators: Sequence[Authenticator] = (),
        unbound: Literal["none", "auto"] = "none",
        collectors: Sequence[Collector] = (),
    ) -> None:
        from .. import capacity
        from ..auth import Auth
        from ..http_server import make_app
        from ..limits import Limiting
        from ..methods import MethodTable
        from ..readiness import Readiness
        from ..settings import Settings
        from ..telemetry.setup import Telemetry

        self.settings = capacity.bounded(settings or Settings())
        self._interceptors = tuple(interceptors)
        self.limits = Limiting(self.settings, capacity.bytes_in_flight(self.settings))
        self._auth = Auth(self.settings, authenticators, self.limits.credential_failures)
        """What calls are held to, and what they hold of it just now."""
        self._lifespan = lifespan
        self._on_stop = tuple(on_stop)
        self._unbound = unbound == "auto"
        self._methods = MethodTable()
        self._served: Served | None = None
        self._readiness = Readiness(readiness or {}, self.settings.readiness)
        self._telemetry = Telemetry(self.settings.telemetry, [*collectors, *filter(None, [self._readiness])])
        self._document: dict[str, Any] | None = None
        self._life: LifespanTask | None = None
        self._state: Mapping[str, Any] = {}
        self._entering = asyncio.Lock()
        self._entered = False
        self._serving = False
        self._listeners: Listeners | None = None
        self._shared: SharedSockets | None = None
        self._handed_over = False
        self.worker_info: Mapping[str, int] | None = None
        """Which worker this is, and how many serve; `/readyz` shows it. None outside of a supervisor."""
        self._stopped: asyncio.Event | None = None
        self._stopping: asyncio.Task[None] | None = None
        known = self._auth.require() if self._auth.enabled else None
        self.app: FastAPI = make_app(
            settings=self.settings,
            faces=self._enter,
            document=self.openapi,
            ready=lambda: self._serving or self._handed_over,  # another worker serves in this one's place
            workers=lambda: self.worker_info,
            readiness=self._readiness,
            lifespan=self._asgi_lifespan,
            page=known,
        )
        """The HTTP face as a FastAPI application: add routes and middleware, mount it, or drive it without a port."""
        if (figures := self._telemetry.on_http) is not None:
            from ..telemetry.metrics_endpoint import add_page

            add_page(self.app, figures, None if self.settings.auth.metrics_public else known)

    # What grpcio's generated code calls. Either alone suffices; both are one registration.

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Handler]) -> None:
        """Register a service's handlers by method name. Raises `RegistrationError`."""
        self._refuse_late(service_name)
        self._methods.add_service(service_name, method_handlers)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Register generic handlers; one without a service name is served over gRPC only."""
        self._refuse_late("a generic handler")
        self._methods.add_generic(generic_rpc_handlers)

    def add_insecure_port(self, address: str) -> int:
        """Refused: where a gateway listens is a setting."""
        raise ValueError(f"cannot add {address}: a gateway listens where its settings' grpc_host and grpc_port say")

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        """Refused, as `add_insecure_port`."""
        return self.add_insecure_port(address)

    def _refuse_late(self, what: str) -> None:
        if self._served is not None:
            raise RuntimeError(f"{what} is registered after the gateway has started")

    # What is served.

    def bindings(self) -> list[tuple[Method, Binding]]:
        """Every binding of every registered method, in the order of the protos. Raises `RuleError`."""
        from ..rules import bindings

        return [
            (method, binding)
            for method in self._methods
            for binding in bindings(method.descriptor, unbound=self._unbound)
        ]

    @property
    def maps_unbound(self) -> bool:
        """Whether methods without an annotation are mapped too."""
        return self._unbound

    @property
    def methods(self) -> MethodTable:
        """The registered methods."""
        return self._methods

    def build(self) -> Faces:
        """Resolve everything a request needs, once. Raises `RuleError` where an annotation cannot be served."""
        return self._build().faces

    def _build(self) -> Served:
        if self._served is None:
            from .served import Served

            self._served = Served(
                self._methods,
                self.bindings(),
                self.settings,
                auth=self._auth,
                limits=self.limits,
                readiness=self._readiness,
                telemetry=self._telemetry,
                interceptors=self._interceptors,
            )
        return self._served

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document of everything on the HTTP face."""
        if self._document is None:
            from .. import openapi

            own = openapi.document(
                self.bindings(),
                settings=self.settings,
                security=self._auth.security_schemes,
                scopes=self._auth.scopes,
            )
            self._document = openapi.merge(own, FastAPI.openapi(self.app))
        return self._document

    def require(self, *, scopes: Iterable[str] = (), roles: Iterable[str] = ()) -> Dependency:
        """A FastAPI dependency for pages of your own: gives the caller, and lets in nobody unknown.

        The caller has to have all of `scopes`, and one of `roles`.
        """
        return self._auth.require(scopes, roles)

    def guarded(self, app: ASGIApp, *, scopes: Iterable[str] = (), roles: Iterable[str] = ()) -> ASGIApp:
        """An app to mount on `app`, let in to as `require` does it."""
        return self._auth.guarded(app, scopes, roles)

    # Starting.

    async def _enter(self) -> Faces:
        """Enter the lifespan, once, whoever comes first: a listener, ASGI's own lifespan, or a request."""
        async with self._entering:
            served = self._build()
            if not self._entered:
                self._telemetry.start()
                if self._lifespan is not None:
                    from ..http_server import LifespanTask

                    life = LifespanTask(self._lifespan(self.app))
                    self._state = await life.enter()
                    self._life = life
                self._entered = self._serving = True
                await served.standard.begin()
            return served.faces

    async def _leave(self) -> None:
        async with self._entering:
            if self._entered:
                self._entered = self._serving = False
                await self.build().session.calls.stragglers.wait(CLEAN_UP_SECONDS)
                await self._readiness.stop()
                if self._life is not None:
                    await self._life.leave()
                await self._telemetry.stop()
                await self._auth.close()
                await self.limits.close()
            if self._served is not None:
                self._served.threads.shutdown(wait=False, cancel_futures=True)

    @contextlib.asynccontextmanager
    async def _asgi_lifespan(self, _: FastAPI) -> AsyncIterator[Any]:
        await self._enter()
        try:
            yield self._state or None
        finally:
            await self._leave()

    async def start(self) -> None:
        """Bind the ports and serve. Raises OSError where a port is taken, `RuleError` where a contract is wrong."""
        from ..rpc_server import check
        from ..tls import CertificateReloader
        from .listeners import Listeners

        if self._listeners is not None:
            raise RuntimeError("the gateway is started already")
        check(self.settings)
        self._auth.check_reachable()
        tls = CertificateReloader(self.settings) if self.settings.tls else None
        faces = await self._enter()
        listeners = Listeners(self.app, faces, self._methods.generic, self.settings, tls, self._shared)
        try:
            await listeners.start(self._state)
        except BaseException:
            await self._leave()
            raise
        self._stopped, self._listeners = asyncio.Event(), listeners
        self._telemetry.runtime.connections = listeners.connections
        rpc = None if self.settings.single_port else listeners.grpc_address
        self._telemetry.listening(http=listeners.http_address, rpc=rpc)

    async def reload_certificates(self) -> bool:
        """Look at the certificate's files now, as SIGHUP does; returns whether new connections get new ones."""
        return self._listeners is not None and await self._listeners.reload_certificates()

    def share(self, http: socket.socket, rpc: socket.socket | None = None) -> None:
        """Before `start`: accept on bound sockets that other processes hold too.

        Without `rpc` the gRPC port, where an engine binds it by itself, is shared by SO_REUSEPORT.
        """
        from .listeners import SharedSockets

        self._shared = SharedSockets(http, rpc)

    async def adopt_sockets(self, http: Sequence[socket.socket], rpc: Sequence[socket.socket] = ()) -> None:
        """Accept on these as well, whose own processes are gone; on none of them with empty lists."""
        if self._listeners is not None:
            await self._listeners.adopt_sockets(http, rpc)

    @property
    def http_port(self) -> int:
        """The port the HTTP listener is bound to."""
        return self._started().http_address[1]

    @property
    def grpc_port(self) -> int:
        """The port gRPC is served on: the HTTP listener's where that is the only one."""
        return self._started().grpc_address[1]

    def _started(self) -> Listeners:
        if self._listeners is None:
            raise RuntimeError("the gateway is not started")
        return self._listeners

    @property
    def metrics_port(self) -> int | None:
        """The bound port of the metrics' own listener, where the settings ask for one and the gateway is started."""
        return self._telemetry.port

    # Stopping.

    async def stop(self, grace: float | None = None) -> None:
        """Stop in two stages: take nothing new, then, after `grace` seconds, cancel what still runs.

        Readiness is false from the first moment. `grace` None means the settings' `grace_seconds`.
        """
        self._serving = False
        if self._stopping is None:
            seconds = self.settings.grace_seconds if grace is None else grace
            self._stopping = asyncio.ensure_future(self._stop(seconds))
        await asyncio.shield(self._stopping)

    async def hand_over(self) -> None:
        """Stop as one whose place another process has taken: readiness stays, and no load balancer is waited for."""
        self._handed_over = True
        await self.stop()

    async def _stop(self, grace: float) -> None:
        listeners = self._listeners
        if listeners is not None:
            await listeners.stop_reloading()
            await self._build().standard.shutdown()
            if self.settings.drain_seconds and not self._handed_over:
                await self._drain()
            self._tell_services()
            await listeners.stop(grace)
        await self._leave()
        if self._stopped is not None:
            self._stopped.set()

    async def _drain(self) -> None:
        """Go on accepting for as long as load balancers need to find out."""
        await asyncio.sleep(self.settings.drain_seconds)

    def _tell_services(self) -> None:
        for told in self._on_stop:
            try:
                told()
            except Exception:
                logger.exception("a service failed to end its streams; the stop goes on")

    async def wait_for_termination(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109, grpc.aio.Server's own
        """Returns when the gateway has stopped, or after `timeout` seconds; true where it still runs, as grpcio's."""
        if self._stopped is None:
            raise RuntimeError("the gateway is not started")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._stopped.wait()
        return not self._stopped.is_set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def run(self, started: Callable[[], None] | None = None, stopping: Callable[[], None] | None = None) -> None:
        """Serve until SIGTERM or SIGINT, then stop within the grace; a second signal exits at once.

        `started` is called on the event loop once both faces are served, `stopping` when nothing new is accepted.
        """
        if stopping is not None:
            self._on_stop = (*self._on_stop, stopping)

        from ..settings import MIB

        def serving() -> None:
            logger.info("%s", self._started())
            logger.info(
                "at most %d connections and %d MiB of requests at once",
                self.settings.max_connections,
                (self.limits.caps.most_bytes or 0) // MIB,
            )
            if started is not None:
                started()

        process.run(self, serving, certificates=self.settings.tls is not None)
