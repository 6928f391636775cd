"""Fields in a path and in a query, by the rules of docs/rest.md."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import JsonValue

from ..errors import InvalidArgumentError
from ..types.base import Model

if TYPE_CHECKING:
    from .._method import Method

_VARIABLE = re.compile(r"\{([^}=]+)(?:=([^}]*))?\}")
_PLAIN = (str, int, float, bytes)
MOST_BYTES = 16 * 1024  # of a query; the gateway's limit for a request's whole head is 64 KiB


class Path:
    """A template of google/api/http.proto, split once."""

    def __init__(self, template: str) -> None:
        parts = _VARIABLE.split(template)
        self._literals = parts[::3]
        self.names = parts[1::3]
        self._safe = ["/" if pattern and ("/" in pattern or "**" in pattern) else "" for pattern in parts[2::3]]
        self.top = frozenset(name for name in self.names if "." not in name)
        self.omitted = _omitted(self.names)
        """The variables as an `exclude` of pydantic."""

    def filled(self, model: Model) -> str:
        """Returns the path of a request. Raises InvalidArgumentError for a variable that is empty."""
        found = [self._literals[0]]
        for name, safe, literal in zip(self.names, self._safe, self._literals[1:], strict=True):
            value: Any = model
            for step in name.split("."):
                value = getattr(value, step, "")
            found += [_segment(name, str(value), safe), literal]
        return "".join(found)


@cache
def path(method: Method[Any, Any]) -> Path:
    """Returns the path of a method's binding."""
    return Path(method.path)


def parameters(model: Model, omitted: Collection[str]) -> list[tuple[str, str]]:
    """Returns the set fields as parameters of a query, except `omitted` ones: `a`, or `a.b` for a field inside."""
    found: list[tuple[str, str]] = []
    for name in model.model_fields_set:
        value = getattr(model, name)
        if value is None or name in omitted:
            continue
        kind = type(value)
        if kind is str:
            found.append((name, value))
        elif kind is bool:
            found.append((name, "true" if value else "false"))
        elif kind is int:
            found.append((name, str(value)))
        elif isinstance(value, Model):
            inside = [one.removeprefix(f"{name}.") for one in omitted if one.startswith(f"{name}.")]
            found += [(f"{name}.{key}", text) for key, text in parameters(value, inside)]
        else:
            found += _converted(model, name, value)
    return found


def fits(model: Model, omitted: Collection[str]) -> bool:
    """Whether a query can hold the set fields: lists of messages and JSON cannot be in one."""
    return all(name in omitted or _fits(type(model), name, getattr(model, name)) for name in model.model_fields_set)


def _fits(model: type[Model], name: str, value: Any) -> bool:
    if isinstance(value, Model):
        return fits(value, ())
    if isinstance(value, list):
        return all(isinstance(one, _PLAIN) for one in value)
    if isinstance(value, dict):
        is_json = model.model_fields[name].annotation == dict[str, JsonValue]
        return not is_json and all(isinstance(one, _PLAIN) for one in value.values())
    return True


def _converted(model: Model, name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yields a field in its JSON form: times, masks, enums, lists and maps."""
    written = model.model_dump(mode="json", include={name})[name]
    if isinstance(value, dict):
        yield from ((f"{name}[{key}]", _text(one)) for key, one in written.items())
    elif isinstance(written, list):
        yield from ((name, _text(one)) for one in written)
    else:
        yield name, _text(written)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _segment(name: str, value: str, safe: str) -> str:
    if not value:
        raise InvalidArgumentError(
            f"{name} must not be empty",
            details=[
                {
                    "@type": "type.googleapis.com/google.rpc.BadRequest",
                    "fieldViolations": [{"field": name, "description": "must not be empty"}],
                }
            ],
        )
    found = quote(value, safe=safe)
    # `.` and `..` would be removed from the URL (RFC 3986 section 5.2.4).
    return "/".join(part.replace(".", "%2E") if part in {".", ".."} else part for part in found.split("/"))


def _omitted(names: Collection[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        outer, _, inner = name.partition(".")
        if not inner:
            found[outer] = True
        elif found.get(outer) is not True:
            found.setdefault(outer, {}).update(_omitted([inner]))
    return found
