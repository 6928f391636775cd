"""TRANSCODING.md section 2, multipart/form-data: each part is the field of its name."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import Serve, Served

BOTH_WAYS = True

pytestmark = pytest.mark.asyncio(loop_scope="session")

BLOB = bytes(range(256)) * 400
File = tuple[str, bytes, str]


async def upload(served: Served, files: Any, path: str = "/v1/blobs") -> httpx2.Response:
    """Send parts as a browser does."""
    return await served.http.post(path, files=files)


async def test_a_file_and_fields_beside_it(shared: Served) -> None:
    answer = await upload(
        shared,
        [
            ("data", ("scan é.pdf", BLOB, "application/pdf")),
            ("contentType", (None, "application/pdf")),
            ("title", (None, "a + b é")),
            ("tags", (None, "one")),
            ("tags", (None, "two")),
            ("dish", (None, json.dumps({"id": "7", "tags": ["x"]}), "application/json")),
        ],
    )
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["sha256"] == hashlib.sha256(BLOB).hexdigest()
    assert (body["title"], body["tags"], body["dish"]["id"]) == ("a + b é", ["one", "two"], "7")
    assert body["contentType"] == "application/pdf"


async def test_bytes_without_a_file_name_are_base64(shared: Served) -> None:
    assert (await upload(shared, [("data", (None, "AQID"))])).json()["size"] == "3"
    assert (await upload(shared, [("data", (None, b"AQID", "application/octet-stream"))])).json()["size"] == "4"


async def test_every_kind_of_field(shared: Served) -> None:
    parts = [
        ("int32Value", "4"),
        ("course", "COURSE_MAIN"),
        ("boolValue", "true"),
        ("timestamp", "2026-01-31T12:00:00Z"),
        ("ints", "2"),
        ("ints", "1"),
        ("ingredient", '{"name":"salt"}'),
        ("ingredients", '{"name":"a"}'),
        ("ingredients", '{"name":"b"}'),
        ("labels", '{"k":"v"}'),
        ("struct", '{"free":[1]}'),
        ("wrappedString", ""),
        ("maybe_int", "0"),
        ("spelledOtherwise", "x"),
    ]
    answer = await upload(shared, [(name, (None, value)) for name, value in parts], "/v1/echo")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["int32Value"], body["course"], body["boolValue"]) == (4, "COURSE_MAIN", True)
    assert body["ints"] == [2, 1]
    assert body["ingredient"]["name"] == "salt"
    assert [one["name"] for one in body["ingredients"]] == ["a", "b"]
    assert (body["labels"], body["struct"], body["wrappedString"], body["maybeInt"]) == (
        {"k": "v"},
        {"free": [1]},
        "",
        0,
    )
    assert body["spelledOtherwise"] == "x"


async def test_a_form_for_a_body_field(shared: Served) -> None:
    answer = await upload(shared, [("title", (None, "Soup")), ("ingredients", (None, '{"name":"salt"}'))], "/v1/dishes")
    assert answer.status_code == 201, answer.text
    assert answer.json()["title"] == "Soup"


async def test_dots_name_inner_fields(shared: Served) -> None:
    answer = await upload(shared, [("dish.title", (None, "Soup")), ("dish.price_cents", (None, "3"))])
    assert answer.json()["dish"]["priceCents"] == "3"


async def test_a_form_that_differs_from_the_path_is_refused(shared: Served) -> None:
    answer = await upload(shared, [("dishId", (None, "2"))], "/v1/dishes/1:cook")
    assert answer.status_code == 400
    assert "differs from the value in the path" in answer.text


@pytest.mark.parametrize(
    ("parts", "field", "reason"),
    [
        ([("titel", "x")], "titel", "did you mean 'title'?"),
        ([("title", "x"), ("title", "y")], "title", "repeated part"),
        ([("dish", "{")], "dish", "not valid JSON"),
        ([("dish", '{"nope":1}')], "dish.nope", "unknown field"),
        ([("dish", '{"ingredients":[{"name":1}]}')], "dish.ingredients[0].name", "a string"),
        ([("dish", "[]")], "dish", "an object"),
        ([("dish", '{"title":"a"}'), ("dish.id", "b")], "dish.id", "the part 'dish' sets this field"),
        ([("dish.id", "b"), ("dish", '{"title":"a"}')], "dish", "another part sets a field below"),
        ([("data", "%")], "data", "base64"),
        ([("dish.priceCents", "x")], "dish.priceCents", "an integer (int64)"),
        ([("title", b"\xff")], "title", "UTF-8"),
    ],
)
async def test_a_wrong_part_is_named(shared: Served, parts: list[tuple[str, Any]], field: str, reason: str) -> None:
    answer = await upload(shared, [(name, (None, value)) for name, value in parts])
    assert answer.status_code == 400, answer.text
    [violation] = answer.json()["error"]["details"][0]["fieldViolations"]
    assert violation["field"] == field
    assert reason in violation["description"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\n"),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\nx'),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\nX-A: %b\r\n\r\nx\r\n--b--\r\n" % (b"a" * 20_000)),
        ("multipart/form-data; boundary=" + "b" * 5000, b"x"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="tags"\r\n\r\nx\r\n' * 1001 + b"--b--\r\n",
        ),
    ],
    ids=range(9),
)
async def test_a_broken_form_is_refused(shared: Served, content_type: str, body: bytes) -> None:
    answer = await shared.http.post("/v1/blobs", content=body, headers={"content-type": content_type})
    assert answer.status_code == (200 if not body else 400), answer.text


async def test_a_form_obeys_the_body_limit_and_leaves_no_file(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    big = bytes(3 * 1024 * 1024)
    async with serve(max_body_bytes=4 * 1024 * 1024) as served:
        assert (await upload(served, [("data", ("a", big, "a/b"))])).json()["size"] == str(len(big))
        assert (await upload(served, [("data", ("a", big * 2, "a/b"))])).status_code == 413
        assert os.listdir(tmp_path) == []


async def test_unknown_parts_follow_the_policy(serve: Serve) -> None:
    async with serve(unknown_fields="warn") as served:
        answer = await upload(served, [("nope", (None, "x")), ("title", (None, "y"))])
        assert answer.json()["title"] == "y"
        assert answer.headers["x-unknown-fields"] == "nope"


async def test_unknown_fields_in_a_part_follow_the_policy(serve: Serve) -> None:
    async with serve(unknown_fields="warn") as served:
        answer = await upload(served, [("dish", (None, '{"title":"y","nope":1}'))])
        assert answer.json()["dish"]["title"] == "y"
        assert answer.headers["x-unknown-fields"] == "dish.nope"


async def test_a_wrong_entry_of_a_map_is_named(shared: Served) -> None:
    answer = await upload(shared, [("pantry", (None, '{"a":{"grams":"x"}}'))], "/v1/echo")
    [violation] = answer.json()["error"]["details"][0]["fieldViolations"]
    assert violation["field"] == "pantry['a'].grams"


async def test_names_nest_no_deeper_than_a_body(serve: Serve) -> None:
    async with serve(max_nesting_depth=2) as served:
        parts = [("ingredient.name", (None, "a"))]
        assert (await upload(served, parts, "/v1/echo")).json()["ingredient"]["name"] == "a"
        answer = await upload(served, [("ingredient.parts.name", (None, "a"))], "/v1/echo")
        assert answer.status_code == 400
        assert "deeper than 2 levels" in answer.text
