"""Fields from the path and the query: each row over real HTTP."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.conftest import Serve, Served

BOTH_WAYS = True

Json = dict[str, Any]

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def echo(shared: Served, query: str) -> Json:
    """Returns the fields that `query` sets, from the echo."""
    answer = await shared.http.get(f"/v1/echo?{query}")
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    zeros = (await shared.http.get("/v1/echo")).json()
    return {name: value for name, value in body.items() if zeros.get(name) != value}


async def refused(shared: Served, path: str) -> list[Json]:
    """The field violations of a refused request."""
    answer = await shared.http.get(path)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    violations: list[Json] = error["details"][0]["fieldViolations"]
    assert error["details"][0]["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    return violations


TAKEN = [
    # case, query, fields
    ("proto name", "int32_value=7", {"int32Value": 7}),
    ("JSON name", "int32Value=7", {"int32Value": 7}),
    ("json_name of its own", "spelledOtherwise=x", {"spelledOtherwise": "x"}),
    ("proto name beside it", "renamed=x", {"spelledOtherwise": "x"}),
    ("negative", "sint64Value=-9223372036854775808", {"sint64Value": "-9223372036854775808"}),
    ("largest uint64", "fixed64Value=18446744073709551615", {"fixed64Value": "18446744073709551615"}),
    ("double", "doubleValue=1e3", {"doubleValue": 1000.0}),
    ("infinity", "doubleValue=-Infinity", {"doubleValue": "-Infinity"}),
    ("NaN", "floatValue=NaN", {"floatValue": "NaN"}),
    ("bool", "boolValue=true", {"boolValue": True}),
    ("a plus is a space", "stringValue=a+b%2Bc", {"stringValue": "a b+c"}),
    ("UTF-8", "stringValue=%C3%A9", {"stringValue": "é"}),
    ("an equals sign in the value", "stringValue=a=b", {"stringValue": "a=b"}),
    ("base64", "bytesValue=%2B%2F8%3D", {"bytesValue": "+/8="}),
    ("base64url without padding", "bytesValue=-_8", {"bytesValue": "+/8="}),
    ("enum by name", "course=COURSE_MAIN", {"course": "COURSE_MAIN"}),
    ("enum by number", "course=2", {"course": "COURSE_MAIN"}),
    ("unknown number of an open enum", "course=9", {"course": 9}),
    ("dots, proto names", "ingredient.by_hand=3", {"ingredient": {"name": "", "grams": 0.0, "parts": [], "byHand": 3}}),
    (
        "dots, JSON names",
        "ingredient.byScale=k",
        {"ingredient": {"name": "", "grams": 0.0, "parts": [], "byScale": "k"}},
    ),
    ("repeated, in order", "strings=b&ints=2&strings=a&ints=1", {"strings": ["b", "a"], "ints": [2, 1]}),
    ("repeated enum", "courses=COURSE_MAIN&courses=1", {"courses": ["COURSE_MAIN", "COURSE_STARTER"]}),
    ("map of strings", "labels[a]=1&labels%5Bb.c%5D=2", {"labels": {"a": "1", "b.c": "2"}}),
    ("map of numbers", "counts[-4]=5", {"counts": {"-4": "5"}}),
    ("map keyed by bool", "truths[true]=yes", {"truths": {"true": "yes"}}),
    ("Timestamp", "timestamp=2026-01-31T12:00:00.5Z", {"timestamp": "2026-01-31T12:00:00.500Z"}),
    ("Duration", "duration=1.5s", {"duration": "1.500s"}),
    ("FieldMask", "mask=a.fooBar,c", {"mask": "a.fooBar,c"}),
    ("StringValue", "wrappedString=", {"wrappedString": ""}),
    ("Int64Value", "wrappedInt64=0", {"wrappedInt64": "0"}),
    ("BoolValue", "wrappedBool=false", {"wrappedBool": False}),
    ("BytesValue", "wrappedBytes=AQ", {"wrappedBytes": "AQ=="}),
    ("DoubleValue", "wrappedDouble=0.5", {"wrappedDouble": 0.5}),
    ("presence of a zero", "maybeInt=0&maybeString=", {"maybeInt": 0, "maybeString": ""}),
    ("presence of an enum's zero", "maybeCourse=0", {"maybeCourse": "COURSE_UNSPECIFIED"}),
    ("one of a oneof", "choiceInt=4", {"choiceInt": 4}),
    ("system parameters are no fields", "$fields=a&key=b&quotaUser=c&access_token=d&callback=e", {}),
    ("empty pairs", "&&int32Value=7&", {"int32Value": 7}),
]


@pytest.mark.parametrize(("query", "fields"), [row[1:] for row in TAKEN], ids=[row[0] for row in TAKEN])
async def test_a_parameter_sets_its_field(shared: Served, query: str, fields: Json) -> None:
    assert await echo(shared, query) == fields


REFUSED = [
    # case, query, the named field, words of the reason
    ("unknown", "intt32Value=1", "intt32Value", "did you mean 'int32Value'?"),
    ("unknown below", "ingredient.nam=1", "ingredient.nam", "did you mean 'name'?"),
    ("not a number", "int32Value=x", "int32Value", "an integer (int32)"),
    ("out of range", "uint32Value=4294967296", "uint32Value", "out of range"),
    ("a bool is true or false", "boolValue=1", "boolValue", "true or false"),
    ("enum", "course=SOUP", "course", "COURSE_STARTER"),
    ("base64", "bytesValue=%25", "bytesValue", "base64"),
    ("Timestamp", "timestamp=yesterday", "timestamp", "RFC 3339"),
    ("Duration", "duration=5", "duration", "1.5s"),
    ("twice", "int32Value=1&int32_value=2", "int32_value", "repeated parameter"),
    ("a map key twice", "labels[a]=1&labels[a]=2", "labels[a]", "repeated parameter"),
    ("a map without a key", "labels=1", "labels", "labels[key]=value"),
    ("a key of no map", "int32Value[a]=1", "int32Value[a]", "not a map"),
    ("a map's key", "counts[x]=1", "counts[x]", "invalid key"),
    ("a map of messages", "pantry[a]=1", "pantry[a]", "map of messages"),
    ("a repeated message", "ingredients=1", "ingredients", "a query cannot set a repeated message"),
    ("below a repeated message", "ingredients.name=1", "ingredients.name", "is repeated"),
    ("a message", "ingredient=1", "ingredient", "a query cannot set a whole message"),
    ("a Struct", "struct=1", "struct", "a query cannot set a google.protobuf.Struct"),
    ("both of a oneof", "choiceInt=1&choiceString=a", "choiceString", "only one of"),
    ("malformed escape", "stringValue=%G0", "", "malformed"),
    ("not UTF-8", "stringValue=%FF", "", "UTF-8"),
    ("raw bytes that are not UTF-8", "stringValue=%C3", "", "UTF-8"),
    ("an unsupported $alt", "$alt=proto", "$alt", "json"),
]


@pytest.mark.parametrize(("query", "field", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
async def test_a_wrong_parameter_is_named(shared: Served, query: str, field: str, reason: str) -> None:
    [violation] = await refused(shared, f"/v1/echo?{query}")
    assert violation.get("field", "") == field
    assert reason in violation["description"]


async def test_every_wrong_parameter_is_named_at_once(shared: Served) -> None:
    found = await refused(shared, "/v1/echo?int32Value=x&nope=1&boolValue=maybe")
    assert [violation["field"] for violation in found] == ["int32Value", "nope", "boolValue"]


# The path: each variable sets only its own field, converted to its type.


async def test_the_path_sets_nested_and_typed_fields(shared: Served) -> None:
    answer = await shared.http.get("/v1/dishes/caf%C3%A9%2F%C3%A0")
    assert answer.json()["id"] == "café/à"
    answer = await shared.http.get("/v1/kitchens/main/dishes/4")
    assert answer.json()["id"] == "kitchens/main/dishes/4"
    assert (await shared.http.get("/v1/files/a%2Fb/c%20d")).json()["path"] == "a%2Fb/c d"


@pytest.mark.parametrize("name", ["dish_id", "dishId"])
async def test_a_parameter_naming_a_path_field_is_refused(shared: Served, name: str) -> None:
    [violation] = await refused(shared, f"/v1/dishes/1?{name}=2")
    assert violation["field"] == name
    assert "already bound by the path" in violation["description"]


async def test_each_binding_has_its_own_query_fields(shared: Served) -> None:
    # GET /v1/dishes/{dish_id} leaves `name` to the query; GET /v1/{name=...} leaves `dish_id`.
    assert (await shared.http.get("/v1/dishes/1?name=x")).json()["id"] == "1"
    assert (await shared.http.get("/v1/kitchens/a/dishes/b?dishId=7")).json()["id"] == "7"
    file = (await shared.http.get("/v1/drives/d/items/docs/a/b:stat?revision=3")).json()
    assert file == {"path": "docs/a/b", "drive": "d", "revision": 3}


async def test_a_parameter_naming_a_body_field_is_refused(shared: Served) -> None:
    for query in ("dish.title=x", "dish=x"):
        answer = await shared.http.post(f"/v1/dishes?{query}", json={"title": "Soup"})
        assert answer.status_code == 400
        assert "already bound by the body" in answer.text
    answer = await shared.http.post("/v1/dishes?dishId=7&validateOnly=true", json={"title": "Soup"})
    assert answer.json()["id"] == "7"


async def test_with_a_whole_body_no_parameter_is_a_field(shared: Served) -> None:
    for body in ('{"portions":1}', "{}", ""):
        answer = await shared.http.post(
            "/v1/dishes/1:cook?portions=1", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 400
        assert answer.json()["error"]["details"][0]["fieldViolations"][0]["field"] == "portions"
    assert (await shared.http.post("/v1/dishes/1:cook?portions=1")).status_code == 400
    assert (await shared.http.post("/v1/dishes/1:cook?key=1", json={})).status_code == 200


# Unknown names, by policy.


async def test_unknown_parameters_can_be_served_with_a_warning(serve: Serve) -> None:
    async with serve(unknown_fields="warn") as served:
        answer = await served.http.get("/v1/echo?nope=1&int32Value=2&ingredient.no=3")
        assert answer.json()["int32Value"] == 2
        assert answer.headers["x-unknown-fields"] == "nope, ingredient.no"
        answer = await served.http.post("/v1/echo", json={"nope": 1, "ingredient": {"no": 2}})
        assert answer.headers["x-unknown-fields"] == "nope, ingredient.no"
        assert "x-unknown-fields" not in (await served.http.get("/v1/echo")).headers


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson", "text/event-stream"])
async def test_a_stream_has_the_warning_too(serve: Serve, accept: str) -> None:
    async with serve(unknown_fields="warn") as served:
        answer = await served.http.get("/v1/ticks?count=2&nope=1", headers={"accept": accept})
        assert (answer.status_code, answer.headers["x-unknown-fields"]) == (200, "nope")


async def test_unknown_parameters_can_be_ignored(serve: Serve) -> None:
    async with serve(unknown_fields="ignore") as served:
        answer = await served.http.get("/v1/echo?nope=1&int32Value=2")
        assert answer.json()["int32Value"] == 2
        assert "x-unknown-fields" not in answer.headers


async def test_too_many_parameters_are_refused(serve: Serve) -> None:
    async with serve(max_elements=10) as served:
        assert (await served.http.get("/v1/echo?" + "&".join(["ints=1"] * 10))).json()["ints"] == [1] * 10
        assert (await served.http.get("/v1/echo?" + "&".join(["ints=1"] * 11))).status_code == 400


# System parameters that do something.


@pytest.mark.parametrize("name", ["$alt", "alt"])
async def test_alt_gives_enum_numbers(shared: Served, name: str) -> None:
    answer = await shared.http.get(f"/v1/echo?course=COURSE_MAIN&{name}=json%3Benum-encoding=int")
    assert answer.json()["course"] == 2
    answer = await shared.http.get(f"/v1/echo?course=COURSE_MAIN&{name}=json")
    assert answer.json()["course"] == "COURSE_MAIN"


async def test_pretty_print_indents(shared: Served) -> None:
    plain, pretty = [(await shared.http.get(f"/v1/dishes/1{query}")) for query in ("", "?$prettyPrint=true")]
    assert plain.json() == pretty.json()
    assert b"\n  " in pretty.content
    assert b"\n" not in plain.content
    assert int(pretty.headers["content-length"]) == len(pretty.content)
    assert (await shared.http.get("/v1/dishes/1?prettyPrint=false")).content == plain.content


async def test_bytes_survive_the_query(shared: Served) -> None:
    data = bytes(range(256))
    answer = await shared.http.get("/v1/echo", params={"bytesValue": base64.urlsafe_b64encode(data).decode()})
    assert base64.b64decode(answer.json()["bytesValue"]) == data
