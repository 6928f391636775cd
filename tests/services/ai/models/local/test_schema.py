"""Bounds in JSON schemas that no value can keep, and others of which llama.cpp would make a grammar without end."""

from __future__ import annotations

from typing import Any

import pytest

from artificer_services.ai.models.local.schema import impossible


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "string", "minLength": 5, "maxLength": 2}, "minLength is above maxLength"),
        ({"properties": {"a": {"minItems": 5, "maxItems": 2}}}, "minItems is above maxItems"),
        ({"anyOf": [{"type": "string", "pattern": "^a{5,2}$"}]}, "the pattern has {5,2}"),
        ({"pattern": "^a{10,9}$"}, "the pattern has {10,9}"),
        ({"pattern": "^a{2,5}b{02,10}$", "minLength": 2, "maxLength": 2}, ""),
        ({"minLength": "5", "maxLength": 2, "pattern": 3}, ""),
        ({"type": "integer", "minimum": 10, "maximum": 5}, "minimum is above maximum"),
        ({"items": {"type": "number", "exclusiveMinimum": 1.5, "maximum": 1}}, "minimum is above maximum"),
        ({"type": "integer", "minimum": 10**17}, "the minimum of an integer is 1,000,000,000,000,000 or more"),
        ({"type": ["null", "integer"], "exclusiveMinimum": 9007199254740991}, "the minimum of an integer"),
        ({"type": "integer", "maximum": -(10**17)}, "the maximum of an integer is -1,000,000,000,000,000 or less"),
        ({"type": "integer", "minimum": -9007199254740991, "maximum": 9007199254740991}, ""),
        ({"type": "integer", "minimum": 10**17, "maximum": 10**18}, ""),
        ({"type": "integer", "minimum": -(10**17)}, ""),
        ({"type": "number", "minimum": 1e17}, ""),
        ({"type": "integer", "minimum": 5, "maximum": 5}, ""),
        ({"type": {"integer": 1}, "minimum": True, "maximum": "5"}, ""),
        ({}, ""),
    ],
)
def test_bounds_that_no_value_can_keep_are_found_at_any_depth(schema: Any, text: str) -> None:
    assert impossible(schema).startswith(text)
    assert bool(impossible(schema)) == bool(text)
