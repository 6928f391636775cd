"""The servicer's context for calls without a gRPC channel, complete with all of grpcio's methods.

It stores what the servicer sets (code, metadata) and returns what it asks for (deadline, peer); it knows no HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import grpc

from ..metadata import AnyMetadata, Metadata, check, read
from ..origin import IDENTITY_KEYS, Origin
from ..status import CODE_BY_NUMBER, Code

Write = Callable[[Any], Any]


class Metadatum(NamedTuple):
    """One pair as grpcio passes it: a tuple with named members."""

    key: str
    value: str | bytes


def code_of(code: Code | int | None) -> Code:
    """Converts a servicer's code, an enum value or its number; None means OK, an unknown number means UNKNOWN."""
    if isinstance(code, Code):
        return code
    return CODE_BY_NUMBER.get(code or 0, Code.UNKNOWN)


class Context(grpc.aio.ServicerContext[Any, Any]):
    """`grpc.aio.ServicerContext` for an in-process call; it raises the same errors as grpcio's."""

    # `new_context` sets what every call reads. The rest are class attributes, which cost an instance nothing.
    _metadata: AnyMetadata
    _origin: Origin
    _deadline: float | None
    _loop: asyncio.AbstractEventLoop | None
    _code: Code | int | None
    _trailing: Metadata
    _done: bool
    _cancelled: bool
    _callbacks: list[Callable[[Any], None]] | None
    initial_metadata: Metadata
    """The servicer's initial metadata."""
    compression: grpc.Compression | None
    _details = ""
    _initial_sent = _aborted = False
    _write: Write | None = None
    _read: Callable[[], Any] | None = None
    _flush: Callable[[], None] | None = None
    _leave_uncompressed: Callable[[], None] | None = None
    uncompressed_next = False

    @property
    def keeps_plain(self) -> bool:
        """Whether the servicer disabled compression, as it must for secrets next to input of the client (BREACH)."""
        return self.uncompressed_next or self.compression is grpc.Compression.NoCompression

    # Read by the servicer.

    def invocation_metadata(self) -> Any:
        pairs = read(self._metadata)
        if pairs and type(pairs[0]) is not Metadatum:
            pairs = tuple([Metadatum(*pair) for pair in pairs])
        self._metadata = pairs
        return pairs

    def peer(self) -> str:
        return self._origin.peer

    def peer_identities(self) -> Iterable[bytes] | None:
        key = self.peer_identity_key()
        return None if key is None else list(self._origin.auth[key])

    def peer_identity_key(self) -> str | None:
        # As in gRPC core: the subject's alternative names if there are any, else the common name.
        return next((key for key in IDENTITY_KEYS if key in self._origin.auth), None)

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return {key: list(values) for key, values in self._origin.auth.items()}

    def time_remaining(self) -> Any:
        return None if self._deadline is None or self._loop is None else max(0.0, self._deadline - self._loop.time())

    def cancelled(self) -> bool:
        return self._cancelled

    def done(self) -> bool:
        return self._done

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        if self._done:
            asyncio.get_running_loop().call_soon(callback, self)
        elif self._callbacks is None:
            self._callbacks = [callback]
        else:
            self._callbacks.append(callback)

    # Set by the servicer.

    async def abort(self, code: Code, details: str = "", trailing_metadata: Any = ()) -> Any:
        if self._aborted:
            raise grpc.aio.UsageError("Abort already called!")
        if code_of(code) is Code.OK:
            raise ValueError("abort() requires a code other than OK")
        self._aborted = True
        self._code, self._details = code, details
        if trailing_metadata:
            self._trailing = check(trailing_metadata)
        raise grpc.aio.AbortError("Locally aborted.")

    async def abort_with_status(self, status: grpc.Status) -> Any:
        await self.abort(status.code, status.details or "", status.trailing_metadata or ())

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        if self._initial_sent:
            raise grpc.aio.UsageError("Send initial metadata failed: already sent")
        self.initial_metadata = check(initial_metadata)
        self._initial_sent = True
        if self._flush is not None:
            self._flush()

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        self._trailing = check(trailing_metadata)

    def trailing_metadata(self) -> Any:
        return self._trailing

    def set_code(self, code: Code | int) -> None:
        self._code = code

    def code(self) -> Any:
        return self._code

    def set_details(self, details: str) -> None:
        self._details = details

    def details(self) -> str:
        return self._details

    def set_compression(self, compression: grpc.Compression) -> None:
        """Requests compression; faces with compressed messages use it if the client supports it."""
        self.compression = compression

    def disable_next_message_compression(self) -> None:
        """Sends the next message uncompressed, as in grpcio."""
        self.uncompressed_next = True
        if self._leave_uncompressed is not None:
            self._leave_uncompressed()

    async def read(self) -> Any:
        if self._read is None:
            raise grpc.aio.UsageError("read() requires a method with a client stream")
        return await self._read()

    async def write(self, message: Any) -> None:
        if self._write is None:
            raise grpc.aio.UsageError("write() requires a method with a server stream")
        await self._write(message)

    # Used by the call.

    @property
    def initial_metadata_sent(self) -> bool:
        """Returns whether the servicer sent its initial metadata explicitly, which begins the response."""
        return self._initial_sent

    def attach(self, write: Write, flush: Callable[[], None], leave_uncompressed: Callable[[], None]) -> None:
        """Sets the callbacks of a streaming servicer.

        `write` sends a message, `flush` follows its initial metadata, `leave_uncompressed` concerns the next message.
        """
        self._write, self._flush, self._leave_uncompressed = write, flush, leave_uncompressed

    def attach_requests(self, read: Callable[[], Any]) -> None:
        """Sets the function that `read()` gets the client's messages from."""
        self._read = read

    def finish(self, cancelled: bool) -> Code | int | None:
        """Ends the call: sets `done()` and calls the callbacks, once. Returns the servicer's code."""
        if not self._done:
            self._done, self._cancelled = True, cancelled
            if self._callbacks is not None:
                for callback in self._callbacks:
                    callback(self)
        return self._code


_new: Callable[[type[Context]], Context] = object.__new__


def new_context(
    metadata: AnyMetadata, origin: Origin, deadline: float | None, loop: asyncio.AbstractEventLoop | None
) -> Context:
    """Returns the context of a call. `loop` is needed only with a deadline.

    It calls no `__init__`: grpcio's class has a metaclass, and CPython makes instances of such classes several times
    slower.
    """
    context = _new(Context)
    context._metadata, context._origin, context._deadline, context._loop = metadata, origin, deadline, loop
    context._code = context._callbacks = context.compression = None
    context._done = context._cancelled = False
    context.initial_metadata = context._trailing = ()
    return context


class SyncContext(grpc.ServicerContext):
    """`grpc.ServicerContext` for a `def` servicer in a thread, over an asynchronous context of any face."""

    def __init__(self, context: grpc.aio.ServicerContext[Any, Any], loop: asyncio.AbstractEventLoop) -> None:
        self._context, self._loop = context, loop

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def invocation_metadata(self) -> Any:
        return self._context.invocation_metadata()

    def peer(self) -> str:
        return self._context.peer()

    def peer_identities(self) -> Any:
        return self._context.peer_identities()

    def peer_identity_key(self) -> Any:
        return self._context.peer_identity_key()

    def auth_context(self) -> Any:
        return self._context.auth_context()

    def time_remaining(self) -> Any:
        return self._context.time_remaining()

    def is_active(self) -> bool:
        return not (self._context.done() or self._context.cancelled())

    def cancel(self) -> bool:
        raise grpc.RpcError("a servicer cannot cancel its call; use abort() or return")

    def add_callback(self, callback: Callable[[], None]) -> bool:
        if self._context.done():
            return False

        context: Any = self._context  # the stubs of add_done_callback accept no plain function
        self._loop.call_soon_threadsafe(context.add_done_callback, lambda _: callback())
        return True

    def abort(self, code: Any, details: str) -> Any:
        return self._run(self._context.abort(code, details))

    def abort_with_status(self, status: Any) -> Any:
        # By abort(), since not every engine's context implements abort_with_status.
        return self._run(self._context.abort(status.code, status.details, status.trailing_metadata or ()))

    def send_initial_metadata(self, initial_metadata: Any) -> None:
        self._run(self._context.send_initial_metadata(initial_metadata))

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        self._context.set_trailing_metadata(trailing_metadata)

    def trailing_metadata(self) -> Any:
        return self._context.trailing_metadata()

    def set_code(self, code: Any) -> None:
        self._context.set_code(code)

    def code(self) -> Any:
        return self._context.code()

    def set_details(self, details: str) -> None:
        self._context.set_details(details)

    def details(self) -> Any:
        return self._context.details()

    def set_compression(self, compression: Any) -> None:
        self._context.set_compression(compression)

    def disable_next_message_compression(self) -> None:
        self._context.disable_next_message_compression()
