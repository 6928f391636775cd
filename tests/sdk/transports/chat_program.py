"""A gateway to be killed: `python -m tests.sdk.transports.chat_program HTTP_PORT GRPC_PORT LAST`.

It prints its ports. A channel's stream has the messages 1 to LAST, whose ids are their numbers; then it waits, or ends
after 10. Uploads are counted, and say how many bytes came.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

from artificer.batch.v1 import batch_service_pb2 as batch
from artificer.batch.v1 import batch_service_pb2_grpc as batch_rpc
from artificer.chat.v1 import message_service_pb2 as chat
from artificer.chat.v1 import message_service_pb2_grpc as chat_rpc
from diptych import Gateway, Settings

END = 10


class Messages(chat_rpc.MessageServiceServicer):
    """A channel with numbered messages."""

    def __init__(self, last: int) -> None:
        self._last = last

    async def StreamMessages(self, request: chat.StreamMessagesRequest, context: Any) -> AsyncIterator[chat.Message]:
        for number in range(int(request.after or 0) + 1, self._last + 1):
            yield chat.Message(id=str(number))
        if self._last < END:
            await asyncio.Event().wait()

    async def ChatStream(
        self, requests: AsyncIterator[chat.ChatStreamRequest], context: Any
    ) -> AsyncIterator[chat.ChatStreamResponse]:
        async for request in requests:
            yield chat.ChatStreamResponse(message=chat.Message(id=request.content))


class Jobs(batch_rpc.BatchServiceServicer):
    """Takes uploads."""

    async def UploadBlob(self, requests: AsyncIterator[batch.UploadBlobRequest], context: Any) -> batch.Blob:
        size, kind = 0, ""
        async for request in requests:
            size, kind = size + len(request.content.data), kind or request.content.content_type
        return batch.Blob(id="b", size=size, content_type=kind)


async def serve(http_port: int, grpc_port: int, last: int) -> None:
    """Serves until it is killed."""
    gateway = Gateway(Settings(http_port=http_port, grpc_port=grpc_port))
    chat_rpc.add_MessageServiceServicer_to_server(Messages(last), gateway)  # type: ignore[abstract]
    batch_rpc.add_BatchServiceServicer_to_server(Jobs(), gateway)  # type: ignore[abstract]
    async with gateway:
        print(gateway.http_port, gateway.grpc_port, flush=True)  # noqa: T201, the program's answer
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(*map(int, sys.argv[1:])))
