"""One call of ChatStream: stores the caller's messages and returns the channel's.

Owns the order of events within one call. Knows no transport and no servicer context.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from artificer.chat.v1 import message_service_pb2 as pb

from ..kit.errors import Fault, Invalid, ServiceError, Unavailable
from .engine import Chat, Start
from .hub import ChannelReader
from .store import id_of
from .stream_defaults import StreamDefaults
from .translate import STATUSES, message_out

# The most refusals and repeated acknowledgements that wait to be read by the caller. Beyond it no further request is
# read, so that a caller that only writes cannot fill the memory.
_UNREAD = 64
_FIRST_ONLY = ("after", "history_size", "include_files")

Requests = AsyncIterator[pb.ChatStreamRequest]


class Conversation:
    """One call of ChatStream."""

    def __init__(self, chat: Chat) -> None:
        self.stored = 0
        """The number of the caller's messages that are stored."""
        self._chat, self._defaults = chat, StreamDefaults(chat)
        self._own: deque[pb.ChatStreamResponse] = deque()  # events for this caller only
        self._room = asyncio.Event()
        self._position = 0
        self._latest = 0  # the newest message that the caller sent

    async def run(self, requests: Requests) -> AsyncGenerator[pb.ChatStreamResponse]:
        """Yields events until the caller has half-closed and received its own messages. Raises ServiceError."""
        try:
            first = await anext(requests)
        except StopAsyncIteration:
            raise Invalid(
                Fault("channel", "must be set in the first message of the stream, but the stream has no messages")
            ) from None
        self._defaults.note(first)
        start = Start(after=first.after, history=first.history_size)
        files = first.include_files
        async with self._chat.listen(self._defaults.channel, start, files=files) as (listening, reader):
            joined = pb.Joined(channel=self._defaults.channel, last_id=id_of(listening.last))
            yield pb.ChatStreamResponse(joined=joined)
            receiving = asyncio.create_task(self._receive(first, requests, reader), name="chat-receive")
            receiving.add_done_callback(lambda _: reader.poke())
            try:
                async with aclosing(self._events(receiving, reader, files=files)) as events:
                    async for event in events:
                        yield event
            finally:
                receiving.cancel()
                await asyncio.gather(receiving, return_exceptions=True)

    async def _events(
        self, receiving: asyncio.Task[None], reader: ChannelReader, *, files: bool
    ) -> AsyncGenerator[pb.ChatStreamResponse]:
        while True:
            while self._own:
                yield self._own.popleft()
                self._room.set()
            if receiving.done():
                receiving.result()  # raises the error of a request, which ends the call
                if reader.place >= self._latest and not self._own:
                    return
            for message in await reader.next():
                yield pb.ChatStreamResponse(message=message_out(message, user=True, files=files))

    async def _receive(self, first: pb.ChatStreamRequest, requests: Requests, reader: ChannelReader) -> None:
        """Store the caller's messages one by one."""
        if first.content or first.files or first.request_id:
            await self._store(first, reader)
        else:
            self._position += 1  # the first message only joined the channel
        async for request in requests:
            await self._store(request, reader)

    async def _store(self, request: pb.ChatStreamRequest, reader: ChannelReader) -> None:
        self._position += 1
        try:
            if self._position > 1:
                self._refuse_late(request)
            done = await self._chat.send(self._defaults.draft(request))
        except Unavailable:
            raise  # not this message's fault: end the call, so that the caller may retry
        except ServiceError as error:
            refusal = pb.Refusal(
                request_id=request.request_id, position=self._position, status=STATUSES.status_of(error)
            )
            await self._emit(pb.ChatStreamResponse(refusal=refusal), reader)
            return
        self.stored += 1
        if not done.fresh and done.message.sequence <= reader.place:
            # It was delivered before, to this call or to an earlier one that broke off; the sender still waits for it.
            message = message_out(done.message, user=True, files=False)
            await self._emit(pb.ChatStreamResponse(message=message), reader)
            return
        self._latest = max(self._latest, done.message.sequence)

    def _refuse_late(self, request: pb.ChatStreamRequest) -> None:
        late = [name for name in _FIRST_ONLY if getattr(request, name)]
        if late:
            raise Invalid(*(Fault(name, "may only be set in the first message of the stream") for name in late))

    async def _emit(self, event: pb.ChatStreamResponse, reader: ChannelReader) -> None:
        while len(self._own) >= _UNREAD:
            self._room.clear()
            await self._room.wait()
        self._own.append(event)
        reader.poke()
