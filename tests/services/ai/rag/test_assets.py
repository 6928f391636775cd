"""ProcessAsset in the whole program: OCR, Pandoc, blobs, files, and batch jobs that index what is long."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from artificer_services.app import create
from diptych import Settings
from tests.services.ai.samples import handbook
from tests.services.convert.samples import docx, paragraph
from tests.services.ocr.samples import picture
from tests.waiting import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")

PDF = handbook(("Holidays", "Everyone has 30 days of leave."), ("Travel", "Trains are booked in second class."))
LONG = handbook(*((f"Page {number}", f"Rule number {number}.") for number in range(4)))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the program with scripted models; assets of more than 3 pages or 100,000 bytes are long."""
    data, docs = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("docs")
    (docs / "rules.md").write_text("# Rules\n\nBring a towel.")
    (docs / "empty.md").touch()
    ai: dict[str, Any] = {
        "data_dir": str(data),
        "embedding_models": {"words": {"kind": "scripted"}},
        "default_embedding_model": "words",
        "chat_models": {"echo": {"kind": "scripted"}},
        "default_chat_model": "echo",
        "reading": {"roots": [str(docs)], "max_inline_pages": 3, "max_inline_bytes": 100_000},
    }
    services: dict[str, dict[str, Any]] = {
        "ai": ai,
        "batch": {"data_dir": str(data), "workers": 1},
        "chat": {"data_dir": str(data)},
        "ocr": {"workers": 1},
    }
    gateway = create(Settings(http_port=0, grpc_port=0, services=services))
    async with gateway:
        base = f"http://127.0.0.1:{gateway.http_port}"
        async with httpx2.AsyncClient(base_url=base, timeout=PATIENCE) as client:
            await client.post("/v1/collections?collection_id=assets", json={})
            client.headers["x-docs"] = str(docs)
            yield client


async def process(http: httpx2.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await http.post("/v1/assets:process", json={"collection": "assets", **fields})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def text_of(http: httpx2.AsyncClient, document: str) -> str:
    answer = await http.get(f"/v1/collections/assets/documents/{document}/chunks")
    return "\n".join(chunk["text"] for chunk in answer.json()["chunks"])


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("data", "filename", "kind", "pages", "text"),
    [
        (PDF, "", "ASSET_KIND_PDF", 2, "30 days of leave"),
        (picture("The bell was rung twice when fog came."), "", "ASSET_KIND_IMAGE", 1, "rung twice"),
        (docx(paragraph("Hours", "Heading1"), paragraph("Open at nine.")), "", "ASSET_KIND_OFFICE", 0, "# Hours"),
        (b"<html><body><h2>Menu</h2><p>Soup.</p></body></html>", "", "ASSET_KIND_HTML", 0, "## Menu"),
        (b"# Notes\n\nPlain.", "notes.md", "ASSET_KIND_TEXT", 0, "Plain."),
    ],
    ids=["pdf", "image", "docx", "html", "text"],
)
async def test_each_kind_becomes_a_document(
    http: httpx2.AsyncClient, data: bytes, filename: str, kind: str, pages: int, text: str
) -> None:
    made = await process(http, data=encoded(data), filename=filename)
    assert (made["status"], made["kind"], made.get("pageCount", 0)) == ("ASSET_STATUS_INDEXED", kind, pages)
    assert made["chunkCount"] >= 1
    assert text in await text_of(http, made["document"])


async def test_an_asset_may_be_the_body(http: httpx2.AsyncClient) -> None:
    answer = await http.post(
        "/v1/assets:process?collection=assets&document=raw", content=PDF, headers={"content-type": "application/pdf"}
    )
    assert (answer.json()["document"], answer.json()["pageCount"]) == ("raw", 2)


async def test_a_blob_and_a_file_become_documents(http: httpx2.AsyncClient) -> None:
    blob = (await http.post("/v1/blobs", content=PDF, headers={"content-type": "application/pdf"})).json()["id"]
    assert (await process(http, blob=blob, document="blob"))["pageCount"] == 2
    missing = await http.post("/v1/assets:process", json={"collection": "assets", "blob": "0" * 64})
    assert missing.status_code == 404
    malformed = await http.post("/v1/assets:process", json={"collection": "assets", "blob": "../x"})
    assert malformed.status_code == 400
    made = await process(http, uri=f"file://{http.headers['x-docs']}/rules.md", document="rules")
    assert made["kind"] == "ASSET_KIND_TEXT"
    assert await text_of(http, "rules") == "# Rules\n\nBring a towel."


async def test_wrong_bytes_are_the_fault_of_the_field_that_named_them(http: httpx2.AsyncClient) -> None:
    blob = (await http.post("/v1/blobs", content=b"\0\1", headers={"content-type": "text/plain"})).json()["id"]
    for source in ({"uri": f"file://{http.headers['x-docs']}/empty.md"}, {"blob": blob}, {"data": encoded(b"\0\1")}):
        answer = await http.post("/v1/assets:process", json={"collection": "assets", **source})
        violations = answer.json()["error"]["details"][0]["fieldViolations"]
        assert (answer.status_code, [one["field"] for one in violations]) == (400, list(source))


async def test_an_asset_of_the_same_id_is_replaced(http: httpx2.AsyncClient) -> None:
    for text in ("first", "second"):
        await process(http, data=encoded(text.encode()), document="same")
    assert await text_of(http, "same") == "second"


async def done(http: httpx2.AsyncClient, job: str) -> dict[str, Any]:
    """The job at its end, which its stream of events tells."""
    async with (
        asyncio.timeout(PATIENCE),
        http.stream("GET", f"/v1/jobs/{job}/progress:stream", headers={"accept": "application/x-ndjson"}) as watched,
    ):
        assert watched.status_code == 200
        async for _ in watched.aiter_lines():
            pass
    found: dict[str, Any] = (await http.get(f"/v1/jobs/{job}")).json()
    return found


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"data": encoded(LONG), "document": "pages"}, "Rule number 3."),
        ({"data": encoded(b"A long text. " * 10_000), "document": "bytes"}, "A long text."),
        ({"data": encoded(b"Small {{input}}."), "document": "asked", "background": True}, "Small {{input}}."),
    ],
    ids=["pages", "bytes", "background"],
)
async def test_long_assets_are_indexed_by_a_job(http: httpx2.AsyncClient, fields: dict[str, Any], text: str) -> None:
    made = await process(http, **fields, display_name="Name {{x}}", metadata={"kind": "long"}, filename="f.bin")
    assert made["status"] == "ASSET_STATUS_QUEUED"
    assert made["document"] == fields["document"]
    job = await done(http, made["job"])
    assert job["status"] == "JOB_STATUS_COMPLETED", job
    document = (await http.get(f"/v1/collections/assets/documents/{fields['document']}")).json()
    assert (document["displayName"], document["metadata"]) == ("Name {{x}}", {"kind": "long"})
    assert text in await text_of(http, fields["document"])
