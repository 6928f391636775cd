"""One scanned document over every interface: three kinds of upload, gRPC, and reflection, with the same text."""

from __future__ import annotations

import base64
import json
from typing import Any

import grpc
import httpx2
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha import reflection_pb2

from artificer.ocr.v1 import ocr_service_pb2 as pb
from artificer.ocr.v1 import ocr_service_pb2_grpc as pb_grpc
from tests.e2e.conftest import Served

PROCESS = "/v1/documents:process"
PHRASES = ("Invoice number 20261121", "Reference QX-7719", "The quick brown fox jumps over the lazy dog")


async def test_every_upload_reads_the_same_text(served: Served, scan: bytes) -> None:
    encoded = json.dumps({"pdfData": base64.b64encode(scan).decode()})
    async with httpx2.AsyncClient(base_url=served.http, timeout=60) as client:
        answers = [
            await client.post(PROCESS, content=scan, headers={"content-type": "application/pdf"}),
            await client.post(PROCESS, files={"pdf_data": ("scan.pdf", scan, "application/pdf")}),
            await client.post(PROCESS, content=encoded, headers={"content-type": "application/json"}),
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    texts = {answer.json()["text"] for answer in answers}
    async with grpc.aio.insecure_channel(served.grpc) as channel:
        by_stub = await pb_grpc.OCRServiceStub(channel).ProcessPDF(pb.ProcessPDFRequest(pdf_data=scan))
        by_reflection = await _reflected(channel, "ProcessPDF", {"pdfData": base64.b64encode(scan).decode()})
    texts |= {by_stub.text, by_reflection["text"]}
    assert len(texts) == 1
    text = texts.pop()
    assert all(phrase in text for phrase in PHRASES)
    assert by_stub.metadata.pages == 3


async def _reflected(channel: grpc.aio.Channel, method: str, request: dict[str, Any]) -> dict[str, Any]:
    """Calls a method as a reflection client does: from the server's address and the method's name only."""
    ask = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    symbol = reflection_pb2.ServerReflectionRequest(file_containing_symbol="artificer.ocr.v1.OCRService")
    stream = ask(iter([reflection_pb2.ServerReflectionRequest(list_services=""), symbol]))
    answers = [answer async for answer in stream]
    services = {service.name for service in answers[0].list_services_response.service}
    assert {"artificer.ocr.v1.OCRService", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"} <= services
    pool = descriptor_pool.DescriptorPool()
    waiting = [
        descriptor_pb2.FileDescriptorProto.FromString(data)
        for data in answers[1].file_descriptor_response.file_descriptor_proto
    ]
    known: set[str] = set()
    while waiting:
        file = next(one for one in waiting if known.issuperset(one.dependency))
        waiting.remove(file)
        known.add(file.name)
        pool.Add(file)
    descriptor = pool.FindServiceByName("artificer.ocr.v1.OCRService").methods_by_name[method]
    asked = json_format.ParseDict(request, message_factory.GetMessageClass(descriptor.input_type)())
    call: Any = channel.unary_unary(
        f"/artificer.ocr.v1.OCRService/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=message_factory.GetMessageClass(descriptor.output_type).FromString,
    )
    answer = await call(asked)
    found: dict[str, Any] = json_format.MessageToDict(answer)
    return found


async def test_pages_arrive_one_by_one_as_events(served: Served, scan: bytes) -> None:
    events: list[tuple[str, dict[str, Any]]] = []
    headers = {"content-type": "application/pdf", "accept": "text/event-stream"}
    async with (
        httpx2.AsyncClient(base_url=served.http, timeout=60) as client,
        client.stream("POST", "/v1/documents:processStream", content=scan, headers=headers) as response,
    ):
        assert response.headers["content-type"] == "text/event-stream"
        name = ""
        async for line in response.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                events.append((name, json.loads(line.removeprefix("data: "))))
    assert [name for name, _ in events] == ["message", "message", "message", "end"]
    assert [data["pageNumber"] for _, data in events[:3]] == [1, 2, 3]
    assert all(phrase in data["text"] for phrase, (_, data) in zip(PHRASES, events, strict=False))


async def test_both_faces_accept_a_document_of_64_mib_byte_for_byte(served: Served) -> None:
    large = pdf_of(64 * 1024 * 1024)
    form = {"pdf_data": ("large.pdf", large, "application/pdf")}
    encoded = b'{"pdfData":"' + base64.b64encode(large) + b'"}'
    async with httpx2.AsyncClient(base_url=served.http, timeout=120) as client:
        check = "/v1/documents:checkOcr"
        raw = await client.post(check, content=large, headers={"content-type": "application/pdf"})
        parts = await client.post(check, files=form)
        json_ = await client.post(check, content=encoded, headers={"content-type": "application/json"})
        over = await client.post(check, content=large + b"x", headers={"content-type": "application/pdf"})
    options = [("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(served.grpc, options=options) as channel:
        stub = pb_grpc.OCRServiceStub(channel)
        by_grpc = await stub.CheckPDFNeedsOCR(pb.CheckPDFNeedsOCRRequest(pdf_data=large))
    assert by_grpc.pages == 1
    assert [answer.status_code for answer in (raw, parts, json_)] == [200, 200, 200]
    assert (
        raw.json()
        == parts.json()
        == json_.json()
        == json_format.MessageToDict(by_grpc, always_print_fields_with_no_presence=True)
    )
    assert over.status_code in (400, 413, 429)
    assert "64" in over.json()["error"]["message"] or "67108864" in over.json()["error"]["message"]


def pdf_of(size: int) -> bytes:
    """Returns a valid PDF with one blank page and exactly `size` bytes, padded by a comment before the first object."""
    objects = [
        b"1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n",
        b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n",
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\n",
    ]
    head = b"%PDF-1.4\n%"
    # Offsets always have ten digits, so the tail's length does not depend on the padding.
    tail = 20 * 4 + len(b"xref\n0 4\n") + len(b"trailer<</Root 1 0 R/Size 4>>\nstartxref\n%010d\n%%%%EOF\n" % 0)
    out = bytearray(head)
    out += b"x" * (size - len(head) - 1 - sum(map(len, objects)) - tail) + b"\n"
    offsets = []
    for one in objects:
        offsets.append(len(out))
        out += one
    start = len(out)
    out += b"xref\n0 4\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % at for at in offsets)
    out += b"trailer<</Root 1 0 R/Size 4>>\nstartxref\n%010d\n%%%%EOF\n" % start
    assert len(out) == size
    return bytes(out)
