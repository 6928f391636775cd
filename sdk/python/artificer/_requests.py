"""Requests from the values that callers give: by field, with the fields of a field written `project.display_name`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import FieldViolation, InvalidRequestError
from .types._sendable import check_message

if TYPE_CHECKING:
    from ._method import Method
    from .types.base import Model

M = TypeVar("M", bound="Model")


def build(method: Method[Any, Any], fields: Mapping[str, Any]) -> Model:
    """Returns the request of a method; None is an absent field. Raises InvalidRequestError for wrong values.

    A request with an `update_mask` gets the fields that the caller gave (AIP-134).
    """
    values: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    for name, value in fields.items():
        if value is None:
            continue
        outer, _, rest = name.partition(".")
        if rest:
            inner.setdefault(outer, {})[rest] = value
        else:
            values[name] = value
    model: type[Model] = method.request
    if _has_mask(model) and "update_mask" not in values:
        known = {name for name in fields if "." in name and "{" + name + "}" not in method.path}
        values["update_mask"] = [
            rest for outer, given in inner.items() for rest in given if f"{outer}.{rest}" in known and rest != "etag"
        ]
    return checked(model, {**inner, **values})


@cache
def _has_mask(model: type[Model]) -> bool:
    return "update_mask" in model.model_fields


def checked(model: type[M], values: Any) -> M:
    """Returns the model of values; one of its own is returned as it is. Raises InvalidRequestError.

    Unknown fields are refused, since they are mistakes of the caller; in answers they are those of a newer server.
    """
    try:
        made = model.model_validate(values, extra="forbid")
    except ValueError as error:
        raise _refused(error) from None
    found: list[FieldViolation] = []
    check_message(made, "", found)
    if found:
        raise InvalidRequestError(found)
    return made


def _refused(error: ValueError) -> InvalidRequestError:
    """Returns the faults of a pydantic.ValidationError, by the paths of their fields: `phases[0].task_type`."""
    found = []
    for fault in getattr(error, "errors", list)():
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"]).lstrip(".")
        unknown = fault["type"] == "extra_forbidden"
        text = fault["msg"].removeprefix("Value error, ")
        if fault["type"] in ("less_than_equal", "greater_than_equal"):
            text = f"{fault['input']!r} is out of range: it should be {text.removeprefix('Input should be ')}"
        found.append(FieldViolation(path, "there is no such field" if unknown else text))
    return InvalidRequestError(found)


def merged(method: Method[Any, Any], given: Any, fields: Mapping[str, Any]) -> Model:
    """Returns a message of a stream, a model or a mapping, with the fields of the path."""
    present = {name: value for name, value in fields.items() if value is not None}
    if not isinstance(given, method.request | Mapping):
        text = f"expected {method.request.__name__} or a mapping of its fields, not {type(given).__name__}"
        raise InvalidRequestError([FieldViolation("request", text)])
    values = given if isinstance(given, Mapping) else {name: getattr(given, name) for name in given.model_fields_set}
    return build(method, {**values, **present})
