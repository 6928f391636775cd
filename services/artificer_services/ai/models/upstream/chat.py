"""A chat model behind a server with OpenAI's protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import httpx2

from diptych.upstream import Upstream

from ..settings import UpstreamChatSettings
from ..tokens import estimate
from ..values import Chat, Delta, Message, ModelInfo
from .answer import AnswerReader, ErrorInAnswer, WrongForm
from .body import Body, TooLarge
from .endpoint import Endpoint, parsed, stopping
from .events import EventReader, TooLong
from .failures import Failed
from .request import chat_request

_NO_BEGIN, _NO_MORE = "did not begin its answer", "did not go on with its answer"
_EVENT_BYTES = 1024 * 1024  # of one event; the arguments of a whole tool call are the largest
_USAGE_SECONDS = 5.0  # for the usage after the last token: without it the answer is complete too
_STREAMS = ("text/event-stream", "text/plain", "")  # some servers and proxies name the wrong type
_MESSAGE_TOKENS = 4  # of a chat template around one message


class UpstreamChat:
    """The chat model `name` of the settings. Implements ChatModel."""

    def __init__(self, name: str, settings: UpstreamChatSettings) -> None:
        self.info = ModelInfo(
            name=name,
            kind="upstream",
            chat=True,
            context_tokens=settings.context_tokens,
            tools=settings.tools,
            short_passages=settings.short_passages,
        )
        self.endpoint = Endpoint(name, settings)
        self.breaker: Upstream | None = self.endpoint.breaker
        self._settings = settings

    async def stream(self, chat: Chat) -> AsyncGenerator[Sequence[Delta], None]:
        """Yields the answer, what has arrived since each time. Closing it closes the connection to the server."""
        settings = self._settings
        request = chat_request(chat, settings.model or self.info.name, settings.max_tokens_field)
        answer = await self.endpoint.retried(lambda: self._begun(request))
        try:
            try:
                deltas = answer.first
                while True:
                    if deltas:
                        yield deltas
                    if answer.complete:
                        return
                    deltas = await answer.next()
            except Failed as failed:
                self.endpoint.note(failed)
                raise failed.error from None
        finally:
            await answer.close()

    async def count(self, messages: Sequence[Message]) -> int:
        """Returns an estimate of the tokens of a prompt: the server is not asked."""
        return sum(_MESSAGE_TOKENS + estimate(_text(message)) for message in messages)

    def check(self) -> None:
        """Do nothing: the server need not run when this one starts."""

    def memory(self) -> int:
        """Returns 0: there is no process."""
        return 0

    async def stop(self) -> None:
        """Close all connections; running answers fail with Unavailable."""
        await self.endpoint.stop()

    async def _begun(self, request: dict[str, Any]) -> _Answer:
        answer = _Answer(self.endpoint, self._settings)
        try:
            await answer.begin(request)
        except BaseException:
            await answer.close()
            raise
        return answer


class _Answer:
    """One answer that arrives. `first` is what came first, `complete` whether all of it has come."""

    def __init__(self, endpoint: Endpoint, settings: UpstreamChatSettings) -> None:
        self._endpoint, self._settings = endpoint, settings
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + settings.answer_timeout
        self._body: Body | None = None
        self._events, self._reader = EventReader(_EVENT_BYTES), AnswerReader()
        self._failure: Failed | None = None
        self.first: list[Delta] = []
        self.complete = False

    async def begin(self, request: dict[str, Any]) -> None:
        """Send the request and wait for the first delta. Raises Failed."""
        deadline = min(self._loop.time() + self._settings.timeout, self._deadline)
        response = await self._endpoint.post("/chat/completions", request, deadline)
        self._body = self._endpoint.body(response, self._settings.max_answer_bytes)
        media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media == "application/json":
            self.first = await self._whole(self._body)
        elif media in _STREAMS:
            self.first = await self._next(self._body, deadline, _NO_BEGIN)
        else:
            raise self._endpoint.failures.broken("its content type is not text/event-stream")

    async def next(self) -> list[Delta]:
        """Returns what has arrived since. Raises Failed."""
        assert self._body is not None  # noqa: S101, begun
        return await self._next(self._body, self._loop.time() + self._settings.timeout, _NO_MORE)

    async def close(self) -> None:
        """Close the connection, unless the answer is complete and the connection can be used again."""
        body, self._body = self._body, None
        if body is not None:
            if self.complete:
                self._endpoint.release(body)
            else:
                await self._endpoint.close(body)

    async def _next(self, body: Body, deadline: float, what: str) -> list[Delta]:
        reader, found = self._reader, list[Delta]()
        if self._failure is not None:
            raise self._failure
        while not found:
            if reader.finish is not None:
                deadline = min(deadline, self._loop.time() + _USAGE_SECONDS)
            piece = await self._piece(body, deadline, what)
            try:
                self._read(piece, found)
            except Failed as failed:
                if not found:
                    raise
                self._failure = failed  # the caller gets what was before it
                break
            if reader.moved:
                deadline = self._loop.time() + self._settings.timeout
        return found

    def _read(self, piece: bytes | None, found: list[Delta]) -> None:
        """Add the deltas of the next bytes to `found`. Raises Failed, when those before have been added."""
        reader, failures = self._reader, self._endpoint.failures
        try:
            if piece is not None:
                reader.read(self._events.feed(piece) if piece else self._events.end(), found)
            if reader.ended or not piece:
                found += reader.last()
                self.complete = True
        except TooLong:
            raise failures.broken("an event is too large") from None
        except WrongForm as wrong:
            raise self._ended(wrong) from None
        except ErrorInAnswer as error:
            raise failures.of_error(error.body) from None

    async def _piece(self, body: Body, deadline: float, what: str) -> bytes | None:
        """Returns the next bytes, b"" at the end; None if no usage comes after an answer that is complete."""
        endpoint = self._endpoint
        try:
            async with asyncio.timeout_at(min(deadline, self._deadline)):
                return await body.next()
        except TimeoutError:
            if self._reader.finish is not None:
                return None
            if self._loop.time() >= self._deadline:
                raise endpoint.failures.late("did not end its answer", self._settings.answer_timeout) from None
            raise endpoint.failures.late(what, self._settings.timeout) from None
        except TooLarge:
            raise endpoint.failures.broken("it is too large") from None
        except (httpx2.HTTPError, OSError) as error:
            if self._reader.finish is not None:
                return None
            raise self._cut(error) from None

    def _cut(self, error: BaseException) -> Failed:
        endpoint = self._endpoint
        if endpoint.stopped:
            return stopping()
        if self.first:
            return endpoint.failures.broken("the connection broke in the middle of it")
        return endpoint.failures.connection(error)

    def _ended(self, wrong: WrongForm) -> Failed:
        # `stop` closes the connections, after which a body looks as if it had ended.
        return stopping() if self._endpoint.stopped else self._endpoint.failures.broken(str(wrong))

    async def _whole(self, body: Body) -> list[Delta]:
        """Returns an answer of a server that does not stream."""
        deadline = min(self._loop.time() + self._settings.timeout, self._deadline)
        pieces: list[bytes] = []
        while piece := await self._piece(body, deadline, _NO_BEGIN):
            pieces.append(piece)
        try:
            found = self._reader.whole(await parsed(b"".join(pieces)))
        except WrongForm as wrong:
            raise self._ended(wrong) from None
        except ValueError:
            raise self._endpoint.failures.broken("it is not JSON") from None
        except ErrorInAnswer as error:
            raise self._endpoint.failures.of_error(error.body) from None
        self.complete = True
        return found


def _text(message: Message) -> str:
    return message.content + "".join(f"{call.name}{call.arguments}" for call in message.tool_calls)
