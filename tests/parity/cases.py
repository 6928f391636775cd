"""The calls that must end alike on every face: one row per call, each method of the kitchen sink at least once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.api import httpbody_pb2
from google.protobuf import empty_pb2, json_format
from google.protobuf.message import Message

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.parity.faces import Metadata


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call and its end; `code` detects faces that are wrong in the same way."""

    name: str
    method: str
    requests: Sequence[Message]
    metadata: Metadata = ()
    code: str = "OK"
    count: int = 1
    """The number of answers, including those before an error."""

    def __str__(self) -> str:
        return self.name


DISH = {"id": "7", "title": "Süßes ☃", "priceCents": "450", "tags": ["a"], "rating": 4.5, "cookTime": "3s"}
ECHO = {
    "int64Value": "-9223372036854775808",
    "doubleValue": "NaN",
    "bytesValue": "AAH/",
    "course": "COURSE_MAIN",
    "ingredient": {"name": "salt", "byHand": 3, "parts": [{"grams": 0.1}]},
    "labels": {"a": "b"},
    "counts": {"-1": "2"},
    "pantry": {"x": {"name": "y"}},
    "timestamp": "2026-01-31T12:00:00.500Z",
    "duration": "1.500s",
    "mask": "a,bC",
    "wrappedInt64": "0",
    "struct": {"a": [1, None, {"b": True}]},
    "value": None,
    "list": [1, "a"],
    "maybeInt": 0,
    "choiceString": "",
    "any": {"@type": "type.googleapis.com/kitchen.v1.Ingredient", "name": "z"},
}
# Every form of metadata: plain, repeated, and bytes that are not text.
ASKED: Metadata = (("x-asked", "a b"), ("x-twice", "1"), ("x-twice", "2"), ("x-raw-bin", b"\x00\xff,="))


def _read(made: type[Message], value: Any) -> Any:
    return json_format.ParseDict(value, made())


def _body(data: bytes) -> httpbody_pb2.HttpBody:
    return httpbody_pb2.HttpBody(content_type="image/png", data=data)


def _ticks(*numbers: int) -> list[pb.TickResponse]:
    return [pb.TickResponse(number=number, text="ö" * (number % 3)) for number in numbers]


def _fail(code: grpc.StatusCode, how: str, message: str = "no söup\n%") -> Case:
    request = pb.FailRequest(code=code.value[0], message=message, how=how, retry_seconds=1.5)
    name = f"Fail-{code.name}-{how}"
    return Case(name=name, method="Fail", requests=[request], metadata=ASKED, code=code.name, count=0)


def _row(name: str, *requests: Message, code: str = "OK", count: int = 1, metadata: Metadata = ()) -> Case:
    method = name.partition("-")[0]
    return Case(name=name, method=method, requests=requests, code=code, count=count, metadata=metadata)


UNARY = [
    _row("GetDish", pb.GetDishRequest(dish_id="é/1 ?#%"), metadata=ASKED),
    _row("GetDish-by-name", pb.GetDishRequest(name="kitchens/a/dishes/b")),
    _row("GetDish-missing", pb.GetDishRequest(dish_id="missing"), code="NOT_FOUND", count=0),
    _row("GetSpecial-plain-def", empty_pb2.Empty()),
    _row("ListDishes", pb.ListDishesRequest(page_size=3, courses=[pb.COURSE_STARTER, pb.COURSE_MAIN])),
    _row("CreateDish-initial-metadata", pb.CreateDishRequest(dish=_read(pb.Dish, DISH), dish_id="7")),
    _row("UpdateDish", pb.UpdateDishRequest(dish=_read(pb.Dish, DISH))),
    _row("ReplaceDish", _read(pb.Dish, DISH)),
    _row("DeleteDish-empty-answer", pb.GetDishRequest(dish_id="7")),
    _row("PurgeDish", pb.GetDishRequest(dish_id="7")),
    _row("CookDish", pb.CookDishRequest(dish_id="7", portions=2)),
    _row("Echo-everything", _read(pb.EchoRequest, ECHO)),
    _row("Echo-empty", pb.EchoRequest()),
    _row("EchoList", pb.EchoRequest(strings=["b", "a"])),
    _row("EchoMap", pb.EchoRequest(labels={"a": "b"})),
    _row("EchoScalar", pb.EchoRequest(int64_value=-5)),
    _row("EchoBytes", pb.EchoRequest(bytes_value=b"\0\xff")),
    _row("GetFile", pb.GetFileRequest(path="docs/a b", drive="d", revision=4)),
    _row("UploadBlob", pb.UploadBlobRequest(data=b"\xff" * 300_000, title="t", content_type="image/png")),
    _row("MirrorBody", _body(bytes(range(256)) * 512)),
    _row("StoreBody", pb.StoreBodyRequest(name="n", body=_body(b"\x02"))),
    _row("Inspect-both-metadata", pb.InspectRequest(header="höher", trailer="später, mehr"), metadata=ASKED),
    _row("Unbound", pb.GetDishRequest(dish_id="7")),
]
SERVER_STREAMS = [
    _row("Tick", pb.TickRequest(count=3), count=3, metadata=ASKED),
    _row("Tick-many", pb.TickRequest(count=500), count=500),
    _row("Tick-none", pb.TickRequest(), count=0),
    _row("Tick-fails-at-once", pb.TickRequest(fail_after=-1), code="FAILED_PRECONDITION", count=0, metadata=ASKED),
    _row("Tick-fails-later", pb.TickRequest(count=5, fail_after=2), code="DATA_LOSS", count=2, metadata=ASKED),
    _row("Download", pb.TickRequest(count=2), count=2),
]
CLIENT_STREAMS = [
    _row("Sum", *_ticks(1, 2, 3), metadata=ASKED),
    _row("Sum-of-many", *_ticks(*range(500))),
    _row("Sum-of-none"),
    _row("Collect", _body(b"\0" * 100_000), _body(b"\xff" * 100_000)),
]
BIDI_STREAMS = [
    _row("Converse", *_ticks(3, 1, 2), count=3, metadata=ASKED),
    _row("Converse-much", *_ticks(*range(200)), count=200),
    _row("Converse-of-none", count=0),
    _row("Relay", _body(b"\0" * 100_000), _body(b"\xff" * 100_000), count=2),
]
ERRORS = [
    _fail(code, how)
    for code in grpc.StatusCode
    for how in ("abort", "status", "set_code")
    if code is not grpc.StatusCode.OK
]
CASES = [*UNARY, *SERVER_STREAMS, *CLIENT_STREAMS, *BIDI_STREAMS, *ERRORS]
# Methods without a row: they wait until a test releases them.
ASIDE = {"Wait"}
