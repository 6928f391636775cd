"""FastAPI with Pydantic models, written by hand as its documentation teaches, with the same answers as the proto's.

Fields have their JSON names and int64 is a string, so that neither needs an alias or a converter.
"""
# ruff: noqa: N815

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Literal

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel

from bench.records import BY_ID, STORE, STREAM_PAUSE_SECONDS, Record
from bench.servers.listen import serve

Course = Literal["COURSE_UNSPECIFIED", "COURSE_STARTER", "COURSE_MAIN", "COURSE_DESSERT"]
COURSES: tuple[Course, ...] = ("COURSE_UNSPECIFIED", "COURSE_STARTER", "COURSE_MAIN", "COURSE_DESSERT")


class Ingredient(BaseModel):
    """One ingredient of a dish."""

    name: str = ""
    grams: float = 0.0
    parts: list[Ingredient] = []
    byHand: int | None = None
    byScale: str | None = None


class Dish(BaseModel):
    """A dish on the menu."""

    id: str = ""
    title: str = ""
    priceCents: str = "0"
    course: Course = "COURSE_UNSPECIFIED"
    tags: list[str] = []
    ingredients: list[Ingredient] = []
    labels: dict[str, str] = {}
    createTime: datetime | None = None
    cookTime: str | None = None
    rating: float | None = None
    oldTitle: str = ""


class Dishes(BaseModel):
    """A page of dishes."""

    dishes: list[Dish]
    nextPageToken: str = ""


class Blob(BaseModel):
    """A blob in its JSON form."""

    data: str
    contentType: str = ""


class Stored(BaseModel):
    """The result of an upload."""

    size: str
    sha256: str = ""
    contentType: str = ""
    title: str = ""
    tags: list[str] = []


class Tick(BaseModel):
    """One tick."""

    number: str
    text: str


app = FastAPI()


def dish(record: Record) -> Dish:
    """Returns a record as a model."""
    return Dish(
        id=record.id,
        title=record.title,
        priceCents=str(record.price_cents),
        course=COURSES[record.course],
        tags=list(record.tags),
        createTime=record.created,
        rating=record.rating,
    )


@app.get("/v1/dishes/{dish_id}", response_model_exclude_none=True)
async def get_dish(dish_id: str) -> Dish:
    return dish(BY_ID[dish_id])


@app.get("/v1/dishes", response_model_exclude_none=True)
async def list_dishes() -> Dishes:
    return Dishes(dishes=[dish(record) for record in STORE])


@app.post("/v1/dishes", response_model_exclude_none=True)
async def create_dish(created: Dish) -> Dish:
    created.id = "new"
    return created


@app.post("/v1/blobs")
async def upload_blob(blob: Blob) -> Stored:
    return Stored(size=str(len(base64.b64decode(blob.data))))


@app.put("/v1/stored/{name}")
async def store_body(name: str, request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


@app.get("/v1/ticks")
async def ticks(count: int = 0) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        if count:
            for number in range(count):
                yield Tick(number=str(number), text="tick").model_dump_json() + "\n"
            return
        yield Tick(number="1", text="tick").model_dump_json() + "\n"
        await asyncio.sleep(STREAM_PAUSE_SECONDS)
        yield Tick(number="2", text="tick").model_dump_json() + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


if __name__ == "__main__":
    serve(app)
