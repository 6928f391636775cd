"""The fastest form of the hand-written FastAPI application: no response model, plain dicts, and orjson.

FastAPI validates nothing that it returns; a body is validated by its Pydantic model in one step, from the bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse

from bench.records import BY_ID, STORE, Record
from bench.servers.handwritten import COURSES, Dish
from bench.servers.listen import serve

app = FastAPI()


def reply(value: Any) -> Response:
    """Returns JSON without a response model."""
    return Response(orjson.dumps(value, option=orjson.OPT_UTC_Z), media_type="application/json")


def plain(record: Record) -> dict[str, Any]:
    """Returns a record as a dict."""
    return {
        "id": record.id,
        "title": record.title,
        "priceCents": str(record.price_cents),
        "course": COURSES[record.course],
        "tags": record.tags,
        "ingredients": [],
        "labels": {},
        "createTime": record.created,
        "rating": record.rating,
        "oldTitle": "",
    }


@app.get("/v1/dishes/{dish_id}")
async def get_dish(dish_id: str) -> Response:
    return reply(plain(BY_ID[dish_id]))


@app.get("/v1/dishes")
async def list_dishes() -> Response:
    return reply({"dishes": [plain(record) for record in STORE], "nextPageToken": ""})


@app.post("/v1/dishes")
async def create_dish(request: Request) -> Response:
    dish = Dish.model_validate_json(await request.body())
    dish.id = "new"
    return Response(dish.model_dump_json(exclude_none=True), media_type="application/json")


@app.get("/v1/ticks")
async def ticks(count: int) -> StreamingResponse:
    async def lines() -> AsyncIterator[bytes]:
        for number in range(count):
            yield orjson.dumps({"number": str(number), "text": "tick"}, option=orjson.OPT_APPEND_NEWLINE)

    return StreamingResponse(lines(), media_type="application/x-ndjson")


if __name__ == "__main__":
    serve(app)
