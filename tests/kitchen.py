"""The kitchen sink's servicer: one behaviour for every kind of call, for the tests of all faces.

Tests control waiting and ticking by events, never by time.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import grpc
from google.api import httpbody_pb2
from google.protobuf import duration_pb2, empty_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from diptych.status import CODE_BY_NUMBER, pack
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc

Context = grpc.aio.ServicerContext[Any, Any]


class Kitchen(pb_grpc.KitchenServiceServicer):
    """Builds answers from requests, and records the fate of its calls."""

    def __init__(self) -> None:
        self.waiting: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.released: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.cancelled: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.steps: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(0))
        self.updates: list[pb.UpdateDishRequest] = []
        self.lists: list[pb.ListDishesRequest] = []

    async def GetDish(self, request: pb.GetDishRequest, context: Context) -> pb.Dish:
        if request.dish_id == "missing":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such dish")
        return pb.Dish(id=request.dish_id or request.name, title="Soup")

    def GetSpecial(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> pb.Dish:
        return pb.Dish(id="special", title="Stew")

    async def ListDishes(self, request: pb.ListDishesRequest, context: Context) -> pb.ListDishesResponse:
        self.lists.append(request)
        size = min(max(request.page_size, 0) or 100, 1000)  # AIP-158: a page size above the maximum is reduced to it
        return pb.ListDishesResponse(dishes=[pb.Dish(id=str(number), title="Soup") for number in range(size)])

    async def CreateDish(self, request: pb.CreateDishRequest, context: Context) -> pb.Dish:
        dish = request.dish
        dish.id = request.dish_id or "new"
        await context.send_initial_metadata((("x-http-code", "201"), ("location", f"/v1/dishes/{quote(dish.id)}")))
        return dish

    async def UpdateDish(self, request: pb.UpdateDishRequest, context: Context) -> pb.Dish:
        self.updates.append(request)
        return request.dish

    async def ReplaceDish(self, request: pb.Dish, context: Context) -> pb.Dish:
        return request

    async def DeleteDish(self, request: pb.GetDishRequest, context: Context) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    async def CookDish(self, request: pb.CookDishRequest, context: Context) -> pb.CookDishResponse:
        return pb.CookDishResponse(dish_id=request.dish_id, portions=request.portions)

    async def Echo(self, request: pb.EchoRequest, context: Context) -> pb.EchoRequest:
        return request

    EchoList = EchoMap = EchoScalar = EchoBytes = Echo

    async def GetFile(self, request: pb.GetFileRequest, context: Context) -> pb.GetFileResponse:
        return pb.GetFileResponse(path=request.path, drive=request.drive, revision=request.revision)

    async def UploadBlob(self, request: pb.UploadBlobRequest, context: Context) -> pb.UploadBlobResponse:
        return pb.UploadBlobResponse(
            size=len(request.data),
            sha256=hashlib.sha256(request.data).hexdigest(),
            content_type=request.content_type,
            title=request.title,
            tags=request.tags,
            dish=request.dish if request.HasField("dish") else None,
        )

    async def MirrorBody(self, request: httpbody_pb2.HttpBody, context: Context) -> httpbody_pb2.HttpBody:
        return request

    async def StoreBody(self, request: pb.StoreBodyRequest, context: Context) -> httpbody_pb2.HttpBody:
        return request.body

    async def PurgeDish(self, request: pb.GetDishRequest, context: Context) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    async def Fail(self, request: pb.FailRequest, context: Context) -> empty_pb2.Empty:
        code = CODE_BY_NUMBER[request.code]
        context.set_trailing_metadata((("x-kitchen", "closed"),))
        if request.how == "raise":
            raise RuntimeError(f"secret: {request.message}")
        if request.how == "status":
            details = [error_details_pb2.ErrorInfo(reason="BURNT", domain="kitchen.test")]
            if request.retry_seconds:
                delay = duration_pb2.Duration()
                delay.FromMicroseconds(int(request.retry_seconds * 1e6))
                details.append(error_details_pb2.RetryInfo(retry_delay=delay))  # type: ignore[arg-type]
            rich = status_pb2.Status(code=request.code, message=request.message, details=[pack(d) for d in details])
            await context.abort_with_status(rpc_status.to_status(rich))
        if request.how == "set_code":
            context.set_code(code)
            context.set_details(request.message)
            return empty_pb2.Empty()
        if request.how == "cancel":
            raise asyncio.CancelledError
        if request.how == "wrong_type":
            return pb.Dish()  # type: ignore[return-value]
        await context.abort(code, request.message, (("x-kitchen", "closed"),))
        raise AssertionError(code_pb2.Code.Name(request.code))  # pragma: no cover

    async def Inspect(self, request: pb.InspectRequest, context: Context) -> pb.InspectResponse:
        initial = []
        if request.http_code:
            initial.append(("x-http-code", str(request.http_code)))
        if request.header:
            initial.append(("x-header", quote(request.header)))
        if initial:
            await context.send_initial_metadata(tuple(initial))
        if request.trailer:
            context.set_trailing_metadata(
                (("x-trailer", quote(request.trailer)), ("x-trailer-bin", request.trailer.encode()))
            )
        metadata = {
            key: base64.b64encode(value).decode() if isinstance(value, bytes) else value
            for key, value in context.invocation_metadata() or ()
        }
        answer = pb.InspectResponse(metadata=metadata, peer=context.peer())
        left = context.time_remaining()
        if left is not None:
            answer.seconds_left = left
        return answer

    async def Wait(self, request: pb.WaitRequest, context: Context) -> empty_pb2.Empty:
        self.waiting[request.key].set()
        try:
            await self.released[request.key].wait()
        except asyncio.CancelledError:
            self.cancelled[request.key].set()
            raise
        return empty_pb2.Empty()

    async def Tick(self, request: pb.TickRequest, context: Context) -> AsyncIterator[pb.TickResponse]:
        try:
            for number in range(1, request.count + 1):
                if request.key:
                    self.waiting[request.key].set()
                    await self.steps[request.key].acquire()
                yield pb.TickResponse(number=number, text="tick")
                if number == request.fail_after:
                    await context.abort(grpc.StatusCode.DATA_LOSS, "the clock fell down")
            if request.fail_after < 0:
                await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the clock is not wound")
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled[request.key].set()
            raise

    async def Download(self, request: pb.TickRequest, context: Context) -> AsyncIterator[httpbody_pb2.HttpBody]:
        for number in range(1, request.count + 1):
            yield httpbody_pb2.HttpBody(content_type="text/csv", data=b"%d,tick\n" % number)
            if number == request.fail_after:
                await context.abort(grpc.StatusCode.DATA_LOSS, "the line broke")

    async def Sum(self, request_iterator: Any, context: Context) -> pb.TickResponse:
        total = sum([tick.number async for tick in request_iterator])
        return pb.TickResponse(number=(total + 2**63) % 2**64 - 2**63)  # wraps around, as int64 does

    async def Converse(self, request_iterator: Any, context: Context) -> AsyncIterator[pb.TickResponse]:
        async for tick in request_iterator:
            yield tick

    async def Collect(self, request_iterator: Any, context: Context) -> pb.UploadBlobResponse:
        digest, size, content_type = hashlib.sha256(), 0, ""
        async for piece in request_iterator:
            digest.update(piece.data)
            size += len(piece.data)
            content_type = content_type or piece.content_type
        return pb.UploadBlobResponse(size=size, sha256=digest.hexdigest(), content_type=content_type)

    async def Relay(self, request_iterator: Any, context: Context) -> AsyncIterator[httpbody_pb2.HttpBody]:
        async for piece in request_iterator:
            yield piece

    async def Unbound(self, request: pb.GetDishRequest, context: Context) -> pb.Dish:
        return pb.Dish(id=request.dish_id)
