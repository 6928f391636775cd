"""How files go out over REST: as they are, with the other fields in the query."""

from __future__ import annotations

import base64
import io
import json as js
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from artificer.errors import APIConnectionError
from tests.sdk.transports.driver import driver
from tests.sdk.transports.rude_server import hang_up, json, rude_server
from tests.waiting import PATIENCE

both = pytest.mark.parametrize("mode", ["sync", "async"])
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 40
INDEX = "artificer.ai.v1.AiWorkerService/ProcessAsset"
PROCESS = "artificer.ocr.v1.OCRService/ProcessPDF"


@both
def test_a_file_is_the_body(mode: str, tmp_path: Path) -> None:
    """No base64: the bytes have the file's media type, and the query has the options."""
    (tmp_path / "a.pdf").write_bytes(PDF)
    with rude_server(json(200, b"{}")) as server, driver(mode, base_url=server.url) as client:
        client.do(lambda one: one.documents.process(str(tmp_path / "a.pdf"), force_ocr=True, languages=["eng", "deu"]))
    (request,) = server.requests
    assert request.body == PDF
    assert request.headers["content-type"].startswith("application/")
    path, _, query = request.path.partition("?")
    assert path == "/v1/documents:process"
    assert set(query.split("&")) == {"force_ocr=true", "languages=eng", "languages=deu"}


@both
def test_what_may_be_meant_as_json_is_declared_as_bytes(mode: str) -> None:
    """The gateway would refuse a text, or read it as JSON."""
    with rude_server(json(200, b"{}")) as server, driver(mode, base_url=server.url) as client:
        client.do(lambda one: one.call(INDEX, {"data": PDF, "content_type": "text/html", "collection": "c"}))
    assert server.requests[0].headers["content-type"] == "application/octet-stream"
    assert "content_type=text%2Fhtml" in server.requests[0].path


@both
def test_a_small_file_is_a_field(mode: str) -> None:
    """JSON is shorter to write then, and every proxy understands it."""
    with rude_server(json(200, b"{}")) as server, driver(mode, base_url=server.url) as client:
        client.do(lambda one: one.call(PROCESS, {"pdf_data": b"%PDF"}))
    sent = js.loads(server.requests[0].body)
    assert base64.urlsafe_b64decode(sent["pdfData"]) == b"%PDF"


@both
@pytest.mark.parametrize("kind", ["path", "bytes", "open", "pieces"])
def test_every_kind_of_file_is_streamed(mode: str, kind: str, tmp_path: Path) -> None:
    """The bytes arrive whole, and progress is told until their end."""
    (tmp_path / "a.pdf").write_bytes(PDF * 50)
    given: dict[str, Any] = {
        "path": tmp_path / "a.pdf",
        "bytes": PDF * 50,
        "open": io.BytesIO(PDF * 50),
        "pieces": iter([PDF] * 50),
    }
    progress: list[tuple[int, int | None]] = []
    with rude_server(json(200, b'{"id": "b"}')) as server, driver(mode, base_url=server.url) as client:
        blob = client.do(lambda one: one.batch.blobs.upload(given[kind], progress=lambda *told: progress.append(told)))
    assert blob.id == "b"
    assert server.requests[0].body == PDF * 50
    assert progress[-1] == (len(PDF) * 50, None if kind == "pieces" else len(PDF) * 50)


@both
def test_a_pipe_given_by_its_path_is_sent_once(mode: str, tmp_path: Path) -> None:
    """What was read of it is gone, so that another attempt would store the rest."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with (
        rude_server(hang_up, json(200, b'{"id": "b"}')) as server,
        driver(mode, base_url=server.url) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        filling = pool.submit(pipe.write_bytes, PDF)
        with pytest.raises(APIConnectionError):
            client.do(lambda one: one.batch.blobs.upload(pipe))
        filling.result(PATIENCE)
    assert [request.body for request in server.requests] == [PDF]


@both
def test_an_upload_whose_connection_broke(mode: str) -> None:
    """Blobs are stored once, so bytes are sent again; pieces cannot be read twice."""
    with rude_server(hang_up, json(200, b'{"id": "b"}'), hang_up) as server:
        with driver(mode, base_url=server.url) as client:
            assert client.do(lambda one: one.batch.blobs.upload(PDF)).id == "b"
            with pytest.raises(APIConnectionError) as raised:
                client.do(lambda one: one.batch.blobs.upload(iter([PDF])))
        assert raised.value.sent
        assert [request.body for request in server.requests] == [PDF, PDF, PDF]
