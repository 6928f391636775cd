"""A service with a store made of the kit: ten files, both faces, the same errors, nothing lost by a restart."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from diptych import Settings
from tests.services.postgres import Postgres

from .conftest import EXAMPLE, Serve


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Where notes are kept."""
    if request.param == "sqlite":
        return {"data_dir": str(tmp_path / "data")}
    database: Postgres = request.getfixturevalue("postgres")
    return {"database_url": database.fresh()}


def test_a_service_with_a_store_needs_ten_files() -> None:
    written = [
        path for path in EXAMPLE.rglob("*") if path.suffix in (".py", ".proto") and "__pycache__" not in str(path)
    ]
    assert len(written) == 10


async def test_one_face_stores_and_the_other_reads(serve: Serve, place: dict[str, Any]) -> None:
    async with serve(**place) as served:
        answer = await served.http.post("/v1/notes", json={"text": "milk"})
        note = await served.stub.GetNote(served.pb.GetNoteRequest(id=1))
        assert answer.json() == {"id": "1", "text": "milk", "createTime": note.create_time.ToJsonString()}
        assert (await served.http.get("/readyz")).json()["checks"] == {"notes": "ok"}


async def test_pages_give_every_note_once(serve: Serve, place: dict[str, Any]) -> None:
    async with serve(**place) as served:
        for number in range(5):
            await served.stub.CreateNote(served.pb.CreateNoteRequest(text=str(number)))
        seen, token, pages = [], "", 0
        while token or not pages:
            page = (await served.http.get("/v1/notes", params={"page_size": 2, "page_token": token})).json()
            seen += [note["text"] for note in page["notes"]]
            token, pages = page.get("nextPageToken", ""), pages + 1
    assert (seen, pages) == (["0", "1", "2", "3", "4"], 3)


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "said"),
    [
        ("POST", "/v1/notes", {"text": " "}, 400, "text: must not be empty"),
        ("POST", "/v1/notes", {"text": "x" * 9}, 400, "text: is 9 bytes long; at most 8 are allowed"),
        ("GET", "/v1/notes/7", None, 404, "there is no note 7"),
        ("GET", "/v1/notes?page_size=-1", None, 400, "page_size: must not be negative, but is -1"),
        (
            "GET",
            "/v1/notes?page_token=stale",
            None,
            400,
            "page_token: must be the next_page_token of a response to the same request",
        ),
    ],
)
async def test_invalid_requests_are_answered_with_what_to_correct(
    serve: Serve, tmp_path: Path, method: str, path: str, sent: Any, status: int, said: str
) -> None:
    async with serve(data_dir=str(tmp_path), max_text_bytes=8) as served:
        answer = await served.http.request(method, path, json=sent)
    assert (answer.status_code, answer.json()["error"]["message"]) == (status, said)


async def test_the_field_at_fault_is_named_over_grpc(serve: Serve, tmp_path: Path) -> None:
    async with serve(data_dir=str(tmp_path)) as served:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await served.stub.CreateNote(served.pb.CreateNoteRequest())
    failure: Any = caught.value
    bad = error_details_pb2.BadRequest()
    assert rpc_status.from_call(failure).details[0].Unpack(bad)
    assert [violation.field for violation in bad.field_violations] == ["text"]


async def test_notes_outlive_the_process_that_stored_them(serve: Serve, place: dict[str, Any]) -> None:
    for count in (1, 2):
        async with serve(**place) as served:
            await served.http.post("/v1/notes", json={"text": "again"})
            assert len((await served.http.get("/v1/notes")).json()["notes"]) == count


def test_a_wrong_setting_stops_the_start(serve: Serve) -> None:
    build: Any = importlib.import_module("notes.build")
    for values, said in (
        ({"max_text_bites": 1}, "did you mean services.notes.max_text_bytes"),
        ({"max_text_bytes": 0}, "max_text_bytes must be positive"),
        ({"database_url": "mysql://x"}, "must begin with postgresql://"),
    ):
        with pytest.raises(ValueError, match=said):
            build.create(Settings(services={"notes": values}))
