"""TRANSCODING.md section 4: one table, one body for every error of the process, and no internals in it."""

from __future__ import annotations

from typing import Any

import grpc
import httpx2
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from diptych.status import CODE_BY_NUMBER
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, Served, every_engine
from tests.kitchen import Kitchen

BOTH_WAYS = True

pytestmark = pytest.mark.asyncio(loop_scope="session")

# google/rpc/code.proto, "HTTP Mapping".
TABLE = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
}


async def fail(served: Served, code: str, how: str = "", **more: Any) -> httpx2.Response:
    """A failure, as clients see it."""
    body = {"code": grpc.StatusCode[code].value[0], "message": "no soup", "how": how, **more}
    return await served.http.post("/v1/fail", json=body)


async def test_the_table_has_every_code() -> None:
    assert {code.name for code in CODE_BY_NUMBER.values()} == {*TABLE, "OK"}


@pytest.mark.parametrize(("code", "http"), TABLE.items())
@pytest.mark.parametrize("how", ["", "status", "set_code"])
async def test_each_code_has_its_status(shared: Served, code: str, http: int, how: str) -> None:
    answer = await fail(shared, code, how)
    assert answer.status_code == http
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert (error["code"], error["status"], error["message"]) == (http, code, "no soup")
    # Only the trailing metadata of the status passed to abort_with_status is sent, as in grpcio.
    assert answer.headers.get("grpc-trailer-x-kitchen") == (None if how == "status" else "closed")


@pytest.mark.parametrize(
    ("verb", "path", "headers", "body", "http"),
    [
        ("GET", "/nowhere", {}, b"", 404),
        ("GET", "/v1/dishes/", {}, b"", 404),
        ("GET", "/v1//dishes", {}, b"", 404),
        ("GET", "/v1/dishes/%G0", {}, b"", 400),
        ("GET", "/v1/dishes/%FF", {}, b"", 400),
        ("PUT", "/v1/dishes", {}, b"", 405),
        ("POST", "/healthz", {}, b"", 405),
        ("POST", "/v1/dishes/1:cook", {"content-type": "a/b"}, b"x", 415),
        ("GET", "/v1/dishes/1", {"grpc-timeout": "soon"}, b"", 400),
        ("GET", "/v1/dishes/1", {"x-server-timeout": "-1"}, b"", 400),
        ("GET", "/v1/ticks", {"accept": "image/png"}, b"", 406),
        ("POST", "/v1/fail", {"content-type": "application/json"}, b'{"how":"raise"}', 500),
    ],
    ids=str,
)
async def test_every_error_has_one_body(
    shared: Served, verb: str, path: str, headers: dict[str, str], body: bytes, http: int
) -> None:
    answer = await shared.http.request(verb, path, headers=headers, content=body)
    assert answer.status_code == http
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "status", "details"}
    assert error["code"] == http
    assert TABLE[error["status"]] // 100 == http // 100 or http == 405


async def test_wrong_methods_get_the_allowed_ones(shared: Served) -> None:
    answer = await shared.http.put("/v1/dishes")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    answer = await shared.http.options("/v1/dishes/1")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PURGE, PUT"
    # No header or parameter overrides the HTTP method (CVE-2026-37236).
    for headers, query in [({"x-http-method-override": "DELETE"}, ""), ({}, "?$httpMethod=DELETE")]:
        answer = await shared.http.request("POST", f"/v1/dishes/1{query}", headers=headers)
        assert answer.status_code == 405


async def test_head_follows_get(shared: Served) -> None:
    get, head = await shared.http.get("/v1/dishes/1"), await shared.http.head("/v1/dishes/1")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
    head = await shared.http.head("/v1/dishes/missing")
    assert (head.status_code, head.content) == (404, b"")


# Unexpected exceptions.


@every_engine
@pytest.mark.parametrize("how", ["raise"])
async def test_an_unexpected_exception_becomes_an_error_id(
    shared: Served, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await fail(shared, "OK", how)
    error = answer.json()["error"]
    assert (answer.status_code, error["status"]) == (500, "INTERNAL")
    error_id = error["details"][0]["requestId"]
    assert error["message"] == f"internal error, id {error_id}"
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await shared.rpc.Fail(pb.FailRequest(message="no soup", how=how))
    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in answer.text + str(failed.value)
    logged = [record for record in caplog.records if error_id in record.getMessage()]
    assert len(logged) == 1
    assert logged[0].exc_info is not None


@every_engine
async def test_debug_shows_the_exception(serve: Serve) -> None:
    async with serve(debug=True) as served:
        assert "RuntimeError: secret: no soup" in (await fail(served, "OK", "raise")).text
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await served.rpc.Fail(pb.FailRequest(message="no soup", how="raise"))
        assert "RuntimeError: secret: no soup" in str(failed.value.details())


@every_engine
async def test_a_servicer_that_cancels_itself(shared: Served) -> None:
    answer = await fail(shared, "OK", "cancel")
    assert (answer.status_code, answer.json()["error"]["status"]) == (499, "CANCELLED")
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await shared.rpc.Fail(pb.FailRequest(how="cancel"))
    assert failed.value.code() is grpc.StatusCode.CANCELLED
    assert failed.value.details() == answer.json()["error"]["message"]


# Details.


@every_engine
async def test_rich_details_arrive_on_both_faces(shared: Served) -> None:
    answer = await fail(shared, "UNAVAILABLE", "status", retrySeconds=2.5)
    info, retry = answer.json()["error"]["details"]
    assert info == {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "BURNT", "domain": "kitchen.test"}
    assert retry == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2.500s"}
    assert answer.headers["retry-after"] == "3"
    assert "grpc-trailer-grpc-status-details-bin" not in answer.headers
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await shared.rpc.Fail(pb.FailRequest(code=14, message="no soup", how="status", retry_seconds=2.5))
    rich = rpc_status.from_call(failed.value)  # type: ignore[arg-type]
    assert rich is not None
    assert [detail.type_url.rpartition(".")[2] for detail in rich.details] == ["ErrorInfo", "RetryInfo"]


class Strange(Kitchen):
    """Sends a detail of an unknown type, and a challenge."""

    async def GetDish(self, request: pb.GetDishRequest, context: Any) -> pb.Dish:
        if request.dish_id == "challenge":
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who?", (("www-authenticate", "Basic"),))
        detail = any_pb2.Any(type_url="type.googleapis.com/nobody.Knows", value=b"\x00\x01")
        status = status_pb2.Status(code=9, message="odd", details=[detail])
        await context.abort_with_status(rpc_status.to_status(status))
        return pb.Dish()


async def test_an_unknown_detail_is_passed_on_unchanged(serve: Serve) -> None:
    async with serve(Strange()) as served:
        answer = await served.http.get("/v1/dishes/1")
        assert answer.json()["error"]["details"] == [{"@type": "type.googleapis.com/nobody.Knows", "value": "AAE="}]


async def test_a_401_always_has_a_challenge(serve: Serve) -> None:
    async with serve(Strange()) as served:
        answer = await served.http.get("/v1/dishes/challenge")
        assert answer.headers.get_list("www-authenticate") == ["Basic"]
        assert "grpc-trailer-www-authenticate" not in answer.headers
        answer = await fail(served, "UNAUTHENTICATED")
        assert answer.headers["www-authenticate"] == "Bearer"


# Dialects.


async def test_the_status_dialect(serve: Serve) -> None:
    async with serve(error_dialect="status") as served:
        answer = await fail(served, "NOT_FOUND", "status")
        assert answer.status_code == 404
        assert (answer.json()["code"], answer.json()["message"]) == (5, "no soup")
        assert answer.json()["details"][0]["reason"] == "BURNT"
        for path in ("/nowhere", "/v1/dishes/%G0"):
            assert set((await served.http.get(path)).json()) == {"code", "message", "details"}
        cut = await served.http.get("/v1/ticks?failAfter=-1")
        assert cut.json()["code"] == 9


async def test_the_problem_dialect(serve: Serve) -> None:
    async with serve(error_dialect="problem") as served:
        answer = await fail(served, "NOT_FOUND", "status")
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert (body["type"], body["title"], body["status"], body["detail"]) == (
            "about:blank",
            "NOT_FOUND",
            404,
            "no soup",
        )
        assert (await served.http.post("/healthz")).json()["status"] == 405


async def test_a_client_error_names_its_faults(shared: Served) -> None:
    answer = await shared.http.post("/v1/echo", json={"int32Value": "x", "ingredients": [{"grams": []}]})
    [bad] = answer.json()["error"]["details"]
    assert bad["@type"] == "type.googleapis.com/" + error_details_pb2.BadRequest.DESCRIPTOR.full_name
    assert {violation["field"] for violation in bad["fieldViolations"]} == {"int32Value", "ingredients[0].grams"}
    assert all(violation["description"] for violation in bad["fieldViolations"])
