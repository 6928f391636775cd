"""TRANSCODING.md section 2, the request body: sources of fields, raw bodies, limits, content types, masks."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from typing import Any

import httpx2
import pytest

from diptych.bind import ContentType
from tests.conftest import Serve, Served

BOTH_WAYS = True

pytestmark = pytest.mark.asyncio(loop_scope="session")

JSON = {"content-type": "application/json"}


def violations(answer: httpx2.Response) -> dict[str, str]:
    """A refusal's field violations, by field."""
    assert answer.status_code == 400, answer.text
    details = answer.json()["error"]["details"]
    return {one.get("field", ""): one["description"] for one in details[0]["fieldViolations"]}


# Targets of a body.


async def test_the_whole_message(shared: Served) -> None:
    answer = await shared.http.post(
        "/v1/echo", json={"int64Value": "9", "ingredient": {"byHand": 1}, "labels": {"a": "b"}}
    )
    assert answer.json()["int64Value"] == "9"
    assert answer.json()["ingredient"]["byHand"] == 1
    assert answer.json()["labels"] == {"a": "b"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("list", ["b", "a"]),
        ("list", []),
        ("map", {"b": "1", "a": "2"}),
        ("map", {}),
        ("scalar", "9007199254740993"),
        ("scalar", "0"),
    ],
)
async def test_a_field_of_any_kind_in_and_out(shared: Served, path: str, body: Any) -> None:
    answer = await shared.http.post(f"/v1/echo/{path}", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json() == body


async def test_a_message_field(shared: Served) -> None:
    answer = await shared.http.post("/v1/dishes?dish_id=7", json={"title": "Soup", "priceCents": "450"})
    assert answer.status_code == 201
    assert answer.json()["title"] == "Soup"
    assert answer.json()["priceCents"] == "450"
    assert answer.headers["location"] == "/v1/dishes/7"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/dishes", {"titel": "Soup"}, "dish.titel"),
        ("/v1/dishes", {"ingredients": [{"grams": "much"}]}, "dish.ingredients[0].grams"),
        ("/v1/echo", {"ingredients": [{}, {"parts": [{"nope": 1}]}]}, "ingredients[1].parts[0].nope"),
        ("/v1/echo/list", [1], "strings[0]"),
        ("/v1/echo/scalar", "x", "int64Value"),
    ],
)
async def test_a_wrong_body_names_the_field(shared: Served, path: str, body: Any, field: str) -> None:
    assert list(violations(await shared.http.post(path, json=body))) == [field]


async def test_invalid_json_reports_its_position(shared: Served) -> None:
    answer = await shared.http.post("/v1/echo", content=b'{"a":\n x}', headers=JSON)
    assert "line 2 column 2" in next(iter(violations(answer).values()))
    for body in (b"\xff", b"[]", b'{"int32Value":1}}', b'{"int32Value":1'):
        assert (await shared.http.post("/v1/echo", content=body, headers=JSON)).status_code == 400


# A field has a single source.


async def test_a_body_that_differs_from_the_path_is_refused(shared: Served) -> None:
    found = violations(await shared.http.put("/v1/dishes/1", json={"id": "2", "title": "Soup"}))
    assert found == {"id": "the value in the body differs from the value in the path"}
    found = violations(await shared.http.patch("/v1/dishes/1", json={"id": "2"}))
    assert found == {"dish.id": "the value in the body differs from the value in the path"}


async def test_a_body_that_repeats_the_path_is_accepted(shared: Served) -> None:
    answer = await shared.http.put("/v1/dishes/1", json={"id": "1", "title": "Soup"})
    assert answer.json()["id"] == "1"
    answer = await shared.http.post("/v1/dishes/1:cook", json={"dishId": "1", "portions": 2})
    assert answer.json() == {"dishId": "1", "portions": 2}


# No body, and empty ones.


@pytest.mark.parametrize(
    ("verb", "path"), [("GET", "/v1/dishes/1"), ("DELETE", "/v1/dishes/1"), ("PURGE", "/v1/dishes/1")]
)
async def test_an_unexpected_body_is_refused(shared: Served, verb: str, path: str) -> None:
    for body in (b'{"a":1}', b"[]", b"null", b"{}{}", b"a"):
        assert "unexpected body" in violations(await shared.http.request(verb, path, content=body, headers=JSON))[""]
    for body in (b"", b"{}", b" { }\r\n", b"\n"):
        for headers in ({}, JSON, {"content-type": "application/x-www-form-urlencoded"}):
            assert (await shared.http.request(verb, path, content=body, headers=headers)).status_code == 200


async def test_an_empty_body_is_an_empty_message(shared: Served) -> None:
    for headers in (None, JSON):
        answer = await shared.http.post("/v1/dishes/1:cook", content=b"", headers=headers)
        assert answer.json() == {"dishId": "1", "portions": 0}
    assert (await shared.http.post("/v1/echo/list", content=b"")).json() == []


# The mask of a PATCH.


@pytest.mark.parametrize(
    ("query", "body", "mask"),
    [
        ("", {"title": "Soup", "priceCents": "1"}, ["title", "price_cents"]),
        ("", {"price_cents": "1"}, ["price_cents"]),
        ("", {"labels": {"a": "b"}, "ingredients": [{"name": "x"}]}, ["labels", "ingredients"]),
        ("", {"cookTime": "3s", "rating": 0}, ["cook_time", "rating"]),
        ("", {"title": None}, ["title"]),
        ("?updateMask=tags", {"title": "Soup"}, ["tags"]),
        ("?update_mask=price_cents,title", {"title": "Soup"}, None),
        ("?updateMask=", {"title": "Soup"}, ["title"]),
    ],
    ids=str,
)
async def test_an_empty_mask_is_filled_from_the_body(
    shared: Served, query: str, body: dict[str, Any], mask: list[str] | None
) -> None:
    before = len(shared.kitchen.updates)
    answer = await shared.http.patch(f"/v1/dishes/1{query}", json=body)
    if mask is None:  # a mask's JSON form is lowerCamelCase
        assert answer.status_code == 400
        return
    assert answer.status_code == 200, answer.text
    [request] = shared.kitchen.updates[before:]
    assert list(request.update_mask.paths) == mask


async def test_an_ignored_name_of_an_enum_is_not_in_the_mask(serve: Serve) -> None:
    """The field is left unset, so that a mask with it would have the servicer clear it."""
    async with serve(unknown_fields="ignore") as served:
        for body, mask in (
            ({"course": "NOPE", "title": "Soup"}, ["title"]),
            ({"course": "NOPE"}, []),
            ({"course": ""}, []),
            ({"course": "COURSE_MAIN"}, ["course"]),
            ({"course": 9}, ["course"]),
        ):
            assert (await served.http.patch("/v1/dishes/7", json=body)).status_code == 200
            assert list(served.kitchen.updates[-1].update_mask.paths) == mask


@pytest.mark.parametrize("query", ["", "?updateMask="])
@pytest.mark.parametrize("body", [b"", b"{}"])
async def test_a_mask_stays_unset_where_the_body_has_no_field(shared: Served, query: str, body: bytes) -> None:
    before = len(shared.kitchen.updates)
    answer = await shared.http.patch(f"/v1/dishes/1{query}", content=body, headers=JSON)
    assert answer.status_code == 200, answer.text
    [request] = shared.kitchen.updates[before:]
    assert not request.HasField("update_mask")


# Raw bodies.

BLOB = bytes(range(256)) * 40


async def test_a_raw_body_fills_the_bytes_field(shared: Served) -> None:
    answer = await shared.http.post(
        "/v1/blobs?title=scan&tags=a&tags=b", content=BLOB, headers={"content-type": "application/pdf; v=1"}
    )
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["sha256"] == hashlib.sha256(BLOB).hexdigest()
    assert (body["title"], body["tags"]) == ("scan", ["a", "b"])
    assert body["contentType"] == "application/pdf; v=1"


async def test_the_query_may_name_the_content_type(shared: Served) -> None:
    answer = await shared.http.post("/v1/blobs?contentType=x/y", content=BLOB, headers={"content-type": "image/png"})
    assert answer.json()["contentType"] == "x/y"


FORM = "application/x-www-form-urlencoded"
HINT = "-H 'content-type: application/json'"
NOT_FILES = {
    "": "curl without a type, and most HTTP libraries",
    FORM: "curl -d",
    f"{FORM}; charset=UTF-8": "HTML forms",
    "multipart/mixed; boundary=x": "parts, of which the raw body would hold the headers",
    "text/plain": "fetch() with a string",
    "text/plain; charset=utf-8": "with a charset",
    "Text/X-Yaml": "any text",
    "text/json": "JSON's former name",
    "aplication/json": "a misspelling of the type",
    "application/jsom": "of the subtype",
    "application/jsn": "with a letter missing",
    "application/x-json": "an older name",
    "application/json5": "a relative",
    "application/x-ndjson": "a stream of JSON",
    "json": "no media type at all",
}
FILES = [
    "application/octet-stream",
    "image/png",
    "image/svg+xml",
    "IMAGE/JPEG",
    "application/pdf; v=1",
    "application/zip",
]


@pytest.mark.parametrize("content_type", NOT_FILES)
async def test_what_was_meant_as_json_is_never_raw_bytes(shared: Served, content_type: str) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = await shared.http.post("/v1/blobs", content=b' {"title":"ann"}', headers=headers)
    assert answer.status_code == 415, answer.text
    message = answer.json()["error"]["message"]
    assert "expected application/json or multipart/form-data or application/octet-stream" in message
    assert HINT in message
    assert answer.headers["accept"] == "application/json, multipart/form-data, application/octet-stream"
    answer = await shared.http.post("/v1/blobs", content=b"title=ann", headers=headers)
    assert answer.status_code == 415
    assert HINT not in answer.text


async def test_a_json_suffix_is_json_for_a_raw_method_too(shared: Served) -> None:
    headers = {"content-type": "application/x+json"}
    answer = await shared.http.post("/v1/blobs", content=b'{"title":"ann"}', headers=headers)
    assert (answer.json()["title"], answer.json()["size"]) == ("ann", "0")


@pytest.mark.parametrize("content_type", [*FILES, "audio/ogg", "video/mp4", "application/bson", "a/b"])
async def test_files_stay_raw_even_if_they_begin_as_json_does(shared: Served, content_type: str) -> None:
    answer = await shared.http.post("/v1/blobs", content=b'{"title":"ann"}', headers={"content-type": content_type})
    assert (answer.json()["size"], answer.json()["contentType"]) == ("15", content_type)


async def test_an_empty_body_of_any_type_leaves_the_fields_to_the_query(shared: Served) -> None:
    for content_type in (FORM, "text/plain", "image/png"):
        answer = await shared.http.post("/v1/blobs?title=ann", content=b"", headers={"content-type": content_type})
        assert answer.json()["title"] == "ann", answer.text


async def test_json_that_is_declared_as_a_form_is_read_by_setting(serve: Serve) -> None:
    headers = {"content-type": FORM}
    async with serve(json_in_forms=True) as served:
        answer = await served.http.post("/v1/blobs", content=b'\n{"title":"ann"}', headers=headers)
        assert (answer.json()["title"], answer.json()["size"], answer.json()["contentType"]) == ("ann", "0", "")
        answer = await served.http.post("/v1/dishes/1:cook", content=b'{"portions":2}', headers=headers)
        assert answer.json()["portions"] == 2
        answer = await served.http.patch("/v1/dishes/1", content=b'{"title":"Soup"}', headers=headers)
        assert answer.status_code == 200
        assert list(served.kitchen.updates[-1].update_mask.paths) == ["title"]
        for body in (b"title=ann", b"7"):
            assert (await served.http.post("/v1/blobs", content=body, headers=headers)).status_code == 415
        refused = await served.http.post("/v1/blobs", content=b"{}", headers={"content-type": "text/plain"})
        assert refused.status_code == 415


@pytest.mark.parametrize(("content_type", "status"), [(FORM, 415), ("text/json", 415), ("text/plain", 200), ("", 200)])
async def test_a_body_of_bytes_takes_text_but_nothing_like_json(shared: Served, content_type: str, status: int) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = await shared.http.post("/v1/echo/bytes", content=b'{"a":1}', headers=headers)
    assert answer.status_code == status, answer.text
    assert ("bytesValue" in answer.text) == (status == 200)


async def test_the_raw_field_has_one_source(shared: Served) -> None:
    answer = await shared.http.post("/v1/blobs?data=AQ", content=BLOB, headers={"content-type": "image/png"})
    assert "already bound by the body" in violations(answer)["data"]


async def test_json_is_parsed_for_a_raw_method_too(shared: Served) -> None:
    answer = await shared.http.post("/v1/blobs", json={"data": "AQI=", "title": "t", "dish": {"id": "3"}})
    assert answer.json()["size"] == "2"
    assert answer.json()["contentType"] == ""
    assert answer.json()["dish"]["id"] == "3"


async def test_a_body_bound_to_bytes(shared: Served) -> None:
    answer = await shared.http.post("/v1/echo/bytes", content=b"\x00\xff", headers={"content-type": "a/b"})
    assert answer.json()["bytesValue"] == "AP8="
    answer = await shared.http.post("/v1/echo/bytes?int32Value=4", json="AP8=")
    assert (answer.json()["bytesValue"], answer.json()["int32Value"]) == ("AP8=", 4)


async def test_http_body_in_and_out(shared: Served) -> None:
    for headers in ({"content-type": "image/png"}, {"content-type": "application/json"}):
        answer = await shared.http.post("/v1/mirror", content=BLOB, headers={**headers, "accept-encoding": "identity"})
        assert answer.content == BLOB
        assert answer.headers["content-type"] == headers["content-type"]
        assert int(answer.headers["content-length"]) == len(BLOB)
    answer = await shared.http.put("/v1/stored/x", content=b"{", headers={"content-type": "text/plain"})
    assert (answer.content, answer.headers["content-type"]) == (b"{", "text/plain")
    answer = await shared.http.post("/v1/mirror", content=BLOB)
    assert answer.headers["content-type"] == "application/octet-stream"


# Content types and codings.


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
async def test_a_wrong_content_type_is_refused_with_the_expected_one(shared: Served, content_type: str) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = await shared.http.post("/v1/dishes/1:cook", content=b"{}", headers=headers)
    assert answer.status_code == 415
    assert "application/json" in answer.json()["error"]["message"]
    assert answer.headers["accept"] == "application/json, multipart/form-data"


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=UTF-8", "Application/JSON", "application/vnd.x+json"]
)
async def test_json_by_any_name(shared: Served, content_type: str) -> None:
    answer = await shared.http.post(
        "/v1/dishes/1:cook", content=b'{"portions":2}', headers={"content-type": content_type}
    )
    assert answer.json()["portions"] == 2


async def test_json_in_another_charset_is_refused(shared: Served) -> None:
    headers = {"content-type": "application/json; charset=latin-1"}
    assert (await shared.http.post("/v1/dishes/1:cook", content=b"{}", headers=headers)).status_code == 415


async def test_gzip_is_decoded(shared: Served) -> None:
    packed = gzip.compress(b'{"portions":') + gzip.compress(b"3}")  # two members (RFC 1952 section 2.2)
    answer = await shared.http.post("/v1/dishes/1:cook", content=packed, headers={**JSON, "content-encoding": "gzip"})
    assert answer.json()["portions"] == 3
    answer = await shared.http.post(
        "/v1/blobs", content=gzip.compress(BLOB), headers={"content-type": "a/b", "content-encoding": "GZIP"}
    )
    assert answer.json()["sha256"] == hashlib.sha256(BLOB).hexdigest()


_PACKED = gzip.compress(b"{}", mtime=0)


@pytest.mark.parametrize("body", [b"{}", _PACKED[:-3], _PACKED + b"x", zlib.compress(b"{}")])
async def test_broken_gzip_is_refused(shared: Served, body: bytes) -> None:
    answer = await shared.http.post("/v1/dishes/1:cook", content=body, headers={**JSON, "content-encoding": "gzip"})
    assert "gzip" in violations(answer)[""]


async def test_another_coding_is_refused(shared: Served) -> None:
    answer = await shared.http.post("/v1/dishes/1:cook", content=b"{}", headers={**JSON, "content-encoding": "br"})
    assert answer.status_code == 415
    assert answer.headers["accept-encoding"] == "gzip"


# Limits: bytes after decoding, nesting, elements.


async def chunks(piece: bytes, count: int) -> Any:
    """A body of unknown length."""
    for _ in range(count):
        yield piece


async def test_a_body_over_the_limit_is_413(serve: Serve) -> None:
    async with serve(max_body_bytes=1000) as served:
        plain = {"content-type": "a/b"}
        packed = {**plain, "content-encoding": "gzip"}
        assert (await served.http.post("/v1/blobs", content=b"x" * 1000, headers=plain)).json()["size"] == "1000"
        assert (
            await served.http.post("/v1/blobs", content=gzip.compress(b"x" * 1000), headers=packed)
        ).status_code == 200
        assert (await served.http.post("/v1/blobs", content=chunks(b"x" * 100, 10), headers=plain)).status_code == 200
        for body, headers in [
            (b"x" * 1001, plain),
            (chunks(b"x" * 100, 11), plain),
            (gzip.compress(b"x" * 1001), packed),
            (gzip.compress(bytes(50_000_000)), packed),  # 50 kB that would be 50 MB
            (chunks(gzip.compress(b"x" * 500), 3), packed),
        ]:
            answer = await served.http.post("/v1/blobs", content=body, headers=headers)
            assert answer.status_code == 413, answer.text
            assert answer.json()["error"]["status"] == "RESOURCE_EXHAUSTED"


async def test_a_method_may_have_its_own_limit(serve: Serve) -> None:
    limits = {"/kitchen.v1.KitchenService/UploadBlob": 2000, "/kitchen.v1.KitchenService/CookDish": 10}
    async with serve(max_body_bytes=1000, method_max_body_bytes=limits) as served:
        plain = {"content-type": "a/b"}
        assert (await served.http.post("/v1/blobs", content=b"x" * 2000, headers=plain)).status_code == 200
        assert (await served.http.post("/v1/blobs", content=b"x" * 2001, headers=plain)).status_code == 413
        assert (await served.http.post("/v1/mirror", content=b"x" * 1001, headers=plain)).status_code == 413
        assert (await served.http.post("/v1/dishes/1:cook", json={"portions": 1})).status_code == 413


async def test_nesting_and_elements_are_limited(serve: Serve) -> None:
    async with serve(max_nesting_depth=8, max_elements=100) as served:
        deep: dict[str, Any] = {}
        for _ in range(5):
            deep = {"parts": [deep]}
        assert "nests deeper than 8" in violations(await served.http.post("/v1/echo", json={"ingredient": deep}))[""]
        many = violations(await served.http.post("/v1/echo", json={"ints": [1] * 101}))[""]
        assert "more than 100 values" in many
        assert (await served.http.post("/v1/echo", json={"ints": [1] * 90})).status_code == 200


async def test_only_the_beginning_of_a_media_type_is_compared() -> None:
    """All words of a header of 60 KB took half a second."""
    assert not ContentType.of(b"application/jsom-" + b"abcd-" * 10).is_raw(among_fields=True)
    assert ContentType.of(b"application/" + b"abcd-" * 12_000 + b"jsom").is_raw(among_fields=True)
