"""The document as a whole: third-party validators accept it, and it describes each kind of binding."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openapi_spec_validator
import pytest

from diptych.openapi.paths import expand
from diptych.rules import Binding
from diptych.template import parse
from kitchen.v1 import kitchen_service_pb2 as pb

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
    assert content["text/event-stream"]["x-itemSchema"]["properties"].keys() == {"id", "event", "retry", "data"}
    assert "an empty line while idle" in content["application/x-ndjson"]["schema"]["description"]
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
