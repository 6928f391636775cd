"""artificer.chat.v1.MessageService for gRPC: proto to engine and back.

Owns the mapping of fields, and what a stream of requests inherits from its first one. The conversation of ChatStream
is `conversation`'s.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import aclosing

from artificer.chat.v1 import message_service_pb2 as pb
from artificer.chat.v1 import message_service_pb2_grpc

from . import errors
from .conversation import Conversation
from .engine import Chat, Start, settled
from .statuses import Context, abort
from .store import Appended
from .stream_defaults import StreamDefaults
from .translate import message_out

_IN_FLIGHT = 256  # sends of one stream that wait for the same disk
# The gateway's name for "this field of each message is its event's id", for Server-Sent Events.
_EVENT_ID = (("x-sse-id-field", "id"),)
_LAST_EVENT_ID = "last-event-id"


class MessageServicer(message_service_pb2_grpc.MessageServiceServicer):
    """Serves MessageService from a Chat."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def GetMessage(self, request: pb.GetMessageRequest, context: Context) -> pb.Message:
        try:
            found = await self._chat.get(request.channel, request.id, files=request.include_files)
        except errors.ChatError as error:
            await abort(context, error)
        return message_out(found, user=request.include_user, files=request.include_files)

    async def ListMessages(self, request: pb.ListMessagesRequest, context: Context) -> pb.ListMessagesResponse:
        try:
            found, token = await self._chat.page(
                request.channel,
                size=request.page_size,
                token=request.page_token,
                order=request.order_by,
                files=request.include_files,
            )
        except errors.ChatError as error:
            await abort(context, error)
        messages = [message_out(one, user=request.include_user, files=request.include_files) for one in found]
        return pb.ListMessagesResponse(messages=messages, next_page_token=token)

    async def StreamMessages(self, request: pb.StreamMessagesRequest, context: Context) -> AsyncIterator[pb.Message]:
        files, user = request.include_files, request.include_user
        try:
            async with self._chat.listen(request.channel, _start(request, context), files=files) as (_, reader):
                await context.send_initial_metadata(_EVENT_ID)
                while True:
                    for message in await reader.next():
                        yield message_out(message, user=user, files=files)
        except errors.ChatError as error:
            await abort(context, error)

    async def SendMessages(
        self, request_iterator: AsyncIterator[pb.SendMessagesRequest], context: Context
    ) -> pb.SendMessagesResponse:
        sending = _Sending(self._chat)
        try:
            async for request in request_iterator:
                await sending.add(request)
            await sending.finish()
        except errors.ChatError as error:
            sent = len(sending.answer.ids)
            facts = {"position": str(sent + 1), "stored": str(sent)}
            await abort(context, error, f"message {sent + 1} of the stream, after {sent} that are stored: ", **facts)
        finally:
            sending.abandon()
        return sending.answer

    async def ChatStream(
        self, request_iterator: AsyncIterator[pb.ChatStreamRequest], context: Context
    ) -> AsyncIterator[pb.ChatStreamResponse]:
        try:
            async with aclosing(Conversation(self._chat).run(aiter(request_iterator))) as events:
                async for event in events:
                    yield event
        except errors.ChatError as error:
            await abort(context, error)


class _Sending:
    """A stream of messages on its way into the store; the answer grows as they arrive there, in order."""

    def __init__(self, chat: Chat) -> None:
        self.answer = pb.SendMessagesResponse()
        self._chat, self._defaults = chat, StreamDefaults(chat)
        self._waiting: deque[asyncio.Future[Appended]] = deque()
        self._count = 0

    async def add(self, request: pb.SendMessagesRequest) -> None:
        """Take the next message. Raises ChatError for the first of all that cannot be taken."""
        self._count += 1
        try:
            if self._count > self._chat.settings.max_send:
                limit = self._chat.settings.max_send
                raise errors.Invalid(errors.Fault("", f"{limit} messages are allowed in a stream; begin another one"))
            draft = self._defaults.draft(request)
        except errors.ChatError:
            await self.finish()  # those before it are stored, and the first that is refused is the one to tell of
            raise
        self._waiting.append(self._chat.submit(draft))
        if len(self._waiting) >= _IN_FLIGHT:
            await self._settle()

    async def finish(self) -> None:
        """Wait for all of them."""
        while self._waiting:
            await self._settle()

    def abandon(self) -> None:
        """Leave out what has not been begun; after a clean finish there is nothing."""
        for waiting in self._waiting:
            waiting.cancel()

    async def _settle(self) -> None:
        done = settled(await self._waiting.popleft())
        self.answer.ids.append(done.message.id)
        if done.fresh:
            self.answer.stored_count += 1
        else:
            self.answer.duplicate_count += 1


def _start(request: pb.StreamMessagesRequest, context: Context) -> Start:
    history = request.history_size if request.HasField("history_size") else None
    # The header is newer than the URL: a browser that connects again repeats the URL as it was.
    for key, value in context.invocation_metadata() or ():
        if key == _LAST_EVENT_ID and value:
            text = value if isinstance(value, str) else value.decode("latin-1")
            return Start(after=text, history=history, field=_LAST_EVENT_ID)
    return Start(after=request.after, history=history)
