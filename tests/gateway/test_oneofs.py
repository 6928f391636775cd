"""A oneof whose fields have several sources: a request that names two of its fields is refused, and none gets lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .compiled import compiled, serving_compiled

BOTH_WAYS = True

pytestmark = pytest.mark.asyncio(loop_scope="session")

FILE = compiled(
    "oneofs/oneofs.proto",
    """
    syntax = "proto3";
    package oneofs;
    import "google/api/annotations.proto";
    service Oneofs {
      rpc Echo(Outer) returns (Outer) {
        option (google.api.http) = {
          get: "/v1/texts/{text}"
          additional_bindings { get: "/v1/names/{inner.name}" }
          additional_bindings { get: "/v1/numbers/{number}" }
          additional_bindings { get: "/v1/outers" }
          additional_bindings { post: "/v1/outers" body: "*" }
          additional_bindings { post: "/v1/outers/{inner.name}" body: "*" }
          additional_bindings { post: "/v1/bodies" body: "text" }
        };
      }
    }
    message Inner { string name = 1; int32 size = 2; }
    message Outer {
      oneof one { string text = 1; int32 number = 2; Inner inner = 3; bytes data = 4; }
      int32 other = 5;
    }
    """,
)


async def same(request: Any, context: Any) -> Any:
    return request


QUERIES = [
    ("/v1/texts/a?number=5", "text"),
    ("/v1/texts/a?inner.size=5", "text"),
    ("/v1/numbers/5?text=a", "number"),
    ("/v1/names/a?text=b", "inner.name"),
    ("/v1/outers?text=a&inner.name=b", "inner.name"),
    ("/v1/outers?inner.name=b&text=a", "text"),
]


@pytest.mark.parametrize(("path", "field"), QUERIES)
async def test_the_path_and_the_query_set_one_field_of_a_oneof(way: str, path: str, field: str) -> None:
    async with serving_compiled(FILE, {"Echo": same}, way=way) as (_, http):
        answer = await http.get(path)
    assert answer.status_code == 400, answer.text
    [violation] = answer.json()["error"]["details"][0]["fieldViolations"]
    assert violation["field"] == field
    assert "may be set (oneof 'one')" in violation["description"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/outers/a", {"text": "b"}, "inner.name"),
        ("/v1/bodies?inner.size=1", "b", "inner.size"),
        ("/v1/bodies?number=1", "b", "number"),
    ],
)
async def test_the_body_sets_no_other_field_of_a_oneof(way: str, path: str, body: Any, field: str) -> None:
    async with serving_compiled(FILE, {"Echo": same}, way=way) as (_, http):
        answer = await http.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    [violation] = answer.json()["error"]["details"][0]["fieldViolations"]
    assert violation["field"] == field


@pytest.mark.parametrize("name", ["inner", "inner.name", "data", "number"])
async def test_a_form_sets_one_field_of_a_oneof(way: str, name: str) -> None:
    values = {"inner": b'{"name":"b"}', "inner.name": b"b", "data": b"Yg==", "number": b"5"}
    for parts in (
        [("text", (None, b"a")), (name, (None, values[name]))],
        [("text", (None, b"a")), (name, ("f", values[name]))],
    ):
        async with serving_compiled(FILE, {"Echo": same}, way=way) as (_, http):
            answer = await http.post("/v1/outers", files=parts)
        assert answer.status_code == 400, answer.text
        [violation] = answer.json()["error"]["details"][0]["fieldViolations"]
        assert violation["field"] == name


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/texts/a?other=1", {"text": "a", "other": 1}),
        ("/v1/numbers/0", {"number": 0, "other": 0}),
        ("/v1/names/a?inner.size=5", {"inner": {"name": "a", "size": 5}, "other": 0}),
        ("/v1/outers?inner.name=b&inner.size=5", {"inner": {"name": "b", "size": 5}, "other": 0}),
    ],
)
async def test_a_field_of_a_oneof_is_set(way: str, path: str, fields: Any) -> None:
    async with serving_compiled(FILE, {"Echo": same}, way=way) as (_, http):
        answer = await http.get(path)
    assert answer.json() == fields
