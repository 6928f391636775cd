"""FastAPI with google.protobuf.json_format around a direct call of the servicer, as usual for protobuf on REST."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from google.protobuf import json_format
from google.protobuf.message import Message

from bench.servers.listen import serve
from bench.servicer import kitchen as make_kitchen
from kitchen.v1 import kitchen_service_pb2 as pb

app = FastAPI()
kitchen = make_kitchen()
# The servicer does not use the context.
NO_CONTEXT: Any = None


def text(message: Message) -> str:
    """Returns a message as compact JSON."""
    return json_format.MessageToJson(message, always_print_fields_with_no_presence=True, indent=None)


def reply(message: Message) -> Response:
    """Returns a message as a response."""
    return Response(text(message), media_type="application/json")


@app.get("/v1/dishes/{dish_id}")
async def get_dish(dish_id: str) -> Response:
    return reply(await kitchen.GetDish(pb.GetDishRequest(dish_id=dish_id), NO_CONTEXT))


@app.get("/v1/dishes")
async def list_dishes() -> Response:
    return reply(await kitchen.ListDishes(pb.ListDishesRequest(), NO_CONTEXT))


@app.post("/v1/dishes")
async def create_dish(request: Request) -> Response:
    dish = json_format.Parse(await request.body(), pb.Dish())
    return reply(await kitchen.CreateDish(pb.CreateDishRequest(dish=dish), NO_CONTEXT))


@app.post("/v1/blobs")
async def upload_blob(request: Request) -> Response:
    blob = json_format.Parse(await request.body(), pb.UploadBlobRequest())
    return reply(await kitchen.UploadBlob(blob, NO_CONTEXT))


@app.put("/v1/stored/{name}")
async def store_body(name: str, request: Request) -> PlainTextResponse:
    stored = pb.StoreBodyRequest(name=name)
    stored.body.data = await request.body()
    return PlainTextResponse((await kitchen.StoreBody(stored, NO_CONTEXT)).data)


@app.get("/v1/ticks")
async def ticks() -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        async for tick in kitchen.Tick(pb.TickRequest(), NO_CONTEXT):
            yield text(tick) + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


if __name__ == "__main__":
    serve(app)
