"""Fields' names where one's proto name is the JSON name of another, unknown names of enums, and missing fields."""

from __future__ import annotations

from typing import Any

import grpc
import httpx2
import pytest

from .compiled import compiled, serving_compiled

BOTH_WAYS = True

FILE = compiled(
    "names/v1/names.proto",
    """
    syntax = "proto3";
    package names.v1;
    import "google/api/annotations.proto";
    service Names {
      rpc Get(Pair) returns (Pair) {
        option (google.api.http) = {
          get: "/v1/pairs/{b}"
          additional_bindings: {get: "/v1/pairs"}
          additional_bindings: {post: "/v1/pairs" body: "*"}
          additional_bindings: {post: "/v1/b" body: "b" response_body: "b"}
        };
      }
    }
    message Pair {
      string a_b = 1 [json_name = "b"];
      string b = 2 [json_name = "c"];
      repeated Kind kinds = 3;
      map<string, Kind> by_name = 4;
      Pair below = 5;
    }
    enum Kind {
      KIND_UNSPECIFIED = 0;
      KIND_NEW = 1;
    }
    """,
)
OLD = compiled(
    "names/v1/old.proto",
    """
    syntax = "proto2";
    package names.v1;
    import "google/api/annotations.proto";
    service Old {
      rpc Get(Needs) returns (Needs) {
        option (google.api.http) = {
          get: "/v1/needs/{name}"
          additional_bindings: {put: "/v1/needs/{name}" body: "*"}
          additional_bindings: {post: "/v1/needs" body: "*"}
        };
      }
      rpc Put(stream Needs) returns (Needs) {
        option (google.api.http) = {post: "/v1/needs:all" body: "*"};
      }
    }
    message Needs {
      required string name = 1;
      required int32 size = 2;
      repeated Needs parts = 3;
    }
    """,
)


MAPS = compiled(
    "names/v1/maps.proto",
    """
    syntax = "proto2";
    package names.v1;
    import "google/api/annotations.proto";
    service Maps {
      rpc Get(Maps_) returns (Maps_) {
        option (google.api.http) = {post: "/v1/maps" body: "*"};
      }
    }
    message Maps_ {
      map<int32, string> texts = 1;
      map<string, int32> counts = 2;
      optional Part part = 3;
      repeated Part parts = 4;
      map<string, Part> by_name = 5;
      extensions 100 to 199;
    }
    message Part {
      required string name = 1;
    }
    extend Maps_ {
      optional Part further = 100;
    }
    """,
)


async def same(request: Any, context: Any) -> Any:
    return request


async def last(requests: Any, context: Any) -> Any:
    return [request async for request in requests][-1]


def told(answer: httpx2.Response) -> dict[str, str]:
    assert answer.status_code == 400, answer.text
    (details,) = answer.json()["error"]["details"]
    return {one["field"]: one["description"] for one in details["fieldViolations"]}


NONE: dict[str, Any] = {"kinds": [], "byName": {}}


async def test_a_template_has_the_proto_name_first_and_query_and_body_the_json_name(way: str) -> None:
    async with serving_compiled(FILE, {"Get": same}, way=way) as (_, http):
        assert (await http.get("/v1/pairs/1")).json() == {"b": "", "c": "1", **NONE}
        assert (await http.get("/v1/pairs/1?b=2")).json() == {"b": "2", "c": "1", **NONE}
        assert list(told(await http.get("/v1/pairs/1?c=2"))) == ["c"]
        assert (await http.get("/v1/pairs?b=1&c=2")).json() == {"b": "1", "c": "2", **NONE}
        form = await http.post("/v1/pairs", files={"b": (None, "1"), "c": (None, "2")})
        assert form.json() == {"b": "1", "c": "2", **NONE}
        assert (await http.post("/v1/b?b=2", json="1")).json() == "1"


@pytest.mark.parametrize("depth", [64, 65, 3000])
async def test_a_name_nests_no_deeper_than_a_body(way: str, depth: int) -> None:
    name = "below." * (depth - 1) + "c"
    async with serving_compiled(FILE, {"Get": same}, way=way) as (_, http):
        query = await http.get(f"/v1/pairs?{name}=1")
        form = await http.post("/v1/pairs", files={name: (None, "1")}) if depth < 2000 else query
    assert {query.status_code, form.status_code} == {200 if depth == 64 else 400}
    if depth > 64:
        assert told(query) == told(form) == {name: "the name nests deeper than 64 levels"}


@pytest.mark.parametrize("preserve", [False, True])
async def test_answers_read_back_and_the_document_has_their_names(preserve: bool, way: str) -> None:
    async with serving_compiled(FILE, {"Get": same}, way=way, preserve_names=preserve) as (_, http):
        sent = {"b": "1", "c": "2", "below": {"b": "3", "c": "4"}}
        first = (await http.post("/v1/pairs", json=sent)).json()
        assert first["below"].items() >= ({"a_b": "3", "c": "4"} if preserve else {"b": "3", "c": "4"}).items()
        assert (await http.post("/v1/pairs", json=first)).json() == first
        document = (await http.get("/openapi.json")).json()
        (schema,) = [one for name, one in document["components"]["schemas"].items() if name.endswith("Pair")]
        assert first.keys() == schema["properties"].keys()
        query = {one["name"] for one in document["paths"]["/v1/pairs"]["get"]["parameters"] if one["in"] == "query"}
        assert ({"a_b", "c"} if preserve else {"b", "c"}) <= query


async def test_ignore_passes_over_unknown_names_of_enums_in_query_form_and_body(way: str) -> None:
    async with serving_compiled(FILE, {"Get": same}, way=way, unknown_fields="ignore") as (_, http):
        kept = {"b": "", "c": "", "kinds": ["KIND_NEW"], "byName": {"y": "KIND_NEW"}}
        query = "kinds=KIND_OLD&kinds=KIND_NEW&byName[x]=KIND_OLD&byName[y]=KIND_NEW&below.kinds=KIND_OLD&nope=1"
        assert (await http.get(f"/v1/pairs?{query}")).json() == kept
        body = {"kinds": ["KIND_OLD", "KIND_NEW"], "byName": {"x": "KIND_OLD", "y": "KIND_NEW"}, "nope": 1}
        assert (await http.post("/v1/pairs", json=body)).json() == kept
        form = await http.post("/v1/pairs", files=[("kinds", (None, "KIND_OLD")), ("kinds", (None, "KIND_NEW"))])
        assert form.json()["kinds"] == ["KIND_NEW"]
        assert list(told(await http.get("/v1/pairs?kinds=99999999999999999999999"))) == ["kinds"]
    for policy in ("strict", "warn"):
        async with serving_compiled(FILE, {"Get": same}, way=way, unknown_fields=policy) as (_, http):
            assert list(told(await http.get("/v1/pairs?kinds=KIND_OLD"))) == ["kinds"]
            assert list(told(await http.post("/v1/pairs", json={"kinds": ["KIND_OLD"]}))) == ["kinds[0]"]


async def test_a_missing_required_field_is_named_wherever_it_may_come_from(way: str) -> None:
    missing = "missing required field"
    async with serving_compiled(OLD, {"Get": same, "Put": last}, way=way) as (_, http):
        assert told(await http.get("/v1/needs/a")) == {"size": missing}
        assert (await http.get("/v1/needs/a?size=2")).json() == {"name": "a", "size": 2, "parts": []}
        assert (await http.put("/v1/needs/a", json={"size": 3})).json() == {"name": "a", "size": 3, "parts": []}
        assert told(await http.put("/v1/needs/a", json={})) == {"size": missing}
        assert told(await http.post("/v1/needs", json={})) == {"name": missing, "size": missing}
        below = {"name": "a", "size": 1, "parts": [{"name": "b", "size": 2}, {"size": 3}]}
        assert told(await http.post("/v1/needs", json=below)) == {"parts[1].name": missing}
        assert told(await http.post("/v1/needs:all", json=[{"name": "a", "size": 1}, {"name": "b"}])) == {
            "size": missing
        }
        connect = await http.post("/names.v1.Old/Get", json={"name": "a"})
        assert (connect.status_code, connect.json()["code"]) == (400, "invalid_argument")
        assert "size" in connect.json()["message"]


async def test_missing_fields_are_named_beside_maps_of_scalars(way: str) -> None:
    # FindInitializationErrors of protobuf 7.36 names `texts[…].name` with a key from freed memory, or crashes.
    body = {"texts": {"1": "a"}, "part": {}, "parts": [{"name": "a"}, {}], "byName": {"a": {}}}
    async with serving_compiled(MAPS, {"Get": same}, way=way) as (_, http):
        named = told(await http.post("/v1/maps", json={**body, "[names.v1.further]": {}}))
        assert list(named) == ["part.name", "parts[1].name", "by_name['a'].name", "[names.v1.further].name"]
        assert set(named.values()) == {"missing required field"}
        many = told(await http.post("/v1/maps", json={"texts": {"1": "a"}, "parts": [{}] * 50}))
        assert list(many) == [f"parts[{at}].name" for at in range(20)]


async def test_an_answer_without_a_required_field_beside_a_map_is_printed(way: str) -> None:
    # SerializeToString of protobuf 7.36 ends the process here: it names the field by FindInitializationErrors.
    async def lacking(request: Any, context: Any) -> Any:
        return type(request)(counts={"a": 1}, part={})

    async with serving_compiled(MAPS, {"Get": lacking}, way=way) as (_, http):
        answer = await http.post("/v1/maps", json={})
        assert (answer.json()["counts"], answer.json()["part"]) == ({"a": 1}, {})


async def test_an_answer_without_a_required_field_is_an_internal_error_of_grpc() -> None:
    async def lacking(request: Any, context: Any) -> Any:
        return type(request)(counts={"a": 1}, part={})

    async with serving_compiled(MAPS, {"Get": lacking}) as (gateway, http):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
            get: Any = channel.unary_unary("/names.v1.Maps/Get")
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await get(b"")
        assert failed.value.code() is grpc.StatusCode.INTERNAL
        answer = await http.post("/names.v1.Maps/Get", content=b"", headers={"content-type": "application/proto"})
        assert (answer.status_code, answer.json()["code"]) == (500, "internal")
