"""TRANSCODING.md section 6, streams from the client over REST: each message is delivered before the next is read."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import httpx2
import pytest
from google.api import httpbody_pb2

from diptych import Gateway, Settings
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, Served
from tests.kitchen import Kitchen
from tests.waiting import PATIENCE

from .foreign import uploads

ARRAY, NDJSON, SSE = "application/json", "application/x-ndjson", "text/event-stream"
TICKS = [{"number": str(number), "text": "é[{,"} for number in range(1, 4)]


def written(form: str, messages: list[Any]) -> bytes:
    """The messages as a body of that form."""
    if form == ARRAY:
        return json.dumps(messages).encode()
    return "".join(json.dumps(message) + "\n" for message in messages).encode()


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


class ChunkedRequest:
    """A request over a plain connection, sent chunk by chunk while the answer is read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def begin(cls, served: Served, path: str, *headers: str) -> ChunkedRequest:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.gateway.http_port, limit=1 << 20)
        lines = [f"POST {path} HTTP/1.1", "host: x", "transfer-encoding: chunked", *headers, "", ""]
        writer.write("\r\n".join(lines).encode())
        return cls(reader, writer)

    async def say(self, data: bytes) -> None:
        """Sends one chunk; an empty one ends the body."""
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self.writer.drain()

    async def head(self) -> str:
        return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    async def heard(self) -> bytes:
        """Returns the next chunk of the response; an empty one at its end."""
        size = int(await self.reader.readline(), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@pytest.mark.parametrize("form", [ARRAY, NDJSON])
@pytest.mark.parametrize("count", [0, 1, 3])
async def test_a_stream_is_summed_up(served: Served, form: str, count: int) -> None:
    answer = await served.http.post("/v1/sum", content=written(form, TICKS[:count]), headers={"content-type": form})
    assert (answer.status_code, answer.json()) == (200, {"number": str(sum(range(count + 1))), "text": ""})


@pytest.mark.parametrize("form", [ARRAY, NDJSON])
async def test_messages_of_every_size_arrive_whole(served: Served, form: str) -> None:
    sizes = [0, 20_000, 1, 16_383, 16_384, 16_385, 100_000, 0, 5]
    body = written(form, [{"number": str(at), "text": "é" * size} for at, size in enumerate(sizes)])
    answer = await served.http.post(
        "/v1/converse", content=b"\n" * 40_000 + body, headers={"content-type": form, "accept": ARRAY}
    )
    assert [(int(tick["number"]), len(tick["text"])) for tick in answer.json()] == list(enumerate(sizes))


async def test_a_body_without_a_type_is_json_and_one_object_is_one_message(served: Served) -> None:
    answer = await served.http.post("/v1/sum", content=b'{"number": "7"}')
    assert answer.json()["number"] == "7"


@pytest.mark.parametrize("form", [ARRAY, NDJSON])
async def test_a_compressed_stream_is_split(served: Served, form: str) -> None:
    packed = gzip.compress(written(form, TICKS))
    sent = chunks(packed[:7], packed[7:])
    headers = {"content-type": form, "content-encoding": "gzip"}
    answer = await served.http.post("/v1/sum", content=sent, headers=headers)
    assert answer.json()["number"] == "6"


@pytest.mark.parametrize(("accept", "opening"), [(NDJSON, b""), (ARRAY, b"[")])
async def test_both_directions_stream_at_once(served: Served, accept: str, opening: bytes) -> None:
    async with asyncio.timeout(10):
        talk = await ChunkedRequest.begin(served, "/v1/converse", f"content-type: {NDJSON}", f"accept: {accept}")
        for number in range(1, 4):
            await talk.say(b'{"number": %d}\n' % number)
            if number == 1:
                head = await talk.head()
                assert head.startswith("HTTP/1.1 200")
                assert accept in head
            said = await talk.heard()
            assert json.loads(said.strip(b"[,\n"))["number"] == str(number)
            assert said.startswith(opening if number == 1 else b"" if accept == NDJSON else b",")
        talk.writer.write(b"0\r\n\r\n")
        rest = await talk.heard()
        assert rest == (b"]" if accept == ARRAY else b"")
        await talk.close()


async def test_a_field_of_the_path_is_in_every_message(served: Served) -> None:
    path, headers = "/v1/rooms/kitchen/converse", {"content-type": NDJSON, "accept": NDJSON}
    answer = await served.http.post(path, content=b'{"number":1}\n{"number":2,"text":"kitchen"}', headers=headers)
    assert [json.loads(line)["text"] for line in answer.text.splitlines()] == ["kitchen", "kitchen"]
    answer = await served.http.post(path, content=b'{"number":1,"text":"cellar"}\n', headers=headers)
    assert answer.status_code == 400
    assert "differs from the value in the path" in answer.text


@pytest.mark.parametrize(
    ("form", "body", "said"),
    [
        (ARRAY, b'[{"number": 1}, {"nummer": 2}]', "nummer"),
        (ARRAY, b'[{"number": 1}, 2]', "expected an object"),
        (ARRAY, b'[{"number": 1}', "no closing ]"),
        (ARRAY, b'[{"number": 1}{"number": 2}]', "JSON"),
        (ARRAY, b'[{"text": "\xff"}]', "UTF-8"),
        (NDJSON, b'{"number": 1}\n{"number":\n', "JSON"),
        (NDJSON, b"\xff\n", ""),
    ],
)
async def test_an_invalid_message_is_refused_with_its_faults(served: Served, form: str, body: bytes, said: str) -> None:
    answer = await served.http.post("/v1/sum", content=body, headers={"content-type": form})
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert said.lower() in answer.text.lower()


async def test_a_bad_message_in_the_middle_ends_an_answer_that_has_begun(served: Served) -> None:
    async with asyncio.timeout(10):
        talk = await ChunkedRequest.begin(served, "/v1/converse", f"content-type: {NDJSON}", f"accept: {NDJSON}")
        await talk.say(b'{"number": 1}\n')
        await talk.head()
        assert json.loads(await talk.heard())["number"] == "1"
        await talk.say(b"garbage\n")
        assert json.loads(await talk.heard())["error"]["status"] == "INVALID_ARGUMENT"
        assert await talk.reader.readuntil(b"\r\n\r\n") == b"0\r\n\r\n"
        await talk.close()


async def test_the_size_limit_is_per_message_not_per_stream(serve: Serve) -> None:
    async with serve(max_body_bytes=1000) as served:
        lines = [b'{"number": 1, "text": "%b"}\n' % (b"x" * 900) for _ in range(50)]
        answer = await served.http.post("/v1/sum", content=chunks(*lines), headers={"content-type": NDJSON})
        assert answer.json()["number"] == "50"
        long = b'{"text": "%b"}' % (b"x" * 1000)
        for form in (ARRAY, NDJSON):
            answer = await served.http.post("/v1/sum", content=long, headers={"content-type": form})
            assert answer.status_code == 413
            assert "larger than 1000 bytes" in answer.text


@pytest.mark.parametrize("name", ["text/plain", "application/xml", "multipart/form-data; boundary=x"])
async def test_another_content_type_is_refused_with_the_supported_ones(served: Served, name: str) -> None:
    answer = await served.http.post("/v1/sum", content=b"x", headers={"content-type": name})
    assert (answer.status_code, answer.headers["accept"]) == (415, f"{ARRAY}, {NDJSON}")


async def test_an_upload_feeds_a_stream_of_bytes(served: Served) -> None:
    piece = bytes(range(256)) * 4096
    sent = piece * 24  # more than the limit of a message
    answer = await served.http.post("/v1/collect", content=chunks(*[piece] * 24), headers={"content-type": "video/mp4"})
    assert answer.status_code == 200
    assert answer.json() | {"tags": [], "title": "", "dish": None} == {
        "size": str(len(sent)),
        "sha256": hashlib.sha256(sent).hexdigest(),
        "contentType": "video/mp4",
        "title": "",
        "tags": [],
        "dish": None,
    }


async def test_no_stream_of_bytes_takes_what_was_meant_as_json() -> None:
    gateway = Gateway(Settings(http_port=0, grpc_port=0))
    gateway.add_registered_method_handlers(*uploads("/v1/depot"))
    async with gateway, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", timeout=PATIENCE) as http:
        for name in ("text/plain", "application/x-www-form-urlencoded", "text/json", "aplication/json"):
            answer = await http.post("/v1/depot", content=b'{"title":"ann"}', headers={"content-type": name})
            assert answer.status_code == 415, name
            assert answer.headers["accept"] == f"{ARRAY}, {NDJSON}, application/octet-stream"
        for name, size in {"application/octet-stream": "15", "image/png": "15", NDJSON: "0"}.items():
            answer = await http.post("/v1/depot", content=b'{"title":"ann"}', headers={"content-type": name})
            assert answer.json()["size"] == size


async def test_an_empty_file_is_one_message_and_no_body_is_none(served: Served) -> None:
    """It has the type that the client states, as it would have in a unary call or over gRPC."""
    for content in (b"", chunks()):
        answer = await served.http.post("/v1/relay", content=content, headers={"content-type": "video/mp4"})
        assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "video/mp4", b"")
    answer = await served.http.post("/v1/relay")
    assert (answer.status_code, answer.headers["content-type"]) != (200, "video/mp4")


@pytest.mark.parametrize("name", ["video/mp4", ARRAY, NDJSON])
async def test_bytes_in_and_bytes_out_without_an_added_byte(served: Served, name: str) -> None:
    parts = [b'{"a"', b":1}\n", bytes(range(256)) * 1000]
    answer = await served.http.post("/v1/relay", content=chunks(*parts), headers={"content-type": name})
    assert (answer.status_code, answer.headers["content-type"]) == (200, name)
    assert answer.content == b"".join(parts)


class Unread(Kitchen):
    """Reads nothing until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    async def Collect(self, request_iterator: Any, context: Any) -> pb.UploadBlobResponse:
        self.waiting["collect"].set()
        try:
            await self.released["collect"].wait()
        except asyncio.CancelledError:
            self.cancelled["collect"].set()
            raise
        async for piece in request_iterator:
            self.seen += len(piece.data)
        return pb.UploadBlobResponse(size=self.seen)


async def test_a_servicer_that_does_not_read_holds_its_client_back(serve: Serve) -> None:
    kitchen = Unread()
    async with serve(kitchen) as served, asyncio.timeout(20):
        talk = await ChunkedRequest.begin(served, "/v1/collect", "content-type: a/b")
        sock = talk.writer.get_extra_info("socket")
        sent, piece = 0, bytes(1 << 16)
        # Fills the kernel's buffers and a few pieces, until the client has to wait.
        while talk.writer.transport.get_write_buffer_size() == 0:
            talk.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            sent += len(piece)
            assert sent < 64 << 20
            await asyncio.sleep(0)
        assert sock is not None
        kitchen.released["collect"].set()
        talk.writer.write(b"0\r\n\r\n")
        assert (await talk.head()).startswith("HTTP/1.1 200")
        assert kitchen.seen == sent
        await talk.close()


class Eager(Kitchen):
    """Reads without ever waiting, and counts how often the event loop served something else meanwhile."""

    async def Sum(self, request_iterator: Any, context: Any) -> pb.TickResponse:
        messages = 0
        turns: list[int] = []

        async def others() -> None:
            while True:
                turns.append(messages)
                await asyncio.sleep(0)

        serving = asyncio.ensure_future(others())
        async for _ in request_iterator:
            messages += 1
        serving.cancel()
        return pb.TickResponse(number=messages, text=str(len(turns)))


async def test_a_servicer_that_only_reads_leaves_time_for_other_calls(serve: Serve) -> None:
    async with serve(Eager()) as served, asyncio.timeout(20):
        answer = await served.http.post("/v1/sum", content=b"{}\n" * 20_000, headers={"content-type": NDJSON})
        assert answer.json()["number"] == "20000"
        assert int(answer.json()["text"]) > 10


async def test_a_client_that_leaves_cancels_the_servicer(serve: Serve) -> None:
    kitchen = Unread()
    async with serve(kitchen) as served, asyncio.timeout(10):
        talk = await ChunkedRequest.begin(served, "/v1/collect", "content-type: a/b")
        await kitchen.waiting["collect"].wait()
        await talk.close()
        await kitchen.cancelled["collect"].wait()


async def test_a_client_that_leaves_cancels_the_read_of_its_next_message(serve: Serve) -> None:
    ended = asyncio.Event()

    class Listening(Kitchen):
        async def Sum(self, request_iterator: Any, context: Any) -> pb.TickResponse:
            try:
                async for _ in request_iterator:
                    self.waiting["sum"].set()
            except asyncio.CancelledError:
                ended.set()
                raise
            raise AssertionError("the stream looked complete")

    kitchen = Listening()
    async with serve(kitchen) as served, asyncio.timeout(10):
        talk = await ChunkedRequest.begin(served, "/v1/sum", f"content-type: {NDJSON}")
        await talk.say(b'{"number": 1}\n')
        await kitchen.waiting["sum"].wait()
        await talk.close()
        await ended.wait()


async def test_a_deadline_ends_a_stream_whose_client_is_silent(served: Served) -> None:
    async with asyncio.timeout(10):
        talk = await ChunkedRequest.begin(served, "/v1/sum", f"content-type: {NDJSON}", "x-server-timeout: 0.2")
        await talk.say(b'{"number": 1}\n')
        assert (await talk.head()).startswith("HTTP/1.1 504")
        await talk.close()


async def test_a_response_before_the_end_of_the_request(serve: Serve) -> None:
    class Hasty(Kitchen):
        async def Sum(self, request_iterator: Any, context: Any) -> pb.TickResponse:
            async for tick in request_iterator:
                if tick.number == 2:
                    await context.abort(grpc.StatusCode.OUT_OF_RANGE, "enough")
            return pb.TickResponse()

    async with serve(Hasty()) as served, asyncio.timeout(10):
        talk = await ChunkedRequest.begin(served, "/v1/sum", f"content-type: {NDJSON}")
        await talk.say(b'{"number": 1}\n{"number": 2}\n')
        assert (await talk.head()).startswith("HTTP/1.1 400")
        assert "enough" in (await talk.reader.readuntil(b"}")).decode()
        await talk.close()


class Threaded(Kitchen):
    """The same as plain functions."""

    def Sum(self, request_iterator: Iterator[pb.TickResponse], context: Any) -> pb.TickResponse:  # type: ignore[override]
        return pb.TickResponse(number=sum(tick.number for tick in request_iterator))

    def Converse(self, request_iterator: Iterator[pb.TickResponse], context: Any) -> Iterator[pb.TickResponse]:  # type: ignore[override]
        yield from request_iterator


class Reading(Kitchen):
    """The same by `context.read` and `context.write`."""

    async def Sum(self, request_iterator: Any, context: Any) -> pb.TickResponse:
        total = 0
        while (tick := await context.read()) is not grpc.aio.EOF:
            total += tick.number
        return pb.TickResponse(number=total)

    async def Converse(self, request_iterator: Any, context: Any) -> None:  # type: ignore[override]
        while (tick := await context.read()) is not grpc.aio.EOF:
            await context.write(tick)


@pytest.mark.parametrize("kitchen", [Threaded, Reading])
async def test_servicers_of_every_kind_read_a_stream(serve: Serve, kitchen: type[Kitchen]) -> None:
    async with serve(kitchen()) as served:
        body, headers = written(NDJSON, TICKS), {"content-type": NDJSON, "accept": NDJSON}
        assert (await served.http.post("/v1/sum", content=body, headers=headers)).json()["number"] == "6"
        said = await served.http.post("/v1/converse", content=body, headers=headers)
        assert [json.loads(line) for line in said.text.splitlines()] == TICKS


class Closed(grpc.aio.ServerInterceptor):
    """Refuses every call by a unary handler, as interceptors commonly do."""

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        async def refuse(request: Any, context: Any) -> None:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "closed")

        return grpc.unary_unary_rpc_method_handler(refuse)


@pytest.mark.parametrize("path", ["/v1/sum", "/v1/converse", "/v1/collect"])
async def test_an_interceptor_refuses_before_the_body_is_read(serve: Serve, path: str) -> None:
    async with serve(interceptors=[Closed()]) as served, asyncio.timeout(10):
        talk = await ChunkedRequest.begin(served, path, f"content-type: {NDJSON}")
        assert (await talk.head()).startswith("HTTP/1.1 403")  # nothing of the body was ever sent
        await talk.close()


class Doubling(grpc.aio.ServerInterceptor):
    """Replaces a unary method by a streaming handler."""

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        if not details.method.endswith("GetDish"):
            return handler

        async def first(requests: Any, context: Any) -> Any:
            return await handler.unary_unary(await anext(requests), context)

        return grpc.stream_unary_rpc_method_handler(first, handler.request_deserializer, handler.response_serializer)


async def test_an_interceptors_streaming_handler_gets_a_stream_of_one(serve: Serve) -> None:
    async with serve(interceptors=[Doubling()]) as served:
        assert (await served.http.get("/v1/dishes/7")).json()["id"] == "7"
        assert (await served.rpc.GetDish(pb.GetDishRequest(dish_id="7"))).id == "7"


async def test_a_stream_with_trailing_metadata_and_a_chosen_status(serve: Serve) -> None:
    class Storing(Kitchen):
        async def Collect(self, request_iterator: AsyncIterator[httpbody_pb2.HttpBody], context: Any) -> Any:
            await context.send_initial_metadata((("x-http-code", "201"), ("location", "/v1/blobs/7")))
            async for _ in request_iterator:
                pass
            context.set_trailing_metadata((("x-kept", "yes"),))
            return pb.UploadBlobResponse()

    async with serve(Storing()) as served:
        answer = await served.http.post("/v1/collect", content=b"abc", headers={"content-type": "a/b"})
        assert (answer.status_code, answer.headers["location"]) == (201, "/v1/blobs/7")
        assert answer.headers["grpc-trailer-x-kept"] == "yes"
