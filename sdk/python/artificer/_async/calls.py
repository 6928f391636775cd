"""What every call has over either transport: its request, deadline, key, repetitions and record."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from .._attempt import Attempt, Reply, pairs
from .._files import File, FileInput
from .._method import Kind, Method, Q, R
from .._options import CallOptions, ClientOptions, check_call, seconds
from .._records import is_heard, report
from .._requests import build, merged
from .._retry import RetryPolicy
from ..errors import APIError, CancelledError, DeadlineExceededError, FieldViolation, InvalidRequestError
from . import platform
from .downloads import AsyncDownload
from .duplex import AsyncDuplex
from .pages import AsyncPager
from .requests import AsyncRequests
from .streams import AsyncStream
from .transport import AsyncResponses, AsyncTransport

if TYPE_CHECKING:
    from ..types.base import Model

T = TypeVar("T")
_Given: TypeAlias = "tuple[str, FileInput | None]"
_NONE: Mapping[str, Any] = {}


class AsyncCalls:
    """Calls methods by a transport. Every public method takes the values of the request by field, None for absent."""

    def __init__(self, transport: AsyncTransport, options: ClientOptions, policy: RetryPolicy | None = None) -> None:
        self.transport: AsyncTransport = transport
        self.options: ClientOptions = options
        self.closed: bool = False
        self._timeout = seconds(options.timeout)
        self._policy = policy or RetryPolicy()

    async def unary(
        self, method: Method[Any, R], fields: Mapping[str, Any], options: CallOptions, file: _Given | None = None
    ) -> R:
        """Calls a method with one request and one response. Raises APIError and InvalidRequestError."""
        return (await self.reply(method, fields, options, file, reads_metadata=False)).value

    async def reply(
        self,
        method: Method[Any, R],
        fields: Mapping[str, Any],
        options: CallOptions,
        file: _Given | None = None,
        *,
        reads_metadata: bool = True,
    ) -> Reply[R]:
        """As `unary`, with the metadata of the answer."""
        request = await self._request(method, fields, options, file)
        return await self._attempts(
            method,
            options,
            lambda attempt: self.transport.unary(method, request, attempt),
            repeatable=_is_repeatable(method, request),
            reads_metadata=reads_metadata,
        )

    def pages(
        self, method: Method[Any, Any], listed: str, fields: Mapping[str, Any], options: CallOptions
    ) -> AsyncPager[Any]:
        """Returns the elements of a list's pages."""

        async def page(token: str) -> Any:
            more = {"page_token": token} if token else {}
            return await self.unary(method, {**fields, **more}, options)

        return AsyncPager(page, listed)

    def stream(
        self, method: Method[Any, R], fields: Mapping[str, Any], options: CallOptions, file: _Given | None = None
    ) -> AsyncStream[R]:
        """Returns the responses of a stream, which begins when it is entered or iterated."""
        ends: list[float | None] = []  # the deadline, of the first attempt and of those that resume the stream

        async def opened(changed: Mapping[str, Any]) -> AsyncResponses[Any]:
            request = await self._request(method, {**fields, **changed}, options, file)
            ends.append(ends[0] if ends else self._end(method, options))
            return await self._opened(method, request, options, ends[0])

        return AsyncStream(opened, method, self._policy, self._retries(options))

    def download(
        self, method: Method[Any, Any], fields: Mapping[str, Any], options: CallOptions, file: _Given | None = None
    ) -> AsyncDownload:
        """Returns the bytes of a stream of google.api.HttpBody."""

        async def opened() -> AsyncResponses[Any]:
            request = await self._request(method, fields, options, file)
            return await self._opened(method, request, options, None)

        return AsyncDownload(opened, options.get("progress"))

    async def upload(
        self, method: Method[Any, R], given: FileInput, fields: Mapping[str, Any], options: CallOptions
    ) -> R:
        """Sends a file in pieces, of which the first has the other fields; returns the response."""
        file = File.of(given)
        build(method, _named(method, file, fields))  # raises before the call begins

        async def attempt(each: Attempt) -> Reply[R]:
            requests = AsyncRequests(self._contents(method, file, fields, options))
            return await self.transport.client_stream(method, requests, each)

        # A file that cannot be read again, such as a pipe, is sent once.
        resends = lambda: file.repeatable  # noqa: E731
        return (await self._attempts(method, options, attempt, repeatable=method.safe, resends=resends)).value

    def transfer(
        self, method: Method[Any, Any], given: FileInput, fields: Mapping[str, Any], options: CallOptions
    ) -> AsyncDownload:
        """Sends a file in pieces and returns the bytes of the answer."""
        file = File.of(given)

        async def opened() -> AsyncResponses[Any]:
            build(method, _named(method, file, fields))  # raises before the call begins

            async def attempt(each: Attempt) -> AsyncResponses[Any]:
                requests = AsyncRequests(self._contents(method, file, fields, options))
                responses = await self.transport.duplex(method, requests, each)
                await responses.begun()
                return responses

            return await self._attempts(
                method, options, attempt, repeatable=method.safe, resends=lambda: file.repeatable
            )

        return AsyncDownload(opened)

    async def client_stream(
        self,
        method: Method[Any, R],
        requests: AsyncIterable[Any] | Iterable[Any],
        fields: Mapping[str, Any],
        options: CallOptions,
    ) -> R:
        """Sends requests as they come, each with the fields of the path; returns the response."""
        _check_no_key(method, options)
        sent = AsyncRequests(self._models(method, platform.each(requests), fields))

        async def attempt(each: Attempt) -> Reply[R]:
            return await self.transport.client_stream(method, sent, each)

        # The requests cannot be read a second time, so only a call that has read none is sent again.
        resends = lambda: not sent.begun  # noqa: E731
        return (await self._attempts(method, options, attempt, repeatable=False, resends=resends, fields=fields)).value

    def duplex(
        self,
        method: Method[Q, R],
        requests: AsyncIterable[Any] | Iterable[Any] | None,
        fields: Mapping[str, Any],
        options: CallOptions,
    ) -> AsyncDuplex[Q, R]:
        """Returns a call that sends requests while responses arrive."""
        _check_no_key(method, options)

        async def opened(given: AsyncRequests) -> AsyncResponses[Any]:
            sent = AsyncRequests(self._models(method, given, fields), given.ended)

            async def attempt(each: Attempt) -> AsyncResponses[Any]:
                return await self.transport.duplex(method, sent, each)

            resends = lambda: not sent.begun  # noqa: E731
            return await self._attempts(method, options, attempt, repeatable=False, resends=resends, fields=fields)

        return AsyncDuplex(opened, requests)

    async def _request(
        self, method: Method[Any, Any], fields: Mapping[str, Any], options: CallOptions, file: _Given | None
    ) -> Model:
        more: dict[str, Any] = {}
        if file is not None and file[1] is not None:
            given = File.of(file[1])
            more[file[0]] = await platform.whole(given)
            fields = _named(method, given, fields)
        if method.idempotency and not fields.get(method.idempotency):
            more[method.idempotency] = options.get("idempotency_key", str(uuid.uuid4())) or None
        if not method.idempotency:
            _check_no_key(method, options)
        return build(method, {**fields, **more})

    async def _contents(
        self, method: Method[Any, Any], file: File, fields: Mapping[str, Any], options: CallOptions
    ) -> AsyncIterator[Model]:
        from ..types.base import HttpBody

        sent, progress = 0, options.get("progress")
        first = True
        async for piece in platform.pieces(file):
            body = HttpBody(data=piece, content_type=file.content_type) if first else HttpBody(data=piece)
            yield build(method, {**(_named(method, file, fields) if first else {}), method.content: body})
            first, sent = False, sent + len(piece)
            if progress is not None:
                progress(sent, file.size)
        if first:
            body = HttpBody(content_type=file.content_type)
            yield build(method, {**_named(method, file, fields), method.content: body})

    async def _models(
        self, method: Method[Any, Any], requests: AsyncIterator[Any], fields: Mapping[str, Any]
    ) -> AsyncIterator[Model]:
        async for one in requests:
            yield merged(method, one, fields)

    async def _opened(
        self, method: Method[Any, Any], request: Model, options: CallOptions, end: float | None
    ) -> AsyncResponses[Any]:
        return await self._attempts(
            method,
            options,
            lambda attempt: self.transport.server_stream(method, request, attempt),
            repeatable=_is_repeatable(method, request),
            end=end,
        )

    async def _attempts(
        self,
        method: Method[Any, Any],
        options: CallOptions,
        once: Callable[[Attempt], Awaitable[T]],
        *,
        repeatable: bool,
        resends: Callable[[], bool] = lambda: True,
        fields: Mapping[str, Any] = _NONE,
        end: float | None = None,
        reads_metadata: bool = True,
    ) -> T:
        """Returns what an attempt returns, after as many as the policy allows within the call's deadline."""
        if options:
            check_call(options)
        if self.closed:
            raise RuntimeError("the client is closed")
        if end is None:
            end = self._end(method, options)
        headers = pairs(options["headers"]) if "headers" in options else ()
        reads_metadata = reads_metadata or is_heard(self.options.on_call)
        number, most = 0, 1 + self._retries(options)
        while True:
            number, began = number + 1, time.monotonic()
            try:
                answer = await once(Attempt(_left(end, began), headers, fields, reads_metadata))
            except APIError as error:
                report(self.options.on_call, method.name, number, time.monotonic() - began, error, error.request_id)
                if self.closed:
                    raise CancelledError("the call was closed") from None
                wait = self._policy.wait(error, number, repeatable=repeatable) if number < most else None
                if wait is None or not resends() or (end is not None and time.monotonic() + wait >= end):
                    raise
                await platform.sleep(wait)
            else:
                known: Any = answer
                request_id = known.metadata.get("x-request-id", "")
                report(self.options.on_call, method.name, number, time.monotonic() - began, None, request_id)
                return answer

    def _end(self, method: Method[Any, Any], options: CallOptions) -> float | None:
        """Returns the call's deadline by the monotonic clock. Streams have none unless the caller sets one."""
        left = self._timeout if method.kind is Kind.UNARY else None
        if "timeout" in options:
            left = seconds(options["timeout"])
        return None if left is None else time.monotonic() + left

    def _retries(self, options: CallOptions) -> int:
        return options.get("max_retries", self.options.max_retries)


def _left(end: float | None, now: float) -> float | None:
    """Returns the seconds until the deadline. Raises DeadlineExceededError after it."""
    if end is None:
        return None
    if end <= now:
        raise DeadlineExceededError("the call's time was up before it could be sent")
    return end - now


def _check_no_key(method: Method[Any, Any], options: CallOptions) -> None:
    """Raises InvalidRequestError for a key that could not keep the server from doing its work again."""
    if "idempotency_key" in options and not method.safe:
        text = "set request_id of each message instead" if method.idempotency else "the server would do its work again"
        raise InvalidRequestError([FieldViolation("idempotency_key", f"{method.name} has none: {text}")])


def _is_repeatable(method: Method[Any, Any], request: Model) -> bool:
    """Whether a call may be sent again although the server may have received it."""
    return method.safe or bool(method.idempotency and getattr(request, method.idempotency))


def _named(method: Method[Any, Any], file: File, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields with the file's own name and media type, where it has such fields and the caller gave none."""
    known = {"filename": file.name, "content_type": file.content_type}
    taken = {name: value for name, value in known.items() if value and name in method.request.model_fields}
    return {**fields, **{name: value for name, value in taken.items() if fields.get(name) is None}}
