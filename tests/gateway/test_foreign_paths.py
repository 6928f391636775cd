"""Templates of others' contracts that http.proto's grammar does not have, over a real server."""

from __future__ import annotations

from typing import Any

import pytest

from .compiled import compiled, serving_compiled

BOTH_WAYS = True

FILE = compiled(
    "foreign/v1/paths.proto",
    """
    syntax = "proto3";
    package foreign.v1;
    import "google/api/annotations.proto";
    service Paths {
      rpc List(Request) returns (Request) {
        option (google.api.http) = {
          get: "/v1/{parent=projects/*/databases/*/documents/**}/{collection_id}"
          additional_bindings: {get: "/v1/{parent=projects/*/databases/*/documents/**}/{collection_id}/pages/*:read"}
        };
      }
      rpc Root(Request) returns (Request) {
        option (google.api.http) = {
          get: "/"
          additional_bindings: {post: "/" body: "*"}
        };
      }
    }
    message Request {
      string parent = 1;
      string collection_id = 2;
    }
    """,
)
PARENT = "projects/p/databases/d/documents"


async def same(request: Any, context: Any) -> Any:
    return request


@pytest.mark.parametrize(
    ("path", "parent", "collection"),
    [
        (f"/v1/{PARENT}/rooms", PARENT, "rooms"),
        (f"/v1/{PARENT}/rooms/r/messages", f"{PARENT}/rooms/r", "messages"),
        (f"/v1/{PARENT}/a%2Fb/c%2Fd", f"{PARENT}/a%2Fb", "c/d"),
        (f"/v1/{PARENT}/rooms/r/messages/pages/9:read", f"{PARENT}/rooms/r", "messages"),
    ],
)
async def test_a_variable_may_follow_a_double_wildcard(path: str, parent: str, collection: str, way: str) -> None:
    async with serving_compiled(FILE, {"List": same, "Root": same}, way=way) as (_, http):
        assert (await http.get(path)).json() == {"parent": parent, "collectionId": collection}


async def test_the_root_is_a_template(way: str) -> None:
    async with serving_compiled(FILE, {"List": same, "Root": same}, way=way) as (_, http):
        assert (await http.get("/?parent=a")).json() == {"parent": "a", "collectionId": ""}
        assert (await http.post("/", json={"parent": "b"})).json() == {"parent": "b", "collectionId": ""}
        assert (await http.put("/")).status_code == 405
        paths = (await http.get("/openapi.json")).json()["paths"]
        assert paths["/"].keys() == {"get", "post"}
        assert "/v1/projects/{project}/databases/{database}/documents/{parent}/{collectionId}" in paths


async def test_the_root_without_a_template_is_no_route(way: str) -> None:
    async with serving_compiled(FILE, {"List": same}, way=way) as (_, http):
        assert (await http.get("/")).status_code == 404
