"""Collections and documents over REST and gRPC."""

from __future__ import annotations

import grpc
import pytest
from google.api import httpbody_pb2

from artificer.rag.v1 import rag_service_pb2 as pb
from tests.services.ai.rag.conftest import HOTEL, LEAVE, Doors


async def test_a_collection_over_rest(filled: Doors) -> None:
    http = filled.faces.http
    found = (await http.get("/v1/collections/rules")).json()
    assert found["displayName"] == "Rules"
    assert (found["embeddingModel"], found["dimension"]) == ("words", 64)
    assert (found["documentCount"], found["chunkCount"]) == (2, "2")
    assert [one["id"] for one in (await http.get("/v1/collections")).json()["collections"]] == ["rules"]
    documents = (await http.get("/v1/collections/rules/documents?page_size=1")).json()
    assert [one["id"] for one in documents["documents"]] == ["leave"]
    rest = await http.get(f"/v1/collections/rules/documents?page_token={documents['nextPageToken']}")
    assert [one["id"] for one in rest.json()["documents"]] == ["travel"]
    document = (await http.get("/v1/collections/rules/documents/leave")).json()
    assert document["metadata"] == {"kind": "rule"}
    assert document["contentType"] == "text/plain"
    assert document["characterCount"] == len(LEAVE)
    chunks = (await http.get("/v1/collections/rules/documents/leave/chunks")).json()["chunks"]
    assert [one["text"] for one in chunks] == [LEAVE]
    assert chunks[0]["span"] == {"end": len(LEAVE)} or chunks[0]["span"]["end"] == len(LEAVE)
    again = await filled.post("/v1/collections/rules:reindex", {"embedding_model": "small", "chunk_tokens": 32})
    assert (again["embeddingModel"], again["dimension"], again["chunkTokens"]) == ("small", 32, 32)
    assert (await filled.post("/v1/collections/rules/documents/leave:reindex", {}))["id"] == "leave"
    refused = await http.delete("/v1/collections/rules")
    assert refused.status_code == 400
    assert refused.json()["error"]["status"] == "FAILED_PRECONDITION"
    assert (await http.delete("/v1/collections/rules/documents/leave")).status_code == 200
    assert (await http.delete("/v1/collections/rules?force=true")).status_code == 200
    assert (await http.get("/v1/collections/rules")).status_code == 404


async def test_a_collection_over_grpc(doors: Doors) -> None:
    rag = doors.rag
    asked = pb.Collection(display_name="Rules", embedding_model="small", chunk_tokens=64, chunk_overlap=0)
    made = await rag.CreateCollection(pb.CreateCollectionRequest(collection_id="rules", collection=asked))
    assert (made.id, made.dimension, made.chunk_tokens, made.chunk_overlap) == ("rules", 32, 64, 0)
    pieces = [
        pb.CreateDocumentRequest(
            collection="rules",
            document_id="leave",
            filename="leave.md",
            metadata={"kind": "rule"},
            content=httpbody_pb2.HttpBody(data=LEAVE[:20].encode()),
        ),
        pb.CreateDocumentRequest(content=httpbody_pb2.HttpBody(data=LEAVE[20:].encode())),
    ]
    document = await rag.CreateDocument(iter(pieces))
    assert (document.display_name, document.content_type) == ("leave.md", "text/markdown")
    with pytest.raises(grpc.aio.AioRpcError) as taken:
        await rag.CreateDocument(iter(pieces))
    assert taken.value.code() is grpc.StatusCode.ALREADY_EXISTS
    pieces[0].replace = True
    assert (await rag.CreateDocument(iter(pieces))).id == "leave"
    found = await rag.RetrievePassages(pb.RetrievePassagesRequest(collection="rules", query="leave in March"))
    assert [one.chunk.text for one in found.passages] == [LEAVE]
    assert found.passages[0].HasField("similarity")
    await rag.DeleteCollection(pb.DeleteCollectionRequest(collection="rules", force=True))
    assert not (await rag.ListCollections(pb.ListCollectionsRequest())).collections


@pytest.mark.parametrize("mode", ["RETRIEVAL_MODE_HYBRID", "RETRIEVAL_MODE_WORDS", "RETRIEVAL_MODE_VECTORS"])
async def test_passages_by_each_mode(filled: Doors, mode: str) -> None:
    found = await filled.post("/v1/collections/rules:retrieve", {"query": "hotel cost", "mode": mode, "top_k": 1})
    (passage,) = found["passages"]
    assert (passage["document"], passage["chunk"]["text"]) == ("travel", HOTEL)
    assert ("similarity" in passage) == (mode != "RETRIEVAL_MODE_WORDS")


async def test_a_form_as_of_curl(filled: Doors) -> None:
    files = {"file": ('C:\\rules\\note "1".md', b"# Note\r\n\r\nBring a towel.\r\n", "text/markdown")}
    made = await filled.post("/v1/collections/rules/documents?document_id=note", files=files)
    assert (made["displayName"], made["contentType"]) == ('note "1".md', "text/markdown")
    chunks = (await filled.faces.http.get("/v1/collections/rules/documents/note/chunks")).json()["chunks"]
    assert chunks[0]["text"] == "# Note\n\nBring a towel."


@pytest.mark.parametrize(
    ("files", "data", "text"),
    [
        ({"a": ("a.txt", b"x"), "b": ("b.txt", b"y")}, None, "one file, but has 2"),
        ({"a": ("a.txt", b"x")}, {"document_id": "d"}, "send the other fields in the query"),
    ],
)
async def test_forms_with_other_parts_are_refused(filled: Doors, files: object, data: object, text: str) -> None:
    status, body = await filled.post("/v1/collections/rules/documents", files=files, data=data)
    assert status == 400
    assert text in body["error"]["message"]


HEAD = b'--x\r\ncontent-disposition: form-data; name="f"; filename="a.txt"\r\n'


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (HEAD + b"\r\nhello", "cut off"),
        (HEAD + b"\r\nhello\r\n--x\r\n", "cut off"),
        (HEAD + b"a: " + b" " * 50_000 + b"\r\n\r\nhello\r\n--x--\r\n", "malformed"),
        (b"hello", "malformed"),
        (b"--x--\r\n", "one file, but has 0"),
    ],
    ids=["within a part", "between parts", "long headers", "none", "empty"],
)
async def test_malformed_forms_are_refused(filled: Doors, body: bytes, text: str) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = await filled.faces.http.post("/v1/collections/rules/documents", content=body, headers=headers)
    assert (answer.status_code, text in answer.text) == (400, True), answer.text
