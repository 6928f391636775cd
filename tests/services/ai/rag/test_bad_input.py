"""What every door refuses: a clear status, and the field to correct."""

from __future__ import annotations

import os
from typing import Any

import pytest

from artificer_services.kit.paging import token_of
from tests.services.ai.rag.conftest import Doors

RULES = "/v1/collections/rules"
MANY = {f"k{number}": "v" for number in range(33)}


def fields(body: dict[str, Any]) -> list[str]:
    """The fields of an error of REST."""
    details = body["error"].get("details", [])
    return [fault["field"] for one in details for fault in one.get("fieldViolations", [])]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (f"{RULES}:ask", {}, "question"),
        (f"{RULES}:ask", {"question": "  "}, "question"),
        (f"{RULES}:ask", {"question": "x" * 9000}, "question"),
        (f"{RULES}:ask", {"question": "x", "model": "gpt-9"}, "model"),
        (f"{RULES}:ask", {"question": "x", "model": "words"}, "model"),  # an embedding model
        (f"{RULES}:ask", {"question": "x", "top_k": 51}, "top_k"),
        (f"{RULES}:ask", {"question": "x", "top_k": -1}, "top_k"),
        (f"{RULES}:ask", {"question": "x", "mode": 9}, "mode"),
        (f"{RULES}:ask", {"question": "x", "filter": MANY}, "filter"),
        (f"{RULES}:ask", {"question": "x", "options": {"temperature": 9}}, "options.temperature"),
        (f"{RULES}:ask", {"question": "x", "options": {"max_tokens": 100000}}, "options.max_tokens"),
        (f"{RULES}:retrieve", {}, "query"),
        (f"{RULES}:retrieve", {"query": "x" * 9000}, "query"),
        (f"{RULES}:retrieve", {"query": "x", "top_k": 101}, "top_k"),
        (f"{RULES}:search", {}, "text"),
        (f"{RULES}:search", {"text": ""}, "text"),
        (f"{RULES}:search", {"text": "x", "top_k": 1001}, "top_k"),
        (f"{RULES}:search", {"text": "x", "min_score": 2}, "min_score"),
        (f"{RULES}:search", {"text": "x", "filter": MANY}, "filter"),
        (f"{RULES}:search", {"text": "x", "filter": {"k": "v" * 600}}, "filter['k']"),
        (f"{RULES}:search", {"vector": {"values": [1.0, 2.0]}}, "vector.values"),
        (f"{RULES}:search", {"vector": {"values": [0.0] * 64}}, "vector.values"),
        (f"{RULES}:search", {"vector": {"values": ["NaN"] * 64}}, "vector.values"),
        ("/v1/collections?collection_id=a%20b", {}, "collection_id"),
        ("/v1/collections", {"chunk_tokens": 7}, "collection.chunk_tokens"),
        ("/v1/collections", {"chunk_overlap": 500}, "collection.chunk_overlap"),
        ("/v1/collections", {"embedding_model": "hotel"}, "collection.embedding_model"),
        ("/v1/collections", {"display_name": "x" * 300}, "collection.display_name"),
        (f"{RULES}:reindex", {"embedding_model": "none"}, "embedding_model"),
        ("/v1/assets:process", {"collection": "rules"}, "data"),
        ("/v1/assets:process", {"data": "eA=="}, "collection"),
        ("/v1/assets:process", {"collection": "rules", "data": ""}, "data"),
        ("/v1/assets:process", {"collection": "rules", "data": "f0VMRgIBAQAAAA=="}, "data"),
        ("/v1/assets:process", {"collection": "rules", "data": "eA==", "document": "a/b"}, "document"),
        ("/v1/assets:process", {"collection": "rules", "data": "eA==", "metadata": MANY}, "metadata"),
        ("/v1/assets:process", {"collection": "rules", "data": "eA==", "filename": "a\nb"}, "filename"),
        ("/v1/assets:process", {"collection": "rules", "data": "eA==", "contentType": "image/png"}, "content_type"),
        ("/v1/assets:process", {"collection": "rules", "data": "eA==", "contentType": "text/plain\0"}, "content_type"),
        ("/v1/assets:process", {"collection": "rules", "data": "eA==", "background": True}, "background"),
        (  # known before a job is made of it
            "/v1/assets:process",
            {"collection": "rules", "data": "eA==", "contentType": "a" * 256, "background": True},
            "content_type",
        ),
        ("/v1/assets:process", {"collection": "rules", "blob": "0" * 64}, "blob"),
        ("/v1/assets:process", {"collection": "rules", "uri": "file:///etc/passwd"}, "uri"),
        ("/v1/assets:process", {"collection": "rules", "uri": "http://169.254.169.254/"}, "uri"),
        ("/v1/assets:process", {"collection": "rules", "uri": "gopher://x"}, "uri"),
    ],
)
async def test_a_field_that_is_wrong_is_named(filled: Doors, path: str, body: dict[str, Any], field: str) -> None:
    status, answer = await filled.post(path, body)
    assert status == 400, answer
    assert field in fields(answer), answer


@pytest.mark.parametrize(
    ("content", "content_type", "field"),
    [
        (b"", "text/plain", "content.data"),
        (b"   ", "text/plain", "content.data"),
        (os.urandom(5000) + b"\xff", "", "content.data"),
        (b"x" * 100_001, "text/plain", "content.data"),
        (b"word " * 12_000, "text/plain", "content.data"),  # too many characters
        (b"hello", "application/pdf", "content.content_type"),
        (b"hello", "text/plain; charset=nonsense", "content.content_type"),
        (b"hello", "multipart/form-data", "content.content_type"),
        (b"hello", "multipart/form-data; boundary=x", "content.data"),
    ],
)
async def test_files_that_are_refused(filled: Doors, content: bytes, content_type: str, field: str) -> None:
    status, answer = await filled.post(
        f"{RULES}/documents", content=content, headers={"content-type": content_type or "application/octet-stream"}
    )
    assert status == 400, answer
    assert field in fields(answer), answer
    documents = (await filled.faces.http.get(f"{RULES}/documents")).json()["documents"]
    assert [one["id"] for one in documents] == ["leave", "travel"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/collections/none", None),
        ("DELETE", "/v1/collections/none", None),
        ("GET", "/v1/collections/none/documents", None),
        ("GET", f"{RULES}/documents/none", None),
        ("GET", f"{RULES}/documents/none/chunks", None),
        ("DELETE", f"{RULES}/documents/none", None),
        ("POST", f"{RULES}/documents/none:reindex", {}),
        ("POST", "/v1/collections/none:ask", {"question": "x"}),
        ("POST", "/v1/collections/none:retrieve", {"query": "x"}),
        ("POST", "/v1/collections/none:search", {"text": "x"}),
        ("POST", "/v1/collections/none:reindex", {}),
        ("POST", "/v1/collections/none/documents", {"x": 1}),
        ("POST", "/v1/assets:process", {"collection": "none", "data": "eA=="}),
    ],
)
async def test_what_does_not_exist_is_404(filled: Doors, method: str, path: str, body: Any) -> None:
    answer = await filled.faces.http.request(method, path, json=body)
    assert answer.status_code == 404, answer.text
    assert "none" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/collections/%00", None),
        ("DELETE", "/v1/collections/%00", None),
        ("GET", "/v1/collections/%00/documents", None),
        ("GET", f"{RULES}/documents/%00", None),
        ("GET", f"{RULES}/documents/%00/chunks", None),
        ("DELETE", f"{RULES}/documents/%00", None),
        ("POST", f"{RULES}/documents/%00:reindex", {}),
        ("POST", "/v1/collections/%00:ask", {"question": "x"}),
        ("POST", "/v1/collections/%00:retrieve", {"query": "x"}),
        ("POST", "/v1/collections/%00:search", {"text": "x"}),
        ("POST", "/v1/collections/%00:reindex", {}),
        ("POST", "/v1/collections/%00/documents", {"x": 1}),
        ("POST", "/v1/assets:process", {"collection": "\0", "data": "eA=="}),
    ],
)
async def test_an_id_that_nothing_can_have_is_404(filled: Doors, method: str, path: str, body: Any) -> None:
    answer = await filled.faces.http.request(method, path, json=body)
    assert answer.status_code == 404, answer.text


@pytest.mark.parametrize("position", ["zz", "6", "ff", "00"])
async def test_a_page_token_that_was_made_up_is_refused(filled: Doors, position: str) -> None:
    token = token_of(position, "documents", "rules")
    answer = await filled.faces.http.get(f"{RULES}/documents", params={"page_token": token})
    assert answer.status_code == 400, answer.text
    assert fields(answer.json()) == ["page_token"]


async def test_a_question_is_told_how_many_passages_it_may_ask_for(filled: Doors) -> None:
    for count in (-1, 51):
        status, answer = await filled.post(f"{RULES}:ask", {"question": "x", "top_k": count})
        assert (status, answer["error"]["message"]) == (400, f"top_k: must be from 1 to 50, but is {count}")


async def test_ids_that_are_taken_are_409(filled: Doors) -> None:
    status, _ = await filled.post("/v1/collections?collection_id=rules", {})
    assert status == 409
    status, _ = await filled.post(f"{RULES}/documents?document_id=leave", content=b"x")
    assert status == 409


async def test_office_documents_without_their_reader_are_501(filled: Doors) -> None:
    status, answer = await filled.post(f"{RULES}/documents", content=b"PK\x03\x04" + b"x" * 50)
    assert status == 501
    assert "office" in answer["error"]["message"]
