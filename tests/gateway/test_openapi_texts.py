"""Errors, comments, titles and examples in the OpenAPI document."""

from __future__ import annotations

import sys
from importlib.metadata import version
from types import ModuleType
from typing import Any

import openapi_spec_validator
import orjson
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc import error_details_pb2
from pydantic import BaseModel

from diptych import Gateway, Settings
from diptych.codec import Codec
from diptych.openapi import merge
from diptych.openapi.comments import Comments, description, headline, summary
from diptych.reply import ErrorReplier
from diptych.status import Code, Status, pack
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.gateway.test_openapi import PATHS, PLAIN, SCHEMAS, body, operations, parameters
from tests.kitchen import Kitchen

from .described import Json, described, validator


@pytest.mark.parametrize("dialect", ["google", "status", "problem"])
def test_errors_fit_their_schema_in_every_dialect(dialect: Any) -> None:
    made = described(error_dialect=dialect)
    detail = error_details_pb2.BadRequest(field_violations=[{"field": "a", "description": "b"}])
    replier = ErrorReplier(Codec([pb.DESCRIPTOR]), dialect)
    for code in (Code.NOT_FOUND, Code.INVALID_ARGUMENT, Code.INTERNAL):
        reply = replier.reply(Status(code=code, message="no", details=(pack(detail),)))
        [(media, content)] = made["components"]["responses"]["Error404"]["content"].items()
        assert (b"content-type", media.encode()) in reply.headers
        validator(made, content["schema"]).validate(orjson.loads(reply.body))


def test_errors_an_operation_may_answer_with() -> None:
    assert PATHS["/v1/dishes/{dishId}"]["get"]["responses"].keys() == {"200", "400", "404", "504", "default"}
    assert {"413", "415"} <= PATHS["/v1/dishes"]["post"]["responses"].keys()
    secured = described(security={"bearer": {"type": "http", "scheme": "bearer"}})
    assert {"401", "403"} <= secured["paths"]["/v1/dishes"]["get"]["responses"].keys()
    assert secured["paths"]["/v1/dishes"]["get"]["security"] == [{"bearer": []}]


def test_statuses_that_a_servicer_may_choose() -> None:
    responses = PATHS["/v1/dishes"]["post"]["responses"]
    assert responses["201"]["content"] == responses["202"]["content"] == responses["200"]["content"]
    everywhere = {
        status for item in PATHS.values() for operation in item.values() for status in operation.get("responses", ())
    }
    assert {status for status in everywhere if status.startswith("2")} <= {"200", "201", "202", "204"}


def test_comments_are_shown() -> None:
    get = PATHS["/v1/dishes/{dishId}"]["get"]
    assert get["summary"] == "Gets a dish by its id"
    assert get["description"].endswith("see GetSpecial.")
    special = PATHS["/v1/dishes/special"]["get"]  # its only sentence is too long for a title
    assert special["summary"] == "Gets the special of the day"
    assert special["description"] == "Gets the special of the day, whose literal path wins over GetDish."
    assert SCHEMAS["kitchen.v1.Dish"]["description"] == "A dish on the menu."
    assert SCHEMAS["kitchen.v1.Dish"]["properties"]["title"]["description"] == "Required. What the menu calls it."
    assert parameters("/v1/dishes", "get", "query")["pageSize"]["description"] == "How many at most, 100 by default."
    tags = {tag["name"]: tag["description"] for tag in PLAIN["tags"]}
    assert tags["KitchenService"].startswith("KitchenService holds one method")


@pytest.mark.parametrize(
    ("comment", "first", "rest"),
    [
        ("", "", ""),
        ("One.", "One", ""),
        ("One of v1.2 and e.g. this\nover lines. Two.", "One of v1.2 and e.g. this over lines", True),
        ("No period\n\nMore", "No period", True),
    ],
)
def test_the_first_sentence_is_the_summary(comment: str, first: str, rest: object) -> None:
    assert summary(comment) == first
    assert bool(description(comment, first)) == bool(rest)


@pytest.mark.parametrize(
    ("comment", "title"),
    [
        ("GetDish gets a dish by its id.", "Gets a dish by its id"),
        ("Gets a dish. It is free.", "Gets a dish"),
        (
            "Reads a document of any length, however long that takes, at once.",
            "Reads a document of any length, however long that takes",
        ),
        (
            "Counts dishes whose names are longer than the line that shows them is wide.",
            "Counts dishes whose names are longer than the line that…",
        ),
        ("", ""),
    ],
)
def test_a_title_is_one_short_line_without_the_methods_name(comment: str, title: str) -> None:
    assert headline(comment, "GetDish") == title
    assert bool(description(comment, title)) == (not comment.endswith(f"{title[1:]}." if title else ""))


def test_every_operation_has_a_short_title() -> None:
    assert all(0 < len(one["summary"]) <= 60 for one in operations(PLAIN))


def test_the_version_is_the_packages_unless_it_is_set() -> None:
    assert PLAIN["info"]["version"] == version("diptych")
    assert described(api_version="3.1")["info"]["version"] == "3.1"


@pytest.mark.parametrize(
    ("given", "served", "title"),
    [({}, True, "KitchenService"), ({}, False, "Diptych"), ({"title": "Soups"}, True, "Soups")],
    ids=["of the only service", "without a service", "as set"],
)
def test_the_page_and_the_document_have_a_title(given: dict[str, Any], served: bool, title: str) -> None:
    gateway = Gateway(settings=Settings(**given))
    if served:
        pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
    with TestClient(gateway.app) as client:
        assert client.get("/openapi.json").json()["info"]["title"] == title
        assert f"<title>{title}</title>" in client.get("/docs").text


def test_examples_fit_their_schemas_and_change_nothing() -> None:
    for operation in operations(PLAIN):
        content: Json = operation.get("requestBody", {}).get("content", {})
        if "example" in (media := content.get("application/json", {})):
            validator(PLAIN, media["schema"]).validate(media["example"])
    assert body("/v1/documents:process")["application/json"]["example"] == {
        "pdfData": "",
        "forceOcr": False,
        "languages": [],
        "keepInvisibleText": False,
        "pages": "",
        "output": "OUTPUT_FORMAT_UNSPECIFIED",
    }
    assert body("/v1/dishes/{dishId}", "patch")["application/json"]["example"] == {}


def test_an_upload_is_offered_as_a_form_first() -> None:
    assert next(iter(body("/v1/documents:process"))) == "multipart/form-data"
    assert next(iter(body("/v1/dishes"))) == "application/json"


def test_without_a_comments_file_there_are_no_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = DescriptorPool()
    pool.Add(FileDescriptorProto(name="lost/v1/lost.proto", package="lost.v1", message_type=[{"name": "Lost"}]))  # type: ignore[list-item]
    message = pool.FindMessageTypeByName("lost.v1.Lost")
    assert Comments().of(message) == ""
    module = ModuleType("elsewhere.lost_pb2")
    module.DESCRIPTOR, module.__file__ = message.file, "/nowhere/lost_pb2.py"  # type: ignore[attr-defined]
    module.__loader__ = pb.__loader__
    monkeypatch.setitem(sys.modules, "elsewhere.lost_pb2", module)
    assert Comments().of(message) == ""


class Ingredient(BaseModel):
    name: str


def test_fastapi_routes_are_merged_and_take_precedence() -> None:
    app = FastAPI()

    @app.get("/v1/dishes/{id}", operation_id="KitchenService_GetDish")
    def dish(id: str) -> Ingredient:  # noqa: A002
        return Ingredient(name=id)

    @app.get("/extra", tags=["extra"])
    def extra() -> list[Ingredient]:
        return []

    ours = described(unbound=True)
    ours["components"]["schemas"]["Ingredient"] = {"type": "object"}  # a message without a package
    merged = merge(ours, app.openapi())
    openapi_spec_validator.validate(merged)
    item = merged["paths"]["/v1/dishes/{id}"]
    assert "x-diptych-grpc-method" not in item["get"]
    assert item["patch"]["parameters"][0]["name"] == "id"
    assert "/v1/dishes/{dishId}" not in merged["paths"]
    shown = merged["paths"]["/extra"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert shown["items"] == {"$ref": "#/components/schemas/Ingredient_2"}
    assert "/v1/dishes/{dishId}" in ours["paths"], "neither document is changed"
