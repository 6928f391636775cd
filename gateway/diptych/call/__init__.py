"""One in-process call: interceptors, context, deadline, cancellation, with no channel and no socket between.

The door is `Calls`, made once from the table of methods. `Calls.handlers` and `Calls.interceptors` are what grpcio
serves, so that all faces run the same functions in the same order; `Calls.open` begins a call whose messages are
protobuf's, `Calls.open_wire` one whose messages are bytes, as gRPC and its relatives send them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import grpc

from ..metadata import Metadata
from ..methods import Handler, Method, MethodTable
from ..origin import Lease, Origin, enter
from ..status import Code, error
from ..telemetry import Watch
from .adapt import adapt, behaviour_of, with_behaviour
from .context import Context, Metadatum
from .environment import Environment
from .guard import Guard
from .one import AnyCall, Call, WireCall
from .requests import One, Requests, Source
from .run import ClientGone, Gone, Stragglers, before
from .stream import Stream

__all__ = [
    "UNKNOWN_METHOD",
    "AnyCall",
    "Call",
    "Calls",
    "ClientGone",
    "Context",
    "Gone",
    "Guard",
    "One",
    "Requests",
    "Source",
    "Stream",
    "WireCall",
    "before",
    "behaviour_of",
    "with_behaviour",
]

UNKNOWN_METHOD = "Method not found!"  # grpcio's own words

Chain: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]"


@dataclass(slots=True)
class _Details(grpc.HandlerCallDetails):
    method: str
    invocation_metadata: Any


class Calls:
    """Everything that is the same for every call.

    `threads` runs servicers that are plain functions; `max_seconds` is the longest any call may take. `standard` are
    the handlers of the services every server has (health, reflection), by `/{package.Service}/{Method}`. `lend` makes
    the lease of every call but health's, where no interceptor does.
    """

    def __init__(
        self,
        methods: MethodTable,
        interceptors: Sequence[grpc.aio.ServerInterceptor],
        *,
        threads: Executor,
        standard: Mapping[str, Handler] | None = None,
        debug: bool = False,
        max_seconds: float | None = None,
        watch: Watch | None = None,
        lend: Callable[[], Lease] | None = None,
    ) -> None:
        self.methods = methods
        self._lend = lend
        self._unlimited = frozenset(path for path in standard or () if path.startswith("/grpc.health.v1.Health/"))
        self.watch = watch or Watch.off()
        """Whoever opens a call begins its record here before, and ends it, whatever becomes of the call."""
        self._threads, self._generic = threads, methods.generic
        self.stragglers = Stragglers()
        self.guard = Guard(threads, self.stragglers, debug=debug, max_seconds=max_seconds)
        self.shared = Environment(self.guard, self.stragglers)
        self.interceptors: Sequence[grpc.aio.ServerInterceptor] = (self.guard, *interceptors)
        registered = dict(standard or {}) | {method.path: method.handler for method in methods}
        self.handlers: dict[str, Handler] = {path: adapt(handler, threads) for path, handler in registered.items()}
        # Without interceptors of the user's, the chain has one answer for a method, found now.
        self.guarded = {path: self.guard.know(one, path) for path, one in self.handlers.items()}
        self.watch.know(self.handlers)
        self._chain = None if not interceptors else self._link()

    def _link(self) -> Chain:
        async def last(details: grpc.HandlerCallDetails) -> Handler | None:
            return self.handlers.get(details.method) or self._undescribed(details)

        chain: Chain = last
        for interceptor in reversed(self.interceptors):
            chain = partial(interceptor.intercept_service, chain)
        return chain

    def _undescribed(self, details: grpc.HandlerCallDetails) -> Handler | None:
        """The handler of a generic one that names no service."""
        for generic in self._generic:
            handler = generic.service(details)
            if handler is not None:
                return adapt(handler, self._threads)
        return None

    async def open(self, method: Method, metadata: Metadata, origin: Origin, seconds: float | None) -> Call:
        """Begin a call: the interceptors run now, before anything is read of the request's body.

        Its `seconds` count from now. Raises `StatusError` where the chain gives no handler, or takes too long.
        """
        if self._chain is None:
            return self.open_plain(method, metadata, origin, seconds)
        deadline = self._enter(method.path, metadata, origin, seconds)
        handler, pairs = await self._intercepted(self._chain, method.path, metadata, deadline)
        return Call(self.shared, method, handler, pairs, origin, deadline, plain=False)

    @property
    def plain(self) -> bool:
        """Whether there are no interceptors but the gateway's guard, so that `open_plain` will do."""
        return self._chain is None

    def open_plain(self, method: Method, metadata: Metadata, origin: Origin, seconds: float | None) -> Call:
        """The same for who need not wait, since there is nobody to ask."""
        deadline = self._enter(method.path, metadata, origin, seconds)
        return Call(self.shared, method, self.guarded[method.path], metadata, origin, deadline, plain=True)

    def _enter(self, path: str, metadata: Metadata, origin: Origin, seconds: float | None) -> float | None:
        """The call begins: its deadline, in the loop's time."""
        enter(origin)
        if self._lend is not None and path not in self._unlimited:
            origin.lease = self._lend()
        if self.watch.make is not None and origin.record is not None:
            origin.record.met(metadata)
        return None if seconds is None else asyncio.get_running_loop().time() + seconds

    async def open_wire(self, path: str, metadata: Metadata, origin: Origin, seconds: float | None) -> WireCall:
        """Begin a call of bytes, as `open`; `path` is `/{package.Service}/{Method}` as the client wrote it.

        Raises `StatusError`: UNIMPLEMENTED where nobody serves the path.
        """
        deadline = self._enter(path, metadata, origin, seconds)
        if self._chain is not None:
            handler, metadata = await self._intercepted(self._chain, path, metadata, deadline)
        elif path in self.guarded:
            handler = self.guarded[path]
        else:
            found = self._undescribed(_Details(path, tuple([Metadatum(*pair) for pair in metadata])))
            if found is None:
                raise error(Code.UNIMPLEMENTED, UNKNOWN_METHOD)
            handler = self.guard.guarded(found, path)
        registered = path in self.handlers
        return WireCall(self.shared, path, handler, metadata, origin, deadline, registered=registered)

    async def _intercepted(
        self, chain: Chain, path: str, metadata: Metadata, deadline: float | None
    ) -> tuple[Handler, Metadata]:
        pairs = tuple([Metadatum(*pair) for pair in metadata])
        details = _Details(path, pairs)
        if deadline is None:
            handler = await chain(details)
        else:
            async with before(deadline):
                handler = await chain(details)
        if handler is None:
            raise error(Code.UNIMPLEMENTED, UNKNOWN_METHOD)
        return handler, pairs
