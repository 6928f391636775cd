"""The servicer of artificer.chat.v1.MessageService: maps protos to the engine and back.

Owns the mapping of fields and the order of a stream of sends; ChatStream is in `conversation`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import aclosing

from artificer.chat.v1 import message_service_pb2 as pb
from artificer.chat.v1 import message_service_pb2_grpc

from ..kit.client_stream import ClientStream, Unreadable
from ..kit.errors import Fault, Invalid, ServiceError
from ..kit.metadata import LAST_EVENT_ID, metadata_value, sse_id_field
from ..kit.statuses import Context
from .conversation import Conversation
from .engine import Chat, Start, settled
from .store import Appended
from .stream_defaults import StreamDefaults
from .translate import STATUSES, message_out

_IN_FLIGHT = 256  # the most sends of one stream that wait to be stored


class MessageServicer(message_service_pb2_grpc.MessageServiceServicer):
    """Serves MessageService from a Chat."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def GetMessage(self, request: pb.GetMessageRequest, context: Context) -> pb.Message:
        async with STATUSES.abort_on_error(context):
            found = await self._chat.get(request.channel, request.id, files=request.include_files)
        return message_out(found, user=request.include_user, files=request.include_files)

    async def ListMessages(self, request: pb.ListMessagesRequest, context: Context) -> pb.ListMessagesResponse:
        async with STATUSES.abort_on_error(context):
            found, token = await self._chat.page(
                request.channel,
                size=request.page_size,
                token=request.page_token,
                order=request.order_by,
                files=request.include_files,
            )
        messages = [message_out(one, user=request.include_user, files=request.include_files) for one in found]
        return pb.ListMessagesResponse(messages=messages, next_page_token=token)

    async def StreamMessages(self, request: pb.StreamMessagesRequest, context: Context) -> AsyncIterator[pb.Message]:
        files, user = request.include_files, request.include_user
        async with (
            STATUSES.abort_on_error(context),
            self._chat.listen(request.channel, _start(request, context), files=files) as (_, reader),
        ):
            await context.send_initial_metadata(sse_id_field("id"))
            while True:
                for message in await reader.next():
                    yield message_out(message, user=user, files=files)

    async def SendMessages(
        self, request_iterator: AsyncIterator[pb.SendMessagesRequest], context: Context
    ) -> pb.SendMessagesResponse:
        sending, requests = _SendStream(self._chat), ClientStream(request_iterator)
        try:
            try:
                async for request in requests:
                    await sending.add(request)
                requests.expect_any("content")
            except Unreadable:
                await sending.finish()
                raise
            await sending.finish()
        except (ServiceError, Unreadable) as error:
            sent = len(sending.answer.ids)
            facts = {"position": str(sent + 1), "stored": str(sent)}
            prefix = f"message {sent + 1} of the stream was refused, after {sent} stored: "
            await STATUSES.abort(context, error, prefix if requests.position else "", **facts)
        finally:
            sending.abandon()
        return sending.answer

    async def ChatStream(
        self, request_iterator: AsyncIterator[pb.ChatStreamRequest], context: Context
    ) -> AsyncIterator[pb.ChatStreamResponse]:
        conversation, requests = Conversation(self._chat), ClientStream(request_iterator)
        try:
            async with STATUSES.abort_on_error(context), aclosing(conversation.run(requests)) as events:
                async for event in events:
                    yield event
        except Unreadable as error:
            facts = {"position": str(requests.position), "stored": str(conversation.stored)}
            prefix = f"message {requests.position} of the stream was refused, after {conversation.stored} stored: "
            await STATUSES.abort(context, error, prefix, **facts)


class _SendStream:
    """A stream of messages being stored; its answer grows as they are stored, in order."""

    def __init__(self, chat: Chat) -> None:
        self.answer = pb.SendMessagesResponse()
        self._chat, self._defaults = chat, StreamDefaults(chat)
        self._waiting: deque[asyncio.Future[Appended]] = deque()
        self._count = 0

    async def add(self, request: pb.SendMessagesRequest) -> None:
        """Submit the next message. Raises ServiceError for the first message that is refused."""
        self._count += 1
        try:
            if self._count > self._chat.settings.max_send:
                limit = self._chat.settings.max_send
                raise Invalid(Fault("", f"the stream has more than {limit} messages; send the rest in another stream"))
            draft = self._defaults.draft(request)
        except ServiceError:
            await self.finish()  # so that the error of an earlier message is reported first
            raise
        self._waiting.append(self._chat.submit(draft))
        if len(self._waiting) >= _IN_FLIGHT:
            await self._settle()

    async def finish(self) -> None:
        """Wait until all messages are stored."""
        while self._waiting:
            await self._settle()

    def abandon(self) -> None:
        """Cancel the sends that are still waiting; there are none after `finish`."""
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
    # The header takes precedence: a browser that reconnects repeats the URL with its old `after`.
    if last := metadata_value(context, LAST_EVENT_ID):
        return Start(after=last, history=history, field=LAST_EVENT_ID)
    return Start(after=request.after, history=history)
