"""One call of ChatStream: its messages go into the store, and the channel's messages come back.

Owns the order of events of one ChatStream. Knows no wire and no context.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from artificer.chat.v1 import message_service_pb2 as pb

from ..kit.errors import Fault, Invalid, ServiceError, Unavailable
from .engine import Chat, Start
from .hub import Reader
from .store import id_of
from .stream_defaults import StreamDefaults
from .translate import STATUSES, message_out

# Refusals and repeated acknowledgements that the caller has not read; at this many its requests are no longer read.
_UNREAD = 64
_FIRST_ONLY = ("after", "history_size", "include_files")

Requests = AsyncIterator[pb.ChatStreamRequest]


class Conversation:
    """One call of ChatStream."""

    def __init__(self, chat: Chat) -> None:
        self._chat, self._defaults = chat, StreamDefaults(chat)
        self._own: deque[pb.ChatStreamResponse] = deque()  # events for the caller alone
        self._room = asyncio.Event()
        self._position = 0
        self._latest = 0  # the newest message of the caller's own

    async def run(self, requests: Requests) -> AsyncGenerator[pb.ChatStreamResponse]:
        """Yield events until the caller has ended its side and received its own messages. Raises ServiceError."""
        try:
            first = await anext(requests)
        except StopAsyncIteration:
            raise Invalid(Fault("channel", "must be named by a first message")) from None
        self._defaults.note(first)
        start = Start(after=first.after, history=first.history_size)
        files = first.include_files
        async with self._chat.listen(self._defaults.channel, start, files=files) as (listening, reader):
            joined = pb.Joined(channel=self._defaults.channel, last_id=id_of(listening.last))
            yield pb.ChatStreamResponse(joined=joined)
            hearing = asyncio.create_task(self._hear(first, requests, reader), name="chat-hear")
            hearing.add_done_callback(lambda _: reader.poke())
            try:
                async with aclosing(self._events(hearing, reader, files=files)) as events:
                    async for event in events:
                        yield event
            finally:
                hearing.cancel()
                await asyncio.gather(hearing, return_exceptions=True)

    async def _events(
        self, hearing: asyncio.Task[None], reader: Reader, *, files: bool
    ) -> AsyncGenerator[pb.ChatStreamResponse]:
        while True:
            while self._own:
                yield self._own.popleft()
                self._room.set()
            if hearing.done():
                hearing.result()  # an error in the requests ends the call
                if reader.place >= self._latest and not self._own:
                    return
            for message in await reader.next():
                yield pb.ChatStreamResponse(message=message_out(message, user=True, files=files))

    async def _hear(self, first: pb.ChatStreamRequest, requests: Requests, reader: Reader) -> None:
        """Store the caller's messages, one after the other."""
        if first.content or first.files or first.request_id:
            await self._take(first, reader)
        else:
            self._position += 1  # it only joined
        async for request in requests:
            await self._take(request, reader)

    async def _take(self, request: pb.ChatStreamRequest, reader: Reader) -> None:
        self._position += 1
        try:
            if self._position > 1:
                self._refuse_late(request)
            done = await self._chat.send(self._defaults.draft(request))
        except Unavailable:
            raise  # nothing is wrong with this message: the call ends, and the caller may retry
        except ServiceError as error:
            refusal = pb.Refusal(
                request_id=request.request_id, position=self._position, status=STATUSES.status_of(error)
            )
            await self._tell(pb.ChatStreamResponse(refusal=refusal), reader)
            return
        if not done.fresh and done.message.sequence <= reader.place:
            # It was delivered before, to this call or to an earlier one that was cut; the sender still needs it.
            message = message_out(done.message, user=True, files=False)
            await self._tell(pb.ChatStreamResponse(message=message), reader)
            return
        self._latest = max(self._latest, done.message.sequence)

    def _refuse_late(self, request: pb.ChatStreamRequest) -> None:
        late = [name for name in _FIRST_ONLY if getattr(request, name)]
        if late:
            raise Invalid(*(Fault(name, "may be set in the first message of the stream only") for name in late))

    async def _tell(self, event: pb.ChatStreamResponse, reader: Reader) -> None:
        while len(self._own) >= _UNREAD:
            self._room.clear()
            await self._room.wait()
        self._own.append(event)
        reader.poke()
