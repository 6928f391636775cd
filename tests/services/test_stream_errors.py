"""An unreadable message of a client's stream: the error names it and how many were stored, and those before it are."""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
from google.rpc import error_details_pb2, status_pb2
from websockets.asyncio.client import connect

from artificer.batch.v1 import batch_service_pb2 as batch
from artificer.batch.v1 import batch_service_pb2_grpc as batch_rpc
from artificer.chat.v1 import message_service_pb2 as chat
from artificer.chat.v1 import message_service_pb2_grpc as chat_rpc
from artificer_services.batch.build import BatchService, BatchSettings
from artificer_services.chat.build import ChatService, ChatSettings
from artificer_services.kit.composition import gateway_of
from diptych import Settings
from tests.waiting import PATIENCE

LINES = "application/x-ndjson"
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@dataclass(frozen=True)
class Served:
    """Both services in one gateway, and its clients."""

    channel: grpc.aio.Channel
    http: httpx2.AsyncClient
    port: int

    async def job(self) -> str:
        """Creates a job without items."""
        phases = [batch.Phase(name="one", task_type="text.normalize")]
        made = await batch_rpc.BatchServiceStub(self.channel).CreateJob(batch.CreateJobRequest(name="j", phases=phases))
        return str(made.id)

    async def inputs(self, job_id: str) -> list[str]:
        """Returns the inputs of a job's items."""
        request = batch.GetResultsRequest(job_id=job_id)
        page = await batch_rpc.BatchServiceStub(self.channel).GetResults(request)
        return [one.input for one in page.results]

    async def contents(self) -> list[str]:
        """Returns the messages of the channel `town`."""
        request = chat.ListMessagesRequest(channel="town")
        page = await chat_rpc.MessageServiceStub(self.channel).ListMessages(request)
        return [one.content for one in page.messages]


@asynccontextmanager
async def serving(folder: Path, **more: Any) -> AsyncIterator[Served]:
    data = str(folder)
    services = [ChatService(ChatSettings(data_dir=data)), BatchService(BatchSettings(data_dir=data, engine="none"))]
    settings = Settings.model_validate({"http_port": 0, "grpc_port": 0, **more})
    async with gateway_of(settings, services) as gateway:
        base = f"http://127.0.0.1:{gateway.http_port}"
        async with (
            grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel,
            httpx2.AsyncClient(base_url=base, timeout=PATIENCE, verify=False) as client,
        ):
            assert gateway.http_port is not None
            yield Served(channel, client, gateway.http_port)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path / "data") as running:
        yield running


def facts_of(answer: httpx2.Response) -> dict[str, str]:
    """Returns the facts of a REST error."""
    details = answer.json()["error"]["details"]
    (info,) = [one for one in details if one["@type"].endswith("ErrorInfo")]
    return {"reason": info["reason"], **info["metadata"]}


def facts(status: status_pb2.Status) -> dict[str, str]:
    """Returns the facts of a gRPC error."""
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return {"reason": info.reason, **info.metadata}
    return {}


def joined(form: str, elements: list[str]) -> str:
    return "[" + ",".join(elements) + "]" if form == "application/json" else "\n".join(elements) + "\n"


BAD = {
    "malformed": '{"items": [{"input": "c"}',
    "an unknown field": '{"itemz": []}',
    "a wrong type": '{"items": 7}',
    "no object": '"c"',
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize("form", [LINES, "application/json"])
async def test_an_unreadable_item_is_named_over_rest(served: Served, form: str, bad: str) -> None:
    if form == "application/json" and bad == BAD["malformed"]:
        bad = '{"items": [{"input" "c"}]}'
    job_id = await served.job()
    elements = ['{"items": [{"input": "a"}]}', '{"items": [{"input": "b"}, {"input": "c"}]}', bad, '{"items": []}']
    url, headers = f"/v1/jobs/{job_id}/items:upload", {"content-type": form}
    answer = await served.http.post(url, content=joined(form, elements), headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("message 3 of the stream, after 3 stored items: ")
    assert facts_of(answer) == {"reason": "ITEMS_NOT_TAKEN", "position": "3", "stored": "3"}
    assert await served.inputs(job_id) == ["a", "b", "c"]


@pytest.mark.parametrize("form", [LINES, "application/json"])
async def test_an_unreadable_message_is_named_over_rest(served: Served, form: str) -> None:
    good = [json.dumps({"user": {"id": "ann"}, "content": content}) for content in "abc"]
    body = joined(form, [*good, '{"content" 7}', *good])
    answer = await served.http.post("/v1/channels/town/messages:send", content=body, headers={"content-type": form})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["message"].startswith("message 4 of the stream was refused, after 3 stored: ")
    assert facts_of(answer) == {"reason": "MESSAGE_NOT_TAKEN", "position": "4", "stored": "3"}
    assert await served.contents() == ["a", "b", "c"]


async def test_the_http_status_of_an_unreadable_message_is_kept(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", max_body_bytes=1000) as served:
        job_id = await served.job()
        lines = ['{"items": [{"input": "a"}]}', json.dumps({"items": [{"input": "x" * 2000}]})]
        url = f"/v1/jobs/{job_id}/items:upload"
        answer = await served.http.post(url, content=joined(LINES, lines), headers={"content-type": LINES})
        assert answer.status_code == 413
        assert facts_of(answer)["position"] == "2"
        assert await served.inputs(job_id) == ["a"]


UPLOAD, SEND = "/artificer.batch.v1.BatchService/UploadItems", "/artificer.chat.v1.MessageService/SendMessages"


@pytest.mark.parametrize("engine", ["builtin", "grpcio"])
async def test_an_unreadable_message_is_named_over_grpc(tmp_path: Path, engine: str) -> None:
    async with serving(tmp_path / "data", grpc_engine=engine) as served:
        job_id = await served.job()
        items = [batch.UploadItemsRequest(job_id=job_id, items=[batch.Item(input=name)]) for name in "ab"]
        said = [chat.SendMessagesRequest(channel="town", user=chat.User(id="ann"), content=name) for name in "ab"]
        for path, requests in ((UPLOAD, items), (SEND, said)):
            call: Any = served.channel.stream_unary(path)
            raw = [*(request.SerializeToString() for request in requests), b"\xff\xff", b""]
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(iter(raw))
            assert "message 3 of the stream" in str(caught.value.details())
            trailers = dict(caught.value.trailing_metadata() or ())
            told = facts(status_pb2.Status.FromString(trailers["grpc-status-details-bin"]))
            assert (told["position"], told["stored"]) == ("3", "2")
        assert (await served.inputs(job_id), await served.contents()) == (["a", "b"], ["a", "b"])


async def test_a_bad_frame_is_named(served: Served) -> None:
    """A gRPC-Web frame with the compressed flag, although no header names an encoding."""
    job_id = await served.job()
    good = batch.UploadItemsRequest(job_id=job_id, items=[batch.Item(input="a")]).SerializeToString()
    body = struct.pack(">BI", 0, len(good)) + good + struct.pack(">BI", 1, len(good)) + good
    headers = {"content-type": "application/grpc-web+proto"}
    answer = await served.http.post(UPLOAD, content=body, headers=headers)
    assert "message%202%20of%20the%20stream" in answer.headers.get("grpc-message", "") + answer.text.replace(" ", "%20")
    assert await served.inputs(job_id) == ["a"]


async def test_the_message_of_a_conversation_is_named(served: Served) -> None:
    job_id = await served.job()
    hello = {"user": {"id": "ann"}, "content": "a"}
    for path, first, told in (
        ("/v1/channels/town/messages:chat", hello, "message 2 of the stream was refused, after 1 stored"),
        (f"/v1/jobs/{job_id}:attach", {}, "message 2 of the stream: "),
    ):
        async with connect(f"ws://127.0.0.1:{served.port}{path}") as socket:
            await socket.send(json.dumps(first))
            await socket.recv()
            await socket.send("{")
            await socket.wait_closed()
            assert told in str(socket.close_reason)
    assert await served.contents() == ["a"]


async def test_the_item_that_does_not_fit_is_named_and_those_before_it_are_stored(served: Served) -> None:
    """Messages are stored a thousand at a time; the error of one of them is not that of the others."""
    job_id = await served.job()
    requests = [batch.UploadItemsRequest(job_id=job_id, items=[batch.Item(input=name)]) for name in "abcd"]
    requests[2].first_index = 7  # a gap
    requests[3].first_index = 8
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await batch_rpc.BatchServiceStub(served.channel).UploadItems(iter(requests))
    assert caught.value.code() is INVALID
    assert str(caught.value.details()).startswith("message 3 of the stream, after 2 stored items: ")
    assert await served.inputs(job_id) == ["a", "b"]


NOTHING = "the stream has no messages; send at least one"


@pytest.mark.parametrize(("form", "body"), [(LINES, ""), (LINES, "\n"), ("application/json", "[]")])
async def test_an_upload_without_a_message_is_refused_over_rest(served: Served, form: str, body: str) -> None:
    """Batch refused it, chat answered that 0 were stored."""
    for url in (f"/v1/jobs/{await served.job()}/items:upload", "/v1/channels/town/messages:send"):
        answer = await served.http.post(url, content=body, headers={"content-type": form})
        assert answer.status_code == 400
        assert answer.json()["error"]["message"].endswith(NOTHING)


async def test_an_upload_without_a_message_is_refused_over_grpc(served: Served) -> None:
    for path in (UPLOAD, SEND, "/artificer.batch.v1.BatchService/UploadBlob"):
        call: Any = served.channel.stream_unary(path)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(iter([]))
        assert caught.value.code() is INVALID
        assert str(caught.value.details()).endswith(NOTHING)
