"""In-process calls: interceptors, context, deadline, cancellation, without a channel or a socket.

`Calls` is the interface, built once from the table of methods. Other gRPC engines serve `Calls.handlers` behind
`Calls.interceptors`, so that all faces run the same functions in the same order. `Calls.open` begins a call with
protobuf messages, `Calls.open_wire` one with serialized messages, as the RPC protocols send them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor

import grpc

from ..metadata import AnyMetadata, Metadata, read
from ..methods import Handler, Method, MethodTable
from ..origin import Lease, Origin, enter
from ..status import Code, error
from ..telemetry import Recorder
from .adapt import adapt, behaviour_of, with_behaviour
from .context import Context
from .environment import Environment
from .guard import Guard
from .interception import (
    UNDECIDED,
    Chain,
    ImmediateInterceptor,
    InterceptorChain,
    Undecided,
    defined_together,
    new_details,
)
from .one import AnyCall, Call, PlainCall, WireCall
from .pipe import Pack, Turns
from .requests import One, Requests, Source
from .run import ClientGone, Gone, Stragglers, before
from .stream import Stream

__all__ = [
    "UNDECIDED",
    "UNKNOWN_METHOD",
    "AnyCall",
    "Call",
    "Calls",
    "ClientGone",
    "Context",
    "Gone",
    "Guard",
    "ImmediateInterceptor",
    "One",
    "Pack",
    "Requests",
    "Source",
    "Stream",
    "Undecided",
    "WireCall",
    "before",
    "behaviour_of",
    "defined_together",
    "with_behaviour",
]

UNKNOWN_METHOD = "Method not found!"  # grpcio's message


class Calls:
    """Opens calls; holds what all calls of a gateway share.

    `threads` runs `def` servicers; `max_seconds` is the longest time a call may take. `standard` are the handlers of
    health and reflection, by `/{package.Service}/{Method}`. `new_lease` makes a call's lease, except for health checks.
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
        recorder: Recorder | None = None,
        new_lease: Callable[[], Lease] | None = None,
    ) -> None:
        self.methods = methods
        self.recorder = recorder or Recorder.off()
        """Begins the records of calls; the caller of `open` begins a record before and ends it in every case."""
        self._threads, self._generic = threads, methods.generic
        self.stragglers = Stragglers()
        self.guard = Guard(
            threads, self.stragglers, debug=debug, max_seconds=max_seconds, report=self.recorder.unexpected
        )
        unlimited = frozenset(path for path in standard or () if path.startswith("/grpc.health.v1.Health/"))
        self.shared = Environment(self.guard, self.stragglers, Turns(), new_lease, unlimited)
        self.interceptors: Sequence[grpc.aio.ServerInterceptor] = (self.guard, *interceptors)
        registered = dict(standard or {}) | {method.path: method.handler for method in methods}
        self.handlers: dict[str, Handler] = {path: adapt(handler, threads) for path, handler in registered.items()}
        # Without user interceptors, the chain always returns the same handler for a method.
        self.guarded = {path: self.guard.know(one, path) for path, one in self.handlers.items()}
        self._plain = {path: (handler, behaviour_of(handler)) for path, handler in self.guarded.items()}
        self.recorder.know(self.handlers)
        self._chain = None if not interceptors else InterceptorChain(self.guard, interceptors, self._find, self.guarded)
        self.plain = self._chain is None
        """Whether there are no interceptors besides the guard, so that `open_plain` can be used."""

    async def _find(self, details: grpc.HandlerCallDetails) -> Handler | None:
        return self.handlers.get(details.method) or self._undescribed(details)

    def _undescribed(self, details: grpc.HandlerCallDetails) -> Handler | None:
        """Asks the generic handlers without a service name for a handler."""
        for generic in self._generic:
            handler = generic.service(details)
            if handler is not None:
                return adapt(handler, self._threads)
        return None

    async def open(self, method: Method, metadata: Metadata, origin: Origin, seconds: float | None) -> Call:
        """Opens a call: runs the interceptors, before any of the request's body is read.

        `seconds` count from now. Raises `StatusError` if the chain returns no handler or takes too long.
        """
        if self._chain is None:
            return self.open_plain(method, metadata, origin, seconds)
        path = method.path
        deadline = self._enter(metadata, origin, seconds)
        handler, following = self._chain.begin(path, metadata, origin)
        if handler is None:
            handler, metadata = await self._intercepted(following, path, metadata, deadline)
        usual, behaviour = self._plain[path]
        if handler is usual:
            return PlainCall(self.shared, path, handler, metadata, origin, deadline, method, behaviour)
        return Call(self.shared, path, handler, metadata, origin, deadline, method)

    def open_plain(self, method: Method, metadata: AnyMetadata, origin: Origin, seconds: float | None) -> Call:
        """Opens a call synchronously; only for `plain`, when no interceptor has to be awaited."""
        deadline = self._enter(metadata, origin, seconds)
        handler, behaviour = self._plain[method.path]
        return PlainCall(self.shared, method.path, handler, metadata, origin, deadline, method, behaviour)

    def _enter(self, metadata: AnyMetadata, origin: Origin, seconds: float | None) -> float | None:
        """Sets the call's origin; returns its deadline, in the loop's time."""
        enter(origin)
        if self.recorder.make is not None and origin.record is not None:
            origin.record.on_metadata(read(metadata))
        return None if seconds is None else asyncio.get_running_loop().time() + seconds

    async def open_wire(self, path: str, metadata: Metadata, origin: Origin, seconds: float | None) -> WireCall:
        """Opens a call of serialized messages, like `open`; `path` is the client's, `/{package.Service}/{Method}`.

        Raises `StatusError`: UNIMPLEMENTED for an unknown path.
        """
        if self._chain is None and path in self.guarded:
            return self.open_plain_wire(path, metadata, origin, seconds)
        deadline = self._enter(metadata, origin, seconds)
        if self._chain is not None:
            handler, following = self._chain.begin(path, metadata, origin)
            if handler is None:
                handler, metadata = await self._intercepted(following, path, metadata, deadline)
        else:
            found = self._undescribed(new_details(path, metadata))
            if found is None:
                raise error(Code.UNIMPLEMENTED, UNKNOWN_METHOD)
            handler = self.guard.guarded(found, path)
        registered = path in self.handlers
        return WireCall(self.shared, path, handler, metadata, origin, deadline, None, registered)

    def open_plain_wire(self, path: str, metadata: AnyMetadata, origin: Origin, seconds: float | None) -> WireCall:
        """Opens a call of serialized messages synchronously; only for `plain`, and a path in `handlers`."""
        deadline = self._enter(metadata, origin, seconds)
        handler, behaviour = self._plain[path]
        return WireCall(self.shared, path, handler, metadata, origin, deadline, behaviour, True)

    async def _intercepted(
        self, chain: Chain, path: str, metadata: Metadata, deadline: float | None
    ) -> tuple[Handler, Metadata]:
        details = new_details(path, metadata)
        if deadline is None:
            handler = await chain(details)
        else:
            async with before(deadline):
                handler = await chain(details)
        if handler is None:
            raise error(Code.UNIMPLEMENTED, UNKNOWN_METHOD)
        return handler, metadata
