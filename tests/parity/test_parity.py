"""Every method and error of the kitchen sink over REST and gRPC: same answer, code, message, details, trailers."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import grpc
import pytest
import pytest_asyncio
from google.api import httpbody_pb2
from google.protobuf import any_pb2, empty_pb2, json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from diptych.status import CODE_BY_NUMBER, HTTP_STATUS
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import ENGINES, Served, every_engine, serving

pytestmark = pytest.mark.asyncio(loop_scope="session")

assert error_details_pb2  # the pool must contain the details' types


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of a call over either face."""

    code: str = "OK"
    message: str = ""
    details: list[Any] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    """The messages as JSON, or a body's bytes and content type."""
    trailers: dict[str, str | bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call in its REST and gRPC forms."""

    method: str
    request: Message
    verb: str
    path: str
    body: Any = None
    http: int = 200

    def __str__(self) -> str:
        return f"{self.method} {self.verb} {self.path[:40]}"


DISH = {"title": "Soup", "priceCents": "450", "tags": ["a"], "rating": 4.5, "cookTime": "3s"}
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


def parse(made: type[Message], value: Any) -> Any:
    """Parses a message from JSON by protobuf's own parser."""
    return json_format.ParseDict(value, made())


def blob(data: bytes) -> httpbody_pb2.HttpBody:
    return httpbody_pb2.HttpBody(content_type="image/png", data=data)


METHODS = [
    Case(
        method="GetDish",
        request=pb.GetDishRequest(dish_id="é/1"),
        verb="GET",
        path=f"/v1/dishes/{quote('é/1', safe='')}",
    ),
    Case(
        method="GetDish",
        request=pb.GetDishRequest(name="kitchens/a/dishes/b"),
        verb="GET",
        path="/v1/kitchens/a/dishes/b",
    ),
    Case(
        method="GetDish", request=pb.GetDishRequest(dish_id="missing"), verb="GET", path="/v1/dishes/missing", http=404
    ),
    Case(method="GetSpecial", request=empty_pb2.Empty(), verb="GET", path="/v1/dishes/special"),
    Case(method="ListDishes", request=pb.ListDishesRequest(page_size=3), verb="GET", path="/v1/dishes?pageSize=3"),
    Case(
        method="CreateDish",
        request=pb.CreateDishRequest(dish=parse(pb.Dish, DISH), dish_id="7"),
        verb="POST",
        path="/v1/dishes?dishId=7",
        body=DISH,
        http=201,
    ),
    Case(
        method="UpdateDish",
        request=pb.UpdateDishRequest(dish=parse(pb.Dish, {**DISH, "id": "7"})),
        verb="PATCH",
        path="/v1/dishes/7",
        body=DISH,
    ),
    Case(method="ReplaceDish", request=parse(pb.Dish, {**DISH, "id": "7"}), verb="PUT", path="/v1/dishes/7", body=DISH),
    Case(method="DeleteDish", request=pb.GetDishRequest(dish_id="7"), verb="DELETE", path="/v1/dishes/7"),
    Case(method="PurgeDish", request=pb.GetDishRequest(dish_id="7"), verb="PURGE", path="/v1/dishes/7"),
    Case(
        method="CookDish",
        request=pb.CookDishRequest(dish_id="7", portions=2),
        verb="POST",
        path="/v1/dishes/7:cook",
        body={"portions": 2},
    ),
    Case(method="Echo", request=parse(pb.EchoRequest, ECHO), verb="POST", path="/v1/echo", body=ECHO),
    Case(
        method="Echo",
        request=pb.EchoRequest(ints=[2, 1], maybe_string=""),
        verb="GET",
        path="/v1/echo?ints=2&ints=1&maybeString=",
    ),
    Case(
        method="EchoBytes",
        request=pb.EchoRequest(bytes_value=b"\0"),
        verb="POST",
        path="/v1/echo/bytes",
        body=b"\0",
    ),
    Case(
        method="GetFile",
        request=pb.GetFileRequest(path="docs/a b", drive="d", revision=4),
        verb="GET",
        path="/v1/drives/d/items/docs/a%20b:stat?revision=4",
    ),
    Case(
        method="UploadBlob",
        request=pb.UploadBlobRequest(data=b"\xff" * 10, title="t", content_type="image/png"),
        verb="POST",
        path="/v1/blobs?title=t",
        body=b"\xff" * 10,
    ),
    Case(method="MirrorBody", request=blob(b"\x01"), verb="POST", path="/v1/mirror", body=b"\x01"),
    Case(
        method="StoreBody",
        request=pb.StoreBodyRequest(name="n", body=blob(b"\x02")),
        verb="PUT",
        path="/v1/stored/n",
        body=b"\x02",
    ),
    Case(method="Tick", request=pb.TickRequest(count=3), verb="GET", path="/v1/ticks?count=3"),
    Case(
        method="Tick",
        request=pb.TickRequest(fail_after=-1),
        verb="POST",
        path="/v1/ticks",
        body={"failAfter": -1},
        http=400,
    ),
    Case(method="Download", request=pb.TickRequest(count=2), verb="GET", path="/v1/download?count=2"),
]

ERRORS = [
    Case(
        method="Fail",
        request=pb.FailRequest(code=code.value[0], message="no söup", how=how, retry_seconds=1.5),
        verb="POST",
        path="/v1/fail",
        body={"code": code.value[0], "message": "no söup", "how": how, "retrySeconds": 1.5},
        http=HTTP_STATUS[code],
    )
    for code in CODE_BY_NUMBER.values()
    for how in ("abort", "status", "set_code", "cancel")
    if code is not grpc.StatusCode.OK
]


async def by_rest(served: Served, case: Case) -> Outcome:
    """Makes the call over HTTP."""
    raw = isinstance(case.body, bytes)
    headers = {"content-type": "image/png" if raw else "application/json", "x-asked": "yes"}
    content = b"" if case.body is None else case.body if raw else json.dumps(case.body).encode()
    answer = await served.http.request(case.verb, case.path, content=content, headers=headers)
    if case.body is None or "cancel" not in str(case.body):
        assert answer.status_code == case.http, answer.text
    prefix = "grpc-trailer-"
    trailers: Any = {name[len(prefix) :]: value for name, value in answer.headers.items() if name.startswith(prefix)}
    if answer.status_code >= 400:
        error = answer.json()["error"]
        return Outcome(code=error["status"], message=error["message"], details=error["details"], trailers=trailers)
    kind = answer.headers["content-type"]
    if kind != "application/json":
        return Outcome(answers=[(kind, answer.content)], trailers=trailers)
    value = answer.json()
    return Outcome(answers=value if isinstance(value, list) else [value], trailers=trailers)


async def by_grpc(served: Served, case: Case) -> Outcome:
    """Makes the call over gRPC; protobuf's own printer prints the messages."""
    call = getattr(served.rpc, case.method)(case.request, metadata=(("x-asked", "yes"),), timeout=20)
    messages: list[Any] = []
    try:
        messages = [message async for message in call] if hasattr(call, "__aiter__") else [await call]
    except grpc.aio.AioRpcError as failed:
        rich = rpc_status.from_call(failed)  # type: ignore[arg-type]
        details = [] if rich is None else [printed(detail) for detail in rich.details]
        trailers = {key: value for key, value in failed.trailing_metadata() if key != "grpc-status-details-bin"}
        return Outcome(code=failed.code().name, message=failed.details() or "", details=details, trailers=trailers)
    trailers = dict(await call.trailing_metadata() or ())
    if messages and isinstance(messages[0], httpbody_pb2.HttpBody):
        whole = b"".join(message.data for message in messages)
        return Outcome(answers=[(messages[0].content_type, whole)], trailers=trailers)
    return Outcome(answers=[printed(message) for message in messages], trailers=trailers)


def printed(message: Message) -> Any:
    return json_format.MessageToDict(message, always_print_fields_with_no_presence=not isinstance(message, any_pb2.Any))


class Stamp(grpc.aio.ServerInterceptor):
    """Wraps every behaviour and adds trailing metadata at its end."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = await continuation(handler_call_details)
        asked = dict(handler_call_details.invocation_metadata)["x-asked"]
        if handler.response_streaming:

            async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
                context.set_trailing_metadata((("x-stamp", asked),))
                async for message in handler.unary_stream(request, context):
                    yield message

            return grpc.unary_stream_rpc_method_handler(
                stream, handler.request_deserializer, handler.response_serializer
            )

        async def unary(request: Any, context: Any) -> Any:
            context.set_trailing_metadata((("x-stamp", asked),))
            return await handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(unary, handler.request_deserializer, handler.response_serializer)


class Refuse(grpc.aio.ServerInterceptor):
    """Refuses every call."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        async def refuse(request: Any, context: Any) -> None:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "closed", (("x-why", "night"),))

        return grpc.unary_unary_rpc_method_handler(refuse)


@pytest_asyncio.fixture(
    scope="session",
    loop_scope="session",
    params=list(itertools.product(ENGINES, ["plain", "wrapped", "capped"])),
    ids="-".join,
)
async def either(request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    """Gateways without interceptors, with interceptors, and with a server deadline, over each engine."""
    engine, kind = request.param
    interceptors = [Stamp()] if kind == "wrapped" else []
    settings: dict[str, Any] = {"max_deadline_seconds": 60.0} if kind == "capped" else {}
    async with serving(interceptors=interceptors, **ENGINES[engine], **settings) as running:
        yield running


@pytest.mark.parametrize("case", METHODS, ids=str)
async def test_every_method_is_the_same_by_both_faces(either: Served, case: Case) -> None:
    rest, rpc = await by_rest(either, case), await by_grpc(either, case)
    if case.method in ("Tick", "Download") and rest.code == "OK":
        rpc.trailers.clear()  # a stream's headers are sent before its trailing metadata is known
    assert rest == rpc


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: f"{case.body['code']}-{case.body['how']}")
async def test_every_error_is_the_same_by_both_faces(either: Served, case: Case) -> None:
    rest, rpc = await by_rest(either, case), await by_grpc(either, case)
    assert rest.code != "OK"
    assert rest == rpc


async def test_an_unexpected_exception_is_the_same_except_for_its_id(either: Served) -> None:
    case = Case(
        method="Fail",
        request=pb.FailRequest(how="raise"),
        verb="POST",
        path="/v1/fail",
        body={"how": "raise"},
        http=500,
    )
    for outcome in (await by_rest(either, case), await by_grpc(either, case)):
        [detail] = outcome.details
        assert outcome.code == "INTERNAL"
        assert outcome.message == f"internal error, id {detail['requestId']}"


@every_engine
async def test_a_refusal_is_the_same_by_both_faces(engine: str) -> None:
    async with serving(interceptors=[Refuse()], **ENGINES[engine]) as served:
        for case in METHODS:
            rest = await by_rest(
                served, Case(**{**{k: getattr(case, k) for k in Case.__dataclass_fields__}, "http": 403})
            )
            assert rest == await by_grpc(served, case)
            assert rest == Outcome(code="PERMISSION_DENIED", message="closed", trailers={"x-why": "night"})


async def test_every_method_with_a_rest_face_is_in_the_table() -> None:
    service = pb.DESCRIPTOR.services_by_name["KitchenService"]
    rest = {method.name for method in service.methods if method.GetOptions().ListFields()}
    # These return a part of the message, wait for a test, or report on the face itself.
    aside = {"EchoList", "EchoMap", "EchoScalar", "Wait", "Inspect", "Fail"}
    # These take a client stream, which test_matrix.py tests.
    aside |= {method.name for method in service.methods if method.client_streaming}
    assert rest - aside == {case.method for case in METHODS}
