"""Requests that are a well-known type with a JSON form of its own: their fields cannot be set apart from it."""

from __future__ import annotations

from typing import Any

import pytest

from .compiled import compiled, serving_compiled

BOTH_WAYS = True

pytestmark = pytest.mark.asyncio(loop_scope="session")

FILE = compiled(
    "known/known.proto",
    """
    syntax = "proto3";
    package known;
    import "google/api/annotations.proto";
    import "google/protobuf/any.proto";
    import "google/protobuf/timestamp.proto";
    import "google/protobuf/wrappers.proto";
    service Known {
      rpc Any(google.protobuf.Any) returns (google.protobuf.Any) {
        option (google.api.http) = {post: "/v1/any" body: "*"};
      }
      rpc Time(google.protobuf.Timestamp) returns (google.protobuf.Timestamp) {
        option (google.api.http) = {post: "/v1/time" body: "*"};
      }
      rpc Bytes(google.protobuf.BytesValue) returns (google.protobuf.BytesValue) {
        option (google.api.http) = {post: "/v1/bytes" body: "*"};
      }
    }
    """,
)


async def same(request: Any, context: Any) -> Any:
    return request


async def test_only_json_is_a_type_with_a_form_of_its_own(way: str) -> None:
    async with serving_compiled(FILE, dict.fromkeys(("Any", "Time", "Bytes"), same), way=way) as (_, http):
        raw = {"content-type": "application/octet-stream"}
        refused = [
            await http.post("/v1/any", content=b"raw", headers=raw),
            await http.post("/v1/any", files={"value": ("a", b"raw")}),
            await http.post("/v1/time", files={"seconds": (None, "5")}),
            await http.post("/v1/bytes", files={"value": ("a", b"raw")}),
        ]
        assert [one.status_code for one in refused] == [415] * 4, [one.text for one in refused]
        assert "expected application/json" in refused[0].json()["error"]["message"]
        assert (await http.post("/v1/bytes", content=b"raw", headers=raw)).json() == "cmF3"
        document = (await http.get("/openapi.json")).json()
    taken = {
        path: list(document["paths"][path]["post"]["requestBody"]["content"])
        for path in ("/v1/any", "/v1/time", "/v1/bytes")
    }
    assert taken["/v1/any"] == taken["/v1/time"] == ["application/json"]
    assert taken["/v1/bytes"] == ["application/json", "application/octet-stream"]
