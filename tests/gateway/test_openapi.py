"""The document as a whole: third-party validators accept it, and it describes each kind of binding."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
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
from diptych.openapi.paths import expand
from diptych.reply import ErrorReplier
from diptych.rules import Binding
from diptych.status import Code, Status, pack
from diptych.template import parse
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.kitchen import Kitchen

from .described import Json, described, validator

PLAIN = described()
PATHS: Json = PLAIN["paths"]
SCHEMAS: Json = PLAIN["components"]["schemas"]


def operations(made: Json) -> Iterator[Json]:
    for item in made["paths"].values():
        for verb, operation in item.items():
            if verb == "x-additionalOperations":
                yield from operation.values()
            else:
                yield operation


def parameters(path: str, verb: str, where: str) -> dict[str, Json]:
    return {one["name"]: one for one in PATHS[path][verb].get("parameters", ()) if one["in"] == where}


def body(path: str, verb: str = "post") -> Json:
    content: Json = PATHS[path][verb]["requestBody"]["content"]
    return content


def answer(path: str, verb: str = "post") -> Json:
    content: Json = PATHS[path][verb]["responses"]["200"]["content"]
    return content


def resolved(schema: Json) -> Json:
    found: Json = SCHEMAS[schema["$ref"].rpartition("/")[2]]
    return found


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"preserve_names": True},
        {"enums_as_ints": True},
        {"emit_defaults": False},
        {"unknown_fields": "warn"},
        {"error_dialect": "status"},
        {"error_dialect": "problem"},
    ],
    ids=str,
)
@pytest.mark.parametrize("unbound", [False, True])
def test_a_third_party_accepts_it(chosen: Json, unbound: bool) -> None:
    schemes = {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}}
    made = described(unbound=unbound, security=schemes, **chosen)
    openapi_spec_validator.validate(json.loads(json.dumps(made)))


def test_operations_are_named_once_and_by_their_method() -> None:
    names = [operation["operationId"] for operation in operations(described(unbound=True))]
    assert len(names) == len(set(names))
    assert PATHS["/v1/documents:process"]["post"]["operationId"] == "OCRService_ProcessPDF"
    assert PATHS["/v1/kitchens/{kitchen}/dishes/{dish}"]["get"]["operationId"] == "KitchenService_GetDish_2"
    assert PATHS["/v1/echo"]["post"]["operationId"] == "KitchenService_Echo_2"


def test_methods_without_an_annotation_are_documented_if_served() -> None:
    assert not any(path.startswith("/kitchen.v1.") for path in PATHS)
    made = described(unbound=True)["paths"]
    assert made["/kitchen.v1.KitchenService/Unbound"]["post"]["x-diptych-grpc-method"] == (
        "/kitchen.v1.KitchenService/Unbound"
    )


def test_custom_verbs_are_in_an_extension() -> None:
    purge = PATHS["/v1/dishes/{dishId}"]["x-additionalOperations"]["PURGE"]
    assert purge["operationId"] == "KitchenService_PurgeDish"


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/v1/{id}", "/v1/{id}"),
        ("/v1/{filter.contains=*}", "/v1/{filter.contains}"),
        ("/v1/{name=kitchens/*/dishes/*}", "/v1/kitchens/{kitchen}/dishes/{dish}"),
        ("/v1/{name=entries/*/boxes/*/classes/*}", "/v1/entries/{entry}/boxes/{box}/classes/{class}"),
        ("/v1/{name=shelves}", "/v1/shelves"),
        ("/v1/{name=docs/**}:stat", "/v1/docs/{name}:stat"),
        ("/v1/{name=a/*/*/*}", "/v1/a/{a}/{name}/{name_2}"),
        ("/v1/*/x/**", "/v1/{wildcard}/x/{wildcard_2}"),
        ("/v1/caf%C3%A9", "/v1/caf%C3%A9"),
    ],
)
def test_path_parameters_contain_no_slash(template: str, path: str) -> None:
    parsed = parse(template)
    method = pb.DESCRIPTOR.services_by_name["KitchenService"].methods_by_name["ListDishes"]

    class Field:
        def __init__(self, name: str) -> None:
            self.name = self.json_name = name

    class Path:
        def __init__(self, path: str) -> None:
            self.fields = tuple(map(Field, path.split(".")))

    variables: Any = tuple((variable, Path(variable.path)) for variable in parsed.variables)
    binding = Binding(method=method, verb="GET", template=parsed, variables=variables)
    assert expand(binding, preserve_names=False).text == path


def test_paths_of_one_shape_are_one() -> None:
    """For OpenAPI, /v1/dishes/{dishId} and /v1/dishes/{id} are the same path."""
    item = PATHS["/v1/dishes/{dishId}"]
    assert {"get", "put", "patch", "delete"} <= item.keys()
    assert parameters("/v1/dishes/{dishId}", "patch", "path")["dishId"]["x-diptych-field"] == "dish.id"
    assert parameters("/v1/dishes/{dishId}", "put", "path")["dishId"]["x-diptych-field"] == "id"


def test_each_unbound_leaf_is_a_query_parameter() -> None:
    assert set(parameters("/v1/dishes", "get", "query")) == {
        "pageSize",
        "pageToken",
        "courses",
        "filter.contains.name",
        "filter.contains.grams",
        "filter.contains.byHand",
        "filter.contains.byScale",
        "filter.maxPriceCents",
    }  # and not filter.contains.parts, which is a repeated message and recursive
    assert set(parameters("/v1/dishes", "post", "query")) == {"dishId", "validateOnly"}
    assert set(parameters("/v1/dishes/{dishId}", "patch", "query")) == {"updateMask"}
    assert set(parameters("/v1/drives/{drive}/items/docs/{path}:stat", "get", "query")) == {"revision"}
    assert not parameters("/v1/echo", "post", "query")


def test_names_of_parameters_follow_the_setting() -> None:
    made = described(preserve_names=True)["paths"]["/v1/dishes"]["get"]["parameters"]
    assert "filter.max_price_cents" in {one["name"] for one in made}


def test_the_kinds_of_query_parameters() -> None:
    found = parameters("/v1/echo", "get", "query")
    assert found["ints"]["schema"] == {
        "type": "array",
        "items": {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1, "examples": [0]},
    }
    assert found["labels"]["style"] == "deepObject"
    assert found["counts"]["schema"]["propertyNames"]["pattern"].startswith("^(?:0|-?(?:")
    assert found["wrappedInt64"]["schema"] == {"$ref": "#/components/schemas/Int64"}
    assert "At most one of `choiceString`, `choiceInt`" in found["choiceInt"]["description"]
    # A map of messages, a repeated message and free JSON cannot be query parameters.
    assert not {"pantry", "ingredients", "struct", "value", "list", "any"} & found.keys()


def test_a_body_omits_the_paths_fields() -> None:
    cook = resolved(body("/v1/dishes/{dishId}:cook")["application/json"]["schema"])
    assert list(cook["properties"]) == ["portions"]
    replaced = resolved(body("/v1/dishes/{dishId}", "put")["application/json"]["schema"])
    assert "id" not in replaced["properties"]
    assert replaced["required"] == ["title"]


def test_an_update_requires_no_field() -> None:
    updated = resolved(body("/v1/dishes/{dishId}", "patch")["application/json"]["schema"])
    assert "required" not in updated
    assert "id" not in updated["properties"]


def test_request_and_response_schemas_are_separate_if_they_differ() -> None:
    given, taken = SCHEMAS["kitchen.v1.Dish"], SCHEMAS["kitchen.v1.Dish-Input"]
    assert given["required"] == ["id", "title", "priceCents", "course", "tags", "ingredients", "labels", "oldTitle"]
    assert taken["required"] == ["title"]
    assert given["properties"]["createTime"]["readOnly"] is True
    assert given["properties"]["oldTitle"]["deprecated"] is True
    assert "kitchen.v1.GetFileResponse-Input" not in SCHEMAS


def test_schemas_refuse_unknown_fields_only_if_the_server_does() -> None:
    assert SCHEMAS["kitchen.v1.Dish-Input"]["additionalProperties"] is False
    assert (
        "additionalProperties" not in SCHEMAS["artificer.ocr.v1.PDFMetadata"]
    )  # a field may follow without a line break
    lenient = described(unknown_fields="warn")
    assert "additionalProperties" not in lenient["components"]["schemas"]["kitchen.v1.Dish-Input"]
    headers = lenient["paths"]["/v1/dishes"]["post"]["responses"]["200"]["headers"]
    assert "x-unknown-fields" in headers


def test_a_oneof_accepts_one_field() -> None:
    schema = validator(PLAIN, {"$ref": "#/components/schemas/kitchen.v1.EchoRequest-Input"})
    assert schema.is_valid({"choiceInt": 1})
    assert not schema.is_valid({"choiceInt": 1, "choiceString": ""})


def test_enums_go_by_name_or_by_number() -> None:
    course = SCHEMAS["kitchen.v1.Course"]
    assert course["enum"] == ["COURSE_UNSPECIFIED", "COURSE_STARTER", "COURSE_MAIN", "COURSE_DESSERT"]
    assert "- `COURSE_MAIN`: Eaten in the middle." in course["description"]
    assert described(enums_as_ints=True)["components"]["schemas"]["kitchen.v1.Course"]["enum"] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("path", "verb", "media"),
    [
        ("/v1/dishes", "post", {"application/json"}),
        ("/v1/echo/bytes", "post", {"application/json", "application/octet-stream"}),
        ("/v1/blobs", "post", {"application/json", "multipart/form-data", "application/octet-stream"}),
        ("/v1/mirror", "post", {"application/octet-stream", "*/*"}),
        ("/v1/stored/{name}", "put", {"application/octet-stream", "*/*"}),
        (
            "/v1/documents:process",
            "post",
            {"application/json", "multipart/form-data", "application/octet-stream"},
        ),
    ],
)
def test_media_types_of_bodies(path: str, verb: str, media: set[str]) -> None:
    assert body(path, verb).keys() == media
    assert PATHS[path][verb]["requestBody"]["required"] is True


def test_a_form_has_files_for_bytes_and_json_for_messages() -> None:
    form = body("/v1/blobs")["multipart/form-data"]
    assert form["schema"]["properties"]["data"]["format"] == "binary"
    assert form["schema"]["required"] == ["data"]
    assert form["encoding"] == {"dish": {"contentType": "application/json"}}
    assert "`contentType`, `title`, `tags`, `dish.…`" in PATHS["/v1/blobs"]["post"]["requestBody"]["description"]


def test_streams_come_in_three_framings() -> None:
    content = answer("/v1/ticks", "get")
    item = {"$ref": "#/components/schemas/kitchen.v1.TickResponse"}
    assert content["application/json"]["schema"] == {"type": "array", "items": item}
    assert content["application/x-ndjson"]["x-itemSchema"] == item
    assert content["text/event-stream"]["x-itemSchema"]["properties"]["data"]["contentSchema"] == item
    assert answer("/v1/download", "get").keys() == {"*/*"}


def test_a_client_stream_is_a_list_or_lines() -> None:
    made = described()["paths"]["/v1/sum"]["post"]
    assert made["requestBody"]["content"].keys() == {"application/json", "application/x-ndjson"}
    assert made["requestBody"]["content"]["application/json"]["schema"]["type"] == "array"
    assert made["x-diptych-streaming"] == "client"


def test_response_body_is_the_field_alone() -> None:
    assert answer("/v1/echo/list")["application/json"]["schema"] == {"type": "array", "items": {"type": "string"}}
    assert answer("/v1/mirror") == {
        "*/*": {"schema": {"format": "binary", "description": answer("/v1/mirror")["*/*"]["schema"]["description"]}}
    }


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
    assert PATHS["/v1/dishes/{dishId}"]["get"]["responses"].keys() == {"200", "2XX", "400", "404", "504", "default"}
    assert {"413", "415"} <= PATHS["/v1/dishes"]["post"]["responses"].keys()
    secured = described(security={"bearer": {"type": "http", "scheme": "bearer"}})
    assert {"401", "403"} <= secured["paths"]["/v1/dishes"]["get"]["responses"].keys()
    assert secured["paths"]["/v1/dishes"]["get"]["security"] == [{"bearer": []}]


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
