"""One call of Converse: takes the caller's messages in, and answers them one after another.

Owns the order of events within one call. Knows no transport and no protos.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from ...kit.errors import Fault, Invalid, ServiceError, Unavailable
from ..models.values import Options
from .answers import AnswerStreams
from .conversations import Conversations
from .errors import TooManyWaiting
from .values import AnswerEvent, Sending

# The most events that wait to be read by the caller. Beyond it no further message is read, so that a caller that only
# writes cannot fill the memory; the model generates on, since what it has is kept by the answer.
_UNREAD = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message or a command of the caller."""

    conversation: str = ""
    content: str = ""
    stop: bool = False
    options: Options = field(default_factory=Options)
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message was refused, or why its answer failed. `conversation` is what the message named."""

    error: ServiceError
    request_id: str = ""
    conversation: str = ""


DialogueEvent = AnswerEvent | Refusal


class Dialogues:
    """The open calls of Converse."""

    def __init__(self, conversations: Conversations, streams: AnswerStreams, *, max_waiting: int) -> None:
        self._conversations, self._streams, self._max_waiting = conversations, streams, max_waiting
        self._open: set[Dialogue] = set()
        self._ending = False

    def begin_shutdown(self) -> None:
        """End each call with `Unavailable` once it has no answer to give."""
        self._ending = True
        for one in self._open:
            one.end()

    async def run(
        self, said: AsyncIterator[Said | Refusal], caller: str
    ) -> AsyncGenerator[Sequence[DialogueEvent], None]:
        """Yields the events of one call. A `Refusal` that comes in is one of the message's form.

        Raises Invalid or NoConversation if the first message names no conversation, and the errors of `said`.
        """
        dialogue = Dialogue(self._conversations, self._streams, caller, self._max_waiting)
        if self._ending:
            dialogue.end()
        self._open.add(dialogue)
        try:
            async with aclosing(dialogue.run(said)) as events:
                async for batch in events:
                    yield batch
        finally:
            self._open.discard(dialogue)


class Dialogue:
    """One call of Converse."""

    def __init__(self, conversations: Conversations, streams: AnswerStreams, caller: str, max_waiting: int) -> None:
        self._conversations, self._streams, self._caller = conversations, streams, caller
        self._max_waiting = max_waiting
        self._conversation = ""
        self._waiting: deque[Said] = deque()
        self._busy = self._ending = False
        self._out: list[DialogueEvent] = []
        self._news, self._room, self._work = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def end(self) -> None:
        """End the call with `Unavailable` once it has no answer to give."""
        self._ending = True
        self._news.set()

    async def run(self, said: AsyncIterator[Said | Refusal]) -> AsyncGenerator[Sequence[DialogueEvent], None]:
        """Yields events until the caller has half-closed and every message is answered."""
        first = await self._first(said)
        receiving = asyncio.create_task(self._receive(first, said), name="converse-receive")
        answering = asyncio.create_task(self._answer(receiving), name="converse-answer")
        for task in (receiving, answering):
            task.add_done_callback(self._ended)
        try:
            while True:
                if events := self._out:
                    self._out = []
                    self._room.set()
                    yield events
                    continue
                if receiving.done():
                    receiving.result()  # raises the error of a message that cannot be read
                if answering.done():
                    answering.result()
                    return
                if self._ending and not self._busy and not self._waiting:
                    raise Unavailable("the server is stopping; connect again")
                self._news.clear()
                await self._news.wait()
        finally:
            for task in (receiving, answering):
                task.cancel()
            await asyncio.gather(receiving, answering, return_exceptions=True)

    def _ended(self, _: object) -> None:
        self._news.set()
        self._work.set()

    async def _first(self, said: AsyncIterator[Said | Refusal]) -> Said | Refusal:
        try:
            first = await anext(said)
        except StopAsyncIteration:
            text = "must be set in the first message of the stream, but the stream has no messages"
            raise Invalid(Fault("conversation", text)) from None
        if not first.conversation:
            raise Invalid(Fault("conversation", "must be set in the first message of the stream"))
        self._conversation = first.conversation
        await self._conversations.conversation(first.conversation)
        return first

    async def _receive(self, first: Said | Refusal, said: AsyncIterator[Said | Refusal]) -> None:
        if isinstance(first, Refusal) or first.content or first.stop or first.request_id:
            await self._take(first)  # otherwise it only named the conversation
        async for one in said:
            await self._take(one)

    async def _take(self, said: Said | Refusal) -> None:
        if isinstance(said, Refusal):
            await self._emit([said])
            return
        try:
            if said.conversation and said.conversation != self._conversation:
                text = f"must be {self._conversation!r}, as in the first message of the stream, or empty"
                raise Invalid(Fault("conversation", text))
            if said.content or not said.stop:
                self._streams.check(self._sending(said))
                if len(self._waiting) >= self._max_waiting:
                    raise TooManyWaiting(self._max_waiting)
            if said.stop:
                await self._streams.stop(self._conversation)
        except ServiceError as error:
            await self._emit([Refusal(error, said.request_id)])
            return
        if said.content:
            self._waiting.append(said)
            self._work.set()

    async def _answer(self, receiving: asyncio.Task[None]) -> None:
        while True:
            if self._waiting:
                self._busy = True
                await self._send(self._waiting.popleft())
                self._busy = False
                self._news.set()
            elif receiving.done():
                return
            else:
                self._work.clear()
                await self._work.wait()

    async def _send(self, said: Said) -> None:
        try:
            async with aclosing(self._streams.send(self._sending(said))) as events:
                async for batch in events:
                    await self._emit(batch)
        except ServiceError as error:
            await self._emit([Refusal(error, said.request_id)])

    def _sending(self, said: Said) -> Sending:
        return Sending(
            conversation=self._conversation,
            content=said.content,
            options=said.options,
            request_id=said.request_id,
            caller=self._caller,
        )

    async def _emit(self, events: Sequence[DialogueEvent]) -> None:
        while len(self._out) >= _UNREAD:
            self._room.clear()
            await self._room.wait()
        self._out.extend(events)
        self._news.set()
