"""Range and conditional requests for downloads: RFC 9110 sections 13 and 14, over a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx2
import pytest
from google.api import annotations_pb2, httpbody_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf import descriptor_pb2, descriptor_pool

from diptych import Gateway, Settings
from kitchen.v1 import kitchen_service_pb2 as pb

BOTH_WAYS = True

WHOLE = bytes(range(100))
ETAG, DATE = '"v1"', "Sat, 21 Nov 2026 10:00:00 GMT"


def _register() -> str:
    """`larder.v1.LarderService.Get`, a download, and `Fetch`, one inside a message."""
    file = descriptor_pb2.FileDescriptorProto(
        name="larder/v1/larder.proto",
        package="larder.v1",
        syntax="proto3",
        dependency=["google/api/httpbody.proto", pb.DESCRIPTOR.name],
    )
    wrapped = file.message_type.add(name="Wrapped")
    wrapped.field.add(
        name="file",
        number=1,
        label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
        type=descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE,
        type_name=".google.api.HttpBody",
    )
    service = file.service.add(name="LarderService")
    for name, output, rule in (
        (
            "Get",
            ".google.api.HttpBody",
            HttpRule(get="/v1/larder/{text}", additional_bindings=[HttpRule(post="/v1/larder/{text}")]),
        ),
        ("Fetch", ".larder.v1.Wrapped", HttpRule(get="/v1/wrapped/{text}", response_body="file")),
        ("Show", ".kitchen.v1.TickResponse", HttpRule(get="/v1/shown/{text}")),
    ):
        made = service.method.add(name=name, input_type=".kitchen.v1.TickResponse", output_type=output)
        made.options.Extensions[annotations_pb2.http].CopyFrom(rule)  # type: ignore[index]
    descriptor_pool.Default().Add(file)
    return "larder.v1.LarderService"


SERVICE = _register()


def handlers() -> dict[str, Any]:
    """A download whose name chooses its metadata."""
    from google.protobuf import message_factory

    wrapped = message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName("larder.v1.Wrapped"))

    async def get(request: pb.TickResponse, context: Any) -> httpbody_pb2.HttpBody:
        metadata = {
            "plain": (),
            "tagged": (("etag", ETAG), ("last-modified", DATE), ("cache-control", "max-age=9")),
            "weak": (("etag", f"W/{ETAG}"),),
            "cut": (("content-range", "bytes 0-9/1000"), ("x-http-code", "206")),
            "created": (("x-http-code", "201"),),
        }
        await context.send_initial_metadata(metadata.get(request.text, ()))
        if request.text == "missing":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no")
        return httpbody_pb2.HttpBody(content_type="image/png", data=b"" if request.text == "empty" else WHOLE)

    async def fetch(request: pb.TickResponse, context: Any) -> Any:
        return wrapped(file=await get(request, context))

    async def show(request: pb.TickResponse, context: Any) -> pb.TickResponse:
        return request

    made: dict[str, Any] = {}
    for name, behaviour in (("Get", get), ("Fetch", fetch), ("Show", show)):
        made[name] = grpc.unary_unary_rpc_method_handler(
            behaviour, pb.TickResponse.FromString, lambda message: message.SerializeToString()
        )
    return made


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    gateway = Gateway(Settings(http_port=0, grpc_port=0))
    gateway.add_registered_method_handlers(SERVICE, handlers())
    async with (
        gateway,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", timeout=20, verify=False) as client,
    ):
        yield client


# The meaning of ranges, with the section of RFC 9110 for less obvious ones.
RANGES = [
    ("bytes=0-0", 0, 0),
    ("bytes=10-19", 10, 19),
    ("bytes=90-", 90, 99),
    ("bytes=90-1000", 90, 99),  # 14.1.2: the remainder
    ("bytes=-10", 90, 99),
    ("bytes=-1000", 0, 99),  # 14.1.2: the entire representation
    ("Bytes = 1 - 2", 1, 2),
]


@pytest.mark.parametrize(("asked", "first", "last"), RANGES)
async def test_a_part(http: httpx2.AsyncClient, asked: str, first: int, last: int) -> None:
    for path in ("/v1/larder/plain", "/v1/wrapped/tagged"):
        answer = await http.get(path, headers={"range": asked})
        assert answer.status_code == 206
        assert answer.content == WHOLE[first : last + 1]
        assert answer.headers["content-range"] == f"bytes {first}-{last}/100"
        assert answer.headers["content-length"] == str(last + 1 - first)
        assert answer.headers["content-type"] == "image/png"
        assert ("etag" in answer.headers) == ("tagged" in path)


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-1,5-6",  # 14.2: a server may send the whole for several ranges
        "bytes=9-1",  # 14.1.1: invalid, so ignored
        "bytes=-",
        "bytes=a-b",
        "lines=0-1",
        "bytes",
        "bytes=0-" + "9" * 30,
    ],
)
async def test_anything_but_a_single_range_is_ignored(http: httpx2.AsyncClient, asked: str) -> None:
    answer = await http.get("/v1/larder/plain", headers={"range": asked})
    assert (answer.status_code, answer.content) == (200, WHOLE)
    assert answer.headers["accept-ranges"] == "bytes"
    assert "content-range" not in answer.headers


@pytest.mark.parametrize(
    ("path", "asked", "size"), [("plain", "bytes=100-", 100), ("plain", "bytes=-0", 100), ("empty", "bytes=0-", 0)]
)
async def test_a_range_beyond_the_end(http: httpx2.AsyncClient, path: str, asked: str, size: int) -> None:
    answer = await http.get(f"/v1/larder/{path}", headers={"range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{size}"
    assert answer.json()["error"]["status"] == "OUT_OF_RANGE"


@pytest.mark.parametrize(
    ("path", "condition", "status"),
    [
        ("tagged", ETAG, 206),
        ("tagged", '"v0"', 200),
        ("tagged", f"W/{ETAG}", 200),
        ("weak", f"W/{ETAG}", 200),  # 13.1.5: only a strong tag is valid for ranges
        ("plain", ETAG, 200),
        ("tagged", DATE, 206),
        ("tagged", "Sat, 21 Nov 2026 10:00:01 GMT", 200),
        ("plain", DATE, 200),
    ],
)
async def test_a_range_of_an_outdated_version(http: httpx2.AsyncClient, path: str, condition: str, status: int) -> None:
    answer = await http.get(f"/v1/larder/{path}", headers={"range": "bytes=1-2", "if-range": condition})
    assert answer.status_code == status
    assert answer.content == (WHOLE[1:3] if status == 206 else WHOLE)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("tagged", {"if-none-match": ETAG}, 304),
        ("tagged", {"if-none-match": f'"v0", W/{ETAG}'}, 304),
        ("tagged", {"if-none-match": "*"}, 304),
        ("weak", {"if-none-match": ETAG}, 304),  # 13.1.2: weak comparison
        ("tagged", {"if-none-match": '"v0"'}, 200),
        ("plain", {"if-none-match": ETAG}, 200),
        ("tagged", {"if-modified-since": DATE}, 304),
        ("tagged", {"if-modified-since": "Sat, 21 Nov 2026 09:59:59 GMT"}, 200),
        ("tagged", {"if-none-match": '"v0"', "if-modified-since": DATE}, 200),  # 13.1.3: the tag takes precedence
        ("tagged", {"if-none-match": ETAG, "range": "bytes=0-1"}, 304),  # 13.2.2: before the range
    ],
)
async def test_a_version_that_the_client_has_is_304(
    http: httpx2.AsyncClient, path: str, headers: dict[str, str], status: int
) -> None:
    answer = await http.get(f"/v1/larder/{path}", headers=headers)
    assert answer.status_code == status
    if status == 304:
        assert (answer.content, answer.headers["etag"]) == (b"", f"W/{ETAG}" if path == "weak" else ETAG)
        assert "content-type" not in answer.headers


async def test_head_has_the_same_headers_without_the_bytes(http: httpx2.AsyncClient) -> None:
    answer = await http.head("/v1/larder/tagged", headers={"range": "bytes=10-19"})
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (206, "10", b"")
    assert answer.headers["content-range"] == "bytes 10-19/100"
    assert (await http.head("/v1/larder/plain")).headers["accept-ranges"] == "bytes"


async def test_responses_that_ignore_ranges(http: httpx2.AsyncClient) -> None:
    part = {"range": "bytes=0-1"}
    for path, status in (("cut", 206), ("created", 201)):
        answer = await http.get(f"/v1/larder/{path}", headers=part)
        assert (answer.status_code, answer.content) == (status, WHOLE)
    assert (await http.get("/v1/larder/missing", headers=part)).status_code == 404
    posted = await http.post("/v1/larder/plain", headers=part)
    assert (posted.status_code, posted.content, "accept-ranges" in posted.headers) == (200, WHOLE, False)
    shown = await http.get("/v1/shown/a", headers=part)
    assert (shown.json(), "accept-ranges" in shown.headers) == ({"number": "0", "text": "a"}, False)
