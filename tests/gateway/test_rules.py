"""The meaning of annotations, and every annotation that must stop the start."""

from __future__ import annotations

from typing import Any

import pytest
from google.api.http_pb2 import CustomHttpPattern, HttpRule

from diptych.routes import Route, RouteConflict, RouteTable
from diptych.rules import Binding, RuleError, bindings
from kitchen.v1 import kitchen_service_pb2 as kitchen

from .protos import FILE, method

KITCHEN = kitchen.DESCRIPTOR.services_by_name["KitchenService"].methods_by_name


def custom(kind: str, path: str, **more: Any) -> HttpRule:
    return HttpRule(custom=CustomHttpPattern(kind=kind, path=path), **more)


def told(binding: Binding) -> tuple[str, str, list[str], str, str]:
    """Method, template, variables' field paths, body and response body."""
    response = binding.response_body.name if binding.response_body else ""
    paths = [str(path) for _, path in binding.variables]
    return binding.verb, binding.template.text, paths, binding.body_name, response


BOUND = [
    # (method, its bindings, why)
    (
        "GetDish",
        [
            ("GET", "/v1/dishes/{dish_id}", ["dish_id"], "", ""),
            ("GET", "/v1/{name=kitchens/*/dishes/*}", ["name"], "", ""),
        ],
        "an additional binding",
    ),
    ("UpdateDish", [("PATCH", "/v1/dishes/{dish.id}", ["dish.id"], "dish", "")], "a variable within the body"),
    ("ReplaceDish", [("PUT", "/v1/dishes/{id}", ["id"], "*", "")], "the whole body"),
    ("DeleteDish", [("DELETE", "/v1/dishes/{dish_id}", ["dish_id"], "", "")], "no body"),
    ("EchoList", [("POST", "/v1/echo/list", [], "strings", "strings")], "lists as bodies"),
    ("EchoMap", [("POST", "/v1/echo/map", [], "labels", "labels")], "maps as bodies"),
    ("EchoScalar", [("POST", "/v1/echo/scalar", [], "int64_value", "int64_value")], "scalars as bodies"),
    ("PurgeDish", [("PURGE", "/v1/dishes/{dish_id}", ["dish_id"], "", "")], "a custom kind"),
    ("StoreBody", [("PUT", "/v1/stored/{name}", ["name"], "body", "")], "an HttpBody"),
    ("Unbound", [], "no annotation"),
]


@pytest.mark.parametrize(("name", "expected", "_why"), BOUND, ids=[row[2] for row in BOUND])
def test_binds(name: str, expected: list[tuple[str, str, list[str], str, str]], _why: str) -> None:
    assert [told(binding) for binding in bindings(KITCHEN[name])] == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (HttpRule(get="/v1/{timestamp}"), ["timestamp"]),
        (HttpRule(get="/{ingredient.name}/{ingredient.by_hand}"), ["ingredient.name", "ingredient.by_hand"]),
        (HttpRule(get="/v1/{wrapped_int64}/{duration}/{mask}"), ["wrapped_int64", "duration", "mask"]),
        (HttpRule(get="/v1/{course}/{bytes_value}/{maybe_int}"), ["course", "bytes_value", "maybe_int"]),
        (HttpRule(get="/v1/{ingredient.name}/{choice_string}"), ["ingredient.name", "choice_string"]),
        (HttpRule(get="/v1/{int32Value}"), ["int32_value"]),
        (HttpRule(get="/v1/{spelledOtherwise}"), ["renamed"]),
    ],
)
def test_a_variable_can_be_any_scalar_by_either_name(rule: HttpRule, expected: list[str]) -> None:
    (binding,) = bindings(method(rule))
    assert [str(path) for _, path in binding.variables] == expected


def test_a_method_without_an_annotation_is_mapped_by_option() -> None:
    assert [told(binding) for binding in bindings(KITCHEN["Unbound"], unbound=True)] == [
        ("POST", "/kitchen.v1.KitchenService/Unbound", [], "*", "")
    ]
    assert bindings(KITCHEN["DeleteDish"], unbound=True)[0].verb == "DELETE", "an annotation stands"


@pytest.mark.parametrize(
    ("rule", "takes"),
    [
        (HttpRule(post="/a", body="*"), True),
        (HttpRule(post="/a", body="strings"), True),
        (HttpRule(post="/a"), False),
        (HttpRule(delete="/a", body="*"), True),
    ],
)
def test_a_binding_reports_whether_it_reads_a_body(rule: HttpRule, takes: bool) -> None:
    assert bindings(method(rule))[0].takes_body is takes


def test_a_custom_kind_becomes_an_upper_case_verb() -> None:
    assert [bindings(method(custom(kind, "/a")))[0].verb for kind in ("HEAD", "report", "VERSION-CONTROL")] == [
        "HEAD",
        "REPORT",
        "VERSION-CONTROL",
    ]


REFUSED = [
    # (rule, a part of the reason)
    (HttpRule(get="/v1/{nope}"), "column 6 of '/v1/{nope}': kitchen.v1.EchoRequest has no field 'nope'"),
    (HttpRule(get="/v1/{int32_valeu}"), "did you mean 'int32Value'?"),
    (HttpRule(get="/v1/{ingredient.nope}"), "column 6 of '/v1/{ingredient.nope}': kitchen.v1.Ingredient has no field"),
    (HttpRule(get="/v1/{ingredient}"), "column 6 of '/v1/{ingredient}': field 'ingredient' is a message"),
    (HttpRule(get="/v1/{struct}"), "field 'struct' is a message"),
    (HttpRule(get="/v1/{any}"), "field 'any' is a message"),
    (HttpRule(get="/v1/a/{strings}"), "column 8 of '/v1/a/{strings}': field 'strings' is repeated"),
    (HttpRule(get="/v1/{ingredients}"), "field 'ingredients' is repeated"),
    (HttpRule(get="/v1/{ingredients.name}"), "field 'ingredients' of kitchen.v1.EchoRequest is repeated"),
    (HttpRule(get="/v1/{ingredient.parts.name}"), "field 'ingredient.parts' of kitchen.v1.EchoRequest is repeated"),
    (HttpRule(get="/v1/{labels}"), "field 'labels' is repeated"),
    (HttpRule(get="/v1/{labels.value}"), "field 'labels' of kitchen.v1.EchoRequest is a map"),
    (HttpRule(get="/v1/{string_value.x}"), "field 'string_value' of kitchen.v1.EchoRequest is a scalar"),
    (HttpRule(get="/v1/{timestamp.seconds}"), "field 'timestamp' of kitchen.v1.EchoRequest is a google.protobuf.Time"),
    (HttpRule(get="/v1/{struct.fields}"), "field 'struct' of kitchen.v1.EchoRequest is a google.protobuf.Struct"),
    (HttpRule(get="/v1/{int32_value}/{int32Value}"), "column 20 of '/v1/{int32_value}/{int32Value}': field 'int32_v"),
    (
        HttpRule(get="/{choice_string}/{choice_ingredient.name}"),
        "column 19 of '/{choice_string}/{choice_ingredient.name}': a request can set only one of 'choice_string' and "
        "'choice_ingredient.name' (oneof 'choice')",
    ),
    (HttpRule(get="/v1/{int32_value"), "column 17 of '/v1/{int32_value': expected \"}\""),
    (HttpRule(get="v1"), "column 1 of 'v1'"),
    (HttpRule(get=""), "column 1 of ''"),
    (HttpRule(get="/v1/**/**"), "column 8 of '/v1/**/**'"),
    (HttpRule(get="/a", body="*"), "a GET request has no body"),
    (HttpRule(get="/a", body="strings"), "a GET request has no body"),
    (custom("head", "/a", body="*"), "a HEAD request has no body"),
    (HttpRule(post="/a", body="nope"), "body: kitchen.v1.EchoRequest has no field 'nope'"),
    (HttpRule(post="/a", body="ingredient.name"), "body: kitchen.v1.EchoRequest has no field 'ingredient.name'"),
    (HttpRule(post="/a", response_body="nope"), "response_body: kitchen.v1.EchoRequest has no field 'nope'"),
    (HttpRule(post="/a", response_body="*"), "response_body: kitchen.v1.EchoRequest has no field '*'"),
    (HttpRule(post="/{string_value}", body="string_value"), "field 'string_value' is bound by the path and by the bo"),
    (HttpRule(), "has no pattern"),
    (HttpRule(body="*"), "has no pattern"),
    (HttpRule(get="/a", additional_bindings=[HttpRule(body="*")]), "has no pattern"),
    (HttpRule(get="/a", additional_bindings=[HttpRule(get="/{nope}")]), "column 3 of '/{nope}'"),
    (
        HttpRule(get="/a", additional_bindings=[HttpRule(get="/b", additional_bindings=[HttpRule(get="/c")])]),
        "cannot be nested",
    ),
    (custom("*", "/a"), "list the HTTP methods one by one"),
    (custom("", "/a"), "'' is not an HTTP method"),
    (custom("GET /", "/a"), "is not an HTTP method"),
    (custom("é", "/a"), "is not an HTTP method"),
]


@pytest.mark.parametrize(("rule", "reason"), REFUSED, ids=[row[1][:60] for row in REFUSED])
def test_refuses_naming_the_file_the_method_and_the_column(rule: HttpRule, reason: str) -> None:
    with pytest.raises(RuleError) as caught:
        bindings(method(rule))
    assert str(caught.value).startswith(f"{FILE}: pantry.v1.PantryService.Get: ")
    assert reason in str(caught.value)


def test_two_bindings_of_one_verb_and_shape_are_refused_naming_both() -> None:
    table: RouteTable[Binding] = RouteTable()
    (one,) = bindings(method(HttpRule(get="/v1/{string_value}")))
    (other,) = bindings(method(HttpRule(get="/v1/{int32_value}")))
    table.add(Route(verb=one.verb, template=one.template, target=one))
    with pytest.raises(RouteConflict) as caught:
        table.add(Route(verb=other.verb, template=other.template, target=other))
    assert (caught.value.before.target, caught.value.route.target) == (one, other)


def test_every_annotation_of_the_kitchen_fits_into_one_table() -> None:
    table: RouteTable[str] = RouteTable()
    for each in KITCHEN.values():
        for binding in bindings(each, unbound=True):
            table.add(Route(verb=binding.verb, template=binding.template, target=each.name))
    assert {route.target for route in table} == set(KITCHEN)
