"""`Gateway`: registration, and the construction of what it serves.

It knows no request: `http_server`, `rpc_server`, the faces and `call` handle those. `lifecycle` starts and stops it.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    from ..http_server import Faces
    from ..methods import Handler, Method, MethodTable
    from ..readiness import Check, ServiceCheck
    from ..rules import Binding, RuleBook
    from ..settings import Settings
    from ..telemetry.exposition import Collector
    from .listeners import Listeners
    from .served import Served

logger = logging.getLogger("diptych")

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]


class Gateway(grpc.aio.Server):
    """One process that serves the same servicers over gRPC and REST.

    Pass it as the server to grpcio's generated `add_XServicer_to_server(servicer, server)`.

    `interceptors` are plain `grpc.aio.ServerInterceptor`s; both faces run them in this order. `lifespan` is an async
    context manager as in FastAPI, entered before the first request of either face and left after the last.
    `readiness` are named checks for `/readyz` and grpc.health.v1; a `ServiceCheck` names the services that depend on
    it. `on_stop` callbacks run once, when a stop begins to wait for running calls: a servicer ends its endless streams
    there, which would use up the grace period. `authenticators` run before those of the settings; with any at all,
    callers must be authenticated. `unbound="auto"` also maps methods without an annotation to `POST
    /{package.Service}/{Method}`. `collectors` are prometheus-client's, for the services' own metrics.
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
        from .lifecycle import Lifecycle

        self.settings = capacity.bounded(settings or Settings())
        self._interceptors = tuple(interceptors)
        self.limits = Limiting(self.settings, capacity.bytes_in_flight(self.settings))
        """The limits of calls, and their current use."""
        self._auth = Auth(self.settings, authenticators, self.limits.credential_failures)
        self._unbound = unbound == "auto"
        self._methods = MethodTable()
        self._rules: RuleBook | None = None
        self._readiness = Readiness(readiness or {}, self.settings.readiness)
        self._telemetry = Telemetry(self.settings.telemetry, [*collectors, *filter(None, [self._readiness])])
        self._document: dict[str, Any] | None = None
        self._documenting = threading.Lock()
        self._lifecycle = Lifecycle(
            self.settings,
            self._make_served,
            None if lifespan is None else lambda: lifespan(self.app),
            on_stop,
            auth=self._auth,
            limits=self.limits,
            readiness=self._readiness,
            telemetry=self._telemetry,
        )
        self.worker_info: Mapping[str, int] | None = None
        """The number of this worker and of those that serve, for `/readyz`; None without a supervisor."""
        self.closing_seconds = 0.0
        """How long leaving `lifespan` may take; the supervisor of several workers waits that much longer for each."""
        known = self._auth.require() if self._auth.enabled else None
        self.app: FastAPI = make_app(
            settings=self.settings,
            faces=self._lifecycle.enter,
            document=self.openapi,
            ready=lambda: self._lifecycle.ready,
            workers=lambda: self.worker_info,
            readiness=self._readiness,
            lifespan=self._lifecycle.asgi,
            page=known,
        )
        """The HTTP face as a FastAPI application: add routes and middleware, mount it, or drive it without a port."""
        if (figures := self._telemetry.on_http) is not None:
            from ..telemetry.metrics_endpoint import add_page

            add_page(self.app, figures, None if self.settings.auth.metrics_public else known)

    # What grpcio's generated code calls. Either alone suffices; both are one registration.

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Handler]) -> None:
        """Registers a service's handlers by method name. Raises `RegistrationError`."""
        self._refuse_late(service_name)
        self._methods.add_service(service_name, method_handlers)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Registers generic handlers; one without a service name is served over gRPC only."""
        self._refuse_late("a generic handler")
        self._methods.add_generic(generic_rpc_handlers)

    def add_insecure_port(self, address: str) -> int:
        """Not supported: the settings say where a gateway listens. Raises ValueError."""
        raise ValueError(f"cannot add {address}; set grpc_host and grpc_port of the settings instead")

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        """Not supported, as `add_insecure_port`."""
        return self.add_insecure_port(address)

    def _refuse_late(self, what: str) -> None:
        if self._lifecycle.served is not None:
            raise RuntimeError(f"cannot register {what} after the gateway has started")
        self._rules = None

    # What is served.

    def bindings(self) -> list[tuple[Method, Binding]]:
        """Every binding of every registered method, in the order of the protos. Raises `RuleError`."""
        self.rules().check()
        return self.bound(self.rules().bindings)

    def bound(self, bindings: Iterable[Binding]) -> list[tuple[Method, Binding]]:
        """Returns bindings with their registered methods."""
        by_name = {method.descriptor.full_name: method for method in self._methods}
        return [(by_name[binding.method.full_name], binding) for binding in bindings]

    def rules(self) -> RuleBook:
        """Returns the rules of the registered methods, with every error in them and what they drop."""
        if self._rules is None:
            from ..rules import RuleBook

            found = (method.descriptor for method in self._methods)
            self._rules = RuleBook(found, self.settings, unbound=self._unbound)
        return self._rules

    @property
    def methods(self) -> MethodTable:
        """The registered methods."""
        return self._methods

    def build(self) -> Faces:
        """Resolves everything a request needs, once. Raises `RuleError` for an annotation that cannot be served."""
        return self._lifecycle.build().faces

    def _make_served(self) -> Served:
        from .served import Served

        for dropped in self.rules().dropped:
            logger.log(logging.INFO if dropped.chosen else logging.WARNING, "%s", dropped)
        return Served(
            self._methods,
            self.bindings(),
            self.settings,
            auth=self._auth,
            limits=self.limits,
            readiness=self._readiness,
            telemetry=self._telemetry,
            interceptors=self._interceptors,
        )

    def openapi(self) -> dict[str, Any]:
        """Returns the OpenAPI 3.1 document of the HTTP face."""
        from .. import openapi

        with self._documenting:  # requests make it in threads
            if self._document is None:
                own = openapi.document(
                    self.bindings(),
                    settings=self.settings,
                    security=self._auth.security_schemes,
                    scopes=self._auth.scopes,
                )
                theirs = FastAPI.openapi(self.app)
                self._auth.add_security(theirs, self.app.routes)
                self._document = openapi.merge(own, theirs)
            return self._document

    def require(self, *, scopes: Iterable[str] = (), roles: Iterable[str] = ()) -> Dependency:
        """Returns a FastAPI dependency that gives the caller, and refuses unauthenticated requests.

        The caller must have all of `scopes`, and one of `roles`.
        """
        return self._auth.require(scopes, roles)

    def guarded(self, app: ASGIApp, *, scopes: Iterable[str] = (), roles: Iterable[str] = ()) -> ASGIApp:
        """Wraps an app to be mounted on `app` with the check of `require`."""
        return self._auth.guarded(app, scopes, roles)

    # Starting and stopping.

    async def start(self) -> None:
        """Binds the ports and serves. Raises OSError if a port is in use, `RuleError` for a faulty annotation."""
        await self._lifecycle.start(self.app, self._methods.generic)

    async def reload_certificates(self) -> bool:
        """Checks the certificate's files now, as SIGHUP does; returns whether new ones were loaded."""
        listeners = self._lifecycle.listeners
        return listeners is not None and await listeners.reload_certificates()

    def share(self, http: socket.socket, rpc: socket.socket | None = None) -> None:
        """Makes `start` accept on bound sockets that other processes hold too.

        Without `rpc`, an engine that binds the gRPC port itself shares it by SO_REUSEPORT.
        """
        from .listeners import SharedSockets

        self._lifecycle.shared = SharedSockets(http, rpc)

    async def adopt_sockets(self, http: Sequence[socket.socket], rpc: Sequence[socket.socket] = ()) -> None:
        """Accepts also on the sockets of workers that have ended, instead of those adopted before."""
        if self._lifecycle.listeners is not None:
            await self._lifecycle.listeners.adopt_sockets(http, rpc)

    @property
    def http_port(self) -> int:
        """The bound port of the HTTP listener."""
        return self._started().http_address[1]

    @property
    def grpc_port(self) -> int:
        """The bound port of gRPC: the HTTP listener's with a single port."""
        return self._started().grpc_address[1]

    def _started(self) -> Listeners:
        if self._lifecycle.listeners is None:
            raise RuntimeError("the gateway is not started")
        return self._lifecycle.listeners

    @property
    def metrics_port(self) -> int | None:
        """The bound port of the metrics listener; None without one, or before the start."""
        return self._telemetry.port

    async def stop(self, grace: float | None = None) -> None:
        """Stops in two stages: refuses new calls, then, after `grace` seconds, cancels running ones.

        Readiness is false from the first moment. `grace` None means the settings' `grace_seconds`.
        """
        await self._lifecycle.stop(grace)

    async def hand_over(self) -> None:
        """Stops after another process has taken over: readiness stays true, and `drain_seconds` does not apply."""
        await self._lifecycle.hand_over()

    async def wait_for_termination(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109, grpc.aio.Server's own
        """Waits for the stop, at most `timeout` seconds; returns whether the gateway still runs, as grpcio's does."""
        return await self._lifecycle.wait(timeout)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def run(self, started: Callable[[], None] | None = None, stopping: Callable[[], None] | None = None) -> None:
        """Serves until SIGTERM or SIGINT, then stops within the grace period; a second signal exits at once.

        `started` is called on the event loop once both faces are served, `stopping` when nothing new is accepted.
        """
        if stopping is not None:
            self._lifecycle.on_stop = (*self._lifecycle.on_stop, stopping)

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
