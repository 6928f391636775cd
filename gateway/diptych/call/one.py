"""A call: its request, its execution, and its status.

It knows no protocol. A `Call` has protobuf messages, a `WireCall` serialized ones; otherwise they are the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc import status_pb2

from ..codec import check_answer, may_lack_fields
from ..metadata import AnyMetadata, Pair
from ..methods import Handler, Method
from ..origin import Lease, Origin
from ..status import Code, Status, StatusError, error
from ..telemetry import NOTHING, Record
from .adapt import Behaviour, behaviour_of
from .context import code_of, new_context
from .environment import Environment
from .guard import parts_of
from .pipe import Pack, Packing
from .requests import Requests
from .run import Gone, Inline, timed
from .stream import Stream

DETAILS_KEY = "grpc-status-details-bin"


class AnyCall:
    """A call that the interceptors have admitted; subclasses define the type of its messages."""

    # No slots, no metaclass and no keyword-only parameters: CPython makes such objects several times slower.
    def __init__(
        self,
        shared: Environment,
        path: str,
        handler: Handler,
        metadata: AnyMetadata,
        origin: Origin,
        deadline: float | None,
        method: Method | None,
        behaviour: Behaviour | None = None,
    ) -> None:
        self.shared, self._handler, self.path = shared, handler, path
        self.method: Any = method
        """The method; None for a call of serialized messages."""
        self._behaviour = behaviour_of(handler) if behaviour is None else behaviour
        self._requests: Requests | None = None
        self._origin = origin
        self.record: Record = NOTHING if origin.record is None else origin.record
        """The call's telemetry record; the session ends it."""
        self.deadline = deadline
        """The deadline in the loop's time, or None."""
        # The loop is looked up only if there is a deadline: in CPython 3.11 that costs a system call, getpid.
        loop = None if deadline is None else asyncio.get_running_loop()
        self.context = new_context(metadata, origin, deadline, loop)

    @property
    def lease(self) -> Lease | None:
        """Returns the lease that counts the request's bytes, if any; it is made when the first ones arrive."""
        origin = self._origin
        if origin.lease is None:
            shared = self.shared
            if shared.new_lease is not None and self.path not in shared.unlimited:
                origin.lease = shared.new_lease()
        return origin.lease

    @property
    def needs_request(self) -> bool:
        """Returns whether the handler parses the request; those of interceptors that refuse a call do not."""
        return self._handler.request_deserializer is not None

    @property
    def takes_stream(self) -> bool:
        """Returns whether the handler reads a stream of requests."""
        return bool(self._handler.request_streaming)

    @property
    def streams(self) -> bool:
        """Returns whether the response is a stream; a refusal of a streaming method may be a unary handler."""
        return bool(self._handler.response_streaming)

    @property
    def client_left(self) -> bool:
        """Returns whether the servicer was told, while it waited for a request, that its client has left."""
        return self._requests is not None and self._requests.left

    def _one(self, request: Any) -> Any:
        """Converts a request to the handler's type."""
        raise NotImplementedError

    def to_face(self, response: Any) -> Any:
        """Converts a response to the face's type. Raises `StatusError` if the servicer returned another type."""
        raise NotImplementedError

    def _request(self, request: Any) -> Any:
        if not self._handler.request_streaming:
            return self._received(request) if self.needs_request else self._one(request)
        requests = self._requests = Requests(request, self._received)
        self.context.attach_requests(requests.read)
        return requests

    def _received(self, request: Any) -> Any:
        message = self._one(request)
        self.record.messages_in += 1
        return message

    async def unary(self, request: Any, gone: Gone | None) -> Any:
        """Runs the call and returns its response; `request` is a message, or a `Source` if `takes_stream`.

        Raises `StatusError` or `ClientGone`; cancels the servicer in the latter case and at the deadline. `gone` is
        None if the current task is cancelled when the client leaves.
        """
        context = self.context
        coroutine: Coroutine[Any, Any, Any] = self._behaviour(self._request(request), context)
        cancelled = True
        try:
            if self.deadline is not None:
                left = self.deadline - asyncio.get_running_loop().time()
                response = await timed(coroutine, gone, left, self.shared.stragglers)
            elif gone is None:
                response = await coroutine
            else:
                try:
                    waiting = coroutine.send(None)
                except StopIteration as done:  # most finish without waiting
                    response = done.value
                else:
                    response = await Inline(coroutine, waiting, gone)
            cancelled = False
        except (grpc.aio.AbortError, grpc.aio.UsageError):
            cancelled = False
            raise StatusError(self.status()) from None
        finally:
            code = context.finish(cancelled)
        if code is not None and code_of(code) is not Code.OK:
            raise StatusError(self.status())
        converted = self.to_face(response)
        self.record.messages_out += 1
        return converted

    def stream(self, request: Any, pack: Pack | None) -> Stream:
        """Starts the call and returns its stream of responses; `request` is as in `unary`.

        `pack` serializes a message of the face's type; None if that is bytes already.
        """
        argument, context, parts = self._request(request), self.context, parts_of(self._behaviour)
        packing = self._packing(pack)
        if parts is None:
            return Stream(self, self._behaviour(argument, context), packing, self.deadline)
        return Stream(self, parts.behaviour(argument, context), packing, self.deadline, parts.raised)

    def _packing(self, pack: Pack | None) -> Packing:
        to_face: Pack = self.to_face
        return Packing(None, to_face, to_face if pack is None else lambda response: pack(to_face(response)))

    def status(self) -> Status:
        """Returns the servicer's status, with its rich details."""
        context = self.context
        rich = next((value for key, value in context.trailing_metadata() if key == DETAILS_KEY), None)
        details: tuple[Any, ...] = ()
        if isinstance(rich, bytes):
            details = tuple(status_pb2.Status.FromString(rich).details)
        status = Status(code=code_of(context.code()), message=context.details(), details=details)
        return status if self._requests is None else self._requests.faulted(status)

    @property
    def initial_metadata(self) -> Sequence[Pair]:
        """Returns the initial metadata, of the gateway and of the servicer."""
        first, own = self._origin.initial, self.context.initial_metadata
        return (*first, *own) if first and own else first or own

    @property
    def trailing_metadata(self) -> Sequence[Pair]:
        """Returns the trailing metadata without the status details, which the error includes."""
        trailing = self.context.trailing_metadata()
        return [pair for pair in trailing if pair[0] != DETAILS_KEY] if trailing else trailing


class Call(AnyCall):
    """A call with protobuf messages of its method's types."""

    method: Method

    def _one(self, request: Any) -> Any:
        deserialize = self._handler.request_deserializer
        if deserialize == self.method.handler.request_deserializer:
            return request
        # An interceptor's own deserializer gets the serialized message, as from grpcio; without one, the handler does.
        data = request.SerializeToString() if isinstance(request, Message) else b""
        return data if deserialize is None else deserialize(data)

    def _packing(self, pack: Pack | None) -> Packing:
        general = super()._packing(pack)
        serialize = self._handler.response_serializer
        if pack is None or serialize != self.method.handler.response_serializer:
            return general
        return Packing(self.method.response, pack, general.convert)

    def to_face(self, response: Any) -> Message:
        message_type = self.method.response
        serialize = self._handler.response_serializer
        if isinstance(response, message_type) and serialize == self.method.handler.response_serializer:
            return response
        try:
            # An interceptor's own serializer, or bytes without one: parse what gRPC would send.
            return message_type.FromString(serialize(response) if serialize is not None else response)
        except Exception as broken:
            expected = message_type.DESCRIPTOR.full_name
            wrong = TypeError(f"the servicer returned {type(response).__name__}, not {expected}")
            wrong.__cause__ = broken
            raise StatusError(self.shared.guard.status(wrong, self.path)) from None


class PlainCall(Call):
    """A call of the registered handler, whose parser and serializer are known to be the method's."""

    def _request(self, request: Any) -> Any:
        if self._handler.request_streaming:
            return super()._request(request)
        self.record.messages_in += 1
        return request

    def to_face(self, response: Any) -> Message:
        return response if isinstance(response, self.method.response) else super().to_face(response)


class WireCall(AnyCall):
    """A call with serialized messages; it runs the handler's deserializer and serializer.

    `registered` is False if a generic handler serves the path, which may accept bytes without a deserializer.
    """

    def __init__(
        self,
        shared: Environment,
        path: str,
        handler: Handler,
        metadata: AnyMetadata,
        origin: Origin,
        deadline: float | None,
        behaviour: Behaviour | None,
        registered: bool,
    ) -> None:
        super().__init__(shared, path, handler, metadata, origin, deadline, None, behaviour)
        self._registered = registered

    @property
    def needs_request(self) -> bool:
        return not self._registered or self._handler.request_deserializer is not None

    def _request(self, request: Any) -> Any:
        handler = self._handler
        if handler.request_streaming or handler.request_deserializer is None:
            return super()._request(request)
        message = self._one(request)
        self.record.messages_in += 1
        return message

    def _one(self, request: Any) -> Any:
        self.record.bytes_in += len(request)
        deserialize = self._handler.request_deserializer
        if deserialize is None:
            return request
        try:
            return deserialize(request)
        except Exception:
            raise error(Code.INVALID_ARGUMENT, "cannot parse the request as the method's request type") from None

    def _packing(self, pack: Pack | None) -> Packing:
        serialize, record = self._handler.response_serializer, self.record
        if serialize is None:
            return super()._packing(pack)

        kind, lacks = None, False  # looked up once, since a stream's messages are of one type

        def packed(response: Any) -> bytes:
            nonlocal kind, lacks
            if type(response) is not kind:
                kind, lacks = type(response), _may_lack_fields(response)
            if lacks:
                check_answer(response)
            printed: bytes = serialize(response)
            record.bytes_out += len(printed)
            return printed

        return Packing(None, packed, packed)

    def to_face(self, response: Any) -> bytes:
        serialize = self._handler.response_serializer
        try:
            if _may_lack_fields(response):
                check_answer(response)
            printed: bytes = response if serialize is None else serialize(response)
        except Exception as wrong:
            raise StatusError(self.shared.guard.status(wrong, self.path)) from None
        self.record.bytes_out += len(printed)
        return printed


def _may_lack_fields(response: Any) -> bool:
    return isinstance(response, Message) and may_lack_fields(response.DESCRIPTOR)
