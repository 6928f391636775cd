"""Writes every setting's name, type, default and meaning into docs/settings.md, from the models themselves.

It knows the gateway's pydantic models, `service_settings` the services' dataclasses, and neither a single setting.
With `--check` it writes nothing and fails if the page is stale.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from diptych.settings import Settings
from diptych.settings.table import may_be_none

from .service_settings import service_sections
from .settings_rows import Row, Section, Undocumented, docstring, shown_value

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "settings.md"
BEGIN = "<!-- From here on codegen/settings_docs.py writes: `make generate`. -->"
END = "<!-- Up to here codegen/settings_docs.py writes. -->"

_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


# The gateway's own: pydantic models, whose fields have docstrings.


def gateway_sections() -> Iterator[Section]:
    """Yields the gateway's settings, one section per table. Raises `Undocumented`."""
    below = []
    for kind, fields in _by_class(Settings):
        heading = "The gateway" if kind is Settings else inspect.cleandoc(kind.__doc__ or "").partition(".")[0]
        yield Section(heading=heading, text="", rows=_rows(kind, fields, ""))
        below += [found for name, field in fields.items() for found in _tables(field.annotation, name)]
    for place, model in below:
        yield from _model(model, place)


def _by_class(model: type[BaseModel]) -> Iterator[tuple[type[BaseModel], dict[str, FieldInfo]]]:
    """Yields the fields by the class that defines them, the model's own first."""
    left = dict(model.model_fields)
    for kind in model.__mro__:
        own = {name: left.pop(name) for name in inspect.get_annotations(kind) if name in left}
        if own and issubclass(kind, BaseModel):
            yield kind, own


def _model(model: type[BaseModel], place: str) -> Iterator[Section]:
    text = inspect.cleandoc(model.__doc__ or "")
    yield Section(heading=f"`{place}`", text=text, rows=_rows(model, model.model_fields, f"{place}."))
    for name, field in model.model_fields.items():
        for below, inner in _tables(field.annotation, f"{place}.{name}"):
            yield from _model(inner, below)


def _rows(model: type[BaseModel], fields: Mapping[str, FieldInfo], prefix: str) -> tuple[Row, ...]:
    (source,) = ast.parse(inspect.getsource(model)).body
    body = source.body if isinstance(source, ast.ClassDef) else []
    meanings = {
        ast.unparse(one.target): docstring(following)
        for one, following in itertools.pairwise([*body, None])
        if isinstance(one, ast.AnnAssign)
    }
    return tuple(_row(prefix + name, field, meanings[name]) for name, field in fields.items())


def _row(name: str, field: FieldInfo, meaning: str) -> Row:
    if not meaning:
        raise Undocumented(name)
    bounds = [
        f"{sign} {getattr(one, attribute):g}"
        for one in field.metadata
        for attribute, sign in _BOUNDS.items()
        if getattr(one, attribute, None) is not None
    ]
    without = ["or `none`"] if may_be_none(field.annotation) and field.default is not None else []
    kind = ", ".join((_kind(field.annotation), *bounds, *without))
    return Row(name=name, kind=kind, default=_default(field), meaning=meaning)


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "required"
    return "" if isinstance(value, BaseModel) else shown_value(value)


def _tables(annotation: Any, name: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yields the models within a type, with the name of the table that holds their fields."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield name, annotation
        return
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inside = inside[:1]
    elif origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        name, inside = f"{name}.<name>", inside[1:]
    elif origin is tuple:
        name = f"{name}[]"
    for one in inside:
        yield from _tables(one, name)


_NAMES = {str: "text", int: "whole number", float: "number", bool: "yes or no", Path: "path", SecretStr: "secret"}
_NAMES_OF_OTHERS = {"IPv4Network": "network", "IPv6Network": "network", "datetime": "time", "AwareDatetime": "time"}


def _kind(annotation: Any) -> str:
    if annotation is None or annotation is type(None):
        return "none"
    if annotation in _NAMES:
        return _NAMES[annotation]
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(inside[0])
    if origin is Literal:
        return " · ".join(f"`{one}`" for one in inside)
    if origin in (Union, types.UnionType):
        kinds = dict.fromkeys(_kind(one) for one in inside if one is not type(None))
        return " or ".join(kinds)
    if origin is tuple:
        return "table, repeated" if list(_tables(inside[0], "")) else f"list of {_kind(inside[0])}"
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return "tables by name" if list(_tables(inside[1], "")) else f"{_below(inside[1])} by name"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    name = getattr(annotation, "__name__", str(annotation))
    return _NAMES_OF_OTHERS.get(name, "anything" if annotation is Any else name)


def _below(annotation: Any) -> str:
    """Returns the kind of a mapping's values, of which a mapping of anything is a table."""
    kinds = [one for one in get_args(annotation) if get_origin(annotation) in (Union, types.UnionType)] or [annotation]
    return " or ".join("table" if str(_kind(one)).startswith("anything by") else _kind(one) for one in kinds)


# The page.


def tables() -> str:
    """Returns every setting as Markdown."""
    return "\n".join(_shown(section) for section in (*gateway_sections(), *service_sections()))


def _shown(section: Section) -> str:
    lines = [f"### {section.heading}", ""]
    if section.text:
        lines += [section.text, ""]
    lines += ["| setting | takes | default | meaning |", "|---|---|---|---|"]
    lines += [
        "| " + " | ".join(_cell(text) for text in (f"`{row.name}`", row.kind, row.default, row.meaning)) + " |"
        for row in section.rows
    ]
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", text)


def page(old: str) -> str:
    """Returns the page with new tables and its other text. Raises ValueError if the marks are missing."""
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} lacks the marks around the tables of settings")
    return f"{before}{begin}\n\n{tables()}\n{end}{after}"


def main(arguments: list[str]) -> int:
    old = PAGE.read_text(encoding="utf-8")
    try:
        new = page(old)
    except Undocumented as error:
        print(f"settings_docs: {error} has no docstring and no comment that says what it means")
        return 1
    if "--check" in arguments:
        if new != old:
            print("docs/settings.md is stale: run make generate and commit")
        return int(new != old)
    if new != old:
        PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
