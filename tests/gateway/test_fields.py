"""Dotted paths to descriptors: valid paths, invalid ones, and suggestions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.fields import (
    UnknownField,
    by_any_name,
    did_you_mean,
    is_map,
    is_repeated,
    is_scalar,
    map_entry,
    resolve,
)
from kitchen.v1 import kitchen_service_pb2 as kitchen

ECHO = kitchen.EchoRequest.DESCRIPTOR
FILTER = kitchen.ListDishesRequest.DESCRIPTOR

RESOLVED = [
    # (message, path, proto names, why)
    (ECHO, "int32_value", ("int32_value",), "a proto name"),
    (ECHO, "int32Value", ("int32_value",), "a JSON name"),
    (ECHO, "spelledOtherwise", ("renamed",), "a json_name"),
    (ECHO, "renamed", ("renamed",), "the proto name beside it"),
    (ECHO, "ingredient.grams", ("ingredient", "grams"), "into a message"),
    (ECHO, "choiceIngredient.by_hand", ("choice_ingredient", "by_hand"), "names may be mixed"),
    (FILTER, "filter.contains.name", ("filter", "contains", "name"), "three deep"),
    (FILTER, "filter.max_price_cents", ("filter", "max_price_cents"), "a wrapper is a leaf"),
    (ECHO, "ingredients", ("ingredients",), "a list is a leaf"),
    (ECHO, "labels", ("labels",), "a map is a leaf"),
    (ECHO, "ingredient", ("ingredient",), "a message may be named itself"),
]


@pytest.mark.parametrize(("message", "path", "names", "_why"), RESOLVED, ids=[row[3] for row in RESOLVED])
def test_resolves(message: object, path: str, names: tuple[str, ...], _why: str) -> None:
    found = resolve(message, path)  # type: ignore[arg-type]
    assert found.names == names
    assert str(found) == ".".join(names)
    assert found.leaf.name == names[-1]
    assert found == resolve(message, ".".join(names))  # type: ignore[arg-type]


UNKNOWN = [
    # (path, the resolved part, the unresolved part, a part of the message)
    ("nope", "", "nope", "kitchen.v1.EchoRequest has no field 'nope'"),
    ("", "", "", "has no field ''"),
    ("int32Valeu", "", "int32Valeu", "did you mean 'int32Value'?"),
    ("Int32Value", "", "Int32Value", "did you mean 'int32Value'?"),
    ("ingredient.nope", "ingredient", "nope", "kitchen.v1.Ingredient has no field 'nope'"),
    ("ingredient.", "ingredient", "", "kitchen.v1.Ingredient has no field ''"),
    ("ingredient..name", "ingredient", "", "has no field ''"),
    ("string_value.x", "string_value", "x", "field 'string_value' of kitchen.v1.EchoRequest is a scalar"),
    ("course.x", "course", "x", "is a scalar"),
    ("strings.0", "strings", "0", "is repeated"),
    ("ingredients.name", "ingredients", "name", "is repeated; it has no field 'name'"),
    ("labels.a", "labels", "a", "is a map"),
    ("timestamp.seconds", "timestamp", "seconds", "is a google.protobuf.Timestamp"),
    ("wrapped_int64.value", "wrapped_int64", "value", "is a google.protobuf.Int64Value"),
    ("struct.fields", "struct", "fields", "is a google.protobuf.Struct"),
    ("any.type_url", "any", "type_url", "is a google.protobuf.Any"),
    ("ingredient.parts.name", "ingredient.parts", "name", "field 'ingredient.parts'"),
]


@pytest.mark.parametrize(("path", "known", "name", "text"), UNKNOWN, ids=[row[0] or "empty" for row in UNKNOWN])
def test_names_the_segment_that_does_not_resolve(path: str, known: str, name: str, text: str) -> None:
    with pytest.raises(UnknownField) as caught:
        resolve(ECHO, path)
    assert (caught.value.path, caught.value.name) == (known, name)
    assert text in str(caught.value)


KINDS = [
    # (field, whether it is a list, a map, a scalar)
    ("string_value", False, False, True),
    ("course", False, False, True),
    ("strings", True, False, True),
    ("ingredients", True, False, False),
    ("labels", False, True, False),
    ("ingredient", False, False, False),
    ("timestamp", False, False, True),
    ("mask", False, False, True),
    ("wrapped_double", False, False, True),
    ("struct", False, False, False),
    ("value", False, False, False),
    ("any", False, False, False),
]


@pytest.mark.parametrize(("name", "is_list", "is_mapped", "scalar"), KINDS, ids=[row[0] for row in KINDS])
def test_kinds(name: str, is_list: bool, is_mapped: bool, scalar: bool) -> None:
    field = ECHO.fields_by_name[name]
    assert (is_repeated(field), is_map(field), is_scalar(field)) == (is_list, is_mapped, scalar)


def test_a_map_entry_has_its_key_and_value() -> None:
    entry = map_entry(ECHO.fields_by_name["counts"])
    assert entry is not None
    assert [field.name for field in entry] == ["key", "value"]
    assert map_entry(ECHO.fields_by_name["ingredients"]) is None


def test_every_field_is_found_by_both_names() -> None:
    names = by_any_name(ECHO)
    for field in ECHO.fields:
        assert names[field.name] is names[field.json_name] is field


def test_a_long_name_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    assert did_you_mean(ECHO, "int32Valu") == "; did you mean 'int32Value'?"
    monkeypatch.setattr("diptych.fields.get_close_matches", lambda *_, **__: pytest.fail("it was compared"))
    assert did_you_mean(ECHO, "int32Value" * 1_000_000) == ""


@given(st.text("abint32Value._ ", max_size=20))
def test_a_path_resolves_or_is_unknown(path: str) -> None:
    try:
        found = resolve(ECHO, path)
    except UnknownField as error:
        known = error.path
    else:
        known = str(found)
    assert not known or str(resolve(ECHO, known)) == known
