"""gRPC by grpcio itself: the reference for all other faces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from tests.parity.faces import Metadata, OnAnswer, only
from tests.parity.outcome import (
    Outcome,
    metadata,
    method_of,
    path_of,
    printed,
    request_class,
    response_class,
    rich_details,
)


class GrpcFace:
    """Opens a channel to the kitchen."""

    def __init__(self, name: str, channel: grpc.aio.Channel) -> None:
        self.name = name
        self._channel = channel

    def can(self, method: MethodDescriptor, *, duplex: bool = False) -> bool:
        """gRPC has every kind."""
        return True

    async def call(
        self,
        method: str,
        requests: AsyncIterator[Message],
        *,
        metadata: Metadata = (),
        seconds: float | None = None,
        on_answer: OnAnswer | None = None,
    ) -> Outcome:
        """Calls a method through the channel."""
        call = await self._begin(method, requests, tuple(metadata), seconds)
        answers: list[Message] = []
        try:
            if method_of(method).server_streaming:
                async for answer in call:
                    answers.append(answer)
                    if on_answer:
                        await on_answer(answer)
            else:
                answers.append(await call)
        except grpc.aio.AioRpcError as failed:
            return await _outcome(call, answers, failed)
        finally:
            call.cancel()
        return await _outcome(call, answers, None)

    async def _begin(
        self, name: str, requests: AsyncIterator[Message], metadata: Metadata, seconds: float | None
    ) -> Any:
        method = method_of(name)
        kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
        multi = getattr(self._channel, kind)(
            path_of(name),
            request_serializer=request_class(name).SerializeToString,
            response_deserializer=response_class(name).FromString,
        )
        asked = requests if method.client_streaming else await only(requests)
        return multi(asked, metadata=metadata, timeout=seconds)


async def _outcome(call: Any, answers: list[Message], failed: grpc.aio.AioRpcError | None) -> Outcome:
    initial = tuple(await call.initial_metadata() or ())
    trailing = tuple(await call.trailing_metadata() or ())
    rich = dict(trailing).get("grpc-status-details-bin")
    return Outcome(
        code=failed.code().name if failed else "OK",
        message=(failed.details() or "") if failed else "",
        details=rich_details(rich if isinstance(rich, bytes) else None),
        answers=[printed(answer) for answer in answers],
        headers=metadata(initial),
        trailers=metadata(trailing),
    )
