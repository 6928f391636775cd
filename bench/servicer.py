"""The servicer behind every server that speaks protobuf: the gateway, plain grpc.aio, FastAPI with json_format."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.api import httpbody_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from bench.records import BY_ID, STORE, STREAM_PAUSE_SECONDS, Record
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc

Context = grpc.aio.ServicerContext[Any, Any]


def dish(record: Record) -> pb.Dish:
    """Returns a record as a message."""
    return pb.Dish(
        id=record.id,
        title=record.title,
        price_cents=record.price_cents,
        course=record.course,  # type: ignore[arg-type]  # the store keeps the number
        tags=record.tags,
        create_time=Timestamp(seconds=int(record.created.timestamp())),
        rating=record.rating,
    )


def fill(message: pb.Dish, record: Record) -> None:
    """Sets the fields of a message that exists, such as one that a repeated field has added."""
    message.id = record.id
    message.title = record.title
    message.price_cents = record.price_cents
    message.course = record.course  # type: ignore[assignment]  # the store keeps the number
    message.tags.extend(record.tags)
    message.create_time.seconds = int(record.created.timestamp())
    message.rating = record.rating


class Kitchen(pb_grpc.KitchenServiceServicer):
    """Answers from the records."""

    async def GetDish(self, request: pb.GetDishRequest, context: Context) -> pb.Dish:
        response = pb.Dish()
        fill(response, BY_ID[request.dish_id])
        return response

    async def ListDishes(self, request: pb.ListDishesRequest, context: Context) -> pb.ListDishesResponse:
        response = pb.ListDishesResponse()
        for record in STORE:
            fill(response.dishes.add(), record)
        return response

    async def CreateDish(self, request: pb.CreateDishRequest, context: Context) -> pb.Dish:
        request.dish.id = "new"
        return request.dish

    async def UploadBlob(self, request: pb.UploadBlobRequest, context: Context) -> pb.UploadBlobResponse:
        return pb.UploadBlobResponse(size=len(request.data))

    async def StoreBody(self, request: pb.StoreBodyRequest, context: Context) -> httpbody_pb2.HttpBody:
        return httpbody_pb2.HttpBody(content_type="text/plain", data=b"%d" % len(request.body.data))

    async def Tick(self, request: pb.TickRequest, context: Context) -> AsyncIterator[pb.TickResponse]:
        if request.count:
            for number in range(request.count):
                yield pb.TickResponse(number=number, text="tick")
            return
        yield pb.TickResponse(number=1, text="tick")
        await asyncio.sleep(STREAM_PAUSE_SECONDS)
        yield pb.TickResponse(number=2, text="tick")


class CopyingKitchen(Kitchen):
    """Makes the messages of a list first: the response then holds copies of them."""

    async def ListDishes(self, request: pb.ListDishesRequest, context: Context) -> pb.ListDishesResponse:
        return pb.ListDishesResponse(dishes=[dish(record) for record in STORE])


def kitchen() -> Kitchen:
    """Returns the servicer; methods that it does not implement answer UNIMPLEMENTED."""
    return Kitchen()  # type: ignore[abstract]  # the stubs ask for every method, the generated base class does not
