"""Reads the HTTP rules of a service configuration, `google.api.Service` as YAML (google/api/service.proto).

It knows no method; `book` finds the methods that the selectors name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from google.api.http_pb2 import HttpRule
from google.protobuf import json_format

from ..extras import need
from .binding import RuleError

_TYPE = "google.api.Service"


class Rule(NamedTuple):
    """A rule outside the protos: where it is written, the method that it selects, and the rule or the error in it."""

    where: str
    selector: str
    rule: HttpRule | RuleError
    in_file: bool = False


def rules_of(file: str) -> Iterator[Rule]:
    """Yields the rules of a file in their order. Raises `RuleError` for a file that cannot be read."""
    http = _document(file).get("http")
    rules = http.get("rules") if isinstance(http, Mapping) else None
    if not isinstance(rules, list):
        raise RuleError(file, "expected a list of rules below http.rules (google/api/http.proto)")
    for number, one in enumerate(rules):
        where = f"{file}: http.rules[{number}]"
        selector = one.get("selector") if isinstance(one, Mapping) else None
        if not isinstance(selector, str) or not selector:
            raise RuleError(where, "expected a selector, the full name of a method such as package.Service.Method")
        yield Rule(where, selector, parsed(where, one), in_file=True)


def parsed(where: str, rule: Any) -> HttpRule | RuleError:
    """Returns the rule of its JSON form, or the error in it."""
    try:
        return json_format.ParseDict(rule, HttpRule())
    except json_format.ParseError as error:
        return RuleError(where, f"not a google.api.HttpRule: {error}")


def _document(file: str) -> Mapping[str, Any]:
    need("service_config", "PyYAML", "yaml", "yaml")
    import yaml

    try:
        document = yaml.safe_load(Path(file).read_bytes())
    except OSError as error:
        raise RuleError("service_config", f"cannot read {file}: {error.strerror}") from None
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or "not YAML"
        place = file if mark is None else f"{file}:{mark.line + 1}"
        # `body: *` begins an alias of YAML.
        hint = '; quote the asterisk: body: "*"' if "alias" in str(error) else ""
        raise RuleError(place, f"{problem}{hint}") from None
    if not isinstance(document, Mapping) or document.get("type", _TYPE) != _TYPE:
        raise RuleError(file, f"expected a document of type {_TYPE}")
    return document
